//! What can be said of requests and answers of which the capture lacks some.

use super::{Held, Http, Method};
use crate::protocol::http::head::{RequestLine, may_start_request};
use crate::protocol::http::relevant::Relevant;
use crate::protocol::layer::{Next, Protocol};
use crate::protocol::websocket::{Accept, Evidence, frames_in, read_response};
use crate::protocol::{Context, Role};

impl Http {
    /// Notes that the capture lacks bytes of one side from before the first bytes that are HTTP.
    pub(crate) fn begin_lost(&mut self, role: Role) {
        self.may_lack.something = true;
        self.may_lack.start |= role == Role::Client;
        match role {
            Role::Client => self.may_lack.request = self.client.gap(u64::MAX).is_none(),
            Role::Server => self.may_lack.answer = self.server.gap(u64::MAX).is_none(),
        }
    }

    /// Notes that the connection is from before the capture.
    pub(crate) const fn begin_midstream(&mut self) {
        self.may_lack.start = true;
    }

    /// A request line without a method that is the end of GET, if its start may be missing: byte by byte, a request can
    /// begin before the capture and go on in it.
    pub(super) fn as_far_as_known<'a>(&self, line: RequestLine<'a>) -> RequestLine<'a> {
        let is_cut = self.may_lack.start && b"GET".ends_with(line.method) && line.method != b"GET";
        RequestLine { method: if is_cut { b"" } else { line.method }, ..line }
    }

    /// If the answer was lost that decides what was held, the client may have gone on in a way that says what it was.
    pub(super) fn go_on_after_lost_answer(&mut self, context: &mut Context) -> Next {
        if !self.server.is_seeking() || !self.has_held_bytes() {
            return Next::Continue;
        }
        if self.waits_for_tunnel() {
            return self.enter_tunnel(0);
        }
        let held = self.held.as_ref().map(Held::first_run).unwrap_or_default();
        if held.len() > LONGEST_METHOD_AND_SPACE && may_start_request(&held) {
            self.lose_responses();
            self.pending.clear();
            return self.release_held(context);
        }
        Next::Continue
    }

    /// Answers were lost. The one that comes next belongs to the latest request, since clients seldom send
    /// one before the last is answered.
    pub(super) fn lose_responses(&mut self) {
        let latest = self.pending.pop();
        for lost in self.pending.drain(..).chain(latest) {
            if let Some(attempt) = lost.attempt.and_then(|place| self.trail.attempts.get_mut(place)) {
                attempt.response_lost = true;
            }
            if let (Some(number), Some(exchanges)) = (lost.exchange, &mut self.trail.exchanges) {
                exchanges.lose_response(number);
            }
        }
        self.pending.extend(latest);
    }

    /// Whether the client went on with frames though no answer was seen.
    pub(super) fn frames_held(&self) -> bool {
        let held = self.held.as_ref().map(Held::first_run).unwrap_or_default();
        let answer_may_be_missing = self.server.is_seeking() || !self.server_was_seen;
        answer_may_be_missing
            && self.waiting_attempt().is_some()
            && frames_in(&held, Role::Client, None) != Evidence::None
    }

    /// What comes next goes through a tunnel (RFC 9110 section 9.3.6).
    pub(super) fn enter_tunnel(&mut self, consumed: usize) -> Next {
        let held = self.held.take().map(|held| held.pieces).unwrap_or_default();
        Next::Switch { to: Protocol::Probe(held), consumed }
    }

    /// Whether the client went on after CONNECT though no answer was seen: there was one, or it would have waited.
    pub(super) fn tunnel_held(&self) -> bool {
        let answer_may_be_missing = self.server.is_seeking() || !self.server_was_seen;
        answer_may_be_missing && self.waits_for_tunnel() && self.has_held_bytes()
    }

    pub(super) fn waits_for_tunnel(&self) -> bool {
        self.pending.last().is_some_and(|pending| pending.method == Method::Connect)
    }

    pub(super) fn has_held_bytes(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.bytes > 0)
    }

    /// Whether an answer has the accept value that the attempt asks for which is waiting.
    pub(super) fn is_accepted(&self, fields: &Relevant<'_>) -> bool {
        let attempt = self.waiting_attempt().and_then(|place| self.trail.attempts.get(place));
        let request = attempt.and_then(|attempt| attempt.request.as_ref());
        request.is_some() && read_response(request, fields, true).1 == Accept::Valid
    }
}

/// From here on it is sure whether bytes begin a request.
const LONGEST_METHOD_AND_SPACE: usize = 21;
