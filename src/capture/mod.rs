//! Where packets come from. A source hands out blocks of records; it knows nothing of what is in them.
//!
//! This room may do I/O. It may not look past the record headers of the file format: link layers are
//! `decode`'s business.

mod block;
mod clock;
mod damage;
mod error;
mod facts;
mod file;
mod files;
mod filter;
mod input;
pub mod live;
mod merge;
mod order;
mod parser;
mod pcap;
mod pcapng;
mod recognise;
#[cfg(test)]
mod testing;
mod writer;
mod zstd;

pub use block::{Block, LinkType, PacketMeta};
pub use clock::{Clock, Standpoint};
pub use error::{CaptureError, Damage};
pub use facts::{Comment, FileFacts, InterfaceFacts, Secrets};
pub use file::CaptureFile;
pub use files::{CaptureFiles, title};
pub use filter::Filter;
pub use pcapng::encode::{Interface, Packet, Statistics};
pub use writer::{InterfaceId, PcapngOutput, PcapngWriter};

use crate::numbering::Numbering;

/// A capture that can be read block by block.
pub trait Source {
    /// Fills `block` anew with the next records; `false` at the end of the capture.
    ///
    /// A block that comes back with `true` may still be empty: there may have been no packets in this part
    /// of the capture. It need not be the same block each time.
    ///
    /// # Errors
    /// If the capture can no longer be read at all. Damage inside it is no error: it is told by
    /// [`Source::take_damage`], and what can be read is read.
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError>;

    /// What people call it: the path as it was given, or `standard input`.
    fn name(&self) -> &str;

    /// What was found damaged since the last call, in the order of the file. To be asked once more after
    /// [`Source::next_block`] has returned `false`.
    fn take_damage(&mut self) -> Vec<Damage>;

    /// What there was to say since the last call, in words: damage, each with its file.
    fn take_warnings(&mut self) -> Vec<String> {
        let damage = self.take_damage();
        damage.iter().map(|damage| format!("{}: {damage}", self.name())).collect()
    }

    /// What the files say of themselves, in the order of their first packets; to be asked at the end.
    fn files(&self) -> Vec<FileFacts> {
        Vec::new()
    }

    /// How many files there are to be shown by [`Source::preview`]; 0 if there is one only.
    fn previewed(&self) -> usize {
        0
    }

    /// Shows what is to come, file by file, if there are several and they can be read twice: each block with the place of
    /// its file. Of a file nothing more is shown once `see` has said no. To be asked before the first block.
    ///
    /// # Errors
    /// As those of [`Source::next_block`].
    fn preview(&mut self, see: &mut dyn FnMut(usize, &Block) -> bool) -> Result<(), CaptureError> {
        let _ = see;
        Ok(())
    }

    /// Says where the files were captured, each at its place in [`Source::preview`]. Their packets then come by the
    /// corrected times, and blocks tell the points.
    fn place(&mut self, standpoints: Vec<Standpoint>) {
        let _ = standpoints;
    }

    /// Which packet is of which file, if there are several; to be asked at the end.
    fn take_numbering(&mut self) -> Numbering {
        Numbering::default()
    }
}
