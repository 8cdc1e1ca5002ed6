//! One message while its bytes come: what is kept of it, whether it is text, what stood in its way.

use super::utf8::Utf8;
use super::{Message, MessageRoom, NotUtf8, Obstacle};
use crate::protocol::Role;
use crate::protocol::websocket::header::Opcode;
use crate::units::Origin;

/// A message that is not complete yet.
#[derive(Debug)]
pub(super) struct Assembly {
    pub(super) first: Origin,
    pub(super) last: Origin,
    pub(super) opcode: Opcode,
    pub(super) fragments: u64,
    pub(super) compressed: bool,
    pub(super) wire_length: u64,
    pub(super) obstacle: Option<Obstacle>,
    /// Decoded bytes so far.
    length: u64,
    payload: Vec<u8>,
    /// The check of what has to be UTF-8.
    text: Option<Utf8>,
    not_utf8: Option<NotUtf8>,
}

impl Assembly {
    /// A message, or a control frame, whose first header is in the packet `first`.
    pub(super) fn new(opcode: Opcode, compressed: bool, obstacle: Option<Obstacle>, first: Origin) -> Self {
        let is_text = matches!(opcode, Opcode::TEXT | Opcode::CLOSE) && obstacle.is_none();
        Self {
            first,
            last: first,
            opcode,
            fragments: 0,
            compressed,
            wire_length: 0,
            obstacle,
            length: 0,
            payload: Vec::new(),
            text: is_text.then(Utf8::default),
            not_utf8: None,
        }
    }

    /// Whether further bytes can be made sense of. Those of a message of which too little is known are shown as they
    /// are, unless they are compressed.
    pub(super) const fn is_readable(&self) -> bool {
        match self.obstacle {
            None => true,
            Some(Obstacle::StartMissing | Obstacle::ContinuationWithoutStart | Obstacle::ReservedBits) => {
                !self.compressed
            }
            Some(_) => false,
        }
    }

    /// The next decoded bytes.
    pub(super) fn push(&mut self, bytes: &[u8], at: Origin, room: &mut MessageRoom) {
        if let Some(text) = &mut self.text {
            // The code of a close frame is no text (RFC 6455 section 5.5.1).
            let is_reason = self.opcode == Opcode::CLOSE;
            let code = CODE_BYTES.saturating_sub(self.length).min(bytes.len() as u64);
            let skipped = if is_reason { usize::try_from(code).unwrap_or_default() } else { 0 };
            text.push(bytes.get(skipped..).unwrap_or_default());
            self.note_text(false, at);
        }
        let is_contiguous = self.payload.len() as u64 == self.length;
        self.length = self.length.saturating_add(bytes.len() as u64);
        if is_contiguous {
            let wanted = bytes.len().min(room.bytes_each.saturating_sub(self.payload.len()));
            let kept = room.take_bytes(wanted);
            self.payload.extend_from_slice(bytes.get(..kept).unwrap_or_default());
        }
    }

    /// Notes what stood in the way; the first thing is told.
    pub(super) fn hinder(&mut self, obstacle: Obstacle) {
        self.obstacle.get_or_insert(obstacle);
    }

    /// The message, as far as there is one.
    pub(super) fn finish(mut self, by: Role, index: u64) -> Message {
        if self.obstacle.is_none() {
            self.note_text(true, self.last);
        }
        // What an unknown extension did to the bytes is not known. Where the beginning is missing, so is its length.
        let is_whole = matches!(
            self.obstacle,
            None | Some(Obstacle::RatioTooHigh | Obstacle::DeflateUnfinished | Obstacle::BeyondWindow)
        );
        Message {
            index,
            first: self.first,
            last: self.last,
            by,
            opcode: self.opcode,
            fragments: self.fragments,
            compressed: self.compressed,
            wire_length: self.wire_length,
            length: is_whole.then_some(self.length),
            payload: self.payload.into_boxed_slice(),
            obstacle: self.obstacle,
            not_utf8: self.not_utf8,
        }
    }

    fn note_text(&mut self, is_whole: bool, at: Origin) {
        let Some(valid) = self.text.and_then(|text| text.invalid_at(is_whole)) else { return };
        let code = if self.opcode == Opcode::CLOSE { CODE_BYTES } else { 0 };
        self.not_utf8.get_or_insert(NotUtf8 { valid_bytes: valid.saturating_add(code), origin: at });
    }
}

/// The status code before the reason of a close frame.
const CODE_BYTES: u64 = 2;
