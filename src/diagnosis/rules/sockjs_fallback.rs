//! A `SockJS` client falls back to polling after its WebSocket failed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::sessions_by_polling::{Kind, Request};
use crate::diagnosis::view::CaptureView;
use crate::model::{path_of_target, sockjs_session};
use crate::units::Span;

/// A `SockJS` client falls back to polling after its WebSocket failed.
pub(super) static RULE: Rule = Rule {
    name: "sockjs-fallback",
    code: "WS809",
    severity: Severity::Warning,
    summary: "a SockJS client falls back to polling after its WebSocket attempt failed",
    page: "\
## What it sees

A WebSocket attempt of SockJS (`/prefix/NNN/SESSION/websocket`) that fails, and within a minute requests of the same
client below the same prefix with another transport: `xhr_streaming`, `xhr`, `eventsource` or others.

## Why it breaks

SockJS hides that the WebSocket does not work: it tries one transport after the other. Everything seems to be in order,
and each message costs an HTTP request; behind a proxy that buffers answers streaming stalls as well.

## How to mend it

The finding on the attempt itself says what is wrong with the upgrade. The fallback goes away with it.
",
    see: "https://github.com/sockjs/sockjs-client#supported-transports-by-browser-html-served-from-http-or-https",
    explains: &[],
    check: Check::Sessions(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let requests = view.requests();
    let failed = requests.sockjs.iter().filter(|request| {
        request.kind == Kind::WebSocket && request.status.is_some_and(|status| status != SWITCHING)
    });
    // By client and prefix, in the order of time.
    let mut polls: BTreeMap<(IpAddr, &str), Vec<&Request<'_>>> = BTreeMap::new();
    for poll in requests.sockjs.iter().filter(|request| request.kind == Kind::Poll) {
        polls.entry((poll.client.address, prefix(poll.target))).or_default().push(poll);
    }
    let by_request = view.routes_by_request();
    let mut routes: Vec<usize> = Vec::new();
    let mut example: Option<(&Request<'_>, &Request<'_>, Vec<&str>)> = None;
    for attempt in failed {
        let Some(polls) = polls.get(&(attempt.client.address, prefix(attempt.target))) else { continue };
        let next = polls.partition_point(|poll| poll.packet <= attempt.packet);
        let soon = |poll: &&&Request<'_>| poll.time.since(attempt.time) <= MINUTE;
        let Some(fallback) = polls.get(next).filter(soon) else { continue };
        routes.extend(by_request.get(&attempt.packet));
        let tried = polls.get(next..).unwrap_or_default().iter().take_while(soon);
        example.get_or_insert_with(|| (attempt, *fallback, transports(tried)));
    }
    routes.sort_unstable();
    routes.dedup();
    let (Some((attempt, fallback, tried)), false) = (example, routes.is_empty()) else { return Vec::new() };
    vec![
        Finding::new(
            &RULE,
            Blame::Client(attempt.client.address),
            "falls back to polling since its WebSocket failed",
        )
        .about(About::Routes(routes))
        .saying(format!(
            "The WebSocket of SockJS is answered with {}, and the client goes on with {}.",
            attempt.status.unwrap_or_default(),
            tried.join(", then ")
        ))
        .shown_by([attempt.packet, fallback.packet]),
    ]
}

/// The transports by which a client receives, in the order in which it tries them.
fn transports<'r, 'a: 'r>(polls: impl Iterator<Item = &'r &'r Request<'a>>) -> Vec<&'a str> {
    let mut tried = Vec::new();
    for (_, transport) in polls.filter_map(|poll| sockjs_session(path_of_target(poll.target))) {
        if !transport.ends_with("_send") && !tried.contains(&transport) {
            tried.push(transport);
        }
    }
    tried
}

/// What stands before the server, the session and the transport.
fn prefix(target: &str) -> &str {
    path_of_target(target).rsplitn(4, '/').nth(3).unwrap_or_default()
}

const SWITCHING: u16 = 101;
const MINUTE: Span = Span::from_millis(60_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn fallback(to: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("GET", "/echo/123/abcd/websocket")]));
        script.say(
            &mut client,
            From::Server,
            answer("400 Bad Request", &[], "Can \"Upgrade\" only to \"WebSocket\"."),
        );
        let mut client = script.connect("10.77.1.2:50001", PROXY);
        script.say(
            &mut client,
            From::Client,
            format!("POST {to} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        );
        script.say(&mut client, From::Server, answer("200 OK", &[], "o\n"));
        script
    }

    #[test]
    fn a_client_that_falls_back_is_told_beside_what_is_wrong() {
        let script = fallback("/echo/123/efgh/xhr_streaming");
        let finding = script.finding("sockjs-fallback").unwrap();
        assert_eq!(
            finding.detail,
            ["The WebSocket of SockJS is answered with 400, and the client goes on with xhr_streaming."]
        );
        assert!(script.leading().starts_with("error "), "what is wrong leads: {}", script.leading());
    }

    #[test]
    fn other_requests_are_not() {
        assert!(fallback("/other/123/efgh/xhr").finding("sockjs-fallback").is_none());
        assert!(fallback("/echo/info").finding("sockjs-fallback").is_none());
    }
}
