//! An upgrade attempt within the line of its connection.

use std::borrow::Cow;

use serde::Serialize;

use super::over_tls::OverTlsView;
use super::place::{self, PlaceView};
use super::time::{Clock, TimeText, millis};
use crate::model::{Application, Connection, Outcome, SessionEnd, close_meaning};
use crate::numbering::Numbering;
use crate::protocol::{
    Accept, Attempt, DecodedFacts, RequestFacts, RequestHead, ResponseFacts, ResponseHead, Role, RoleFacts,
    SessionFacts,
};
use crate::report::wire::Wire;
use crate::units::Timestamp;

/// An attempt.
#[derive(Serialize)]
pub(super) struct AttemptView<'a> {
    request: Option<RequestView<'a>>,
    response: Option<ResponseView<'a>>,
    /// What the server sent where the answer is due, if it is nothing of HTTP/1.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_http: Option<NotHttpView<'a>>,
    /// The client's own connection, if this is what a proxy decrypted of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) over_tls: Option<OverTlsView>,
    outcome: &'static str,
    websocket: Option<SessionView<'a>>,
}

#[derive(Serialize)]
struct RequestView<'a> {
    packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_in_file: Option<PlaceView<'a>>,
    time: TimeText,
    complete: bool,
    method: &'a str,
    target: Cow<'a, str>,
    http_version: Option<&'static str>,
    host: Option<Cow<'a, str>>,
    origin: Option<Cow<'a, str>>,
    key: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    subprotocols: Vec<Cow<'a, str>>,
    extensions: Vec<&'a str>,
    headers: Vec<(&'a str, Cow<'a, str>)>,
    problems: Vec<&'static str>,
}

#[derive(Serialize)]
struct ResponseView<'a> {
    packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_in_file: Option<PlaceView<'a>>,
    time: TimeText,
    complete: bool,
    status: u16,
    reason: Cow<'a, str>,
    http_version: Option<&'static str>,
    headers: Vec<(&'a str, Cow<'a, str>)>,
    after_ms: Option<f64>,
    accept: &'static str,
    body_start: Cow<'a, str>,
    problems: Vec<&'static str>,
}

#[derive(Serialize)]
struct NotHttpView<'a> {
    packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_in_file: Option<PlaceView<'a>>,
    time: TimeText,
    is_http_2: bool,
    start: Cow<'a, str>,
}

#[derive(Serialize)]
struct SessionView<'a> {
    subprotocol: Option<String>,
    /// What is spoken above, as far as the subprotocol or the target shows it.
    application: Option<&'static str>,
    extensions: Vec<&'a str>,
    client: RoleView,
    server: RoleView,
    end: &'static str,
    close: Option<CloseView<'a>>,
    ping_ms: Option<PingView>,
    anomalies: Vec<AnomalyView<'a>>,
    early_client_bytes: u64,
    frames_forgotten: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    decoded: Option<DecodedView>,
}

/// What messages are like, if they were asked for.
#[derive(Serialize)]
struct DecodedView {
    client: DecodedRoleView,
    server: DecodedRoleView,
    messages_forgotten: u64,
}

#[derive(Serialize)]
struct DecodedRoleView {
    messages: u64,
    compressed: u64,
    not_utf8: u64,
    deflate_failed: u64,
    /// Messages that need a larger window than was agreed on.
    #[serde(skip_serializing_if = "super::is_zero")]
    beyond_window: u64,
    lacking: u64,
    limited: u64,
}

/// What one side, or both together, sent.
#[derive(Serialize)]
pub(super) struct RoleView {
    text: u64,
    binary: u64,
    continuation: u64,
    ping: u64,
    pong: u64,
    close: u64,
    other: u64,
    messages: u64,
    payload_bytes: u64,
    undecoded_bytes: u64,
    resyncs: u64,
}

#[derive(Serialize)]
struct CloseView<'a> {
    by: &'static str,
    code: u16,
    /// What the code means in this application.
    name: &'static str,
    reason: Cow<'a, str>,
    packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_in_file: Option<PlaceView<'a>>,
}

