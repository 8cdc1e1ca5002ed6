//! Nothing listens where a proxy connects to.

use std::collections::BTreeSet;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, RouteView};
use crate::diagnosis::words;
use crate::diagnosis::{answers, ends};
use crate::limits::ROUTE_CANDIDATES;
use crate::model::{Connection, Outcome};
use crate::protocol::Role;
use crate::tcp::Opened;
use crate::units::{Endpoint, Span, Timestamp};

/// Nothing listens where a proxy connects to.
pub(super) static RULE: Rule = Rule {
    name: "upstream-refused",
    code: "WS401",
    severity: Severity::Error,
    summary: "the upstream refuses the proxy's TCP connection: nothing listens there",
    page: "\
## What it sees

While the client's upgrade request waits, the proxy opens a TCP connection to the upstream. Its SYN is answered with
RST (RFC 9293 section 3.5.2), perhaps several times about a second apart. No request is ever sent. The answer that the
client gets is the proxy's own: 502 from nginx, Caddy and Traefik, 503 from HAProxy, Apache and Envoy.

A gateway that lets the client in first and connects then, as websockify does, closes with 1011 at once instead.

## Why it breaks

The host is up, and no program listens on that address and port. Usually

- the application is not running, or is just being restarted;
- it listens on another port than the proxy was told;
- it listens on 127.0.0.1 or ::1 only, and the proxy comes from another host or container;
- the proxy's name for it leads to an old address, or to IPv6 where the application has IPv4 only.

Where clients come over TLS the request cannot be seen. If then no attempt is seen at all, a connection that is
refused while a TLS connection waits for its answer is told as a warning, tied by time alone.

A firewall that rejects with `tcp-reset` looks the same.

## How to mend it

On the upstream's host or in its container, `ss -ltn` shows what listens and where. Start the application, or let it
listen on 0.0.0.0 (and ::), or correct the address in the proxy: `proxy_pass` or `upstream` in nginx, `server` in
HAProxy, `ProxyPass` in Apache, `reverse_proxy` in Caddy. In a container `localhost` is the container itself: use the
name of the service.
",
    see: "https://www.rfc-editor.org/rfc/rfc9293#section-3.5.2",
    explains: &[
        "refused-by-proxy",
        "html-instead-of-101",
        "no-response",
        "client-gave-up",
        "upstream-silent",
        "closed-with-error",
        "close-unanswered",
    ],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let on_routes =
        view.routes.iter().filter_map(|route| Some(on_route(route)?.about(About::Routes(vec![route.index]))));
    let behind_sessions = view
        .routes
        .iter()
        .filter_map(|route| Some(in_session(route)?.about(About::Routes(vec![route.index]))));
    on_routes.chain(behind_sessions).chain(beside_tls(view)).collect()
}

/// Nobody can see what a client over TLS asks for; a connection that is refused while one waits is worth telling.
fn beside_tls(view: &CaptureView<'_>) -> Option<Finding> {
    if !view.routes.is_empty() {
        return None;
    }
    let connections = || view.capture.connections.iter().enumerate().take(LOOKED_AT);
    let waits = |client: &Connection, since: Timestamp| {
        let answered = client.half(Role::Server).last_payload.is_some_and(|(_, at)| is_within(since, at));
        let ending = client.tcp.ending.filter(|_| client.closed_by() == Some(Role::Server));
        let ended = ending.is_some_and(|ending| is_within(since, ending.origin.time));
        client.tls.is_some() && client.tcp.opening.first.time <= since && (answered || ended)
    };
    let (refused, (at, client)) = connections()
        .filter(|(_, connection)| connection.tcp.opening.opened == Opened::Refused)
        .find_map(|(place, connection)| {
            let since = connection.tcp.opening.first.time;
            let waiting = connections().find(|(_, client)| waits(client, since))?;
            Some(((place, connection), waiting))
        })?;
    let (place, refused) = refused;
    let upstream = refused.endpoint(Role::Server);
    let (who, proxy) = (client.endpoint(Role::Client), client.endpoint(Role::Server));
    Some(
        Finding::new(&RULE, Blame::Upstream(upstream), "refuses a connection while a client over TLS waits")
            .saying(format!(
                "{} connects to {upstream}, and the SYN is answered with RST; nothing listens on port {}.",
                refused.endpoint(Role::Client).address,
                upstream.port
            ))
            .saying(format!(
                "Just then {who} has a connection with TLS to {proxy}, which is answered or closed right after. What it asks \
                 for is encrypted, so that the two belong together is a guess by the time."
            ))
            .shown_by([client.id(), refused.id(), refused.tcp.last.0])
            .advising("Is the application running, and on this port? ss -ltn on its host shows that.")
            .advising("Capture between the proxy and the application too: there a WebSocket is seldom encrypted.")
            .at_most(Severity::Warning)
            .about(About::Connections(vec![at, place])),
    )
}

