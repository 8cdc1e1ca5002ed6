//! Of several upstreams behind one proxy some work and some do not.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, LegView, RouteView};
use crate::diagnosis::words;
use crate::model::Outcome;
use crate::protocol::{RequestProblem, Role};
use crate::tcp::Opened;
use crate::units::{Endpoint, PacketNumber};

/// Of several upstreams behind one proxy some work and some do not.
pub(super) static RULE: Rule = Rule {
    name: "mixed-backends",
    code: "WS901",
    severity: Severity::Error,
    summary: "the same request works with one upstream of a proxy and fails with another",
    page: "\
## What it sees

Several attempts with the same path over the same proxy. Some are established and some fail, and which depends on
nothing but the upstream that the proxy chose: each upstream either always works or always fails.

## Why it breaks

The proxy spreads requests over upstreams that are not alike: one runs an older release without this path, one is
another service that listens there by mistake, one has crashed or never had the WebSocket server started. Users see a
connection that works at the second or third try.

## How to mend it

Bring the upstream that fails to the state of the others, or take it out of the group until then: `down` behind its
`server` line in nginx's `upstream`, `disable server` or a health check (`option httpchk`) in HAProxy, a readiness
probe in Kubernetes. A health check should ask for what the WebSocket needs, not only whether the port is open.
",
    see: "https://nginx.org/en/docs/http/ngx_http_upstream_module.html",
    explains: &["WS2", "WS3", "upstream-refused", "upstream-unreachable", "upstream-aborted", "upstream-silent"],
    check: Check::Capture(check),
};

/// What is known of one upstream.
#[derive(Default)]
struct Record {
    worked: u64,
    /// Routes on which it failed, with the packets that show it.
    failed: Vec<(usize, Vec<PacketNumber>)>,
    statuses: Vec<u16>,
}

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<(IpAddr, &str), BTreeMap<Endpoint, Record>> = BTreeMap::new();
    for route in &view.routes {
        note_legs(route, &mut groups);
        note_tries(route, &mut groups);
    }
    groups.into_iter().flat_map(|((_, path), group)| judge(view, path, &group)).collect()
}

type Groups<'a> = BTreeMap<(IpAddr, &'a str), BTreeMap<Endpoint, Record>>;

/// The upstreams that got the request.
fn note_legs<'a>(route: &RouteView<'a>, groups: &mut Groups<'a>) {
    for (before, hop, after) in route.hops() {
        let upstream = after.connection.endpoint(Role::Server);
        let group = groups.entry((hop.proxy.address, before.path())).or_default();
        let record = group.entry(upstream).or_default();
        if after.outcome == Outcome::Established {
            record.worked = record.worked.saturating_add(1);
        } else if after.outcome.is_failure() && !is_proxys_fault(before, after) {
            record.failed.push((route.index, after.packets()));
            record.statuses.extend(after.status());
        }
    }
}

/// The upstreams that never got it.
fn note_tries<'a>(route: &RouteView<'a>, groups: &mut Groups<'a>) {
    for connection in &route.tries {
        if matches!(connection.tcp.opening.opened, Opened::Refused | Opened::Unanswered) {
            let proxy = connection.endpoint(Role::Client).address;
            let group = groups.entry((proxy, route.first.path())).or_default();
            let record = group.entry(connection.endpoint(Role::Server)).or_default();
            record.failed.push((route.index, vec![connection.id()]));
        }
    }
}

/// Whether the proxy spoiled the request, which it does whatever the upstream.
fn is_proxys_fault(before: &LegView<'_>, after: &LegView<'_>) -> bool {
    let spoils = |problem| after.asks_with(problem) && !before.asks_with(problem);
    spoils(RequestProblem::UpgradeMissing)
        || spoils(RequestProblem::ConnectionTokenMissing)
        || spoils(RequestProblem::HttpVersionTooLow)
}

