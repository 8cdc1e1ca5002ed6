//! The capture lacks packets that were there.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::protocol::Role;

/// The capture lacks packets that were there.
pub(super) static RULE: Rule = Rule {
    name: "capture-dropped",
    code: "WS105",
    severity: Severity::Note,
    summary: "the capture lacks packets that were there: dropped while it was made",
    page: "\
## What it sees

Bytes that one side acknowledges and the capture does not have, in connections with an upgrade attempt; and the number
of packets that a pcapng file says were dropped at its interfaces. Packets that a snap length cut are told as
`capture-truncated` instead.

## Why it breaks

Nothing is broken but the view. What is not in the capture cannot be judged: findings on the same connection that a
loss could explain are told one step softer and say so.

## How to mend it

Give tcpdump a larger buffer (`-B 65536`), a filter that keeps less, and no name resolution (`-n`); write to a fast
disk. On a mirror port look for drops at the switch. Packets that went another way (asymmetric routing) are lacking
too, and then it is the place of the capture that is wrong.
",
    see: "https://www.tcpdump.org/manpages/tcpdump.1.html",
    explains: &[],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let dropped: u64 =
        view.capture.files.iter().map(crate::capture::FileFacts::dropped).fold(0, u64::saturating_add);
    let missing = |connection: &crate::model::Connection| {
        let of = |role| connection.half(role).missing_acknowledged_bytes;
        of(Role::Client).saturating_add(of(Role::Server))
    };
    let with_attempt = view.capture.connections.iter().filter(|connection| !connection.attempts.is_empty());
    let lacking: Vec<_> =
        with_attempt.filter(|connection| missing(connection) > 0 && !connection.is_one_sided()).collect();
    if dropped == 0 && lacking.is_empty() {
        return Vec::new();
    }
    let bytes: u64 = lacking.iter().map(|connection| missing(connection)).fold(0, u64::saturating_add);
    let said = (dropped > 0)
        .then(|| format!("The file says that {} dropped while it was captured.", were(dropped, "packet")));
    let seen = (bytes > 0).then(|| {
        format!(
            "{} of {} {} acknowledged and not in the capture.",
            words::count(bytes, "byte"),
            words::count(lacking.len() as u64, "connection"),
            if bytes == 1 { "is" } else { "are" }
        )
    });
    let finding = Finding::new(&RULE, Blame::Capture, "lacks packets that were there")
        .saying_also(said)
        .saying_also(seen)
        .saying("What a loss could explain is told one step softer.")
        .shown_by(lacking.iter().take(EXAMPLES).map(|connection| connection.id()))
        .advising("Capture with a larger buffer (tcpdump -B 65536 -n) and a filter that keeps less.");
    vec![finding]
}

fn were(number: u64, thing: &str) -> String {
    format!("{} {}", words::count(number, thing), if number == 1 { "was" } else { "were" })
}

const EXAMPLES: usize = 10;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn bytes_that_somebody_acknowledges_and_the_capture_lacks_are_told() {
        let (mut script, mut client) = session();
        client.loses(500);
        script.say(&mut client, From::Server, text_frame(From::Server, "hello"));
        let finding = script.finding("capture-dropped").unwrap();
        assert_eq!(finding.detail[0], "500 bytes of 1 connection are acknowledged and not in the capture.");
        assert_eq!(finding.severity.name(), "note");
    }

    #[test]
    fn what_a_loss_could_explain_is_told_softer() {
        let ends = |loses: bool| {
            let (mut script, mut client) = session();
            if loses {
                client.loses(500);
            }
            script.say(&mut client, From::Server, close_frame(From::Server, 1011));
            script.say(&mut client, From::Client, close_frame(From::Client, 1011));
            script.close(&mut client, From::Server).finding("closed-with-error").unwrap()
        };
        assert_eq!(ends(false).severity.name(), "error");
        let softer = ends(true);
        assert_eq!(softer.severity.name(), "warning");
        assert!(softer.detail.last().unwrap().contains("500 bytes"), "{:?}", softer.detail);
    }

    #[test]
    fn a_capture_that_lacks_nothing_is_left_alone() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, text_frame(From::Server, "hello"));
        assert_eq!(script.rules(), [""; 0]);
    }
}
