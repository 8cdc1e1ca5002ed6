//! Requests that nobody answered: on which leg, and who ended the waiting.

use super::finding::{Blame, Finding};
use super::forwarding::{self, Author};
use super::view::{LegView, RouteView};
use super::words;
use crate::model::Outcome;
use crate::protocol::Role;
use crate::tcp::EndedBy;
use crate::units::{PacketNumber, Span};

/// A leg on which a whole request was seen, a connection that can be trusted, and no answer.
pub(super) struct Unanswered<'v, 'a> {
    /// The leg.
    pub(super) leg: &'v LegView<'a>,
    /// How long the request waited.
    pub(super) waited: Span,
    /// How long before the request the connection was ended, if it was.
    pub(super) ended_before: Option<Span>,
    /// Who ended the connection, and how; none if the capture ended first.
    pub(super) ended: Option<(Role, EndedBy)>,
    /// The packet that ended it.
    pub(super) packet: Option<PacketNumber>,
}

/// The legs without an answer that nobody is seen to have handed on: there the waiting was decided.
pub(super) fn innermost<'v, 'a>(route: &'v RouteView<'a>) -> impl Iterator<Item = Unanswered<'v, 'a>> {
    route.legs().filter(|leg| !route.is_handed_on(leg)).filter_map(|leg| Unanswered::of(route, leg))
}

impl<'v, 'a> Unanswered<'v, 'a> {
    /// What a leg shows; none if it was answered, or may have been.
    pub(super) fn of(route: &RouteView<'a>, leg: &'v LegView<'a>) -> Option<Self> {
        let ending = leg.connection.tcp.ending;
        let is_left = leaving(leg);
        let is_it = (leg.outcome == Outcome::Unanswered || is_left.is_some())
            && leg.request.is_some()
            && !leg.is_doubtful();
        is_it.then_some(())?;
        let waited = is_left.or_else(|| leg.waited(route.end))?;
        let is_before = waited < Span::from_nanos(0);
        Some(Self {
            leg,
            waited: waited.max(Span::from_nanos(0)),
            ended_before: is_before.then(|| Span::from_nanos(waited.as_nanos().saturating_neg())),
            ended: leg.connection.closed_by().zip(ending.map(|ending| ending.how)),
            packet: ending.map(|ending| ending.origin.packet),
        })
    }

    /// Whether one side ended it.
    pub(super) fn is_ended_by(&self, role: Role) -> bool {
        self.ended.is_some_and(|(by, _)| by == role)
    }

    /// As a person says what ended it: `a FIN`, `a RST`.
    pub(super) fn end_bit(&self) -> &'static str {
        match self.ended {
            Some((_, EndedBy::Reset)) => "a RST",
            _ => "a FIN",
        }
    }

    /// The packets of the request and of the end.
    pub(super) fn packets(&self) -> impl Iterator<Item = PacketNumber> {
        self.leg.request_packet().into_iter().chain(self.packet)
    }
}

/// How long the client waited, if it left before the answer came: Caddy sends one to a client that is gone.
fn leaving(leg: &LegView<'_>) -> Option<Span> {
    let answered = leg.attempt.response.as_ref()?.origin;
    let ending = leg.connection.tcp.ending.filter(|_| leg.connection.closed_by() == Some(Role::Client))?;
    let asked = leg.attempt.request.as_ref()?.origin;
    (ending.origin.packet < answered.packet).then(|| ending.origin.time.since(asked.time))
}

/// Who should have answered a leg that comes from a proxy: the application behind it. None if nothing shows a proxy.
pub(super) fn upstream(leg: &LegView<'_>) -> Option<Blame> {
    comes_from_proxy(leg).then(|| Blame::Upstream(leg.connection.endpoint(Role::Server)))
}

/// Whether a proxy sent the request: a hop is seen, or the request itself gives one away.
pub(super) fn comes_from_proxy(leg: &LegView<'_>) -> bool {
    leg.comes_over_proxy() || matches!(forwarding::sender(leg), Author::Sender(..))
}

/// Adds what the proxy before a leg made of the missing answer.
pub(super) fn made_of_it(finding: Finding, route: &RouteView<'_>, leg: &LegView<'_>) -> Finding {
    let Some(hop) = leg.hop else { return finding };
    let Some(before) = route.legs().nth(hop.from) else { return finding };
    let proxy = words::begin(&Blame::proxy(&hop.proxy).spoken());
    let made = before.status().map(|status| {
        if leg.status() == Some(status) {
            format!("{proxy} passes that on.")
        } else {
            format!("{proxy} makes {status} of it.")
        }
    });
    finding.saying_also(made).shown_by(before.packets())
}

/// What the port of a server says: some are another protocol's, whose servers hang up on HTTP (measured with mosquitto 2.0.11).
pub(super) fn other_protocol(leg: &LegView<'_>) -> Option<String> {
    let port = leg.connection.endpoint(Role::Server).port;
    MQTT_PORTS.contains(&port).then(|| {
        format!(
            "Port {port} is for MQTT without WebSocket: brokers take WebSockets on a port of their own, mosquitto on a \
             listener with protocol websockets."
        )
    })
}

/// What a server may mean that closes in good order though it is asked for a subprotocol (measured with mosquitto 2.0.11,
/// whose library is libwebsockets).
pub(super) fn unknown_subprotocol(waits: &Unanswered<'_, '_>) -> Option<String> {
    let offers = waits.leg.asked("sec-websocket-protocol").is_some();
    let is_closed = waits.ended == Some((Role::Server, EndedBy::Fin)) && waits.ended_before.is_none();
    (offers && is_closed).then(|| {
        "The request offers a subprotocol: servers made with libwebsockets (mosquitto) close like this if they know \
         none of those offered."
            .to_owned()
    })
}

/// As registered with IANA: mqtt and secure-mqtt.
const MQTT_PORTS: [u16; 2] = [1883, 8883];

/// The request of a leg in words: `GET /ws`.
pub(super) fn request_line(route: &RouteView<'_>, leg: &LegView<'_>) -> String {
    let method = leg.request.as_ref().map_or("GET", |request| request.method);
    route.quote(format!("{method} {}", leg.target()).as_bytes())
}
