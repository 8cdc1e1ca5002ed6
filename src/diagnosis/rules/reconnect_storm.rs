//! A client comes again and again, and nothing comes of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::diagnosis::ends::{self, With};
use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, RouteView};
use crate::diagnosis::words;
use crate::model::{CloseKind, Outcome, close_meaning};
use crate::protocol::Role;
use crate::units::{Endpoint, Span, Timestamp, median};

/// A client comes again and again, and nothing comes of it.
pub(super) static RULE: Rule = Rule {
    name: "reconnect-storm",
    code: "WS903",
    severity: Severity::Warning,
    summary: "a client tries again and again at short intervals, and nothing comes of it",
    page: "\
## What it sees

Six attempts or more of one client for the same path at the same server, one after the other, half of the time at most
ten seconds apart, each of which fails or breaks within five seconds. How they come is told: at a constant interval, or
further and further apart. Attempts of which several are open at the same time are several clients behind one address
and do not count.

## Why it breaks

The client connects again whenever it fails, which is right, and nothing makes it wait, or it waits always as long. What
keeps it from getting in is the first failure, not the later ones: after some time a proxy may answer 429 or 503 because
of the attempts themselves. A thousand clients that do so after a restart are a load that keeps the server down.

## How to mend it

Look at the finding on the first attempt; the storm ends with it. And let the client wait longer each time, up to a
minute, plus a random part, and give up where the answer says that trying again is no use (401, 403, 404, Close 4401).
",
    see: "https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/",
    explains: &[],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<(IpAddr, Endpoint, &str), Vec<&RouteView<'_>>> = BTreeMap::new();
    for route in view.routes.iter().filter(|route| route.first.known_sender.is_none()) {
        let connection = route.first.connection;
        let of = (
            route.first.over_tls.map_or(connection, |over| over.connection).endpoint(Role::Client).address,
            connection.endpoint(Role::Server),
            route.first.path(),
        );
        groups.entry(of).or_default().push(route);
    }
    groups
        .into_iter()
        .filter_map(|((client, server, _), routes)| judge(view, client, server, &routes))
        .collect()
}

/// An attempt that came to nothing: when it began, when it was over, and its route.
struct Try<'v, 'a> {
    began: Timestamp,
    over: Timestamp,
    route: &'v RouteView<'a>,
}

