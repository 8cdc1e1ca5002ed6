//! The part of a capture that is about one attempt, as a capture of its own: what somebody sends to somebody else.

use std::collections::BTreeMap;

use crate::diagnosis::{About, Diagnosis};
use crate::model::{Capture, Latency, Outcome, Totals};
use crate::protocol::RoleFacts;
use crate::units::Timestamp;

/// The legs of a route with their connections, the upstream connections that it tried, the client's own over TLS, and what
/// was found about it.
/// Packets and their times are those of the whole capture, and so is what is to be known about it.
///
/// None if there is no such route.
#[must_use]
pub(crate) fn of_route(
    capture: &Capture,
    diagnosis: &Diagnosis,
    place: usize,
) -> Option<(Capture, Diagnosis)> {
    let mut route = diagnosis.routes.get(place)?.clone();
    let legs = route.legs.iter().map(|leg| leg.connection);
    let over_tls = route.over_tls.as_ref().map(|over| over.connection);
    let mut places: Vec<usize> = legs.chain(route.tries.iter().copied()).chain(over_tls).collect();
    places.sort_unstable();
    places.dedup();
    let moved = |connection: usize| places.iter().position(|place| *place == connection).unwrap_or_default();
    for leg in &mut route.legs {
        leg.connection = moved(leg.connection);
    }
    for tried in &mut route.tries {
        *tried = moved(*tried);
    }
    if let Some(over) = &mut route.over_tls {
        over.connection = moved(over.connection);
    }
    let connections: Vec<_> =
        places.iter().filter_map(|place| capture.connections.get(*place).cloned()).collect();
    let mut findings: Vec<_> = diagnosis.on_route(place).cloned().collect();
    for finding in &mut findings {
        finding.about = About::Routes(vec![0]);
    }
    let end = capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    let mut attempts: BTreeMap<Outcome, u64> = BTreeMap::new();
    let mut latencies = Vec::new();
    let mut frames = RoleFacts::default();
    for leg in &route.legs {
        let Some(connection) = connections.get(leg.connection) else { continue };
        let Some(attempt) = connection.attempts.get(leg.attempt) else { continue };
        let outcome = Outcome::of(attempt, connection, end);
        let counter = attempts.entry(outcome).or_default();
        *counter = counter.saturating_add(1);
        if let (Outcome::Established, Some(asked), Some(answered)) =
            (outcome, &attempt.request, &attempt.response)
        {
            latencies.push(answered.origin.time.since(asked.origin.time));
        }
        if let Some(session) = &attempt.session {
            frames = frames.plus(&session.client).plus(&session.server);
        }
    }
    let totals = Totals { attempts, frames, latency: Latency::of(latencies), ..capture.totals.clone() };
    let capture = Capture { connections, totals, ..Capture::default() };
    Some((capture, Diagnosis::new(vec![route], findings)))
}
