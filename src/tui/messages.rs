//! The messages of one session: read again from the capture when somebody wants to see them.

use super::payload::{Form, Laid};
use super::rows::AttemptId;
use crate::model::Application;
use crate::protocol::{self, Obstacle, Opcode, Role};
use crate::report::count::count;
use crate::units::{PacketNumber, Timestamp};

/// A message, or a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place among the messages and control frames of its session.
    pub index: u64,
    /// The packet in which it begins.
    pub packet: PacketNumber,
    /// That packet's time.
    pub time: Timestamp,
    /// Who sent it.
    pub by: Role,
    /// What it is, by its first frame.
    pub opcode: Opcode,
    /// Payload bytes of its frames, as they were on the wire.
    pub length: u64,
    /// It was compressed (RFC 7692).
    pub is_compressed: bool,
    /// The payload, unmasked and decompressed, as far as it is kept.
    pub payload: Box<[u8]>,
    /// What is not in `payload`, in words; none if it is there in full.
    pub lacks: Option<String>,
    /// The rest can be had.
    pub is_cut: bool,
}

/// The messages of a session, as far as they are known.
#[derive(Debug, Default)]
pub struct Messages {
    /// The attempt that they are listed for.
    pub of: Option<AttemptId>,
    /// Its leg whose session it is.
    pub session: Option<AttemptId>,
    /// How far it is.
    pub state: Reading,
    /// What the session speaks above WebSocket.
    pub application: Option<Application>,
    /// The message under the cursor.
    pub cursor: usize,
    /// The first one that is shown.
    pub offset: usize,
    /// Only the payload is shown.
    pub is_zoomed: bool,
    /// How payloads are shown; none leaves it to the payload.
    pub form: Option<Form>,
    /// What is searched for.
    pub search: String,
    /// The payload under the cursor, laid out.
    pub laid: Laid,
    /// One that was too long to be listed in full, in full.
    pub whole: Option<Message>,
    /// There are more, from this index on; they are asked for when the cursor comes to the end.
    pub next: Option<u64>,
    /// They are asked for.
    pub is_asked: bool,
    /// Frames that the session had when they were asked for last.
    pub frames: u64,
}

/// How far the reading of the messages is.
#[derive(Debug, Default)]
pub enum Reading {
    /// Nobody asked.
    #[default]
    Unasked,
    /// The capture is read again.
    Going,
    /// They are there: the first ones, if there are many.
    Done(Vec<Message>),
    /// It could not be read again, for this reason.
    Failed(String),
}

impl Messages {
    /// The messages that are there.
    #[must_use]
    pub fn all(&self) -> &[Message] {
        match &self.state {
            Reading::Done(messages) => messages,
            _ => &[],
        }
    }

    /// The one under the cursor, in full if that was asked for.
    #[must_use]
    pub fn current(&self) -> Option<&Message> {
        let listed = self.all().get(self.cursor)?;
        self.whole.as_ref().filter(|whole| whole.index == listed.index).or(Some(listed))
    }

    /// The payload under the cursor.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        self.current().map(|message| &*message.payload)
    }

    /// Bytes of all payloads that are held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.all().iter().map(|message| message.payload.len()).fold(0, usize::saturating_add)
    }

    /// The next message that has what is searched for, or the one before.
    #[must_use]
    pub fn find(&self, is_forward: bool, includes_current: bool) -> Option<usize> {
        let messages = self.all();
        let is_match = |at: &usize| messages.get(*at).is_some_and(|message| message.mentions(&self.search));
        let after = self.cursor.saturating_add(usize::from(!includes_current));
        if is_forward {
            (after..messages.len()).find(is_match)
        } else {
            (0..self.cursor.min(messages.len())).rev().find(is_match)
        }
    }

    /// Lays the payload under the cursor out for so many columns, unless it is so already.
    pub(super) fn lay_out(&mut self, width: usize, is_ascii: bool) {
        let Some(message) = self.current() else { return };
        let payload = self.payload().unwrap_or_default();
        let form = self.form.unwrap_or_else(|| Form::of(message.opcode, &message.payload));
        let said = close_frame(message.opcode, payload).filter(|_| form != Form::Hex);
        let (form, payload) = match &said {
            Some(said) => (Form::Text, said.as_bytes()),
            None => (form, payload),
        };
        let key = (self.cursor, width, form, payload.len());
        if self.laid.key != Some(key) {
            self.laid = Laid::new(key, payload, is_ascii);
        }
    }
}

