//! The capture begins in the middle of sessions.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, LegView, RouteView};
use crate::diagnosis::words;
use crate::model::Outcome;

/// The capture begins in the middle of sessions.
pub(super) static RULE: Rule = Rule {
    name: "capture-midstream",
    code: "WS102",
    severity: Severity::Note,
    summary: "sessions were open before the capture began, so that their handshakes are missing",
    page: "\
## What it sees

Frames of WebSocket on connections of which the capture has no handshake.

## Why it breaks

Nothing is broken. Sessions live for hours, and a capture that begins in between shows frames and ends, not how the
sessions came to be. Paths, origins, subprotocols and extensions are not known, so that nothing can be said about
them.

## How to mend it

If it is about attempts that fail, nothing: these are in the capture from the start. To see the handshake of a
session, begin the capture first and then reload the page or restart the client.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-1.3",
    explains: &[],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let is_midstream = |leg: &&LegView<'_>| leg.outcome == Outcome::Midstream;
    let legs: Vec<&LegView<'_>> = view.routes.iter().flat_map(RouteView::legs).filter(is_midstream).collect();
    if legs.is_empty() {
        return Vec::new();
    }
    let number = u64::try_from(legs.len()).unwrap_or(u64::MAX);
    let finding = Finding::new(&RULE, Blame::Capture, "begins in the middle of sessions")
        .saying(format!(
            "{} {} open before it: their handshakes are not in it, and are not judged.",
            words::count(number, "connection"),
            if number == 1 { "was" } else { "were" }
        ))
        .shown_by(legs.iter().take(EXAMPLES).map(|leg| leg.connection.id()));
    vec![finding]
}

const EXAMPLES: usize = 10;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn sessions_from_before_the_capture_are_told_once() {
        let found = diagnosis_of("midstream").findings;
        let told: Vec<String> = found.iter().map(crate::diagnosis::Finding::sentence).collect();
        assert_eq!(told, ["the capture begins in the middle of sessions"]);
        assert_eq!(
            found[0].detail,
            ["2 connections were open before it: their handshakes are not in it, and are not judged."]
        );
    }

    #[test]
    fn a_session_with_its_handshake_is_no_case() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request()).say(&mut client, From::Server, switching());
        assert_eq!(script.rules(), [""; 0]);
    }
}
