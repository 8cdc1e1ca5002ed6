//! The first line: how many upgrade attempts there were and failed.
//!
//! It needs the totals alone, so that a report of only this line costs nothing.

use anstyle::Style;

use super::page::{BAD, GOOD, UNSURE};
use crate::diagnosis::{Severity, Verdict};
use crate::model::{Outcome, Totals};
use crate::protocol::OpaqueReason;
use crate::report::count::{count, number, span, verb};
use crate::routes::CountedOnce;
use crate::text;

/// The verdict, and how it is to look.
pub(super) fn verdict(totals: &Totals) -> (String, Style) {
    let midstream = totals.attempts_with(Outcome::Midstream);
    let unknown = totals.attempts_with(Outcome::Unknown);
    let established = totals.attempts_with(Outcome::Established);
    let seen = totals.attempts_total().saturating_sub(midstream);
    let failed = seen.saturating_sub(established).saturating_sub(unknown);
    let already_open = match midstream {
        0 => String::new(),
        _ => format!("; {} open before the capture began", verb_count(midstream)),
    };
    if seen == 0 {
        if midstream == 0 {
            return nothing(totals);
        }
        let sessions = count(midstream, "WebSocket session");
        return (format!("{sessions}, open before the capture began; no upgrade attempt"), UNSURE);
    }
    let attempts = count(seen, "upgrade attempt");
    let undecided = match unknown {
        0 => String::new(),
        _ => format!(", the outcome of {} is not in the capture", number(unknown)),
    };
    let (verdict, style) = if failed == 1 && seen == 1 {
        ("the only upgrade attempt failed".to_owned(), BAD)
    } else if failed > 0 {
        (format!("{} of {attempts} failed{undecided}", number(failed)), BAD)
    } else if established == seen {
        (verb_all(seen, "succeeded"), GOOD)
    } else if established > 0 {
        (format!("{} of {attempts} succeeded{undecided}", number(established)), UNSURE)
    } else {
        (format!("the outcome of {} is not in the capture", verb_the(seen)), UNSURE)
    };
    (format!("{verdict}{already_open}"), style)
}

/// The verdict with the leading finding, if it is an error or all else is well, or with the good news that there is
/// nothing to find.
pub(super) fn with_cause(
    (verdict, style): (String, Style),
    totals: &Totals,
    leading: Option<&Verdict<'_>>,
) -> (String, Style) {
    let failed = Outcome::ALL.into_iter().filter(|outcome| outcome.is_failure());
    let has_failed = failed.map(|outcome| totals.attempts_with(outcome)).sum::<u64>() > 0;
    match leading.map(|leading| leading.example) {
        Some(finding) if finding.severity == Severity::Error => {
            let cause = finding.sentence();
            let cause = text::escape(&cause);
            if has_failed {
                (format!("{verdict}: {cause}"), BAD)
            } else {
                (format!("{verdict}, but {cause}"), BAD)
            }
        }
        Some(finding) if finding.severity == Severity::Warning && style == GOOD => {
            (format!("{verdict}, but {}", text::escape(&finding.sentence())), UNSURE)
        }
        None if style == GOOD => (format!("{verdict}; nothing is wrong with {}", them(totals)), style),
        _ => (verdict, style),
    }
}

fn them(totals: &Totals) -> &'static str {
    if totals.attempts_total() == 1 { "it" } else { "them" }
}

/// How much there was: packets and time.
pub(crate) fn extent(totals: &Totals) -> String {
    let packets = count(totals.packets, "packet");
    match totals.first_and_last {
        Some((first, last)) if totals.packets > 1 => format!("{packets}, {}", span(last.since(first))),
        _ => packets,
    }
}

/// The same with the number of connections on which attempts were seen, if some passed a proxy.
pub(super) fn extent_with_connections(counted: &CountedOnce) -> String {
    let extent = extent(&counted.totals);
    let Some(connections) = counted.seen_on else { return extent };
    let attempts = count(counted.totals.attempts_total(), "attempt");
    format!("{extent}; {attempts}, seen on {}", count(connections, "connection"))
}

