//! The clock of a pcapng interface: how long a tick is, and when its time starts.

use crate::units::Timestamp;

/// What turns an interface's ticks into time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Nanoseconds in a tick, if that is a whole number and nothing is to be added; otherwise 0.
    whole: u64,
    /// Ticks in a second; 0 if there are more than 2^128.
    per_second: u128,
    /// Nanoseconds to be added.
    offset: i128,
}

impl Clock {
    /// From `if_tsresol` and `if_tsoffset` (pcapng section 4.2).
    ///
    /// The resolution is a negative power of 10, or, with the highest bit set, of 2. The offset is in seconds.
    pub(super) fn new(resolution: u8, offset: i64) -> Self {
        let exponent = u32::from(resolution & 0x7F);
        let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
        let per_second = base.checked_pow(exponent).unwrap_or(0);
        let whole = match NANOS_PER_SECOND.checked_rem(per_second) {
            Some(0) if offset == 0 => NANOS_PER_SECOND.checked_div(per_second).unwrap_or(0),
            _ => 0,
        };
        Self {
            whole: u64::try_from(whole).unwrap_or(0),
            per_second,
            offset: i128::from(offset).saturating_mul(1_000_000_000),
        }
    }

    /// The time after so many ticks, cut down to whole nanoseconds and clamped to the range.
    #[inline]
    pub(super) fn time(&self, ticks: u64) -> Timestamp {
        match ticks.checked_mul(self.whole).map(i64::try_from) {
            Some(Ok(nanos)) if self.whole != 0 => Timestamp::from_nanos(nanos),
            _ => self.exact(ticks),
        }
    }

    #[cold]
    fn exact(&self, ticks: u64) -> Timestamp {
        // At most 2^64 * 2^30. More than 2^128 ticks in a second leave nothing of 2^64 ticks.
        let nanos = u128::from(ticks).saturating_mul(NANOS_PER_SECOND).checked_div(self.per_second);
        let nanos = i128::try_from(nanos.unwrap_or(0)).unwrap_or(i128::MAX).saturating_add(self.offset);
        let clamped = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Timestamp::from_nanos(i64::try_from(clamped).unwrap_or(i64::MAX))
    }
}

impl Default for Clock {
    /// Microseconds since 1970, as where no option says otherwise.
    fn default() -> Self {
        Self::new(6, 0)
    }
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(resolution: u8, offset: i64, ticks: u64) -> i64 {
        Clock::new(resolution, offset).time(ticks).as_nanos()
    }

    #[test]
    fn every_usual_resolution_is_exact() {
        assert_eq!(Clock::default().time(1_700_000_000_123_456).as_nanos(), 1_700_000_000_123_456_000);
        assert_eq!(nanos(9, 0, 1_700_000_000_123_456_789), 1_700_000_000_123_456_789);
        assert_eq!(nanos(3, 0, 1_700_000_000_123), 1_700_000_000_123_000_000);
        assert_eq!(nanos(0, 0, 1_700_000_000), 1_700_000_000_000_000_000);
        assert_eq!(nanos(12, 0, 1_999), 1);
        assert_eq!(nanos(0x80, 0, 5), 5_000_000_000);
        assert_eq!(nanos(0x80 | 0x14, 0, (7 << 20) + (1 << 19)), 7_500_000_000);
        assert_eq!(nanos(0x80 | 0x1E, 0, 3), 2);
    }

    #[test]
    fn every_resolution_there_is_agrees_with_long_division() {
        for resolution in 0..=u8::MAX {
            for ticks in [0, 1, 999, 1 << 32, 0x1234_5678_9ABC_DEF0, u64::MAX] {
                let (base, digits) = (if resolution < 128 { 10 } else { 2 }, resolution & 127);
                // Divide by the base once for each digit: floor of floor is floor.
                let mut exact = u128::from(ticks) * 1_000_000_000;
                for _ in 0..digits {
                    exact /= base;
                }
                let exact = i64::try_from(exact).unwrap_or(i64::MAX);
                assert_eq!(nanos(resolution, 0, ticks), exact, "resolution {resolution}, ticks {ticks}");
            }
        }
    }

    #[test]
    fn offsets_are_added_and_clamped() {
        assert_eq!(nanos(6, 10, 1_000_000), 11_000_000_000);
        assert_eq!(nanos(6, -10, 1_000_000), -9_000_000_000);
        assert_eq!(nanos(9, i64::MAX, u64::MAX), i64::MAX);
        assert_eq!(nanos(9, i64::MIN, 0), i64::MIN);
    }
}
