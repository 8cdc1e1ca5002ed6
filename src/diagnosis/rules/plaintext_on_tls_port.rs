//! A client speaks plaintext to a TLS port.

use crate::diagnosis::finding::{Blame, Finding, Fix};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::scheme;
use crate::diagnosis::view::RouteView;
use crate::diagnosis::waiting;
use crate::protocol::Role;

/// A client speaks plaintext to a TLS port.
pub(super) static RULE: Rule = Rule {
    name: "plaintext-on-tls-port",
    code: "WS407",
    severity: Severity::Error,
    summary: "the client sends plaintext (ws://) to a port that expects TLS (wss://)",
    page: "\
## What it sees

An upgrade request in the clear, and an answer that says that the port expects TLS: a TLS alert, or a 400 whose page
says so (`The plain HTTP request was sent to HTTPS port` from nginx, `Client sent an HTTP request to an HTTPS server.`
from Caddy and others in Go, `You're speaking plain HTTP to an SSL-enabled server port` from Apache). Or the server
closes the connection without a word, as Node.js, HAProxy and stunnel do, and the same port is seen to speak TLS on
another connection.

## Why it breaks

The server waits for a TLS ClientHello and gets `GET`. The URL of the WebSocket has the wrong scheme for this port:
`ws://` is HTTP in the clear, `wss://` is HTTP over TLS (RFC 6455 section 3). Often the port 443 was written into a
`ws://` URL, or a page that is served over TLS builds its URL from a fixed `ws://`.

## How to mend it

Use `wss://` in the client. In a page: `new WebSocket((location.protocol === 'https:' ? 'wss://' : 'ws://') +
location.host + '/ws')`. If the server is meant to speak plaintext on this port, take TLS off it: no `ssl` in nginx's
`listen`, no `ssl crt` in HAProxy's `bind`.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-3",
    explains: &["WS2", "WS3", "no-response", "client-gave-up", "upstream-aborted"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let leg = &route.first;
    let expects = scheme::expects_tls(leg, &route.servers).filter(|_| !route.is_handed_on(leg))?;
    let server = leg.connection.endpoint(Role::Server);
    // A page that a proxy passes on is about the proxy's own request, and nobody offers TLS on port 80.
    if waiting::comes_from_proxy(leg) || server.port == PLAINTEXT_PORT {
        return None;
    }
    let client = leg.connection.endpoint(Role::Client).address;
    Some(
        Finding::new(&RULE, Blame::Client(client), "speaks plaintext to a TLS port")
            .saying(format!(
                "It sends {} in the clear to {server}, which {}",
                waiting::request_line(route, leg),
                expects.words()
            ))
            .shown_by(leg.request_packet())
            .shown_by(expects.packet(leg))
            .mended_by([Fix {
                target: "client",
                place: "the URL of the WebSocket".to_owned(),
                text: "wss:// instead of ws://".to_owned(),
            }]),
    )
}

/// RFC 6455 section 3.
const PLAINTEXT_PORT: u16 = 80;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn asked(port: u16, reply: impl AsRef<[u8]>) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, &format!("10.77.1.1:{port}"));
        script.say(&mut client, From::Client, request()).say(&mut client, From::Server, reply);
        script.close(&mut client, From::Server);
        script
    }

    #[test]
    fn a_client_with_the_wrong_scheme_is_told() {
        let client = "error plaintext-on-tls-port: the client 10.77.1.2 speaks plaintext to a TLS port";
        let go = answer("400 Bad Request", &[], "Client sent an HTTP request to an HTTPS server.\n");
        let alert = [0x15, 3, 1, 0, 2, 2, 70];
        assert_eq!(asked(443, go).leading(), client);
        assert_eq!(asked(8443, alert).leading(), client);
        assert_eq!(leading_of("plaintext-on-tls-port"), client);
    }

    #[test]
    fn a_port_that_closes_and_speaks_tls_on_other_connections_is_told() {
        for speaks_tls in [true, false] {
            let mut script = Script::default();
            let mut other = script.connect("10.77.1.3:50000", "10.77.1.1:8443");
            script.say(&mut other, From::Client, client_hello());
            let reply: &[u8] = if speaks_tls { &[0x16, 3, 3, 0, 4, 2, 0, 0, 0] } else { b"" };
            script.say(&mut other, From::Server, reply).close(&mut other, From::Client);
            let mut client = script.connect(CLIENT, "10.77.1.1:8443");
            script.say(&mut client, From::Client, request()).reset(&mut client, From::Server);
            let expected = if speaks_tls {
                "error plaintext-on-tls-port: the client 10.77.1.2 speaks plaintext to a TLS port"
            } else {
                "error no-response: the server 10.77.1.1:8443 resets the connection instead of answering"
            };
            assert_eq!(script.leading(), expected);
            assert_eq!(script.rules().len(), 1);
        }
    }

    #[test]
    fn other_refusals_and_those_of_an_upstream_are_not_the_clients_fault() {
        let other = answer("400 Bad Request", &[], "Bad Request");
        assert!(asked(443, other).finding("plaintext-on-tls-port").is_none());
        let passed_on = answer("400 Bad Request", &[], "Client sent an HTTP request to an HTTPS server.\n");
        assert!(asked(80, passed_on).finding("plaintext-on-tls-port").is_none());
    }
}
