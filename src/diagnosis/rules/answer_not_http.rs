//! A server speaks another protocol than HTTP/1.

use crate::diagnosis::answers;
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::waiting;
use crate::diagnosis::words;
use crate::model::Connection;
use crate::protocol::{ForeignAnswer, Role};

/// A server speaks another protocol than HTTP/1.
pub(super) static RULE: Rule = Rule {
    name: "answer-not-http",
    code: "WS314",
    severity: Severity::Error,
    summary: "a server answers with another protocol than HTTP/1, such as HTTP/2",
    page: "\
## What it sees

An upgrade request, and from the server bytes that are no answer of HTTP/1: a SETTINGS frame, with which servers of
HTTP/2 begin (RFC 9113 section 3.4), or the greeting or error message of another service. Servers that speak first are
told by what they say before the request. An answer that is TLS is `plaintext-on-tls-port`.

## Why it breaks

The handshake of WebSocket is a request of HTTP/1.1 (RFC 6455 section 4.1), and nobody who speaks something else can
answer it.

Without TLS nothing tells the two sides which version of HTTP to speak. A port that was set up for HTTP/2 in the clear
(h2c), for gRPC for example, often takes nothing else: nginx before 1.25.1 with `http2` in a `listen` without `ssl`, a
server made with `http2.createServer()` in Node.js, a Kubernetes service with `appProtocol: kubernetes.io/h2c`.
Other protocols mean that the port is not the one that was meant.

## How to mend it

- HTTP/2: let the port speak HTTP/1.1 as well, or use another one. In nginx before 1.25.1: `listen 80;` without `http2`
  (with `ssl` it may stay: there the client chooses). In Node.js: `http.createServer()`; over TLS
  `http2.createSecureServer({allowHTTP1: true})`.
- Another protocol: correct the port in the client's URL, or that of the upstream in the proxy.
",
    see: "https://www.rfc-editor.org/rfc/rfc9113#section-3.4",
    explains: &[
        "no-response",
        "client-gave-up",
        "upstream-aborted",
        "upstream-silent",
        "refused-by-proxy",
        "html-instead-of-101",
    ],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let innermost = || route.legs().filter(|leg| !route.is_handed_on(leg));
    let is_it = |leg: &&_| leg_answers(leg).is_some();
    let Some(leg) = innermost().find(is_it) else { return speaks_first(route) };
    let foreign = leg_answers(leg)?;
    let request = waiting::request_line(route, leg);
    let when = if leg.request_packet().is_some_and(|asked| foreign.origin.packet < asked) {
        format!("before {request} comes")
    } else {
        format!("in answer to {request}")
    };
    let (headline, said, advice) = if foreign.is_http_2() {
        (HTTP_2, format!("It sends a SETTINGS frame of HTTP/2 {when}, and no status."), SPEAK_HTTP_1)
    } else {
        (NOT_HTTP, format!("What it sends {when} begins with {}.", begins(route, foreign)), RIGHT_PORT)
    };
    let finding = Finding::new(&RULE, route.answerer(leg), headline)
        .saying(said)
        .shown_by(leg.request_packet())
        .shown_by([foreign.origin.packet])
        .advising(advice);
    let finding = waiting::made_of_it(finding, route, leg);
    Some(if route.has_failed() { finding } else { finding.at_most(Severity::Warning) })
}

/// An upstream that speaks before the proxy has sent a request, which it never does then.
fn speaks_first(route: &RouteView<'_>) -> Option<Finding> {
    let is_failed = route.has_failed() || route.first.attempt.response.is_none();
    let (connection, greeting) = route
        .tries
        .iter()
        .filter(|connection| begins_seen(connection))
        .find_map(|connection| Some((connection, connection.greeting.as_deref()?)))
        .filter(|_| is_failed)?;
    let upstream = connection.endpoint(Role::Server);
    let proxy = words::begin(&Blame::proxy(&answers::opener(route, connection)).spoken());
    let (headline, said, advice) = if greeting.is_http_2() {
        (HTTP_2, "a SETTINGS frame of HTTP/2".to_owned(), SPEAK_HTTP_1)
    } else {
        (NOT_HTTP, begins(route, greeting), RIGHT_PORT)
    };
    let made = route.first.status().map(|status| format!("The client gets {status}."));
    Some(
        Finding::new(&RULE, Blame::Upstream(upstream), headline)
            .saying(format!(
                "{proxy} opens a connection to it, and before it is asked it sends {said}; no request follows."
            ))
            .saying_also(made)
            .shown_by(route.first.packets())
            .shown_by([connection.id(), greeting.origin.packet])
            .advising(advice),
    )
}

/// What the server of a leg sends instead of an answer, if the capture lacks none.
fn leg_answers<'a>(leg: &crate::diagnosis::LegView<'a>) -> Option<&'a ForeignAnswer> {
    let is_told = leg.attempt.response.is_none() && leg.request.is_some() && !leg.is_doubtful();
    let is_told = is_told && begins_seen(leg.connection);
    leg.attempt.foreign.as_deref().filter(|_| is_told)
}

/// Whether the answer to the SYN is there: without it nobody can tell where the server's bytes begin.
const fn begins_seen(connection: &Connection) -> bool {
    connection.tcp.opening.connect.is_some()
}

