//! A compressed message cannot be inflated.

use crate::diagnosis::decoding;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;

/// A compressed message cannot be inflated.
pub(super) static RULE: Rule = Rule {
    name: "deflate-failed",
    code: "WS611",
    severity: Severity::Error,
    summary: "a compressed message cannot be inflated",
    page: "\
## What it sees

Messages with RSV1 in a session that agreed to permessage-deflate which are no valid DEFLATE, or end inside a block of
it, where the capture has all that came before: what it lacks is never blamed on the sender.

Payloads are skipped by their length at first, since looking at every byte of them takes several times as long. A
session that ends with Close 1002 or 1007 is read again for them, if the capture is a file. What nobody complained
about is found with `--format json --messages`, which decodes all. Live, and from a pipe, Close 1007 is told as
`closed-with-error`.

## Why it breaks

RFC 7692 section 7.2.2: whoever cannot inflate a message fails the connection, most with 1007. The two sides do not
keep the same window: one resets it after each message and the other does not (`server_no_context_takeover`), the
window is larger than was agreed, or something on the way changed bytes.

## How to mend it

Turn compression off to see whether it goes away: `perMessageDeflate: false` in ws, `compression=None` in Python's
websockets. Then compare the parameters in the two heads with what the library does, and update it.
",
    see: "https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    decoding::finding(
        &RULE,
        route,
        |facts| facts.deflate_failed,
        "sends compressed messages that cannot be inflated",
        "RFC 7692 section 7.2.2: what cannot be inflated fails the connection.",
        "Compare what the heads agree on (context takeover, window bits) with what its library does.",
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const DEFLATE: (&str, &str) = ("Sec-WebSocket-Extensions", "permessage-deflate");

    fn compressed(payload: &[u8]) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[DEFLATE]));
        script.say(&mut client, From::Server, switching_with(&[DEFLATE]));
        let mut sent = frame(From::Server, 0x1, payload);
        sent[0] |= 0x40;
        script.say(&mut client, From::Server, sent);
        script
    }

    #[test]
    fn what_is_no_deflate_is_told_where_messages_are_read() {
        let script = compressed(&[0xff, 0xff, 0xff, 0xff]);
        let found = script.with_messages().findings;
        assert_eq!(
            found[0].sentence(),
            "the server 10.77.1.1:80 sends compressed messages that cannot be inflated"
        );
    }

    #[test]
    fn what_is_deflate_is_left_alone() {
        // The example of RFC 7692 section 7.2.3.1.
        let script = compressed(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        assert!(script.with_messages().findings.is_empty());
    }
}
