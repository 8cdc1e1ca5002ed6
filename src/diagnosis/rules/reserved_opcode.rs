//! A frame has an opcode without a meaning.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A frame has an opcode without a meaning.
pub(super) static RULE: Rule = Rule {
    name: "reserved-opcode",
    code: "WS604",
    severity: Severity::Error,
    summary: "a frame has an opcode without a meaning",
    page: "\
## What it sees

Frames with the opcodes 3 to 7 or 0xB to 0xF.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.2 reserves these opcodes. Whoever gets one must fail the connection. Programs hardly ever send one
on purpose: most often the two sides are out of step, and the middle of some payload is taken for a header.

## How to mend it

Look at the frame before: its length says more or less than was sent. Reasons are a frame of which a part was written
twice or not at all (two threads that write to one socket without a lock), a proxy that changes payloads without
changing lengths, and bytes that something else writes onto the socket.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.2",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::ReservedOpcode,
    headline: "sends a frame with an opcode that has no meaning",
    law: "RFC 6455 section 5.2: an unknown opcode fails the connection.",
    origin: "Mostly a stream that is out of step: look at the length of the frame before, and at who else writes to the socket.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn an_opcode_without_a_meaning_is_told_once() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, [0x83, 0x01, 0x00]);
        for _ in 0..20 {
            script.say(&mut client, From::Server, [0xf7, 0x81, 0x00, 0x01, 0x02, 0x03, 0x04]);
        }
        script.say(&mut client, From::Client, close_frame(From::Client, 1002));
        assert_eq!(script.rules(), ["reserved-opcode"]);
        assert!(script.finding("reserved-opcode").unwrap().detail.concat().contains("reserved-bit-set"));
    }

    #[test]
    fn opcodes_with_a_meaning_are_not() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, frame(From::Server, 0x2, b"x"));
        script.say(&mut client, From::Server, frame(From::Server, 0x9, b"x"));
        assert!(script.finding("reserved-opcode").is_none());
    }
}
