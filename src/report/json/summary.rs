//! The last line: the capture as a whole.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::attempt::RoleView;
use super::file::{self, FileView};
use super::finding::{self, FindingView};
use super::time::{Clock, TimeText, millis};
use crate::diagnosis::{About, Diagnosis};
use crate::model::{Capture, Outcome, Totals};
use crate::report::notes;

/// The summary.
#[derive(Serialize)]
#[serde(tag = "type", rename = "summary")]
pub(super) struct SummaryLine<'a> {
    schema: u32,
    packets: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileView<'a>>,
    start: Option<TimeText>,
    end: Option<TimeText>,
    skipped: SkippedView<'a>,
    #[serde(skip_serializing_if = "super::is_zero")]
    copies: u64,
    #[serde(skip_serializing_if = "super::is_zero")]
    seen_again: u64,
    cut_packets: u64,
    missing_bytes: u64,
    #[serde(skip_serializing_if = "super::is_zero")]
    missing_cut_bytes: u64,
    #[serde(skip_serializing_if = "super::is_zero")]
    missing_acknowledged_bytes: u64,
    connections: u64,
    unopened: UnopenedView,
    opaque: BTreeMap<&'static str, u64>,
    attempts: AttemptsView<'a>,
    success_rate: Option<f64>,
    latency_ms: Option<LatencyView>,
    frames: RoleView,
    findings: Vec<FindingView<'a>>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct UnopenedView {
    refused: u64,
    unanswered: u64,
}

#[derive(Serialize)]
struct LatencyView {
    median: f64,
    p95: f64,
    max: f64,
}

struct AttemptsView<'a>(&'a Totals);
struct SkippedView<'a>(&'a Totals);

/// The summary of a capture.
pub(super) fn line<'a>(capture: &'a Capture, diagnosis: &'a Diagnosis, clock: &mut Clock) -> SummaryLine<'a> {
    let totals = &capture.totals;
    // What is about one route or connection stands there.
    let whole = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.about == About::Capture || finding.about.count() != 1);
    SummaryLine {
        schema: 1,
        packets: totals.packets,
        bytes: totals.bytes,
        files: file::views(capture),
        start: totals.first_and_last.map(|(first, _)| clock.text(first)),
        end: totals.first_and_last.map(|(_, last)| clock.text(last)),
        skipped: SkippedView(totals),
        copies: totals.copies,
        seen_again: totals.seen_again,
        cut_packets: totals.cut_packets,
        missing_bytes: totals.missing_bytes,
        missing_cut_bytes: totals.missing_cut_bytes,
        missing_acknowledged_bytes: totals.missing_acknowledged_bytes,
        connections: totals.tcp.connections,
        unopened: UnopenedView { refused: totals.tcp.refused, unanswered: totals.tcp.unanswered },
        opaque: totals.opaque.iter().map(|(reason, number)| (reason.name(), *number)).collect(),
        attempts: AttemptsView(totals),
        success_rate: totals.success_rate().map(|rate| (rate * 1e6).round() / 1e6),
        latency_ms: totals.latency.map(|latency| LatencyView {
            median: millis(latency.median),
            p95: millis(latency.p95),
            max: millis(latency.max),
        }),
        frames: RoleView::new(&totals.frames),
        findings: whole.map(|finding| finding::view(finding, &capture.numbering)).collect(),
        warnings: notes::warnings(capture),
    }
}

impl Serialize for AttemptsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("total", &self.0.attempts_total())?;
        for outcome in Outcome::ALL {
            map.serialize_entry(outcome.name(), &self.0.attempts_with(outcome))?;
        }
        map.end()
    }
}

impl Serialize for SkippedView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(notes::skipped(self.0))
    }
}
