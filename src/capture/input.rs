//! The bytes of a capture as they come: from the disk or a pipe, and out of gzip or zstd.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::zstd::ZstdFrames;
use crate::limits;

/// Brings the bytes of a capture, decompressed.
pub(super) struct ByteStream {
    stream: Stream,
    ended: bool,
    /// What is wrong with the compression, if it ended because of that.
    broken: Option<String>,
}

impl ByteStream {
    /// From the bytes as they are.
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        let raw = RawBytes { reader, position: 0, returned: Cursor::default() };
        Self { stream: Stream::Plain(raw), ended: false, broken: None }
    }

    /// Decompresses from here on, `read` included: the bytes that were read to find that out.
    pub(super) fn decompress(self, compression: Compression, read: Vec<u8>) -> Self {
        let stream = match self.stream {
            Stream::Plain(mut raw) => {
                raw.returned = Cursor::new(read);
                match compression {
                    Compression::Gzip => Stream::Gzip(Box::new(MultiGzDecoder::new(raw))),
                    Compression::Zstd => Stream::Zstd(Box::new(ZstdFrames::new(BufReader::new(raw)))),
                }
            }
            compressed => compressed,
        };
        Self { stream, ended: false, broken: None }
    }

    /// Bytes read from the disk or the pipe so far.
    pub(super) fn position(&self) -> u64 {
        match &self.stream {
            Stream::Plain(raw) => raw.position,
            Stream::Gzip(gzip) => gzip.get_ref().position,
            Stream::Zstd(zstd) => zstd.get_ref().get_ref().position,
        }
    }

    /// Whether the bytes of the capture are those on the disk.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.stream, Stream::Plain(_))
    }

    /// Whether nothing more comes.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// How the bytes are compressed, if they are.
    pub(super) fn compression(&self) -> Option<Compression> {
        self.stream.compression()
    }

    /// What is wrong with the compression, if something is. Then the bytes have ended there.
    pub(super) fn take_broken(&mut self) -> Option<String> {
        self.broken.take()
    }

    /// Reads what there is, behind the first `filled` bytes of `buffer`, and tells how many are filled now.
    ///
    /// One read: what a pipe has is handed on at once. The buffer grows as needed and is never cut: it
    /// may have more bytes than are filled, so that they need not be zeroed again for each read.
    pub(super) fn read_behind(&mut self, buffer: &mut Vec<u8>, filled: usize) -> io::Result<usize> {
        let (reader, piece): (&mut dyn Read, _) = match &mut self.stream {
            Stream::Plain(raw) => (raw, limits::BLOCK_BYTES),
            Stream::Gzip(gzip) => (gzip, COMPRESSED_PIECE_BYTES),
            Stream::Zstd(zstd) => (zstd, COMPRESSED_PIECE_BYTES),
        };
        let end = filled.saturating_add(piece);
        if buffer.len() < end {
            buffer.resize(end, 0);
        }
        loop {
            match reader.read(buffer.get_mut(filled..end).unwrap_or_default()) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(filled);
                }
                Ok(read) => return Ok(filled.saturating_add(read)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let Some(compression) = self.stream.compression() else { return Err(error) };
                    let what = match error.kind() {
                        io::ErrorKind::UnexpectedEof => {
                            format!("the {} stream is cut off", compression.name())
                        }
                        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                            format!("the {} stream is corrupt: {error}", compression.name())
                        }
                        _ => return Err(error),
                    };
                    self.broken = Some(what);
                    self.ended = true;
                    return Ok(filled);
                }
            }
        }
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("position", &self.position()).finish_non_exhaustive()
    }
}

enum Stream {
    Plain(RawBytes),
    Gzip(Box<MultiGzDecoder<RawBytes>>),
    Zstd(Box<ZstdFrames<BufReader<RawBytes>>>),
}

impl Stream {
    fn compression(&self) -> Option<Compression> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(_) => Some(Compression::Gzip),
            Self::Zstd(_) => Some(Compression::Zstd),
        }
    }
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
}

impl Compression {
    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The bytes before decompression.
struct RawBytes {
    reader: Box<dyn Read + Send>,
    position: u64,
    /// Bytes that were read already and come again.
    returned: Cursor<Vec<u8>>,
}

impl Read for RawBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let again = self.returned.read(buffer)?;
        if again > 0 || buffer.is_empty() {
            return Ok(again);
        }
        let read = self.reader.read(buffer)?;
        self.position = self.position.saturating_add(read as u64);
        Ok(read)
    }
}

/// Small, since what a corrupt stream gave in the same read is lost.
const COMPRESSED_PIECE_BYTES: usize = 32 * 1024;
