//! Numbers for people: with thousands separators and units.

use crate::units::Span;

/// A number with separators: `1,234,567`.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 packet`, `2,000 packets`. The plural is regular.
pub(crate) fn count(value: u64, thing: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", number(value))
}

/// A number of bytes with about three digits and a unit: `999 B`, `1.23 kB`, `45.6 MB`, `789 GB`.
pub(crate) fn bytes(value: u64) -> String {
    let mut rest = (value, 0);
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        let (whole, thousandths) = rest;
        if whole < 1000 || unit == "TB" {
            return match whole {
                _ if unit == "B" => format!("{whole} B"),
                ..10 => format!("{whole}.{:02} {unit}", thousandths / 10),
                10..100 => format!("{whole}.{} {unit}", thousandths / 100),
                _ => format!("{} {unit}", number(whole)),
            };
        }
        rest = (whole / 1000, whole % 1000);
    }
    String::new()
}

/// One of two words, by number.
pub(crate) const fn verb(value: u64, one: &'static str, many: &'static str) -> &'static str {
    if value == 1 { one } else { many }
}

/// A length of time with about three digits and a unit: `0.047 ms`, `3.0 s`, `2 min 5 s`, `1 h 2 min`.
pub(crate) fn span(span: Span) -> String {
    let nanos = span.as_nanos();
    if nanos < 0 {
        return format!("-{}", self::span(Span::from_nanos(nanos.saturating_neg())));
    }
    let millis = span.as_millis_f64();
    match nanos.unsigned_abs().checked_ilog10() {
        None => "0 ms".to_owned(),
        Some(..6) => format!("{millis:.3} ms"),
        Some(6) => format!("{millis:.2} ms"),
        Some(7) => format!("{millis:.1} ms"),
        Some(8) => format!("{millis:.0} ms"),
        Some(_) if nanos < MINUTE => format!("{:.1} s", millis / 1e3),
        Some(_) => long_span(nanos / NANOS_PER_SECOND),
    }
}

fn long_span(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes} min {seconds} s"),
        1..48 => format!("{hours} h {minutes} min"),
        _ => format!("{} days {} h", hours / 24, hours % 24),
    }
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * NANOS_PER_SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_separated() {
        for (value, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), expected);
        }
        assert_eq!((count(1, "packet"), count(2, "packet")), ("1 packet".into(), "2 packets".into()));
    }

    #[test]
    fn bytes_have_units() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (45_678, "45.6 kB"),
            (789_000_000, "789 MB"),
            (1_234_000_000_000_000, "1,234 TB"),
        ];
        for (value, expected) in cases {
            assert_eq!(bytes(value), expected);
        }
    }

    #[test]
    fn spans_have_units() {
        let cases = [
            (0, "0 ms"),
            (47_000, "0.047 ms"),
            (1_383_000, "1.38 ms"),
            (32_040_000, "32.0 ms"),
            (999_000_000, "999 ms"),
            (3_004_000_000, "3.0 s"),
            (125_000_000_000, "2 min 5 s"),
            (3_720_000_000_000, "1 h 2 min"),
            (180_000_000_000_000, "2 days 2 h"),
            (-5_000_000, "-5.00 ms"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(span(Span::from_nanos(nanos)), expected);
        }
        assert!(span(Span::from_nanos(i64::MIN)).starts_with("-10"));
    }
}
