//! Decompression of permessage-deflate: RFC 7692 section 7.2.2.
//!
//! Each message is inflated as a stream of its own, with what came before it as its dictionary. So the window is ours,
//! and it can be told what is known of it: after a gap, or from the middle of a session, references into what the
//! capture lacks are noticed and never resolved wrongly. And the end of a message can be checked: zlib alone does not
//! tell whether it has seen the end of a block.

use flate2::{Decompress, FlushDecompress, Status};

use super::narrow::Narrow;
use crate::limits;

/// Inflates the messages of one side.
#[derive(Debug)]
pub(super) struct Inflater {
    stream: Decompress,
    /// The end of what was inflated, all of it known. It is where the stream writes to as well.
    window: Vec<u8>,
    /// Why what came before `window` is not known; none if it is, or if there was nothing.
    unknown: Option<Unknown>,
    /// Messages refer to those before them.
    takes_over: bool,
    message: Progress,
    /// Where a smaller window than the largest was agreed on.
    narrow: Option<Box<Narrow>>,
}

/// How far the message is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    fed: u64,
    inflated: u64,
    final_blocks: u32,
    /// Nothing came behind a final block so far.
    is_at_end: bool,
}

/// Why a part of the window is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// The capture lacks it.
    Capture,
    /// A message before could not be inflated, or was never completed.
    EarlierMessage,
}

/// Why a message cannot be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The bytes are no DEFLATE.
    Corrupt,
    /// They refer to what is not known, or are corrupt: which of the two cannot be told.
    Refers(Unknown),
    /// It is longer than [`limits::INFLATED_BYTES`].
    TooLong,
    /// It has more final blocks than [`limits::FINAL_BLOCKS`].
    TooManyFinalBlocks,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a block.
    Whole,
    /// With a block, and it refers to what is farther back than the window that was agreed on.
    BeyondWindow,
    /// Inside a block.
    InsideBlock,
    /// Inflated more than [`limits::INFLATION_RATIO`] to one.
    RatioTooHigh,
}

impl Inflater {
    /// For a side whose messages refer to those before them, or not (RFC 7692 section 7.1.1). `unknown` says why what
    /// came before is not known, if something did. `window_bits` were agreed on (section 7.1.2); none if nothing was said.
    pub(super) fn new(takes_over: bool, window_bits: Option<u8>, unknown: Option<Unknown>) -> Self {
        let narrow = window_bits.filter(|bits| *bits < WINDOW_BITS).map(|bits| Box::new(Narrow::new(bits)));
        Self {
            stream: Decompress::new(false),
            window: Vec::new(),
            unknown: unknown.filter(|_| takes_over),
            takes_over,
            message: Progress::default(),
            narrow,
        }
    }

    /// A message begins.
    pub(super) fn begin(&mut self) {
        self.message = Progress::default();
        if !self.takes_over {
            self.window.clear();
            self.unknown = None;
        }
        if let Some(narrow) = &mut self.narrow {
            narrow.begin();
        }
        self.restart();
    }

