//! The seam above TCP: in-order bytes go up, nothing comes down.

use bytes::Bytes;

use super::facts::Opening;
use crate::decode::Half;
use crate::units::Origin;

/// A run of in-order bytes of one half, borrowed for the length of the call.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The bytes; never empty.
    pub bytes: &'a [u8],
    /// The segment that carried them.
    pub origin: Origin,
}

impl Chunk<'_> {
    /// The same chunk without its first `count` bytes.
    #[must_use]
    pub fn without_first(self, count: usize) -> Self {
        Self { bytes: self.bytes.get(count..).unwrap_or_default(), ..self }
    }

    /// A copy that outlives the block. Only what is held or out of order needs one.
    #[must_use]
    pub fn keep(self) -> Kept {
        Kept { bytes: Bytes::copy_from_slice(self.bytes), origin: self.origin }
    }
}

/// A chunk that was kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The bytes.
    pub bytes: Bytes,
    /// The segment that carried them.
    pub origin: Origin,
}

impl Kept {
    /// As a chunk again.
    #[must_use]
    pub fn as_chunk(&self) -> Chunk<'_> {
        Chunk { bytes: &self.bytes, origin: self.origin }
    }
}

/// What stands above a connection: it gets both halves' bytes in order, and the lengths of what is missing. One by default
/// lies where there is no connection.
pub trait Receiver: Default {
    /// What all connections share.
    type Context;

    /// For a connection that carries its first payload.
    fn open(context: &mut Self::Context, opening: &Opening) -> Self;

    /// The next bytes of a half. Bytes that answer others come after them: a segment is held back
    /// (for a while) if it acknowledges bytes of the other half that were not yet seen.
    fn data(&mut self, context: &mut Self::Context, half: Half, chunk: Chunk<'_>);

    /// `length` bytes of a half are not in the capture. `at` is the segment that showed it.
    fn gap(&mut self, context: &mut Self::Context, half: Half, length: u64, at: Origin);

    /// Reads what the next bytes of a half will need and returns something that depends on it; see
    /// [`super::Connections::locate`]. What is read must not decide what is read next: a wrong guess of the
    /// processor would wait for memory, and with it all that comes after.
    fn warm(&self, half: Half) -> u64;

    /// The same for what its end will need.
    fn warm_all(&self) -> u64 {
        0
    }

    /// Whether the bytes matter. If not, out-of-order segments are tracked by length alone.
    fn wants_bytes(&self) -> bool;
}
