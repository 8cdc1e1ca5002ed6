//! The requests of one session reach several upstreams.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::sessions_by_polling::{Kind, Request, by_session};
use crate::diagnosis::view::{CaptureView, LegView, RouteView};
use crate::diagnosis::words;
use crate::model::path_of_target;
use crate::protocol::Role;
use crate::units::{Endpoint, PacketNumber};

use super::signalr_session_unknown;

/// The requests of one session reach several upstreams.
pub(super) static RULE: Rule = Rule {
    name: "session-not-sticky",
    code: "WS902",
    severity: Severity::Error,
    summary: "a proxy sends the requests of one session to several upstreams, and they fail",
    page: "\
## What it sees

Requests that carry one session's name (`sid=` of Engine.IO, `id=` of SignalR, the path of SockJS) from one proxy to two
or more upstreams, and some of them are answered with 400 or 404, since the session lives in one of them. A SignalR
session has its name from the answer to `POST .../negotiate`, which the capture does not keep: there it is the
client's own negotiation just before that went to another upstream, and the 404 says `No Connection with that ID`.

## Why it breaks

These protocols open a session with one request and go on with others, the WebSocket among them. Which process knows the
session is decided by the first. A proxy that spreads requests over several processes sends the next one to another,
which refuses it.

## How to mend it

Send all requests of one client to the same upstream: `ip_hash;` or `hash $remote_addr consistent;` in nginx's
`upstream`, `balance source` or `cookie ... insert` in HAProxy, a sticky cookie in Traefik (`sticky.cookie`), Caddy
(`lb_policy cookie`) or the load balancer (session affinity). Or open the WebSocket first: `transports:
[\"websocket\"]` in Socket.IO, `skipNegotiation: true` in SignalR.
",
    see: "https://socket.io/docs/v4/using-multiple-nodes/#enabling-sticky-session",
    explains: &[
        "engineio-session-unknown",
        "signalr-session-unknown",
        "engineio-stuck-polling",
        "sockjs-fallback",
        "mixed-backends",
        "refused-by-upstream",
        "route-missing",
    ],
    check: Check::Sessions(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let requests = view.requests();
    let mut by_proxy: BTreeMap<IpAddr, Scattered<'_, '_>> = BTreeMap::new();
    for all in [&requests.engine_io, &requests.signalr, &requests.sockjs] {
        for session in by_session(all).into_values() {
            note(&session, &mut by_proxy);
        }
    }
    for route in &view.routes {
        note_negotiated(route, &requests.signalr, &mut by_proxy);
    }
    by_proxy.into_iter().filter_map(|(proxy, scattered)| judge(view, proxy, &scattered)).collect()
}

/// The sessions of one proxy that are scattered.
#[derive(Default)]
struct Scattered<'r, 'a> {
    sessions: usize,
    upstreams: BTreeSet<Endpoint>,
    refused: Vec<&'r Request<'a>>,
    /// Connections with refused requests of these sessions, on any side.
    places: Vec<usize>,
    example: Vec<&'r Request<'a>>,
}

fn note<'r, 'a>(session: &[&'r Request<'a>], by_proxy: &mut BTreeMap<IpAddr, Scattered<'r, 'a>>) {
    let mut by_client: BTreeMap<IpAddr, Vec<&'r Request<'a>>> = BTreeMap::new();
    for request in session {
        by_client.entry(request.client.address).or_default().push(request);
    }
    for (client, requests) in by_client {
        let upstreams: BTreeSet<Endpoint> = requests.iter().map(|request| request.server).collect();
        let refused = || requests.iter().filter(|request| matches!(request.status, Some(400 | 404)));
        if upstreams.len() < 2 || refused().next().is_none() {
            continue;
        }
        let scattered = by_proxy.entry(client).or_default();
        scattered.sessions = scattered.sessions.saturating_add(1);
        scattered.upstreams.extend(upstreams);
        scattered.refused.extend(refused());
        let is_refused = |request: &&&Request<'_>| matches!(request.status, Some(400 | 404));
        scattered.places.extend(session.iter().filter(is_refused).map(|request| request.connection));
        if scattered.example.is_empty() {
            scattered.example = requests;
        }
    }
}

/// A connection of `SignalR` that one upstream has negotiated and another one does not know.
fn note_negotiated<'r, 'a>(
    route: &RouteView<'a>,
    requests: &'r [Request<'a>],
    by_proxy: &mut BTreeMap<IpAddr, Scattered<'r, 'a>>,
) {
    let is_unknown = |leg: &&LegView<'_>| leg.comes_over_proxy() && signalr_session_unknown::is_it(leg);
    let Some(leg) = route.legs().find(is_unknown) else { return };
    let own = route.first.connection;
    let (client, front) = (own.endpoint(Role::Client).address, own.endpoint(Role::Server));
    let (proxy, upstream) =
        (leg.connection.endpoint(Role::Client).address, leg.connection.endpoint(Role::Server));
    let at = |packet: Option<PacketNumber>| requests.partition_point(|request| Some(request.packet) < packet);
    let hub = |request: &Request<'a>| {
        path_of_target(request.target).trim_end_matches('/').trim_end_matches("/negotiate")
    };
    let Some(attempt) = requests.get(at(leg.request_packet())) else { return };
    let before = requests.get(..at(route.first.request_packet())).unwrap_or_default();
    let is_own = |request: &Request<'_>| request.client.address == client && request.server == front;
    // What the proxy sent on may have another path.
    let Some(asked) = before.iter().rposition(|request| {
        request.kind == Kind::Negotiate
            && is_own(request)
            && hub(request) == route.first.path().trim_end_matches('/')
    }) else {
        return;
    };
    let handed_on = before.get(asked..).unwrap_or_default().iter().filter(|request| {
        request.kind == Kind::Negotiate
            && request.client.address == proxy
            && request.server != front
            && hub(request) == hub(attempt)
    });
    let handed_on: Vec<&Request<'_>> = handed_on.collect();
    if handed_on.is_empty() || handed_on.iter().any(|request| request.server == upstream) {
        return;
    }
    let scattered = by_proxy.entry(proxy).or_default();
    scattered.sessions = scattered.sessions.saturating_add(1);
    scattered.upstreams.extend(handed_on.iter().map(|request| request.server));
    scattered.upstreams.insert(upstream);
    scattered.refused.push(attempt);
    scattered.places.push(attempt.connection);
    if scattered.example.is_empty() {
        scattered.example = handed_on;
        scattered.example.push(attempt);
    }
}

