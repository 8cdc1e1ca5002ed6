//! A server does not know the connection of a `SignalR` client.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::Role;

/// A server does not know the connection of a `SignalR` client.
pub(super) static RULE: Rule = Rule {
    name: "signalr-session-unknown",
    code: "WS803",
    severity: Severity::Error,
    summary: "a SignalR server answers 404: it does not know the connection that was negotiated",
    page: "\
## What it sees

A WebSocket attempt with a connection's name (`?id=`) that is answered with 404 and `No Connection with that ID`.

## Why it breaks

A SignalR client first asks `POST .../negotiate` and gets a name for its connection, which lives in the memory of that
process. Then it opens the WebSocket with the name. If the second request reaches another process or replica, or the
server was restarted in between, nobody there knows it.

## How to mend it

Send both requests to the same server (session affinity at the load balancer), use Azure SignalR Service, or let the
client skip the first step: `skipNegotiation: true` with `transport: HttpTransportType.WebSockets`.
",
    see: "https://learn.microsoft.com/aspnet/core/signalr/scale#sticky-sessions",
    explains: &["refused-by-upstream", "refused-by-proxy", "route-missing", "path-rewritten", "host-rewritten", "mixed-backends"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let leg = route.legs().filter(|leg| is_it(leg)).last()?;
    Some(
        Finding::new(
            &RULE,
            route.frames_from(leg, Role::Server),
            "does not know the connection that the client negotiated",
        )
        .saying(
            "It answers 404 and \"No Connection with that ID\": the name was given by another process, or before a \
             restart.",
        )
        .shown_by(route.packets())
        .advising(
            "Send negotiate and connect to the same server (session affinity), or let the client use \
             skipNegotiation: true.",
        ),
    )
}

/// Whether the leg is answered so.
pub(super) fn is_it(leg: &LegView<'_>) -> bool {
    leg.status() == Some(NOT_FOUND)
        && memchr::memmem::find(leg.body(), b"No Connection with that ID").is_some()
        && leg.target().contains("id=")
}

const NOT_FOUND: u16 = 404;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn attempt(target: &str, body: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("GET", target)]));
        script.say(&mut client, From::Server, answer("404 Not Found", &[], body));
        script
    }

    #[test]
    fn a_connection_that_nobody_knows_is_told() {
        let script = attempt("/hub?id=2gFEdJIBTxWqkQtDYFH2fg", "No Connection with that ID");
        assert_eq!(
            script.leading(),
            "error signalr-session-unknown: the server 10.77.1.1:80 does not know the connection that the client \
             negotiated"
        );
        assert_eq!(script.rules(), ["signalr-session-unknown"]);
    }

    #[test]
    fn another_404_is_not() {
        let script = attempt("/hub?id=2gFEdJIBTxWqkQtDYFH2fg", "Not Found");
        assert!(script.finding("signalr-session-unknown").is_none());
    }
}
