//! A proxy asks for an upgrade that no client wanted.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::forwarding::{self, Author};
use crate::diagnosis::recipes;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::{RequestProblem, Role};
use crate::routes::{Proxy, Software};
use crate::units::PacketNumber;

/// A proxy asks for an upgrade that no client wanted.
pub(super) static RULE: Rule = Rule {
    name: "forced-upgrade",
    code: "WS205",
    severity: Severity::Error,
    summary: "a proxy makes upgrade requests of ordinary ones",
    page: "\
## What it sees

A request behind a proxy has `Upgrade: websocket` and nothing else of the handshake, while an ordinary request for the
same target waits before the proxy; or the capture has both as one route. If it has the upstream's side only, it is a
request that a proxy sent, by its forwarding fields for example, with `Upgrade: websocket` and no `Sec-WebSocket` field.

## Why it breaks

The proxy writes `Upgrade` as a fixed value, so every page, image and API call asks for an upgrade (RFC 9110 section
7.8). WebSockets work, and ordinary requests break: strict applications answer 400 or 426. One that looks at `Upgrade`
alone answers 101 to a client that never asked; nginx starts no tunnel then, and the client waits until
`proxy_read_timeout` is over.

## How to mend it

nginx: take both values from each request.

```
map $http_upgrade $connection_upgrade { default upgrade; '' close; }
```
```
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
```

nginx leaves a field out whose value is empty, so ordinary requests have no `Upgrade`. Other proxies: set no fixed
`Upgrade`; those that pass upgrades on do it by themselves.
",
    see: "https://nginx.org/en/docs/http/websocket.html",
    explains: &[
        "connection-token-missing",
        "http-version-too-low",
        "stripped-in-transit",
        "key-invalid",
        "version-unsupported",
        "WS2",
        "WS3",
        "upstream-aborted",
        "upstream-silent",
        "no-response",
    ],
    check: Check::Route(check),
};

/// What shows that a leg was not asked for.
struct Forced<'v, 'a> {
    leg: &'v LegView<'a>,
    proxy: Proxy,
    /// The packet of the client's own request, if the capture has it.
    asked: Option<PacketNumber>,
}

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let Forced { leg, proxy, asked } = on_a_hop(route).or_else(|| beside_an_ordinary_request(route))?;
    let upstream = leg.connection.endpoint(Role::Server);
    let target = route.quote(leg.target().as_bytes());
    let ordinary = if asked.is_some() {
        format!(
            "The client's request for {target} is an ordinary one; what goes to {upstream} has Upgrade: websocket."
        )
    } else {
        format!("The request for {target} has Upgrade: websocket and nothing else of the handshake.")
    };
    let nginx_waits = (leg.status() == Some(101) && proxy.software == Some(Software::Nginx)).then(|| {
        "nginx starts no tunnel for a client that has not asked; the 101 goes out when proxy_read_timeout is over."
            .to_owned()
    });
    // It counts as a failed attempt of somebody, and this is why; or it has become a tunnel that nobody uses.
    let is_failure = leg.outcome.is_failure() || leg.status() == Some(101);
    let filtered = "If clients do ask for upgrades here, something filters their Sec-WebSocket fields.";
    Some(
        Finding::new(&RULE, Blame::proxy(&proxy), "asks for upgrades that no client wanted")
            .saying(ordinary)
            .saying_also(leg.status().map(|status| format!("{upstream} answers {status}.")))
            .saying_also(nginx_waits)
            .shown_by(asked)
            .shown_by(leg.packets())
            .mended_by(recipes::follow_the_client(proxy.software))
            .advising("With a fixed value WebSockets work and everything else asks for an upgrade too.")
            .saying_also(asked.is_none().then(|| filtered.to_owned()))
            .at_most(if is_failure { Severity::Error } else { Severity::Warning }),
    )
}

fn on_a_hop<'v, 'a>(route: &'v RouteView<'a>) -> Option<Forced<'v, 'a>> {
    let (before, hop, leg) = route.hops().find(|(before, _, after)| {
        before.asks_with(RequestProblem::UpgradeMissing)
            && forwarding::lacks_handshake(before)
            && after.request.is_some()
            && !after.asks_with(RequestProblem::UpgradeMissing)
    })?;
    Some(Forced { leg, proxy: hop.proxy.clone(), asked: before.request_packet() })
}

