//! Full packets do not arrive, and small ones do.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::units::Span;

/// Full packets do not arrive, and small ones do.
pub(super) static RULE: Rule = Rule {
    name: "path-mtu",
    code: "WS701",
    severity: Severity::Error,
    summary: "full packets are sent again and again and never arrive, while small ones do",
    page: "\
## What it sees

One side sends the same long segment (1,000 bytes of payload or more) again three times or more over at least a second,
and nothing after it to the end, while the other side still sends packets and so is there. Small segments of the same
connection went through before.

## Why it breaks

Somewhere on the way a link takes smaller packets than both hosts believe: a VPN, an overlay network of containers, a
tunnel, PPPoE. A router there drops what is too large and says so with ICMP (\"fragmentation needed\", \"packet too
big\"), and a firewall drops that message. The handshake and small messages work; the first large one hangs for ever.

## How to mend it

Let the ICMP messages through (type 3 code 4 of IPv4, type 2 of IPv6). Or make the packets smaller: clamp the segment
size at the router (`iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu`), or
set the MTU of the container network to that of the tunnel, often 1450 or 1400 (`com.docker.network.driver.mtu`).
",
    see: "https://www.rfc-editor.org/rfc/rfc2923#section-2.1",
    explains: &[
        "retransmission-storm",
        "path-blocked",
        "path-loss",
        "no-close-frame",
        "ping-unanswered",
        "half-open",
        "no-response",
        "upstream-silent",
        "client-gave-up",
    ],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    route.legs().find_map(|leg| [Role::Client, Role::Server].into_iter().find_map(|role| judge(leg, role)))
}

fn judge(leg: &LegView<'_>, role: Role) -> Option<Finding> {
    let (half, other) = (leg.connection.half(role), leg.connection.half(role.other()));
    let retries = half.retries?;
    let over = retries.last.1.since(retries.first.1);
    let is_last = half.last_payload.is_some_and(|(packet, _)| packet == retries.last.0);
    let is_stuck = retries.times >= LEAST
        && retries.length >= FULL
        && (retries.is_heard || retries.heard_after > 0)
        && over >= LEAST_TIME
        && is_last
        && half.payload_bytes > retries.length.into()
        && half.copies == 0
        && other.packets > 0;
    is_stuck.then(|| {
        let (from, to) = (leg.connection.endpoint(role), leg.connection.endpoint(role.other()));
        Finding::new(&RULE, Blame::Network, format!("loses every full packet from {from} to {to}"))
            .saying(format!(
                "A segment of {} is sent again {} over {} and never gets through, though smaller ones did and {to} \
                 still sends.",
                words::count(u64::from(retries.length), "byte"),
                words::count(u64::from(retries.times), "time"),
                words::span(over),
            ))
            .shown_by([retries.first.0, retries.last.0])
            .advising(
                "Let ICMP messages about too large packets through, or clamp the segment size (MSS) at the router of \
                 the tunnel, VPN or container network between the two.",
            )
    })
}

/// Fewer are an ordinary loss.
const LEAST: u32 = 3;
const LEAST_TIME: Span = Span::from_millis(1_000);
/// Payload of a segment that may be too large for some link: less passes everywhere in practice.
const FULL: u32 = 1_000;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// A segment of that length that is sent again and again, while the client pings.
    fn stuck(length: usize) -> (Script, Talk) {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, text_frame(From::Server, "small"));
        let mut long = vec![0x82, 126];
        long.extend(u16::try_from(length).unwrap().to_be_bytes());
        long.extend(vec![b'x'; length]);
        script.say_alone(&mut client, From::Server, &long);
        for turn in 0..5 {
            script.wait_ms(400 << turn).say_again(&mut client, From::Server, &long);
            // What a client says that knows nothing of it.
            client.server_is_not_heard(&long);
            script.say_alone(&mut client, From::Client, frame(From::Client, 0x9, b""));
            client.server_has_sent(&long);
        }
        script.wait_ms(13_000).say_again(&mut client, From::Server, &long);
        (script, client)
    }

    #[test]
    fn full_packets_that_never_arrive_are_told() {
        let (script, _) = stuck(1_396);
        assert_eq!(
            script.leading(),
            "error path-mtu: the network loses every full packet from 10.77.1.1:80 to 10.77.1.2:50000"
        );
        assert!(script.finding("retransmission-storm").is_none());
    }

    #[test]
    fn short_ones_and_those_that_arrive_in_the_end_are_something_else() {
        let (script, _) = stuck(300);
        assert!(script.finding("path-mtu").is_none());
        let (mut script, mut client) = stuck(1_396);
        script.acknowledge(&mut client, From::Client);
        script.say(&mut client, From::Server, text_frame(From::Server, "more"));
        assert!(script.finding("path-mtu").is_none());
    }
}
