//! Times and durations in JSON.

use serde::{Serialize, Serializer};

use super::digits;
use crate::units::{Span, Timestamp};

/// Turns times into text. What two times of the same second share is made once.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: Option<(i64, TimeText)>,
}

/// A time in RFC 3339, UTC, with nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeText([u8; TIME_BYTES]);

impl Clock {
    /// The text of a time.
    pub(super) fn text(&mut self, time: Timestamp) -> TimeText {
        let second = time.as_nanos().div_euclid(NANOS_PER_SECOND);
        let nanos = time.as_nanos().rem_euclid(NANOS_PER_SECOND).unsigned_abs();
        let mut text = match self.second {
            Some((known, text)) if known == second => text,
            _ => {
                let text = TimeText::of_second(second);
                self.second = Some((second, text));
                text
            }
        };
        if let Some(fraction) = text.0.get_mut(FRACTION_AT..).and_then(|rest| rest.first_chunk_mut::<9>()) {
            let (millions, thousands) = (nanos / 1_000_000, nanos / 1_000 % 1_000);
            for (three, value) in fraction.chunks_exact_mut(3).zip([millions, thousands, nanos % 1_000]) {
                three.copy_from_slice(&digits::of_three(value));
            }
        }
        text
    }
}

impl TimeText {
    /// As ASCII.
    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The fraction is zero.
    fn of_second(second: i64) -> Self {
        let Ok(time) = jiff::Timestamp::from_second(second) else { return Self(*ZERO) };
        let time = jiff::tz::Offset::UTC.to_datetime(time);
        let mut bytes = *ZERO;
        let mut rest = bytes.as_mut_slice();
        // The year of an `i64` of nanoseconds has four digits.
        for (digits, value) in [
            (4, time.year().unsigned_abs()),
            (2, time.month().unsigned_abs().into()),
            (2, time.day().unsigned_abs().into()),
            (2, time.hour().unsigned_abs().into()),
            (2, time.minute().unsigned_abs().into()),
            (2, time.second().unsigned_abs().into()),
        ] {
            let Some((number, behind)) = rest.split_at_mut_checked(digits) else { break };
            let mut value = value;
            for digit in number.iter_mut().rev() {
                *digit = b'0' | u8::try_from(value % 10).unwrap_or_default();
                value /= 10;
            }
            // The sign behind it stays.
            rest = behind.get_mut(1..).unwrap_or_default();
        }
        Self(bytes)
    }
}

impl Serialize for TimeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// Milliseconds. The quotient is the double nearest to at most six decimals, and is written with as many.
pub(super) fn millis(span: Span) -> f64 {
    span.as_millis_f64()
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const ZERO: &[u8; TIME_BYTES] = b"0000-00-00T00:00:00.000000000Z";
const TIME_BYTES: usize = "2026-11-23T19:28:43.636962000Z".len();
const FRACTION_AT: usize = "2026-11-23T19:28:43.".len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nanoseconds() {
        let mut clock = Clock::default();
        let cases = [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_795_459_723_636_962_000, "2026-11-23T18:48:43.636962000Z"),
            (1_795_459_723_999_999_999, "2026-11-23T18:48:43.999999999Z"),
            (1_795_459_724_000_000_000, "2026-11-23T18:48:44.000000000Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ];
        for (nanos, expected) in cases {
            let text = clock.text(Timestamp::from_nanos(nanos));
            assert_eq!(str::from_utf8(&text.0).unwrap(), expected);
        }
    }

    #[test]
    fn durations_have_at_most_six_decimals() {
        let cases = [
            (47_000, "0.047"),
            (30_000_000, "30.0"),
            (1_000, "0.001"),
            (123_456_789_012_345, "123456789.012345"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(serde_json::to_string(&millis(Span::from_nanos(nanos))).unwrap(), expected);
        }
    }
}
