//! What the capture or the program could not do, in words that all outputs share.

use super::count::{count, number, verb};
use crate::capture::{FileFacts, LinkType};
use crate::decode::Skip;
use crate::limits;
use crate::model::{Capture, Totals};

/// What a reader must know to believe the report: words of the file's reader, packets that are cut, and every
/// limit that was hit.
pub(crate) fn warnings(capture: &Capture) -> Vec<String> {
    let cut = capture.totals.cut_packets;
    let cut = (cut > 0).then(|| cut_packets(cut));
    let of_reader = capture.totals.warnings.iter().cloned();
    of_reader
        .chain(capture.files.iter().flat_map(of_file))
        .chain(cut)
        .chain(copies(&capture.totals))
        .chain(wireless(&capture.totals))
        .chain(limits_hit(capture))
        .collect()
}

/// Which file has which number, for people; none if there is one only.
pub(crate) fn files(capture: &Capture) -> Vec<String> {
    let names = capture.numbering.files();
    let packets = |place: usize| capture.files.get(place).map_or(0, |file| file.packets);
    let told = names.iter().enumerate().take(FILES_SHOWN).map(|(place, name)| {
        let number = place.saturating_add(1);
        let packets = count(packets(place), "packet");
        format!("file {number} is {name}: {packets}, of which #{number}:1 is the first")
    });
    let more = names.len().checked_sub(FILES_SHOWN).filter(|more| *more > 0);
    let more = more.map(|more| format!("and {} (--format json lists all)", count(more as u64, "more file")));
    told.chain(more).collect()
}

/// What a file says of itself.
fn of_file(file: &FileFacts) -> Vec<String> {
    let mut said = Vec::new();
    let name = &file.name;
    for interface in file.interfaces.iter().filter(|interface| interface.dropped > Some(0)) {
        let of = interface.name.as_ref().map(|of| format!(" of {of}")).unwrap_or_default();
        let dropped = interface.dropped.unwrap_or_default();
        let (packets, were) = (count(dropped, "packet"), verb(dropped, "was", "were"));
        said.push(format!("{name}: {packets}{of} {were} dropped while it was captured"));
    }
    for comment in file.comments.iter().take(COMMENTS_SHOWN) {
        let about = comment.packet.map(|packet| format!(" on packet {}", packet.0)).unwrap_or_default();
        said.push(format!("{name}: comment{about}: {}", comment.text));
    }
    let comments = file.comments_untold.saturating_add(file.comments.len() as u64);
    if let Some(more @ 1..) = comments.checked_sub(COMMENTS_SHOWN as u64) {
        said.push(format!("{name}: {} (Wireshark shows them)", count(more, "more comment")));
    }
    let kinds: Vec<String> = file
        .secrets
        .iter()
        .map(|(secrets, blocks)| format!("{} of {} keys", count(*blocks, "block"), secrets.name()))
        .collect();
    if !kinds.is_empty() {
        said.push(format!(
            "{name}: it carries {}, which are not used: what is encrypted stays unread here (Wireshark decrypts it)",
            kinds.join(", ")
        ));
    }
    said
}

/// Packets that are not looked into, by reason.
pub(crate) fn skipped(totals: &Totals) -> impl Iterator<Item = (String, u64)> {
    let filtered = Some(("filter".to_owned(), totals.filtered)).filter(|(_, packets)| *packets > 0);
    totals.skipped.iter().map(|(reason, packets)| (skip_reason(*reason), *packets)).chain(filtered)
}

fn skip_reason(reason: Skip) -> String {
    match reason {
        Skip::NotIp => "not IP".to_owned(),
        Skip::Link(protocol) => protocol.name().to_owned(),
        Skip::NotTcp => "not TCP".to_owned(),
        Skip::Fragment => "IP fragment".to_owned(),
        Skip::FragmentCopy => "copy of an IP fragment".to_owned(),
        Skip::TooDeep => "tunnels in tunnels without end".to_owned(),
        Skip::Cut => "cut before the TCP header".to_owned(),
        Skip::Malformed => "malformed".to_owned(),
        Skip::UnknownLink(number) => format!("link type {number}"),
    }
}

