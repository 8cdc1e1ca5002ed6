//! The store: the only writer of the model.

use super::capture::{Capture, Latency, Totals};
use super::connection::Connection;
use super::outcome::Outcome;
use crate::limits::ATTEMPTS_KEPT;
use crate::protocol::{Context, Role, Spoken, Stack, StreamFacts};
use crate::tcp::{Counts, Ended};
use crate::units::{Span, Timestamp};

/// Collects what connections come to.
#[derive(Debug)]
pub struct Store {
    keeps_all: bool,
    connections: Vec<Connection>,
    kept_attempts: usize,
    latencies: Vec<Span>,
    totals: Totals,
}

impl Store {
    /// `keeps_all` says whether connections without an attempt are kept too.
    #[must_use]
    pub fn new(keeps_all: bool) -> Self {
        Self {
            keeps_all,
            connections: Vec::new(),
            kept_attempts: 0,
            latencies: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// The totals, for who reads packets to count in.
    pub const fn totals_mut(&mut self) -> &mut Totals {
        &mut self.totals
    }

    /// Adds a connection that is over.
    pub fn add(&mut self, ended: Ended<Stack>, context: &mut Context) {
        let connection = match ended {
            Ended::Connection(facts, stack) => Connection::new(facts, stack.finish(context)),
            Ended::WithoutPayload(facts) => Connection::new(facts, StreamFacts::default()),
        };
        self.count(&connection);
        if connection.attempts.is_empty() && !self.keeps_all {
            return;
        }
        if self.kept_attempts >= ATTEMPTS_KEPT {
            // What is not kept has its outcome decided now; the list no longer grows.
            let now = connection.tcp.last.1;
            self.classify(&connection, now);
            let forgotten = connection.attempts.len() as u64;
            self.totals.forgotten_attempts = self.totals.forgotten_attempts.saturating_add(forgotten);
            return;
        }
        self.kept_attempts = self.kept_attempts.saturating_add(connection.attempts.len().max(1));
        self.connections.push(connection);
    }

    /// Everything, once all connections are added.
    #[must_use]
    pub fn finish(mut self, tcp: Counts, context: &Context) -> Capture {
        self.connections.sort_by_key(Connection::id);
        let end = self.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
        let connections = std::mem::take(&mut self.connections);
        for connection in &connections {
            self.classify(connection, end);
        }
        self.totals.tcp = tcp;
        self.totals.forgotten_attempts =
            self.totals.forgotten_attempts.saturating_add(context.forgotten_attempts());
        self.totals.latency = Latency::of(self.latencies);
        Capture { connections, totals: self.totals }
    }

    /// Counts what does not depend on how the capture goes on.
    fn count(&mut self, connection: &Connection) {
        let totals = &mut self.totals;
        for role in [Role::Client, Role::Server] {
            totals.missing_bytes = totals.missing_bytes.saturating_add(connection.half(role).missing_bytes);
        }
        if let Spoken::Opaque(reason) = connection.spoken {
            let counter = totals.opaque.entry(reason).or_default();
            *counter = counter.saturating_add(1);
        }
        for session in connection.attempts.iter().filter_map(|attempt| attempt.session.as_ref()) {
            totals.frames = totals.frames.plus(&session.client).plus(&session.server);
            totals.forgotten_frames = totals.forgotten_frames.saturating_add(session.frames.forgotten);
        }
    }

    fn classify(&mut self, connection: &Connection, capture_end: Timestamp) {
        for attempt in &connection.attempts {
            let outcome = Outcome::of(attempt, connection, capture_end);
            let counter = self.totals.attempts.entry(outcome).or_default();
            *counter = counter.saturating_add(1);
            if outcome == Outcome::Established
                && self.latencies.len() < ATTEMPTS_KEPT
                && let (Some(request), Some(response)) = (&attempt.request, &attempt.response)
            {
                self.latencies.push(response.origin.time.since(request.origin.time));
            }
        }
    }
}
