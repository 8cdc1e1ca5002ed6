//! Pairs pings with their pongs: RFC 6455 sections 5.5.2 and 5.5.3.

use std::hash::BuildHasher;

use smallvec::SmallVec;

use super::facts::{PingFacts, WaitingPings};
use crate::limits;
use crate::protocol::Role;
use crate::units::{Origin, PacketNumber, Span, Timestamp, median};

/// The pings of a session and what became of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pings {
    client: Outstanding,
    server: Outstanding,
    trips: RoundTrips,
}

/// The pings that one side has sent and the other has not answered yet.
#[derive(Clone, Debug, Default)]
struct Outstanding(SmallVec<[(u64, PacketNumber, Timestamp); 2]>);

/// The measured times. Bounded: when full, every other one goes and from then on half as many are taken.
#[derive(Clone, Debug, Default)]
struct RoundTrips {
    answered: u64,
    unanswered: u64,
    extremes: Option<(Span, Span)>,
    samples: SmallVec<[Span; 4]>,
    /// Of how many round trips one is kept, as a power of two.
    stride_log2: u32,
    seen: u64,
}

impl Pings {
    /// A ping with this (unmasked) payload was sent.
    pub(super) fn ping(&mut self, by: Role, payload: &[u8], at: Origin) {
        let outstanding = if by == Role::Client { &mut self.client } else { &mut self.server };
        if outstanding.0.len() >= limits::OUTSTANDING_PINGS {
            outstanding.0.remove(0);
            self.trips.unanswered = self.trips.unanswered.saturating_add(1);
        }
        outstanding.0.push((fingerprint(payload), at.packet, at.time));
    }

    /// A pong was sent. It answers the oldest ping of the other side with the same payload; pings before that one
    /// need no answer any more. A pong that answers none is a heartbeat of its own and means nothing.
    pub(super) fn pong(&mut self, by: Role, payload: &[u8], time: Timestamp) {
        let outstanding = if by == Role::Client { &mut self.server } else { &mut self.client };
        let wanted = fingerprint(payload);
        let Some(at) = outstanding.0.iter().position(|(payload, ..)| *payload == wanted) else { return };
        self.trips.answered = self.trips.answered.saturating_add(at as u64).saturating_add(1);
        if let Some((.., sent)) = outstanding.0.drain(..=at).next_back() {
            self.trips.measured(time.since(sent));
        }
    }

    /// Reads all parts of it; see [`crate::tcp::Receiver::warm`].
    pub(super) fn warm(&self) -> u64 {
        let outstanding = self.client.0.len().wrapping_add(self.server.0.len());
        self.trips.seen.wrapping_add(outstanding as u64)
    }

    /// What they come to. Pings that are still outstanding are unanswered.
    pub(super) fn facts(mut self) -> PingFacts {
        let outstanding = self.client.0.len().saturating_add(self.server.0.len());
        self.trips.samples.sort_unstable();
        PingFacts {
            answered: self.trips.answered,
            unanswered: self.trips.unanswered.saturating_add(outstanding as u64),
            extremes: self.trips.extremes,
            median: median(&self.trips.samples),
            client_waits: self.client.waiting(),
            server_waits: self.server.waiting(),
        }
    }
}

impl Outstanding {
    fn waiting(&self) -> Option<WaitingPings> {
        let (_, packet, time) = self.0.first()?;
        Some(WaitingPings { pings: self.0.len() as u64, oldest: (*packet, *time) })
    }
}

impl RoundTrips {
    fn measured(&mut self, span: Span) {
        self.extremes = match self.extremes {
            None => Some((span, span)),
            Some((shortest, longest)) => Some((shortest.min(span), longest.max(span))),
        };
        if self.seen & ((1 << self.stride_log2) - 1) == 0 {
            if self.samples.len() >= limits::PING_SAMPLES {
                let mut keep = false;
                self.samples.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.stride_log2 = self.stride_log2.saturating_add(1).min(63);
            }
            self.samples.push(span);
        }
        self.seen = self.seen.saturating_add(1);
    }
}

/// Stands for a payload of up to 125 bytes. Seeded alike in every run; two payloads of one session that
/// collide would at worst swap two round trips.
fn fingerprint(payload: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn at_ms(millis: i64) -> Origin {
        Origin { packet: PacketNumber(millis.unsigned_abs()), time: ms(millis), file_offset: 0 }
    }

    #[test]
    fn a_pong_answers_the_ping_with_its_payload_and_frees_the_earlier_ones() {
        let mut pings = Pings::default();
        pings.ping(Role::Client, b"a", at_ms(0));
        pings.ping(Role::Client, b"b", at_ms(10));
        pings.ping(Role::Client, b"c", at_ms(20));
        pings.pong(Role::Client, b"b", ms(12));
        pings.pong(Role::Server, b"b", ms(13));
        pings.pong(Role::Server, b"a heartbeat", ms(14));
        let facts = pings.facts();
        assert_eq!((facts.answered, facts.unanswered), (2, 1));
        assert_eq!(facts.extremes, Some((Span::from_millis(3), Span::from_millis(3))));
        let oldest = (PacketNumber(20), ms(20));
        assert_eq!(facts.client_waits, Some(WaitingPings { pings: 1, oldest }));
        assert_eq!(facts.server_waits, None);
    }

    #[test]
    fn pings_without_payload_are_answered_in_order() {
        let mut pings = Pings::default();
        for at in [0, 100, 200] {
            pings.ping(Role::Server, b"", at_ms(at));
            pings.pong(Role::Client, b"", ms(at + 1 + at / 100));
        }
        let facts = pings.facts();
        assert_eq!((facts.answered, facts.unanswered), (3, 0));
        assert_eq!(facts.median, Some(Span::from_millis(2)));
        assert_eq!(facts.extremes, Some((Span::from_millis(1), Span::from_millis(3))));
    }

    #[test]
    fn endless_pings_stay_within_their_limits() {
        let mut pings = Pings::default();
        for at in 0..10_000 {
            pings.ping(Role::Client, b"x", at_ms(at));
        }
        assert_eq!(pings.client.0.len(), limits::OUTSTANDING_PINGS);
        for at in 0..100_000 {
            pings.ping(Role::Server, b"", at_ms(at));
            pings.pong(Role::Client, b"", ms(at + at % 101));
        }
        assert!(pings.trips.samples.len() <= limits::PING_SAMPLES);
        let facts = pings.facts();
        assert_eq!((facts.answered, facts.unanswered), (100_000, 10_000));
        let median = facts.median.unwrap().as_nanos() / 1_000_000;
        assert!((40..=60).contains(&median), "{median}");
    }
}
