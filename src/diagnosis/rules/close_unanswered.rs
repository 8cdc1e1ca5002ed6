//! A Close frame is not answered with one.

use crate::diagnosis::ends::{self, With};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::units::{Origin, Span};

/// A Close frame is not answered with one.
pub(super) static RULE: Rule = Rule {
    name: "close-unanswered",
    code: "WS507",
    severity: Severity::Warning,
    summary: "a Close frame is not answered with one before the connection ends",
    page: "\
## What it sees

One side sends a Close frame, and the connection ends without a Close frame from the other, in a capture that lacks
nothing of it. Where a proxy has passed the frame on, who did not answer is behind it. If the side that was asked has a
second to answer and does not, or ends the connection at once over a code that tells a fault, it is a warning. It is a
note if it ends the connection at once after 1000, 1001 or no code, since nothing is lost then: MQTT brokers do that,
who were told of the end in a message. It is a note too if the side that asks does not wait for the answer: browsers
that leave a page do that.

## Why it breaks

RFC 6455 sections 5.5.1 and 7.1.2: a Close is answered with a Close, and then the server ends the TCP connection first.
Without the answer the side that asked waits for its timeout (10 s in most libraries) and reports 1006, and what was on
its way may be lost.

## How to mend it

Look at who did not answer: a program that ends or crashes when it sees Close, that closes the socket below its
library, or one that no longer reads. A proxy in between passes Close on like any frame.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2",
    explains: &[],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let end = ends::of(route).filter(|end| end.is_whole)?;
    let With::CloseFrame(code) = end.with else { return None };
    let asked = end.by.other();
    let answers = |leg| ends::session(leg).is_some_and(|session| session.role(asked).close > 0);
    // The farthest leg that the frame reached, and where it did.
    let reached = |leg: &LegView<'_>| {
        ends::session(leg)?.close.as_ref().filter(|close| close.by == end.by).map(|close| close.origin)
    };
    let mut legs: Vec<(&LegView<'_>, Origin)> =
        route.legs().filter_map(|leg| Some((leg, reached(leg)?))).collect();
    if end.by == Role::Server {
        legs.reverse();
    }
    let (leg, at) = legs.pop()?;
    let ending = leg.connection.tcp.ending?;
    let ended_by = leg.connection.closed_by()?;
    let waited = ending.origin.time.since(at.time);
    if route.legs().any(answers) || waited < Span::default() {
        return None;
    }
    let who = if asked == Role::Client { route.frames_from(leg, Role::Client) } else { route.answerer(leg) };
    let has_had_time = waited >= PATIENCE;
    let is_at_fault = ended_by == asked || has_had_time;
    // Who says goodbye and finds the other gone at once has lost nothing.
    let is_harmless = !has_had_time && matches!(code, NORMAL | GOING_AWAY | NO_CODE);
    let ends_it = if ended_by == asked {
        "and ends the connection"
    } else {
        "before the other side ends the connection"
    };
    let (who, headline) = if is_at_fault {
        (who, "does not answer a Close frame")
    } else {
        (end.who.clone(), "does not wait for an answer to its Close frame")
    };
    Some(
        Finding::new(&RULE, who, headline)
            .at_most(if is_at_fault && !is_harmless { Severity::Warning } else { Severity::Note })
            .saying(if is_at_fault {
                format!("It sends none in {}, {ends_it}.", words::span(waited))
            } else {
                format!("It ends the connection {} after it.", words::span(waited))
            })
            .shown_by([end.packet, at.packet, ending.origin.packet]),
    )
}

const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;
/// What stands for no code at all (RFC 6455 section 7.1.5).
const NO_CODE: u16 = 1005;

/// An answer takes a round trip, and some programs a moment more.
const PATIENCE: Span = Span::from_millis(1_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn who_ends_the_connection_instead_of_answering_is_named() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, close_frame(From::Server, 1012)).wait_ms(20);
        script.reset(&mut client, From::Client);
        assert_eq!(
            script.leading(),
            "warning close-unanswered: the client 10.77.1.2 does not answer a Close frame"
        );
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, close_frame(From::Client, 1000)).wait_ms(10_000);
        script.close(&mut client, From::Client);
        assert_eq!(
            script.leading(),
            "warning close-unanswered: the server 10.77.1.1:80 does not answer a Close frame"
        );
    }

    #[test]
    fn an_upstream_that_leaves_at_once_is_a_note_and_not_the_proxy() {
        let (mut script, mut client, mut upstream) = proxied_session();
        script.say(&mut client, From::Client, close_frame(From::Client, 1000));
        script.say(&mut upstream, From::Client, close_frame(From::Client, 1000));
        script.reset(&mut upstream, From::Server).close(&mut client, From::Server);
        assert_eq!(
            script.leading(),
            "note close-unanswered: the upstream 10.77.2.2:3000 does not answer a Close frame"
        );
    }

    #[test]
    fn who_does_not_wait_is_a_note_and_an_answer_is_nothing() {
        let (mut script, mut client) = session();
        script
            .say(&mut client, From::Client, close_frame(From::Client, 1001))
            .close(&mut client, From::Client);
        assert_eq!(
            script.leading(),
            "note close-unanswered: the client 10.77.1.2 does not wait for an answer to its Close frame"
        );
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, close_frame(From::Client, 1000));
        script
            .say(&mut client, From::Server, close_frame(From::Server, 1000))
            .close(&mut client, From::Server);
        assert!(script.finding("close-unanswered").is_none());
    }
}