    /// The next bytes of the message. `out` gets what they inflate to; the pieces have no meaning.
    pub(super) fn push(&mut self, mut bytes: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Broken> {
        self.message.fed = self.message.fed.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() {
            if self.message.is_at_end {
                // Section 7.2.3.4: blocks may follow a final one. They begin at the next byte.
                self.message.is_at_end = false;
                self.message.final_blocks = self.message.final_blocks.saturating_add(1);
                if self.message.final_blocks > limits::FINAL_BLOCKS {
                    self.lose(Unknown::EarlierMessage);
                    return Err(Broken::TooManyFinalBlocks);
                }
                self.restart();
                if let Some(narrow) = &mut self.narrow {
                    narrow.restart();
                }
            }
            let used = self.inflate(bytes, out)?;
            if let Some(narrow) = &mut self.narrow {
                narrow.push(bytes.get(..used).unwrap_or(bytes));
            }
            bytes = bytes.get(used..).unwrap_or_default();
        }
        Ok(())
    }

    /// The message ends.
    pub(super) fn end(&mut self, out: &mut impl FnMut(&[u8])) -> Result<End, Broken> {
        let fed = self.message.fed;
        // An empty payload should be an empty block (section 7.2.3.6); everybody takes it for one.
        if fed > 0 && !self.message.is_at_end {
            self.push(&TAIL, out)?;
        }
        let is_whole = fed == 0 || self.message.is_at_end || self.is_between_blocks();
        if self.message.inflated > fed.saturating_mul(limits::INFLATION_RATIO) {
            return Ok(End::RatioTooHigh);
        }
        let is_beyond = self.narrow.as_ref().is_some_and(|narrow| narrow.is_exceeded());
        Ok(match is_whole {
            true if is_beyond => End::BeyondWindow,
            true => End::Whole,
            false => End::InsideBlock,
        })
    }

    /// Whether the stream has read whole blocks. It can read no further after that.
    fn is_between_blocks(&mut self) -> bool {
        self.make_room();
        let length = self.window.len();
        let status = self.stream.decompress_vec(&EMPTY_FINAL_BLOCK, &mut self.window, FlushDecompress::None);
        let wrote_nothing = self.window.len() == length;
        // What it makes of these bytes elsewhere is none of the message.
        self.window.truncate(length);
        matches!(status, Ok(Status::StreamEnd)) && wrote_nothing
    }

    /// From here on what came before is not known.
    pub(super) fn lose(&mut self, why: Unknown) {
        self.window.clear();
        self.unknown = Some(why);
    }

    /// Starts a stream that may refer to what is in the window.
    fn restart(&mut self) {
        self.stream.reset(false);
        let start = self.window.len().saturating_sub(WINDOW_BYTES);
        let window = self.window.get(start..).unwrap_or_default();
        if window.len() == WINDOW_BYTES {
            self.unknown = None;
        }
        // A raw stream takes any.
        if !window.is_empty() && self.stream.set_dictionary(window).is_err() {
            self.lose(Unknown::EarlierMessage);
        }
    }

    /// Inflates until the bytes or the stream end. Returns how many bytes it took.
    fn inflate(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) -> Result<usize, Broken> {
        let mut used = 0_usize;
        loop {
            self.make_room();
            let (taken_before, length_before) = (self.stream.total_in(), self.window.len());
            let rest = bytes.get(used..).unwrap_or_default();
            let status = self.stream.decompress_vec(rest, &mut self.window, FlushDecompress::None);
            let taken = self.stream.total_in().saturating_sub(taken_before);
            used = used.saturating_add(usize::try_from(taken).unwrap_or(usize::MAX));
            let new = self.window.get(length_before..).unwrap_or_default();
            let room = limits::INFLATED_BYTES.saturating_sub(self.message.inflated);
            let fits = new.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(new);
            out(fits);
            self.message.inflated = self.message.inflated.saturating_add(new.len() as u64);
            if self.message.inflated > limits::INFLATED_BYTES {
                self.lose(Unknown::EarlierMessage);
                return Err(Broken::TooLong);
            }
            let wrote_nothing = self.window.len() == length_before;
            match status {
                Ok(Status::StreamEnd) => {
                    self.message.is_at_end = true;
                    return Ok(used);
                }
                // All taken, and nothing waits for room.
                Ok(_) if used >= bytes.len() && self.window.len() < self.window.capacity() => {
                    return Ok(used);
                }
                Ok(_) if taken == 0 && wrote_nothing => return Ok(bytes.len()),
                Ok(_) => {}
                Err(_) => {
                    let broken = self.unknown.map_or(Broken::Corrupt, Broken::Refers);
                    self.lose(self.unknown.unwrap_or(Unknown::EarlierMessage));
                    return Err(broken);
                }
            }
        }
    }

    /// Lets go what no message can refer to any more, once there is enough of it.
    fn make_room(&mut self) {
        if self.window.capacity() == 0 {
            self.window.reserve_exact(WINDOW_BYTES.saturating_mul(2));
        }
        if self.window.len() == self.window.capacity() {
            self.window.drain(..self.window.len().saturating_sub(WINDOW_BYTES));
        }
    }
}

/// What a sender leaves out at the end of a message (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// An empty block without compression that ends a stream: behind the end of a block, and nowhere else, it ends one.
const EMPTY_FINAL_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// The largest window (RFC 1951 section 2): it reads what was written with any smaller one.
const WINDOW_BYTES: usize = 1 << WINDOW_BITS;
const WINDOW_BITS: u8 = 15;
