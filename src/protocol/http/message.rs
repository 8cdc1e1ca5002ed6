//! One half of an HTTP/1 connection: heads are collected, bodies skipped.

use std::borrow::Cow;

use super::chunked::Piece;
use super::framing::Framing;
use super::head::{find_end, mend};
use super::ordinary::Ordinary;
use crate::limits;
use crate::units::Origin;

/// Reads the messages of one half.
#[derive(Debug, Default)]
pub(super) struct MessageReader {
    state: State,
}

#[derive(Debug)]
enum State {
    /// A head is due; some of it may be there already.
    Head {
        part: Vec<u8>,
        searched: usize,
        origin: Origin,
    },
    Body(Framing),
    /// A body, or none if the capture lacks a HEAD request: the next bytes say.
    PerhapsBody(Framing),
    /// A gap hid where the next message begins: it is looked for at the start of each segment.
    Seek,
}

impl Default for State {
    fn default() -> Self {
        Self::Head { part: Vec::new(), searched: 0, origin: Origin::default() }
    }
}

/// What came of some bytes.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one match, and a box would cost more than moving it"
)]
pub(super) enum Step<'a> {
    /// Nothing yet.
    More,
    /// A whole head; how its body is framed is to be told with [`MessageReader::body`].
    Head(WholeHead<'a>, Origin),
    /// Some of a body.
    Body(&'a [u8]),
    /// The head is longer than [`limits::HEAD_BYTES`].
    TooLong,
    /// This is no HTTP.
    Malformed,
}

/// The bytes of a head, the empty line included.
#[derive(Debug)]
pub(super) struct WholeHead<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// What was read of them already, if they are in one piece and what nearly all are.
    pub(super) ordinary: Option<Ordinary<'a>>,
}

