//! Messages, put together and decoded: RFC 6455 sections 5.3 to 5.6 and 8.1, RFC 7692.
//!
//! All of this exists only where somebody asks for messages. Elsewhere payloads are skipped by their length.

mod assembly;
mod deflate;
mod mask;
mod narrow;
mod reader;
mod room;
mod utf8;

use std::collections::VecDeque;

pub(crate) use reader::MessageReader;
pub(crate) use room::MessageRoom;
pub use room::{MessagesWanted, Which};

use super::header::Opcode;
use crate::limits;
use crate::protocol::Role;
use crate::units::{Origin, PacketNumber};

/// A message, or a control frame, as far as it could be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place among all messages and control frames of the session, both sides, from 0: in the order in which they
    /// were completed.
    pub index: u64,
    /// Where its first frame begins.
    pub first: Origin,
    /// Where its last byte is, as far as the capture shows it.
    pub last: Origin,
    /// Who sent it.
    pub by: Role,
    /// Of its first frame. [`Opcode::CONTINUATION`] if its beginning is not known.
    pub opcode: Opcode,
    /// How many frames it was sent in.
    pub fragments: u64,
    /// It was compressed with permessage-deflate.
    pub compressed: bool,
    /// Payload bytes of its frames by their headers, as they were sent.
    pub wire_length: u64,
    /// Bytes that it has when it is decoded; none if not all of it could be.
    pub length: Option<u64>,
    /// Its first bytes, decoded: up to [`MessagesWanted::bytes_each`] and to the first one that could not be.
    pub payload: Box<[u8]>,
    /// What stood in the way of decoding it.
    pub obstacle: Option<Obstacle>,
    /// Where it stops being UTF-8 though it has to be: text, and the reason of a close frame.
    pub not_utf8: Option<NotUtf8>,
}

impl Message {
    /// Whether it is a control frame.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.opcode.is_control()
    }

    /// Decoded bytes that are known to be there and are not kept.
    #[must_use]
    pub fn cut_bytes(&self) -> u64 {
        self.length.unwrap_or_default().saturating_sub(self.payload.len() as u64)
    }

    /// Its payload as text, if it is a text message whose bytes are. A character that the end of what is kept cuts is
    /// left out.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if self.opcode != Opcode::TEXT || self.not_utf8.is_some() {
            return None;
        }
        match str::from_utf8(&self.payload) {
            Ok(text) => Some(text),
            Err(error) if error.error_len().is_none() => {
                str::from_utf8(self.payload.get(..error.valid_up_to())?).ok()
            }
            Err(_) => None,
        }
    }
}

/// Where a text stops being UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8 {
    /// So many bytes of it are.
    pub valid_bytes: u64,
    /// The packet that shows it.
    pub origin: Origin,
}

/// What stood in the way of decoding a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The capture lacks bytes of it.
    MissingBytes,
    /// It began before the capture, or in a part that the capture lacks.
    StartMissing,
    /// It is compressed and refers to earlier messages, which the capture lacks.
    WindowMissing,
    /// It was not completed before the connection or the capture ended.
    Unfinished,
    /// Another message began inside it (against RFC 6455 section 5.4).
    Interrupted,
    /// A continuation of nothing (against RFC 6455 section 5.4).
    ContinuationWithoutStart,
    /// Its first frame has reserved bits that no extension that was agreed on explains (against RFC 6455 section 5.2).
    ReservedBits,
    /// It is no valid DEFLATE (against RFC 7692 section 7.2.1).
    DeflateFailed,
    /// Its DEFLATE data end inside a block (against RFC 7692 section 7.2.1).
    DeflateUnfinished,
    /// It refers to what is farther back than the window that was agreed on (against RFC 7692 section 7.1.2). It could be
    /// inflated all the same.
    BeyondWindow,
    /// It is compressed and may refer to an earlier message that could not be inflated.
    EarlierDeflateFailed,
    /// Inflated it is longer than [`limits::INFLATED_BYTES`].
    InflatedTooLong,
    /// Inflated it is more than [`limits::INFLATION_RATIO`] times as long.
    RatioTooHigh,
    /// It has more final blocks than [`limits::FINAL_BLOCKS`].
    TooManyFinalBlocks,
    /// An earlier message of this side met a limit; since then nothing of it is inflated.
    NoLongerInflated,
    /// More sides than [`limits::INFLATERS`] send compressed messages at once.
    TooManyInflaters,
}

