//! Packets are lost between two points of capture.

use std::collections::BTreeMap;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::points::Losses;
use crate::protocol::Role;
use crate::units::PacketNumber;

/// Packets are lost between two points of capture.
pub(super) static RULE: Rule = Rule {
    name: "path-loss",
    code: "WS705",
    severity: Severity::Warning,
    summary: "two captures show that packets are lost between the two points",
    page: "\
## What it sees

Two files show the same traffic, captured at two points, and the point on the sender's side has packets of connections
with an upgrade attempt that the other point never shows. They were sent again later, or nobody acknowledged them: so
they are lost on the way, and not only in a capture. More than two in a hundred, and at least ten, are a warning; fewer
are a note. If nothing gets through any more, it is `path-blocked`.

## Why it breaks

Each lost packet is sent again after 200 ms or more, and everything behind it waits. A few are usual on the internet and
on wireless links. Many make messages late, pings miss their time and sessions end.

## How to mend it

The loss is between the two points: that frees both hosts and everything behind them. Move one of the points, or add a
third, until the link is found. Look at the errors and drops that its interfaces count (`ip -s link`, `ethtool -S`), at
policers and at the load of firewalls between.
",
    see: "https://www.rfc-editor.org/rfc/rfc9293#section-3.8.1",
    explains: &["retransmission-storm"],
    check: Check::Capture(check),
};

/// One finding for all connections alike: it is one network.
fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let mut ways: BTreeMap<[u8; 2], Way> = BTreeMap::new();
    let mut routes = Vec::new();
    for route in &view.routes {
        for leg in route.legs() {
            for role in [Role::Client, Role::Server] {
                let Some((half, points)) = leg.connection.passage(role) else { continue };
                let is_new = half.lost.packets > 0 && !routes.contains(&route.index);
                routes.extend(is_new.then_some(route.index));
                ways.entry(points).or_default().add(half.passed, &half.lost, leg.connection.id());
            }
        }
    }
    let mut ways: Vec<([u8; 2], Way)> = ways.into_iter().filter(|(_, way)| way.lost > 0).collect();
    ways.sort_by_key(|(_, way)| std::cmp::Reverse(way.lost));
    if ways.is_empty() {
        return Vec::new();
    }
    let lost: u64 = ways.iter().map(|(_, way)| way.lost).sum();
    let sent: u64 = ways.iter().map(|(_, way)| way.sent).sum();
    let is_much = lost >= MUCH && lost.saturating_mul(PART) >= sent;
    let mut packets: Vec<PacketNumber> =
        ways.iter().flat_map(|(_, way)| way.examples.iter().copied()).collect();
    packets.truncate(EXAMPLES);
    let mut finding = Finding::new(&RULE, Blame::Network, "loses packets between two points of capture")
        .about(About::Routes(routes))
        .at_most(if is_much { Severity::Warning } else { Severity::Note });
    for (points, way) in &ways {
        let [here, there] = points.map(|point| view.capture.point_name(point));
        finding = finding.saying(format!(
            "Of {} that {here} sees on their way to {there}, {} with {} of payload {} there.",
            words::count(way.sent, "packet"),
            way.lost,
            words::count(way.bytes, "byte"),
            if way.lost == 1 { "never arrives" } else { "never arrive" },
        ));
    }
    vec![finding.shown_by(packets).advising(
        "The loss is between the two points: move one of them, or capture at a third, until the link is found.",
    )]
}

/// The way from one point to another.
#[derive(Default)]
struct Way {
    sent: u64,
    lost: u64,
    bytes: u64,
    examples: Vec<PacketNumber>,
    latest: Option<PacketNumber>,
}

impl Way {
    /// Adds a half of a connection; one with several attempts comes several times in a row.
    fn add(&mut self, passed: u64, lost: &Losses, connection: PacketNumber) {
        if self.latest == Some(connection) {
            return;
        }
        self.latest = Some(connection);
        self.sent = self.sent.saturating_add(passed).saturating_add(lost.packets);
        self.lost = self.lost.saturating_add(lost.packets);
        self.bytes = self.bytes.saturating_add(lost.bytes);
        self.examples.extend(lost.first.map(|(packet, _)| packet));
    }
}

/// Fewer are usual.
const MUCH: u64 = 10;
/// One in so many.
const PART: u64 = 50;
const EXAMPLES: usize = 10;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// A session of so many messages, some of which get lost and are sent again.
    fn lossy(messages: usize, lost: usize) -> Diagnosis {
        let (mut script, mut client) = session();
        let mut missing = Vec::new();
        for message in 0..messages {
            let frame = text_frame(From::Server, &format!("news {message}"));
            script.wait_ms(50);
            if message < lost {
                missing.push(script.len());
                script.say_alone(&mut client, From::Server, &frame);
                script.wait_ms(200).say_again(&mut client, From::Server, &frame);
                script.acknowledge(&mut client, From::Client);
            } else {
                script.say(&mut client, From::Server, &frame);
            }
        }
        at_two_points(&script, &missing, 2_500)
    }

    #[test]
    fn where_packets_are_lost_is_told() {
        let diagnosis = lossy(40, 12);
        assert_eq!(
            leading(&diagnosis),
            "warning path-loss: the network loses packets between two points of capture"
        );
        assert_eq!(
            diagnosis.findings[0].detail,
            [
                "Of 55 packets that server.pcap sees on their way to client.pcap, 12 with 98 bytes of payload never \
                 arrive there."
            ]
        );
        assert_eq!(diagnosis.findings.len(), 1, "it explains what is sent again");
        assert_eq!(
            leading(&lossy(40, 1)),
            "note path-loss: the network loses packets between two points of capture"
        );
    }

    #[test]
    fn a_sound_path_is_left_alone() {
        assert_eq!(lossy(40, 0).findings.len(), 0);
    }
}