impl MessageReader {
    /// Looks at the next bytes, which must not be empty: how many of them were used, and what they are.
    /// `may_start` says whether bytes may be the start of a message.
    pub(super) fn next<'a>(
        &mut self,
        bytes: &'a [u8],
        at: Origin,
        may_start: fn(&[u8]) -> bool,
    ) -> (usize, Step<'a>) {
        match &mut self.state {
            State::Body(Framing::Length(remaining)) => {
                let length = bytes.len().min(usize::try_from(*remaining).unwrap_or(usize::MAX));
                *remaining = remaining.saturating_sub(length as u64);
                if *remaining == 0 {
                    self.state = State::default();
                }
                (length, Step::Body(bytes.get(..length).unwrap_or_default()))
            }
            State::Body(Framing::UntilEnd) => (bytes.len(), Step::Body(bytes)),
            State::Body(Framing::Chunked(chunked)) => match chunked.next(bytes) {
                Piece::Framing(length) => (length, Step::More),
                Piece::Data(length) => (length, Step::Body(bytes.get(..length).unwrap_or_default())),
                Piece::End(length) => {
                    self.state = State::default();
                    (length, Step::More)
                }
                Piece::Malformed => {
                    self.state = State::Seek;
                    (bytes.len(), Step::More)
                }
            },
            State::PerhapsBody(framing) => {
                let framing = *framing;
                let line = bytes.get(..STATUS_LINE_BYTES).unwrap_or(bytes);
                let is_next_message = memchr::memchr(b'\n', line).is_some() && may_start(line);
                self.body(Some(framing).filter(|_| !is_next_message));
                (0, Step::More)
            }
            State::Seek if bytes.len() >= SURE_START_BYTES && may_start(bytes) => {
                self.state = State::default();
                (0, Step::More)
            }
            State::Seek => (bytes.len(), Step::More),
            State::Head { part, .. } if part.is_empty() => self.head_in_place(bytes, at, may_start),
            State::Head { .. } => self.head_in_pieces(bytes, may_start),
        }
    }

    /// Says how the body of the head just read is framed; without one, the next head is due.
    pub(super) fn body(&mut self, framing: Option<Framing>) {
        self.state =
            framing.filter(|framing| *framing != Framing::Length(0)).map_or_else(State::default, State::Body);
    }

    /// The same where the request is not known, so that it may have been HEAD, whose answer has no body whatever it says
    /// (RFC 9110 section 9.3.2).
    pub(super) fn perhaps_body(&mut self, framing: Option<Framing>) {
        self.body(framing);
        if let State::Body(framing) = self.state {
            self.state = State::PerhapsBody(framing);
        }
    }

    /// Skips bytes that the capture lacks. If they hid part of a head, what was there of it comes back.
    pub(super) fn gap(&mut self, length: u64) -> Option<(Vec<u8>, Origin)> {
        if let State::PerhapsBody(framing) = self.state {
            self.state = State::Body(framing);
        }
        // Bytes missing beyond the body belonged to messages that nobody saw.
        let left = match &mut self.state {
            State::Body(Framing::Length(remaining)) => remaining.checked_sub(length),
            State::Body(Framing::UntilEnd) => return None,
            State::Body(Framing::Chunked(chunked)) => {
                if chunked.skip(length) {
                    return None;
                }
                None
            }
            State::Head { .. } | State::PerhapsBody(_) | State::Seek => None,
        };
        if let Some(left) = left {
            self.body(Some(Framing::Length(left)));
            return None;
        }
        match std::mem::replace(&mut self.state, State::Seek) {
            State::Head { part, origin, .. } if !part.is_empty() => Some((mend(&part), origin)),
            _ => None,
        }
    }

    /// The part of a head that is there when the connection ends.
    pub(super) fn unfinished(&mut self) -> Option<(Vec<u8>, Origin)> {
        self.gap(u64::MAX)
    }

    /// How much of a head is there.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.started().len()
    }

    /// The part of a head that is there.
    pub(super) fn started(&self) -> &[u8] {
        match &self.state {
            State::Head { part, .. } => part,
            State::Body(_) | State::PerhapsBody(_) | State::Seek => &[],
        }
    }

    /// Whether a gap hid where the next message begins.
    pub(super) const fn is_seeking(&self) -> bool {
        matches!(self.state, State::Seek)
    }

    /// Where in malformed bytes it is that a head should begin; none if one began before them.
    pub(super) fn where_no_head_begins(&self, bytes: &[u8]) -> Option<usize> {
        (self.buffered_bytes() == 0).then(|| blank_bytes(bytes))
    }

    /// A head that begins in these bytes: usually it ends in them too, and nothing is copied.
    fn head_in_place<'a>(
        &mut self,
        bytes: &'a [u8],
        at: Origin,
        may_start: fn(&[u8]) -> bool,
    ) -> (usize, Step<'a>) {
        let blank = blank_bytes(bytes);
        let start = bytes.get(blank..).unwrap_or_default();
        if start.is_empty() {
            return (bytes.len(), Step::More);
        }
        if !may_start(start) {
            return (bytes.len(), Step::Malformed);
        }
        let ordinary = Ordinary::read(start);
        let end = ordinary.as_ref().map(|ordinary| ordinary.length).or_else(|| find_end(start, 0));
        if let Some(end) = end {
            let bytes = Cow::Borrowed(start.get(..end).unwrap_or_default());
            let is_too_long = end > limits::HEAD_BYTES;
            let step =
                if is_too_long { Step::TooLong } else { Step::Head(WholeHead { bytes, ordinary }, at) };
            return (blank.saturating_add(end), step);
        }
        if start.len() > limits::HEAD_BYTES {
            return (bytes.len(), Step::TooLong);
        }
        let searched = start.len().saturating_sub(SEARCH_OVERLAP);
        self.state = State::Head { part: start.to_vec(), searched, origin: at };
        (bytes.len(), Step::More)
    }

    /// A head that began in an earlier chunk.
    fn head_in_pieces<'a>(&mut self, bytes: &'a [u8], may_start: fn(&[u8]) -> bool) -> (usize, Step<'a>) {
        let State::Head { part, searched, origin } = &mut self.state else {
            return (bytes.len(), Step::More);
        };
        let before = part.len();
        let room = limits::HEAD_BYTES.saturating_sub(before).saturating_add(1);
        part.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if before < SURE_START_BYTES && !may_start(part) {
            return (bytes.len(), Step::Malformed);
        }
        if let Some(end) = find_end(part, *searched) {
            if end > limits::HEAD_BYTES {
                return (bytes.len(), Step::TooLong);
            }
            let origin = *origin;
            let mut head = std::mem::take(part);
            head.truncate(end);
            let head = WholeHead { bytes: Cow::Owned(head), ordinary: None };
            return (end.saturating_sub(before), Step::Head(head, origin));
        }
        if part.len() > limits::HEAD_BYTES {
            return (bytes.len(), Step::TooLong);
        }
        *searched = part.len().saturating_sub(SEARCH_OVERLAP);
        (bytes.len(), Step::More)
    }
}

/// RFC 9112 section 2.2: empty lines before a message are to be ignored.
fn blank_bytes(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Bytes that a search must look at again: an empty line is at most `\n\r\n`.
const SEARCH_OVERLAP: usize = 3;

/// No longer is the status line that is believed where a body may be.
const STATUS_LINE_BYTES: usize = 100;

/// From here on it is sure whether a message starts: no method is longer.
const SURE_START_BYTES: usize = 21;
