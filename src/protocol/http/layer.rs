//! HTTP/1 on a connection: finds the upgrade attempts among the requests and follows them to their answers.

mod gaps;

use smallvec::SmallVec;

use super::exchange::REFUSED;
use super::framing::{Method, request_framing, response_framing};
use super::head::{HeadError, RequestHead, RequestLine, ResponseHead, may_start_request, may_start_response};
use super::held::{Held, HeldPiece};
use super::message::{MessageReader, Step, WholeHead};
use super::relevant::Relevant;
use crate::limits;
use crate::protocol::attempt::{Attempt, ForeignAnswer, RequestFacts, ResponseFacts};
use crate::protocol::layer::{Next, OpaqueReason, Protocol, Upgrade};
use crate::protocol::tls::may_start_record;
use crate::protocol::trail::Trail;
use crate::protocol::websocket::{
    Evidence, Offer, RequestProblem, Start, agreed_deflate, frames_in, read_request, read_response,
    read_unasked,
};
use crate::protocol::{Context, Role};
use crate::tcp::Chunk;
use crate::units::Origin;

/// HTTP/1 on a connection.
#[derive(Debug, Default)]
pub(crate) struct Http {
    client: MessageReader,
    server: MessageReader,
    /// Requests without a final answer, oldest first.
    pending: SmallVec<[Pending; 1]>,
    /// What the client sends after a request to upgrade or to connect: frames, something else or another request, the
    /// answer decides.
    held: Option<Held>,
    /// The attempt whose answer's body is being read.
    answered: Option<usize>,
    /// The same for one of the exchanges, if its answer is a refusal.
    refused_exchange: Option<u32>,
    trail: Trail,
    /// The latest request that is no attempt: an answer may make it one.
    latest: Latest,
    /// What the server said before it was asked, for the first attempt.
    greeting: Option<Box<ForeignAnswer>>,
    /// The server has sent something.
    server_was_seen: bool,
    /// Since the latest request: bytes of the client are missing that may hold another one; bytes of the server are,
    /// and may hold its answer.
    may_lack: Lacks,
}

#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something else that may be missing")]
struct Lacks {
    /// On the whole connection, something besides the ends of heads that are there in part.
    something: bool,
    request: bool,
    answer: bool,
    /// The first bytes of the next request: bytes before it are missing, or the connection is from before the capture.
    start: bool,
}

/// A request's head, in a buffer that is used again for the next one.
#[derive(Debug, Default)]
struct Latest {
    bytes: Vec<u8>,
    complete: bool,
    origin: Origin,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    /// Its place among the attempts, if it is one.
    attempt: Option<usize>,
    /// Its number among the exchanges, if it is one that is kept.
    exchange: Option<u32>,
    /// Answers to HEAD and to CONNECT have bodies of their own kind (RFC 9112 section 6.3).
    method: Method,
}

impl Http {
    /// HTTP that goes on after this on the same connection.
    #[must_use]
    pub(crate) fn after(trail: Trail) -> Self {
        Self { trail, ..Self::default() }
    }

    /// The server has said something that is no HTTP before it was asked.
    pub(crate) fn begin_greeted(&mut self, greeting: Option<Box<ForeignAnswer>>) {
        self.greeting = greeting;
    }

    /// The next bytes of one side.
    pub(crate) fn data(&mut self, context: &mut Context, role: Role, chunk: Chunk<'_>) -> Next {
        match role {
            Role::Client => self.client_data(context, chunk),
            Role::Server => self.server_data(context, chunk),
        }
    }

