//! What is to be known about the capture itself: what it lacks, and what was not looked into.

use std::collections::{BTreeMap, BTreeSet};

use super::page::{PLAIN, Page, UNSURE};
use super::screens::lines_of;
use crate::diagnosis::Diagnosis;
use crate::model::{Capture, Connection, Totals};
use crate::protocol::{OpaqueReason, Role, Spoken};
use crate::report::count::{count, verb};
use crate::report::{ReportOptions, notes, points};
use crate::text;

/// Writes the notes, if there are any: as many as `room` lines hold, and at least one.
pub(super) fn section(
    (capture, diagnosis): (&Capture, &Diagnosis),
    options: &ReportOptions,
    room: Option<usize>,
    page: &mut Page<'_>,
) {
    let notes = sentences(capture, diagnosis, options.keeps_all);
    if notes.is_empty() {
        return;
    }
    let began = page.lines();
    page.gap();
    page.paragraph("", "about the capture", UNSURE);
    let last = notes.len().saturating_sub(1);
    for (place, note) in notes.iter().enumerate() {
        let note = text::escape(note);
        let taken = lines_of(page.width(), |page| page.paragraph(MARK, &note, PLAIN));
        // The line that says that there is more has to have room too.
        let needed = page
            .lines()
            .saturating_sub(began)
            .saturating_add(taken)
            .saturating_add(usize::from(place < last));
        if place > 0 && room.is_some_and(|room| needed > room) {
            let more = count((notes.len().saturating_sub(place)) as u64, "more note");
            page.paragraph(MARK, &format!("and {more} (-v shows all)"), PLAIN);
            return;
        }
        page.paragraph(MARK, &note, PLAIN);
    }
}

const MARK: &str = "  - ";

/// What is to be told and no finding tells; of single connections only those that are listed.
pub(crate) fn sentences(capture: &Capture, diagnosis: &Diagnosis, lists_all: bool) -> Vec<String> {
    let totals = &capture.totals;
    let mut notes = notes::files(capture);
    notes.extend(points::sentences(capture));
    let told = told_by_findings(capture, diagnosis);
    let untold = |(reason, found): (&OpaqueReason, &u64)| {
        let found = found.saturating_sub(told.get(reason).copied().unwrap_or_default());
        (found > 0).then(|| opaque(*reason, found))
    };
    notes.extend(totals.opaque.iter().filter_map(untold));
    notes.extend(rest(totals));
    notes.extend(unopened(totals));
    notes.extend(one_sided(capture, lists_all));
    notes.extend(notes::missing(totals));
    notes.extend(notes::skipped_sentence(totals));
    notes.extend(notes::warnings(capture));
    notes
}

/// Connections that were not looked into since a server speaks another protocol, where a finding tells that.
fn told_by_findings(capture: &Capture, diagnosis: &Diagnosis) -> BTreeMap<OpaqueReason, u64> {
    let findings = diagnosis.findings.iter().filter(|finding| finding.rule.name == TELLS_ANOTHER_PROTOCOL);
    let places: BTreeSet<usize> =
        findings.flat_map(|finding| diagnosis.connections(&finding.about)).collect();
    let mut told = BTreeMap::new();
    for connection in places.into_iter().filter_map(|place| capture.connections.get(place)) {
        let is_it =
            connection.greeting.is_some() || connection.attempts.iter().any(|it| it.foreign.is_some());
        if let (true, Spoken::Opaque(reason)) = (is_it, connection.spoken) {
            let counter: &mut u64 = told.entry(reason).or_default();
            *counter = counter.saturating_add(1);
        }
    }
    told
}

const TELLS_ANOTHER_PROTOCOL: &str = "answer-not-http";

fn opaque(reason: OpaqueReason, found: u64) -> String {
    let connections = count(found, "connection");
    let (is, was) = (verb(found, "is", "are"), verb(found, "was", "were"));
    let (speaks, has) = (verb(found, "speaks", "speak"), verb(found, "has", "have"));
    match reason {
        OpaqueReason::Tls => {
            format!("{connections} {is} encrypted (TLS): whether WebSockets are inside cannot be seen")
        }
        OpaqueReason::Http2 => format!("{connections} {speaks} HTTP/2, which is not looked into"),
        OpaqueReason::NotHttp => format!("{connections} {speaks} something else than HTTP"),
        OpaqueReason::Malformed => {
            format!("{connections} began as HTTP and went on as something that is none")
        }
        OpaqueReason::OtherUpgrade => format!("{connections} upgraded to another protocol than WebSocket"),
        OpaqueReason::HeadTooLong => {
            format!("{connections} {has} an HTTP head that is too long to be looked into")
        }
        OpaqueReason::HeldTooLong => {
            format!("{connections} {has} too many bytes between an upgrade request and its answer")
        }
        OpaqueReason::TooManyRequests => format!("{connections} {has} too many requests without an answer"),
        OpaqueReason::TooManyAttempts => format!("{connections} {has} too many upgrade attempts to list"),
        OpaqueReason::TooManyHeads => {
            format!(
                "{connections} {was} given up since open connections together had too many upgrade attempts"
            )
        }
        OpaqueReason::TooMuchBuffered => {
            format!("{connections} {was} given up since all of them together left too much unfinished")
        }
    }
}

