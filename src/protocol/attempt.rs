//! An upgrade attempt: a request that shows WebSocket intent, its answer, and what flowed.

use super::http::{RequestHead, ResponseHead};
use super::websocket::{ACCEPT_BYTES, Accept, Offer, RequestProblem, ResponseProblem, SessionFacts};
use crate::limits::{BODY_START_BYTES, FOREIGN_ANSWER_BYTES};
use crate::units::Origin;

/// One attempt, as far as the capture shows it.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// The request; none if it is not in the capture.
    pub request: Option<RequestFacts>,
    /// The statuses of the interim answers, 1xx but 101 (RFC 9110 section 15.2), in order: the first
    /// [`crate::limits::INTERIM_ANSWERS`].
    pub interim: Vec<u16>,
    /// The final answer; none if there is none in the capture.
    pub response: Option<ResponseFacts>,
    /// What the server sent where the answer is due, if that is nothing of HTTP/1.
    pub foreign: Option<Box<ForeignAnswer>>,
    /// The frames; none if none could flow.
    pub session: Option<Box<SessionFacts>>,
    /// The answer came, or may have come, in bytes that the capture lacks.
    pub response_lost: bool,
    /// The session was recognised by its frames alone, in a connection from before the capture.
    pub midstream: bool,
}

/// The request of an attempt.
#[derive(Clone, Debug)]
pub struct RequestFacts {
    /// Where it begins.
    pub origin: Origin,
    /// The head's bytes, or the whole lines of it that the capture has; empty if nobody wants them.
    pub bytes: Box<[u8]>,
    /// Whether the capture has the whole head.
    pub complete: bool,
    /// What is wrong with it.
    pub problems: Vec<RequestProblem>,
    /// What it asks for.
    pub(super) offer: Offer,
}

/// The answer of an attempt.
#[derive(Clone, Debug)]
pub struct ResponseFacts {
    /// Where it begins.
    pub origin: Origin,
    /// The head's bytes, or the whole lines of it that the capture has; empty if nobody wants them.
    pub bytes: Box<[u8]>,
    /// Whether the capture has the whole head.
    pub complete: bool,
    /// The status code, 100 to 999.
    pub status: u16,
    /// What is known of `Sec-WebSocket-Accept`.
    pub accept: Accept,
    /// What is wrong with it.
    pub problems: Vec<ResponseProblem>,
    /// The first bytes of the body, up to [`crate::limits::BODY_START_BYTES`], transfer coding undone.
    pub body_start: Vec<u8>,
}

/// What a server sends where an answer of HTTP/1 is due, and which is none. It may have said it before it was asked, as
/// servers of other protocols do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignAnswer {
    /// Where it begins.
    pub origin: Origin,
    /// Its first bytes, up to [`crate::limits::FOREIGN_ANSWER_BYTES`].
    pub start: Vec<u8>,
    /// The capture lacks what came after them.
    is_cut: bool,
}

impl ForeignAnswer {
    /// One that begins here.
    pub(super) fn new(bytes: &[u8], origin: Origin) -> Self {
        let mut new = Self { origin, start: Vec::new(), is_cut: false };
        new.extend(bytes);
        new
    }

    /// What comes after it.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let room = FOREIGN_ANSWER_BYTES.saturating_sub(self.start.len());
        self.start.extend(bytes.iter().take(if self.is_cut { 0 } else { room }));
    }

    /// The capture lacks bytes of the server.
    pub(super) const fn cut(&mut self) {
        self.is_cut = true;
    }

    /// Whether it is HTTP/2, whose servers begin with a SETTINGS frame (RFC 9113 section 3.4): parameters of six bytes, on
    /// stream 0 (section 6.5).
    #[must_use]
    pub fn is_http_2(&self) -> bool {
        let Some(&[a, b, c, kind, _, stream @ ..]) = self.start.first_chunk::<9>() else { return false };
        let length = u32::from_be_bytes([0, a, b, c]);
        kind == 4 && stream == [0; 4] && length <= MOST_SETTINGS && length.is_multiple_of(6)
    }
}

/// Nobody sends a frame of more than this before it is allowed (RFC 9113 section 4.2).
const MOST_SETTINGS: u32 = 1 << 14;

impl Attempt {
    /// Reads all parts of it; see [`crate::tcp::Receiver::warm`].
    pub(super) fn warm(&self) -> u64 {
        let request = self.request.as_ref().map_or(0, |request| request.origin.packet.0);
        let response = self.response.as_ref().map_or(0, |response| response.origin.packet.0);
        u64::from(self.midstream).wrapping_add(request).wrapping_add(response)
    }

    /// How many bytes of heads and body are kept.
    #[must_use]
    pub fn head_bytes(&self) -> usize {
        let request = self.request.as_ref().map_or(0, |request| request.bytes.len());
        let response = self.response.as_ref();
        let response =
            response.map_or(0, |response| response.bytes.len().saturating_add(response.body_start.len()));
        request.saturating_add(response)
    }
}

impl Attempt {
    /// What it counts for while its connection is open, its own size and room for a body's start included.
    pub(super) fn kept_bytes(&self) -> usize {
        let request = self.request.as_ref().map_or(0, |request| request.bytes.len());
        let response = self.response.as_ref().map_or(0, |response| response.bytes.len());
        request.saturating_add(response).saturating_add(size_of::<Self>()).saturating_add(BODY_START_BYTES)
    }
}

impl RequestFacts {
    /// The head, read again.
    #[must_use]
    pub fn head(&self) -> RequestHead<'_> {
        RequestHead::parse_kept(&self.bytes)
    }

    /// The accept value that its first key asks for (RFC 6455 section 4.2.2, item 5.4); none without a key. Requests with
    /// the same one have the same key.
    #[must_use]
    pub const fn expected_accept(&self) -> Option<[u8; ACCEPT_BYTES]> {
        self.offer.accept
    }
}

impl ResponseFacts {
    /// The head, read again.
    #[must_use]
    pub fn head(&self) -> ResponseHead<'_> {
        ResponseHead::parse_kept(&self.bytes)
    }
}
