//! The capture has packets of one side only.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::protocol::Role;

/// The capture has packets of one side only.
pub(super) static RULE: Rule = Rule {
    name: "capture-one-sided",
    code: "WS101",
    severity: Severity::Note,
    summary: "the capture has packets of one side only, so that answers or requests are missing",
    page: "\
## What it sees

Connections with upgrade attempts, or with payload at all, on which one side sends and the other side has no packet in
the capture, not even acknowledgments.

## Why it breaks

Nothing is broken but the view. Without the other direction an answer that is missing means nothing, so attempts are
told as unknown, and most rules stay silent. Usual reasons are a filter with `src` or `dst`, a capture on one of two
paths (asymmetric routing), a mirror port that copies one direction, or a filter by port on the wrong side of address
translation.

## How to mend it

Capture with a filter that means both directions, `tcpdump -i any 'port 80 or port 3000'`, on the host of the proxy.
There all packets of both of its sides pass.
",
    see: "https://www.tcpdump.org/manpages/pcap-filter.7.html",
    explains: &[],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let payload = |connection: &&crate::model::Connection| {
        connection.half(Role::Client).payload_bytes > 0 || connection.half(Role::Server).payload_bytes > 0
    };
    let with_payload: Vec<_> = view.capture.connections.iter().filter(payload).collect();
    let one_sided: Vec<_> = with_payload.iter().filter(|connection| connection.is_one_sided()).collect();
    if one_sided.is_empty() {
        return Vec::new();
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let lacks = |role: Role| one_sided.iter().filter(|connection| connection.half(role).packets == 0).count();
    let (servers, clients) = (lacks(Role::Server), lacks(Role::Client));
    let missing = match (servers, clients) {
        (_, 0) => "the servers' packets",
        (0, _) => "the clients' packets",
        _ => "the packets of one side",
    };
    let finding = Finding::new(&RULE, Blame::Capture, "has one side only of some connections")
        .saying(format!(
            "Of {} of {} with payload it lacks {missing}: what they would show is not judged.",
            one_sided.len(),
            words::count(count(with_payload.len()), "connection")
        ))
        .shown_by(one_sided.iter().take(EXAMPLES).map(|connection| connection.id()))
        .advising(
            "Capture with a filter that means both directions, such as tcpdump -i any 'port 80 or port 3000', on the \
             host of the proxy.",
        );
    vec![finding]
}

const EXAMPLES: usize = 10;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_capture_of_one_direction_is_told_once() {
        let finding =
            diagnosis_of("one-sided").findings.into_iter().find(|it| it.rule.name == "capture-one-sided");
        let finding = finding.unwrap();
        assert_eq!(finding.sentence(), "the capture has one side only of some connections");
        assert!(finding.detail[0].contains("the servers' packets"), "{:?}", finding.detail);
        assert_eq!(finding.severity.name(), "note");
    }

    #[test]
    fn refused_and_unanswered_connections_are_not_one_sided() {
        let mut script = Script::default();
        script.unanswered(CLIENT, PROXY);
        script.refused("10.77.1.2:50001", PROXY);
        let mut client = script.connect("10.77.1.2:50002", PROXY);
        script.say(&mut client, From::Client, request()).say(&mut client, From::Server, switching());
        assert_eq!(script.rules(), [""; 0]);
    }
}
