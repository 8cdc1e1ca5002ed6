//! Reads a capture again for the messages of one session, for whoever wants to see payloads that nobody kept.

use std::path::Path;

use thiserror::Error;

use super::comparing;
use super::shard::Shard;
use super::{Options, segment};
use crate::capture::{Block, CaptureError, CaptureFile, Filter, Source};
use crate::decode::{FlowKey, Unwrap};
use crate::limits::{Limits, MESSAGE_BYTES, READ_BACK_BYTES, READ_BACK_MESSAGES};
use crate::model::{Connection, Keeps};
use crate::points::Surveyed;
use crate::protocol::{Message, MessagesWanted, Which};
use crate::tcp::Happenings;
use crate::units::{Origin, PacketNumber};

/// Which messages are to be read back.
#[derive(Clone, Copy, Debug)]
pub struct ReadBackWanted {
    /// The connection's two endpoints.
    pub flow: FlowKey,
    /// Its first packet.
    pub first: Origin,
    /// Its last packet; none if it goes on.
    pub last: Option<PacketNumber>,
    /// The place of the attempt among those of the connection.
    pub attempt: usize,
    /// Which of its messages and control frames.
    pub which: Which,
    /// The first of them alone, up to [`READ_BACK_BYTES`] of it; else [`READ_BACK_MESSAGES`], each up to
    /// [`MESSAGE_BYTES`].
    pub is_one: bool,
}

impl ReadBackWanted {
    /// Messages of an attempt, by its place on the connection. The connection must be over, or the capture be read.
    #[must_use]
    pub const fn of(connection: &Connection, attempt: usize, which: Which) -> Self {
        let (first, last) = (connection.tcp.opening.first, Some(connection.tcp.last.0));
        Self { flow: connection.tcp.flow, first, last, attempt, which, is_one: false }
    }

    /// One message, as much of it as is ever read back.
    #[must_use]
    pub const fn one(connection: &Connection, attempt: usize, index: u64) -> Self {
        Self { is_one: true, ..Self::of(connection, attempt, Which::From(index)) }
    }
}

/// What was read back.
#[derive(Clone, Debug, Default)]
pub struct ReadBack {
    /// The messages and control frames, in the order in which they were completed; see [`Message::index`].
    pub messages: Vec<Message>,
    /// There are more: [`Which::From`] this index goes on. None if these are all that were asked for.
    pub next: Option<u64>,
    /// What happened below its streams, as far as it was read.
    pub happenings: Happenings,
}

/// Why nothing can be read back.
#[derive(Debug, Error)]
pub enum ReadBackError {
    /// The capture cannot be read; if it came through a pipe, its bytes are gone.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The connection is not where it was.
    #[error("cannot find packet {} of {name} again: the file has changed (read it anew)", .packet.0)]
    Changed {
        /// The capture.
        name: String,
        /// The connection's first packet.
        packet: PacketNumber,
    },
    /// Nobody wants it any more.
    #[error("no longer wanted")]
    Stopped,
}

/// Reads a capture again for messages of one session: [`READ_BACK_MESSAGES`] of them and [`READ_BACK_BYTES`] of their
/// payload at most.
///
/// `filter` is the one with which the capture was read. `is_wanted` is asked after each block. A plain pcap file is read
/// from the connection's first packet on, others from their beginning; no file is read beyond its last packet. What is
/// read depends on the file and on what is wanted alone.
///
/// # Errors
/// If the capture cannot be read or has changed since it was read, if it came through a pipe, or as soon as `is_wanted`
/// says no.
pub fn read_back(
    path: &Path,
    filter: Option<Filter>,
    wanted: ReadBackWanted,
    is_wanted: impl FnMut() -> bool,
) -> Result<ReadBack, ReadBackError> {
    read_back_from(&mut CaptureFile::reopen(path, wanted.first)?, None, filter, wanted, is_wanted)
}