/// Bytes that the capture lacks, and whose doing that is.
pub(crate) fn missing(totals: &Totals) -> Option<String> {
    let Totals { missing_bytes, missing_cut_bytes, missing_acknowledged_bytes, .. } = *totals;
    let rest = missing_bytes.saturating_sub(missing_cut_bytes).saturating_sub(missing_acknowledged_bytes);
    let told = [
        (missing_cut_bytes, "cut off by its snap length"),
        (missing_acknowledged_bytes, "dropped by it, since their receivers acknowledged them"),
        (rest, "lost by it or by the network"),
    ];
    let told: Vec<(u64, &str)> = told.into_iter().filter(|(bytes, _)| *bytes > 0).collect();
    let all = count(missing_bytes, "byte");
    match told[..] {
        [] => None,
        [(_, why)] => Some(format!("the capture lacks {all} of the streams: {why}")),
        _ => {
            let parts: Vec<String> =
                told.iter().map(|(bytes, why)| format!("{} {why}", number(*bytes))).collect();
            Some(format!("the capture lacks {all} of the streams: {}", parts.join("; ")))
        }
    }
}

/// The same in a sentence.
pub(crate) fn skipped_sentence(totals: &Totals) -> Option<String> {
    let words =
        |reason: String| if reason == "filter" { "left out by the filter".to_owned() } else { reason };
    let skipped: Vec<(String, u64)> =
        skipped(totals).map(|(reason, packets)| (words(reason), packets)).collect();
    let packets = count(skipped.iter().map(|(_, packets)| packets).sum(), "packet");
    match skipped.as_slice() {
        [] => None,
        [(reason, _)] => Some(format!("{packets} skipped: {reason}")),
        several => {
            let reasons: Vec<String> =
                several.iter().map(|(reason, packets)| format!("{} {reason}", number(*packets))).collect();
            Some(format!("{packets} skipped: {}", reasons.join(", ")))
        }
    }
}

/// Packets that were captured more than once.
fn copies(totals: &Totals) -> Option<String> {
    let (packets, are) = (count(totals.copies, "packet"), verb(totals.copies, "is a copy", "are copies"));
    (totals.copies > 0).then(|| {
        format!(
            "{packets} {are} of another, captured at a second interface or a mirrored port; each counts once"
        )
    })
}

/// What to do about frames as they are in the air.
fn wireless(totals: &Totals) -> Option<String> {
    let mut reasons = totals.skipped.keys();
    let is_wireless =
        |reason: &Skip| matches!(reason, Skip::UnknownLink(link) if LinkType(*link).is_wireless());
    reasons.any(is_wireless).then(|| {
        "802.11 frames from the air are not read: capture on the host itself without monitor mode (tcpdump -i any), or \
         behind the access point"
            .to_owned()
    })
}

fn cut_packets(packets: u64) -> String {
    format!(
        "the capture has only the start of {}: capture whole packets with tcpdump -s 0",
        count(packets, "packet")
    )
}

/// A sentence for each limit that was hit: what is not in the report because of it.
fn limits_hit(capture: &Capture) -> Vec<String> {
    let Totals { tcp, forgotten_attempts, forgotten_bystanders, forgotten_frames, .. } = capture.totals;
    let Totals { forgotten_messages, cut_messages, limited_messages, .. } = capture.totals;
    let told = [
        (forgotten_attempts, attempts as fn(u64) -> String),
        (forgotten_bystanders, bystanders),
        (forgotten_frames, frames),
        (forgotten_messages, messages),
        (cut_messages, long_messages),
        (limited_messages, inflated),
        (tcp.connections_evicted, connections),
        (tcp.connections_expired, silent_connections),
        (tcp.embryos_evicted, embryos),
        (tcp.total_limit_hits, out_of_order),
        (capture.numbering.unplaced(), unplaced),
    ];
    told.into_iter().filter(|(hits, _)| *hits > 0).map(|(hits, sentence)| sentence(hits)).collect()
}

fn attempts(hits: u64) -> String {
    format!("{} {} counted and not listed", count(hits, "more upgrade attempt"), verb(hits, "is", "are"))
}

fn bystanders(hits: u64) -> String {
    format!(
        "{} without an upgrade attempt {} counted and not kept",
        count(hits, "more connection"),
        verb(hits, "is", "are")
    )
}

