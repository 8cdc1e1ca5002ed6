//! What the client sends before it is known what it is: the answer to its request decides.

use crate::tcp::Kept;
use crate::units::Origin;

/// What is held back, in order.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) pieces: Vec<HeldPiece>,
    pub(super) bytes: usize,
}

impl Held {
    /// What it keeps alive.
    pub(super) fn cost(&self) -> usize {
        self.bytes.saturating_add(self.pieces.len().saturating_mul(PIECE_OVERHEAD_BYTES))
    }

    /// The bytes up to the first gap behind them, however they were cut.
    pub(super) fn first_run(&self) -> Vec<u8> {
        let bytes = self.pieces.iter().map(|piece| match piece {
            HeldPiece::Data(kept) => Some(&kept.bytes[..]),
            HeldPiece::Gap(..) => None,
        });
        bytes.skip_while(Option::is_none).map_while(|bytes| bytes).collect::<Vec<_>>().concat()
    }
}

/// A part of what is held back.
#[derive(Debug)]
pub(crate) enum HeldPiece {
    /// Bytes.
    Data(Kept),
    /// A number of bytes that the capture lacks, and the segment that showed it.
    Gap(u64, Origin),
}

/// What a held piece costs besides its bytes: a thousand pieces of one byte are more than a thousand bytes.
const PIECE_OVERHEAD_BYTES: usize = 128;