    /// `length` bytes of one side are not in the capture.
    pub(crate) fn gap(&mut self, context: &mut Context, role: Role, length: u64, at: Origin) -> Next {
        match role {
            Role::Client => {
                if let Some(held) = &mut self.held {
                    held.pieces.push(HeldPiece::Gap(length, at));
                    self.may_lack.something = true;
                } else if let Some((part, origin)) = self.client.gap(length) {
                    self.partial_request(context, &part, origin);
                } else {
                    self.may_lack.something = true;
                }
                self.may_lack.request |= self.held.is_some() || self.client.is_seeking();
                self.may_lack.start |= self.client.is_seeking();
                Next::Continue
            }
            Role::Server => {
                self.server_was_seen = true;
                let part = self.server.gap(length);
                let mut answered = false;
                if let Some((part, origin)) = part {
                    match self.partial_response(context, &part, origin) {
                        Some(Next::Switch { to, .. }) => return Next::Switch { to, consumed: 0 },
                        Some(Next::Continue) => answered = true,
                        None => {}
                    }
                }
                if self.server.is_seeking() && !answered {
                    self.lose_responses();
                    self.may_lack.answer = true;
                    self.may_lack.something = true;
                }
                self.go_on_after_lost_answer(context)
            }
        }
    }

    /// What was seen, once nothing more comes.
    pub(crate) fn finish(mut self, context: &mut Context) -> Finished {
        if self.held.is_none()
            && let Some((part, origin)) = self.client.unfinished()
        {
            self.partial_request(context, &part, origin);
        }
        if let Some((part, origin)) = self.server.unfinished() {
            // What it would switch to has nothing left to read.
            let _ = self.partial_response(context, &part, origin);
        }
        // A capture of one side only: frames after the request say that it was accepted.
        if self.frames_held() {
            return Finished::Frames(self.upgrade(Start::Midstream));
        }
        if self.tunnel_held() {
            let held = self.held.take().map(|held| held.pieces).unwrap_or_default();
            return Finished::Tunnel(self.trail, held);
        }
        Finished::Http(self.trail)
    }

    /// What is held in buffers: heads in pieces, the latest request, what waits for an answer.
    pub(crate) fn buffered_bytes(&self) -> usize {
        let held = self.held.as_ref().map_or(0, Held::cost);
        let heads = self.client.buffered_bytes().saturating_add(self.server.buffered_bytes());
        held.saturating_add(heads).saturating_add(self.latest.bytes.len())
    }

    /// What was seen so far.
    pub(crate) const fn trail(&self) -> &Trail {
        &self.trail
    }

    pub(crate) fn into_trail(self) -> Trail {
        self.trail
    }

    fn client_data(&mut self, context: &mut Context, mut chunk: Chunk<'_>) -> Next {
        while !chunk.bytes.is_empty() {
            if let Some(held) = &mut self.held {
                held.bytes = held.bytes.saturating_add(chunk.bytes.len());
                held.pieces.push(HeldPiece::Data(chunk.keep()));
                let too_long = held.bytes > limits::HELD_BYTES;
                return match self.go_on_after_lost_answer(context) {
                    Next::Switch { to, .. } => Next::Switch { to, consumed: usize::MAX },
                    Next::Continue if too_long && self.held.is_some() => self.held_too_long(),
                    Next::Continue => Next::Continue,
                };
            }
            let (used, step) = self.client.next(chunk.bytes, chunk.origin, may_start_request);
            chunk = chunk.without_first(used);
            let next = match step {
                Step::More | Step::Body(_) => Next::Continue,
                Step::Head(head, origin) => self.request_head(context, &head, origin),
                Step::TooLong => Next::opaque(OpaqueReason::HeadTooLong),
                Step::Malformed => Next::opaque(self.malformed_reason()),
            };
            if matches!(next, Next::Switch { .. }) {
                return next;
            }
        }
        Next::Continue
    }