#[derive(Serialize)]
struct PingView {
    min: Option<f64>,
    median: Option<f64>,
    max: Option<f64>,
    answered: u64,
    unanswered: u64,
}

#[derive(Serialize)]
struct AnomalyView<'a> {
    name: &'static str,
    by: &'static str,
    count: u64,
    packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_in_file: Option<PlaceView<'a>>,
}

/// An attempt on a connection, in a capture that ends at `capture_end`.
pub(super) fn view<'a>(
    attempt: &'a Attempt,
    connection: &Connection,
    (wire, numbering): (Wire, &'a Numbering),
    capture_end: Timestamp,
    clock: &mut Clock,
) -> AttemptView<'a> {
    let heads = Heads::of(attempt, wire);
    let asked = attempt.request.as_ref().map(|request| request.origin.time);
    AttemptView {
        request: attempt
            .request
            .as_ref()
            .map(|request| request_view(request, &heads, (wire, numbering), clock)),
        response: attempt
            .response
            .as_ref()
            .map(|response| response_view(response, (&heads, asked), (wire, numbering), clock)),
        not_http: attempt.foreign.as_deref().map(|foreign| NotHttpView {
            packet: foreign.origin.packet.0,
            packet_in_file: place::view(foreign.origin.packet, numbering),
            time: clock.text(foreign.origin.time),
            is_http_2: foreign.is_http_2(),
            start: wire.text(&foreign.start),
        }),
        over_tls: None,
        outcome: Outcome::of(attempt, connection, capture_end).name(),
        websocket: attempt
            .session
            .as_ref()
            .map(|session| session_view(session, &heads, connection, (wire, numbering))),
    }
}

/// Both heads of an attempt, read once; empty where there is none.
struct Heads<'a> {
    request: RequestHead<'a>,
    response: ResponseHead<'a>,
    /// The subprotocols of the request: each as it was sent and as it is shown.
    offered: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Heads<'a> {
    fn of(attempt: &'a Attempt, wire: Wire) -> Self {
        let request = attempt.request.as_ref().map(RequestFacts::head).unwrap_or_default();
        let response = attempt.response.as_ref().map(ResponseFacts::head).unwrap_or_default();
        let offered = wire.offered(&request.fields);
        Self { request, response, offered }
    }
}

fn request_view<'a>(
    request: &'a RequestFacts,
    heads: &Heads<'a>,
    (wire, numbering): (Wire, &'a Numbering),
    clock: &mut Clock,
) -> RequestView<'a> {
    let (head, offered) = (&heads.request, &heads.offered);
    RequestView {
        packet: request.origin.packet.0,
        packet_in_file: place::view(request.origin.packet, numbering),
        time: clock.text(request.origin.time),
        complete: request.complete,
        method: head.method,
        target: wire.text(head.target.as_bytes()),
        http_version: head.version.map(http_version),
        host: wire.first(&head.fields, "Host"),
        origin: wire.first(&head.fields, "Origin"),
        key: wire.first(&head.fields, "Sec-WebSocket-Key"),
        version: wire.first(&head.fields, "Sec-WebSocket-Version"),
        headers: wire.headers(&head.fields, offered),
        subprotocols: offered.iter().map(|(_, shown)| shown.clone()).collect(),
        extensions: head.fields.list("Sec-WebSocket-Extensions"),
        problems: request.problems.iter().map(|problem| problem.name()).collect(),
    }
}

