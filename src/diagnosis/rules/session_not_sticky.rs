//! The requests of one session reach several upstreams.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::sessions_by_polling::{Request, by_session};
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::units::{Endpoint, PacketNumber};

/// The requests of one session reach several upstreams.
pub(super) static RULE: Rule = Rule {
    name: "session-not-sticky",
    code: "WS902",
    severity: Severity::Error,
    summary: "a proxy sends the requests of one session to several upstreams, and they fail",
    page: "\
## What it sees

Requests that carry one session's name (`sid=` of Engine.IO, `id=` of SignalR, the path of SockJS) from one proxy to two
or more upstreams, and some of them are answered with 400 or 404, since the session lives in one of them.

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
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let requests = view.requests();
    let mut by_proxy: BTreeMap<IpAddr, Scattered<'_, '_>> = BTreeMap::new();
    for all in [&requests.engine_io, &requests.signalr, &requests.sockjs] {
        for session in by_session(all).into_values() {
            note(&session, &mut by_proxy);
        }
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

fn judge(view: &CaptureView<'_>, proxy: IpAddr, scattered: &Scattered<'_, '_>) -> Option<Finding> {
    let hops = view.routes.iter().flat_map(|route| route.hops().map(|(_, hop, _)| hop));
    let known = hops.filter(|hop| !hop.is_translation).find(|hop| hop.proxy.address == proxy);
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

    #[test]
    fn one_upstream_and_upstreams_that_share_sessions_are_left_alone() {
        assert!(session(UPSTREAM, "400 Bad Request").finding("session-not-sticky").is_none());
        assert!(session("10.77.2.2:3001", "200 OK").finding("session-not-sticky").is_none());
    }
}
