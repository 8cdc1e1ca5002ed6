//! What of an attempt can tell that another one is the same.

use crate::model::{Capture, Connection};
use crate::protocol::{Attempt, RequestHead, Role};
use crate::units::{Endpoint, Span, Timestamp};

/// An attempt with what it is recognised by.
pub(super) struct Trace<'a> {
    pub(super) connection: usize,
    pub(super) attempt: usize,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// The point of capture that alone shows the connection, if another one shows other bytes between the same endpoints.
    pub(super) point: Option<u8>,
    /// When the connection's first packet was seen.
    pub(super) opened: Timestamp,
    /// When the request was sent; failing that, when the first sign of the attempt was seen.
    pub(super) began: Timestamp,
    /// When it was answered, or given up: from then on no proxy hands it on.
    pub(super) decided: Timestamp,
    pub(super) request: Option<RequestHead<'a>>,
    /// `Sec-WebSocket-Key`.
    pub(super) key: Option<&'a [u8]>,
    /// `Sec-WebSocket-Accept` of the answer, where there is no key.
    pub(super) accept: Option<&'a [u8]>,
    pub(super) facts: &'a Attempt,
}

impl Trace<'_> {
    /// Whether a request that began at `time` can have come from this one.
    pub(super) fn waits_at(&self, time: Timestamp) -> bool {
        self.began <= time && time <= self.decided
    }

    /// When the answer was seen.
    pub(super) fn answered(&self) -> Option<Timestamp> {
        self.facts.response.as_ref().map(|response| response.origin.time)
    }

    /// The first value of a field of the request.
    pub(super) fn field(&self, name: &str) -> Option<&[u8]> {
        self.request.as_ref()?.fields.values(name).next()
    }
}

/// The traces of all attempts, in the order of their beginnings.
pub(super) fn traces(capture: &Capture, capture_end: Timestamp) -> Vec<Trace<'_>> {
    let mut traces: Vec<Trace<'_>> = Vec::new();
    for (connection, facts) in capture.connections.iter().enumerate() {
        for attempt in 0..facts.attempts.len() {
            traces.extend(trace(connection, attempt, facts, capture_end));
        }
    }
    traces.sort_by_key(|trace| (trace.began, trace.connection, trace.attempt));
    traces
}

fn trace(connection: usize, attempt: usize, of: &Connection, capture_end: Timestamp) -> Option<Trace<'_>> {
    let facts = of.attempts.get(attempt)?;
    let request = facts.request.as_ref().map(crate::protocol::RequestFacts::head);
    let key = request.as_ref().and_then(|head| head.fields.values("sec-websocket-key").next());
    let key = key.filter(|key| !key.is_empty());
    let response = facts.response.as_ref();
    let accept = response
        .filter(|response| key.is_none() && response.status == 101)
        .and_then(|response| response.head().fields.values("sec-websocket-accept").next());
    let asked = facts.request.as_ref().map(|request| request.origin.time);
    let answered = response.map(|response| response.origin.time);
    let began = asked.or(answered).unwrap_or(of.tcp.opening.first.time);
    let ended = of.tcp.ending.map(|ending| ending.origin.time);
    // What came when the server had already said that it was done may still be handed on.
    let ended = ended.map(|ended| if ended < began { began.after(CROSSING) } else { ended });
    Some(Trace {
        connection,
        attempt,
        client: of.endpoint(Role::Client),
        server: of.endpoint(Role::Server),
        point: of.tcp.flow.point(),
        opened: of.tcp.opening.first.time,
        began,
        decided: answered.or(ended).unwrap_or(capture_end),
        request,
        key,
        accept,
        facts,
    })
}

/// How long a request may be on its way through a proxy whose FIN it has crossed.
const CROSSING: Span = Span::from_millis(100);
