//! A server does not know the session of an Engine.IO client.

use std::collections::BTreeSet;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::sessions_by_polling::{Kind, Request};
use crate::diagnosis::view::{CaptureView, LegView, RouteView};
use crate::diagnosis::words;
use crate::units::PacketNumber;

/// A server does not know the session of an Engine.IO client.
pub(super) static RULE: Rule = Rule {
    name: "engineio-session-unknown",
    code: "WS801",
    severity: Severity::Error,
    summary: "a Socket.IO or Engine.IO server answers 400: it does not know the session",
    page: "\
## What it sees

A request of Engine.IO with a session (`sid=`) that is answered with 400: a WebSocket attempt whose answer says
`Session ID unknown`, or polling requests, of which the capture keeps the status only. All requests of one session are
looked at together, on whatever connection. Where both sides of a proxy are in the capture and one session's requests
reach several upstreams, that is `session-not-sticky`.

## Why it breaks

Engine.IO begins with a polling request, in whose answer the server gives the session its name; the WebSocket comes
later and carries it. The session lives in the memory of one process. If the next request reaches another process or
replica, or the server was restarted, nobody there knows it: 400, and the client begins anew, for ever.

## How to mend it

- Send all requests of one client to the same process: `ip_hash` or `hash $cookie_io` in nginx's `upstream`, a sticky
  cookie in Traefik or the load balancer, `@socket.io/sticky` with Node's cluster.
- Or leave polling out: `transports: [\"websocket\"]` in the client. Then one connection is the whole session.
- An adapter (Redis) does not help here: it hands on messages, not sessions.
",
    see: "https://socket.io/docs/v4/using-multiple-nodes/",
    explains: &["refused-by-upstream", "refused-by-proxy", "no-response", "engineio-stuck-polling", "mixed-backends"],
    check: Check::Sessions(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    // What the answer of an attempt says is sure.
    let refused: Vec<(&RouteView<'_>, &LegView<'_>)> = view
        .routes
        .iter()
        .filter_map(|route| route.legs().filter(|leg| is_unknown(leg)).last().map(|leg| (route, leg)))
        .collect();
    if !view.routes.iter().any(|route| route.first.target().contains("EIO=")) && refused.is_empty() {
        // Without an attempt only polls are left: their status alone says little, unless there are several.
        return polls_alone(view);
    }
    let requests = view.requests();
    let polls: Vec<&Request<'_>> =
        requests.engine_io.iter().filter(|request| is_refused_poll(request)).collect();
    let Some((route, leg)) = refused.first() else { return of_polls(&polls) };
    let who = route.frames_from(leg, crate::protocol::Role::Server);
    let packets: Vec<PacketNumber> = refused.iter().flat_map(|(_, leg)| leg.packets()).collect();
    let routes: Vec<usize> = refused.iter().map(|(route, _)| route.index).collect();
    let other = (!polls.is_empty()).then(|| {
        format!(
            "{} with a session {} 400 as well.",
            words::count(polls.len() as u64, "polling request"),
            if polls.len() == 1 { "gets" } else { "get" }
        )
    });
    vec![
        Finding::new(&RULE, who, "does not know the session of an Engine.IO client")
            .about(About::Routes(routes))
            .saying(format!(
                "It answers {} with 400 and says that it does not know the session: the session was opened by polling at another \
                 process, or before a restart.",
                words::count(refused.len() as u64, "WebSocket attempt")
            ))
            .saying_also(other)
            .shown_by(packets)
            .shown_by(polls.iter().take(EXAMPLES).map(|request| request.packet))
            .advising(ADVICE),
    ]
}

fn polls_alone(view: &CaptureView<'_>) -> Vec<Finding> {
    let has_polls = view.capture.connections.iter().any(|connection| {
        connection
            .exchanges
            .iter()
            .any(|exchange| exchange.target.contains("EIO=") && exchange.target.contains("sid="))
    });
    if !has_polls {
        return Vec::new();
    }
    let requests = view.requests();
    let polls: Vec<&Request<'_>> =
        requests.engine_io.iter().filter(|request| is_refused_poll(request)).collect();
    of_polls(&polls)
}

/// Polling requests that are refused, on connections that may have no attempt.
fn of_polls(polls: &[&Request<'_>]) -> Vec<Finding> {
    let sessions: BTreeSet<&str> = polls.iter().map(|request| request.session).collect();
    let Some(first) = polls.first().filter(|_| polls.len() >= SEVERAL) else { return Vec::new() };
    let mut places: Vec<usize> = polls.iter().map(|request| request.connection).collect();
    places.sort_unstable();
    places.dedup();
    vec![
        Finding::new(&RULE, Blame::Server(first.server), "refuses polling requests of Engine.IO sessions")
            .at_most(Severity::Warning)
            .about(About::Connections(places))
            .saying(format!(
                "{} of {} {} 400. Mostly the session was opened at another process, and the answer says \"Session ID \
                 unknown\".",
                words::count(polls.len() as u64, "request"),
                words::count(sessions.len() as u64, "session"),
                if polls.len() == 1 { "gets" } else { "get" }
            ))
            .shown_by(polls.iter().take(EXAMPLES).map(|request| request.packet))
            .advising(ADVICE),
    ]
}

fn is_refused_poll(request: &Request<'_>) -> bool {
    request.kind == Kind::Poll && request.status == Some(BAD_REQUEST) && !request.session.is_empty()
}

/// Whether the answer of an attempt says so: in JSON to requests, in plain words to upgrades; Python's engine in words of
/// its own (python-engineio 4).
fn is_unknown(leg: &LegView<'_>) -> bool {
    let says = |words: &[u8]| memchr::memmem::find(leg.body(), words).is_some();
    leg.status() == Some(BAD_REQUEST)
        && leg.target().contains("EIO=")
        && leg.target().contains("sid=")
        && (says(b"Session ID unknown") || says(b"\"code\":1,") || says(b"Invalid session "))
}

const ADVICE: &str = "Send all requests of one client to the same process (a sticky cookie, ip_hash, @socket.io/sticky), \
                      or let clients use transports: [\"websocket\"] only.";
const BAD_REQUEST: u16 = 400;
const EXAMPLES: usize = 10;
/// One may have another reason.
const SEVERAL: usize = 2;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const TARGET: &str = "/socket.io/?EIO=4&transport=websocket&sid=lv_VI97HAXpY6yYWAAAC";

    fn attempt(body: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("GET", TARGET)]));
        script.say(&mut client, From::Server, answer("400 Bad Request", &[], body));
        script
    }

    #[test]
    fn an_attempt_with_a_session_that_nobody_knows_is_told() {
        for body in [
            "Session ID unknown",
            "{\"code\":1,\"message\":\"Session ID unknown\"}",
            "\"Invalid session abc\"",
        ] {
            let script = attempt(body);
            assert_eq!(
                script.leading(),
                "error engineio-session-unknown: the server 10.77.1.1:80 does not know the session of an Engine.IO client"
            );
            assert_eq!(script.rules(), ["engineio-session-unknown"]);
        }
    }

    #[test]
    fn polling_requests_alone_are_a_warning_and_other_refusals_none() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        for _ in 0..3 {
            let poll = "GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: a\r\n\r\n";
            script.say(&mut client, From::Client, poll);
            script.say(&mut client, From::Server, answer("400 Bad Request", &[], "{\"code\":1}"));
        }
        assert_eq!(script.finding("engineio-session-unknown").unwrap().severity.name(), "warning");
        assert!(
            attempt("{\"code\":3,\"message\":\"Bad request\"}").finding("engineio-session-unknown").is_none()
        );
    }
}
