//! Somebody between the hosts resets a connection.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::protocol::Role;
use crate::tcp::EndedBy;

/// Somebody between the hosts resets a connection.
pub(super) static RULE: Rule = Rule {
    name: "reset-injected",
    code: "WS703",
    severity: Severity::Error,
    summary: "a RST comes from somebody else than the host in whose name it is sent",
    page: "\
## What it sees

A RST ends the connection, and its time to live (hop limit) is another than that of all packets of the host that it
seems to come from. Or that host goes on sending after it, which a host that resets does not do. A difference of four
hops or less is a warning, since routes may change. Where two files show the same traffic, captured at two points: the
point on the side of that host has no such RST.

## Why it breaks

Packets of one host come the same way and so arrive with the same time to live. A RST with another one was made at
another place: by a firewall, an intrusion prevention system, a transparent proxy or a virus scanner. They do that if
they dislike what was sent, or have lost or timed out their own record of the connection. The application is innocent,
and its log shows only that the peer reset the connection.

## How to mend it

Look at what is between the two hosts: rules that look into HTTP or WebSocket traffic, and timeouts of sessions. The
difference of the two values tells how far away it is, if one guesses what it started with (64, 128 or 255). Captures
on both hosts prove it: the RST arrives at one and never left the other. `wss://` keeps most of them from looking
inside.
",
    see: "https://www.rfc-editor.org/rfc/rfc9293#section-3.5.2",
    explains: &[
        "no-close-frame",
        "idle-timeout",
        "upstream-aborted",
        "no-response",
        "client-gave-up",
        "refused-by-proxy",
    ],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    route.legs().find_map(|leg| {
        let connection = leg.connection;
        let ending = connection.tcp.ending.filter(|ending| ending.how == EndedBy::Reset)?;
        let by = connection.closed_by()?;
        let half = connection.half(by);
        let usual = half.hop_limit?;
        let passage = connection.passage(by);
        let appeared = passage.filter(|(passage, _)| {
            passage.reset_appeared.is_some_and(|(packet, _)| packet == ending.origin.packet)
        });
        // Between two points of capture each packet has lost as many hops as there are.
        let is_behind = passage.is_some() && appeared.is_none();
        let difference = match usual.abs_diff(ending.hop_limit) {
            ..FAR if is_behind => 0,
            difference => difference,
        };
        let goes_on = half.after_reset > 0;
        // A capture on several queues may put one packet after the RST that was sent before it.
        let severity = match (difference, half.after_reset) {
            _ if appeared.is_some() => Severity::Error,
            (FAR.., _) | (1.., 1..) => Severity::Error,
            (1.., 0) | (0, 2..) => Severity::Warning,
            (0, _) => return None,
        };
        let sender = connection.endpoint(by);
        let name = match by {
            Role::Client => "the client's side",
            Role::Server => "the server's side",
        };
        let differs = (difference > 0).then(|| {
            format!(
                "The RST in the name of {sender} has the time to live {}; its other packets have {usual}.",
                ending.hop_limit
            )
        });
        let never = appeared.map(|(_, points)| {
            let [here, there] = points.map(|point| route.capture.point_name(point));
            format!("{there} has a RST in the name of {sender} that {here}, on the side of {sender}, never shows.")
        });
        let more = goes_on.then(|| format!("{sender} goes on sending after it: the RST is not its own."));
        Some(
            Finding::new(&RULE, Blame::Network, format!("resets a connection in the name of {name}"))
                .at_most(severity)
                .saying_also(never)
                .saying_also(differs.filter(|_| appeared.is_none()))
                .saying_also(more)
                .shown_by(half.last_payload.map(|(packet, _)| packet))
                .shown_by([ending.origin.packet])
                .advising(
                    "Look for a firewall, an intrusion prevention system or a virus scanner between the two hosts, \
                     and capture on both of them: the RST arrives at one and never left the other.",
                ),
        )
    })
}

/// More hops than a change of routes adds.
const FAR: u8 = 5;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn reset(hop_limit: u8, after: usize) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request()).say(&mut client, From::Server, switching());
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        client.client_hop_limit = hop_limit;
        script.reset(&mut client, From::Client);
        client.client_hop_limit = 64;
        for _ in 0..after {
            script.say_alone(&mut client, From::Client, text_frame(From::Client, "still here"));
        }
        script
    }

    #[test]
    fn a_rst_of_somebody_else_is_told() {
        let network = "reset-injected: the network resets a connection in the name of the client's side";
        for (hop_limit, after, severity) in
            [(255, 0, "error"), (255, 1, "error"), (63, 0, "warning"), (63, 1, "error"), (64, 2, "warning")]
        {
            let script = reset(hop_limit, after);
            assert_eq!(script.leading(), format!("{severity} {network}"), "{hop_limit} {after}");
        }
        let finding = reset(255, 0).finding("reset-injected").unwrap();
        assert_eq!(
            finding.detail,
            ["The RST in the name of 10.77.1.2:50000 has the time to live 255; its other packets have 64."]
        );
        assert!(leading_of("reset-injected").starts_with("error reset-injected"));
    }

    #[test]
    fn a_rst_that_never_left_the_host_is_told() {
        let (mut script, mut client) = session();
        let from = script.len();
        script.reset(&mut client, From::Client).wait_ms(500);
        let mut other = script.connect("10.77.1.2:50009", PROXY);
        script.say(&mut other, From::Client, request());
        let injected = |(near, far): (Script, Script)| {
            let found = two_captures(&near, &far).findings;
            found.into_iter().find(|finding| finding.rule.name == "reset-injected")
        };
        assert!(injected(points(&script, &[], 3_000)).is_none(), "it passed both points");
        let (mut near, far) = points(&script, &[], 3_000);
        near.remove(from);
        assert_eq!(
            injected((near, far)).unwrap().detail,
            ["server.pcap has a RST in the name of 10.77.1.2:50000 that client.pcap, on the side of \
                 10.77.1.2:50000, never shows."]
        );
    }

    #[test]
    fn a_rst_of_the_host_itself_is_left_alone() {
        for script in [reset(64, 0), reset(64, 1)] {
            assert!(script.finding("reset-injected").is_none());
        }
        for capture in ["client-reset", "upstream-reset-502", "haproxy-idle-tunnel"] {
            let found = diagnosis_of(capture).findings;
            assert!(found.iter().all(|finding| finding.rule.name != "reset-injected"), "{capture}");
        }
    }
}
