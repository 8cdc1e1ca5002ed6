//! Upstream connections that never carried a request, tied to the attempt that they failed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Route;
use super::evidence::Trace;
use crate::limits::{FORWARDING_PATIENCE, ROUTE_CANDIDATES};
use crate::model::{Capture, Connection, Outcome};
use crate::protocol::{OpaqueReason, Role, Spoken};
use crate::tcp::Opened;
use crate::units::{Span, Timestamp};

/// Ties them. Only an attempt that failed and that nobody is seen to have handed on can have failed by one.
pub(super) fn assign(capture: &Capture, traces: &[Trace<'_>], routes: &mut [Route]) {
    let mut tries: Vec<usize> = (0..capture.connections.len())
        .filter(|at| capture.connections.get(*at).is_some_and(is_without_request))
        .collect();
    tries.sort_by_key(|at| capture.connections.get(*at).map(began));
    if tries.is_empty() {
        return;
    }
    let end = capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    let by_place: BTreeMap<(usize, usize), &Trace<'_>> =
        traces.iter().map(|trace| ((trace.connection, trace.attempt), trace)).collect();
    let mut taken = vec![false; capture.connections.len()];
    for route in routes {
        let Some(leg) = route.legs.last() else { continue };
        let trace = by_place.get(&(leg.connection, leg.attempt));
        let Some(trace) = trace.filter(|trace| failed(capture, trace, end)) else { continue };
        let mut take = |since: Timestamp, belongs: fn(&Connection, &Trace<'_>) -> bool| -> Vec<usize> {
            let from = tries.partition_point(|at| capture.connections.get(*at).map(began) < Some(since));
            let candidates = tries.get(from..).unwrap_or_default().iter().take(ROUTE_CANDIDATES);
            let mut found = Vec::new();
            for at in candidates {
                let Some(connection) = capture.connections.get(*at) else { continue };
                let Some(taken) = taken.get_mut(*at).filter(|taken| !**taken) else { continue };
                if belongs(connection, trace) {
                    *taken = true;
                    found.push(*at);
                }
            }
            found
        };
        route.tries = take(trace.began, belongs);
        if route.tries.is_empty() && trace.attempt == 0 {
            route.tries = take(trace.opened, belongs_unasked);
        }
    }
}

/// Whether a connection shows that somebody wanted something of its server and never got to ask for it, at least not
/// in the clear and in HTTP/1.
fn is_without_request(connection: &Connection) -> bool {
    let is_plain = connection.attempts.is_empty() && connection.tcp.opening.opener.is_some();
    // The header of the PROXY protocol is for no request yet.
    let says_nothing =
        connection.half(Role::Client).payload_bytes == 0 || connection.proxy_protocol.is_some();
    let is_silent = says_nothing && connection.exchanges.is_empty() && connection.spoken == Spoken::Nothing;
    let is_refused_http_2 = connection.spoken == Spoken::Opaque(OpaqueReason::Http2)
        && connection.half(Role::Server).payload_bytes == 0
        && connection.closed_by() == Some(Role::Server);
    // Some proxies send no request to a server that speaks first (nginx).
    let is_greeted = says_nothing && connection.greeting.is_some();
    is_plain
        && (is_silent
            || is_greeted
            || is_refused_http_2
            || connection.spoken == Spoken::Opaque(OpaqueReason::Tls))
}

fn failed(capture: &Capture, trace: &Trace<'_>, end: Timestamp) -> bool {
    let connection = capture.connections.get(trace.connection);
    connection.is_some_and(|connection| Outcome::of(trace.facts, connection, end).is_failure())
        || trace.facts.response.is_none()
}

/// Whether a proxy opened the connection for an attempt: from its own address or from another one than the client's, to
/// another server, while the attempt waited.
fn belongs(connection: &Connection, trace: &Trace<'_>) -> bool {
    let began = began(connection);
    let soon = began.since(trace.began) <= FORWARDING_PATIENCE;
    let is_late_success = connection.tcp.opening.opened == Opened::Handshake
        && connection.greeting.is_none()
        && connection
            .tcp
            .ending
            .is_some_and(|ending| trace.decided < ending.origin.time && trace.answered().is_none());
    is_by_proxy(connection, trace) && soon && trace.waits_at(began) && !is_late_success
}

/// Whether a proxy opened the connection before it was asked for anything, as those do that forward bytes of TCP; and
/// failed.
fn belongs_unasked(connection: &Connection, trace: &Trace<'_>) -> bool {
    let began = began(connection);
    let is_at_once =
        trace.opened <= began && began < trace.began && began.since(trace.opened) <= OPENING_AT_ONCE;
    let failed = match connection.tcp.opening.opened {
        Opened::Refused | Opened::Unanswered => true,
        _ => connection.closed_by() == Some(Role::Server),
    };
    let status = trace.facts.response.as_ref().map(|response| response.status);
    is_by_proxy(connection, trace) && is_at_once && failed && status.is_none_or(|status| status >= 500)
}

fn is_by_proxy(connection: &Connection, trace: &Trace<'_>) -> bool {
    let (client, server) = (connection.endpoint(Role::Client).address, connection.endpoint(Role::Server));
    let elsewhere = server != trace.server && !is_same_host(server.address, trace.client.address);
    elsewhere && (client == trace.server.address || !is_same_host(client, trace.client.address))
}

fn is_same_host(one: IpAddr, other: IpAddr) -> bool {
    one == other && !one.is_loopback()
}

fn began(connection: &Connection) -> Timestamp {
    connection.tcp.opening.first.time
}

/// What a proxy that forwards bytes of TCP takes to open the next connection when it has accepted one, with room.
const OPENING_AT_ONCE: Span = Span::from_millis(100);
