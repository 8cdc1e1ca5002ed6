//! Clients that come over TLS: the connection that a proxy decrypts before the first leg that can be read.
//!
//! What it carries is encrypted, so only addresses and times can tie the two: it waits when the request is handed on, and
//! they are answered or end together. Where the proxy has the same address on both sides that is enough; else all attempts
//! that come from that address to that server have to fit.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::proxy::{self, Proxy};
use super::{Lookup, Route};
use crate::limits::ROUTE_CANDIDATES;
use crate::model::{Capture, Connection};
use crate::protocol::{Attempt, Role, ServerFirst};
use crate::units::{Endpoint, Span, Timestamp};

/// A client's connection over TLS, and the proxy that decrypts it.
#[derive(Clone, Debug)]
pub struct OverTls {
    /// The connection's place in [`Capture::connections`].
    pub connection: usize,
    /// The proxy, by the address that faces the upstream.
    pub proxy: Proxy,
}

/// Ties them to the routes of which the capture has no leg before the proxy.
pub(super) fn assign(capture: &Capture, routes: &mut [Route]) {
    let mut encrypted: Vec<(Timestamp, usize)> = capture
        .connections
        .iter()
        .enumerate()
        .filter_map(|(at, it)| is_answered(it).then_some((began(it), at)))
        .collect();
    if encrypted.is_empty() {
        return;
    }
    encrypted.sort_unstable();
    let found: Vec<Option<Candidate<'_>>> =
        routes.iter().map(|route| candidate(capture, &encrypted, route)).collect();
    let groups = groups(capture, routes, &found);
    for (route, found) in routes.iter_mut().zip(found) {
        let Some(found) = found else { continue };
        let of = (found.leg.endpoint(Role::Client).address, found.leg.endpoint(Role::Server));
        if found.is_same_host || groups.get(&of) == Some(&Some(found.over.endpoint(Role::Server))) {
            let software = proxy::by_what_it_sends(found.attempt);
            let proxy = Proxy { software, ..Proxy::at(of.0) };
            route.over_tls = Some(OverTls { connection: found.place, proxy });
        }
    }
}

/// The connection over TLS that fits a route best.
struct Candidate<'a> {
    place: usize,
    over: &'a Connection,
    leg: &'a Connection,
    attempt: &'a Attempt,
    /// Its server and the client of the leg have one address, or the leg stays within its host.
    is_same_host: bool,
}

fn candidate<'a>(
    capture: &'a Capture,
    encrypted: &[(Timestamp, usize)],
    route: &Route,
) -> Option<Candidate<'a>> {
    let first = route.legs.first()?;
    let leg = capture.connections.get(first.connection)?;
    let attempt = leg.attempts.get(first.attempt)?;
    let asked = attempt.request.as_ref()?.origin.time;
    let until = encrypted.partition_point(|(began, _)| *began <= asked);
    let near = encrypted.get(..until).unwrap_or_default().iter().rev().take(ROUTE_CANDIDATES);
    let fitting = near.filter(|(began, _)| asked.since(*began) <= FRESH).filter_map(|(_, place)| {
        let over = capture.connections.get(*place)?;
        let is_same_host = relation(over, leg)?;
        let fit = fit(over, leg, attempt, asked)?;
        // Elsewhere than on one host only what surely goes together counts.
        (is_same_host || fit <= TOGETHER).then_some((fit, *place, over, is_same_host))
    });
    let (_, place, over, is_same_host) = fitting.min_by_key(|(fit, place, ..)| (*fit, *place))?;
    Some(Candidate { place, over, leg, attempt, is_same_host })
}

/// Whether the one who decrypts a connection is at the address that opens the leg; none if he cannot be who opens it.
fn relation(over: &Connection, leg: &Connection) -> Option<bool> {
    let (client, proxy) = (over.endpoint(Role::Client).address, over.endpoint(Role::Server));
    let (opener, server) = (leg.endpoint(Role::Client).address, leg.endpoint(Role::Server));
    let is_within_host = opener.is_loopback() && server.address.is_loopback();
    let is_same_host = proxy.address == opener || is_within_host;
    // The client itself opens both, or somebody else comes to the same host.
    let is_another = !is_same_host && (client == opener || proxy.address == server.address);
    (proxy != server && !is_another).then_some(is_same_host)
}

/// How far the ends or the answers of the two are apart; none if one goes on without the other.
fn fit(over: &Connection, leg: &Connection, attempt: &Attempt, asked: Timestamp) -> Option<Span> {
    let apart =
        |one: Timestamp, other: Timestamp| Span::from_nanos(one.since(other).as_nanos().saturating_abs());
    let ended = |it: &Connection| it.tcp.ending.map(|ending| ending.origin.time);
    if ended(over).is_some_and(|ended| ended < asked) {
        return None;
    }
    if attempt.session.is_some() {
        let fit = match (ended(over), ended(leg)) {
            (Some(one), Some(other)) => apart(one, other),
            (None, None) => apart(over.last_payload()?, leg.last_payload()?),
            _ => return None,
        };
        return (fit <= LINGERING).then_some(fit);
    }
    // What the client gets comes after what its proxy got; it may go on with something else then.
    let answered = attempt.response.as_ref().map(|response| response.origin.time).or_else(|| ended(leg))?;
    let (_, told) = over.half(Role::Server).last_payload?;
    (told >= answered).then(|| apart(told, answered))
}

/// Where the clients of each opener and server come over TLS, if it is one place for all of them.
fn groups(
    capture: &Capture,
    routes: &[Route],
    found: &[Option<Candidate<'_>>],
) -> Lookup<(IpAddr, Endpoint), Option<Endpoint>> {
    let mut groups: BTreeMap<(IpAddr, Endpoint), Option<Endpoint>> = BTreeMap::new();
    for (route, found) in routes.iter().zip(found) {
        let Some(leg) = route.legs.first().and_then(|leg| capture.connections.get(leg.connection)) else {
            continue;
        };
        let of = (leg.endpoint(Role::Client).address, leg.endpoint(Role::Server));
        let place = found.as_ref().map(|found| found.over.endpoint(Role::Server));
        let known = groups.entry(of).or_insert(place);
        *known = known.filter(|known| Some(*known) == place);
    }
    groups.into_iter().collect()
}

fn is_answered(connection: &Connection) -> bool {
    connection
        .tls
        .as_deref()
        .is_some_and(|tls| tls.client_hello.is_some() && matches!(tls.server, ServerFirst::Tls(_)))
}

fn began(connection: &Connection) -> Timestamp {
    connection.tcp.opening.first.time
}

/// Clients open a connection for each WebSocket, and ask as soon as it is there.
const FRESH: Span = Span::from_millis(5_000);
/// What a proxy takes to hand an answer or an end on.
const TOGETHER: Span = Span::from_millis(200);
/// How long one side of a proxy may stay open after the other.
const LINGERING: Span = Span::from_millis(5_000);
