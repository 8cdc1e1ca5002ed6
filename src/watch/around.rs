//! What goes on and is young enough to be judged together with what is due.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Key;
use crate::limits::{LIVE_BYSTANDERS, LIVE_JUDGED, LIVE_UNOPENED, LIVE_WINDOW};
use crate::model::Connection;
use crate::pipeline::{Following, OpenConnection};
use crate::protocol::{Attempt, RequestFacts};
use crate::units::{PacketNumber, Timestamp};

/// Copies of connections that are not over: those that are `ready` or `polling`, those with one of their `keys`, the latest
/// with a young attempt, the latest without an attempt, and the latest without payload.
///
/// What comes here is copied by whoever reads packets, so each kind has its limit, and what is looked at of all others is
/// what lies at hand.
pub(super) fn around(
    following: &Following,
    ready: &BTreeSet<PacketNumber>,
    polling: &BTreeSet<PacketNumber>,
    mut keys: BTreeSet<Key>,
) -> Vec<Connection> {
    let now = following.now();
    let is_young = |time: Timestamp| now.since(time) <= LIVE_WINDOW;
    for open in following.open().filter(|open| ready.contains(&open.id())) {
        keys.extend(open.attempts().iter().filter_map(key));
    }
    let (mut wanted, mut related) = (Vec::new(), Vec::new());
    let (mut young, mut bystanders) = (Vec::new(), Vec::new());
    for open in following.open() {
        let (last, heard) = open.last();
        let Some(latest) = open.attempts().last() else {
            if polling.contains(&open.id()) {
                wanted.push((last, open));
            } else if is_young(heard) && open.exchanges().is_some() {
                bystanders.push((last, open));
            }
            continue;
        };
        if ready.contains(&open.id()) || polling.contains(&open.id()) {
            wanted.push((last, open));
        } else if open.attempts().iter().filter_map(key).any(|key| keys.contains(&key)) {
            related.push((last, open));
        } else if latest.request.as_ref().is_some_and(|request| is_young(request.origin.time)) {
            young.push((last, open));
        }
    }
    // A key that is built into a program is one of all its connections.
    keep_latest(&mut related, LIVE_JUDGED);
    keep_latest(&mut young, LIVE_JUDGED);
    keep_latest(&mut bystanders, LIVE_BYSTANDERS);
    let open = wanted.iter().chain(&related).chain(&young).chain(&bystanders);
    let mut connections: Vec<Connection> = open.map(|(_, open)| open.to_connection()).collect();
    let mut unopened: Vec<Connection> = following.unopened().collect();
    unopened.retain(|connection| is_young(connection.tcp.last.1));
    unopened.sort_by_key(Connection::id);
    connections.extend(unopened.split_off(unopened.len().saturating_sub(LIVE_UNOPENED)));
    connections
}

fn keep_latest(open: &mut Vec<(PacketNumber, OpenConnection<'_>)>, most: usize) {
    if open.len() > most {
        open.select_nth_unstable_by_key(most, |(last, _)| Reverse(*last));
        open.truncate(most);
    }
}

/// By what an attempt is known on other connections.
pub(super) fn key(attempt: &Attempt) -> Option<Key> {
    attempt.request.as_ref().and_then(RequestFacts::expected_accept)
}
