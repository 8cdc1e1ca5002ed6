//! Upstream connections that never carried a request, tied to the attempt that they failed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Route;
use super::evidence::Trace;
use crate::limits::{FORWARDING_PATIENCE, ROUTE_CANDIDATES};
use crate::model::{Capture, Connection, Outcome};
use crate::protocol::{OpaqueReason, Role, Spoken};
use crate::tcp::Opened;
use crate::units::Timestamp;

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
        let from = tries.partition_point(|at| capture.connections.get(*at).map(began) < Some(trace.began));
        let candidates = tries.get(from..).unwrap_or_default().iter().take(ROUTE_CANDIDATES);
        for at in candidates {
            let Some(connection) = capture.connections.get(*at) else { continue };
            let Some(taken) = taken.get_mut(*at).filter(|taken| !**taken) else { continue };
            if belongs(connection, trace) {
                *taken = true;
                route.tries.push(*at);
            }
        }
    }
}

/// Whether a connection shows that somebody wanted something of its server and never got to ask for it, at least not
/// in the clear.
fn is_without_request(connection: &Connection) -> bool {
    let is_plain = connection.attempts.is_empty() && connection.tcp.opening.opener.is_some();
    let is_silent = connection.half(Role::Client).payload_bytes == 0 && connection.spoken == Spoken::Nothing;
    is_plain && (is_silent || connection.spoken == Spoken::Opaque(OpaqueReason::Tls))
}

fn failed(capture: &Capture, trace: &Trace<'_>, end: Timestamp) -> bool {
    let connection = capture.connections.get(trace.connection);
    connection.is_some_and(|connection| Outcome::of(trace.facts, connection, end).is_failure())
        || trace.facts.response.is_none()
}

/// Whether a proxy opened the connection for an attempt: from its own address or from another one than the client's, to
/// another server, while the attempt waited.
fn belongs(connection: &Connection, trace: &Trace<'_>) -> bool {
    let (client, server) = (connection.endpoint(Role::Client).address, connection.endpoint(Role::Server));
    let elsewhere = server != trace.server && !is_same_host(server.address, trace.client.address);
    let by_proxy = client == trace.server.address || !is_same_host(client, trace.client.address);
    let began = began(connection);
    let soon = began.since(trace.began) <= FORWARDING_PATIENCE;
    let is_late_success = connection.tcp.opening.opened == Opened::Handshake
        && connection
            .tcp
            .ending
            .is_some_and(|ending| trace.decided < ending.origin.time && trace.answered().is_none());
    elsewhere && by_proxy && soon && trace.waits_at(began) && !is_late_success
}

fn is_same_host(one: IpAddr, other: IpAddr) -> bool {
    one == other && !one.is_loopback()
}

fn began(connection: &Connection) -> Timestamp {
    connection.tcp.opening.first.time
}
