//! One side speaks the PROXY protocol and the other does not.

use crate::diagnosis::answers;
use crate::diagnosis::finding::{Blame, Finding, Fix};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::model::{Connection, Outcome};
use crate::protocol::{ProxyProtocol, Role};
use crate::routes::{Proxy, Software};
use crate::units::Endpoint;

/// One side speaks the PROXY protocol and the other does not.
pub(super) static RULE: Rule = Rule {
    name: "proxy-protocol-mismatch",
    code: "WS222",
    severity: Severity::Error,
    summary: "a PROXY protocol header is sent to a server that does not expect it, or is missing",
    page: "\
## What it sees

A connection begins with a header of the PROXY protocol, the line `PROXY TCP4 ...` or its binary form, and the server
answers the first request with 400 or closes the connection without an answer. Or the header is missing: the server
closes without an answer, while another connection to it began with the header and was answered.

## Why it breaks

The header tells a server who the client is, before the first byte of HTTP. A server that does not expect it takes it
for a broken request line; one that expects it refuses connections without it. Both sides have to be told.

## How to mend it

- HAProxy sends it with `send-proxy` or `send-proxy-v2` on the `server` line, and expects it with `accept-proxy` on the
  `bind` line.
- nginx expects it with `listen 80 proxy_protocol;` and sends it from the `stream` block with `proxy_protocol on;`; its
  `http` block does not send it.
- Apache expects it with `RemoteIPProxyProtocol On`.
- Most application servers do not know it: send `X-Forwarded-For` instead.
- Cloud load balancers have a switch for it on the target group or the listener.

A server that expects the header also needs it from health checks and from people who come directly.
",
    see: "https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt",
    explains: &["WS3", "upstream-aborted", "upstream-silent", "no-response"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    if !route.has_failed() {
        return None;
    }
    let on_legs = route.legs().find_map(|leg| unexpected(leg).or_else(|| missing(route, leg)));
    on_legs.or_else(|| route.tries.iter().find_map(|connection| unexpected_unasked(route, connection)))
}

/// The header was sent before there was a request, as proxies for TCP do, and the server closed at once.
fn unexpected_unasked(route: &RouteView<'_>, connection: &Connection) -> Option<Finding> {
    let version = connection.proxy_protocol?;
    let ending = connection.tcp.ending.filter(|_| connection.closed_by() == Some(Role::Server))?;
    let proxy = answers::opener(route, connection);
    let address = connection.endpoint(Role::Client).address;
    let server = connection.endpoint(Role::Server);
    let finding = told(&Proxy { address, ..proxy }, server, version)
        .saying("The server closes the connection, and no request came so far.")
        .shown_by([connection.id(), ending.origin.packet])
        .shown_by(route.packets());
    Some(finding)
}

/// The header was sent, and the server did not understand what came.
fn unexpected(leg: &LegView<'_>) -> Option<Finding> {
    let version = leg.connection.proxy_protocol?;
    // If it were not expected, the first request would not have been answered.
    let is_first = leg.connection.exchanges.is_empty()
        && leg.connection.attempts.first().is_some_and(|first| std::ptr::eq(first, leg.attempt));
    let is_refused = leg.status() == Some(400) || is_closed_unanswered(leg);
    if !is_first || !is_refused {
        return None;
    }
    let server = leg.connection.endpoint(Role::Server);
    let finding = told(&sender(leg), server, version)
        .saying(reaction(leg))
        .shown_by([leg.connection.id()])
        .shown_by(leg.packets());
    Some(finding)
}

/// What is common to both.
fn told(proxy: &Proxy, server: Endpoint, version: ProxyProtocol) -> Finding {
    let form = match version {
        ProxyProtocol::V1 => "the line PROXY of version 1",
        ProxyProtocol::V2 => "the binary header of version 2",
    };
    let headline = format!("sends a PROXY protocol header that {server} does not expect");
    let finding = Finding::new(&RULE, Blame::proxy(proxy), headline)
        .saying(format!("The connection begins with {form}, before the request."))
        .advising("Most applications do not know the PROXY protocol. To keep it, the server has to be told to expect it.");
    match proxy.software {
        Some(Software::Haproxy) => finding.mended_by([Fix {
            target: "HAProxy",
            place: "the backend".to_owned(),
            text: format!("server NAME {server}\n# without send-proxy and send-proxy-v2"),
        }]),
        _ => finding,
    }
}

/// The header was not sent, and the server speaks only to those who send it.
fn missing(route: &RouteView<'_>, leg: &LegView<'_>) -> Option<Finding> {
    if leg.connection.proxy_protocol.is_some() || !is_closed_unanswered(leg) {
        return None;
    }
    let server = leg.connection.endpoint(Role::Server);
    let is_answered = |other: &Connection| {
        let upgraded = other
            .attempts
            .iter()
            .filter_map(|attempt| attempt.response.as_ref())
            .any(|response| response.status != 400);
        let gave_page = other
            .exchanges
            .iter()
            .filter_map(|exchange| exchange.answer.as_ref())
            .any(|answer| answer.status != 400);
        upgraded || gave_page
    };
    // Around it, so that the work grows with the number of attempts.
    let connections = &route.capture.connections;
    let here = connections.partition_point(|it| it.id() < leg.connection.id());
    let range = here.saturating_sub(NEIGHBOURS)..here.saturating_add(NEIGHBOURS).min(connections.len());
    let example = connections.get(range).unwrap_or_default().iter().find(|other| {
        other.proxy_protocol.is_some() && other.endpoint(Role::Server) == server && is_answered(other)
    })?;
    let from = example.endpoint(Role::Client).address;
    Some(
        Finding::new(
            &RULE,
            route.sender(leg),
            format!("sends no PROXY protocol header, which {server} expects"),
        )
        .saying(format!("{from} begins its connections to {server} with one, and is answered."))
        .saying(reaction(leg))
        .shown_by([example.id()])
        .shown_by(leg.packets())
        .advising("Let both sides agree: who sends to this server sends the header, or the server does not ask for it."),
    )
}

/// Whether the server ended the connection without an answer, for all that the capture shows.
fn is_closed_unanswered(leg: &LegView<'_>) -> bool {
    leg.outcome == Outcome::Unanswered
        && !leg.is_doubtful()
        && leg.connection.closed_by() == Some(Role::Server)
}

fn reaction(leg: &LegView<'_>) -> String {
    match leg.status() {
        Some(status) => format!("The server answers {status}."),
        None => "The server closes the connection without an answer.".to_owned(),
    }
}

/// Only proxies send the header.
fn sender(leg: &LegView<'_>) -> Proxy {
    match leg.hop {
        Some(hop) => hop.proxy.clone(),
        None => Proxy::at(leg.connection.endpoint(Role::Client).address),
    }
}

/// Connections before and after one that are looked at for another one to the same server.
const NEIGHBOURS: usize = 512;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const HEADER: &str = "PROXY TCP4 10.77.1.2 10.77.1.1 50000 80\r\n";

    fn with(header: &str, reply: Option<&str>) -> Script {
        let mut script = Script::default();
        let mut talk = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut talk, From::Client, header.to_owned() + &request());
        if let Some(reply) = reply {
            script.say(&mut talk, From::Server, reply);
        }
        script.close(&mut talk, From::Server);
        script
    }

    fn told(script: &Script) -> String {
        script.finding("proxy-protocol-mismatch").map_or_else(String::new, |it| it.sentence())
    }

    #[test]
    fn a_header_that_is_not_expected() {
        let expected =
            "the proxy 10.77.2.1 sends a PROXY protocol header that 10.77.2.2:3000 does not expect";
        let bad = answer("400 Bad Request", &[], "");
        assert_eq!(told(&with(HEADER, Some(&bad))), expected);
        assert_eq!(told(&with(HEADER, None)), expected);
        let finding = with(HEADER, None).finding("proxy-protocol-mismatch").unwrap();
        assert_eq!(
            finding.detail,
            [
                "The connection begins with the line PROXY of version 1, before the request.",
                "The server closes the connection without an answer."
            ]
        );
        assert_eq!(told(&with(HEADER, Some(&switching()))), "");
        assert_eq!(told(&with(HEADER, Some(&answer("404 Not Found", &[], "")))), "");
        assert_eq!(told(&with("", Some(&bad))), "");
        assert_eq!(told(&with("", None)), "");
    }

    #[test]
    fn a_header_that_is_missing_where_others_send_it() {
        for (reply, expected) in [
            (
                switching(),
                "the client 10.77.9.9 sends no PROXY protocol header, which 10.77.2.2:3000 expects",
            ),
            (answer("400 Bad Request", &[], ""), ""),
        ] {
            let mut script = with(HEADER, Some(&reply));
            let mut direct = script.connect("10.77.9.9:1234", UPSTREAM);
            script.say(&mut direct, From::Client, request());
            script.close(&mut direct, From::Server);
            let missing = script
                .diagnosis()
                .findings
                .into_iter()
                .map(|it| it.sentence())
                .find(|sentence| sentence.contains("sends no PROXY"));
            assert_eq!(missing.unwrap_or_default(), expected);
        }
    }

    #[test]
    fn a_header_that_is_refused_before_there_is_a_request_is_told() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, HEADER).close(&mut upstream, From::Server);
        script.say(&mut client, From::Client, request()).close(&mut client, From::Server);
        let expected = "error proxy-protocol-mismatch: the proxy 10.77.2.1 sends a PROXY protocol header that \
                        10.77.2.2:3000 does not expect";
        assert_eq!(script.leading(), expected);
        assert_eq!(script.rules(), ["proxy-protocol-mismatch"]);
    }
}
