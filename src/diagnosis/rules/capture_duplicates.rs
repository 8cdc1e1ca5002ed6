//! Packets were captured more than once.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::CaptureView;

/// Packets were captured more than once.
pub(super) static RULE: Rule = Rule {
    name: "capture-duplicates",
    code: "WS104",
    severity: Severity::Note,
    summary: "packets were captured more than once, which is no retransmission",
    page: "\
## What it sees

Packets that are the same but for what a router changes, within a moment, and in IPv4 with the same identification.
Each counts once. More than one packet in a hundred, and at least ten, are worth this note.

## Why it breaks

Nothing is broken. With `-i any` a packet that passes a bridge is captured at each of its interfaces; a mirror port may
copy both ingress and egress. Tools that take the copies for retransmissions report a bad network; wsinspect knows
them and counts them apart.

## How to mend it

Capture at one interface, such as the bridge itself or the container's own: `tcpdump -i docker0`.
",
    see: "https://www.tcpdump.org/manpages/tcpdump.1.html",
    explains: &[],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let totals = &view.capture.totals;
    let is_much = totals.copies >= LEAST && totals.copies.saturating_mul(PART) >= totals.packets;
    if !is_much {
        return Vec::new();
    }
    let finding = Finding::new(&RULE, Blame::Capture, "has packets more than once")
        .saying(format!(
            "{} of {} packets were captured before, at another interface or from a mirror port. Each is counted once, \
             and none is taken for a retransmission.",
            totals.copies, totals.packets
        ))
        .advising("Capture at one interface to have each packet once.");
    vec![finding]
}

const LEAST: u64 = 10;
/// One in so many.
const PART: u64 = 100;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn copies_are_a_note_and_repetitions_are_none() {
        let (mut script, mut client) = session();
        for _ in 0..10 {
            script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        }
        assert!(script.finding("capture-duplicates").is_none());
        let script = script.twice();
        assert_eq!(script.rules(), ["capture-duplicates"]);
        assert_eq!(script.leading(), "note capture-duplicates: the capture has packets more than once");
    }
}
