//! Where packets come from. A source hands out blocks of records; it knows nothing of what is in them.
//!
//! This room may do I/O. It may not look past the record headers of the file format: link layers are
//! `decode`'s business.

mod block;
mod error;

pub use block::{Block, LinkType, PacketMeta};
pub use error::{CaptureError, Damage};

/// A capture that can be read block by block.
pub trait Source {
    /// Fills `block` anew with the next records; `false` at the end of the capture.
    ///
    /// A block that comes back with `true` may still be empty: a pipe may have had half a record only.
    ///
    /// # Errors
    /// If the capture can no longer be read at all. Damage inside it is no error: it is told by
    /// [`Source::take_damage`], and what can be read is read.
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError>;

    /// What was found damaged since the last call, in the order of the file.
    fn take_damage(&mut self) -> Vec<Damage>;
}