    fn server_data(&mut self, context: &mut Context, mut chunk: Chunk<'_>) -> Next {
        self.server_was_seen = true;
        // The answer was lost, but the frames after it say what it was.
        if self.server.is_seeking()
            && self.waiting_attempt().is_some()
            && frames_in(chunk.bytes, Role::Server, None) != Evidence::None
        {
            return Next::Switch { to: Protocol::WebSocket(self.upgrade(Start::Midstream)), consumed: 0 };
        }
        let total = chunk.bytes.len();
        while !chunk.bytes.is_empty() {
            let (used, step) = self.server.next(chunk.bytes, chunk.origin, may_start_response);
            if matches!(step, Step::Malformed)
                && let Some(record) = self.server.where_no_head_begins(chunk.bytes)
                && chunk.bytes.get(record).copied().is_some_and(may_start_record)
            {
                let consumed = total.saturating_sub(chunk.bytes.len()).saturating_add(record);
                return Next::Switch { to: Protocol::Tls(Some(self.malformed_reason())), consumed };
            }
            if matches!(step, Step::Malformed) {
                self.foreign_answer(chunk);
            }
            chunk = chunk.without_first(used);
            let next = match step {
                Step::More => Next::Continue,
                Step::Body(bytes) => self.response_body(bytes),
                Step::Head(head, origin) => self.response_head(context, &head, origin),
                Step::TooLong => Next::opaque(OpaqueReason::HeadTooLong),
                Step::Malformed => Next::opaque(self.malformed_reason()),
            };
            match next {
                Next::Continue => {}
                Next::Switch { to, .. } => {
                    return Next::Switch { to, consumed: total.saturating_sub(chunk.bytes.len()) };
                }
            }
        }
        Next::Continue
    }

    /// A whole request head.
    fn request_head(&mut self, context: &mut Context, head: &WholeHead<'_>, origin: Origin) -> Next {
        if let Some(ordinary) = &head.ordinary
            && let Some(line) = ordinary.request_line()
        {
            return self.request(context, line, &ordinary.fields, &head.bytes, origin);
        }
        match RequestHead::parse(&head.bytes) {
            Ok(request) => {
                let fields = Relevant::of(&request.fields);
                self.request(context, request.line(), &fields, &head.bytes, origin)
            }
            Err(error) => Next::opaque(OpaqueReason::of(error, &head.bytes)),
        }
    }

    /// A whole request head, read.
    fn request(
        &mut self,
        context: &mut Context,
        line: RequestLine<'_>,
        fields: &Relevant<'_>,
        bytes: &[u8],
        origin: Origin,
    ) -> Next {
        let line = self.as_far_as_known(line);
        let framing = request_framing(fields);
        self.client.body(framing);
        let handshake = read_request(line, fields, bytes, true);
        let is_attempt = handshake.is_some();
        if is_attempt && self.trail.attempts.len() >= limits::ATTEMPTS_OF_CONNECTION {
            return Next::opaque(OpaqueReason::TooManyAttempts);
        }
        if is_attempt && !context.has_room_for_heads() {
            return Next::opaque(OpaqueReason::TooManyHeads);
        }
        let attempt = self.note(context, handshake, bytes, true, origin);
        let exchange = if is_attempt { None } else { self.exchange(context, bytes, true, origin) };
        let method = Method::of(line.method);
        if self.server.is_seeking() {
            // The client goes on, so it has the answer to what it asked before: that was in the gap.
            self.lose_responses();
            self.pending.clear();
        }
        // The gap may go on into the answer to this one.
        self.may_lack =
            Lacks { request: false, answer: self.server.is_seeking(), start: false, ..self.may_lack };
        self.pending.push(Pending { attempt, exchange, method });
        if (is_attempt || method == Method::Connect) && framing.is_none() {
            self.held = Some(Held::default());
        }
        if self.pending.len() > limits::PENDING_REQUESTS {
            return Next::opaque(OpaqueReason::TooManyRequests);
        }
        Next::Continue
    }

    /// What the capture has of a request whose head it lacks in part.
    fn partial_request(&mut self, context: &mut Context, part: &[u8], origin: Origin) {
        let request = RequestHead::parse_kept(part);
        let handshake = read_request(request.line(), &Relevant::of(&request.fields), part, false);
        let is_attempt = handshake.is_some();
        let attempt = self.note(context, handshake, part, false, origin);
        let exchange = if is_attempt { None } else { self.exchange(context, part, false, origin) };
        self.pending.push(Pending { attempt, exchange, method: Method::Other });
    }