impl Message {
    /// A message that was read again.
    #[must_use]
    pub fn new(message: protocol::Message) -> Self {
        let lacks = match (message.obstacle, message.cut_bytes()) {
            (Some(obstacle), _) => Some(words(obstacle).to_owned()),
            (None, 0) => None,
            (None, cut) => Some(format!("{} more not kept", count(cut, "byte"))),
        };
        let is_cut = message.obstacle.is_none() && message.cut_bytes() > 0;
        Self {
            index: message.index,
            is_cut,
            packet: message.first.packet,
            time: message.first.time,
            by: message.by,
            opcode: message.opcode,
            length: message.wire_length,
            is_compressed: message.compressed,
            lacks,
            payload: message.payload,
        }
    }

    /// Whether a text is in its payload, or is the name of its kind. Case does not matter in ASCII.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        let wanted = text.as_bytes();
        let Some((first, _)) = wanted.split_first() else { return false };
        let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
        let is_here = |at: usize| {
            let here = self.payload.get(at..at.saturating_add(wanted.len()));
            here.is_some_and(|here| here.eq_ignore_ascii_case(wanted))
        };
        memchr::memchr2_iter(lower, upper, &self.payload).any(is_here)
            || name(self.opcode).eq_ignore_ascii_case(text)
    }
}

/// What a close frame says: its code, and the reason (RFC 6455 section 5.5.1). None of what is no close frame, or has no
/// code.
#[must_use]
pub(super) fn close_frame(opcode: Opcode, payload: &[u8]) -> Option<String> {
    let (code, reason) = payload.split_first_chunk::<2>().filter(|_| opcode == Opcode::CLOSE)?;
    let reason = crate::text::decode(reason);
    let space = if reason.is_empty() { "" } else { " " };
    Some(format!("{}{space}{reason}", u16::from_be_bytes(*code)))
}

/// Why not all of a message is there.
const fn words(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::MissingBytes => "the capture lacks the rest",
        Obstacle::StartMissing => "the capture lacks its beginning",
        Obstacle::WindowMissing => "compressed with what the capture lacks",
        Obstacle::Unfinished => "not sent to its end",
        Obstacle::Interrupted => "another message began inside it",
        Obstacle::ContinuationWithoutStart => "a continuation of nothing",
        Obstacle::ReservedBits => "reserved bits that nothing explains",
        Obstacle::DeflateFailed => "it is no valid DEFLATE",
        Obstacle::DeflateUnfinished => "its DEFLATE data end inside a block",
        Obstacle::BeyondWindow => "compressed with a larger window than agreed",
        Obstacle::EarlierDeflateFailed => "an earlier message could not be inflated",
        Obstacle::InflatedTooLong => "inflated it is too long",
        Obstacle::RatioTooHigh => "inflated it is too many times as long",
        Obstacle::TooManyFinalBlocks => "it has too many final blocks",
        Obstacle::NoLongerInflated => "no longer inflated after a limit was met",
        Obstacle::TooManyInflaters => "too many sides are inflated at once",
    }
}

/// What a message of this opcode is called.
#[must_use]
pub(super) const fn name(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::CONTINUATION => "more",
        Opcode::TEXT => "text",
        Opcode::BINARY => "binary",
        Opcode::CLOSE => "close",
        Opcode::PING => "ping",
        Opcode::PONG => "pong",
        _ => "reserved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &[u8]) -> Message {
        Message {
            index: 0,
            packet: PacketNumber(1),
            time: Timestamp::default(),
            by: Role::Client,
            opcode: Opcode::TEXT,
            length: payload.len() as u64,
            is_compressed: false,
            payload: payload.into(),
            lacks: None,
            is_cut: false,
        }
    }

    #[test]
    fn a_search_looks_at_all_of_the_payload() {
        let message = message(b"{\"type\":\"Subscribe\"} \xff end");
        for text in ["subscribe", "SUBSCRIBE", "{", "end", "text"] {
            assert!(message.mentions(text), "{text}");
        }
        for text in ["", "subscribed", "endless"] {
            assert!(!message.mentions(text), "{text}");
        }
    }

    #[test]
    fn a_search_goes_both_ways_from_the_cursor() {
        let all = [b"a1".as_slice(), b"b", b"a2", b"a3"].map(message);
        let state = Reading::Done(all.to_vec());
        let messages = Messages { state, cursor: 2, search: "a".to_owned(), ..Messages::default() };
        assert_eq!(messages.find(true, false), Some(3));
        assert_eq!(messages.find(true, true), Some(2));
        assert_eq!(messages.find(false, false), Some(0));
    }
}
