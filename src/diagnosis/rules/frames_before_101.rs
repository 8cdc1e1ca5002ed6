//! The client sends frames before it can have seen the 101.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::model::Outcome;
use crate::protocol::Role;

/// The client sends frames before it can have seen the 101.
pub(super) static RULE: Rule = Rule {
    name: "frames-before-101",
    code: "WS615",
    severity: Severity::Warning,
    summary: "the client sends frames before it can have seen the 101",
    page: "\
## What it sees

Bytes of the client between its upgrade request and the answer. If the session is established all the same, it is a
note.

## Why it breaks

RFC 6455 section 4.1: the client must wait for the answer. Before the 101 the connection speaks HTTP, and what comes
early may be taken for the body of the request or for the next one, be dropped by a proxy, or be answered with 400.
It works with servers that leave the bytes in the socket, and fails now and then with others: whether the first message
arrives depends on the speed of the network.

## How to mend it

Wait for the library's `open` event before the first `send`. A client written by hand must read the whole head of the
answer, check it, and only then send frames.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    explains: &[],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    // A proxy that sends early hands on what came early.
    let leg = route.legs().find(|leg| early(leg) > 0)?;
    let bytes = early(leg);
    let works = leg.outcome == Outcome::Established;
    let then = if works { "The session is established all the same." } else { "The answer is no 101." };
    Some(
        Finding::new(
            &RULE,
            route.frames_from(leg, Role::Client),
            "sends frames before the answer to its request",
        )
        .at_most(if works { Severity::Note } else { Severity::Warning })
        .saying(format!("{} before the 101 can have arrived. {then}", words::count(bytes, "byte")))
        .shown_by(leg.packets())
        .advising("Let the client wait for the open event of its library."),
    )
}

fn early(leg: &LegView<'_>) -> u64 {
    leg.attempt.session.as_ref().map_or(0, |session| session.early_client_bytes)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn frames_that_come_early_are_told() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        script.say(&mut client, From::Server, switching());
        assert_eq!(
            script.leading(),
            "note frames-before-101: the client 10.77.1.2 sends frames before the answer to its request"
        );
    }

    #[test]
    fn frames_that_come_right_after_are_not() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        assert!(script.finding("frames-before-101").is_none());
    }
}
