//! Attempts that work and attempts that fail at one place differ in what they ask with.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, RouteView};
use crate::diagnosis::words;
use crate::model::Outcome;
use crate::protocol::Role;
use crate::units::Endpoint;

/// Attempts that work and attempts that fail at one place differ in what they ask with.
pub(super) static RULE: Rule = Rule {
    name: "attempts-differ",
    code: "WS904",
    severity: Severity::Note,
    summary: "attempts for one path work and fail, and their requests differ in one field",
    page: "\
## What it sees

Attempts for the same path at the same server of which some are established and some refused, at least two of each, and
a field of the request that has one value (or is not there) in all that fail, and never in those that work. The fields
that decide upgrades are looked at first: Connection, Upgrade, the version, Origin, Host, credentials, subprotocols and
extensions, then all others.

## Why it breaks

It is a comparison, not a cause: what always goes with the failure is the first place to look. One browser works and
another does not because of `Connection: keep-alive, Upgrade`; one site works and another does not because of `Origin`;
who has no cookie is not let in.

## How to mend it

Repeat an attempt that works with that field changed (in the terminal UI `y` copies a request as a curl command). If it
fails, the field is the cause.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    explains: &[],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<(Endpoint, &str), Group<'_, '_>> = BTreeMap::new();
    for route in view.routes.iter().filter(|route| route.first.request.is_some()) {
        let of = (route.first.connection.endpoint(Role::Server), route.first.path());
        let group = groups.entry(of).or_default();
        match route.first.outcome {
            Outcome::Established => group.good.push(route),
            Outcome::Refused => group.bad.push(route),
            _ => {}
        }
    }
    groups.into_values().filter_map(|group| judge(&group.good, &group.bad)).collect()
}

/// Attempts for one path at one server.
#[derive(Default)]
struct Group<'v, 'a> {
    good: Vec<&'v RouteView<'a>>,
    bad: Vec<&'v RouteView<'a>>,
}

fn judge(good: &[&RouteView<'_>], bad: &[&RouteView<'_>]) -> Option<Finding> {
    if good.len() < LEAST || bad.len() < LEAST {
        return None;
    }
    let (name, value) = difference(good, bad)?;
    let example = bad.first()?;
    let sample = good.first()?;
    let shown = |route: &RouteView<'_>, value: Option<&[u8]>| {
        value.map_or_else(
            || "no such field".to_owned(),
            |value| format!("\"{}\"", route.quote_field(name, value)),
        )
    };
    let status = example.first.status().map(|status| format!(" with {status}")).unwrap_or_default();
    Some(
        Finding::new(
            &RULE,
            Blame::Client(example.first.connection.endpoint(Role::Client).address),
            format!("asks with another {name} where it fails"),
        )
        .about(About::Routes(bad.iter().map(|route| route.index).collect()))
        .saying(format!(
            "{} for {} {} refused{status}, all with {}; {} {} established, none of them so: the first has {}.",
            words::count(bad.len() as u64, "attempt"),
            example.quote(example.first.path().as_bytes()),
            if bad.len() == 1 { "is" } else { "are" },
            shown(example, value),
            words::count(good.len() as u64, "attempt"),
            if good.len() == 1 { "is" } else { "are" },
            shown(sample, first_value(sample, name)),
        ))
        .shown_by(example.first.packets().into_iter().chain(sample.first.packets())),
    )
}

/// The first field, in the order of what matters, with one value in all that fail and in none that works.
fn difference<'a>(good: &[&RouteView<'a>], bad: &[&RouteView<'a>]) -> Option<(&'a str, Option<&'a [u8]>)> {
    let names = |routes: &[&RouteView<'a>]| -> BTreeSet<String> {
        let heads = routes.iter().take(COMPARED).filter_map(|route| route.first.request.as_ref());
        heads.flat_map(|head| head.fields.iter().map(|(name, _)| name.to_ascii_lowercase())).collect()
    };
    let all: BTreeSet<String> = names(good).union(&names(bad)).cloned().collect();
    let mut order: Vec<&str> = FIRST.iter().copied().filter(|name| all.contains(*name)).collect();
    order
        .extend(all.iter().map(String::as_str).filter(|name| !FIRST.contains(name) && !FRESH.contains(name)));
    order.into_iter().find_map(|name| {
        let value = first_value(bad.first()?, name);
        let is_same = bad.iter().take(COMPARED).all(|route| first_value(route, name) == value);
        let is_apart = good.iter().take(COMPARED).all(|route| first_value(route, name) != value);
        if !(is_same && is_apart) {
            return None;
        }
        // As it is written on the wire.
        let heads = bad.iter().chain(good).filter_map(|route| route.first.request.as_ref());
        let mut written = heads.flat_map(|head| head.fields.iter()).map(|(written, _)| written);
        Some((written.find(|written| written.eq_ignore_ascii_case(name))?, value))
    })
}

fn first_value<'a>(route: &RouteView<'a>, name: &str) -> Option<&'a [u8]> {
    route.first.asked(name)
}

/// What decides upgrades.
const FIRST: &[&str] = &[
    "connection",
    "upgrade",
    "sec-websocket-version",
    "origin",
    "host",
    "cookie",
    "authorization",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];
/// What differs each time.
const FRESH: &[&str] = &[
    "sec-websocket-key",
    "x-request-id",
    "traceparent",
    "tracestate",
    "date",
    "x-forwarded-for",
    "content-length",
];
const LEAST: usize = 2;
/// Of many, so many are compared.
const COMPARED: usize = 200;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// Attempts, each with its Origin and whether it works.
    fn attempts(of: &[(&str, bool)]) -> Script {
        let mut script = Script::default();
        for (number, (origin, works)) in of.iter().enumerate() {
            let mut client = script.connect(&format!("10.77.1.2:{}", 50_000 + number), PROXY);
            script.say(&mut client, From::Client, request_with(&[("Origin", origin)]));
            let reply = if *works { switching() } else { answer("403 Forbidden", &[], "no") };
            script.say(&mut client, From::Server, reply);
        }
        script
    }

    #[test]
    fn the_field_that_goes_with_the_failure_is_told() {
        let (good, bad) = ("http://a.test", "http://b.test");
        let script = attempts(&[(good, true), (bad, false), (good, true), (bad, false)]);
        let finding = script.finding("attempts-differ").unwrap();
        assert_eq!(finding.sentence(), "the client 10.77.1.2 asks with another Origin where it fails");
        assert_eq!(
            finding.detail,
            [
                "2 attempts for /ws are refused with 403, all with \"http://b.test\"; 2 attempts are established, none of \
                 them so: the first has \"http://a.test\"."
            ]
        );
        assert_eq!(finding.severity.name(), "note");
    }

    #[test]
    fn what_is_the_same_in_both_is_not() {
        let one = "http://a.test";
        assert!(
            attempts(&[(one, true), (one, false), (one, true), (one, false)])
                .finding("attempts-differ")
                .is_none()
        );
        let other = "http://b.test";
        let mixed = attempts(&[(one, true), (other, false), (other, true), (other, false), (one, true)]);
        assert!(mixed.finding("attempts-differ").is_none());
    }
}