    /// Keeps a request that is no attempt, if heads are kept; by what number its answer finds it.
    fn exchange(
        &mut self,
        context: &mut Context,
        bytes: &[u8],
        complete: bool,
        origin: Origin,
    ) -> Option<u32> {
        if !context.keeps_heads() {
            return None;
        }
        let exchanges = self.trail.exchanges.get_or_insert_default();
        let request = RequestHead::parse_kept(bytes);
        exchanges.request(&request, complete, origin, context.exchange_room())
    }

    /// Keeps a request: if it shows a handshake among the attempts, and then where it stands there; else until
    /// the next one.
    fn note(
        &mut self,
        context: &mut Context,
        handshake: Option<(Vec<RequestProblem>, Offer)>,
        bytes: &[u8],
        complete: bool,
        origin: Origin,
    ) -> Option<usize> {
        if let Some((problems, offer)) = handshake {
            let is_wanted = context.keeps_heads() || offer.needs_head();
            let bytes = if is_wanted { bytes.into() } else { Box::default() };
            let request = RequestFacts { origin, bytes, complete, problems, offer };
            let foreign = self.greeting.take();
            return self.remember(context, Attempt { request: Some(request), foreign, ..Attempt::default() });
        }
        self.latest.bytes.clear();
        self.latest.bytes.extend_from_slice(bytes);
        self.latest.complete = complete;
        self.latest.origin = origin;
        None
    }

    /// Adds an attempt; where it stands among them.
    fn remember(&mut self, context: &mut Context, attempt: Attempt) -> Option<usize> {
        if self.trail.attempts.len() >= limits::ATTEMPTS_OF_CONNECTION {
            return None;
        }
        // Most connections have one: a vector that doubles would keep room for four.
        self.trail.attempts.reserve_exact(1);
        context.keep_heads(attempt.kept_bytes());
        self.trail.attempts.push(attempt);
        self.trail.attempts.len().checked_sub(1)
    }

    /// An attempt that only its answer shows to be one: the request did not ask, or the capture lacks it.
    fn unasked(&mut self, context: &mut Context, request_was_seen: bool) -> Option<usize> {
        if !request_was_seen {
            return self.remember(context, Attempt::default());
        }
        let Latest { bytes, complete, origin } = std::mem::take(&mut self.latest);
        let handshake = read_unasked(&RequestHead::parse_kept(&bytes), &bytes, complete);
        self.note(context, Some(handshake), &bytes, complete, origin)
    }

    /// A whole response head.
    fn response_head(&mut self, context: &mut Context, head: &WholeHead<'_>, origin: Origin) -> Next {
        if let Some(ordinary) = &head.ordinary
            && let Some(status) = ordinary.status()
        {
            return self.response(context, status, &ordinary.fields, &head.bytes, true, origin);
        }
        match ResponseHead::parse(&head.bytes) {
            Ok(response) => {
                let (status, fields) = (response.status.unwrap_or_default(), Relevant::of(&response.fields));
                self.response(context, status, &fields, &head.bytes, true, origin)
            }
            Err(error) => {
                self.keep_foreign(&head.bytes, origin);
                Next::opaque(OpaqueReason::of(error, &head.bytes))
            }
        }
    }

    /// What the server sends where the head of an answer is due, and which is none.
    fn foreign_answer(&mut self, chunk: Chunk<'_>) {
        let blank = self.server.where_no_head_begins(chunk.bytes);
        let started = self.server.started().to_vec();
        match blank {
            Some(blank) => self.keep_foreign(chunk.bytes.get(blank..).unwrap_or_default(), chunk.origin),
            None => self.keep_foreign(&started, chunk.origin),
        }
    }

