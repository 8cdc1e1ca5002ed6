//! The clock by which a file was captured, beside that of the file that is the measure.

use crate::units::{Span, Timestamp};

/// How a file's times are turned into those of another point of capture, and what is known of the two clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// What is to be taken off its times, from which of them on, in order. Between two the value goes over from one to
    /// the other. None for a clock that is the measure, or that nobody can tell.
    pub takes_off: Vec<(Timestamp, Span)>,
    /// How far it is ahead of the measure; negative if it is behind. What is taken off is less or more by the way that
    /// packets take: see [`crate::points`].
    pub ahead: Span,
    /// By how much that may be wrong either way; none if packets of one direction only tell it, so that nobody knows
    /// how long these took.
    pub error: Option<Span>,
    /// By how much it gains on the measure while the capture lasts; zero if that does not show.
    pub gains: Span,
}

impl Clock {
    /// Whether times are left as they are.
    #[must_use]
    pub const fn is_measure(&self) -> bool {
        self.takes_off.is_empty()
    }

    /// A time of the file, as the measure would tell it.
    #[must_use]
    pub fn correct(&self, time: Timestamp) -> Timestamp {
        let later = self.takes_off.partition_point(|(from, _)| *from <= time);
        let before = later.checked_sub(1).and_then(|before| self.takes_off.get(before));
        let off = match (before, self.takes_off.get(later)) {
            (Some((from, start)), Some((to, end))) => {
                let (whole, part) = (to.since(*from).as_nanos(), time.since(*from).as_nanos());
                let change = i128::from(end.as_nanos().saturating_sub(start.as_nanos()));
                let moved = (change.saturating_mul(i128::from(part))).checked_div(i128::from(whole));
                let moved = i64::try_from(moved.unwrap_or_default()).unwrap_or_default();
                start.as_nanos().saturating_add(moved)
            }
            (Some((_, off)), None) | (None, Some((_, off))) => off.as_nanos(),
            (None, None) => return time,
        };
        time.after(Span::from_nanos(off.saturating_neg()))
    }
}

/// Where a file was captured, as far as a comparison with the others tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standpoint {
    /// The point of capture: files of one host have the same, from 0. None for a file that has no packet in common with
    /// another.
    pub point: Option<u8>,
    /// Its clock.
    pub clock: Clock,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(takes_off: &[(i64, i64)]) -> Clock {
        let takes_off = takes_off
            .iter()
            .map(|(from, off)| (Timestamp::from_nanos(*from), Span::from_nanos(*off)))
            .collect();
        Clock { takes_off, ..Clock::default() }
    }

    #[test]
    fn times_are_corrected_by_what_holds_then() {
        let corrected = |clock: &Clock, time| clock.correct(Timestamp::from_nanos(time)).as_nanos();
        assert_eq!(corrected(&clock(&[]), 7), 7);
        for time in [-50, 0, 100, 5_000] {
            assert_eq!(corrected(&clock(&[(100, 30)]), time), time - 30);
        }
        let gains = clock(&[(100, 30), (200, 50)]);
        for (time, off) in [(0, 30), (100, 30), (150, 40), (200, 50), (900, 50)] {
            assert_eq!(corrected(&gains, time), time - off, "{time}");
        }
    }

    #[test]
    fn times_at_the_end_of_the_range_stay_in_it() {
        let far = clock(&[(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)]);
        for time in [i64::MIN, -1, 0, i64::MAX] {
            let _ = far.correct(Timestamp::from_nanos(time));
        }
    }
}
