//! Findings that a loss in the capture could explain are told one step softer, with the reason.

use super::finding::{About, Finding};
use super::rule::Severity;
use super::view::CaptureView;
use super::words;
use crate::model::Connection;
use crate::protocol::Role;

/// Softens what the capture's own losses could explain: findings about transport, sessions, frames and what is
/// spoken above, on connections of which the capture lacks something. What heads say is there in full, or is not judged.
pub(super) fn soften(findings: &mut [Finding], view: &CaptureView<'_>) {
    let dropped: u64 =
        view.capture.files.iter().map(crate::capture::FileFacts::dropped).fold(0, u64::saturating_add);
    let is_lossy = dropped > 0 && dropped.saturating_mul(RARE) >= view.capture.totals.packets;
    for finding in findings.iter_mut().filter(|finding| can_be_loss(finding)) {
        let lacking = lacking(finding, view);
        let reason = match lacking {
            Some(bytes) => format!(
                "The capture lacks {} of this connection, which may be why it looks like that.",
                if bytes == 0 { "the end".to_owned() } else { words::count(bytes, "byte") }
            ),
            None if is_lossy => {
                format!(
                    "{} dropped while it was captured, which may be why it looks like that.",
                    words::count(dropped, "packet") + if dropped == 1 { " was" } else { " were" }
                )
            }
            None => continue,
        };
        finding.severity = softer(finding.severity);
        finding.detail.push(reason);
    }
}

/// Whether what a rule sees follows from what is not there, or from where frames begin.
fn can_be_loss(finding: &Finding) -> bool {
    FAMILIES.iter().any(|family| finding.rule.code.starts_with(family))
}

/// How much the capture lacks of the connections that the example of a finding is about; none if it lacks nothing.
fn lacking(finding: &Finding, view: &CaptureView<'_>) -> Option<u64> {
    let of = |connection: &Connection| {
        let missing = |role| connection.half(role).missing_bytes;
        let bytes = missing(Role::Client).saturating_add(missing(Role::Server));
        (bytes > 0 || connection.tcp.evicted).then_some(bytes)
    };
    match &finding.about {
        About::Routes(routes) => {
            let at = view.routes.binary_search_by_key(routes.first()?, |route| route.index).ok()?;
            view.routes.get(at)?.legs().filter_map(|leg| of(leg.connection)).max()
        }
        About::Connections(places) => of(view.capture.connections.get(*places.first()?)?),
        About::Capture => None,
    }
}

const fn softer(severity: Severity) -> Severity {
    match severity {
        Severity::Error => Severity::Warning,
        Severity::Warning | Severity::Note => Severity::Note,
    }
}

/// Transport, sessions, frames, applications.
const FAMILIES: [&str; 4] = ["WS4", "WS5", "WS6", "WS8"];

/// A capture that lost fewer than one packet in so many hardly lost just those.
const RARE: u64 = 1_000;
