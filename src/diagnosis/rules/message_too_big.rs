//! A message is larger than the other side takes.

use crate::diagnosis::ends;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::protocol::{CloseFact, SessionFacts};
use crate::units::Span;

/// A message is larger than the other side takes.
pub(super) static RULE: Rule = Rule {
    name: "message-too-big",
    code: "WS613",
    severity: Severity::Error,
    summary: "a session ends because a message is larger than the other side takes",
    page: "\
## What it sees

A Close frame with 1009. Or, as a warning, a session that one side ends without a Close frame within half a second of a
frame of 64 KiB or more from the other, which is the longest of the session and the last thing that it sent: some
libraries (uWebSockets) drop the connection instead of saying 1009.

## Why it breaks

Each library takes messages up to a limit, so that nobody fills its memory: 1 MiB in Python's websockets (`max_size`),
100 MiB in ws (`maxPayload`), 64 KiB for a frame in Netty, 16 KiB in uWebSockets (`maxPayloadLength`) unless set. A
message may be inflated first and be larger than what is on the wire.

## How to mend it

Raise the limit of whoever closes, at the server and at the client, or send less at once: in parts, or a reference to
what can be fetched by HTTP. Proxies that tunnel have no limit of their own for messages.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    said(route).or_else(|| dropped(route))
}

/// Somebody says 1009.
fn said(route: &RouteView<'_>) -> Option<Finding> {
    let said = route.legs().filter_map(|leg| {
        let session = ends::session(leg)?;
        let close = session.close.as_ref().filter(|close| close.code == TOO_BIG)?;
        Some((leg, session, close))
    });
    // Where it is seen first is nearest to who says it.
    let (leg, session, close) = said.min_by_key(|(.., close)| (close.origin.time, close.origin.packet))?;
    let sender = close.by.other();
    let longest = session.longest(sender);
    let size = match longest {
        Some(longest) => format!(
            "The longest frame of the {} has {}, in packet {}.",
            sender.name(),
            words::count(longest.length, "byte"),
            longest.origin.packet.0
        ),
        None => format!(
            "No frame of the {} has 64 KiB or more, so the limit is low, or it counts fragments or inflated bytes.",
            sender.name()
        ),
    };
    Some(finding(route, leg, close, size).shown_by(longest.map(|longest| longest.origin.packet)))
}

fn finding(route: &RouteView<'_>, leg: &LegView<'_>, close: &CloseFact, size: String) -> Finding {
    let who = route.frames_from(leg, close.by);
    let reason = route.quote(&close.reason);
    Finding::new(&RULE, who, "refuses a message as too big (1009)")
        .saying(size)
        .saying_also((!reason.is_empty()).then(|| format!("Its reason is \"{reason}\".")))
        .shown_by([close.origin.packet])
        .advising("Raise its limit for messages, or let the other side send less at once.")
}

/// Somebody drops the connection at a long frame.
fn dropped(route: &RouteView<'_>) -> Option<Finding> {
    let end = ends::of(route).filter(|end| end.is_whole && end.is_cut())?;
    let session: &SessionFacts = ends::session(end.leg)?;
    let sender = end.by.other();
    let longest = session.longest(sender)?;
    let begun = end.at.since(longest.origin.time);
    let (_, last) = end.leg.connection.half(sender).last_payload?;
    // What came later than the frame can have come is something else.
    let is_last = last.since(longest.origin.time) <= AT_ONCE && begun >= Span::default() && begun <= AT_ONCE;
    let alone = session.role(sender).frames() > 0;
    (is_last && alone && !end.ends_both_sides()).then(|| {
        Finding::new(&RULE, end.who.clone(), "drops the connection at a long frame")
            .at_most(Severity::Warning)
            .saying(format!(
                "The {} began a frame of {} just {} before, the longest of the session. Some libraries drop the \
                 connection where a message is larger than they take, without Close 1009.",
                sender.name(),
                words::count(longest.length, "byte"),
                words::span(begun)
            ))
            .shown_by([longest.origin.packet, end.packet])
            .advising("Compare its limit for messages with that length.")
    })
}

/// RFC 6455 section 7.4.1.
const TOO_BIG: u16 = 1009;
/// What a program takes to read a frame and to refuse it.
const AT_ONCE: Span = Span::from_millis(500);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// An unmasked frame of so many bytes, and how many of them follow.
    fn long(length: u32, sent: usize) -> Vec<u8> {
        let mut bytes = vec![0x82, 127, 0, 0, 0, 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend(vec![b'x'; sent]);
        bytes
    }

    #[test]
    fn who_refuses_a_message_is_named_with_its_length() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, long(100_000, 100_000));
        script.say(&mut client, From::Client, close_frame(From::Client, 1009));
        script
            .say(&mut client, From::Server, close_frame(From::Server, 1009))
            .close(&mut client, From::Server);
        assert_eq!(
            script.leading(),
            "error message-too-big: the client 10.77.1.2 refuses a message as too big (1009)"
        );
        assert!(script.finding("message-too-big").unwrap().detail[0].contains("has 100000 bytes, in packet"));
        assert_eq!(script.rules(), ["message-too-big"]);
    }

    #[test]
    fn who_drops_the_connection_at_a_long_frame_is_a_warning() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, long(200_000, 60_000)).reset(&mut client, From::Client);
        assert_eq!(
            script.leading(),
            "warning message-too-big: the client 10.77.1.2 drops the connection at a long frame"
        );
    }

    #[test]
    fn long_messages_that_are_taken_are_left_alone() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, long(100_000, 100_000)).wait_ms(3_000);
        script.close(&mut client, From::Client);
        assert!(script.finding("message-too-big").is_none());
    }
}
