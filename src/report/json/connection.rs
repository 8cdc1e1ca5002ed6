//! The line of a connection.

use serde::Serialize;

use super::attempt::{self, AttemptView};
use super::finding::{self, FindingView};
use super::over_tls::OverTlsView;
use super::passage::{self, PassageView};
use super::place::{self, PlaceView};
use super::time::{Clock, TimeText, millis};
use super::tls::{self, TlsView};
use crate::diagnosis::Finding;
use crate::model::Connection;
use crate::numbering::Numbering;
use crate::protocol::{ProxyProtocol, Role, Spoken};
use crate::report::wire::Wire;
use crate::tcp::{EndedBy, HalfFacts, Opened};
use crate::units::Timestamp;

/// A connection.
#[derive(Serialize)]
#[serde(tag = "type", rename = "connection")]
pub(super) struct ConnectionLine<'a> {
    schema: u32,
    id: u64,
    client: String,
    server: String,
    start: TimeText,
    end: TimeText,
    first_packet: u64,
    last_packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_packet_in_file: Option<PlaceView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_packet_in_file: Option<PlaceView<'a>>,
    protocol: &'static str,
    opaque_reason: Option<&'static str>,
    proxy_protocol: Option<u8>,
    evicted: bool,
    tcp: TcpView<'a>,
    /// The point of capture that alone shows it, where another one shows other bytes between the same endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passage: Option<PassageView<'a>>,
    tls: Option<TlsView<'a>>,
    attempts: Vec<AttemptView<'a>>,
    /// None where findings have lines of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<FindingView<'a>>>,
}

impl ConnectionLine<'_> {
    /// Says of attempts, by their places, that they came over TLS to a proxy.
    pub(super) fn tie(&mut self, over_tls: Vec<(usize, OverTlsView)>) {
        for (place, view) in over_tls {
            if let Some(attempt) = self.attempts.get_mut(place) {
                attempt.over_tls = Some(view);
            }
        }
    }
}

#[derive(Serialize)]
struct TcpView<'a> {
    opened: &'static str,
    closed: &'static str,
    closed_by: Option<&'static str>,
    closed_packet: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_packet_in_file: Option<PlaceView<'a>>,
    connect_ms: Option<f64>,
    client: HalfView,
    server: HalfView,
}

#[derive(Serialize)]
struct HalfView {
    packets: u64,
    payload_bytes: u64,
    retransmitted: u32,
    out_of_order: u32,
    missing_bytes: u64,
    #[serde(skip_serializing_if = "super::is_zero")]
    missing_cut_bytes: u64,
    #[serde(skip_serializing_if = "super::is_zero")]
    missing_acknowledged_bytes: u64,
    conflicting_overlaps: u32,
    keep_alives: u32,
    stray: u32,
    hole_limit_hit: bool,
    #[serde(skip_serializing_if = "super::is_zero")]
    copies: u64,
}

/// The line of a connection in a capture that ends at `capture_end`.
pub(super) fn line<'a>(
    connection: &'a Connection,
    findings: Option<&[&'a Finding]>,
    (wire, numbering): (Wire, &'a Numbering),
    capture_end: Timestamp,
    clock: &mut Clock,
) -> ConnectionLine<'a> {
    let (last_packet, last_time) = connection.tcp.last;
    let (protocol, opaque_reason) = match connection.spoken {
        Spoken::Nothing => ("none", None),
        Spoken::Http => ("http", None),
        Spoken::WebSocket => ("websocket", None),
        Spoken::Opaque(reason) => ("opaque", Some(reason.name())),
    };
    let mut view = |attempt| attempt::view(attempt, connection, (wire, numbering), capture_end, clock);
    let attempts = connection.attempts.iter().map(&mut view).collect();
    ConnectionLine {
        schema: 1,
        id: connection.id().0,
        client: connection.endpoint(Role::Client).to_string(),
        server: connection.endpoint(Role::Server).to_string(),
        start: clock.text(connection.tcp.opening.first.time),
        end: clock.text(last_time),
        first_packet: connection.id().0,
        last_packet: last_packet.0,
        first_packet_in_file: place::view(connection.id(), numbering),
        last_packet_in_file: place::view(last_packet, numbering),
        protocol,
        opaque_reason,
        proxy_protocol: connection.proxy_protocol.map(|version| match version {
            ProxyProtocol::V1 => 1,
            ProxyProtocol::V2 => 2,
        }),
        evicted: connection.tcp.evicted,
        tcp: tcp(connection, numbering),
        point: connection.tcp.flow.point(),
        passage: passage::view(connection, numbering),
        tls: connection.tls.as_deref().map(|facts| tls::view(facts, numbering)),
        attempts,
        findings: findings
            .map(|findings| findings.iter().map(|finding| finding::view(finding, numbering)).collect()),
    }
}

fn tcp<'a>(connection: &Connection, numbering: &'a Numbering) -> TcpView<'a> {
    let opening = &connection.tcp.opening;
    let ending = connection.tcp.ending;
    TcpView {
        opened: match opening.opened {
            Opened::Handshake => "handshake",
            Opened::Midstream => "midstream",
            Opened::Refused => "refused",
            Opened::Unanswered => "unanswered",
        },
        closed: match ending.map(|ending| ending.how) {
            Some(EndedBy::Fin) => "fin",
            Some(EndedBy::Reset) => "reset",
            None => "open",
        },
        closed_by: connection.closed_by().map(Role::name),
        closed_packet: ending.map(|ending| ending.origin.packet.0),
        closed_packet_in_file: ending.and_then(|ending| place::view(ending.origin.packet, numbering)),
        connect_ms: opening.connect.map(millis),
        client: half(connection.half(Role::Client)),
        server: half(connection.half(Role::Server)),
    }
}

fn half(facts: &HalfFacts) -> HalfView {
    HalfView {
        packets: facts.packets,
        payload_bytes: facts.payload_bytes,
        retransmitted: facts.retransmitted,
        out_of_order: facts.out_of_order,
        missing_bytes: facts.missing_bytes,
        missing_cut_bytes: facts.missing_cut_bytes,
        missing_acknowledged_bytes: facts.missing_acknowledged_bytes,
        conflicting_overlaps: facts.conflicting_overlaps,
        keep_alives: facts.keep_alives,
        stray: facts.stray,
        hole_limit_hit: facts.hole_limit_hit,
        copies: u64::from(facts.copies),
    }
}
