//! Sessions are cut at a certain age, whatever flows on them.

use std::collections::BTreeMap;

use crate::diagnosis::ends::{self, End, Ends, With};
use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::timeouts;
use crate::diagnosis::view::{CaptureView, RouteView};
use crate::diagnosis::words;
use crate::model::Outcome;
use crate::units::{Span, Timestamp};

/// Sessions are cut at a certain age, whatever flows on them.
pub(super) static RULE: Rule = Rule {
    name: "lifetime-limit",
    code: "WS502",
    severity: Severity::Error,
    summary: "sessions are cut at a certain age, whether something flows on them or not",
    page: "\
## What it sees

Two or more sessions that the same proxy or server ends at the same age, to 2 percent, though they began at different
times and something flowed on them until shortly before. No session over it is older. Two of them count if the age is a
whole number of seconds, three whatever it is. The end is a FIN or a RST without a Close frame, or Close 1001.

## Why it breaks

Some load balancers limit how long a connection may last at all, and a ping does not help: the backend timeout of
Google Cloud's load balancer is the lifetime of a WebSocket (30 s unless set), `stream_timeout` of Caddy,
`max_stream_duration` of Envoy. The client gets code 1006 at regular intervals.

## How to mend it

Raise the limit where there is one: `timeoutSec` of the backend service in Google Cloud, `stream_timeout` in Caddy,
`max_stream_duration` and `max_connection_duration` in Envoy. And write the client so that it connects again at once
and takes up where it was: a limit of some hours remains on most platforms, and servers are replaced.
",
    see: "https://cloud.google.com/load-balancing/docs/backend-service#timeout-setting",
    explains: &["no-close-frame", "close-unanswered"],
    check: Check::Ends(check),
};

fn check(view: &CaptureView<'_>, ends: &Ends<'_, '_>) -> Vec<Finding> {
    let candidates = ends.alone().filter(|end| is_candidate(end));
    let mut by_who: BTreeMap<&Blame, Vec<(Span, &End<'_, '_>)>> = BTreeMap::new();
    for end in candidates {
        if let Some(age) = age(end.route, end.at) {
            by_who.entry(&end.who).or_default().push((age, end));
        }
    }
    if by_who.values().all(|cuts| cuts.len() < 2) {
        return Vec::new();
    }
    let oldest = oldest(view);
    by_who.into_iter().filter_map(|(who, cuts)| judge(who, cuts, &oldest)).collect()
}

/// A cut from the middle, of a session that was not idle.
fn is_candidate(end: &End<'_, '_>) -> bool {
    let is_limit = match end.with {
        With::Connection(_) => true,
        With::CloseFrame(code) => code == GOING_AWAY,
    };
    is_limit && !end.is_by_client() && end.route.first.outcome == Outcome::Established
}

fn age(route: &RouteView<'_>, at: Timestamp) -> Option<Span> {
    let answered = route.first.attempt.response.as_ref()?.origin.time;
    Some(at.since(answered))
}

/// The longest that a session of anybody lasted: whoever ends all at one age has none that is older.
fn oldest(view: &CaptureView<'_>) -> BTreeMap<Blame, Span> {
    let mut oldest: BTreeMap<Blame, Span> = BTreeMap::new();
    for route in &view.routes {
        for leg in route.legs().filter(|leg| ends::session(leg).is_some()) {
            let until = leg.connection.tcp.ending.map_or(view.end, |ending| ending.origin.time);
            let Some(age) = age(route, until) else { continue };
            for who in [route.sender(leg), route.answerer(leg)] {
                let known = oldest.entry(who).or_insert(age);
                *known = (*known).max(age);
            }
        }
    }
    oldest
}