/// Its first line, if that is text, or its first bytes.
fn begins(route: &RouteView<'_>, foreign: &ForeignAnswer) -> String {
    let line = foreign.start.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    if !line.is_empty() && line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return format!("\"{}\"", route.quote(line));
    }
    let bytes: Vec<String> =
        foreign.start.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("the bytes {}", bytes.join(" "))
}

const HTTP_2: &str = "speaks HTTP/2 where HTTP/1.1 is asked for";
const NOT_HTTP: &str = "answers with something that is not HTTP";
const SPEAK_HTTP_1: &str = "WebSockets begin with a request of HTTP/1.1: this port has to speak that. nginx before 1.25.1 \
    speaks HTTP/2 alone where listen has http2 and no ssl: leave http2 out there.";
const RIGHT_PORT: &str = "Is it the right port? Another service seems to listen there.";

const SHOWN_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// As nginx 1.22 sends them, with what follows.
    const SETTINGS: &[u8] = b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff";

    fn asked(reply: &[u8], speaks_first: bool) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        if speaks_first {
            script.say(&mut client, From::Server, reply).say(&mut client, From::Client, request());
        } else {
            script.say(&mut client, From::Client, request()).say(&mut client, From::Server, reply);
        }
        script.close(&mut client, From::Server);
        script
    }

    #[test]
    fn a_server_of_http_2_is_told() {
        let server =
            "error answer-not-http: the server 10.77.1.1:80 speaks HTTP/2 where HTTP/1.1 is asked for";
        for (speaks_first, said) in [
            (false, "It sends a SETTINGS frame of HTTP/2 in answer to GET /ws, and no status."),
            (true, "It sends a SETTINGS frame of HTTP/2 before GET /ws comes, and no status."),
        ] {
            let script = asked(SETTINGS, speaks_first);
            assert_eq!(script.leading(), server);
            assert_eq!(script.rules().len(), 1);
            assert_eq!(script.finding("answer-not-http").unwrap().detail, [said]);
        }
    }

    #[test]
    fn other_services_are_quoted() {
        for (reply, speaks_first, begins) in [
            (
                &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
                true,
                "before GET /ws comes begins with \"SSH-2.0-OpenSSH_9.2\".",
            ),
            (
                b"-ERR unknown command\r\n",
                false,
                "in answer to GET /ws begins with \"-ERR unknown command\".",
            ),
            (b"<html>no status line", false, "in answer to GET /ws begins with \"<html>no status line\"."),
            (
                b"\x4a\0\0\0\x0a8.0",
                true,
                "before GET /ws comes begins with the bytes 4a 00 00 00 0a 38 2e 30.",
            ),
        ] {
            let script = asked(reply, speaks_first);
            let server =
                "error answer-not-http: the server 10.77.1.1:80 answers with something that is not HTTP";
            assert_eq!(script.leading(), server);
            assert_eq!(
                script.finding("answer-not-http").unwrap().detail,
                [format!("What it sends {begins}")]
            );
        }
    }

    #[test]
    fn an_upstream_is_named_with_what_the_proxy_makes_of_it() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request()).say(&mut upstream, From::Server, SETTINGS);
        script.close(&mut upstream, From::Server);
        let bad = answer("502 Bad Gateway", &[("Server", "nginx/1.22.1")], "<html>");
        script.say(&mut client, From::Server, bad);
        assert_eq!(
            script.leading(),
            "error answer-not-http: the upstream 10.77.2.2:3000 speaks HTTP/2 where HTTP/1.1 is asked for"
        );
        let finding = script.finding("answer-not-http").unwrap();
        assert_eq!(finding.detail[1], "nginx 1.22.1 (10.77.2.1) makes 502 of it.");
    }

    #[test]
    fn an_upstream_that_speaks_first_is_named_where_the_proxy_sends_no_request() {
        for (greeting, expected) in [
            (SETTINGS, "speaks HTTP/2 where HTTP/1.1 is asked for"),
            (b"220 mail.example.test\r\n", "answers with something that is not HTTP"),
        ] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut upstream, From::Server, greeting).wait_ms(8_000);
            script.close(&mut client, From::Client).close(&mut upstream, From::Client);
            let upstream = "error answer-not-http: the upstream 10.77.2.2:3000";
            assert_eq!(script.leading(), format!("{upstream} {expected}"));
            assert_eq!(script.rules().len(), 1);
        }
    }

    #[test]
    fn what_is_http_or_not_there_in_full_is_left_alone() {
        for reply in [
            &b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTT",
            b"\x15\x03\x01\0\x02\x02\x46",
        ] {
            assert!(asked(reply, false).finding("answer-not-http").is_none(), "{reply:?}");
        }
        // The capture lacks the start.
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        client.loses(30);
        script.say(&mut client, From::Server, b"rest of a page").close(&mut client, From::Server);
        assert!(script.finding("answer-not-http").is_none());
        // Nobody asks for a WebSocket.
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, "10.77.1.1:22");
        script.say(&mut client, From::Server, b"SSH-2.0-OpenSSH_9.2\r\n");
        script.say(&mut client, From::Client, b"SSH-2.0-OpenSSH_9.2\r\n").close(&mut client, From::Client);
        assert_eq!(script.rules(), [""; 0]);
    }
}
