//! Attempts as their users count them: once each, over however many connections they went.

use std::collections::BTreeSet;

use super::Route;
use crate::model::{Capture, Latency, Outcome, Totals};
use crate::protocol::Attempt;
use crate::units::{Span, Timestamp};

/// The totals of a capture with each attempt counted once.
#[derive(Clone, Debug)]
pub struct CountedOnce {
    /// Attempts by what became of the client's own leg, and how long the client waited; all else is as it was.
    pub totals: Totals,
    /// On how many connections the attempts were seen, if some were before and after a proxy.
    pub seen_on: Option<u64>,
}

impl CountedOnce {
    /// Of a capture and its routes. Where some attempts were not kept, nobody knows which legs are of one attempt: then
    /// all are counted by connection, as in [`Capture::totals`].
    #[must_use]
    pub fn new(capture: &Capture, routes: &[Route]) -> Self {
        let mut totals = capture.totals.clone();
        let legs: usize = routes.iter().map(|route| route.legs.len()).sum();
        if legs as u64 != totals.attempts_total() || legs == routes.len() {
            return Self { totals, seen_on: None };
        }
        let end = totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
        let mut latencies = Vec::new();
        totals.attempts.clear();
        for leg in routes.iter().filter_map(|route| route.legs.first()) {
            let Some(connection) = capture.connections.get(leg.connection) else { continue };
            let Some(attempt) = connection.attempts.get(leg.attempt) else { continue };
            let outcome = Outcome::of(attempt, connection, end);
            let counter = totals.attempts.entry(outcome).or_default();
            *counter = counter.saturating_add(1);
            latencies.extend(latency(attempt).filter(|_| outcome == Outcome::Established));
        }
        totals.latency = Latency::of(latencies);
        let legs = routes.iter().flat_map(|route| &route.legs);
        let connections: BTreeSet<usize> = legs.map(|leg| leg.connection).collect();
        Self { totals, seen_on: Some(connections.len() as u64) }
    }
}

/// From the request to the answer.
fn latency(attempt: &Attempt) -> Option<Span> {
    let (request, response) = (attempt.request.as_ref()?, attempt.response.as_ref()?);
    Some(response.origin.time.since(request.origin.time))
}