/// The attempts by outcome and how long answers took; none if the verdict says it all.
pub(crate) fn tally(totals: &Totals) -> Option<String> {
    let by_outcome: Vec<String> = super::ORDER
        .into_iter()
        .map(|outcome| (outcome, totals.attempts_with(outcome)))
        .filter(|(_, attempts)| *attempts > 0)
        .map(|(outcome, attempts)| format!("{} {}", number(attempts), outcome.name()))
        .collect();
    let by_outcome = (by_outcome.len() > 1).then(|| by_outcome.join(", "));
    let established = totals.attempts_with(Outcome::Established);
    let latency = totals.latency.filter(|_| established > 1).map(|latency| {
        let (median, max) = (span(latency.median), span(latency.max));
        match established {
            ..MANY => format!("upgraded after {median} (median), {max} (slowest)"),
            _ => format!("upgraded after {median} (median), {} (95 %), {max} (slowest)", span(latency.p95)),
        }
    });
    let parts: Vec<String> = by_outcome.into_iter().chain(latency).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What there was instead of attempts.
fn nothing(totals: &Totals) -> (String, Style) {
    let connections = totals.tcp.connections;
    let encrypted = totals.opaque.get(&OpaqueReason::Tls).copied().unwrap_or_default();
    let unopened = totals.tcp.refused.saturating_add(totals.tcp.unanswered);
    let verdict = match (totals.packets, connections) {
        (0, _) => "the capture has no packets".to_owned(),
        (packets, _) if totals.filtered == packets => "the filter leaves nothing to look at".to_owned(),
        (_, 0) if unopened == 0 => "no WebSocket upgrade attempt: no TCP connection".to_owned(),
        (_, 0) => format!(
            "no WebSocket upgrade attempt: {} {} opened",
            verb(unopened, "the only connection was", "none of the connections was"),
            verb(unopened, "not", "ever")
        ),
        (_, 1) if encrypted == 1 => {
            "no WebSocket upgrade attempt can be seen: the only connection is encrypted (TLS)".to_owned()
        }
        (_, all) if encrypted == all => {
            format!(
                "no WebSocket upgrade attempt can be seen: all {} are encrypted (TLS)",
                count(all, "connection")
            )
        }
        (_, all) => {
            let encrypted = match encrypted {
                0 => String::new(),
                some => format!(", {} of them encrypted (TLS)", number(some)),
            };
            format!("no WebSocket upgrade attempt among {}{encrypted}", count(all, "connection"))
        }
    };
    (verdict, UNSURE)
}

fn verb_count(sessions: u64) -> String {
    format!("{} {}", count(sessions, "session"), verb(sessions, "was", "were"))
}

fn verb_all(attempts: u64, done: &str) -> String {
    match attempts {
        1 => format!("the only upgrade attempt {done}"),
        2 => format!("both upgrade attempts {done}"),
        _ => format!("all {} upgrade attempts {done}", number(attempts)),
    }
}

fn verb_the(attempts: u64) -> String {
    match attempts {
        1 => "the only upgrade attempt".to_owned(),
        2 => "both upgrade attempts".to_owned(),
        _ => format!("all {} upgrade attempts", number(attempts)),
    }
}

/// From so many on, a percentile means something.
const MANY: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Latency;
    use crate::tcp::Counts;
    use crate::units::{Span, Timestamp};

    #[test]
    fn attempts_are_told_in_words() {
        use Outcome::{Established, Invalid, Midstream, Refused, Unanswered, Unknown};
        let cases: [(&[(Outcome, u64)], &str); 11] = [
            (&[(Refused, 1)], "the only upgrade attempt failed"),
            (&[(Refused, 2)], "2 of 2 upgrade attempts failed"),
            (&[(Refused, 1), (Invalid, 1), (Unanswered, 1), (Established, 1_000)], {
                "3 of 1,003 upgrade attempts failed"
            }),
            (&[(Refused, 1), (Unknown, 2)], {
                "1 of 3 upgrade attempts failed, the outcome of 2 is not in the capture"
            }),
            (&[(Established, 1)], "the only upgrade attempt succeeded"),
            (&[(Established, 4)], "all 4 upgrade attempts succeeded"),
            (&[(Established, 4), (Midstream, 1)], {
                "all 4 upgrade attempts succeeded; 1 session was open before the capture began"
            }),
            (&[(Established, 1), (Unknown, 1)], {
                "1 of 2 upgrade attempts succeeded, the outcome of 1 is not in the capture"
            }),
            (&[(Unknown, 1)], "the outcome of the only upgrade attempt is not in the capture"),
            (&[(Unknown, 2)], "the outcome of both upgrade attempts is not in the capture"),
            (&[(Midstream, 2)], "2 WebSocket sessions, open before the capture began; no upgrade attempt"),
        ];
        for (attempts, expected) in cases {
            let totals = Totals { attempts: attempts.iter().copied().collect(), ..Totals::default() };
            assert_eq!(verdict(&totals).0, expected);
        }
    }

    #[test]
    fn without_attempts_it_says_what_there_was() {
        let totals = |packets, connections, refused, tls| Totals {
            packets,
            tcp: Counts { connections, refused, ..Counts::default() },
            opaque: [(OpaqueReason::Tls, tls)].into_iter().filter(|(_, number)| *number > 0).collect(),
            ..Totals::default()
        };
        let cases = [
            (totals(0, 0, 0, 0), "the capture has no packets"),
            (totals(9, 0, 0, 0), "no WebSocket upgrade attempt: no TCP connection"),
            (Totals { filtered: 9, ..totals(9, 0, 0, 0) }, "the filter leaves nothing to look at"),
            (totals(9, 0, 1, 0), "no WebSocket upgrade attempt: the only connection was not opened"),
            (totals(9, 0, 3, 0), "no WebSocket upgrade attempt: none of the connections was ever opened"),
            (totals(9, 1, 0, 1), {
                "no WebSocket upgrade attempt can be seen: the only connection is encrypted (TLS)"
            }),
            (totals(9, 3, 0, 3), {
                "no WebSocket upgrade attempt can be seen: all 3 connections are encrypted (TLS)"
            }),
            (totals(9, 3, 0, 0), "no WebSocket upgrade attempt among 3 connections"),
            (totals(9, 3, 0, 2), {
                "no WebSocket upgrade attempt among 3 connections, 2 of them encrypted (TLS)"
            }),
        ];
        for (totals, expected) in cases {
            assert_eq!(verdict(&totals).0, expected);
        }
    }

    #[test]
    fn the_tally_says_what_the_verdict_does_not() {
        let millis = Span::from_millis;
        let latency = Latency { median: millis(2), p95: millis(30), max: millis(400) };
        let totals = |attempts: &[(Outcome, u64)]| Totals {
            attempts: attempts.iter().copied().collect(),
            latency: Some(latency),
            ..Totals::default()
        };
        let cases = [
            (vec![], None),
            (vec![(Outcome::Refused, 4)], None),
            (vec![(Outcome::Established, 1)], None),
            (vec![(Outcome::Refused, 1_000), (Outcome::Established, 2)], {
                Some("1,000 refused, 2 established; upgraded after 2.00 ms (median), 400 ms (slowest)")
            }),
            (vec![(Outcome::Established, 20)], {
                Some("upgraded after 2.00 ms (median), 30.0 ms (95 %), 400 ms (slowest)")
            }),
        ];
        for (attempts, expected) in cases {
            assert_eq!(tally(&totals(&attempts)).as_deref(), expected);
        }
    }

    #[test]
    fn the_extent_has_packets_and_time() {
        let time = Timestamp::from_nanos;
        let totals = Totals {
            packets: 22_000,
            first_and_last: Some((time(5), time(Span::from_millis(2_500).as_nanos()))),
            ..Totals::default()
        };
        assert_eq!(extent(&totals), "22,000 packets, 2.5 s");
    }
}
