//! `Connection: upgrade` on requests that ask for no upgrade.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::recipes;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::CaptureView;
use crate::protocol::Role;
use crate::routes::Proxy;
use crate::units::PacketNumber;

/// `Connection: upgrade` on requests that ask for no upgrade.
pub(super) static RULE: Rule = Rule {
    name: "connection-upgrade-always",
    code: "WS206",
    severity: Severity::Warning,
    summary: "a proxy sends Connection: upgrade with ordinary requests too",
    page: "\
## What it sees

Ordinary requests with the token `upgrade` in `Connection` and no `Upgrade` field. It is a note as long as they are
answered as usual, and a warning if some of them are answered 400, 426 or 501.

## Why it breaks

The proxy writes `Connection: upgrade` as a fixed value, while `Upgrade` is that of the client and empty for ordinary
requests. `Connection` then names a field that is not there (RFC 9110 section 7.6.1). WebSockets work, and most
applications take no notice; strict ones refuse the request, and the proxy cannot keep its upstream connections open.

## How to mend it

nginx: a map instead of the fixed value.

```
map $http_upgrade $connection_upgrade { default upgrade; '' close; }
```
```
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
```
",
    see: "https://nginx.org/en/docs/http/websocket.html",
    explains: &[],
    check: Check::Capture(check),
};

/// What one host sent.
#[derive(Default)]
struct Sent {
    connections: Vec<usize>,
    packets: Vec<PacketNumber>,
    requests: u64,
    refused: Option<u16>,
}

fn check(capture: &CaptureView<'_>) -> Vec<Finding> {
    let mut by_sender: BTreeMap<IpAddr, Sent> = BTreeMap::new();
    for (at, connection) in capture.capture.connections.iter().enumerate() {
        for exchange in connection.exchanges.iter().filter(|it| it.complete && it.asks_connection_upgrade) {
            let sent = by_sender.entry(connection.endpoint(Role::Client).address).or_default();
            if sent.connections.last() != Some(&at) {
                sent.connections.push(at);
            }
            if sent.packets.len() < PACKETS {
                sent.packets.push(exchange.request.packet);
            }
            sent.requests = sent.requests.saturating_add(1);
            let status = exchange.answer.as_ref().map(|answer| answer.status);
            sent.refused = sent.refused.or(status.filter(|status| matches!(status, 400 | 426 | 501)));
        }
    }
    let mut proxies: BTreeMap<IpAddr, &Proxy> = BTreeMap::new();
    for hop in capture.routes.iter().flat_map(|route| &route.others).filter_map(|leg| leg.hop) {
        let known = proxies.entry(hop.proxy.address).or_insert(&hop.proxy);
        if known.software.is_none() {
            *known = &hop.proxy;
        }
    }
    by_sender.into_iter().map(|(address, sent)| finding(address, sent, &proxies)).collect()
}

fn finding(address: IpAddr, sent: Sent, proxies: &BTreeMap<IpAddr, &Proxy>) -> Finding {
    // No client writes this: a fixed value of a proxy does.
    let proxy = proxies.get(&address).map_or(Proxy::at(address), |proxy| (*proxy).clone());
    let (requests, have) = if sent.requests == 1 {
        ("One ordinary request".to_owned(), "has")
    } else {
        (format!("{} ordinary requests", sent.requests), "have")
    };
    Finding::new(&RULE, Blame::proxy(&proxy), "sends Connection: upgrade with ordinary requests too")
        .saying(format!("{requests} {have} Connection: upgrade and no Upgrade."))
        .saying_also(sent.refused.map(|status| format!("Some answers are {status}.")))
        .shown_by(sent.packets)
        .mended_by(recipes::follow_the_client(proxy.software))
        .at_most(if sent.refused.is_some() { Severity::Warning } else { Severity::Note })
        .about(About::Connections(sent.connections))
}

/// Examples that are shown.
const PACKETS: usize = 3;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn ordinary(fields: &str, status: &str) -> Script {
        let mut script = Script::default();
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        for target in ["/", "/page"] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: chat.example.test\r\n{fields}\r\n");
            script.say(&mut upstream, From::Client, request);
            script.say(&mut upstream, From::Server, answer(status, &[], "x"));
        }
        // One attempt, so that the capture has something to say.
        let mut other = script.connect("10.77.2.1:40001", UPSTREAM);
        script.say(&mut other, From::Client, request());
        script.say(&mut other, From::Server, switching());
        script
    }

    #[test]
    fn a_fixed_token_is_a_note_and_a_warning_where_it_hurts() {
        let told = |fields: &str, status: &str| ordinary(fields, status).leading();
        let sentence = "connection-upgrade-always: the proxy 10.77.2.1 sends Connection: upgrade with ordinary requests \
                        too";
        assert_eq!(told("Connection: upgrade\r\n", "200 OK"), format!("note {sentence}"));
        assert_eq!(told("Connection: upgrade\r\n", "400 Bad Request"), format!("warning {sentence}"));
        for fields in ["", "Connection: close\r\n", "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"]
        {
            assert_eq!(told(fields, "200 OK"), "", "{fields}");
        }
        let finding =
            ordinary("Connection: upgrade\r\n", "200 OK").finding("connection-upgrade-always").unwrap();
        assert_eq!(finding.detail, ["2 ordinary requests have Connection: upgrade and no Upgrade."]);
        assert_eq!(finding.packets.len(), 2);
    }
}
