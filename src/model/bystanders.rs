//! Connections without an attempt, kept beside those that have one: often they say why it failed.

use super::connection::Connection;
use crate::units::PacketNumber;

/// The earliest connections of those that come, up to a limit.
///
/// Which ones these are follows from their names alone. So it does not matter in what order connections end, or are
/// pushed out of the table.
#[derive(Debug)]
pub(super) struct Earliest {
    limit: usize,
    kept: Vec<Connection>,
    /// Whoever is called so or higher is beyond the limit.
    bound: Option<PacketNumber>,
    forgotten: u64,
}

impl Earliest {
    /// None so far, and at most `limit`.
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, kept: Vec::new(), bound: None, forgotten: 0 }
    }

    /// Adds a connection. Whatever is beyond the limit goes, this one or a later one.
    pub(super) fn add(&mut self, connection: Connection) {
        if self.bound.is_some_and(|bound| connection.id() >= bound) {
            self.forgotten = self.forgotten.saturating_add(1);
            return;
        }
        self.kept.push(connection);
        // A sweep for each new connection would cost more than the room for some in excess.
        if self.kept.len() > self.limit.saturating_add(self.limit / EXCESS_FRACTION) {
            self.sweep();
        }
    }

    /// Takes out those that are kept, in no order, and says how many are not.
    pub(super) fn take(&mut self) -> (Vec<Connection>, u64) {
        self.sweep();
        (std::mem::take(&mut self.kept), self.forgotten)
    }

    fn sweep(&mut self) {
        if self.kept.len() <= self.limit {
            return;
        }
        let (_, bound, _) = self.kept.select_nth_unstable_by_key(self.limit, Connection::id);
        self.bound = Some(bound.id());
        let excess = self.kept.len().saturating_sub(self.limit) as u64;
        self.forgotten = self.forgotten.saturating_add(excess);
        self.kept.truncate(self.limit);
    }
}

/// The part of the limit that may be there in excess before a sweep.
const EXCESS_FRACTION: usize = 4;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decode::FlowKey;
    use crate::protocol::StreamFacts;
    use crate::tcp::{ConnectionFacts, HalfFacts, Opened, Opening};
    use crate::units::{Origin, Timestamp};

    /// What is seen of a connection that begins with this packet.
    pub(in crate::model) fn facts(number: u64) -> ConnectionFacts {
        let first = Origin { packet: PacketNumber(number), ..Origin::default() };
        ConnectionFacts {
            flow: FlowKey::ipv4(([10, 0, 0, 1], 1), ([10, 0, 0, 2], 80)).0,
            opening: Opening { first, opened: Opened::Handshake, opener: None, connect: None },
            last: (first.packet, Timestamp::default()),
            ending: None,
            halves: [HalfFacts::default(); 2],
            evicted: false,
        }
    }

    fn connection(number: u64) -> Connection {
        Connection::new(facts(number), StreamFacts::default())
    }

    #[test]
    fn the_earliest_stay_in_whatever_order_they_come() {
        let orders: [fn(u64) -> u64; 4] =
            [|at| at + 1, |at| 100 - at, |at| at * 37 % 101, |at| (at + 51) * 3 % 101];
        for order in orders {
            let mut earliest = Earliest::new(10);
            let numbers: Vec<u64> = (0..101).map(order).filter(|number| (1..=100).contains(number)).collect();
            for number in &numbers {
                earliest.add(connection(*number));
            }
            let (mut kept, forgotten) = earliest.take();
            kept.sort_by_key(Connection::id);
            let ids: Vec<u64> = kept.iter().map(|connection| connection.id().0).collect();
            assert_eq!(ids, (1..=10).collect::<Vec<u64>>());
            assert_eq!(forgotten, numbers.len() as u64 - 10);
        }
    }

    #[test]
    fn nothing_is_forgotten_below_the_limit() {
        let mut earliest = Earliest::new(3);
        (1..=3).for_each(|number| earliest.add(connection(number)));
        let (kept, forgotten) = earliest.take();
        assert_eq!((kept.len(), forgotten), (3, 0));
    }
}