/// A gateway that lets the client in before it connects to what it stands for, and then closes with an error (websockify).
fn in_session(route: &RouteView<'_>) -> Option<Finding> {
    let leg = Some(&route.first).filter(|_| !route.has_hops())?;
    let session = ends::session(leg).filter(|session| session.server.messages == 0)?;
    let close = session.close.as_ref().filter(|close| close.by == Role::Server)?;
    let (answered, closed) = (leg.attempt.response.as_ref()?.origin, close.origin);
    if !GATEWAY_CODES.contains(&close.code) || closed.time.since(answered.time) > AT_ONCE {
        return None;
    }
    let connections = &route.capture.connections;
    let from = connections.partition_point(|it| it.id() < answered.packet);
    let (client, server) = (leg.connection.endpoint(Role::Client), leg.connection.endpoint(Role::Server));
    let is_gateways = |it: &&Connection| {
        it.endpoint(Role::Server) != server
            && (it.endpoint(Role::Client).address != client.address || client.address == server.address)
    };
    let refused = connections
        .get(from..)?
        .iter()
        .take_while(|it| it.id() < closed.packet)
        .take(ROUTE_CANDIDATES)
        .filter(|it| it.tcp.opening.opened == Opened::Refused)
        .find(is_gateways)?;
    let upstream = refused.endpoint(Role::Server);
    let gateway = words::begin(&route.answerer(leg).spoken());
    Some(
        Finding::new(&RULE, Blame::Upstream(upstream), "refuses the proxy's connection")
            .saying(format!(
                "{gateway} lets the client in, then {} opens a connection to {upstream}, and the SYN is answered with RST.",
                refused.endpoint(Role::Client).address
            ))
            .saying(nothing_listens(upstream))
            .saying(format!(
                "{gateway} closes with {} {} later.",
                close.code,
                words::span(closed.time.since(refused.tcp.opening.first.time))
            ))
            .shown_by(leg.packets())
            .shown_by([refused.id(), refused.tcp.last.0, closed.packet])
            .advising(IS_IT_RUNNING),
    )
}

fn nothing_listens(upstream: Endpoint) -> String {
    format!("Nothing listens on port {} of {}, or a firewall rejects it.", upstream.port, upstream.address)
}

/// Whether an answer follows within what a proxy needs to give up.
fn is_within(since: Timestamp, answered: Timestamp) -> bool {
    (0..=AT_ONCE.as_nanos()).contains(&answered.since(since).as_nanos())
}

fn on_route(route: &RouteView<'_>) -> Option<Finding> {
    let is_refused = |connection: &&&Connection| connection.tcp.opening.opened == Opened::Refused;
    let example = route.tries.iter().find(is_refused)?;
    let asked = route.last();
    let status = asked.status();
    if !status.is_none_or(|status| MADE_BY_PROXIES.contains(&status)) {
        return None;
    }
    let upstream = example.endpoint(Role::Server);
    let tries: Vec<&&Connection> = route
        .tries
        .iter()
        .filter(|connection| is_refused(connection) && connection.endpoint(Role::Server) == upstream)
        .collect();
    let proxy = words::begin(&Blame::proxy(&answers::opener(route, example)).spoken());
    let times = match tries.len() {
        1 => "a connection".to_owned(),
        many => format!("{many} connections"),
    };
    let made = status.map(|status| format!("{proxy} answers {status} by itself."));
    let also: BTreeSet<Endpoint> =
        route.tries.iter().filter(is_refused).map(|connection| connection.endpoint(Role::Server)).collect();
    let also: Vec<String> =
        also.into_iter().filter(|it| *it != upstream).take(UPSTREAMS_TOLD).map(|it| it.to_string()).collect();
    let also = (!also.is_empty()).then(|| format!("So does {}.", words::list(&also)));
    let packets = tries.iter().flat_map(|connection| [connection.id(), connection.tcp.last.0]);
    let finding = Finding::new(&RULE, Blame::Upstream(upstream), "refuses the proxy's connection")
        .saying(format!("{proxy} opens {times} to {upstream}, and the SYN is answered with RST."))
        .saying(nothing_listens(upstream))
        .saying_also(also)
        .saying_also(made)
        .shown_by(route.packets())
        .shown_by(packets)
        .advising(IS_IT_RUNNING);
    Some(if route.first.outcome == Outcome::Established {
        finding.at_most(Severity::Warning)
    } else {
        finding
    })
}

const IS_IT_RUNNING: &str = "Is the application running, and on this port? Does it listen on an address that the proxy can \
    reach, not on 127.0.0.1 only? ss -ltn on its host shows that.";

/// What gateways close with that cannot reach what they stand for: an error of their own, a restart or an overload, a bad
/// gateway. websockify 0.10 says 1011.
const GATEWAY_CODES: [u16; 4] = [1011, 1012, 1013, 1014];

/// A refused connection is answered at once; proxies try a few times.
const AT_ONCE: Span = Span::from_millis(1_000);