fn judge(
    view: &CaptureView<'_>,
    client: IpAddr,
    server: Endpoint,
    routes: &[&RouteView<'_>],
) -> Option<Finding> {
    if routes.len() < LEAST {
        return None;
    }
    let mut tries: Vec<Try<'_, '_>> = routes.iter().filter_map(|route| attempt(view, route)).collect();
    // Where most work it is no storm.
    if tries.len() < LEAST || tries.len().saturating_mul(2) < routes.len() {
        return None;
    }
    tries.sort_by_key(|attempt| attempt.began);
    let apart: Vec<Span> =
        tries.iter().zip(tries.iter().skip(1)).map(|(one, next)| next.began.since(one.began)).collect();
    let together = tries.iter().zip(tries.iter().skip(1)).filter(|(one, next)| next.began < one.over).count();
    let mut sorted = apart.clone();
    sorted.sort_unstable();
    let usual = median(&sorted)?;
    if usual > LONGEST_PAUSE || together.saturating_mul(10) > tries.len() {
        return None;
    }
    let first = tries.first()?;
    let whole = tries.last()?.began.since(first.began);
    let result = |attempt: &Try<'_, '_>| match attempt.route.first.status() {
        Some(SWITCHING) => "ended in a session that breaks".to_owned(),
        Some(status) => format!("was answered with {status}"),
        None => "got no answer".to_owned(),
    };
    let (begin, end) = (result(first), result(tries.last()?));
    let root = if begin == end {
        format!("The first {begin}, as the last.")
    } else {
        format!(
            "The first {begin}, the last {end}: look at the first, what comes later may follow from the storm."
        )
    };
    Some(
        Finding::new(&RULE, Blame::Client(client), "tries again and again")
            .about(About::Routes(tries.iter().map(|attempt| attempt.route.index).collect()))
            .saying(format!(
                "{} for {} at {server} within {} come to nothing{}.",
                words::count(tries.len() as u64, "attempt"),
                first.route.quote(first.route.first.path().as_bytes()),
                words::span(whole),
                cadence(&apart, usual)
            ))
            .saying(root)
            .shown_by(tries.iter().take(EXAMPLES).filter_map(|attempt| attempt.route.first.request_packet()))
            .advising("Mend what the first one fails of, and let the client wait longer each time, plus a random part."),
    )
}

fn attempt<'v, 'a>(view: &CaptureView<'_>, route: &'v RouteView<'a>) -> Option<Try<'v, 'a>> {
    let began = route.first.attempt.request.as_ref()?.origin.time;
    let ending = route.first.connection.tcp.ending.map(|ending| ending.origin.time);
    let answered = route.first.attempt.response.as_ref().map(|response| response.origin.time);
    let over = match route.first.outcome {
        Outcome::Established => {
            let end = ends::of(route)?;
            let answered = answered?;
            let is_broken = match end.with {
                With::Connection(_) => true,
                With::CloseFrame(code) => {
                    matches!(close_meaning(code, None).kind, CloseKind::Fault | CloseKind::Access)
                }
            };
            (is_broken && end.at.since(answered) <= SHORT).then_some(end.at)?
        }
        outcome if outcome.is_failure() => answered.or(ending).unwrap_or(view.end),
        _ => return None,
    };
    Some(Try { began, over, route })
}

/// How the attempts come, if that shows.
fn cadence(apart: &[Span], usual: Span) -> String {
    let is_near = |one: Span, other: Span| {
        one.as_nanos().abs_diff(other.as_nanos()) <= (other.as_nanos() / 5).unsigned_abs()
    };
    let same = apart.iter().filter(|span| is_near(**span, usual)).count();
    if same.saturating_mul(4) >= apart.len().saturating_mul(3) {
        return format!(", always {} apart", words::span(usual));
    }
    let grows = apart.iter().zip(apart.iter().skip(1)).filter(|(one, next)| next >= one).count();
    let (first, last) =
        (apart.first().copied().unwrap_or_default(), apart.last().copied().unwrap_or_default());
    if grows.saturating_mul(4) >= apart.len().saturating_sub(1).saturating_mul(3) && last > first {
        return format!(", first {} apart and then up to {}", words::span(first), words::span(last));
    }
    format!(", {} apart in the median", words::span(usual))
}

const SWITCHING: u16 = 101;
/// Fewer are a person who reloads a page.
const LEAST: usize = 6;
const LONGEST_PAUSE: Span = Span::from_millis(10_000);
/// Who is let in for so long got something.
const SHORT: Span = Span::from_millis(5_000);
const EXAMPLES: usize = 8;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// Attempts, each with the pause before it and the answer.
    fn attempts(of: &[(u64, &str)]) -> Script {
        let mut script = Script::default();
        for (number, (pause_ms, status)) in of.iter().enumerate() {
            script.wait_ms(*pause_ms);
            let mut client = script.connect(&format!("10.77.1.2:{}", 50_000 + number), PROXY);
            script.say(&mut client, From::Client, request());
            let reply = if *status == "101" { switching() } else { answer(status, &[], "no") };
            script.say(&mut client, From::Server, reply);
            if *status != "101" {
                script.close(&mut client, From::Server);
            }
        }
        script
    }

    #[test]
    fn a_client_that_comes_again_and_again_is_told_with_its_cadence() {
        let bad = "503 Service Unavailable";
        let script = attempts(&[
            (0, "502 Bad Gateway"),
            (1_000, bad),
            (1_000, bad),
            (1_000, bad),
            (1_000, bad),
            (1_000, bad),
        ]);
        let finding = script.finding("reconnect-storm").unwrap();
        assert_eq!(finding.sentence(), "the client 10.77.1.2 tries again and again");
        assert_eq!(
            finding.detail,
            [
                "6 attempts for /ws at 10.77.1.1:80 within 5.0 s come to nothing, always 1.0 s apart.",
                "The first was answered with 502, the last was answered with 503: look at the first, what comes later may \
                 follow from the storm."
            ]
        );
        assert!(script.leading().starts_with("error "), "the failure leads");
        let script =
            attempts(&[(0, bad), (1_000, bad), (2_000, bad), (4_000, bad), (8_000, bad), (16_000, bad)]);
        assert!(
            script.finding("reconnect-storm").unwrap().detail[0]
                .contains("first 1.0 s apart and then up to 16.0 s")
        );
    }

    #[test]
    fn few_slow_and_successful_attempts_are_left_alone() {
        let bad = "404 Not Found";
        assert!(attempts(&[(0, bad); 5]).finding("reconnect-storm").is_none());
        assert!(attempts(&[(60_000, bad); 8]).finding("reconnect-storm").is_none());
        assert!(attempts(&[(1_000, "101"); 8]).finding("reconnect-storm").is_none());
    }
}
