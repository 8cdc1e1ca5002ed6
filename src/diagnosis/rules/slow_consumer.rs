//! One side takes no more bytes for a while.

use crate::diagnosis::ends;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::tcp::ClosedWindow;
use crate::units::Span;

/// One side takes no more bytes for a while.
pub(super) static RULE: Rule = Rule {
    name: "slow-consumer",
    code: "WS510",
    severity: Severity::Error,
    summary: "one side takes no more bytes: its TCP window is closed for a second or more",
    page: "\
## What it sees

In an established session one side says at TCP that it can take nothing more (a window of 0), for at least a second. If
the session then ends, and not by its own wish, or the window is still closed at the end, it is an error, else a
warning. Of several legs the one that is farthest along the way of the data is blamed: what is full before it is full
because of it. Where both sides of a proxy are in the capture, the finding tells how much the proxy has taken and not
passed on.

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
    let (leg, role, window) = both.into_iter().flatten().max_by_key(|(.., window)| window.longest)?;
    Some(judge(route, leg, role, &window))
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
        let proxy = words::begin(&crate::diagnosis::finding::Blame::proxy(&hop.proxy).spoken());
        Some(format!("{proxy} has taken {lag} bytes that it has not passed on."))
    })
}

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

    #[test]
    fn a_moment_is_left_alone() {
        let (mut script, mut client) = full(400);
        client.client_window = 64_000;
        script.acknowledge(&mut client, From::Client).wait_ms(10_000);
        script.say(&mut client, From::Server, text_frame(From::Server, "more"));
        assert!(script.finding("slow-consumer").is_none());
    }
}