/// The same from a capture that is read from its beginning, or from a packet before the connection's first one; `surveyed`
/// is what its files were found to have in common.
///
/// # Errors
/// As those of [`read_back`].
pub fn read_back_from<S: Source>(
    source: &mut S,
    surveyed: Option<&Surveyed>,
    mut filter: Option<Filter>,
    wanted: ReadBackWanted,
    mut is_wanted: impl FnMut() -> bool,
) -> Result<ReadBack, ReadBackError> {
    let mut reader = Reader::new(wanted);
    comparing::again(source, &mut reader.shard, surveyed);
    let mut block = Block::default();
    while reader.goes_on() && source.next_block(&mut block)? {
        reader.block(&block, filter.as_mut())?;
        if !is_wanted() {
            return Err(ReadBackError::Stopped);
        }
    }
    let packet = wanted.first.packet;
    reader.finish().ok_or_else(|| ReadBackError::Changed { name: source.name().to_owned(), packet })
}

/// Follows the one connection.
struct Reader {
    wanted: ReadBackWanted,
    /// It gets the connection, and those that had its ports after it.
    shard: Shard,
    happenings: Happenings,
    unwrap: Unwrap,
    /// Its last packet was read.
    is_past: bool,
}

impl Reader {
    fn new(wanted: ReadBackWanted) -> Self {
        let (most, bytes_each) =
            if wanted.is_one { (1, READ_BACK_BYTES) } else { (READ_BACK_MESSAGES, MESSAGE_BYTES) };
        let messages = MessagesWanted { which: wanted.which, most, bytes: READ_BACK_BYTES, bytes_each };
        let limits = Limits { embryos: 16, ..Limits::default() };
        let options =
            Options { keeps: Keeps::Connections, messages: Some(messages), limits, ..Options::default() };
        Self {
            wanted,
            shard: Shard::new(options),
            happenings: Happenings::default(),
            unwrap: Unwrap::default(),
            is_past: false,
        }
    }

    fn goes_on(&self) -> bool {
        !self.is_past && self.shard.refused_message().is_none()
    }

    /// Reads what a block has of the connection.
    fn block(&mut self, block: &Block, mut filter: Option<&mut Filter>) -> Result<(), CaptureError> {
        let first = self.wanted.first.packet;
        let last = self.wanted.last.unwrap_or(PacketNumber(u64::MAX));
        for (place, packet) in block.packets.iter().enumerate() {
            let number = PacketNumber(block.first.0.saturating_add(place as u64));
            self.is_past |= number > last;
            if !self.goes_on() {
                break;
            }
            if number < first {
                continue;
            }
            let Some(segment) = segment(block, packet, number, &mut self.unwrap) else { continue };
            let point = block.point(place);
            if self.shard.flow_at(&segment, point) != self.wanted.flow {
                continue;
            }
            if let Some(filter) = &mut filter
                && !filter.matches(packet.link, block.captured(packet))?
            {
                continue;
            }
            self.shard.segment_at(&segment, point);
            let followed = self.shard.so_far().open().find(|open| open.id() == first);
            if let Some(followed) = followed {
                self.happenings.segment(&segment, followed.halves());
            }
        }
        self.is_past |= self.shard.so_far().ended().iter().any(|ended| ended.id() == first);
        Ok(())
    }

    /// What was found; none if the connection was not.
    fn finish(self) -> Option<ReadBack> {
        let next = self.shard.refused_message();
        let capture = self.shard.finish(Vec::new());
        let mut connections = capture.connections.into_iter();
        // Where it lies in a file is another place where it was captured live.
        let place = |first: Origin| (first.packet, first.time);
        let connection = connections.find(|it| place(it.tcp.opening.first) == place(self.wanted.first))?;
        let attempt = connection.attempts.into_iter().nth(self.wanted.attempt);
        let decoded = attempt.and_then(|attempt| attempt.session).and_then(|session| session.decoded);
        let messages = decoded.map(|decoded| decoded.messages.into_messages().collect());
        Some(ReadBack { messages: messages.unwrap_or_default(), next, happenings: self.happenings })
    }
}
