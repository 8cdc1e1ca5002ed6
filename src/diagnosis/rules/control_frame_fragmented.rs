//! A close, ping or pong is sent in fragments.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A close, ping or pong is sent in fragments.
pub(super) static RULE: Rule = Rule {
    name: "control-frame-fragmented",
    code: "WS605",
    severity: Severity::Error,
    summary: "a close, ping or pong is sent in fragments",
    page: "\
## What it sees

Close, ping and pong frames without FIN.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.5: control frames must not be fragmented, so that they can stand between the fragments of a message.
Most libraries close with 1002.

## How to mend it

It is a fault of the program that sends, mostly of code that writes frames itself and fragments whatever is long. A
frame that is the first of others that make no sense is a stream that is out of step instead.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.5",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::ControlFrameFragmented,
    headline: "sends a control frame in fragments",
    law: "RFC 6455 section 5.5: control frames must not be fragmented.",
    origin: "Mostly code that writes frames itself, or a stream that is out of step.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_ping_in_fragments_is_told() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, [0x09, 0x01, b'x']);
        script.say(&mut client, From::Client, close_frame(From::Client, 1002));
        assert_eq!(
            script.leading(),
            "error control-frame-fragmented: the server 10.77.1.1:80 sends a control frame in fragments"
        );
    }

    #[test]
    fn a_ping_between_fragments_is_not() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, [0x01, 0x01, b'x']);
        script.say(&mut client, From::Server, frame(From::Server, 0x9, b"x"));
        script.say(&mut client, From::Server, [0x80, 0x01, b'y']);
        assert!(!script.rules().iter().any(|rule| rule.starts_with("con") || rule.starts_with("mess")));
    }
}