fn judge(view: &CaptureView<'_>, proxy: IpAddr, scattered: &Scattered<'_, '_>) -> Option<Finding> {
    let hops = view.routes.iter().flat_map(|route| route.hops().map(|(_, hop, _)| hop));
    let known = hops.filter(|hop| hop.is_proxy()).find(|hop| hop.proxy.address == proxy);
    let blame = known.map_or(Blame::Proxy(proxy, None, None), |hop| Blame::proxy(&hop.proxy));
    let refused: BTreeSet<PacketNumber> = scattered.refused.iter().map(|request| request.packet).collect();
    let is_refused = |packet: Option<PacketNumber>| packet.is_some_and(|packet| refused.contains(&packet));
    let routes: Vec<usize> = view
        .routes
        .iter()
        .filter(|route| route.legs().any(|leg| is_refused(leg.request_packet())))
        .map(|route| route.index)
        .collect();
    let mut places = scattered.places.clone();
    places.sort_unstable();
    places.dedup();
    let about = if routes.is_empty() { About::Connections(places) } else { About::Routes(routes) };
    let first = scattered.example.first()?;
    let other = scattered.example.iter().find(|request| request.server != first.server)?;
    let upstreams: Vec<String> = scattered.upstreams.iter().take(SHOWN).map(ToString::to_string).collect();
    Some(
        Finding::new(&RULE, blame, "sends the requests of one session to several upstreams")
            .about(about)
            .saying(format!(
                "{} of {} {} refused there: {} of {} {} the session.",
                words::count(scattered.refused.len() as u64, "request"),
                words::count(scattered.sessions as u64, "session"),
                if scattered.refused.len() == 1 { "is" } else { "are" },
                "only one",
                words::list(&upstreams),
                "knows"
            ))
            .shown_by([first.packet, other.packet])
            .shown_by(scattered.refused.iter().take(SHOWN).map(|request| request.packet))
            .advising(
                "Send all requests of one client to the same upstream: ip_hash in nginx, balance source or a cookie in \
                 HAProxy, a sticky cookie in Traefik or the load balancer.",
            ),
    )
}

const SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// Two polling requests of one session, of which the second reaches that upstream and is answered so.
    fn session(second: &str, status: &str) -> Script {
        let mut script = Script::default();
        let poll = "GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: a\r\n\r\n";
        for (number, (upstream, status)) in [(UPSTREAM, "200 OK"), (second, status)].into_iter().enumerate() {
            let mut talk = script.connect(&format!("10.77.2.1:{}", 40_000 + number), upstream);
            script.say(&mut talk, From::Client, poll).say(&mut talk, From::Server, answer(status, &[], "{}"));
        }
        script
    }

    #[test]
    fn a_proxy_that_scatters_a_session_is_named() {
        assert_eq!(
            session("10.77.2.2:3001", "400 Bad Request").leading(),
            "error session-not-sticky: the proxy 10.77.2.1 sends the requests of one session to several upstreams"
        );
    }

    /// A client that negotiates and connects over a proxy, which sends the second request there.
    fn negotiated(second: &str) -> Script {
        let (mut script, body) = (Script::default(), "{\"connectionToken\":\"2gFEdJIBTxWqkQtDYFH2fg\"}");
        let negotiate =
            "POST /hub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        let mut client = script.connect("10.77.1.2:50001", PROXY);
        script.say(&mut client, From::Client, negotiate);
        let mut upstream = script.connect("10.77.2.1:40001", UPSTREAM);
        script.say(&mut upstream, From::Client, negotiate);
        script.say(&mut upstream, From::Server, answer("200 OK", &[], body));
        script.say(&mut client, From::Server, answer("200 OK", &[], body));
        let connect = request_with(&[("GET", "/hub?id=2gFEdJIBTxWqkQtDYFH2fg")]);
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, &connect);
        let mut upstream = script.connect(PROXY_OUT, second);
        script.say(&mut upstream, From::Client, &connect);
        let unknown = answer("404 Not Found", &[], "No Connection with that ID");
        script.say(&mut upstream, From::Server, &unknown).say(&mut client, From::Server, &unknown);
        script
    }

    #[test]
    fn a_proxy_that_sends_a_negotiated_connection_elsewhere_is_named() {
        let script = negotiated("10.77.2.2:3001");
        assert_eq!(
            script.leading(),
            "error session-not-sticky: the proxy 10.77.2.1 sends the requests of one session to several upstreams"
        );
        assert_eq!(script.rules(), ["session-not-sticky"]);
        assert!(negotiated(UPSTREAM).leading().starts_with("error signalr-session-unknown"));
    }

    #[test]
    fn one_upstream_and_upstreams_that_share_sessions_are_left_alone() {
        assert!(session(UPSTREAM, "400 Bad Request").finding("session-not-sticky").is_none());
        assert!(session("10.77.2.2:3001", "200 OK").finding("session-not-sticky").is_none());
    }
}