fn beside_an_ordinary_request<'v, 'a>(route: &'v RouteView<'a>) -> Option<Forced<'v, 'a>> {
    let leg = &route.first;
    if leg.asks_with(RequestProblem::UpgradeMissing) || !forwarding::lacks_handshake(leg) {
        return None;
    }
    let address = leg.connection.endpoint(Role::Client).address;
    let ordinary = forwarding::waiting(route, leg).find(|from| {
        let is_unasked = |attempt: &crate::protocol::Attempt| {
            let request = attempt.request.as_ref();
            request.is_some_and(|request| request.problems.contains(&RequestProblem::UpgradeMissing))
        };
        from.exchange.is_some() || from.attempt.is_some_and(is_unasked)
    });
    if let Some(from) = ordinary {
        let answer = from.exchange.and_then(|exchange| exchange.answer.as_ref());
        // What the upstream calls itself says nothing about the proxy.
        let server = answer
            .and_then(|answer| answer.server.as_deref())
            .filter(|server| leg.answered_text("server") != Some(*server));
        let proxy = server.map_or(Proxy::at(address), |server| Proxy::called(address, server));
        return Some(Forced { leg, proxy, asked: Some(from.packet) });
    }
    match forwarding::sender(leg) {
        Author::Sender(proxy, _) => Some(Forced { leg, proxy, asked: None }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const NO_HANDSHAKE: &[(&str, &str)] =
        &[("Sec-WebSocket-Key", ""), ("Sec-WebSocket-Version", ""), ("Origin", "")];

    fn forced(others: &[(&str, &str)]) -> String {
        request_with(&[NO_HANDSHAKE, others].concat())
    }

    fn through(asked: &str, forwarded: &str, reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, asked);
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, forwarded);
        script.say(&mut upstream, From::Server, reply);
        script.say(&mut client, From::Server, reply.replacen("\r\n", "\r\nServer: nginx/1.22.1\r\n", 1));
        script
    }

    #[test]
    fn a_proxy_that_writes_upgrade_into_ordinary_requests_is_named() {
        let ordinary = "GET /ws HTTP/1.1\r\nHost: chat.example.test\r\n\r\n";
        let bad = answer("400 Bad Request", &[], "");
        let expected = "forced-upgrade: nginx 1.22.1 (10.77.2.1) asks for upgrades that no client wanted";
        for reply in [&bad, &answer("200 OK", &[], "x")] {
            let script = through(ordinary, &forced(&[]), reply);
            assert_eq!(script.leading(), format!("error {expected}"));
            assert_eq!(script.rules(), ["forced-upgrade"]);
            assert_eq!(script.finding("forced-upgrade").unwrap().packets.len(), 3);
        }
        let script = through(ordinary, &forced(&[]), &switching());
        assert_eq!(script.leading(), format!("error {expected}"));
        let finding = script.finding("forced-upgrade").unwrap();
        assert_eq!(
            finding.detail,
            [
                "The client's request for /ws is an ordinary one; what goes to 10.77.2.2:3000 has Upgrade: websocket.",
                "10.77.2.2:3000 answers 101.",
                "nginx starts no tunnel for a client that has not asked; the 101 goes out when proxy_read_timeout is \
                 over.",
            ]
        );
    }

    #[test]
    fn the_upstreams_side_alone_shows_a_proxy() {
        let bad = answer("400 Bad Request", &[], "");
        for (fields, expected) in [
            (
                &[("X-Real-IP", "10.77.1.2")][..],
                "error forced-upgrade: the proxy 10.77.2.1 asks for upgrades that no client wanted",
            ),
            // A client that forgot its key.
            (&[], "error key-invalid: the client 10.77.2.1 sends no Sec-WebSocket-Key"),
        ] {
            let mut script = Script::default();
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut upstream, From::Client, forced(fields));
            script.say(&mut upstream, From::Server, &bad);
            let told = script.finding("forced-upgrade").map_or_else(
                || script.leading(),
                |it| format!("{} forced-upgrade: {}", it.severity.name(), it.sentence()),
            );
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn what_a_client_asked_for_is_not_forced() {
        let bad = answer("400 Bad Request", &[], "");
        for (asked, forwarded) in [(request(), request()), (forced(&[]), forced(&[]))] {
            assert!(through(&asked, &forwarded, &bad).finding("forced-upgrade").is_none());
        }
    }
}
