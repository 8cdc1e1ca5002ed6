//! Spans and numbers in sentences.

use crate::units::Span;

/// A measured length of time: `0.4 ms`, `30 ms`, `3.0 s`, `2 min 5 s`, `1 h 2 min`.
pub(super) fn span(span: Span) -> String {
    let millis = span.as_millis_f64();
    let seconds = span.as_nanos() / NANOS_PER_SECOND;
    match seconds {
        ..=0 if span.as_nanos() <= 0 => "0 ms".to_owned(),
        0 if millis < 10.0 => format!("{millis:.1} ms"),
        ..=0 => format!("{millis:.0} ms"),
        1..60 => format!("{:.1} s", millis / 1e3),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A length of time that somebody chose: in whole seconds if it is near some, `3 s` for 3.004 s.
pub(super) fn chosen(span: Span) -> String {
    let tenths = span.as_nanos().saturating_add(NANOS_PER_SECOND / 20) / (NANOS_PER_SECOND / 10);
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    match (seconds, tenth) {
        (3600.., _) if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        (121.., _) if seconds % 60 == 0 => format!("{} min", seconds / 60),
        (_, 0..=1) | (10.., _) => format!("{seconds} s"),
        _ => format!("{seconds}.{tenth} s"),
    }
}

/// A number of things: `1 SYN`, `4 SYNs`. The plural is regular.
pub(super) fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Things in a row: `a`, `a and b`, `a, b and c`.
pub(super) fn list(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// A text that begins a sentence: `The proxy 10.77.1.1`. The names of products keep their letters.
pub(super) fn begin(text: &str) -> String {
    text.strip_prefix("the ").map_or_else(|| text.to_owned(), |rest| format!("The {rest}"))
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        let cases = [
            (0, "0 ms"),
            (400_000, "0.4 ms"),
            (30_400_000, "30 ms"),
            (3_004_000_000, "3.0 s"),
            (125_000_000_000, "2 min 5 s"),
            (3_720_000_000_000, "1 h 2 min"),
            (-5_000_000, "0 ms"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(span(Span::from_nanos(nanos)), expected);
        }
    }

    #[test]
    fn chosen_spans_are_round() {
        for (millis, expected) in [
            (3_004, "3 s"),
            (2_960, "3 s"),
            (2_500, "2.5 s"),
            (60_060, "60 s"),
            (90_010, "90 s"),
            (300_004, "5 min"),
            (3_600_010, "1 h"),
        ] {
            assert_eq!(chosen(Span::from_millis(millis)), expected);
        }
    }

    #[test]
    fn things_stand_in_a_row() {
        let words = |words: &[&str]| list(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!((words(&["a"]), words(&["a", "b", "c"])), ("a".to_owned(), "a, b and c".to_owned()));
        assert_eq!(begin("the proxy 10.0.0.1"), "The proxy 10.0.0.1");
        assert_eq!((count(1, "SYN"), count(4, "SYN")), ("1 SYN".to_owned(), "4 SYNs".to_owned()));
    }
}
