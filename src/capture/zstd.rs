//! Unpacks zstd (RFC 8878): any number of frames, skippable ones among them, with their checksums.

use std::error::Error;
use std::io::{self, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::limits;

/// Unpacks what `source` brings. Whatever is wrong with it is [`io::ErrorKind::InvalidData`], an end inside a frame
/// [`io::ErrorKind::UnexpectedEof`].
pub(super) struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    Inside,
    Ended,
}

impl<R: Read> ZstdFrames<R> {
    /// From the first byte of the first frame.
    pub(super) fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(limits::ZSTD_WINDOW_BYTES);
        Self { source, decoder, state: State::Between }
    }

    /// Where the packed bytes come from.
    pub(super) fn get_ref(&self) -> &R {
        &self.source
    }

    /// Reads the header of the next frame, if there is one.
    fn begin(&mut self) -> io::Result<State> {
        let mut first = [0];
        if read_some(&mut self.source, &mut first)? == 0 {
            return Ok(State::Ended);
        }
        match self.decoder.reset((&first[..]).chain(&mut self.source)) {
            Ok(()) => Ok(State::Inside),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let skipped = io::copy(&mut (&mut self.source).take(u64::from(length)), &mut io::sink())?;
                if skipped < u64::from(length) {
                    Err(io::ErrorKind::UnexpectedEof.into())
                } else {
                    Ok(State::Between)
                }
            }
            Err(error) => Err(corrupt(error)),
        }
    }
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::Ended => return Ok(0),
                State::Between => self.state = self.begin()?,
                State::Inside => {
                    let read = self.decoder.read(buffer)?;
                    if read > 0 || buffer.is_empty() {
                        return Ok(read);
                    }
                    if self.decoder.is_finished() {
                        let told = self.decoder.get_checksum_from_data();
                        if told.is_some() && told != self.decoder.get_calculated_checksum() {
                            return Err(io::Error::new(io::ErrorKind::InvalidData, "a checksum is wrong"));
                        }
                        self.state = State::Between;
                        continue;
                    }
                    let step = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder.decode_blocks(&mut self.source, step).map_err(corrupt)?;
                }
            }
        }
    }
}

fn read_some(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The end of the file inside a frame, another error of the source, or nonsense.
fn corrupt(error: FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(at) = cause {
        if let Some(of_source) = at.downcast_ref::<io::Error>() {
            let kind = of_source.kind();
            return io::Error::new(kind, of_source.to_string());
        }
        cause = at.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, error)
}
