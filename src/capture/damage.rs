//! Damage while it is looked into, and the list of what is told.

use std::fmt;

use crate::capture::Damage;
use crate::limits;
use crate::units::PacketNumber;

/// The damaged places of a capture: the first [`limits::DAMAGES`] in full, of the others the number.
#[derive(Debug, Default)]
pub(super) struct DamageLog {
    waiting: Vec<Damage>,
    told: usize,
    /// How many were not told, and where the first of them was.
    untold: Option<(u64, PacketNumber, u64)>,
}

impl DamageLog {
    /// Tells of one; `what` is not called if there were too many already.
    pub(super) fn tell(&mut self, packet: PacketNumber, file_offset: u64, what: impl FnOnce() -> String) {
        if self.told < limits::DAMAGES {
            self.told += 1;
            self.waiting.push(Damage { packet, file_offset, what: what() });
        } else {
            let untold = self.untold.get_or_insert((0, packet, file_offset));
            untold.0 = untold.0.saturating_add(1);
        }
    }

    /// Tells of something at the end that is no damage, whatever was told before.
    pub(super) fn note(&mut self, packet: PacketNumber, file_offset: u64, what: impl FnOnce() -> String) {
        self.waiting.push(Damage { packet, file_offset, what: what() });
    }

    /// At the end of the capture: tells how many were not told.
    pub(super) fn close(&mut self) {
        if let Some((count, packet, file_offset)) = self.untold.take() {
            let what = match count {
                1 => "one more damaged place from here on is not listed".to_owned(),
                _ => format!("{count} more damaged places from here on are not listed"),
            };
            self.waiting.push(Damage { packet, file_offset, what });
        }
    }

    /// What was told since the last call.
    pub(super) fn take(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.waiting)
    }
}

/// A place at which the records are no longer in step, before it is known where they go on.
#[derive(Debug)]
pub(super) struct Lost {
    /// The number that the damaged record would have.
    pub(super) packet: PacketNumber,
    /// Where the damaged record starts.
    pub(super) offset: u64,
    /// What is wrong with it.
    pub(super) why: Why,
}

impl Lost {
    /// Tells that reading goes on at the file offset `next`.
    pub(super) fn tell_skipped(&self, next: u64, log: &mut DamageLog) {
        log.tell(self.packet, self.offset, || match next.saturating_sub(self.offset) {
            1 => format!("{}; 1 byte is skipped", self.why),
            skipped => format!("{}; {skipped} bytes are skipped", self.why),
        });
    }

    /// Tells that nothing readable follows.
    pub(super) fn tell_stopped(&self, log: &mut DamageLog) {
        log.tell(self.packet, self.offset, || match self.why {
            Why::RecordCut { have, of } => {
                format!("the last record is cut off: {have} of {of} bytes are there")
            }
            Why::BlockCut { have, of } => {
                format!("the last block is cut off: {have} of {of} bytes are there")
            }
            Why::RecordHeaderCut { .. } | Why::BlockHeaderCut { .. } => self.why.to_string(),
            Why::RecordLength { .. }
            | Why::RecordZero
            | Why::BlockLength { .. }
            | Why::BlockOdd { .. }
            | Why::BlockShort { .. }
            | Why::BlockEnds { .. }
            | Why::ByteOrderMark => format!("{}; reading stops here", self.why),
        });
    }
}

/// What is wrong with a record of a pcap file or a block of a pcapng file.
#[derive(Debug)]
pub(super) enum Why {
    /// Longer than any packet of this file can be.
    RecordLength { says: u32 },
    /// Nothing but zeros, as where a disk was full or a machine went down.
    RecordZero,
    /// The file ends inside a record header.
    RecordHeaderCut { have: usize, of: usize },
    /// The file ends inside a packet's bytes.
    RecordCut { have: usize, of: u32 },
    /// Longer than a block of its kind can be.
    BlockLength { says: u32 },
    /// Not a multiple of four.
    BlockOdd { says: u32 },
    /// Shorter than the fixed fields of its kind.
    BlockShort { says: u32, least: u32 },
    /// Another length at its end than at its start.
    BlockEnds { start: u32, end: u32 },
    /// The file ends inside a block's first fields.
    BlockHeaderCut { have: usize },
    /// The file ends inside a block.
    BlockCut { have: u64, of: u32 },
    /// A section header that does not tell its byte order.
    ByteOrderMark,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordLength { says } => write!(f, "the record says it is {says} bytes long"),
            Self::RecordZero => f.write_str("the record header is all zeros"),
            Self::RecordHeaderCut { have, of } => {
                write!(f, "the last record is cut off: {have} of the {of} bytes of its header are there")
            }
            Self::RecordCut { have, of } => {
                write!(f, "the record says it is {of} bytes long and {have} are left")
            }
            Self::BlockLength { says } => write!(f, "the block says it is {says} bytes long"),
            Self::BlockOdd { says } => {
                write!(f, "the block says it is {says} bytes long, which is no multiple of 4")
            }
            Self::BlockShort { says, least } => {
                write!(f, "the block says it is {says} bytes long, and its kind has at least {least}")
            }
            Self::BlockEnds { start, end } => {
                write!(f, "the block says it is {start} bytes long at its start and {end} at its end")
            }
            Self::BlockHeaderCut { have } => {
                write!(f, "the last block is cut off: {have} of its first 12 bytes are there")
            }
            Self::BlockCut { have, of } => {
                write!(f, "the block says it is {of} bytes long and {have} are left")
            }
            Self::ByteOrderMark => f.write_str("the section header does not tell its byte order"),
        }
    }
}
