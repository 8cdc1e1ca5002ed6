//! The capture has only the start of the packets that matter.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, LegView, RouteView};
use crate::diagnosis::words;
use crate::units::PacketNumber;

/// The capture has only the start of the packets that matter.
pub(super) static RULE: Rule = Rule {
    name: "capture-truncated",
    code: "WS103",
    severity: Severity::Note,
    summary: "the capture has only the start of packets, so that heads are not there in full",
    page: "\
## What it sees

Packets that were longer on the wire than they are in the capture, and upgrade requests or answers whose heads are not
there in full.

## Why it breaks

Nothing is broken but the view. Fields that were cut off cannot be judged: most rules stay silent, and outcomes may be
unknown. Somebody captured with a short snap length, such as `tcpdump -s 96`, to save room or to keep payload out of
the file, or with an old tcpdump, whose default was 68 bytes.

## How to mend it

Capture whole packets: `tcpdump -s 0`, which is the default since tcpdump 4.0. If the file is to stay small, filter by
host and port instead. What is secret in heads need not be kept out: wsinspect does not show it.
",
    see: "https://www.tcpdump.org/manpages/tcpdump.1.html",
    explains: &[],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let cut: Vec<PacketNumber> = view.routes.iter().flat_map(RouteView::legs).filter_map(cut_head).collect();
    if view.capture.totals.cut_packets == 0 || cut.is_empty() {
        return Vec::new();
    }
    let packets = words::count(view.capture.totals.cut_packets, "packet");
    let heads = u64::try_from(cut.len()).unwrap_or(u64::MAX);
    let finding = Finding::new(&RULE, Blame::Capture, "has only the start of requests and answers")
        .saying(format!(
            "Of {packets} it has only the start, and {} of upgrade attempts are not there in full: what is cut off is \
             not judged.",
            words::count(heads, "head")
        ))
        .shown_by(cut.into_iter().take(EXAMPLES))
        .advising("Capture whole packets: tcpdump -s 0.");
    vec![finding]
}

/// The packet of a head that is not in the capture in full.
fn cut_head(leg: &LegView<'_>) -> Option<PacketNumber> {
    let request = leg.attempt.request.as_ref().filter(|request| !request.complete);
    let response = leg.attempt.response.as_ref().filter(|response| !response.complete);
    request.map(|it| it.origin.packet).or_else(|| response.map(|it| it.origin.packet))
}

const EXAMPLES: usize = 10;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_capture_of_short_packets_says_so() {
        let found = diagnosis_of("snaplen-cut").findings;
        let finding = found.into_iter().find(|it| it.rule.name == "capture-truncated").unwrap();
        assert_eq!(finding.sentence(), "the capture has only the start of requests and answers");
        assert!(finding.detail[0].contains("4 heads"), "{:?}", finding.detail);
        assert_eq!(finding.severity.name(), "note");
    }

    #[test]
    fn a_head_that_is_lost_or_whole_is_not_cut() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request().split_at(60).0);
        client.loses(40);
        script.say(&mut client, From::Client, "x").say(&mut client, From::Server, switching());
        assert!(script.finding("capture-truncated").is_none());
        assert!(
            !diagnosis_of("nginx-all-correct").findings.iter().any(|it| it.rule.name == "capture-truncated")
        );
    }
}
