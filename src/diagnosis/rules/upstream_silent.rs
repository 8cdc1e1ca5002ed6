//! An upstream takes the request and never answers.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::waiting::{self, Unanswered};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::units::Span;

/// An upstream takes the request and never answers.
pub(super) static RULE: Rule = Rule {
    name: "upstream-silent",
    code: "WS404",
    severity: Severity::Error,
    summary: "the upstream takes the upgrade request and never answers it",
    page: "\
## What it sees

The whole upgrade request reaches the upstream, and not a byte comes back, until the proxy gives up and closes the
connection, the client does, or a minute has passed. The client gets the proxy's own 504; Apache says 502.

## Why it breaks

The operating system took the request, and the application did not get to it: a handler that blocks (on a database, a
lock, another service), a server with one thread that is busy, a process that is stopped. Or the port expects another
protocol, such as TLS, and waits for bytes that will never come.

## How to mend it

The application has to answer. Send the request to it directly, from the proxy's host, and look at what it is doing
meanwhile. A longer timeout in the proxy (`proxy_read_timeout` in nginx, `timeout server` in HAProxy, `ProxyTimeout`
in Apache) helps only if the application is slow and would have answered a little later.
",
    see: "https://www.rfc-editor.org/rfc/rfc9110#section-15.6.5",
    explains: &["refused-by-proxy", "html-instead-of-101", "no-response", "client-gave-up"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let waits = waiting::innermost(route)
        .find(|waits| !waits.is_ended_by(Role::Server) && waiting::comes_from_proxy(waits.leg))?;
    let upstream = waiting::upstream(waits.leg)?;
    let gave_up = client_gave_up(route, &waits);
    // It may have been slow and no more: that is told as the client's giving up.
    if gave_up && waits.waited < LONG {
        return None;
    }
    let severity = if route.has_failed() { Severity::Error } else { Severity::Warning };
    let sender = words::begin(&route.sender(waits.leg).spoken());
    let ended = match waits.ended {
        Some(_) if gave_up => "then the client gives up",
        Some(_) => "then closes the connection",
        None => "and the capture ends",
    };
    let finding = Finding::new(&RULE, upstream, "takes the request and does not answer")
        .at_most(severity)
        .saying(format!(
            "It acknowledges {} and sends nothing. {sender} waits {}, {ended}.",
            waiting::request_line(route, waits.leg),
            words::span(waits.waited)
        ))
        .shown_by(waits.packets())
        .advising(
            "The application has to answer: look for a handler that blocks, a single thread that is busy, or a port \
             that expects TLS. A longer timeout in the proxy only makes users wait longer.",
        );
    Some(waiting::made_of_it(finding, route, waits.leg))
}

/// Whether the client left before the proxy did.
fn client_gave_up(route: &RouteView<'_>, waits: &Unanswered<'_, '_>) -> bool {
    let ended = |waits: &Unanswered<'_, '_>| waits.leg.connection.tcp.ending.map(|ending| ending.origin.time);
    let first = Unanswered::of(route, &route.first).filter(|first| first.is_ended_by(Role::Client));
    first.is_some_and(|first| {
        let is_before = ended(waits).is_none_or(|closed| ended(&first).is_some_and(|left| left <= closed));
        first.leg.place != waits.leg.place && is_before
    })
}

/// Longer than any answer should take.
const LONG: Span = Span::from_millis(5_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn silent(script: &mut Script) -> (Talk, Talk) {
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        (client, upstream)
    }

    #[test]
    fn an_upstream_that_never_answers_is_named() {
        let mut script = Script::default();
        let (mut client, mut upstream) = silent(&mut script);
        script.wait_ms(5000).close(&mut upstream, From::Client);
        script.say(
            &mut client,
            From::Server,
            answer("504 Gateway Time-out", &[("Server", "nginx")], "<html>"),
        );
        assert_eq!(
            script.leading(),
            "error upstream-silent: the upstream 10.77.2.2:3000 takes the request and does not answer"
        );
        assert_eq!(
            script.finding("upstream-silent").unwrap().detail,
            [
                "It acknowledges GET /ws and sends nothing. nginx (10.77.2.1) waits 5.0 s, then closes the connection.",
                "nginx (10.77.2.1) makes 504 of it."
            ]
        );
    }

    #[test]
    fn a_client_that_leaves_early_is_not_the_upstreams_fault() {
        for (wait_ms, expected) in [
            (200, "note client-gave-up: the client 10.77.1.2 "),
            (2_000, "error client-gave-up: the upstream 10.77.2.2:3000 "),
            (10_000, "error upstream-silent: the upstream 10.77.2.2:3000 "),
        ] {
            let mut script = Script::default();
            let (mut client, mut upstream) = silent(&mut script);
            script.wait_ms(wait_ms).close(&mut client, From::Client).close(&mut upstream, From::Client);
            let leading = script.leading();
            assert!(leading.starts_with(expected), "{wait_ms} ms: {leading}");
            assert_eq!(script.rules().len(), 1, "{wait_ms} ms: it explains client-gave-up");
        }
    }

    #[test]
    fn a_capture_that_ends_right_there_shows_nothing() {
        let mut script = Script::default();
        silent(&mut script);
        assert_eq!(script.rules(), [""; 0]);
    }

    #[test]
    fn the_capture_of_a_silent_upstream_says_so() {
        assert_eq!(
            leading_of("upstream-silent-504"),
            "error upstream-silent: the upstream 10.77.2.2:8000 takes the request and does not answer"
        );
    }
}