/// One finding for each upstream that always failed, if others always worked.
fn judge(view: &CaptureView<'_>, path: &str, group: &BTreeMap<Endpoint, Record>) -> Vec<Finding> {
    let is_split = group.values().all(|record| record.worked == 0 || record.failed.is_empty());
    let worked: u64 = group.values().map(|record| record.worked).fold(0, u64::saturating_add);
    let failed = group.values().map(|record| record.failed.len()).fold(0, usize::saturating_add);
    let enough = usize::try_from(worked).unwrap_or(usize::MAX).saturating_add(failed) >= ENOUGH;
    if !is_split || worked == 0 || failed == 0 || !enough {
        return Vec::new();
    }
    let others: Vec<String> = group
        .iter()
        .filter(|(_, record)| record.worked > 0)
        .map(|(upstream, _)| upstream.to_string())
        .collect();
    let of = |(upstream, record): (&Endpoint, &Record)| {
        let mut routes: Vec<usize> = record.failed.iter().map(|(route, _)| *route).collect();
        routes.dedup();
        let at = view.routes.binary_search_by_key(routes.first()?, |route| route.index).ok()?;
        let first = view.routes.get(at)?;
        let times = u64::try_from(record.failed.len()).unwrap_or(u64::MAX);
        let mut statuses = record.statuses.clone();
        statuses.sort_unstable();
        statuses.dedup();
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let with =
            if statuses.is_empty() { String::new() } else { format!(" with {}", words::list(&statuses)) };
        let finding = Finding::new(&RULE, Blame::Upstream(*upstream), "fails where other upstreams work")
            .about(About::Routes(routes))
            .saying(format!(
                "Requests for {} fail there {}{with}, and never work; at {} they work {} and never fail.",
                first.quote(path.as_bytes()),
                words::count(times, "time"),
                words::list(&others),
                words::count(worked, "time"),
            ))
            .shown_by(record.failed.iter().flat_map(|(_, packets)| packets.iter().copied()))
            .advising("Compare what runs there with the others: its release, its configuration, its port.");
        // One failure among many may have a reason of its own.
        Some(if times > 1 { finding } else { finding.at_most(Severity::Warning) })
    };
    group.iter().filter(|(_, record)| !record.failed.is_empty()).filter_map(of).collect()
}

/// Fewer attempts show no pattern.
const ENOUGH: usize = 3;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// Attempts one after the other, each with the upstream that it reaches and whether that one works.
    fn attempts(upstreams: &[(&str, bool)]) -> Script {
        let mut script = Script::default();
        for (number, (server, works)) in upstreams.iter().enumerate() {
            let letter = char::from(b'd' + u8::try_from(number).unwrap());
            let key = KEY.replacen('d', &letter.to_string(), 1);
            let accept = crate::protocol::accept_for(key.as_bytes());
            let request = request_with(&[("Sec-WebSocket-Key", &key)]);
            let reply = if *works {
                switching_with(&[("Sec-WebSocket-Accept", &accept)])
            } else {
                answer("404 Not Found", &[("Content-Type", "text/plain")], "no such path")
            };
            let mut client = script.connect(&format!("10.77.1.2:{}", 50_000 + number), PROXY);
            script.say(&mut client, From::Client, &request);
            let mut upstream = script.connect(&format!("10.77.2.1:{}", 40_000 + number), server);
            script.say(&mut upstream, From::Client, &request).say(&mut upstream, From::Server, &reply);
            script.say(&mut client, From::Server, &reply);
        }
        script
    }

    const GOOD: &str = "10.77.2.2:8000";
    const BAD: &str = "10.77.2.2:8001";

    #[test]
    fn an_upstream_that_always_fails_beside_others_is_named() {
        let script = attempts(&[(GOOD, true), (BAD, false), (GOOD, true), (BAD, false)]);
        let bad = "mixed-backends: the upstream 10.77.2.2:8001 fails where other upstreams work";
        assert_eq!(script.leading(), format!("error {bad}"));
        let finding = script.finding("mixed-backends").unwrap();
        assert_eq!(
            finding.detail,
            [
                "Requests for /ws fail there 2 times with 404, and never work; at 10.77.2.2:8000 they work 2 times and \
                 never fail."
            ]
        );
        assert_eq!(finding.about.count(), 2);
        assert_eq!(leading_of("mixed-backends"), format!("error {bad}"));
        let once = attempts(&[(GOOD, true), (BAD, false), (GOOD, true)]);
        assert_eq!(once.finding("mixed-backends").unwrap().severity.name(), "warning");
    }

    #[test]
    fn what_does_not_depend_on_the_upstream_alone_is_left_alone() {
        for script in [
            attempts(&[(GOOD, true), (BAD, false), (BAD, true), (GOOD, true)]),
            attempts(&[(GOOD, false), (BAD, false), (BAD, false)]),
            attempts(&[(GOOD, true), (BAD, false)]),
            attempts(&[(GOOD, true), (GOOD, false), (GOOD, true)]),
        ] {
            assert!(script.finding("mixed-backends").is_none());
        }
    }
}
