//! A close, ping or pong has more than 125 bytes.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// A close, ping or pong has more than 125 bytes.
pub(super) static RULE: Rule = Rule {
    name: "control-frame-too-long",
    code: "WS606",
    severity: Severity::Error,
    summary: "a close, ping or pong has more than 125 bytes",
    page: "\
## What it sees

Close, ping and pong frames whose payload is longer than 125 bytes.

Where the other side ends the session because of it, this is an error, else a warning: some programs let it pass.
Where a proxy stands between and both of its sides are in the capture, the leg nearest to the sender tells whether the
proxy made it. What the same side breaks afterwards is told in the same finding.

## Why it breaks

RFC 6455 section 5.5 allows 125 bytes. Most libraries close with 1002. A close frame counts its code of two bytes too,
so that 123 are left for the reason.

## How to mend it

It is a fault of the program that sends: mostly a close reason made of an error message, or a ping that carries data.
Cut the reason to 123 bytes, in UTF-8 and not in characters.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.5",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::ControlFrameTooLong,
    headline: "sends a control frame that is too long",
    law: "RFC 6455 section 5.5: control frames have at most 125 bytes.",
    origin: "Mostly a close reason made of an error message: cut it to 123 bytes.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_long_close_is_told() {
        let (mut script, mut client) = session();
        let mut long = vec![0x88, 126, 0, 200];
        long.extend(1011_u16.to_be_bytes());
        long.extend([b'x'; 198]);
        script.say(&mut client, From::Server, long);
        script.say(&mut client, From::Client, close_frame(From::Client, 1002));
        assert_eq!(
            script.leading(),
            "error control-frame-too-long: the server 10.77.1.1:80 sends a control frame that is too long"
        );
    }

    #[test]
    fn a_close_of_125_bytes_is_not() {
        let (mut script, mut client) = session();
        let mut longest = vec![0x88, 125];
        longest.extend(1000_u16.to_be_bytes());
        longest.extend([b'x'; 123]);
        script.say(&mut client, From::Server, longest);
        assert!(script.finding("control-frame-too-long").is_none());
    }
}
