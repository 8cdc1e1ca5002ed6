//! The connections that are young enough to be judged together with others.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use crate::limits::{
    LIVE_BYSTANDERS, LIVE_CONNECTIONS, LIVE_HEAD_BYTES, LIVE_JUDGED, LIVE_UNOPENED, LIVE_WINDOW,
};
use crate::model::Connection;
use crate::pipeline::Following;
use crate::protocol::Attempt;
use crate::units::{PacketNumber, Timestamp};

/// Connections that ended lately, in the order of their ends.
#[derive(Debug, Default)]
pub(super) struct Window {
    ended: VecDeque<Connection>,
    /// For each of them when it came here: it stays for a while from then on, however long nobody looked.
    came: VecDeque<Timestamp>,
    head_bytes: usize,
    /// How many connections were handed out the last time.
    lent: usize,
}

impl Window {
    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ended.len()
    }

    /// How many connections were judged the last time.
    pub(super) const fn lent(&self) -> usize {
        self.lent
    }

    /// Adds a connection.
    pub(super) fn add(&mut self, connection: Connection, now: Timestamp) {
        self.head_bytes = self.head_bytes.saturating_add(head_bytes(&connection));
        self.ended.push_back(connection);
        self.came.push_back(now);
    }

    /// The clock was put to another time: what is here has just come.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        self.came.iter_mut().for_each(|came| *came = now);
    }

    /// Returns what is too old now, or too much, and keeps it no longer.
    pub(super) fn trim(&mut self, now: Timestamp) -> Vec<Connection> {
        let mut forgotten = Vec::new();
        while self.ended.len() > LIVE_CONNECTIONS
            || self.head_bytes > LIVE_HEAD_BYTES
            || self.came.front().is_some_and(|came| now.since(*came) > LIVE_WINDOW)
        {
            let Some(oldest) = self.ended.pop_front() else { break };
            self.came.pop_front();
            self.head_bytes = self.head_bytes.saturating_sub(head_bytes(&oldest));
            forgotten.push(oldest);
        }
        forgotten
    }

    /// Hands out what is to be judged, in the order of first packets: what is kept here; of what is open, connections
    /// with a young attempt and those that share a key with one that is `ready`; the
    /// latest without an attempt, and the latest without payload. What is not
    /// over is named, too.
    pub(super) fn lend(
        &mut self,
        following: &Following,
        ready: &BTreeSet<PacketNumber>,
    ) -> (Vec<Connection>, BTreeSet<PacketNumber>) {
        let mut connections: Vec<Connection> = std::mem::take(&mut self.ended).into();
        let ready_ones = connections.iter().filter(|connection| ready.contains(&connection.id()));
        let mut keys: BTreeSet<Vec<u8>> =
            ready_ones.flat_map(|connection| &connection.attempts).filter_map(key).collect();
        let ready_ones = following.open().filter(|open| ready.contains(&open.id()));
        keys.extend(ready_ones.flat_map(|open| open.attempts().iter().filter_map(key).collect::<Vec<_>>()));
        let is_young = |attempt: &Attempt| {
            let asked = attempt.request.as_ref().map(|request| request.origin.time);
            asked.is_some_and(|time| following.now().since(time) <= LIVE_WINDOW)
        };
        let known: BTreeSet<PacketNumber> = connections.iter().map(Connection::id).collect();
        let mut open = BTreeSet::new();
        let mut bystanders = Vec::new();
        let mut young = Vec::new();
        for candidate in following.open() {
            let attempts = candidate.attempts();
            let is_wanted = ready.contains(&candidate.id())
                || (!keys.is_empty() && attempts.iter().filter_map(key).any(|key| keys.contains(&key)));
            if attempts.is_empty() {
                let (last, time) = candidate.last();
                if candidate.has_exchanges() && following.now().since(time) <= LIVE_WINDOW {
                    bystanders.push((last, candidate));
                }
            } else if is_wanted {
                open.insert(candidate.id());
                connections.push(candidate.to_connection());
            } else if attempts.last().is_some_and(is_young) {
                young.push((candidate.last().0, candidate));
            }
        }
        if young.len() > LIVE_JUDGED {
            young.select_nth_unstable_by_key(LIVE_JUDGED, |(last, _)| Reverse(*last));
            young.truncate(LIVE_JUDGED);
        }
        for (_, candidate) in young {
            open.insert(candidate.id());
            connections.push(candidate.to_connection());
        }
        if bystanders.len() > LIVE_BYSTANDERS {
            bystanders.select_nth_unstable_by_key(LIVE_BYSTANDERS, |(last, _)| Reverse(*last));
            bystanders.truncate(LIVE_BYSTANDERS);
        }
        for (_, bystander) in bystanders {
            open.insert(bystander.id());
            connections.push(bystander.to_connection());
        }
        let mut unopened: Vec<Connection> = following.unopened().collect();
        unopened.retain(|connection| following.now().since(connection.tcp.last.1) <= LIVE_WINDOW);
        unopened.sort_by_key(Connection::id);
        let unopened = unopened.split_off(unopened.len().saturating_sub(LIVE_UNOPENED));
        for connection in unopened {
            if !known.contains(&connection.id()) && open.insert(connection.id()) {
                connections.push(connection);
            }
        }
        connections.sort_by_key(Connection::id);
        self.lent = connections.len();
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

fn key(attempt: &Attempt) -> Option<Vec<u8>> {
    let request = attempt.request.as_ref()?;
    Some(request.head().fields.values("Sec-WebSocket-Key").next()?.to_vec())
}
