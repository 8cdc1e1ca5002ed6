//! One side goes on, and nothing comes from the other any more.

use crate::diagnosis::ends;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::tcp::Retries;
use crate::units::Span;

/// One side goes on, and nothing comes from the other any more.
pub(super) static RULE: Rule = Rule {
    name: "half-open",
    code: "WS505",
    severity: Severity::Error,
    summary: "one side sends the same bytes again and again, and the other is gone without a word",
    page: "\
## What it sees

In an established session one side sends the same bytes again, three times or more over at least a second, and no
packet at all comes from the other side, not even an acknowledgment, up to the end. It may end with a RST of whoever
gives up, or with one that comes late from a host that knows nothing of the connection any more.

## Why it breaks

One end is gone and could not say so: a telephone that changed its network, a laptop that sleeps, a cable, or a NAT or
load balancer on the way that forgot the connection while it was idle. TCP tells the other end only when it sends, and
then after minutes: Linux tries for about 15. Until then the server keeps a session that nobody is in, and its
messages are lost.

## How to mend it

Ping from both ends, and end what does not answer: then it is noticed after seconds. If it happens after the same time
of silence, something on the way forgets idle connections: ping more often than that. A client should connect again as
soon as its network is back, and ask for what it missed.
",
    see: "https://www.rfc-editor.org/rfc/rfc9293#section-3.5.1",
    explains: &["no-close-frame", "ping-unanswered", "close-unanswered", "idle-timeout", "retransmission-storm"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    route.legs().find_map(|leg| {
        ends::session(leg)?;
        [Role::Client, Role::Server].into_iter().find_map(|sender| judge(route, leg, sender))
    })
}

fn judge(route: &RouteView<'_>, leg: &LegView<'_>, sender: Role) -> Option<Finding> {
    let (half, other) = (leg.connection.half(sender), leg.connection.half(sender.other()));
    let retries = half.retries.filter(|retries| is_in_vain(retries, half.last_payload))?;
    if leg.connection.is_one_sided() || other.missing_bytes > 0 || is_heard(leg, sender, &retries) {
        return None;
    }
    let silent = if sender == Role::Client { route.answerer(leg) } else { route.sender(leg) };
    let talking = if sender == Role::Client { route.sender(leg) } else { route.answerer(leg) };
    let tried = retries.last.1.since(retries.first.1);
    let ending = leg.connection.tcp.ending;
    let reset = ending
        .filter(|_| leg.connection.closed_by() == Some(sender))
        .map(|_| format!("{} then gives up.", words::begin(&talking.spoken())));
    Some(
        Finding::new(&RULE, silent, "is gone without a word")
            .saying(format!(
                "{} sends {} again {} over {}, and no packet comes back.",
                words::begin(&talking.spoken()),
                words::count(u64::from(retries.length), "byte"),
                words::count(u64::from(retries.times), "time"),
                words::span(tried)
            ))
            .saying_also(reset)
            .shown_by([retries.first.0, retries.last.0])
            .shown_by(ending.map(|ending| ending.origin.packet))
            .advising("Ping from both ends and end what does not answer; connect again as soon as there is a network."),
    )
}

/// Whether it was tried often enough, and nothing later was sent.
fn is_in_vain(
    retries: &Retries,
    last_payload: Option<(crate::units::PacketNumber, crate::units::Timestamp)>,
) -> bool {
    retries.times >= LEAST
        && !retries.is_heard
        && retries.last.1.since(retries.first.1) >= LEAST_TIME
        && last_payload.is_some_and(|(packet, _)| packet == retries.last.0)
}

/// Whether the other side said something in order after all: a FIN, or payload after the first try.
fn is_heard(leg: &LegView<'_>, sender: Role, retries: &Retries) -> bool {
    let other = leg.connection.half(sender.other());
    let is_late_reset = retries.heard_after == 1
        && leg.connection.ended_by_reset()
        && leg.connection.closed_by() == Some(sender.other());
    if retries.heard_after > 0 && !is_late_reset {
        return true;
    }
    let has_talked = other.last_payload.is_some_and(|(packet, _)| packet > retries.first.0);
    let ending = leg.connection.tcp.ending.filter(|_| leg.connection.closed_by() == Some(sender.other()));
    has_talked || ending.is_some_and(|ending| ending.origin.packet < retries.first.0)
}

/// Fewer are an ordinary loss.
const LEAST: u32 = 3;
const LEAST_TIME: Span = Span::from_millis(1_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn tried(times: u32) -> (Script, Talk) {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        script.wait_ms(30_000).say_alone(&mut client, From::Server, text_frame(From::Server, "news"));
        for turn in 0..times {
            script.wait_ms(400 << turn).say_again(
                &mut client,
                From::Server,
                text_frame(From::Server, "news"),
            );
        }
        (script, client)
    }

    #[test]
    fn who_is_gone_is_named() {
        let (mut script, mut client) = tried(5);
        script.wait_ms(10_000).reset(&mut client, From::Server);
        assert_eq!(script.leading(), "error half-open: the client 10.77.1.2 is gone without a word");
        let detail = script.finding("half-open").unwrap().detail.concat();
        assert!(
            detail.contains("sends 6 bytes again 5 times over 12.0 s, and no packet comes back."),
            "{detail}"
        );
    }

    #[test]
    fn a_loss_that_heals_is_left_alone() {
        let (script, _) = tried(2);
        assert!(script.finding("half-open").is_none(), "not often enough");
        let (mut script, mut client) = tried(4);
        script.acknowledge(&mut client, From::Client);
        script.say(&mut client, From::Server, text_frame(From::Server, "more"));
        assert!(script.finding("half-open").is_none(), "it goes on");
    }
}
