//! One side takes no more bytes for a while.

use crate::diagnosis::ends::{self, With};
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::tcp::ClosedWindow;
use crate::units::{PacketNumber, Span};

/// One side takes no more bytes for a while.
pub(super) static RULE: Rule = Rule {
    name: "slow-consumer",
    code: "WS510",
    severity: Severity::Error,
    summary: "one side does not keep up: its TCP window is closed, or a proxy passes on ever later",
    page: "\
## What it sees

In an established session one side says at TCP that it can take nothing more (a window of 0), for at least a second. If
the session then ends, and not by its own wish, or the window is still closed at the end, it is an error, else a
warning. Of several legs the one that is farthest along the way of the data is blamed: what is full before it is full
because of it. Where both sides of a proxy are in the capture, the finding tells how much the proxy has taken and not
passed on.

Also, where both sides of a proxy are in the capture: all that one side sent was passed on, the first frame at once and
the last one a second or more later than that. Then the side behind the proxy takes it slower than it comes, though its
window never closed, or the proxy holds it back. That is a warning.

## Why it breaks

The program does not read as fast as the other side writes. First the buffers of both hosts fill, then those of every
proxy between, and then the sender has to wait or to drop: a server that broadcasts waits for its slowest client, runs
out of memory, or ends the session with 1008 or 1013. nginx gives up after `send_timeout` or `proxy_send_timeout`.

## How to mend it

Let the consumer read all the time and do its work elsewhere; a browser does not read while a script runs. Let the
sender look at its backlog (`bufferedAmount`, `ws.bufferedAmount`, `drain`) and leave out what is old: of a price or a
cursor only the latest counts. Compression helps against slow networks, not against slow programs.
",
    see: "https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1",
    explains: &["no-close-frame", "ping-unanswered", "close-unanswered", "closed-with-error", "idle-timeout"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let closed = |role: Role| {
        let mut legs: Vec<&LegView<'_>> = route
            .legs()
            .filter(|leg| ends::session(leg).is_some_and(|session| session.role(role.other()).frames() > 0))
            .collect();
        if role == Role::Server {
            legs.reverse();
        }
        // The first that is full on the way back from the consumer.
        legs.into_iter().find_map(|leg| {
            let window = leg.connection.half(role).closed_window.filter(|window| window.longest >= LEAST)?;
            Some((leg, role, window))
        })
    };
    let both = [closed(Role::Client), closed(Role::Server)];
    let longest = both.into_iter().flatten().max_by_key(|(.., window)| window.longest);
    match longest {
        Some((leg, role, window)) => Some(judge(route, leg, role, &window)),
        None => growing_lag(route),
    }
}

/// A proxy that passes on what one side sends ever later.
fn growing_lag(route: &RouteView<'_>) -> Option<Finding> {
    let close = ends::close_of(route).map(|end| end.with);
    // Whatever else a session was closed for, it was not this.
    let is_possible = match close {
        Some(With::CloseFrame(code)) => matches!(code, NORMAL | GOING_AWAY | NO_CODE | POLICY | TRY_LATER),
        _ => true,
    };
    let lags = route.hops().filter(|(_, hop, _)| !hop.is_translation).flat_map(|(before, hop, after)| {
        let of = |sender| Some((Lag::of(before, after, sender)?, sender, hop));
        [of(Role::Client), of(Role::Server)].into_iter().flatten()
    });
    let (lag, sender, hop) = lags.filter(|_| is_possible).max_by_key(|(lag, ..)| lag.growth())?;
    let consumer = sender.other().name();
    (lag.growth() >= LEAST).then(|| {
        Finding::new(&RULE, Blame::proxy(&hop.proxy), format!("passes on to the {consumer} ever later"))
            .at_most(Severity::Warning)
            .saying(format!(
                "What the {} sends is passed on after {} at the beginning and after {} at the end.",
                sender.name(),
                words::span(lag.first),
                words::span(lag.last)
            ))
            .shown_by(lag.packets)
            .advising(format!(
                "Its TCP window never closes: either the {consumer} or the network to it is slower than what comes, or the \
                 proxy holds frames back. A capture on the side of the {consumer} shows which."
            ))
    })
}

/// How long a proxy keeps what one side sends.
struct Lag {
    /// The first of it.
    first: Span,
    /// The last of it.
    last: Span,
    /// The last packet on the way in, and that on the way out.
    packets: [PacketNumber; 2],
}

impl Lag {
    /// On a hop over which all that one side sent was passed on as it was.
    fn of(before: &LegView<'_>, after: &LegView<'_>, sender: Role) -> Option<Self> {
        let (from, to) = if sender == Role::Client { (before, after) } else { (after, before) };
        let sessions = [ends::session(from)?, ends::session(to)?];
        let sent =
            sessions.map(|session| (session.role(sender).frames(), session.role(sender).payload_bytes));
        let halves = [from, to].map(|leg| leg.connection.half(sender));
        let is_whole = ends::is_whole(from, sessions[0]) && ends::is_whole(to, sessions[1]);
        // What is sent again may have been there long before.
        let is_once = halves.iter().all(|half| half.retransmitted == 0);
        if !is_whole || !is_once || sent[0] != sent[1] || sent[0].0 == 0 {
            return None;
        }
        let began = match sender {
            Role::Client => sessions.map(|session| session.marks.first().map(|mark| mark.origin.time)),
            // The 101 is the first that comes from there.
            Role::Server => {
                [from, to].map(|leg| leg.attempt.response.as_ref().map(|answer| answer.origin.time))
            }
        };
        let [Some(came), Some(went)] = began else { return None };
        let [Some((last_in, ended)), Some((last_out, passed))] = halves.map(|half| half.last_payload) else {
            return None;
        };
        Some(Self { first: went.since(came), last: passed.since(ended), packets: [last_in, last_out] })
    }

    /// Two clocks that differ do so at both ends.
    fn growth(&self) -> Span {
        Span::from_nanos(self.last.as_nanos().saturating_sub(self.first.as_nanos()))
    }
}

fn judge(route: &RouteView<'_>, leg: &LegView<'_>, role: Role, window: &ClosedWindow) -> Finding {
    let who = if role == Role::Client { route.sender(leg) } else { route.answerer(leg) };
    let is_broken = window.is_to_the_end && leg.connection.closed_by() == Some(role.other());
    let severity = if is_broken { Severity::Error } else { Severity::Warning };
    let until = match (window.is_to_the_end, is_broken) {
        (_, true) => "The other side then ends the connection.",
        (true, _) => "It is still closed at the end.",
        _ => "",
    };
    let ending = leg.connection.tcp.ending.filter(|_| is_broken);
    Finding::new(&RULE, who, "does not take what is sent to it")
        .at_most(severity)
        .saying(format!(
            "It closes its TCP window {}, for up to {}.",
            words::count(u64::from(window.times), "time"),
            words::span(window.longest)
        ))
        .saying_also((!until.is_empty()).then(|| until.to_owned()))
        .saying_also(backlog(route, role))
        .shown_by([window.first.0])
        .shown_by(ending.map(|ending| ending.origin.packet))
        .advising("Let it read all the time and work elsewhere, and let the sender leave out what is old.")
}

/// How much a proxy has taken from who sends and not passed on.
fn backlog(route: &RouteView<'_>, consumer: Role) -> Option<String> {
    let sender = consumer.other();
    let sent = |leg: &LegView<'_>| leg.connection.half(sender).payload_bytes;
    route.hops().find_map(|(before, hop, after)| {
        let (source, sink) = if sender == Role::Server { (after, before) } else { (before, after) };
        let lag = sent(source).checked_sub(sent(sink)).filter(|lag| *lag >= WORTH_A_WORD)?;
        let proxy = words::begin(&Blame::proxy(&hop.proxy).spoken());
        Some(format!("{proxy} has taken {lag} bytes that it has not passed on."))
    })
}

const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;
/// What stands for no code at all (RFC 6455 section 7.1.5).
const NO_CODE: u16 = 1005;
/// What servers say to a client that does not keep up.
const POLICY: u16 = 1008;
const TRY_LATER: u16 = 1013;

/// Less is what a busy program does now and then.
const LEAST: Span = Span::from_millis(1_000);
/// Less is on its way.
const WORTH_A_WORD: u64 = 32 * 1024;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// A client that takes nothing for that long.
    fn full(millis: u64) -> (Script, Talk) {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, text_frame(From::Server, "news"));
        client.client_window = 0;
        script.acknowledge(&mut client, From::Client).wait_ms(millis / 2);
        script.acknowledge(&mut client, From::Client).wait_ms(millis / 2);
        (script, client)
    }

    #[test]
    fn who_takes_nothing_is_named() {
        let (mut script, mut client) = full(30_000);
        script.reset(&mut client, From::Server);
        assert_eq!(
            script.leading(),
            "error slow-consumer: the client 10.77.1.2 does not take what is sent to it"
        );
        let detail = script.finding("slow-consumer").unwrap().detail;
        assert_eq!(detail[0], "It closes its TCP window 1 time, for up to 30.0 s.");
        let (mut script, mut client) = full(3_000);
        client.client_window = 64_000;
        script.acknowledge(&mut client, From::Client);
        script.say(&mut client, From::Server, text_frame(From::Server, "more"));
        assert_eq!(script.finding("slow-consumer").unwrap().severity.name(), "warning");
    }

    /// A server that sends ten messages, each a tenth of a second after the one before; the proxy passes them on after 1 ms
    /// and then each so much later than the one before.
    fn lagging(more_ms: u64, from: From, code: u16) -> Script {
        let (mut script, mut client, mut upstream) = proxied_session();
        let mut waiting: Vec<u64> = Vec::new();
        let mut now = 0;
        let pass = |waiting: &mut Vec<u64>,
                    now: u64,
                    script: &mut Script,
                    client: &mut Talk,
                    upstream: &mut Talk| {
            while waiting.first().is_some_and(|due| *due <= now) {
                waiting.remove(0);
                let to = if from == From::Server { &mut *client } else { &mut *upstream };
                script.say(to, from, text_frame(from, "news"));
            }
        };
        for number in 0..10 {
            let source = if from == From::Server { &mut upstream } else { &mut client };
            script.say(source, from, text_frame(from, "news"));
            waiting.push(now + 1 + number * more_ms);
            for _ in 0..100 {
                script.wait_ms(1);
                now += 1;
                pass(&mut waiting, now, &mut script, &mut client, &mut upstream);
            }
        }
        while !waiting.is_empty() {
            script.wait_ms(1);
            now += 1;
            pass(&mut waiting, now, &mut script, &mut client, &mut upstream);
        }
        let other = if from == From::Server { From::Client } else { From::Server };
        let (first, second) =
            if from == From::Server { (&mut client, &mut upstream) } else { (&mut upstream, &mut client) };
        script.say(first, other, close_frame(other, code)).say(second, other, close_frame(other, code));
        script
    }

    #[test]
    fn a_proxy_that_passes_on_ever_later_is_told() {
        for (from, to, sender) in [(From::Server, "client", "server"), (From::Client, "server", "client")] {
            let script = lagging(400, from, 1000);
            let finding = script.finding("slow-consumer").unwrap();
            assert_eq!(finding.sentence(), format!("the proxy 10.77.2.1 passes on to the {to} ever later"));
            assert_eq!(finding.severity.name(), "warning");
            let start = format!("What the {sender} sends is passed on after ");
            assert!(finding.detail[0].starts_with(&start), "{:?}", finding.detail);
            assert!(finding.detail[0].ends_with("after 3.6 s at the end."), "{:?}", finding.detail);
            assert!(lagging(100, from, 1000).finding("slow-consumer").is_none(), "less than a second");
            assert!(lagging(0, from, 1000).finding("slow-consumer").is_none());
            assert!(lagging(400, from, 1011).finding("slow-consumer").is_none(), "another fault");
        }
    }

    #[test]
    fn a_moment_is_left_alone() {
        let (mut script, mut client) = full(400);
        client.client_window = 64_000;
        script.acknowledge(&mut client, From::Client).wait_ms(10_000);
        script.say(&mut client, From::Server, text_frame(From::Server, "more"));
        assert!(script.finding("slow-consumer").is_none());
    }
}