    /// Keeps the start of an answer to an attempt that is no HTTP.
    fn keep_foreign(&mut self, bytes: &[u8], origin: Origin) {
        let asked = self.pending.first().and_then(|request| request.attempt);
        let Some(attempt) = asked.and_then(|place| self.trail.attempts.get_mut(place)) else { return };
        match &mut attempt.foreign {
            Some(foreign) => foreign.extend(bytes),
            None => attempt.foreign = Some(Box::new(ForeignAnswer::new(bytes, origin))),
        }
    }

    /// A response head, if the capture has enough of it to say which.
    fn partial_response(&mut self, context: &mut Context, part: &[u8], origin: Origin) -> Option<Next> {
        let head = ResponseHead::parse_kept(part);
        Some(self.response(context, head.status?, &Relevant::of(&head.fields), part, false, origin))
    }

    /// A response head, read; `complete` unless the capture has only a part of it.
    fn response(
        &mut self,
        context: &mut Context,
        status: u16,
        fields: &Relevant<'_>,
        bytes: &[u8],
        complete: bool,
        origin: Origin,
    ) -> Next {
        (self.answered, self.refused_exchange) = (None, None);
        // RFC 9110 section 15.2: any number of interim answers may come before the final one.
        if (100..200).contains(&status) && status != SWITCHING_PROTOCOLS {
            let asked = self.pending.first().and_then(|request| request.attempt);
            if let Some(attempt) = asked.and_then(|place| self.trail.attempts.get_mut(place))
                && attempt.interim.len() < limits::INTERIM_ANSWERS
            {
                attempt.interim.push(status);
            }
            self.server.body(None);
            return Next::Continue;
        }
        // If a request and an answer are missing, this may be the answer to the one to which nobody saw the question.
        if self.may_lack.request && self.may_lack.answer && !self.is_accepted(fields) {
            self.lose_responses();
            self.pending.clear();
        }
        let request = (!self.pending.is_empty()).then(|| self.pending.remove(0));
        let mut place = request.and_then(|request| request.attempt);
        let exchange = request.and_then(|request| request.exchange);
        let switches = status == SWITCHING_PROTOCOLS;
        let is_websocket = fields.upgrades || fields.accept.is_some();
        if switches && place.is_none() && (!complete || is_websocket) {
            // Where something is missing, the request may be too.
            let request_was_seen = request.is_some() && self.pending.is_empty() && !self.may_lack.something;
            place = self.unasked(context, request_was_seen);
            if let (true, Some(number), Some(exchanges)) =
                (request_was_seen, exchange, &mut self.trail.exchanges)
            {
                exchanges.remove_latest(number, context.exchange_room());
            }
        }
        if let (Some(number), Some(exchanges)) = (exchange, &mut self.trail.exchanges) {
            exchanges.answer(number, &ResponseHead::parse_kept(bytes), status, origin);
        }
        let deflate = agreed_deflate(fields);
        if let Some(attempt) = place.and_then(|place| self.trail.attempts.get_mut(place)) {
            let (problems, accept) = if switches {
                read_response(attempt.request.as_ref(), fields, complete)
            } else {
                Default::default()
            };
            if !context.has_room_for_heads() {
                attempt.response_lost = true;
                return Next::opaque(OpaqueReason::TooManyHeads);
            }
            let before = attempt.kept_bytes();
            let bytes = if context.keeps_heads() { bytes.into() } else { Box::default() };
            let body_start = Vec::new();
            attempt.response =
                Some(ResponseFacts { origin, bytes, complete, status, accept, problems, body_start });
            if let Some(request) = attempt.request.as_mut().filter(|_| !context.keeps_heads()) {
                request.bytes = Box::default();
            }
            context.let_heads_go(before);
            context.keep_heads(attempt.kept_bytes());
        }
        if switches {
            let start = if complete { Start::Handshake { deflate } } else { Start::Midstream };
            let to = match place {
                Some(_) => Protocol::WebSocket(self.upgrade(start)),
                None => Protocol::Opaque(OpaqueReason::OtherUpgrade),
            };
            return Next::Switch { to, consumed: 0 };
        }
        let method = request.map_or(Method::Other, |request| request.method);
        if method == Method::Connect && (200..300).contains(&status) {
            return self.enter_tunnel(0);
        }
        if complete && request.is_some() {
            self.server.body(response_framing(fields, status, method));
        } else if complete {
            self.server.perhaps_body(response_framing(fields, status, method));
        }
        self.answered = place;
        self.refused_exchange = exchange.filter(|_| status >= REFUSED);
        self.release_held(context)
    }