impl Obstacle {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingBytes => "missing-bytes",
            Self::StartMissing => "start-missing",
            Self::WindowMissing => "window-missing",
            Self::Unfinished => "unfinished",
            Self::Interrupted => "interrupted",
            Self::ContinuationWithoutStart => "continuation-without-start",
            Self::ReservedBits => "reserved-bits",
            Self::DeflateFailed => "deflate-failed",
            Self::DeflateUnfinished => "deflate-unfinished",
            Self::BeyondWindow => "beyond-window",
            Self::EarlierDeflateFailed => "earlier-deflate-failed",
            Self::InflatedTooLong => "inflated-too-long",
            Self::RatioTooHigh => "ratio-too-high",
            Self::TooManyFinalBlocks => "too-many-final-blocks",
            Self::NoLongerInflated => "no-longer-inflated",
            Self::TooManyInflaters => "too-many-inflaters",
        }
    }

    /// Whether it is the capture that stood in the way, and neither the sender nor a limit.
    #[must_use]
    pub const fn is_of_capture(self) -> bool {
        matches!(self, Self::MissingBytes | Self::StartMissing | Self::WindowMissing)
    }

    /// Whether it is a limit of this program.
    #[must_use]
    pub const fn is_of_limit(self) -> bool {
        matches!(
            self,
            Self::InflatedTooLong
                | Self::RatioTooHigh
                | Self::TooManyFinalBlocks
                | Self::NoLongerInflated
                | Self::TooManyInflaters
        )
    }
}

/// The decoded messages of a session, and what was seen in decoding them.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// The messages that are kept.
    pub messages: MessageLog,
    /// What the client's are like.
    pub client: DecodedFacts,
    /// What the server's are like.
    pub server: DecodedFacts,
}

impl Decoded {
    /// What one side's messages are like.
    #[must_use]
    pub const fn role(&self, role: Role) -> &DecodedFacts {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

/// What one side's messages are like. All are counted, whichever are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodedFacts {
    /// Messages, without control frames; those that were not completed are among them.
    pub messages: u64,
    /// Messages that were compressed.
    pub compressed: u64,
    /// Messages of which not all bytes were kept, since they are many.
    pub cut: u64,
    /// Text messages and reasons of close frames that are no UTF-8.
    pub not_utf8: Sightings,
    /// Messages that are no valid DEFLATE, or end inside a block of it.
    pub deflate_failed: Sightings,
    /// Messages that refer to what is farther back than the window that was agreed on, and could be inflated all the same.
    pub beyond_window: Sightings,
    /// Messages that could not be decoded because the capture lacks something.
    pub lacking: Sightings,
    /// Messages that a limit kept from being decoded. With the first one the inflating of this side ended.
    pub limited: Sightings,
}

/// How often something was seen, and where first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    /// How often.
    pub count: u64,
    /// Where first.
    pub first: Option<Origin>,
}

impl Sightings {
    fn add(&mut self, at: Origin) {
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert(at);
    }
}

/// Messages of a session that are kept.
#[derive(Clone, Debug, Default)]
pub struct MessageLog {
    first: Vec<Message>,
    latest: VecDeque<Message>,
    /// Messages between the first and the latest ones, or beyond the limit of all sessions, that are not kept.
    pub forgotten: u64,
}

impl MessageLog {
    /// The messages that are kept, in the order in which they were completed.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.first.iter().chain(&self.latest)
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len().saturating_add(self.latest.len())
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.latest.is_empty()
    }

    /// The messages themselves.
    pub fn into_messages(self) -> impl Iterator<Item = Message> {
        self.first.into_iter().chain(self.latest)
    }

    /// Keeps a message, if it is wanted and there is room.
    fn push(&mut self, message: Message, room: &mut MessageRoom) {
        if !room.wants(&message) {
            room.give_back(message.payload.len());
            return;
        }
        let is_full = !room.has_place() || self.len() >= room.most_of_session();
        if is_full {
            self.forgotten = self.forgotten.saturating_add(1);
            let Some(oldest) = self.latest.pop_front() else {
                room.give_back(message.payload.len());
                return;
            };
            room.give_back(oldest.payload.len());
        } else {
            room.take_place();
        }
        if self.first.len() < limits::MESSAGES_KEPT_FIRST {
            self.first.push(message);
        } else {
            self.latest.push_back(message);
        }
    }
}

/// Whether a message lies within a range of packets.
fn is_within(message: &Message, from: PacketNumber, to: PacketNumber) -> bool {
    message.last.packet >= from && message.first.packet <= to
}
