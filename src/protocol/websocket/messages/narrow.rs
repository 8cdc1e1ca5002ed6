//! Whether a sender keeps within the window that was agreed: RFC 7692 section 7.1.2.
//!
//! Inflating with a window of that size does not tell. To zlib all is within reach that still lies in the buffer for the
//! output, so that receivers notice too large a window at times and not at others; zlib-rs has one of 32 KiB always. Here
//! the output goes round in a buffer of the size of the window, and a distance beyond that is an error.

use std::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// Inflates a message again for its distances. What bytes come out is of no importance, so that nothing need be known of
/// what came before.
pub(super) struct Narrow {
    stream: DecompressorOxide,
    window: Vec<u8>,
    position: usize,
    /// The message refers to what is farther back.
    is_exceeded: bool,
}

impl Narrow {
    /// For a window of so many bits: 8 to 14. 8 are taken for 9, as zlib does, which has no smaller window.
    pub(super) fn new(bits: u8) -> Self {
        Self {
            stream: DecompressorOxide::new(),
            window: vec![0; 1 << bits.clamp(LEAST_BITS, MOST_BITS)],
            position: 0,
            is_exceeded: false,
        }
    }

    /// A message begins.
    pub(super) fn begin(&mut self) {
        self.is_exceeded = false;
        self.restart();
    }

    /// A stream begins, behind a final block.
    pub(super) fn restart(&mut self) {
        self.stream.init();
    }

    /// The next bytes of the stream. They are known to be DEFLATE.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !self.is_exceeded {
            let window = &mut self.window;
            let (status, taken, made) =
                decompress(&mut self.stream, bytes, window, self.position, TINFL_FLAG_HAS_MORE_INPUT);
            // It stops at the end of the buffer; the length is a power of two.
            self.position = self.position.saturating_add(made) & window.len().saturating_sub(1);
            bytes = bytes.get(taken..).unwrap_or_default();
            match status {
                TINFLStatus::HasMoreOutput if taken > 0 || made > 0 => {}
                TINFLStatus::Failed => self.is_exceeded = true,
                _ => return,
            }
        }
    }

    /// Whether the message refers to what is farther back than the window.
    pub(super) const fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }
}

impl fmt::Debug for Narrow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Narrow").field("is_exceeded", &self.is_exceeded).finish_non_exhaustive()
    }
}

/// What zlib has at least.
const LEAST_BITS: u8 = 9;
/// A window of one bit more holds all that DEFLATE can refer to.
const MOST_BITS: u8 = 14;
