//! A message begins inside a fragmented one.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A message begins inside a fragmented one.
pub(super) static RULE: Rule = Rule {
    name: "message-interrupted",
    code: "WS608",
    severity: Severity::Error,
    summary: "a message begins inside a fragmented one",
    page: "\
## What it sees

Text or binary frames while a fragmented message is not finished.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.4: only control frames may stand between the fragments of a message. Most libraries close with 1002.

## How to mend it

It is a fault of the program that sends: two threads or tasks that send on one connection without waiting for each
other. Send from one place, or take a library that queues.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.4",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::MessageInterrupted,
    headline: "begins a message inside another one",
    law: "RFC 6455 section 5.4: fragments of two messages must not be mixed.",
    origin: "Mostly two threads or tasks that send on one connection without waiting for each other.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_message_in_a_message_is_told() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, [0x01, 0x01, b'x']);
        script.say(&mut client, From::Server, text_frame(From::Server, "y"));
        script.say(&mut client, From::Client, close_frame(From::Client, 1002));
        assert_eq!(
            script.leading(),
            "error message-interrupted: the server 10.77.1.1:80 begins a message inside another one"
        );
    }

    #[test]
    fn one_after_the_other_is_not() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, [0x01, 0x01, b'x', 0x80, 0x01, b'y']);
        script.say(&mut client, From::Server, text_frame(From::Server, "z"));
        assert!(script.finding("message-interrupted").is_none());
    }
}
