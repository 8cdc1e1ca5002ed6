//! No false alarm: a capture of a healthy scenario stays healthy to the eyes of all rules, whatever part of it the
//! capture lacks. What is not seen is not judged.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

use std::fs;
use std::path::Path;

use packets::Packet;
use serde_json::Value;
// What the shared test support calls `crate::capture`.
use wsinspect::capture;
use wsinspect::diagnosis::{Selection, Severity, diagnose};
use wsinspect::limits::Limits;
use wsinspect::pipeline::Options;

#[path = "support/facts.rs"]
mod facts;
#[path = "support/packets.rs"]
mod packets;
#[path = "../src/capture/testing.rs"]
mod testing;

#[test]
fn a_lost_packet_is_no_finding() {
    judge_all("without packet", |packets| {
        (0..packets.len())
            .map(|lost| {
                (
                    lost,
                    packets
                        .iter()
                        .enumerate()
                        .filter(|(at, _)| *at != lost)
                        .map(|(_, it)| it.clone())
                        .collect(),
                )
            })
            .collect()
    });
}

#[test]
fn every_other_packet_alone_is_no_finding() {
    judge_all("one packet in so many, from", |packets| {
        let kept = |of: usize, from: usize| packets.iter().skip(from).step_by(of).cloned().collect();
        (2..6)
            .flat_map(|of| (0..of).map(move |from| (of * 10 + from, (of, from))))
            .map(|(name, (of, from))| (name, kept(of, from)))
            .collect()
    });
}

#[test]
fn a_capture_that_ends_early_or_begins_late_is_no_finding() {
    judge_all("up to packet", |packets| {
        (0..packets.len()).map(|end| (end, packets[..end].to_vec())).collect()
    });
    judge_all("from packet", |packets| {
        (0..packets.len()).map(|start| (start, packets[start..].to_vec())).collect()
    });
}

#[test]
fn cut_packets_are_no_finding() {
    judge_all("with snap length", |packets| {
        let lengths = [54, 60, 68, 80, 96, 128, 192, 256, 400];
        lengths
            .iter()
            .map(|length| (*length, packets.iter().map(|it| it.snapped(*length)).collect()))
            .collect()
    });
}

#[test]
fn packets_captured_twice_are_no_finding() {
    judge_all("everything twice", |packets| {
        let twice = packets.iter().flat_map(|it| [it.clone(), it.clone()]).collect();
        vec![(0, twice)]
    });
}

/// Judges what `changed` makes of each healthy capture.
fn judge_all(what: &str, changed: impl Fn(&[Packet]) -> Vec<(usize, Vec<Packet>)>) {
    let mut wrong = Vec::new();
    for (name, path) in packets::shipped().into_iter().filter(|(_, path)| is_healthy(path)) {
        for (number, packets) in changed(&packets::of(&path)) {
            if let Some(found) = alarm(&packets) {
                wrong.push(format!("{name} {what} {number}: {found}"));
            }
        }
    }
    let shown: Vec<String> = wrong.iter().take(40).cloned().collect();
    assert!(wrong.is_empty(), "{} false alarms:\n{}", wrong.len(), shown.join("\n"));
}

/// Whether the scenario says that nothing is to be found in this file, nor in those of its other points of capture: where one
/// of them shows a fault, this one has what came of it.
fn is_healthy(path: &Path) -> bool {
    let expected = fs::read_to_string(path.with_file_name("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let files = expected["files"].as_object().unwrap();
    let is_named = files.contains_key(path.file_name().unwrap().to_str().unwrap());
    is_named && files.values().all(|file| file.get("leading").is_some_and(Value::is_null))
}

/// The first finding above a note.
fn alarm(packets: &[Packet]) -> Option<String> {
    let mut source = facts::open(packets::write(packets)).unwrap_or_else(|error| panic!("{error}"));
    let limits = Limits { embryos: 256, ..Limits::default() };
    let capture = facts::read_from(&mut source, Options { limits, ..Options::default() });
    let diagnosis = diagnose(&capture, &Selection::default(), false);
    let finding = diagnosis.findings.iter().find(|finding| finding.severity > Severity::Note)?;
    Some(format!("{} {}: {}", finding.severity.name(), finding.rule.name, finding.sentence()))
}
