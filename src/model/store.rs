//! The store: the only writer of the model.

use super::bystanders::Earliest;
use super::capture::{Capture, Latency, Totals};
use super::connection::Connection;
use super::outcome::Outcome;
use crate::limits::{ATTEMPTS_KEPT, BYSTANDERS_KEPT, HEAD_BYTES_KEPT, UNOPENED_KEPT};
use crate::protocol::{Attempt, Context, RoleFacts, Spoken, Stack, StreamFacts, Tally};
use crate::tcp::{ConnectionFacts, Counts, Ended, HalfFacts};
use crate::units::{Span, Timestamp};

/// What is kept besides the totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: whoever wants totals only pays for no more.
    Totals,
    /// Connections with an attempt; beside them the first [`BYSTANDERS_KEPT`] without one that carried payload,
    /// and the first [`UNOPENED_KEPT`] that carried none.
    #[default]
    Attempts,
    /// All connections, the first [`ATTEMPTS_KEPT`] to end.
    Connections,
}

/// Collects what connections come to.
#[derive(Debug)]
pub struct Store {
    keeps: Keeps,
    connections: Vec<Connection>,
    kept: usize,
    kept_head_bytes: usize,
    bystanders: Earliest,
    unopened: Earliest,
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
            bystanders: Earliest::new(BYSTANDERS_KEPT),
            unopened: Earliest::new(UNOPENED_KEPT),
            latencies: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// The totals, for who reads packets to count in.
    pub const fn totals_mut(&mut self) -> &mut Totals {
        &mut self.totals
    }

    /// Connections that are over and kept, in the order of their ends: later ones are added behind them. Only
    /// [`Self::finish`] puts them into the order of [`Capture::connections`].
    #[must_use]
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// What was counted. Attempts and what the connection table counts are added at the end.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Adds a connection that is over.
    pub fn add(&mut self, ended: Ended<Stack>, context: &mut Context) {
        if self.keeps == Keeps::Totals
            && let Ended::Connection(facts, stack) = &ended
            && let Some(tally) = stack.tally(context)
        {
            self.tally(facts, &tally);
            return;
        }
        let (connection, others) = match ended {
            Ended::Connection(facts, stack) => {
                (Connection::new(facts, stack.finish(context)), &mut self.bystanders)
            }
            Ended::WithoutPayload(facts) => {
                (Connection::new(facts, StreamFacts::default()), &mut self.unopened)
            }
        };
        count(&mut self.totals, &connection);
        if self.keeps == Keeps::Attempts && connection.attempts.is_empty() {
            others.add(connection);
            return;
        }
        let is_wanted = match self.keeps {
            Keeps::Totals => connection.attempts.iter().any(|attempt| Outcome::is_open(attempt, &connection)),
            Keeps::Attempts | Keeps::Connections => true,
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
            let forgotten = u64::from(connection.attempts.is_empty());
            self.totals.forgotten_bystanders = self.totals.forgotten_bystanders.saturating_add(forgotten);
        }
    }

    /// Takes out the connections of a capture that goes on that are over, and counts what became of their attempts.
    pub fn take_ended(&mut self, now: Timestamp) -> Vec<Connection> {
        let connections = std::mem::take(&mut self.connections);
        (self.kept, self.kept_head_bytes) = (0, 0);
        for connection in &connections {
            self.classify(connection, now);
        }
        connections
    }

    /// The totals of a capture that goes on, as if connections that are open ended now.
    #[must_use]
    pub fn totals_now(&self, open: impl Iterator<Item = Connection>, now: Timestamp, tcp: Counts) -> Totals {
        let mut store = Self::new(self.keeps);
        (store.totals, store.latencies) = (self.totals.clone(), self.latencies.clone());
        for connection in open {
            count(&mut store.totals, &connection);
            store.classify(&connection, now);
        }
        store.finish(tcp).totals
    }

    /// Everything, once all connections are added.
    #[must_use]
    pub fn finish(mut self, tcp: Counts) -> Capture {
        for (connections, forgotten) in [self.bystanders.take(), self.unopened.take()] {
            self.connections.extend(connections);
            self.totals.forgotten_bystanders = self.totals.forgotten_bystanders.saturating_add(forgotten);
        }
        // They are large: each is moved once.
        self.connections.sort_by_cached_key(Connection::id);
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
        Capture { connections, totals: self.totals, ..Capture::default() }
    }

