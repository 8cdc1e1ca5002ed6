//! Data is sent after the sender's own Close frame.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// Data is sent after the sender's own Close frame.
pub(super) static RULE: Rule = Rule {
    name: "data-after-close",
    code: "WS509",
    severity: Severity::Warning,
    summary: "data is sent after the sender's own Close frame",
    page: "\
## What it sees

Text, binary or continuation frames of a side that has already sent a Close frame. Pings and pongs are no data.

Where the other side ends the session because of it, this is an error; where it returns the Close frame as if nothing
was wrong, a note: most let it pass. Else it is a warning.

## Why it breaks

RFC 6455 section 5.5.1: after Close nothing more is sent. The other side may have answered and gone already, and what
comes then is lost: RFC 6455 has no way to tell the sender.

## How to mend it

Wait with the Close until everything that has to arrive was sent: `ws.close()` after the last `send`, and no timer or
task that goes on sending. In libraries that let one write below the library's own queue, close the same way.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::DataAfterClose,
    headline: "sends data after its own Close frame",
    law: "RFC 6455 section 5.5.1: after a Close frame no more data frames may be sent.",
    origin: "Mostly a timer or a task that goes on sending while another one closes.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn data_after_a_close_is_told() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, close_frame(From::Server, 1000));
        script.say(&mut client, From::Server, text_frame(From::Server, "one more"));
        script
            .say(&mut client, From::Client, close_frame(From::Client, 1000))
            .close(&mut client, From::Server);
        assert_eq!(
            script.leading(),
            "note data-after-close: the server 10.77.1.1:80 sends data after its own Close frame"
        );
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, close_frame(From::Server, 1000));
        script.say(&mut client, From::Server, text_frame(From::Server, "one more"));
        script.close(&mut client, From::Server);
        assert!(script.leading().starts_with("warning data-after-close"), "{}", script.leading());
    }

    #[test]
    fn who_returns_the_close_frame_has_not_hung_up_because_of_it() {
        // As python-socketio 5 takes its leave.
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, close_frame(From::Client, 1000));
        script.say(&mut client, From::Client, text_frame(From::Client, "41"));
        script.say(&mut client, From::Server, frame(From::Server, 0x8, b"")).close(&mut client, From::Server);
        let finding = script.finding("data-after-close").unwrap();
        assert_eq!(finding.severity.name(), "note");
        assert_eq!(finding.detail.len(), 1, "{:?}", finding.detail);
    }

    #[test]
    fn data_of_the_other_side_and_pongs_are_not() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, close_frame(From::Server, 1000));
        script.say(&mut client, From::Server, frame(From::Server, 0xa, b""));
        script.say(&mut client, From::Client, text_frame(From::Client, "was on its way"));
        script
            .say(&mut client, From::Client, close_frame(From::Client, 1000))
            .close(&mut client, From::Server);
        assert!(script.finding("data-after-close").is_none());
    }
}
