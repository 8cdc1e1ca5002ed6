//! The length of a frame is written in more bytes than needed.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// The length of a frame is written in more bytes than needed.
pub(super) static RULE: Rule = Rule {
    name: "length-not-minimal",
    code: "WS609",
    severity: Severity::Error,
    summary: "the length of a frame is written in more bytes than needed",
    page: "\
## What it sees

Frames whose length stands in 16 or 64 bits though it fits fewer, or in 64 bits with the highest one set.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.2: the shortest form must be used, and the highest bit of the 64 must be 0. Strict libraries close
with 1002, others do not look.

## How to mend it

It is a fault of the program that sends: code that writes headers itself and always takes the long form. A length with
the highest bit set, or one that no message has, is mostly a stream that is out of step.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.2",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::LengthNotMinimal,
    headline: "writes lengths in more bytes than needed",
    law: "RFC 6455 section 5.2: the shortest of the three forms must be used.",
    origin: "Mostly code that writes headers itself, or a stream that is out of step.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_long_form_is_told_and_tolerated() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, [0x81, 126, 0, 1, b'x']);
        assert_eq!(
            script.leading(),
            "warning length-not-minimal: the server 10.77.1.1:80 writes lengths in more bytes than needed"
        );
    }

    #[test]
    fn the_shortest_form_is_not() {
        let (mut script, mut client) = session();
        let mut longer = vec![0x81, 126, 0, 126];
        longer.extend([b'x'; 126]);
        script.say(&mut client, From::Server, longer);
        assert!(script.finding("length-not-minimal").is_none());
    }
}
