//! HTTP/2 to a server that does not speak it.

use std::collections::BTreeSet;

use crate::diagnosis::answers;
use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::recipes;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, RouteView};
use crate::model::Connection;
use crate::protocol::{OpaqueReason, Role, Spoken};
use crate::routes::Proxy;

/// HTTP/2 to a server that does not speak it.
pub(super) static RULE: Rule = Rule {
    name: "extended-connect-unsupported",
    code: "WS221",
    severity: Severity::Error,
    summary: "somebody speaks HTTP/2 in the clear to a server that closes the connection",
    page: "\
## What it sees

A connection begins with the preface of HTTP/2, `PRI * HTTP/2.0`, in the clear, and the server closes it without having
sent a byte. It is an error if a proxy did so while a client's upgrade request waited, which failed; a warning if there
are upgrade attempts to the same server; else a note.

What is inside HTTP/2 is not read: wsinspect does not see whether a server allows extended CONNECT, nor a WebSocket that
is asked for with it.

## Why it breaks

A server that speaks HTTP/2 sends its settings first (RFC 9113 section 3.4); one that closes without them does not speak
it on this port. And even one that does has no `Upgrade`: a WebSocket over HTTP/2 is an extended CONNECT, which needs
`SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 section 3). nginx does not have it; browsers then open a connection with
HTTP/1.1 for the WebSocket, other clients and proxies may not.

## How to mend it

- A client: HTTP/1.1 for WebSockets (`--http1.1` for curl, ALPN `http/1.1` alone for `wss://`).
- Envoy to the upstream: HTTP/1 for the cluster, or `allow_connect: true` and an upstream that knows RFC 8441.
- HAProxy: `ws h1` on the `server` line.
- Traefik: `http://` instead of `h2c://` for the service that has the WebSocket.
",
    see: "https://www.rfc-editor.org/rfc/rfc8441#section-3",
    explains: &["refused-by-proxy", "refused-by-upstream", "html-instead-of-101", "no-response", "client-gave-up"],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let mut asked: BTreeSet<usize> = BTreeSet::new();
    let mut findings: Vec<Finding> = Vec::new();
    for route in view.routes.iter().filter(|route| route.has_failed()) {
        let refused =
            route.route.tries.iter().zip(&route.tries).filter(|(_, connection)| is_refused(connection));
        let (places, refused): (Vec<usize>, Vec<&Connection>) = refused.unzip();
        asked.extend(places);
        findings.extend(refused.first().map(|connection| on_route(route, connection, refused.len())));
    }
    for (at, connection) in view.capture.connections.iter().enumerate() {
        if !asked.contains(&at) && is_refused(connection) {
            findings.push(beside(view, connection).about(About::Connections(vec![at])));
        }
    }
    findings
}

/// Whether a server closes the connection on the preface.
fn is_refused(connection: &Connection) -> bool {
    let is_doubtful = connection.is_one_sided()
        || connection.tcp.evicted
        || connection.half(Role::Server).missing_bytes > 0
        || connection.half(Role::Client).missing_bytes > 0;
    connection.spoken == Spoken::Opaque(OpaqueReason::Http2)
        && connection.half(Role::Server).payload_bytes == 0
        && !is_doubtful
        && connection.closed_by() == Some(Role::Server)
}

/// A proxy asks its upstream so for a client that waits.
fn on_route(route: &RouteView<'_>, connection: &Connection, tries: usize) -> Finding {
    let upstream = connection.endpoint(Role::Server);
    let address = connection.endpoint(Role::Client).address;
    let proxy = Proxy { address, ..answers::opener(route, connection) };
    let software = proxy.software;
    let made = route.first.status().map(|status| format!("It makes {status} of that."));
    let times = if tries > 1 { format!(" It tries {tries} times.") } else { String::new() };
    Finding::new(&RULE, Blame::proxy(&proxy), "speaks HTTP/2 to an upstream that does not")
        .about(About::Routes(vec![route.index]))
        .saying(format!(
            "It sends the preface of HTTP/2 to {upstream}, which closes without its settings.{times}"
        ))
        .saying_also(made)
        .shown_by(route.first.packets())
        .shown_by([connection.id()])
        .shown_by(connection.tcp.ending.map(|ending| ending.origin.packet))
        .mended_by(recipes::speak_http_1_1_not_2(software, upstream))
}

/// Somebody does, for nobody who is seen to wait.
fn beside(view: &CaptureView<'_>, connection: &Connection) -> Finding {
    let server = connection.endpoint(Role::Server);
    let connections = view.capture.connections.iter().take(LOOKED_AT);
    let has_attempts = connections
        .filter(|other| !other.attempts.is_empty())
        .any(|other| other.endpoint(Role::Server) == server);
    let client = connection.endpoint(Role::Client).address;
    let headline = format!("speaks HTTP/2 in the clear to {server}, which does not");
    Finding::new(&RULE, Blame::Client(client), headline)
        .saying("The connection begins with the preface of HTTP/2.")
        .saying("The server closes it without its settings, which a server of HTTP/2 sends first.")
        .shown_by([connection.id()])
        .shown_by(connection.tcp.ending.map(|ending| ending.origin.packet))
        .advising(
            "If it was to be a WebSocket, use HTTP/1.1: without extended CONNECT HTTP/2 has no upgrade.",
        )
        .at_most(if has_attempts { Severity::Warning } else { Severity::Note })
}

/// Connections that are looked at for an attempt to the same server.
const LOOKED_AT: usize = 1_024;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

    fn told(reply: &[u8], from: From, attempt_to: &str) -> String {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, PREFACE);
        if !reply.is_empty() {
            script.say(&mut client, From::Server, reply);
        }
        script.close(&mut client, from);
        let mut other = script.connect("10.77.1.2:50001", attempt_to);
        script.say(&mut other, From::Client, request());
        script.say(&mut other, From::Server, switching());
        let finding = script.finding("extended-connect-unsupported");
        finding.map_or_else(String::new, |it| format!("{}: {}", it.severity.name(), it.sentence()))
    }

    #[test]
    fn a_server_that_closes_on_the_preface_does_not_speak_http_2() {
        let sentence = "the client 10.77.1.2 speaks HTTP/2 in the clear to 10.77.1.1:80, which does not";
        assert_eq!(told(b"", From::Server, PROXY), format!("warning: {sentence}"));
        assert_eq!(told(b"", From::Server, UPSTREAM), format!("note: {sentence}"));
        assert_eq!(told(SETTINGS, From::Server, PROXY), "");
        assert_eq!(told(b"", From::Client, PROXY), "");
    }

    #[test]
    fn a_proxy_that_asks_a_plain_upstream_so_is_why_it_failed() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        for port in [40001, 40002] {
            let mut upstream = script.connect(&format!("10.77.2.1:{port}"), UPSTREAM);
            script.say(&mut upstream, From::Client, PREFACE).close(&mut upstream, From::Server);
        }
        let body = "upstream connect error or disconnect/reset before headers. reset reason: protocol error";
        script.say(&mut client, From::Server, answer("502 Bad Gateway", &[("server", "envoy")], body));
        let expected = "error extended-connect-unsupported: Envoy (10.77.2.1) speaks HTTP/2 to an upstream that does not";
        assert_eq!(script.leading(), expected);
        assert_eq!(script.rules(), ["extended-connect-unsupported"]);
        let finding = script.finding("extended-connect-unsupported").unwrap();
        assert!(finding.detail[0].ends_with("It tries 2 times."), "{:?}", finding.detail);
        assert!(finding.fixes[0].text.contains("http_protocol_options"));
    }
}
