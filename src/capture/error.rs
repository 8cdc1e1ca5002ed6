//! What can go wrong with a capture: errors end the reading, damage does not.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::units::PacketNumber;

/// A capture that cannot be read. Each is one line: the thing, the reason, the hint.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("cannot open {}: {reason}", path.display())]
    Open {
        /// What was to be opened.
        path: PathBuf,
        /// Why it cannot be.
        reason: String,
    },
    /// The file was opened and cannot be read on.
    #[error("cannot read {name}: {error}")]
    Read {
        /// The file, or `standard input`.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// It was read once and cannot be read again.
    #[error("cannot read {} again: its bytes came through a pipe and are gone (write them to a file)", path.display())]
    Gone {
        /// What was read.
        path: PathBuf,
    },
    /// It is no capture that can be read.
    #[error("cannot read {name}: {what} ({hint})")]
    NotACapture {
        /// The file, or `standard input`.
        name: String,
        /// What it is instead, as far as the first bytes tell.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why it cannot be.
        reason: String,
    },
    /// An interface cannot be captured on.
    #[error("cannot capture on {name}: {reason}")]
    Interface {
        /// Its name.
        name: String,
        /// Why it cannot be, and what to do.
        reason: String,
    },
    /// More files than are read as one capture.
    #[error("cannot read {0} files as one capture: {max} are the most (join some with: mergecap -w NEW FILE...)", max = crate::limits::FILES)]
    TooManyFiles(usize),
    /// Standard input was named more than once.
    #[error("cannot read standard input twice (name `-` once)")]
    StandardInputTwice,
    /// The filter is not one.
    #[error("cannot use the filter {filter:?}: {reason} (man pcap-filter)")]
    Filter {
        /// The filter as it was typed.
        filter: String,
        /// What libpcap's compiler said.
        reason: String,
    },
}

/// Damage inside a capture: never fatal, always told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The packet at which it was met: the number that the damaged record has, or would have.
    pub packet: PacketNumber,
    /// Where it is in the (decompressed) file.
    pub file_offset: u64,
    /// What it is, and what was done: `the record says it is 3405691582 bytes long; reading stops here`.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packet {}, byte {}: {}", self.packet.0, self.file_offset, self.what)
    }
}
