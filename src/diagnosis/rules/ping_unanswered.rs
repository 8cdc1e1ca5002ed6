//! A ping gets no pong, and whoever sent it gives up.

use crate::diagnosis::ends;
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::model::{CloseKind, close_meaning};
use crate::protocol::{Role, WaitingPings};
use crate::units::{PacketNumber, Span};

/// A ping gets no pong, and whoever sent it gives up.
pub(super) static RULE: Rule = Rule {
    name: "ping-unanswered",
    code: "WS504",
    severity: Severity::Error,
    summary: "pings get no pong, and who sent them ends the session or still waits",
    page: "\
## What it sees

Pings of one side that no pong answers for at least 2 s, up to the end of the session, in a capture that lacks nothing
of it. If the side that waits then ends the session it is an error; if the capture stops first, or somebody else ends
it, a warning. A pong answers the ping with the same payload and all before it (RFC 6455 section 5.5.3). Where both
sides of a proxy are in the capture, the farthest leg on which the pong is missing tells who did not answer.

## Why it breaks

RFC 6455 section 5.5.2: whoever gets a ping sends a pong as soon as is practical. Servers ping to find clients that are
gone, and end what does not answer: 20 s in Python's websockets, two intervals in most recipes for ws. A program whose
event loop is busy, a debugger, a suspended tab or telephone, and a library that reads only while the application asks
it to do not answer in time; a network that lost one direction does not either.

## How to mend it

Look at who should have answered. If it still acknowledges at TCP it lives and does not read: move work off the event
loop, read the socket all the time, answer pings in the library. If nothing comes from it any more that is told as
`half-open`. Give the ping a timeout that a slow telephone keeps, 20 s or more.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2",
    explains: &["no-close-frame", "close-unanswered", "closed-with-error"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    [Role::Client, Role::Server].into_iter().find_map(|pinger| judge(route, pinger))
}

fn judge(route: &RouteView<'_>, pinger: Role) -> Option<Finding> {
    let mut legs: Vec<&LegView<'_>> = route.legs().filter(|leg| ends::session(leg).is_some()).collect();
    if pinger == Role::Server {
        legs.reverse();
    }
    // Away from who pings: the last leg on which the pong is missing.
    let mut waiting = legs.iter().enumerate().filter_map(|(at, leg)| Some((at, *leg, waiting(leg, pinger)?)));
    let (at, leg, pings) = waiting.next_back()?;
    let session = ends::session(leg)?;
    if !ends::is_whole(leg, session) {
        return None;
    }
    let (packet, sent) = pings.oldest;
    let ending = leg.connection.tcp.ending;
    let closed = session.close.as_ref().map(|close| (close.by, close.origin.time));
    let ended = ending.and_then(|ending| Some((leg.connection.closed_by()?, ending.origin.time)));
    let end = closed.into_iter().chain(ended).min_by_key(|(_, time)| *time);
    let waited = end.map_or(route.end, |(_, time)| time).since(sent);
    // A proxy that cuts both sides does not wait for pongs.
    let is_cut_by_proxy = ends::of(route).is_some_and(|end| end.is_cut() && end.ends_both_sides());
    let gave_up = end.is_some_and(|(by, _)| by == pinger) && !is_cut_by_proxy;
    // Who is told goodbye need not answer any more.
    let is_leaving = end.is_some_and(|(by, _)| by != pinger);
    // Whoever ends in good order need not have waited for a pong.
    let is_in_order = session.close.as_ref().is_some_and(|close| {
        matches!(close_meaning(close.code, None).kind, CloseKind::Normal | CloseKind::Restart)
    });
    let is_sure = pings.pings > 1 || (gave_up && !is_in_order);
    let says_so = gave_up && session.close.as_ref().is_some_and(|close| speaks_of_pings(&close.reason));
    let patience = match (says_so, is_sure) {
        (true, _) => Span::default(),
        (false, true) => LEAST_IF_SURE,
        (false, false) => LEAST,
    };
    if waited < patience || is_leaving {
        return None;
    }
    // A pong that came to the proxy when it was too late is the fault of who is behind.
    let late = legs.get(at.saturating_add(1)..).unwrap_or_default().iter().rev().find_map(|further| {
        let (_, took) = ends::session(further)?.pings.extremes?;
        (took.as_nanos().saturating_add(HANDING_ON) >= waited.as_nanos()).then_some((*further, took))
    });
    let who = route.frames_from(late.map_or(leg, |(further, _)| further), pinger.other());
    let asker = if pinger == Role::Client { "client" } else { "server" };
    let half = leg.connection.half(pinger.other());
    let latest = half.last_payload.map(|(_, time)| time).filter(|time| *time > sent);
    let talks = latest.map(|time| end.is_some_and(|(_, end)| time >= end));
    let then = match (gave_up, talks) {
        _ if late.is_some() => "Nothing comes through the proxy in that time.",
        (true, Some(true)) => "The other side answers that, so that it lives and does not answer pings.",
        (true, Some(false)) => "The other side goes on sending, so that it lives and does not answer pings.",
        (true, None) => "Nothing else comes from there in that time either.",
        (false, _) if is_cut_by_proxy => "A proxy ends both sides before anybody gives up.",
        (false, _) => "The capture ends before anybody gives up.",
    };
    let ends_it = gave_up.then(|| format!("The {asker}'s side then ends the session."));
    Some(
        Finding::new(&RULE, who, "does not answer pings")
            .at_most(if gave_up { Severity::Error } else { Severity::Warning })
            .saying(format!(
                "{} of the {asker} {} no pong for {}.",
                words::count(pings.pings, "ping"),
                if pings.pings == 1 { "gets" } else { "get" },
                words::span(waited)
            ))
            .saying_also(ends_it)
            .saying(then)
            .saying_also(late.map(|(_, took)| {
                format!("The proxy handed it on, and the pong came to it after {}.", words::span(took))
            }))
            .shown_by([packet])
            .shown_by(end_packets(leg))
            .advising(advice(route, late.map_or(leg, |(further, _)| further), pinger)),
    )
}

/// Whether a reason says that a ping is why, as `ping timed out` of Tornado and `keepalive ping timeout` of Python's
/// websockets do.
fn speaks_of_pings(reason: &[u8]) -> bool {
    reason.to_ascii_lowercase().windows(4).any(|word| word == b"ping" || word == b"pong")
}

/// The pings of a side that wait on a leg.
fn waiting(leg: &LegView<'_>, pinger: Role) -> Option<WaitingPings> {
    ends::session(leg)?.pings.waits(pinger)
}

fn end_packets(leg: &LegView<'_>) -> impl Iterator<Item = PacketNumber> {
    let close =
        ends::session(leg).and_then(|session| session.close.as_ref()).map(|close| close.origin.packet);
    let ending = leg.connection.tcp.ending.map(|ending| ending.origin.packet);
    close.into_iter().chain(ending)
}

fn advice(route: &RouteView<'_>, leg: &LegView<'_>, pinger: Role) -> String {
    let who = route.frames_from(leg, pinger.other());
    match who {
        Blame::Proxy(..) => {
            "The frames behind the proxy tell more: it passes pings and pongs on unless it ends the \
                             WebSocket itself."
                .to_owned()
        }
        _ => format!("Look at what {} did at that time: a busy event loop answers no pings.", who.spoken()),
    }
}

/// What a proxy takes to hand a ping on, with room, in nanoseconds.
const HANDING_ON: i64 = 100_000_000;

/// Less is an answer that the end of the session overtook.
const LEAST: Span = Span::from_millis(5_000);
/// The same of several pings, or of one for which somebody gave up.
const LEAST_IF_SURE: Span = Span::from_millis(2_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn who_does_not_answer_a_ping_is_named() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, frame(From::Server, 0x9, b"one")).wait_ms(20_000);
        script
            .say(&mut client, From::Server, close_frame(From::Server, 1011))
            .close(&mut client, From::Server);
        assert_eq!(script.leading(), "error ping-unanswered: the client 10.77.1.2 does not answer pings");
        assert_eq!(script.rules(), ["ping-unanswered"]);
        let detail = script.finding("ping-unanswered").unwrap().detail.concat();
        assert!(detail.contains("1 ping of the server gets no pong for 20.0 s."), "{detail}");
    }

    #[test]
    fn a_proxy_that_cuts_is_told_before_a_ping_without_an_answer() {
        let (mut script, mut client, mut upstream) = proxied_session();
        script.say(&mut upstream, From::Server, frame(From::Server, 0x9, b"one"));
        script.say(&mut client, From::Server, frame(From::Server, 0x9, b"one")).wait_ms(60_005);
        script.finish(&mut client, From::Server).finish(&mut upstream, From::Client);
        assert!(script.leading().contains("idle-timeout"), "{}", script.leading());
        assert_eq!(script.finding("ping-unanswered").unwrap().severity.name(), "warning");
    }

    #[test]
    fn a_server_that_gives_up_has_no_timeout_of_silence() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, frame(From::Server, 0x9, b"one")).wait_ms(4_003);
        script.reset(&mut client, From::Server);
        assert_eq!(script.rules(), ["ping-unanswered"]);
    }

    #[test]
    fn who_says_that_a_ping_is_why_is_believed() {
        for (reason, expected) in [("ping timed out", Some("error")), ("going to sleep", None)] {
            let (mut script, mut client) = session();
            script.say(&mut client, From::Server, frame(From::Server, 0x9, b"")).wait_ms(1_000);
            let close = frame(From::Server, 0x8, &[&1000_u16.to_be_bytes(), reason.as_bytes()].concat());
            script.say(&mut client, From::Server, close).wait_ms(5_000).close(&mut client, From::Server);
            assert_eq!(script.finding("ping-unanswered").map(|it| it.severity.name()), expected, "{reason}");
        }
    }

    #[test]
    fn a_pong_that_a_proxy_does_not_pass_on_is_its_fault() {
        let (mut script, mut client, mut upstream) = proxied_session();
        script.say(&mut client, From::Client, frame(From::Client, 0x9, b"one"));
        script.say(&mut upstream, From::Client, frame(From::Client, 0x9, b"one"));
        script.say(&mut upstream, From::Server, frame(From::Server, 0xa, b"one")).wait_ms(10_000);
        script.reset(&mut client, From::Client).reset(&mut upstream, From::Client);
        assert_eq!(script.leading(), "error ping-unanswered: the proxy 10.77.2.1 does not answer pings");
    }

    #[test]
    fn a_pong_that_comes_to_the_proxy_too_late_is_the_upstreams_fault() {
        let (mut script, mut client, mut upstream) = proxied_session();
        script.say(&mut client, From::Client, frame(From::Client, 0x9, b"one"));
        script.say(&mut upstream, From::Client, frame(From::Client, 0x9, b"one")).wait_ms(10_000);
        script.reset(&mut client, From::Client);
        script.say(&mut upstream, From::Server, frame(From::Server, 0xa, b"one"));
        script.reset(&mut upstream, From::Client);
        let expected = "error ping-unanswered: the upstream 10.77.2.2:3000 does not answer pings";
        assert_eq!(script.leading(), expected);
    }

    #[test]
    fn pings_that_are_answered_or_just_sent_are_left_alone() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, frame(From::Server, 0x9, b"one"));
        script.say(&mut client, From::Client, frame(From::Client, 0xa, b"one")).wait_ms(20_000);
        script.say(&mut client, From::Server, frame(From::Server, 0x9, b"two")).wait_ms(100);
        script.close(&mut client, From::Server);
        assert!(script.finding("ping-unanswered").is_none());
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, frame(From::Server, 0x9, b"one")).wait_ms(20_000);
        script.close(&mut client, From::Client);
        assert!(script.finding("ping-unanswered").is_none(), "the client left");
    }
}
