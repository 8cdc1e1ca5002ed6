//! Connections that ended lately: those that are young enough to be judged together with others.

use std::collections::{BTreeSet, VecDeque};

use crate::limits::{LIVE_CONNECTIONS, LIVE_HEAD_BYTES, LIVE_WINDOW};
use crate::model::Connection;
use crate::protocol::Attempt;
use crate::units::{PacketNumber, Timestamp};

/// Connections that ended lately, in the order of their ends.
#[derive(Debug, Default)]
pub(super) struct Window {
    ended: VecDeque<Connection>,
    /// For each of them when it came here: it stays for a while from then on, however long nobody looked.
    came: VecDeque<Timestamp>,
    head_bytes: usize,
}

impl Window {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ended.len()
    }

    /// Adds a connection.
    pub(super) fn add(&mut self, connection: Connection, now: Timestamp) {
        self.head_bytes = self.head_bytes.saturating_add(head_bytes(&connection));
        self.ended.push_back(connection);
        self.came.push_back(now);
    }

    /// Adds those of another one behind its own: they come now, however long they waited.
    pub(super) fn append(&mut self, mut later: Self, now: Timestamp) {
        self.came.extend(later.ended.iter().map(|_| now));
        self.ended.append(&mut later.ended);
        self.head_bytes = self.head_bytes.saturating_add(later.head_bytes);
    }

    /// The clock was put to another time: what is here has just come.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        self.came.iter_mut().for_each(|came| *came = now);
    }

    /// Returns what is too old now, or too much, and keeps it no longer.
    pub(super) fn trim(&mut self, now: Timestamp) -> Vec<Connection> {
        let is_old = |came: &Timestamp| now.since(*came) > LIVE_WINDOW;
        self.let_go(|window| window.is_full() || window.came.front().is_some_and(is_old))
    }

    /// The same with what is too much only.
    pub(super) fn trim_to_limits(&mut self) -> Vec<Connection> {
        self.let_go(Self::is_full)
    }

    fn is_full(&self) -> bool {
        self.ended.len() > LIVE_CONNECTIONS || self.head_bytes > LIVE_HEAD_BYTES
    }

    fn let_go(&mut self, must_go: impl Fn(&Self) -> bool) -> Vec<Connection> {
        let mut forgotten = Vec::new();
        while must_go(self) {
            let Some(oldest) = self.ended.pop_front() else { break };
            self.came.pop_front();
            self.head_bytes = self.head_bytes.saturating_sub(head_bytes(&oldest));
            forgotten.push(oldest);
        }
        forgotten
    }

    /// Hands out all of them together with others, those that go on, in the order of first packets; and the names of the
    /// others that are not here.
    pub(super) fn lend(&mut self, others: Vec<Connection>) -> (Vec<Connection>, BTreeSet<PacketNumber>) {
        let mut connections: Vec<Connection> = std::mem::take(&mut self.ended).into();
        let known: BTreeSet<PacketNumber> = connections.iter().map(Connection::id).collect();
        let mut open = BTreeSet::new();
        for other in others {
            if !known.contains(&other.id()) && open.insert(other.id()) {
                connections.push(other);
            }
        }
        connections.sort_by_key(Connection::id);
        (connections, open)
    }

    /// Takes back what was handed out.
    pub(super) fn take_back(&mut self, connections: Vec<Connection>, open: &BTreeSet<PacketNumber>) {
        let ended = connections.into_iter().filter(|connection| !open.contains(&connection.id()));
        let mut ended: Vec<Connection> = ended.collect();
        ended.sort_by_key(|connection| connection.tcp.last.0);
        self.ended = ended.into();
    }
}

fn head_bytes(connection: &Connection) -> usize {
    connection.attempts.iter().map(Attempt::head_bytes).sum()
}
