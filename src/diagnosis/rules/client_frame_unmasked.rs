//! A client sends frames without masking them.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A client sends frames without masking them.
pub(super) static RULE: Rule = Rule {
    name: "client-frame-unmasked",
    code: "WS601",
    severity: Severity::Error,
    summary: "a client sends frames without masking them",
    page: "\
## What it sees

Frames from the client whose mask bit is not set.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.1 has clients mask every frame with a fresh key, so that what a script sends cannot be mistaken for
HTTP by something on the way. A server must close the connection when it gets a frame without a mask: code 1002.

## How to mend it

It is a fault of the program that sends: a client written by hand, a library that thinks it is the server, or a proxy
that makes frames of its own. Caddy 2.6.2 does so when it is stopped: the Close frame that it sends to the upstream has
no mask. Use a library for the client's side, or a newer one.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.1",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::ClientFrameUnmasked,
    headline: "sends frames without masking them",
    law: "RFC 6455 section 5.1: a client must mask all frames, and a server must close the connection if one is not.",
    origin: "Mostly a client that was written by hand, or a library in the role of the server.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn frames_without_a_mask_are_told() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, frame(From::Server, 0x1, b"hello"));
        script.say(&mut client, From::Server, close_frame(From::Server, 1002));
        script.close(&mut client, From::Server);
        assert_eq!(
            script.leading(),
            "error client-frame-unmasked: the client 10.77.1.2 sends frames without masking them"
        );
        let finding = script.finding("client-frame-unmasked").unwrap();
        assert!(
            finding.detail.concat().contains("The server answers with Close 1002."),
            "{:?}",
            finding.detail
        );
        assert_eq!(script.rules(), ["client-frame-unmasked"], "one fault, one finding");
    }

    #[test]
    fn a_proxy_that_makes_the_frame_is_blamed_and_masked_frames_are_not() {
        let (mut script, mut client, mut upstream) = proxied_session();
        script.say(&mut upstream, From::Client, frame(From::Server, 0x8, &1001_u16.to_be_bytes()));
        script.say(&mut client, From::Server, close_frame(From::Server, 1001));
        let finding = script.finding("client-frame-unmasked").unwrap();
        assert_eq!(finding.sentence(), "the proxy 10.77.2.1 sends frames without masking them");
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        assert!(script.finding("client-frame-unmasked").is_none());
    }
}
