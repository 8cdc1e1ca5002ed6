//! An upstream ends the connection instead of answering.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::waiting::{self, Unanswered};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::tcp::EndedBy;

/// An upstream ends the connection instead of answering.
pub(super) static RULE: Rule = Rule {
    name: "upstream-aborted",
    code: "WS403",
    severity: Severity::Error,
    summary: "the upstream takes the upgrade request and closes the connection without an answer",
    page: "\
## What it sees

The proxy's connection to the upstream opens, the whole upgrade request is sent, and the upstream closes (FIN) or
aborts (RST) without a byte of an answer. The proxy makes 502 of it (Envoy 503), so the client sees what looks like an
application that is down. It is not: something there accepted the connection.

## Why it breaks

- The process crashed on the request, or was just stopped.
- The server refuses a request that it does not like without words: some releases of Python's websockets close on
  HTTP/1.0, and IIS resets. If the proxy took `Upgrade` away, `upgrade-stripped` is told instead.
- The port expects TLS, or another protocol than HTTP.
- The proxy used a connection again that the upstream was just closing. That is a matter of chance, and rare.

## How to mend it

Look at the application's log at that moment. Send the same request to the upstream directly, from the proxy's host:
`curl -iN -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key:
dGhlIHNhbXBsZSBub25jZQ==' http://ADDRESS:PORT/PATH`. If that is closed too, the application is at fault. If it is
answered, the difference between the two requests is.
",
    see: "https://www.rfc-editor.org/rfc/rfc9112#section-9.5",
    explains: &["refused-by-proxy", "html-instead-of-101", "no-response", "client-gave-up"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let waits = waiting::innermost(route)
        .find(|waits| waits.is_ended_by(Role::Server) && waiting::comes_from_proxy(waits.leg))?;
    if is_answer_lost(route, &waits) {
        return None;
    }
    let upstream = waiting::upstream(waits.leg)?;
    let headline = match waits.ended {
        Some((_, EndedBy::Reset)) => "resets the connection instead of answering",
        _ => "closes the connection instead of answering",
    };
    let (request, end) = (waiting::request_line(route, waits.leg), waits.end_bit());
    let said = if let Some(before) = waits.ended_before {
        format!("It sends {end} {} before {request} comes, and no answer.", words::span(before))
    } else {
        let later = words::span(waits.waited);
        format!("It gets {request} in full and sends {end} {later} later, without a byte of an answer.")
    };
    let finding = Finding::new(&RULE, upstream, headline)
        .saying(said)
        .shown_by(waits.packets())
        .advising_also(waiting::other_protocol(waits.leg))
        .advising_also(waiting::unknown_subprotocol(&waits))
        .advising(
            "Something listens there, so the application is not down: look at its log, and whether this port expects \
             TLS or another protocol.",
        );
    let finding = waiting::made_of_it(finding, route, waits.leg);
    // Another upstream answered after all.
    Some(if route.has_failed() { finding } else { finding.at_most(Severity::Warning) })
}

/// Whether the client got a 101 that nobody else can have given: the capture lacks that of this upstream.
fn is_answer_lost(route: &RouteView<'_>, waits: &Unanswered<'_, '_>) -> bool {
    let Some(hop) = waits.leg.hop else { return false };
    let is_sibling = |leg: &&LegView<'_>| leg.hop.is_some_and(|other| other.from == hop.from);
    let switched = |leg: &LegView<'_>| leg.status() == Some(101);
    route.legs().nth(hop.from).is_some_and(switched) && !route.others.iter().filter(is_sibling).any(switched)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn aborted(by: From, how: fn(&mut Script, &mut Talk, From)) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        how(&mut script, &mut upstream, by);
        script.say(
            &mut client,
            From::Server,
            answer("502 Bad Gateway", &[("Server", "nginx/1.22.1")], "<html>"),
        );
        script
    }

    #[test]
    fn an_upstream_that_hangs_up_is_named() {
        let reset = |script: &mut Script, talk: &mut Talk, by| {
            script.reset(talk, by);
        };
        let close = |script: &mut Script, talk: &mut Talk, by| {
            script.close(talk, by);
        };
        let upstream = "error upstream-aborted: the upstream 10.77.2.2:3000";
        let script = aborted(From::Server, reset);
        assert_eq!(script.leading(), format!("{upstream} resets the connection instead of answering"));
        let finding = script.finding("upstream-aborted").unwrap();
        assert_eq!(
            finding.detail,
            [
                "It gets GET /ws in full and sends a RST 0.2 ms later, without a byte of an answer.",
                "nginx 1.22.1 (10.77.2.1) makes 502 of it."
            ]
        );
        assert_eq!(numbers(&finding), [4, 9, 11, 12]);
        let script = aborted(From::Server, close);
        assert_eq!(script.leading(), format!("{upstream} closes the connection instead of answering"));
        assert!(aborted(From::Client, reset).finding("upstream-aborted").is_none(), "the proxy did it");
    }

    #[test]
    fn the_upstream_side_alone_shows_it_too() {
        let mut script = Script::default();
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(&[("X-Forwarded-For", "192.0.2.7")]));
        script.reset(&mut upstream, From::Server);
        assert!(script.leading().starts_with("error upstream-aborted"), "{}", script.leading());
    }

    #[test]
    fn a_101_that_the_client_got_was_the_upstreams() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        script.say(&mut client, From::Server, switching()).wait_ms(50);
        script.reset(&mut upstream, From::Server);
        assert!(script.finding("upstream-aborted").is_none());
    }

    #[test]
    fn frames_behind_a_101_that_the_capture_lacks_are_no_abort() {
        let mut script = Script::default();
        let mut upstream = Script::midstream(PROXY_OUT, UPSTREAM);
        script.say_alone(&mut upstream, From::Client, request_with(&[("X-Forwarded-For", "192.0.2.7")]));
        // The client's next segment acknowledges the 101.
        upstream.loses(200);
        script.say(&mut upstream, From::Client, text_frame(From::Client, "hello"));
        script.say(&mut upstream, From::Server, text_frame(From::Server, "hello")).wait_ms(3_000);
        script.close(&mut upstream, From::Server);
        assert_eq!(script.rules(), [""; 0]);
    }

    #[test]
    fn the_captures_tell_an_abort_from_a_dropped_upgrade() {
        assert_eq!(
            leading_of("upstream-reset-502"),
            "error upstream-aborted: the upstream 10.77.2.2:8000 resets the connection instead of answering"
        );
        assert!(leading_of("stripped-502").starts_with("error upgrade-stripped"));
    }
}
