//! A compressed message cannot be inflated.

use crate::diagnosis::decoding;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::Role;

/// A compressed message cannot be inflated.
pub(super) static RULE: Rule = Rule {
    name: "deflate-failed",
    code: "WS611",
    severity: Severity::Error,
    summary: "a compressed message cannot be inflated",
    page: "\
## What it sees

Messages with RSV1 in a session that agreed to permessage-deflate which are no valid DEFLATE, or end inside a block of
it, where the capture has all that came before: what it lacks is never blamed on the sender. And messages that refer
to what is farther back than the window that was agreed on (`client_max_window_bits`, `server_max_window_bits`):
wsinspect reads those all the same, and so do receivers as long as what is referred to happens to be within their reach.

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
    let broken = decoding::finding(
        &RULE,
        route,
        |facts| facts.deflate_failed,
        "sends compressed messages that cannot be inflated",
        |_, _| "RFC 7692 section 7.2.2: what cannot be inflated fails the connection.".to_owned(),
        "Compare what the heads agree on (context takeover, window bits) with what its library does.",
    );
    broken.or_else(|| {
        decoding::finding(
            &RULE,
            route,
            |facts| facts.beyond_window,
            "compresses with a larger window than was agreed",
            beyond_window,
            "Have its library keep to the window bits of the answer, or offer and accept none.",
        )
    })
}

/// What was agreed on, and what comes of a larger window.
fn beyond_window(leg: &LegView<'_>, role: Role) -> String {
    let name = if role == Role::Client { "client_max_window_bits" } else { "server_max_window_bits" };
    let answer = leg.response.iter().flat_map(|head| head.fields.texts("sec-websocket-extensions"));
    let parts = answer.flat_map(|value| value.split([';', ',']));
    let said = parts
        .filter_map(|part| part.split_once('='))
        .find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    // One or two digits, or there would have been no window to keep.
    let bits: String =
        said.map(|(_, bits)| bits.chars().filter(char::is_ascii_digit).collect()).unwrap_or_default();
    format!(
        "The sender's window is larger than agreed, {name}={bits} (RFC 7692 section 7.1.2): a receiver that keeps no more \
         cannot inflate what refers to bytes farther back."
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

    /// What 26 letters and, 600 zeros later, the same again come to if zlib compresses them with a window of 15 bits.
    fn beyond_nine_bits() -> Vec<u8> {
        let text = ["ABCDEFGHIJKLMNOPQRSTUVWXYZ", &"0".repeat(600), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"].concat();
        let mut stream = flate2::Compress::new(flate2::Compression::default(), false);
        let mut out = Vec::with_capacity(1_000);
        stream.compress_vec(text.as_bytes(), &mut out, flate2::FlushCompress::Sync).unwrap();
        // RFC 7692 section 7.2.1.
        out.truncate(out.len() - 4);
        out
    }

    #[test]
    fn a_larger_window_than_agreed_is_told() {
        for (answered, is_told) in [(9, true), (10, false), (15, false)] {
            let offer = format!("permessage-deflate; server_max_window_bits={answered}");
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[(DEFLATE.0, &offer)]));
            script.say(&mut client, From::Server, switching_with(&[(DEFLATE.0, &offer)]));
            let mut sent = frame(From::Server, 0x1, &beyond_nine_bits());
            sent[0] |= 0x40;
            script.say(&mut client, From::Server, sent);
            script.say(&mut client, From::Client, close_frame(From::Client, 1007));
            let found = script.with_messages().findings;
            let told: Vec<_> = found.iter().filter(|finding| finding.rule.name == "deflate-failed").collect();
            assert_eq!(told.len(), usize::from(is_told), "{answered}");
            let Some(told) = told.first() else { continue };
            assert_eq!(
                told.sentence(),
                "the server 10.77.1.1:80 compresses with a larger window than was agreed"
            );
            assert!(told.detail.concat().contains("server_max_window_bits=9"), "{:?}", told.detail);
            assert_eq!(told.severity.name(), "error");
        }
    }
}