    fn classify(&mut self, connection: &Connection, capture_end: Timestamp) {
        for attempt in &connection.attempts {
            self.count_outcome(attempt, Outcome::of(attempt, connection, capture_end));
        }
    }

    fn count_outcome(&mut self, attempt: &Attempt, outcome: Outcome) {
        let counter = self.totals.attempts.entry(outcome).or_default();
        *counter = counter.saturating_add(1);
        if outcome == Outcome::Established
            && self.latencies.len() < ATTEMPTS_KEPT
            && let (Some(request), Some(response)) = (&attempt.request, &attempt.response)
        {
            self.latencies.push(response.origin.time.since(request.origin.time));
        }
    }

    /// Counts a session of which nothing is kept, without putting its facts together.
    fn tally(&mut self, facts: &ConnectionFacts, tally: &Tally<'_>) {
        for attempt in tally.attempts {
            if let Some(outcome) = Outcome::of_answered(attempt) {
                self.count_outcome(attempt, outcome);
            }
        }
        count_losses(&mut self.totals, &facts.halves);
        count_frames(&mut self.totals, &tally.client, &tally.server, tally.forgotten_frames);
    }
}

fn count_losses(totals: &mut Totals, halves: &[HalfFacts; 2]) {
    for half in halves {
        totals.missing_bytes = totals.missing_bytes.saturating_add(half.missing_bytes);
        totals.missing_cut_bytes = totals.missing_cut_bytes.saturating_add(half.missing_cut_bytes);
        totals.missing_acknowledged_bytes =
            totals.missing_acknowledged_bytes.saturating_add(half.missing_acknowledged_bytes);
    }
}

fn count_frames(totals: &mut Totals, client: &RoleFacts, server: &RoleFacts, forgotten: u64) {
    totals.frames = totals.frames.plus(client).plus(server);
    totals.client_frames = totals.client_frames.plus(client);
    totals.forgotten_frames = totals.forgotten_frames.saturating_add(forgotten);
}

/// Counts what does not depend on how the capture goes on.
fn count(totals: &mut Totals, connection: &Connection) {
    count_losses(totals, &connection.tcp.halves);
    if let Spoken::Opaque(reason) = connection.spoken {
        let counter = totals.opaque.entry(reason).or_default();
        *counter = counter.saturating_add(1);
    }
    for session in connection.attempts.iter().filter_map(|attempt| attempt.session.as_ref()) {
        count_frames(totals, &session.client, &session.server, session.frames.forgotten);
        let Some(decoded) = &session.decoded else { continue };
        totals.forgotten_messages = totals.forgotten_messages.saturating_add(decoded.messages.forgotten);
        for facts in [&decoded.client, &decoded.server] {
            totals.cut_messages = totals.cut_messages.saturating_add(facts.cut);
            totals.limited_messages = totals.limited_messages.saturating_add(facts.limited.count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Half;
    use crate::model::bystanders::tests::facts;
    use crate::protocol::testing::REQUEST;
    use crate::tcp::{Chunk, Receiver};

    /// What is kept of three connections: one that says this, one that says nothing, and one with an attempt.
    fn kept(keeps: Keeps, said: &[u8]) -> (Vec<u64>, u64) {
        let (mut context, mut store) = (Context::new(true, false), Store::new(keeps));
        for (number, bytes) in [(3, REQUEST.as_bytes()), (2, said)] {
            let facts = facts(number);
            let mut stack = Stack::open(&mut context, &facts.opening);
            stack.data(&mut context, Half::Lo, Chunk { bytes, origin: facts.opening.first });
            store.add(Ended::Connection(facts, stack), &mut context);
        }
        store.add(Ended::WithoutPayload(facts(1)), &mut context);
        let capture = store.finish(Counts::default());
        let ids = capture.connections.iter().map(|connection| connection.id().0).collect();
        (ids, capture.totals.attempts_total())
    }

    #[test]
    fn connections_without_an_attempt_are_kept_beside_those_with_one() {
        let said = b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(kept(Keeps::Attempts, said), (vec![1, 2, 3], 1));
        assert_eq!(kept(Keeps::Connections, said), (vec![1, 2, 3], 1));
        assert_eq!(kept(Keeps::Totals, said), (vec![], 1));
    }
}