/// Connections that are looked at for one that waits.
const LOOKED_AT: usize = 1_024;

/// Other upstreams that are named.
const UPSTREAMS_TOLD: usize = 3;

/// What proxies answer if they cannot reach an upstream.
const MADE_BY_PROXIES: &[u16] = &[500, 502, 503, 504];

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn refused(answers: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.refused(PROXY_OUT, UPSTREAM);
        script.say(
            &mut client,
            From::Server,
            answer(answers, &[("Server", "nginx/1.22.1"), ("Content-Type", "text/html")], "<html>"),
        );
        script
    }

    #[test]
    fn an_upstream_that_is_down_is_named() {
        let script = refused("502 Bad Gateway");
        let leading = "error upstream-refused: the upstream 10.77.2.2:3000 refuses the proxy's connection";
        assert_eq!(script.leading(), leading);
        let finding = script.finding("upstream-refused").unwrap();
        assert_eq!(
            finding.detail,
            [
                "nginx 1.22.1 (10.77.1.1) opens a connection to 10.77.2.2:3000, and the SYN is answered with RST.",
                "Nothing listens on port 3000 of 10.77.2.2, or a firewall rejects it.",
                "nginx 1.22.1 (10.77.1.1) answers 502 by itself."
            ]
        );
        assert_eq!(numbers(&finding), [4, 6, 7, 8]);
    }

    #[test]
    fn a_gateway_that_lets_the_client_in_first_is_seen_through() {
        let closed = |code: u16, waits_ms: u64| {
            let (mut script, mut client) = session();
            script.say(&mut client, From::Client, text_frame(From::Client, "RFB"));
            script.refused(PROXY_OUT, "10.77.2.2:5900");
            script.wait_ms(waits_ms).say(&mut client, From::Server, close_frame(From::Server, code));
            script.say(&mut client, From::Client, close_frame(From::Client, code));
            script.close(&mut client, From::Server);
            script.rules().join(" ")
        };
        assert_eq!(closed(1011, 2), "upstream-refused");
        assert_eq!(closed(1000, 2), "", "it closed for something else");
        assert_eq!(closed(1011, 9_000), "closed-with-error", "much later");
    }

    #[test]
    fn an_answer_that_has_nothing_to_do_with_it_is_left_alone() {
        assert!(refused("404 Not Found").finding("upstream-refused").is_none());
        let mut script = Script::default();
        script.refused(PROXY_OUT, UPSTREAM);
        assert_eq!(script.rules(), [""; 0]);
    }

    #[test]
    fn beside_a_client_over_tls_it_is_a_guess() {
        let told = |wait_ms, from_tls: &[u8]| {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, "10.77.1.1:443");
            script.say(&mut client, From::Client, from_tls);
            script.say(&mut client, From::Server, b"\x17\x03\x03\x00\x01x");
            script.refused(PROXY_OUT, UPSTREAM);
            script.wait_ms(wait_ms).say(&mut client, From::Server, b"\x17\x03\x03\x00\x01x");
            script.leading()
        };
        let sentence = "warning upstream-refused: the upstream 10.77.2.2:3000 refuses a connection while a client over \
                        TLS waits";
        assert_eq!(told(5, &client_hello()), sentence);
        assert_eq!(told(5_000, &client_hello()), "", "much later");
        assert_eq!(told(5, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "", "no TLS");
    }

    #[test]
    fn the_capture_of_an_upstream_that_is_down_says_so() {
        assert_eq!(
            leading_of("upstream-down-502"),
            "error upstream-refused: the upstream 10.77.2.2:8000 refuses the proxy's connection"
        );
    }

    #[test]
    fn a_proxy_for_tcp_connects_before_it_is_asked() {
        for (pause, rules) in [(1, "upstream-refused"), (500, "no-response")] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.wait_ms(pause).refused(PROXY_OUT, UPSTREAM);
            script.say(&mut client, From::Client, request()).close(&mut client, From::Server);
            assert_eq!(script.rules(), [rules], "{pause}");
        }
    }

    #[test]
    fn other_upstreams_that_refuse_too_are_named() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.refused(PROXY_OUT, UPSTREAM);
        script.refused("10.77.2.1:40007", "10.77.2.3:3000");
        script.say(&mut client, From::Server, answer("502 Bad Gateway", &[], ""));
        let detail = script.finding("upstream-refused").unwrap().detail;
        assert!(detail.contains(&"So does 10.77.2.3:3000.".to_owned()), "{detail:?}");
    }

    #[test]
    fn a_client_over_tls_that_is_hung_up_on_waits_too() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, client_hello());
        script.say(&mut client, From::Server, [0x16, 3, 3, 0, 4, 2, 0, 0, 0]);
        script.refused(PROXY_OUT, UPSTREAM);
        script.reset(&mut client, From::Server);
        assert!(script.leading().starts_with("warning upstream-refused"), "{}", script.leading());
    }
}
