//! An upstream does not answer the proxy's SYN.

use crate::diagnosis::answers;
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::words;
use crate::model::Connection;
use crate::protocol::Role;
use crate::tcp::Opened;
use crate::units::Span;

/// An upstream does not answer the proxy's SYN.
pub(super) static RULE: Rule = Rule {
    name: "upstream-unreachable",
    code: "WS402",
    severity: Severity::Error,
    summary: "the upstream does not answer the proxy's TCP connection at all",
    page: "\
## What it sees

While the client's upgrade request waits, the proxy sends a SYN to the upstream and sends it again after about 1, 3
and 7 seconds. Nothing comes back, neither SYN+ACK nor RST. The client waits as long, gives up, or gets the proxy's
own 502, 503 or 504.

## Why it breaks

The packets do not arrive, or the answers do not come back: a firewall or a security group that drops them, an address
that no host has, a container network that the proxy is not part of, a route that is missing. A host that is up and
has nothing on that port would refuse with RST; that is `upstream-refused`.

## How to mend it

From the proxy's own host or container, try the same address and port: `nc -vz ADDRESS PORT`. Capture on the
upstream's host as well: if the SYN does not arrive there, look at what is between; if it does, look at its firewall
and its route back. Until then a short connect timeout makes the failure visible sooner: nginx `proxy_connect_timeout
5s`, HAProxy `timeout connect 5s`, Apache `connectiontimeout=5` on the ProxyPass line, Caddy `dial_timeout 3s`.
",
    see: "https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3",
    explains: &["refused-by-proxy", "html-instead-of-101", "no-response", "client-gave-up", "upstream-refused"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let is_unanswered = |connection: &&&Connection| connection.tcp.opening.opened == Opened::Unanswered;
    let example = route.tries.iter().find(is_unanswered)?;
    let upstream = example.endpoint(Role::Server);
    let tries: Vec<&&Connection> = route
        .tries
        .iter()
        .filter(|connection| is_unanswered(connection) && connection.endpoint(Role::Server) == upstream)
        .collect();
    let sent =
        tries.iter().map(|connection| connection.half(Role::Client).packets).fold(0, u64::saturating_add);
    let status = route.last().status();
    // The latest SYN at the end of a capture may still be answered: one that was lost is no firewall.
    let is_waited_for = tries.iter().any(|connection| {
        let sent = connection.half(Role::Client).packets;
        let waited = route.end.since(connection.tcp.last.1);
        sent > 2 || waited >= SYN_TIMEOUT || (sent > 1 && route.has_failed())
    });
    if !is_waited_for || !status.is_none_or(|status| MADE_BY_PROXIES.contains(&status)) {
        return None;
    }
    let first = tries.iter().map(|connection| connection.tcp.opening.first.time).min()?;
    let last = tries.iter().map(|connection| connection.tcp.last.1).max()?;
    let proxy = words::begin(&Blame::proxy(&answers::opener(route, example)).spoken());
    let made = status.map(|status| format!("{proxy} answers {status} by itself."));
    let finding = Finding::new(&RULE, Blame::Upstream(upstream), "does not answer the proxy's SYN")
        .saying(format!(
            "{} to {upstream} within {} got no answer, neither SYN+ACK nor RST: a firewall drops them, or no host has \
             this address.",
            words::count(sent, "SYN"),
            words::span(last.since(first))
        ))
        .saying_also(made)
        .shown_by(route.packets())
        .shown_by(tries.iter().flat_map(|connection| [connection.id(), connection.tcp.last.0]))
        .advising(format!(
            "Try nc -vz {} {} on the proxy's own host or in its container, and capture on the upstream's host too: \
             that shows on which side the packets are lost.",
            upstream.address, upstream.port
        ));
    Some(if route.has_failed() { finding } else { finding.at_most(Severity::Warning) })
}

/// When a SYN is sent again for the first time (RFC 6298 section 2.1).
const SYN_TIMEOUT: Span = Span::from_millis(1_000);

/// What proxies answer if they cannot reach an upstream.
const MADE_BY_PROXIES: &[u16] = &[500, 502, 503, 504];

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn unanswered(script: &mut Script) -> Talk {
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.unanswered(PROXY_OUT, UPSTREAM);
        client
    }

    #[test]
    fn an_upstream_that_swallows_syns_is_named() {
        let mut script = Script::default();
        let mut client = unanswered(&mut script);
        script.wait_ms(3000).say(&mut client, From::Server, answer("504 Gateway Time-out", &[], "<html>"));
        let sentence =
            "error upstream-unreachable: the upstream 10.77.2.2:3000 does not answer the proxy's SYN";
        assert_eq!(script.leading(), sentence);
        let finding = script.finding("upstream-unreachable").unwrap();
        assert!(
            finding.detail[0].starts_with("4 SYNs to 10.77.2.2:3000 within 7.0 s got no answer"),
            "{:?}",
            finding.detail
        );
    }

    #[test]
    fn a_client_that_still_waits_makes_it_a_warning() {
        let mut script = Script::default();
        unanswered(&mut script);
        assert!(script.leading().starts_with("warning upstream-unreachable"), "{}", script.leading());
        let mut script = Script::default();
        let mut client = unanswered(&mut script);
        script.close(&mut client, From::Client);
        assert_eq!(script.rules(), ["upstream-unreachable"], "it explains client-gave-up");
    }

    #[test]
    fn one_syn_at_the_end_of_the_capture_proves_nothing() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.half_open(PROXY_OUT, UPSTREAM);
        assert!(script.finding("upstream-unreachable").is_none());
        // Nor does another one a second later, as long as nobody has given up.
        script.wait_ms(1_000).half_open(PROXY_OUT, UPSTREAM);
        assert!(script.finding("upstream-unreachable").is_none());
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        // Nor do two of two connections.
        script.half_open(PROXY_OUT, UPSTREAM);
        script.half_open("10.77.2.1:40001", UPSTREAM);
        assert!(script.finding("upstream-unreachable").is_none());
    }
}