    /// Some of an answer's body.
    fn response_body(&mut self, bytes: &[u8]) -> Next {
        if let (Some(number), Some(exchanges)) = (self.refused_exchange, &mut self.trail.exchanges) {
            exchanges.answer_body(number, bytes);
        }
        let answered = self.answered.and_then(|place| self.trail.attempts.get_mut(place));
        if let Some(response) = answered.and_then(|attempt| attempt.response.as_mut()) {
            let room = limits::BODY_START_BYTES.saturating_sub(response.body_start.len());
            response.body_start.extend(bytes.iter().take(room));
        }
        Next::Continue
    }

    /// The upgrade was refused: what was held is the next request.
    fn release_held(&mut self, context: &mut Context) -> Next {
        let Some(held) = self.held.take() else { return Next::Continue };
        for piece in held.pieces {
            let next = match piece {
                HeldPiece::Data(kept) => self.client_data(context, kept.as_chunk()),
                HeldPiece::Gap(length, at) => self.gap(context, Role::Client, length, at),
            };
            if let Next::Switch { to, .. } = next {
                return Next::Switch { to, consumed: 0 };
            }
        }
        Next::Continue
    }

    /// Too much was held: the answer is not in the capture, or it is very late.
    fn held_too_long(&mut self) -> Next {
        if self.frames_held() {
            return Next::Switch {
                to: Protocol::WebSocket(self.upgrade(Start::Midstream)),
                consumed: usize::MAX,
            };
        }
        if self.tunnel_held() {
            return self.enter_tunnel(usize::MAX);
        }
        Next::opaque(OpaqueReason::HeldTooLong)
    }

    /// What bytes are that are no HTTP where HTTP is due.
    fn malformed_reason(&self) -> OpaqueReason {
        // Later bytes may be HTTP again only if some were already: a server error in plain text, for example.
        if self.pending.is_empty() && self.trail.attempts.is_empty() {
            OpaqueReason::NotHttp
        } else {
            OpaqueReason::Malformed
        }
    }

    fn waiting_attempt(&self) -> Option<usize> {
        self.pending.last().and_then(|pending| pending.attempt)
    }

    /// Everything that a session needs to go on from here.
    fn upgrade(&mut self, start: Start) -> Upgrade {
        let trail = std::mem::take(&mut self.trail);
        let held = self.held.take().map(|held| held.pieces).unwrap_or_default();
        Upgrade { start, trail, held, is_client_lost: self.client.is_seeking(), is_joined: false }
    }
}

/// What a connection's HTTP came to.
#[derive(Debug)]
pub(crate) enum Finished {
    /// What was seen.
    Http(Trail),
    /// The same, and frames that the last one's client sent.
    Frames(Upgrade),
    /// The same, and what the client sent through a tunnel.
    Tunnel(Trail, Vec<HeldPiece>),
}

impl OpaqueReason {
    fn of(error: HeadError, head: &[u8]) -> Self {
        match error {
            HeadError::TooManyFields => Self::HeadTooLong,
            HeadError::NotHttp if head.starts_with(b"PRI * HTTP/2.0\r\n") => Self::Http2,
            HeadError::NotHttp => Self::Malformed,
        }
    }
}

const SWITCHING_PROTOCOLS: u16 = 101;