fn frames(hits: u64) -> String {
    format!(
        "{} {} counted and not listed: a session keeps {} of its frames, all together keep {}",
        count(hits, "frame"),
        verb(hits, "is", "are"),
        number(limits::FRAMES_KEPT as u64),
        number(limits::FRAMES_KEPT_TOTAL as u64),
    )
}

fn messages(hits: u64) -> String {
    format!(
        "{} {} counted and not listed: a session keeps {} of its messages, all together keep {}",
        count(hits, "message"),
        verb(hits, "is", "are"),
        number(limits::MESSAGES_KEPT as u64),
        number(limits::MESSAGES_KEPT_TOTAL as u64),
    )
}

fn long_messages(hits: u64) -> String {
    format!(
        "{} {} cut: one keeps {} MiB, all together keep {} MiB",
        count(hits, "message"),
        verb(hits, "is", "are"),
        limits::MESSAGE_BYTES / MIB,
        limits::MESSAGE_BYTES_KEPT_TOTAL / MIB,
    )
}

fn inflated(hits: u64) -> String {
    format!(
        "{} {} not inflated, or not to the end: too long, too much longer than sent, or one of too many sides",
        count(hits, "compressed message"),
        verb(hits, "was", "were"),
    )
}

const MIB: usize = 1024 * 1024;

fn connections(hits: u64) -> String {
    format!(
        "{} {} not followed to the end: too many were open at once",
        count(hits, "connection"),
        verb(hits, "was", "were")
    )
}

fn silent_connections(hits: u64) -> String {
    format!(
        "{} {} followed no longer after two hours of silence",
        count(hits, "connection"),
        verb(hits, "was", "were")
    )
}

fn embryos(hits: u64) -> String {
    format!(
        "{} without payload {} forgotten: too many were open at once",
        count(hits, "connection"),
        verb(hits, "was", "were")
    )
}

fn unplaced(hits: u64) -> String {
    format!(
        "of {} it is not told which file {} of: there are too many turns between the files",
        count(hits, "packet"),
        verb(hits, "it is", "they are")
    )
}

fn out_of_order(hits: u64) -> String {
    format!(
        "{} given up: too many bytes waited for missing ones",
        verb(hits, "1 hole in a stream was", "several holes in streams were")
    )
}

/// Files that the text lists.
const FILES_SHOWN: usize = 20;

/// Comments of a file that are told.
const COMMENTS_SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::Counts;

    #[test]
    fn each_limit_has_its_sentence() {
        let mut capture = Capture::default();
        assert!(warnings(&capture).is_empty());
        capture.totals.warnings = vec!["x.pcap: packet 3: odd".to_owned()];
        capture.totals.cut_packets = 5;
        capture.totals.forgotten_attempts = 1;
        capture.totals.forgotten_bystanders = 30_000;
        capture.totals.forgotten_frames = 2_000;
        capture.totals.forgotten_messages = 1;
        capture.totals.cut_messages = 2;
        capture.totals.limited_messages = 3;
        capture.totals.tcp = Counts {
            embryos_evicted: 1,
            connections_evicted: 3,
            connections_expired: 4,
            total_limit_hits: 2,
            ..Counts::default()
        };
        assert_eq!(
            warnings(&capture),
            [
                "x.pcap: packet 3: odd",
                "the capture has only the start of 5 packets: capture whole packets with tcpdump -s 0",
                "1 more upgrade attempt is counted and not listed",
                "30,000 more connections without an upgrade attempt are counted and not kept",
                "2,000 frames are counted and not listed: a session keeps 10,000 of its frames, \
                 all together keep 2,000,000",
                "1 message is counted and not listed: a session keeps 10,000 of its messages, \
                 all together keep 1,000,000",
                "2 messages are cut: one keeps 1 MiB, all together keep 256 MiB",
                "3 compressed messages were not inflated, or not to the end: too long, too much longer than sent, \
                 or one of too many sides",
                "3 connections were not followed to the end: too many were open at once",
                "4 connections were followed no longer after two hours of silence",
                "1 connection without payload was forgotten: too many were open at once",
                "several holes in streams were given up: too many bytes waited for missing ones",
            ]
        );
    }
}
