//! Something that nobody configured takes the upgrade out.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::forwarding::{self, Author};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::model::Outcome;
use crate::protocol::{RequestProblem, Role};
use crate::routes::Hop;

/// Something that nobody configured takes the upgrade out.
pub(super) static RULE: Rule = Rule {
    name: "stripped-in-transit",
    code: "WS207",
    severity: Severity::Error,
    summary: "something on the way that does not show itself takes the upgrade out of requests",
    page: "\
## What it sees

The first request of the capture arrives with `Sec-WebSocket-Key` but without `Upgrade`, or a browser's request arrives
without `upgrade` in `Connection`, and nothing in it shows a proxy. Or the capture has both sides of a hop that changes
these fields only and does not show in any other way.

## Why it breaks

Browsers send all fields of the handshake. If some of them are missing where the capture was made, something before it
took them out: a transparent proxy of a company or an internet provider, a virus scanner, a firewall that inspects HTTP,
or a reverse proxy that leaves no other mark. To it `Upgrade` and `Connection` are hop-by-hop fields (RFC 9110 section
7.6.1), and the application gets an ordinary request.

## How to mend it

- Use `wss://`: what is encrypted cannot be changed on the way. Transparent proxies look at port 80 and other ports in
  the clear.
- Compare with a request from another network, or from the server itself: if that works, something between is at fault.
- Capture at the client as well: if the fields are there, and missing at the server, the path changes them.
- If the address that the request comes from is a reverse proxy or a load balancer of yours, it is the one: let it
  forward the upgrade; see `upgrade-stripped`.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1",
    explains: &["WS2", "WS3", "upstream-aborted", "upstream-silent", "no-response", "intercepted-in-transit"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    if route.first.outcome == Outcome::Established {
        return None;
    }
    on_a_hop(route).or_else(|| before_the_first(route))
}

/// A hop that shows in nothing else.
fn on_a_hop(route: &RouteView<'_>) -> Option<Finding> {
    let (before, hop, after): (&LegView<'_>, &Hop, &LegView<'_>) = forwarding::stripping_hop(route)?;
    if !forwarding::is_invisible(hop) {
        return None;
    }
    let client = before.connection.endpoint(Role::Client).address;
    let keeps_address = client == hop.proxy.address;
    let blame = if keeps_address { Blame::Network } else { Blame::proxy(&hop.proxy) };
    let same = if keeps_address { "comes from the same client" } else { "is the same otherwise" };
    let finding = Finding::new(&RULE, blame, "takes the upgrade out of requests in transit")
        .saying(format!(
            "The request that {} gets {same}, but lacks {}.",
            after.connection.endpoint(Role::Server),
            missing(after)
        ))
        .shown_by(before.request_packet())
        .shown_by(after.packets());
    Some(advised(finding))
}

/// The first leg comes without the fields already.
fn before_the_first(route: &RouteView<'_>) -> Option<Finding> {
    let leg = &route.first;
    let lacks_upgrade = leg.asks_with(RequestProblem::UpgradeMissing);
    let lacks_token = leg.asks_with(RequestProblem::ConnectionTokenMissing);
    let is_from_browser = forwarding::is_from_browser(leg);
    // Only a browser is known never to forget the token.
    let is_stripped = lacks_upgrade || (lacks_token && is_from_browser);
    let asks = leg.request.as_ref()?.method == "GET" && leg.asked("sec-websocket-key").is_some();
    let Author::Client(client) = forwarding::sender(leg) else { return None };
    if !asks || !is_stripped {
        return None;
    }
    let server = leg.connection.endpoint(Role::Server);
    if server.address == client {
        // No network is between them.
        return None;
    }
    let who =
        if is_from_browser { "A browser made the request" } else { "The request has Sec-WebSocket-Key" };
    let headline = format!("takes the upgrade out of requests before they reach {}", server.address);
    let finding = Finding::new(&RULE, Blame::Network, headline)
        .saying(format!("{who}, but it arrives without {}.", missing(leg)))
        .saying_also((!is_from_browser).then(|| {
            "Programs that make a key send these fields too; something before this connection took them out.".to_owned()
        }))
        .saying_also(leg.status().map(|status| format!("{server} answers {status}.")))
        .shown_by(leg.packets())
        .advising(format!(
            "If {client} is a reverse proxy or a load balancer, it is the one: let it forward Upgrade and Connection."
        ))
        .at_most(if route.has_failed() { Severity::Error } else { Severity::Warning });
    Some(advised(finding))
}

fn missing(leg: &LegView<'_>) -> &'static str {
    match (
        leg.asks_with(RequestProblem::UpgradeMissing),
        leg.asks_with(RequestProblem::ConnectionTokenMissing),
    ) {
        (true, true) => "Upgrade and the token upgrade in Connection",
        (true, false) => "Upgrade",
        _ => "the token upgrade in Connection",
    }
}

fn advised(finding: Finding) -> Finding {
    finding.advising(
        "Transparent proxies, virus scanners and firewalls do this on port 80 and in other clear text; with wss:// they \
         cannot.",
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const BROWSER: (&str, &str) = ("User-Agent", "Mozilla/5.0");

    fn direct(fields: &[(&str, &str)], reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(fields));
        script.say(&mut client, From::Server, reply);
        script
    }

    #[test]
    fn fields_that_are_lost_before_the_capture_are_the_networks_fault() {
        let refused = answer("426 Upgrade Required", &[], "");
        let expected = "error stripped-in-transit: the network takes the upgrade out of requests before they reach 10.77.1.1";
        for (fields, expected) in [
            (&[("Upgrade", ""), ("Connection", "keep-alive")][..], expected),
            (&[("Upgrade", "")], expected),
            (&[BROWSER, ("Connection", "")], expected),
            // A program may have forgotten the token itself.
            (&[("Connection", "")], ""),
            // A proxy that shows.
            (&[("Upgrade", ""), ("Via", "1.1 edge")], ""),
            (&[("Upgrade", ""), ("HTTP", "1.0"), ("Connection", "close")], ""),
            // No handshake at all: the version alone may come from anything.
            (&[("Upgrade", ""), ("Sec-WebSocket-Key", "")], ""),
            (&[], ""),
        ] {
            let leading = direct(fields, &refused).leading();
            let told = if leading.contains("stripped-in-transit") { leading.as_str() } else { "" };
            assert_eq!(told, expected, "{fields:?}");
        }
        let finding = direct(&[BROWSER, ("Upgrade", "")], &refused).finding("stripped-in-transit").unwrap();
        assert_eq!(
            finding.detail,
            ["A browser made the request, but it arrives without Upgrade.", "10.77.1.1:80 answers 426."]
        );
        assert_eq!((finding.advice.len(), finding.packets.len()), (2, 2));
    }

    #[test]
    fn a_hop_that_shows_in_nothing_else_is_in_transit() {
        // A key that no document has: such ones are sent to many servers.
        let key = ("Sec-WebSocket-Key", "bm90IGluIGFueSBib29rIQ==");
        let stripped = request_with(&[("Upgrade", ""), ("Connection", ""), key]);
        for (from, to, forwarded, expected) in [
            (
                PROXY_OUT,
                UPSTREAM,
                &stripped,
                "the proxy 10.77.2.1 takes the upgrade out of requests in transit",
            ),
            (
                "10.77.1.2:50001",
                UPSTREAM,
                &stripped,
                "the network takes the upgrade out of requests in transit",
            ),
            (PROXY_OUT, UPSTREAM, &request_with(&[("Upgrade", ""), ("X-Real-IP", "10.77.1.2"), key]), ""),
        ] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[key]));
            let mut upstream = script.connect(from, to);
            script.say(&mut upstream, From::Client, forwarded);
            for talk in [&mut upstream, &mut client] {
                script.say(talk, From::Server, answer("400 Bad Request", &[], ""));
            }
            let finding = script.finding("stripped-in-transit");
            assert_eq!(finding.map_or_else(String::new, |finding| finding.sentence()), expected, "{from}");
            assert_eq!(script.rules().len(), 1);
        }
    }
}