fn response_view<'a>(
    response: &'a ResponseFacts,
    (heads, asked): (&Heads<'a>, Option<Timestamp>),
    (wire, numbering): (Wire, &'a Numbering),
    clock: &mut Clock,
) -> ResponseView<'a> {
    let head = &heads.response;
    ResponseView {
        packet: response.origin.packet.0,
        packet_in_file: place::view(response.origin.packet, numbering),
        time: clock.text(response.origin.time),
        complete: response.complete,
        status: response.status,
        reason: wire.text(head.reason.as_bytes()),
        http_version: head.version.map(http_version),
        headers: wire.headers(&head.fields, &heads.offered),
        after_ms: asked.map(|asked| millis(response.origin.time.since(asked))),
        accept: match response.accept {
            Accept::Valid => "valid",
            Accept::Wrong => "wrong",
            Accept::Missing => "missing",
            Accept::Unchecked => "unchecked",
        },
        body_start: wire.text(&response.body_start),
        problems: response.problems.iter().map(|problem| problem.name()).collect(),
    }
}

fn session_view<'a>(
    session: &'a SessionFacts,
    heads: &Heads<'a>,
    connection: &Connection,
    (wire, numbering): (Wire, &'a Numbering),
) -> SessionView<'a> {
    let answer = &heads.response.fields;
    let subprotocol = answer.list("Sec-WebSocket-Protocol").first().copied();
    let application = Application::of(subprotocol, heads.request.target);
    let pings = &session.pings;
    // Where the pongs are not in the capture, nothing can be said of the pings.
    let any_ping = (pings.answered > 0 || pings.unanswered > 0) && !connection.is_one_sided();
    SessionView {
        subprotocol: wire.chosen(answer, &heads.offered),
        application: application.map(Application::name),
        extensions: answer.list("Sec-WebSocket-Extensions"),
        client: RoleView::new(session.role(Role::Client)),
        server: RoleView::new(session.role(Role::Server)),
        end: SessionEnd::of(session, connection).name(),
        close: session.close.as_ref().map(|close| CloseView {
            by: close.by.name(),
            code: close.code,
            name: close_meaning(close.code, application).name,
            reason: wire.text(&close.reason),
            packet: close.origin.packet.0,
            packet_in_file: place::view(close.origin.packet, numbering),
        }),
        ping_ms: any_ping.then(|| PingView {
            min: pings.extremes.map(|(shortest, _)| millis(shortest)),
            median: pings.median.map(millis),
            max: pings.extremes.map(|(_, longest)| millis(longest)),
            answered: pings.answered,
            unanswered: pings.unanswered,
        }),
        anomalies: session
            .anomalies
            .iter()
            .map(|anomaly| AnomalyView {
                name: anomaly.kind.name(),
                by: anomaly.by.name(),
                count: anomaly.count,
                packet: anomaly.first.packet.0,
                packet_in_file: place::view(anomaly.first.packet, numbering),
            })
            .collect(),
        early_client_bytes: session.early_client_bytes,
        frames_forgotten: session.frames.forgotten,
        decoded: session.decoded.as_ref().map(|decoded| DecodedView {
            client: DecodedRoleView::new(decoded.role(Role::Client)),
            server: DecodedRoleView::new(decoded.role(Role::Server)),
            messages_forgotten: decoded.messages.forgotten,
        }),
    }
}

impl DecodedRoleView {
    const fn new(facts: &DecodedFacts) -> Self {
        Self {
            messages: facts.messages,
            compressed: facts.compressed,
            not_utf8: facts.not_utf8.count,
            deflate_failed: facts.deflate_failed.count,
            beyond_window: facts.beyond_window.count,
            lacking: facts.lacking.count,
            limited: facts.limited.count,
        }
    }
}

impl RoleView {
    /// Of the facts.
    pub(super) const fn new(facts: &RoleFacts) -> Self {
        Self {
            text: facts.text,
            binary: facts.binary,
            continuation: facts.continuation,
            ping: facts.ping,
            pong: facts.pong,
            close: facts.close,
            other: facts.other,
            messages: facts.messages,
            payload_bytes: facts.payload_bytes,
            undecoded_bytes: facts.undecoded_bytes,
            resyncs: facts.resyncs,
        }
    }
}

/// Of the minor version.
const fn http_version(minor: u8) -> &'static str {
    if minor == 0 { "1.0" } else { "1.1" }
}
