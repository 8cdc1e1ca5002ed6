//! A text message is not UTF-8.

use crate::diagnosis::decoding;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;

/// A text message is not UTF-8.
pub(super) static RULE: Rule = Rule {
    name: "text-not-utf8",
    code: "WS610",
    severity: Severity::Error,
    summary: "a text message, or the reason of a Close frame, is not UTF-8",
    page: "\
## What it sees

Text messages, inflated and put together, and reasons of Close frames whose bytes are no UTF-8.

Payloads are skipped by their length at first, since looking at every byte of them takes several times as long. A
session that ends with Close 1002 or 1007 is read again for them, if the capture is a file. What nobody complained
about is found with `--format json --messages`, which decodes all. Live, and from a pipe, Close 1007 is told as
`closed-with-error`.

## Why it breaks

RFC 6455 section 8.1: text is UTF-8, and whoever gets something else fails the connection with 1007. Browsers do,
and so do most libraries; some servers pass it on, and then another client breaks.

## How to mend it

Send bytes as binary messages. Mostly something else is sent as text: a compressed or encrypted payload, Latin-1, or
a text that was cut between two bytes of one character.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-8.1",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    decoding::finding(
        &RULE,
        route,
        |facts| facts.not_utf8,
        "sends text that is not UTF-8",
        |_, _| "RFC 6455 section 8.1: text that is not UTF-8 fails the connection.".to_owned(),
        "Mostly bytes that are sent as text, or a text that was cut inside a character: send them as binary.",
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn text_that_is_none_is_told_where_messages_are_read() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, frame(From::Client, 0x1, b"caf\xe9"));
        script.say(&mut client, From::Server, close_frame(From::Server, 1007));
        let found = script.with_messages().findings;
        assert_eq!(found[0].sentence(), "the client 10.77.1.2 sends text that is not UTF-8");
        assert_eq!((found[0].severity.name(), found.len()), ("error", 1));
        assert_eq!(script.rules(), ["closed-with-error"], "nobody looked");
    }

    #[test]
    fn binary_and_utf8_are_left_alone() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, frame(From::Client, 0x2, b"caf\xe9"));
        script.say(&mut client, From::Client, text_frame(From::Client, "caf\u{e9}"));
        assert!(script.with_messages().findings.is_empty());
    }
}