fn judge(
    who: &Blame,
    mut cuts: Vec<(Span, &End<'_, '_>)>,
    oldest: &BTreeMap<Blame, Span>,
) -> Option<Finding> {
    cuts.sort_by_key(|(age, end)| (*age, end.route.index));
    // The limit is the highest age: nothing gets older.
    let (limit, _) = *cuts.last()?;
    let group: Vec<&(Span, &End<'_, '_>)> = cuts.iter().filter(|(age, _)| is_same(*age, limit)).collect();
    let is_oldest = oldest.get(who).is_none_or(|oldest| is_same(*oldest, limit) || *oldest <= limit);
    let beyond = limit.as_nanos().checked_rem(NANOS_PER_SECOND).unwrap_or_default();
    let is_round = beyond <= ROUND || beyond >= NANOS_PER_SECOND.saturating_sub(ROUND);
    let enough = if is_round { group.len() >= 2 } else { group.len() >= 3 };
    let times = || group.iter().map(|(_, end)| end.at);
    let is_spread = times().max()?.since(times().min()?) > SPREAD;
    let latest = group.iter().map(|(_, end)| end.silence).min()?;
    // Who was silent all the time was cut for that.
    let is_busy = group.iter().filter(|(age, end)| end.silence.as_nanos() < age.as_nanos() / 4).count();
    let is_idle =
        group.iter().all(|(_, end)| timeouts::is_near(end.silence, latest) && end.is_after_timeout());
    let others = cuts.len().saturating_sub(group.len());
    if limit < LEAST || !enough || !is_oldest || !is_spread || is_busy < 2 || is_idle || others > group.len()
    {
        return None;
    }
    let mut routes: Vec<usize> = group.iter().map(|(_, end)| end.route.index).collect();
    routes.sort_unstable();
    let is_sure = is_round && group.iter().all(|(_, end)| end.is_whole);
    let length = words::chosen(limit);
    let known: Vec<String> = timeouts::near(limit)
        .iter()
        .filter(|known| known.is_lifetime)
        .map(|known| known.setting.to_owned())
        .collect();
    let setting = (!known.is_empty()).then(|| format!("{length} is the default of {}.", words::list(&known)));
    Some(
        Finding::new(&RULE, who.clone(), format!("cuts sessions at the age of {length}"))
            .at_most(if is_sure { Severity::Error } else { Severity::Warning })
            .about(About::Routes(routes))
            .saying(format!(
                "{} sessions end {length} after their 101, though something still flowed {} before the end; none gets \
                 older.",
                group.len(),
                words::span(latest)
            ))
            .saying_also(setting)
            .shown_by(group.iter().flat_map(|(_, end)| end.packets()))
            .advising("Raise the limit there, and let the client connect again at once: pings do not help against it."),
    )
}

fn is_same(one: Span, other: Span) -> bool {
    let tolerance = (one.as_nanos().max(other.as_nanos()) / 50).clamp(ROUND, NANOS_PER_SECOND);
    one.as_nanos().abs_diff(other.as_nanos()) <= tolerance.unsigned_abs()
}

/// RFC 6455 section 7.4.1.
const GOING_AWAY: u16 = 1001;
/// No platform allows less.
const LEAST: Span = Span::from_millis(5_000);
/// What ends at once is no age.
const SPREAD: Span = Span::from_millis(1_500);
/// What a timer and the network add.
const ROUND: i64 = 150_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// Sessions one after the other: each chats every second and is cut by the server after so many milliseconds.
    fn sessions(ages_ms: &[u64]) -> Script {
        let mut script = Script::default();
        for (number, age_ms) in ages_ms.iter().enumerate() {
            let mut client = script.connect(&format!("10.77.1.2:{}", 50_000 + number), PROXY);
            script.say(&mut client, From::Client, request()).say(&mut client, From::Server, switching());
            for _ in 0..age_ms / 1000 {
                script.wait_ms(999).say(&mut client, From::Client, text_frame(From::Client, "tick"));
            }
            script.wait_ms(age_ms % 1000).close(&mut client, From::Server);
        }
        script
    }

    #[test]
    fn sessions_that_all_reach_one_age_are_told() {
        let script = sessions(&[30_010, 30_030, 30_020]);
        assert_eq!(
            script.leading(),
            "error lifetime-limit: the server 10.77.1.1:80 cuts sessions at the age of 30 s"
        );
        assert!(!script.rules().contains(&"no-close-frame"));
        assert!(script.finding("lifetime-limit").unwrap().detail[1].contains("Google Cloud"));
    }

    #[test]
    fn ages_that_differ_a_single_cut_and_idle_cuts_are_left_alone() {
        for ages in [&[30_010, 12_700, 21_300][..], &[30_010], &[30_010, 30_020, 47_300]] {
            assert!(sessions(ages).finding("lifetime-limit").is_none(), "{ages:?}");
        }
        let mut script = Script::default();
        for number in 0..3 {
            let mut client = script.connect(&format!("10.77.1.2:{}", 50_000 + number), PROXY);
            script.say(&mut client, From::Client, request()).say(&mut client, From::Server, switching());
            script.wait_ms(30_005).close(&mut client, From::Server);
        }
        assert!(script.finding("lifetime-limit").is_none(), "that is an idle timeout");
    }
}