/// Where there is no attempt: what the connections are that can be read.
fn rest(totals: &Totals) -> Option<String> {
    let opaque: u64 = totals.opaque.values().sum();
    let rest = totals.tcp.connections.saturating_sub(opaque);
    (totals.attempts_total() == 0 && rest > 0).then(|| {
        format!(
            "{} {} HTTP without any sign of a WebSocket, or no payload",
            count(rest, "connection"),
            verb(rest, "carries", "carry")
        )
    })
}

fn unopened(totals: &Totals) -> Vec<String> {
    let told = [(totals.tcp.refused, "refused by RST"), (totals.tcp.unanswered, "never answered")];
    told.into_iter()
        .filter(|(connections, _)| *connections > 0)
        .map(|(connections, how)| {
            format!("{} {} {how}", count(connections, "connection"), verb(connections, "was", "were"))
        })
        .collect()
}

/// Connections of which one direction is not there at all.
fn one_sided(capture: &Capture, lists_all: bool) -> Vec<String> {
    let lacks = |role: Role| {
        let listed = |connection: &&Connection| lists_all || !connection.attempts.is_empty();
        let silent = |role| move |connection: &&Connection| connection.half(role).packets == 0;
        let talks = |connection: &&Connection| connection.half(role.other()).payload_bytes > 0;
        capture.connections.iter().filter(listed).filter(silent(role)).filter(talks).count() as u64
    };
    [Role::Client, Role::Server]
        .into_iter()
        .map(|role| (lacks(role), role))
        .filter(|(connections, _)| *connections > 0)
        .map(|(connections, role)| {
            format!(
                "what the {} sends is not in the capture on {}: a capture filter, or another way back",
                role.name(),
                count(connections, "connection")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Skip;
    use crate::tcp::Counts;

    #[test]
    fn notes_are_told_in_words() {
        let mut capture = Capture::default();
        assert!(sentences(&capture, &Diagnosis::default(), false).is_empty());
        let totals = &mut capture.totals;
        totals.tcp = Counts { connections: 4, refused: 1, unanswered: 2, ..Counts::default() };
        totals.opaque = [(OpaqueReason::Tls, 2), (OpaqueReason::NotHttp, 1)].into();
        totals.skipped = [(Skip::NotIp, 1_000), (Skip::UnknownLink(147), 1)].into();
        totals.filtered = 5;
        totals.missing_bytes = 12_000;
        totals.missing_cut_bytes = 1_500;
        totals.missing_acknowledged_bytes = 10_000;
        totals.warnings = vec!["x.pcap: odd\u{1b}".to_owned()];
        assert_eq!(
            sentences(&capture, &Diagnosis::default(), false),
            [
                "2 connections are encrypted (TLS): whether WebSockets are inside cannot be seen",
                "1 connection speaks something else than HTTP",
                "1 connection carries HTTP without any sign of a WebSocket, or no payload",
                "1 connection was refused by RST",
                "2 connections were never answered",
                "the capture lacks 12,000 bytes of the streams: 1,500 cut off by its snap length; 10,000 dropped by it, \
                 since their receivers acknowledged them; 500 lost by it or by the network",
                "1,006 packets skipped: 1,000 not IP, 1 link type 147, 5 left out by the filter",
                "x.pcap: odd\u{1b}",
            ]
        );
    }

    #[test]
    fn one_reason_to_skip_packets_needs_no_number() {
        let totals = Totals { skipped: [(Skip::NotTcp, 2)].into(), ..Totals::default() };
        assert_eq!(notes::skipped_sentence(&totals).unwrap(), "2 packets skipped: not TCP");
        assert_eq!(notes::skipped_sentence(&Totals { filtered: 1, ..Totals::default() }).unwrap(), {
            "1 packet skipped: left out by the filter"
        });
        assert_eq!(notes::skipped_sentence(&Totals::default()), None);
    }

    #[test]
    fn each_reason_to_look_no_further_has_its_sentence() {
        let cases = [
            (OpaqueReason::Tls, 1, {
                "1 connection is encrypted (TLS): whether WebSockets are inside cannot be seen"
            }),
            (OpaqueReason::Http2, 2, "2 connections speak HTTP/2, which is not looked into"),
            (OpaqueReason::Malformed, 1, "1 connection began as HTTP and went on as something that is none"),
            (OpaqueReason::OtherUpgrade, 1, "1 connection upgraded to another protocol than WebSocket"),
            (
                OpaqueReason::HeadTooLong,
                2,
                "2 connections have an HTTP head that is too long to be looked into",
            ),
            (OpaqueReason::HeldTooLong, 1, {
                "1 connection has too many bytes between an upgrade request and its answer"
            }),
            (OpaqueReason::TooManyRequests, 1, "1 connection has too many requests without an answer"),
        ];
        for (reason, found, expected) in cases {
            assert_eq!(opaque(reason, found), expected);
        }
    }
}
