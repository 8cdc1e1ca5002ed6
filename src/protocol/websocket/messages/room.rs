//! Which messages are kept, and how much room there is for them.

use super::{Message, is_within};
use crate::limits;
use crate::units::PacketNumber;

/// Which messages are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagesWanted {
    /// Which of a session.
    pub which: Which,
    /// So many of all sessions. With [`Which::Every`] a new one then takes the place of an old one of its session; else
    /// later ones are not kept.
    pub most: usize,
    /// So many bytes of all of them. With [`Which::Every`] messages are then kept without their bytes; else later
    /// ones are not kept.
    pub bytes: usize,
    /// So many of one message; the rest is counted.
    pub bytes_each: usize,
}

/// Which messages of a session are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The first [`limits::MESSAGES_KEPT_FIRST`] and the latest, [`limits::MESSAGES_KEPT`] together.
    #[default]
    Every,
    /// From this index on, both control frames and messages counted; see [`Message::index`].
    From(u64),
    /// Those that have a byte in one of these packets, or between them: the first and the last of the range.
    Packets(PacketNumber, PacketNumber),
}

impl Default for MessagesWanted {
    /// All, up to the limits.
    fn default() -> Self {
        Self {
            which: Which::Every,
            most: limits::MESSAGES_KEPT_TOTAL,
            bytes: limits::MESSAGE_BYTES_KEPT_TOTAL,
            bytes_each: limits::MESSAGE_BYTES,
        }
    }
}

/// The room that all sessions share.
#[derive(Debug)]
pub(crate) struct MessageRoom {
    which: Which,
    places: usize,
    bytes: usize,
    /// How many bytes of one message are kept.
    pub(super) bytes_each: usize,
    inflaters: usize,
    /// The first message that was wanted and found no room, unless old ones make room for new ones.
    refused: Option<u64>,
    /// Where payloads are unmasked; empty between two calls.
    pub(super) plain: Vec<u8>,
}

impl MessageRoom {
    pub(crate) fn new(wanted: MessagesWanted) -> Self {
        Self {
            which: wanted.which,
            places: wanted.most,
            bytes: wanted.bytes,
            bytes_each: wanted.bytes_each,
            inflaters: limits::INFLATERS,
            refused: None,
            plain: Vec::new(),
        }
    }

    /// The index of the first message that was wanted and found no room; later ones are not kept.
    pub(crate) const fn refused(&self) -> Option<u64> {
        self.refused
    }

    /// How many of `bytes` more bytes of a message may be kept; they are taken.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> usize {
        if self.which != Which::Every {
            return bytes;
        }
        let taken = bytes.min(self.bytes);
        self.bytes = self.bytes.saturating_sub(taken);
        taken
    }

    /// Bytes of a message are not kept any longer.
    pub(super) fn give_back(&mut self, bytes: usize) {
        if self.which == Which::Every {
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Whether one more side may be inflated; it is counted.
    pub(super) fn take_inflater(&mut self) -> bool {
        let is_free = self.inflaters > 0;
        self.inflaters = self.inflaters.saturating_sub(1);
        is_free
    }

    /// A side is inflated no longer.
    pub(super) fn give_back_inflater(&mut self) {
        self.inflaters = self.inflaters.saturating_add(1);
    }

    /// Whether a message is to be kept.
    pub(super) fn wants(&mut self, message: &Message) -> bool {
        let is_asked_for = match self.which {
            Which::Every => return true,
            Which::From(index) => message.index >= index,
            Which::Packets(from, to) => is_within(message, from, to),
        };
        if !is_asked_for || self.refused.is_some() {
            return false;
        }
        if self.places == 0 || message.payload.len() > self.bytes {
            self.refused = Some(message.index);
            return false;
        }
        self.bytes = self.bytes.saturating_sub(message.payload.len());
        true
    }

    pub(super) const fn has_place(&self) -> bool {
        self.places > 0
    }

    pub(super) const fn take_place(&mut self) {
        self.places = self.places.saturating_sub(1);
    }

    /// How many messages of one session are kept.
    pub(super) fn most_of_session(&self) -> usize {
        if self.which == Which::Every { limits::MESSAGES_KEPT } else { usize::MAX }
    }
}
