//! The store: the only writer of the model.

use super::capture::{Capture, Latency, Totals};
use super::connection::Connection;
use super::outcome::Outcome;
use crate::limits::{ATTEMPTS_KEPT, HEAD_BYTES_KEPT};
use crate::protocol::{Attempt, Context, Role, Spoken, Stack, StreamFacts};
use crate::tcp::{Counts, Ended};
use crate::units::{Span, Timestamp};

/// What is kept besides the totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: whoever wants totals only pays for no more.
    Totals,
    /// Connections with an attempt.
    #[default]
    Attempts,
    /// All connections.
    Connections,
}

/// Collects what connections come to.
#[derive(Debug)]
pub struct Store {
    keeps: Keeps,
    connections: Vec<Connection>,
    kept: usize,
    kept_head_bytes: usize,
    latencies: Vec<Span>,
    totals: Totals,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(keeps: Keeps) -> Self {
        Self {
            keeps,
            connections: Vec::new(),
            kept: 0,
            kept_head_bytes: 0,
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
        let is_wanted = match self.keeps {
            Keeps::Totals => connection.attempts.iter().any(|attempt| Outcome::is_open(attempt, &connection)),
            Keeps::Attempts => !connection.attempts.is_empty(),
            Keeps::Connections => true,
        };
        let is_full = self.kept >= ATTEMPTS_KEPT || self.kept_head_bytes >= HEAD_BYTES_KEPT;
        if is_wanted && !is_full {
            self.kept = self.kept.saturating_add(connection.attempts.len().max(1));
            let head_bytes: usize = connection.attempts.iter().map(Attempt::head_bytes).sum();
            self.kept_head_bytes = self.kept_head_bytes.saturating_add(head_bytes);
            self.connections.push(connection);
            return;
        }
        // What is not kept has its outcome decided now.
        self.classify(&connection, connection.tcp.last.1);
        if is_wanted {
            let forgotten = connection.attempts.len() as u64;
            self.totals.forgotten_attempts = self.totals.forgotten_attempts.saturating_add(forgotten);
        }
    }

    /// Everything, once all connections are added.
    #[must_use]
    pub fn finish(mut self, tcp: Counts) -> Capture {
        self.connections.sort_by_key(Connection::id);
        let end = self.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
        let mut connections = std::mem::take(&mut self.connections);
        for connection in &connections {
            self.classify(connection, end);
        }
        if self.keeps == Keeps::Totals {
            connections.clear();
        }
        self.totals.tcp = tcp;
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
