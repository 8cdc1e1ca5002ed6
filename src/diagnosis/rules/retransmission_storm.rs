//! Much of what one side sends has to be sent again.

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, LegView};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::tcp::HalfFacts;
use crate::units::{PacketNumber, Span};

/// Much of what one side sends has to be sent again.
pub(super) static RULE: Rule = Rule {
    name: "retransmission-storm",
    code: "WS702",
    severity: Severity::Warning,
    summary: "much of what one side sends has to be sent again",
    page: "\
## What it sees

Connections with an upgrade attempt on which one side sends more than 5 percent of its payload again, in at least ten
segments, or the same bytes three times or more over at least a second. Packets that were captured twice are known as
copies and not counted. The same bytes sent again to the end without an answer are `half-open` instead, and full
segments only are `path-mtu`.

## Why it breaks

Packets are lost between the two hosts, or so late that the sender takes them for lost. TCP waits before it tries
again, 200 ms at first and then twice as long each time, and everything behind waits too: messages come late and in
bursts, pings miss their time, and a proxy's timeouts may end the session.

## How to mend it

Look at which side has to repeat: its packets are lost on the way there, or the acknowledgments on the way back.
Wireless and mobile networks, an overloaded link, a firewall that drops, a host that is out of buffers (`netstat -s`,
`ethtool -S`). WebSocket has no part in it; a longer ping timeout helps to live with it.
",
    see: "https://www.rfc-editor.org/rfc/rfc9293#section-3.8.1",
    explains: &[],
    check: Check::Capture(check),
};

/// One finding for all connections alike: it is one network.
fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let mut routes = Vec::new();
    let mut worst: Option<Struggle> = None;
    let mut packets: Vec<PacketNumber> = Vec::new();
    for route in &view.routes {
        let struggles = route.legs().flat_map(|leg| [Role::Client, Role::Server].map(|role| of(leg, role)));
        let Some(struggle) = struggles.flatten().max_by_key(Struggle::weight) else { continue };
        routes.push(route.index);
        packets.extend(struggle.half.retries.iter().map(|retries| retries.last.0).take(EXAMPLES));
        if worst.as_ref().is_none_or(|known| known.weight() < struggle.weight()) {
            worst = Some(struggle);
        }
    }
    packets.truncate(EXAMPLES);
    let finding = worst.map(|worst| {
        let half = worst.half;
        let again = format!(
            "On the way from {} to {} {} of {} payload bytes are sent again.",
            worst.from, worst.to, half.retransmitted_bytes, half.payload_bytes
        );
        let tried = half.retries.filter(|retries| retries.times >= DOUBLINGS).map(|retries| {
            format!(
                "The same {} {} sent again {} over {}.",
                words::count(u64::from(retries.length), "byte"),
                if retries.length == 1 { "is" } else { "are" },
                words::count(u64::from(retries.times), "time"),
                words::span(retries.last.1.since(retries.first.1))
            )
        });
        Finding::new(&RULE, Blame::Network, "loses packets, which are sent again")
            .about(About::Routes(routes))
            .saying(again)
            .saying_also(tried)
            .shown_by(packets)
            .advising("Look for loss on the way in that direction, or of acknowledgments on the way back.")
    });
    finding.into_iter().collect()
}

/// One half that has to repeat.
struct Struggle {
    half: HalfFacts,
    from: String,
    to: String,
}

impl Struggle {
    fn weight(&self) -> (u32, u64) {
        (self.half.retries.map_or(0, |retries| retries.times), self.half.retransmitted_bytes)
    }
}

fn of(leg: &LegView<'_>, role: Role) -> Option<Struggle> {
    let half = *leg.connection.half(role);
    let is_much = half.retransmitted >= LEAST_SEGMENTS
        && half.retransmitted_bytes.saturating_mul(PART) > half.payload_bytes;
    let is_long = half.retries.is_some_and(|retries| {
        retries.times >= DOUBLINGS && retries.last.1.since(retries.first.1) >= LEAST_TIME
    });
    // What the capture has twice is no second sending, and not all copies are known as such.
    let is_doubtful = half.copies > 0 || leg.connection.is_one_sided();
    ((is_much || is_long) && !is_doubtful).then(|| Struggle {
        half,
        from: leg.connection.endpoint(role).to_string(),
        to: leg.connection.endpoint(role.other()).to_string(),
    })
}

/// One twentieth of the payload.
const PART: u64 = 20;
/// Fewer are an ordinary loss.
const LEAST_SEGMENTS: u32 = 10;
/// The timer of RFC 6298 doubles each time.
const DOUBLINGS: u32 = 3;
const LEAST_TIME: Span = Span::from_millis(1_000);
const EXAMPLES: usize = 10;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// A server that sends each of its messages that many times.
    fn repeated(messages: u32, times: u32) -> Script {
        let (mut script, mut client) = session();
        for _ in 0..messages {
            script.wait_ms(50).say_alone(&mut client, From::Server, text_frame(From::Server, "news"));
            for turn in 1..times {
                script.wait_ms(200 << turn).say_again(
                    &mut client,
                    From::Server,
                    text_frame(From::Server, "news"),
                );
            }
            script.acknowledge(&mut client, From::Client);
        }
        script
    }

    #[test]
    fn a_network_that_loses_much_is_told() {
        assert_eq!(
            repeated(12, 2).leading(),
            "warning retransmission-storm: the network loses packets, which are sent again"
        );
        let script = repeated(1, 5);
        let detail = script.finding("retransmission-storm").unwrap().detail;
        assert_eq!(detail[1], "The same 6 bytes are sent again 4 times over 5.6 s.");
    }

    #[test]
    fn a_loss_now_and_then_is_left_alone() {
        assert_eq!(repeated(3, 2).rules(), [""; 0]);
        assert_eq!(repeated(30, 1).rules(), [""; 0]);
    }
}
