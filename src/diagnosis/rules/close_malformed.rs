//! A close frame has half a code, or one that must not be sent.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A close frame has half a code, or one that must not be sent.
pub(super) static RULE: Rule = Rule {
    name: "close-malformed",
    code: "WS612",
    severity: Severity::Warning,
    summary: "a close frame has half a code, or one that must not be sent",
    page: "\
## What it sees

Close frames with a payload of one byte, or with a code that RFC 6455 does not let anybody send: below 1000, 1004,
1005, 1006, 1015, those from 1016 to 2999, and from 5000 on.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 sections 5.5.1 and 7.4: a close frame carries nothing, or a code of two bytes and a reason. 1005, 1006 and
1015 are for an endpoint to tell its own program that there was no code. The other side may answer with 1002, and its
log then speaks of a protocol error where there was an ordinary end.

## How to mend it

Look at what the program passes to `close()`: mostly it hands on the code that it got from another connection, 1005 or
1006 among them. Proxies and bridges must not do that; 1000, 1001 or 1011 are what they can say. mod_wstunnel of
lighttpd 1.4.69 answers each close with the letters `1000` instead of the number: an ordinary end that some clients log
as a protocol error, and no more than that.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::CloseMalformed,
    headline: "closes with a code that must not be sent",
    law: "RFC 6455 section 7.4: only 1000 to 1003, 1007 to 1014 and 3000 to 4999 may be sent.",
    // The other: measured with 1.4.69, whose answer to any close is the four letters 1000.
    origin: "Mostly a bridge that hands on the code which it got from another connection, 1005 or 1006 among them, or a \
             program that writes the code as text, as mod_wstunnel of lighttpd does.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn codes_that_must_not_be_sent_are_told() {
        for code in [999, 1005, 1006, 2000, 5000] {
            let (mut script, mut client) = session();
            script.say(&mut client, From::Server, close_frame(From::Server, code));
            let finding = script.finding("close-malformed").unwrap();
            assert_eq!(
                finding.sentence(),
                "the server 10.77.1.1:80 closes with a code that must not be sent"
            );
            assert_eq!(script.rules(), ["close-malformed"], "{code}");
        }
    }

    #[test]
    fn an_empty_close_and_private_codes_are_not() {
        for payload in [&b""[..], &[0x0f, 0xa0], &[0x03, 0xe8, b'x']] {
            let (mut script, mut client) = session();
            script.say(&mut client, From::Server, frame(From::Server, 0x8, payload));
            assert!(script.finding("close-malformed").is_none());
        }
    }
}
