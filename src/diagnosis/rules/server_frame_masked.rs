//! A server masks its frames.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A server masks its frames.
pub(super) static RULE: Rule = Rule {
    name: "server-frame-masked",
    code: "WS602",
    severity: Severity::Error,
    summary: "a server masks its frames",
    page: "\
## What it sees

Frames from the server whose mask bit is set.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.1 forbids servers to mask. A client must close the connection when it gets a masked frame: browsers
say \"A server must not mask any frames that it sends to the client\" and report code 1006.

## How to mend it

It is a fault of the program that sends: a library in the role of the client, or something on the way that sends the
client's own bytes back, as an echo of TCP does. Compare the masking keys with those that the client used.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.1",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::ServerFrameMasked,
    headline: "masks its frames, which only clients do",
    law: "RFC 6455 section 5.1: a server must not mask, and a client must close the connection if it does.",
    origin: "Mostly a library in the role of the client, or something that sends the client's own bytes back.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn masked_frames_of_a_server_are_told() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, frame(From::Client, 0x1, b"hello"));
        script.say(&mut client, From::Client, close_frame(From::Client, 1002));
        assert_eq!(
            script.leading(),
            "error server-frame-masked: the server 10.77.1.1:80 masks its frames, which only clients do"
        );
    }

    #[test]
    fn unmasked_frames_of_a_server_are_as_they_should_be() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, text_frame(From::Server, "hello"));
        assert!(script.finding("server-frame-masked").is_none());
    }
}
