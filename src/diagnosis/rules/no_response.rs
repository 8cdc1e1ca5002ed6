//! A server ends the connection without an answer, or an answer gets lost in a proxy.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::waiting::{self, Unanswered};
use crate::diagnosis::words;
use crate::model::Connection;
use crate::protocol::{Role, ServerFirst};
use crate::tcp::EndedBy;

/// A server ends the connection without an answer, or an answer gets lost in a proxy.
pub(super) static RULE: Rule = Rule {
    name: "no-response",
    code: "WS405",
    severity: Severity::Error,
    summary: "the client's upgrade request gets no answer, and the server's side is why",
    page: "\
## What it sees

The client's whole upgrade request is there, and no answer: the server's side closes (FIN) or aborts (RST) the
connection, or stays silent for a minute. No connection to an upstream is seen. Or an upstream is seen to answer, and
the proxy does not pass its answer on.

## Why it breaks

Somebody decided not to answer: `return 444` in nginx, a rule of a firewall or of an intrusion prevention system, a
server that expects TLS on this port, a process that crashed. If the connection is closed at once and only now and
then, a queue of new connections was full. An answer that a proxy keeps to itself is a fault of the proxy: nginx
1.22, for one, loses the 101 if the upstream sends a 103 before it.

## How to mend it

Capture on the server itself: if the request does not arrive there, something between took it. If it does, the error
log of the proxy (for nginx at the level `info`) says what became of it. Look for `return 444`, for a default server
that catches names it does not know, and for rules of a firewall that look into HTTP.
",
    see: "https://www.rfc-editor.org/rfc/rfc9112#section-9.5",
    explains: &["client-gave-up", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let waits = Unanswered::of(route, &route.first)?;
    if route.is_handed_on(waits.leg) {
        return swallowed(route, &waits);
    }
    // What became of other tries is told by the rules on upstreams.
    let is_encrypted = |connection: &&Connection| {
        connection.tls.as_deref().is_some_and(|tls| matches!(tls.server, ServerFirst::Tls(_)))
    };
    let is_servers_doing = !waits.is_ended_by(Role::Client) && route.tries.iter().all(is_encrypted);
    if !is_servers_doing || waiting::comes_from_proxy(waits.leg) {
        return None;
    }
    let (headline, said) = match waits.ended {
        Some((_, EndedBy::Reset)) => ("resets the connection instead of answering", "a RST comes"),
        Some((_, EndedBy::Fin)) => ("closes the connection instead of answering", "a FIN comes"),
        None => ("does not answer", "the capture ends"),
    };
    let request = waiting::request_line(route, waits.leg);
    let finding = Finding::new(&RULE, route.answerer(waits.leg), headline).shown_by(waits.packets());
    if let Some(before) = waits.ended_before {
        let before = words::span(before);
        return Some(
            finding
                .saying(format!("It sends {} {before} before {request} comes, and no answer.", waits.end_bit()))
                .advising(
                    "Who forwards TCP without looking into it closes like this if it cannot reach its upstream, or if that \
                     closes. Capture behind the server too: on all its interfaces (tcpdump -i any).",
                ),
        );
    }
    let port = waits.leg.connection.endpoint(Role::Server).port;
    let finding = if TLS_PORTS.contains(&port) {
        finding.advising(format!(
            "Port {port} is for TLS as a rule, and servers of TLS often close like this: try wss:// in the client's URL."
        ))
    } else {
        finding
    };
    Some(
        finding
            .saying(format!(
                "{request} is complete, and {said} after {} without a byte of an answer.",
                words::span(waits.waited)
            ))
            .advising_also(waiting::other_protocol(waits.leg))
            .advising_also(waiting::unknown_subprotocol(&waits))
            .advising(
                "A server that hides (return 444 in nginx), one that takes no more connections (worker_connections in \
                 nginx), a firewall, a crash, or a port that expects TLS or another protocol look like this. Capture behind the server too: that shows whether the request went any further.",
            ),
    )
}

/// The upstream answered in time, and its answer went no further than the proxy.
fn swallowed(route: &RouteView<'_>, waits: &Unanswered<'_, '_>) -> Option<Finding> {
    let (_, hop, after) = route.hops().find(|(before, _, _)| before.place == waits.leg.place)?;
    let answered = after.attempt.response.as_ref()?;
    let ended = waits.leg.connection.tcp.ending.map_or(route.end, |ending| ending.origin.time);
    // The client may have left while the answer was on its way.
    if ended.since(answered.origin.time) < ON_ITS_WAY {
        return None;
    }
    let upstream = after.connection.endpoint(Role::Server);
    let since = words::span(ended.since(answered.origin.time));
    let finding = Finding::new(&RULE, Blame::proxy(&hop.proxy), "keeps the upstream's answer to itself")
        .saying(format!(
            "The upstream {upstream} answers {}, and nothing of it reaches the client within {since}.",
            answered.status
        ))
        .shown_by(waits.packets())
        .shown_by(after.packets());
    Some(if answered.status == 101 && hop.proxy.software.is_none() {
        finding.advising(UPGRADE_HANDLER)
    } else {
        finding
    })
}

/// HTTPS, and the other port that it is often given.
const TLS_PORTS: [u16; 2] = [443, 8443];

/// As measured with http-proxy 1.18: without it the upgrade goes upstream like any request, and its 101 nowhere. The same
/// with http-proxy-middleware 3.0 and ws: true, if the upgrade is the first request that it gets.
const UPGRADE_HANDLER: &str = "A proxy written with Node.js has to handle the event 'upgrade' of its server: \
    server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head)) with http-proxy; server.on('upgrade', \
    middleware.upgrade) with http-proxy-middleware, whose ws: true alone begins with the first ordinary request.";

/// What a proxy takes to pass an answer on, with room.
const ON_ITS_WAY: crate::units::Span = crate::units::Span::from_millis(500);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn asked(script: &mut Script) -> Talk {
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        client
    }

    #[test]
    fn a_server_that_hangs_up_is_named() {
        let mut script = Script::default();
        let mut client = asked(&mut script);
        script.wait_ms(5).close(&mut client, From::Server);
        assert_eq!(
            script.leading(),
            "error no-response: the server 10.77.1.1:80 closes the connection instead of answering"
        );
        assert_eq!(
            script.finding("no-response").unwrap().detail,
            ["GET /ws is complete, and a FIN comes after 5.2 ms without a byte of an answer."]
        );
        let mut script = Script::default();
        let mut client = asked(&mut script);
        script.reset(&mut client, From::Server);
        assert!(script.leading().ends_with("resets the connection instead of answering"));
    }

    #[test]
    fn what_the_request_and_the_port_say_is_told() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, "10.77.1.1:1883");
        script.say(&mut client, From::Client, request()).reset(&mut client, From::Server);
        let advice = script.finding("no-response").unwrap().advice;
        assert!(advice[0].starts_with("Port 1883 is for MQTT without WebSocket"), "{advice:?}");

        let offer = request_with(&[("Sec-WebSocket-Protocol", "mqtt")]);
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, offer).wait_ms(5).close(&mut client, From::Server);
        let advice = script.finding("no-response").unwrap().advice;
        assert!(advice[0].starts_with("The request offers a subprotocol"), "{advice:?}");
    }

    #[test]
    fn a_proxy_that_hangs_up_after_it_spoke_tls_with_its_upstream_is_named() {
        let mut script = Script::default();
        let mut client = asked(&mut script);
        let mut upstream = script.connect(PROXY_OUT, "10.77.2.2:8443");
        script.say(&mut upstream, From::Client, client_hello());
        script.say(&mut upstream, From::Server, [0x16, 3, 3, 0, 4, 2, 0, 0, 0]);
        script.say(&mut upstream, From::Client, [0x17; 90]).close(&mut upstream, From::Server);
        script.close(&mut client, From::Server);
        let sentence = "closes the connection instead of answering";
        assert!(script.leading().ends_with(sentence), "{}", script.leading());
        assert_eq!(script.rules(), ["no-response"]);
    }

    #[test]
    fn a_proxy_that_keeps_the_answer_is_named() {
        for (wait_ms, expected) in [(100, "note client-gave-up"), (9_000, "error no-response")] {
            let mut script = Script::default();
            let mut client = asked(&mut script);
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut upstream, From::Client, request());
            script.say(&mut upstream, From::Server, switching());
            script.wait_ms(wait_ms).close(&mut client, From::Client);
            assert!(script.leading().starts_with(expected), "{wait_ms}: {}", script.leading());
        }
    }

    #[test]
    fn what_the_capture_does_not_show_is_not_claimed() {
        // It ends while the request waits.
        let mut script = Script::default();
        asked(&mut script);
        assert!(script.finding("no-response").is_none());
        // It has one side only.
        let mut script = Script::default();
        let mut client = Script::midstream(CLIENT, PROXY);
        script.say_alone(&mut client, From::Client, request());
        script.wait_ms(70_000).say_alone(&mut client, From::Client, b"");
        assert!(script.finding("no-response").is_none());
        // The client ended it.
        let mut script = Script::default();
        let mut client = asked(&mut script);
        script.close(&mut client, From::Client);
        assert!(script.finding("no-response").is_none());
    }

    #[test]
    fn a_server_that_closes_before_it_is_asked_is_told_so() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.finish(&mut client, From::Server).wait_ms(8).say(&mut client, From::Client, request());
        let sentence =
            "error no-response: the server 10.77.1.1:80 closes the connection instead of answering";
        assert_eq!(script.leading(), sentence);
        let detail = &script.finding("no-response").unwrap().detail[0];
        assert!(detail.contains("before GET /ws comes") && !detail.contains('-'), "{detail}");
    }
}
