//! A continuation frame continues no message.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A continuation frame continues no message.
pub(super) static RULE: Rule = Rule {
    name: "continuation-without-start",
    code: "WS607",
    severity: Severity::Error,
    summary: "a continuation frame continues no message",
    page: "\
## What it sees

Continuation frames (opcode 0) where no fragmented message is open.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.4: a message begins with a text or binary frame. Without one nobody knows what the continuation
belongs to, and most libraries close with 1002.

## How to mend it

It is a fault of the program that sends: a library that was asked to send fragments from two places at once, a write
that was tried again after the first part had gone out, or code that numbers its frames itself. It may also be the
second half of a message that was begun on another connection.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.4",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::ContinuationWithoutStart,
    headline: "continues a message that was never begun",
    law: "RFC 6455 section 5.4: a continuation needs a message that a text or binary frame without FIN began.",
    origin: "Mostly fragments that are sent from two places at once, or a write that was tried again halfway.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn an_orphan_is_told() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, frame(From::Client, 0x0, b"x"));
        script.say(&mut client, From::Server, close_frame(From::Server, 1002));
        assert_eq!(
            script.leading(),
            "error continuation-without-start: the client 10.77.1.2 continues a message that was never begun"
        );
    }

    #[test]
    fn what_the_capture_may_lack_the_start_of_is_not() {
        let mut script = Script::default();
        let mut client = Script::midstream(CLIENT, PROXY);
        script.say(&mut client, From::Client, frame(From::Client, 0x0, b"x"));
        script.say(&mut client, From::Client, text_frame(From::Client, "y"));
        assert!(script.finding("continuation-without-start").is_none());
    }
}
