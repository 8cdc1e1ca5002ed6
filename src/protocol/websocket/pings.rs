//! Pairs pings with their pongs: RFC 6455 sections 5.5.2 and 5.5.3.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use super::facts::PingFacts;
use crate::limits;
use crate::units::{Span, Timestamp, median};

/// The pings that one side has sent and the other has not answered yet.
#[derive(Debug, Default)]
pub(super) struct Outstanding(VecDeque<(u64, Timestamp)>);

/// The measured times. Bounded: when full, every other one goes and from then on half as many are taken.
#[derive(Debug, Default)]
pub(super) struct RoundTrips {
    answered: u64,
    unanswered: u64,
    extremes: Option<(Span, Span)>,
    samples: Vec<Span>,
    /// Of how many round trips one is kept, as a power of two.
    stride_log2: u32,
    seen: u64,
}

impl Outstanding {
    /// A ping with this (unmasked) payload was sent.
    pub(super) fn sent(&mut self, payload: &[u8], time: Timestamp, trips: &mut RoundTrips) {
        if self.0.len() >= limits::OUTSTANDING_PINGS {
            self.0.pop_front();
            trips.unanswered = trips.unanswered.saturating_add(1);
        }
        self.0.push_back((fingerprint(payload), time));
    }

    /// The other side sent a pong. It answers the oldest ping with the same payload; pings before that one
    /// need no answer any more. A pong that answers none is a heartbeat of its own and means nothing.
    pub(super) fn answered(&mut self, payload: &[u8], time: Timestamp, trips: &mut RoundTrips) {
        let wanted = fingerprint(payload);
        let Some(at) = self.0.iter().position(|(payload, _)| *payload == wanted) else { return };
        trips.answered = trips.answered.saturating_add(at as u64).saturating_add(1);
        if let Some((_, sent)) = self.0.drain(..=at).next_back() {
            trips.measured(time.since(sent));
        }
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

    /// What they come to; `left` are the pings that are still outstanding at the end.
    pub(super) fn facts(mut self, left: &[Outstanding; 2]) -> PingFacts {
        self.samples.sort_unstable();
        let outstanding: usize = left.iter().map(|Outstanding(pings)| pings.len()).sum();
        PingFacts {
            answered: self.answered,
            unanswered: self.unanswered.saturating_add(outstanding as u64),
            extremes: self.extremes,
            median: median(&self.samples),
        }
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

    #[test]
    fn a_pong_answers_the_ping_with_its_payload_and_frees_the_earlier_ones() {
        let (mut pings, mut trips) = (Outstanding::default(), RoundTrips::default());
        pings.sent(b"a", ms(0), &mut trips);
        pings.sent(b"b", ms(10), &mut trips);
        pings.sent(b"c", ms(20), &mut trips);
        pings.answered(b"b", ms(13), &mut trips);
        pings.answered(b"a heartbeat", ms(14), &mut trips);
        let facts = trips.facts(&[pings, Outstanding::default()]);
        assert_eq!((facts.answered, facts.unanswered), (2, 1));
        assert_eq!(facts.extremes, Some((Span::from_millis(3), Span::from_millis(3))));
    }

    #[test]
    fn pings_without_payload_are_answered_in_order() {
        let (mut pings, mut trips) = (Outstanding::default(), RoundTrips::default());
        for at in [0, 100, 200] {
            pings.sent(b"", ms(at), &mut trips);
            pings.answered(b"", ms(at + 1 + at / 100), &mut trips);
        }
        let facts = trips.facts(&[pings, Outstanding::default()]);
        assert_eq!((facts.answered, facts.unanswered), (3, 0));
        assert_eq!(facts.median, Some(Span::from_millis(2)));
        assert_eq!(facts.extremes, Some((Span::from_millis(1), Span::from_millis(3))));
    }

    #[test]
    fn endless_pings_stay_within_their_limits() {
        let (mut pings, mut trips) = (Outstanding::default(), RoundTrips::default());
        for at in 0..10_000 {
            pings.sent(b"x", ms(at), &mut trips);
        }
        assert_eq!(pings.0.len(), limits::OUTSTANDING_PINGS);
        let mut answered = Outstanding::default();
        for at in 0..100_000 {
            answered.sent(b"", ms(at), &mut trips);
            answered.answered(b"", ms(at + at % 101), &mut trips);
        }
        assert!(trips.samples.len() <= limits::PING_SAMPLES);
        let facts = trips.facts(&[pings, answered]);
        assert_eq!((facts.answered, facts.unanswered), (100_000, 10_000));
        let median = facts.median.unwrap().as_nanos() / 1_000_000;
        assert!((40..=60).contains(&median), "{median}");
    }
}
