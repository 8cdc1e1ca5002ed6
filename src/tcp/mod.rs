//! From segments to two streams of bytes a connection, with what the wire shows of each.
//!
//! Facts of this room are about sequence numbers, acknowledgments and control bits. What the bytes mean is the
//! business of the [`Receiver`] above. No I/O, no clock: time is that of the segments.

mod budget;
mod connections;
mod copies;
mod disorder;
mod embryo;
mod facts;
mod flow;
mod half;
mod halves;
mod happenings;
mod lane;
mod receiver;
mod sequence;
mod slots;
mod stamps;
mod struggle;

pub use connections::{Connections, Counts, Ended, Open, Place};
pub use copies::Copies;
pub use facts::{ClosedWindow, ConnectionFacts, EndedBy, Ending, HalfFacts, Opened, Opening, Retries};
pub use happenings::{Happened, Happening, Happenings};
pub use receiver::{Chunk, Kept, Receiver};
pub use sequence::SequenceNumber;

#[cfg(test)]
mod tests;
