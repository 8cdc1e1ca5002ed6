//! What a rule found, as an object.

use serde::Serialize;

use super::place::{self, PlaceView};
use crate::diagnosis::Finding;
use crate::numbering::Numbering;

/// A finding.
#[derive(Serialize)]
pub(super) struct FindingView<'a> {
    rule: &'static str,
    code: &'static str,
    severity: &'static str,
    message: String,
    hop: String,
    packets: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    packets_in_files: Vec<PlaceView<'a>>,
    fix: Vec<FixView<'a>>,
    advice: &'a [String],
    explains: Vec<&'static str>,
    see: &'static str,
}

#[derive(Serialize)]
struct FixView<'a> {
    r#for: &'static str,
    place: &'a str,
    text: &'a str,
}

/// The view of a finding.
pub(super) fn view<'a>(finding: &'a Finding, numbering: &'a Numbering) -> FindingView<'a> {
    FindingView {
        rule: finding.rule.name,
        code: finding.rule.code,
        severity: finding.severity.name(),
        message: finding.message(),
        hop: finding.blame.to_string(),
        packets: finding.packets.iter().map(|packet| packet.0).collect(),
        packets_in_files: finding
            .packets
            .iter()
            .filter_map(|packet| place::view(*packet, numbering))
            .collect(),
        fix: finding
            .fixes
            .iter()
            .map(|fix| FixView { r#for: fix.target, place: &fix.place, text: &fix.text })
            .collect(),
        advice: &finding.advice,
        explains: finding.symptoms.iter().map(|rule| rule.name).collect(),
        see: finding.rule.see,
    }
}
