//! A frame has a reserved bit that no agreed extension uses.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A frame has a reserved bit that no agreed extension uses.
pub(super) static RULE: Rule = Rule {
    name: "reserved-bit-set",
    code: "WS603",
    severity: Severity::Error,
    summary: "a frame has a reserved bit that no agreed extension uses",
    page: "\
## What it sees

Frames with RSV1 where permessage-deflate was not agreed on, or on a control or continuation frame, and frames with
RSV2 or RSV3 at all.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.2 reserves the bits for extensions; RFC 7692 section 6 gives RSV1 to permessage-deflate. Whoever
gets a bit that was not agreed on must fail the connection. A browser says \"One or more reserved bits are on:
reserved1 = 1\".

## How to mend it

One side believes that compression was agreed on and the other does not. Often something on the way has taken
`Sec-WebSocket-Extensions` out of one of the two heads; where both sides of a proxy are in the capture that is
`deflate-broken-by-proxy`. Let the proxy pass the field on, or turn compression off at the server
(`perMessageDeflate: false` in ws, `compression=None` in Python's websockets).
",
    see: "https://www.rfc-editor.org/rfc/rfc7692#section-6",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::ReservedBitSet,
    headline: "sets a reserved bit that nothing agreed on allows",
    law: "RFC 6455 section 5.2: a bit that no agreed extension uses fails the connection.",
    origin: "Mostly compressed messages where permessage-deflate was not agreed on: look for Sec-WebSocket-Extensions in both heads.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn compressed_frames_that_nobody_agreed_on_are_told() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, [0xc1, 0x02, 0x01, 0x02]);
        script.say(&mut client, From::Client, close_frame(From::Client, 1002));
        assert_eq!(
            script.leading(),
            "error reserved-bit-set: the server 10.77.1.1:80 sets a reserved bit that nothing agreed on allows"
        );
    }

    #[test]
    fn compressed_frames_after_an_agreement_are_not() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        let extension = [("Sec-WebSocket-Extensions", "permessage-deflate")];
        script.say(&mut client, From::Client, request_with(&extension));
        script.say(&mut client, From::Server, switching_with(&extension));
        script.say(&mut client, From::Server, [0xc1, 0x02, 0x01, 0x02]);
        assert!(script.finding("reserved-bit-set").is_none());
    }
}
