//! Notices that the clock was put to another time while packets come: their times are that clock's.

use std::time::Instant;

use crate::limits::LIVE_CLOCK_STEP;
use crate::report::count::span;
use crate::units::{Span, Timestamp};

/// The clock of the packets, beside one that nobody can put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    wall: Timestamp,
    steady: Instant,
}

impl Clock {
    pub(super) const fn new(wall: Timestamp, steady: Instant) -> Self {
        Self { wall, steady }
    }

    /// By how much it was put since this was asked the last time: what there is to say about it; none if it was not.
    pub(super) fn stepped(&mut self, wall: Timestamp, steady: Instant) -> Option<String> {
        let passed =
            i64::try_from(steady.saturating_duration_since(self.steady).as_nanos()).unwrap_or(i64::MAX);
        let by = wall.since(self.wall).as_nanos().saturating_sub(passed);
        *self = Self::new(wall, steady);
        let size = Span::from_nanos(by.saturating_abs());
        if size < LIVE_CLOCK_STEP {
            return None;
        }
        let size = span(size);
        Some(if by < 0 {
            format!(
                "the clock was put back by {size}: times and what is measured across that moment are wrong"
            )
        } else {
            format!(
                "the clock was put forward by {size}, or the machine slept: what is measured across that moment is wrong"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_steps_are_told() {
        let (steady, wall) = (super::super::now(), Timestamp::from_parts(1_800_000_000, 0));
        let mut clock = Clock::new(wall, steady);
        let mut ask = |wall_millis: i64, steady_millis: u64| {
            let wall = wall.after(Span::from_millis(wall_millis));
            clock.stepped(wall, steady + Duration::from_millis(steady_millis))
        };
        assert_eq!(ask(100, 100), None);
        // A step is told once, and a slow drift is none.
        let back = ask(100 - 3_600_000 + 100, 200).unwrap();
        assert!(back.starts_with("the clock was put back by 1 h 0 min"), "{back}");
        assert_eq!(ask(300 - 3_600_000 - 500, 300), None);
        let forward = ask(7_200_000, 400).unwrap();
        assert!(forward.starts_with("the clock was put forward by 3 h 0 min"), "{forward}");
        assert_eq!(ask(7_200_100, 500), None);
    }
}
