//! The clocks of senders, as their time stamps show them: RFC 7323 sections 3 and 5.4.
//!
//! A sender stamps each packet when it sends it, a retransmission too. So a packet with a stamp that is older than the
//! sender's clock was not sent just now, whatever brought it: it is one that was sent before.

use crate::units::{Span, Timestamp};

/// The clock of one half of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    first: (u32, Timestamp),
    /// The newest stamp, and when it was seen first.
    newest: (u32, Timestamp),
}

impl Clock {
    /// A clock of which one stamp was seen.
    pub(super) const fn new(stamp: u32, at: Timestamp) -> Self {
        Self { first: (stamp, at), newest: (stamp, at) }
    }

    /// Another stamp was seen.
    pub(super) const fn see(&mut self, stamp: u32, at: Timestamp) {
        if is_newer(stamp, self.newest.0) {
            self.newest = (stamp, at);
        }
    }

    /// Whether a packet with this stamp, which was seen `since` ago, cannot have been sent just now: the clock is known to
    /// have gone on, or it ticks too fast to stand still for so long.
    pub(super) fn is_past(&self, stamp: u32, since: Span) -> bool {
        is_newer(self.newest.0, stamp)
            || self.tick().is_some_and(|tick| since.as_nanos() >= tick.as_nanos().saturating_mul(TICKS))
    }

    /// How long it stands still, if it was watched for long enough.
    fn tick(&self) -> Option<Span> {
        let watched = self.newest.1.since(self.first.1);
        let ticks = i64::from(self.newest.0.wrapping_sub(self.first.0));
        (watched >= WATCHED).then_some(())?;
        watched.as_nanos().checked_div(ticks).map(Span::from_nanos)
    }
}

/// The time stamp of a TCP header (RFC 7323 section 3.2): `TSval`.
pub(super) fn stamp(header: &[u8]) -> Option<u32> {
    let mut options = header.get(FIXED_BYTES..)?;
    loop {
        options = match options {
            // RFC 9293 section 3.1: no operation.
            [1, rest @ ..] => rest,
            [8, 10, a, b, c, d, ..] => return Some(u32::from_be_bytes([*a, *b, *c, *d])),
            [0, ..] | [_, 0 | 1, ..] | [_] | [] => return None,
            [_, length, ..] => options.get(usize::from(*length)..)?,
        };
    }
}

/// Stamps wrap (RFC 7323 section 5.2).
const fn is_newer(stamp: u32, than: u32) -> bool {
    let ahead = stamp.wrapping_sub(than);
    ahead > 0 && ahead < 1 << 31
}

/// How long a clock is watched before its ticks are believed. What delays packets on the way to the capture is far less.
const WATCHED: Span = Span::from_millis(50);

/// A clock that stood still for so many ticks would be another one.
const TICKS: i64 = 3;

/// A TCP header without options.
const FIXED_BYTES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_stamp_is_found_among_options() {
        let header = |options: &[u8]| [&[0; 20], options].concat();
        let found = [
            &[1, 1, 8, 10, 1, 2, 3, 4, 9, 9, 9, 9][..],
            &[2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7],
            &[8, 10, 1, 2, 3, 4],
        ];
        for options in found {
            assert_eq!(stamp(&header(options)), Some(0x0102_0304), "{options:?}");
        }
        let none = [
            &[][..],
            &[0, 8, 10, 1, 2, 3, 4],
            &[5, 0, 8, 10, 1, 2, 3, 4],
            &[5, 1, 8, 10, 1, 2, 3, 4],
            &[8, 10, 1, 2, 3],
            &[5, 200, 1],
            &[8],
            &[1, 1],
        ];
        for options in none {
            assert_eq!(stamp(&header(options)), None, "{options:?}");
        }
        assert_eq!(stamp(&[0; 19]), None);
    }

    #[test]
    fn what_is_older_than_the_clock_is_past() {
        let mut clock = Clock::new(u32::MAX, at(0));
        assert!(!clock.is_past(u32::MAX, Span::from_millis(90)), "it may stand still");
        clock.see(0, at(1));
        assert!(clock.is_past(u32::MAX, Span::from_millis(2)));
        assert!(!clock.is_past(0, Span::from_millis(2)));
        // Packets that come late do not put it back.
        clock.see(u32::MAX - 7, at(2));
        assert!(clock.is_past(u32::MAX, Span::from_millis(2)));
        assert!(!clock.is_past(5, Span::from_millis(2)), "a stamp from what is to come");
    }

    #[test]
    fn a_clock_that_was_watched_cannot_stand_still_for_long() {
        for (tick, ticks) in [(1, 60), (10, 6), (100, 3)] {
            let mut clock = Clock::new(77, at(0));
            let newest = 77 + u32::try_from(ticks).unwrap();
            clock.see(newest, at(tick * ticks));
            assert!(!clock.is_past(newest, Span::from_millis(3 * tick - 1)), "{tick} ms");
            assert!(clock.is_past(newest, Span::from_millis(3 * tick)), "{tick} ms");
        }
        let mut clock = Clock::new(77, at(0));
        clock.see(100, at(23));
        assert!(!clock.is_past(100, Span::from_millis(90)), "not watched for long enough");
        clock.see(100, at(5_000));
        assert!(!clock.is_past(100, Span::from_millis(90)), "it has not gone on");
    }
}
