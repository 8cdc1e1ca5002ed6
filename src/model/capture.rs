//! A capture as a whole: its connections and its totals.

use std::collections::{BTreeMap, HashMap};

use super::connection::Connection;
use super::outcome::Outcome;
use crate::capture::FileFacts;
use crate::decode::{FlowKey, Skip};
use crate::numbering::Numbering;
use crate::points::{Passage, Surveyed};
use crate::protocol::{OpaqueReason, RoleFacts};
use crate::tcp::Counts;
use crate::units::{PacketNumber, Span, Timestamp, median};

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// The connections that are kept, in the order of their first packets: those with an attempt, and others
    /// beside them; see [`super::Keeps`].
    pub connections: Vec<Connection>,
    /// The totals; they are complete whatever is kept.
    pub totals: Totals,
    /// The files, in the order of their first packets, with what they say of themselves.
    pub files: Vec<FileFacts>,
    /// Which packet is of which file.
    pub numbering: Numbering,
    /// What the files have in common, if some show the same traffic: to read them again in the same way.
    pub surveyed: Option<Surveyed>,
}

impl Capture {
    /// What people call a point of capture: its file, or the first of its files.
    #[must_use]
    pub fn point_name(&self, point: u8) -> String {
        let mut files = self.files.iter().filter(|file| file.standpoint.point == Some(point));
        let first = files.next().map(|file| file.name.clone()).unwrap_or_default();
        match files.count() {
            0 => first,
            more => format!("{first} and {more} more"),
        }
    }

    /// Lays what two points of capture show to the connections: endpoints, first packet, facts, in the order of packets.
    pub fn lay_passages(&mut self, passages: Vec<(FlowKey, PacketNumber, Passage)>) {
        // A connection begins where its passage does, or later where a limit made two of one.
        let mut latest: HashMap<FlowKey, Box<Passage>, foldhash::fast::RandomState> = HashMap::default();
        let mut passages = passages.into_iter().peekable();
        for connection in &mut self.connections {
            while let Some((flow, _, passage)) = passages.next_if(|(_, first, _)| *first <= connection.id()) {
                latest.insert(flow, Box::new(passage));
            }
            connection.passage = latest.remove(&connection.tcp.flow);
        }
    }
}

/// Totals over all packets.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Packets read.
    pub packets: u64,
    /// Their bytes, as long as they were on the wire.
    pub bytes: u64,
    /// Packets that are no TCP segments, by reason.
    pub skipped: BTreeMap<Skip, u64>,
    /// Packets that the filter left out.
    pub filtered: u64,
    /// Packets that were captured once more: see [`crate::tcp::Copies`].
    pub copies: u64,
    /// Packets that another point of capture has too: see [`crate::points::Sightings`].
    pub seen_again: u64,
    /// Connections of which is not told what one point of capture saw alone, since there were too many.
    pub forgotten_passages: u64,
    /// Packets of which the capture has only the beginning.
    pub cut_packets: u64,
    /// The times of the first and the last packet.
    pub first_and_last: Option<(Timestamp, Timestamp)>,
    /// What the connection table counted.
    pub tcp: Counts,
    /// Attempts by outcome.
    pub attempts: BTreeMap<Outcome, u64>,
    /// Attempts that are counted and not kept.
    pub forgotten_attempts: u64,
    /// Connections without an attempt that are counted and not kept.
    pub forgotten_bystanders: u64,
    /// Frames of all sessions, both sides.
    pub frames: RoleFacts,
    /// Those of them that clients sent.
    pub client_frames: RoleFacts,
    /// Frames that were asked for and are not kept.
    pub forgotten_frames: u64,
    /// Messages that were asked for and are not kept.
    pub forgotten_messages: u64,
    /// Messages that were asked for and of which not all bytes are kept.
    pub cut_messages: u64,
    /// Messages that a limit kept from being inflated.
    pub limited_messages: u64,
    /// From request to answer, of established attempts.
    pub latency: Option<Latency>,
    /// Connections that were not looked into, by reason.
    pub opaque: BTreeMap<OpaqueReason, u64>,
    /// Bytes that the capture lacks, in all connections.
    pub missing_bytes: u64,
    /// Those of them that a snap length cut off.
    pub missing_cut_bytes: u64,
    /// Those of them that their receiver acknowledged: the capture dropped them.
    pub missing_acknowledged_bytes: u64,
    /// What the reader of the file has to say, in words.
    pub warnings: Vec<String>,
}

/// How long answers took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Half of them were faster.
    pub median: Span,
    /// Nineteen of twenty were faster.
    pub p95: Span,
    /// The slowest.
    pub max: Span,
}

impl Totals {
    /// All attempts.
    #[must_use]
    pub fn attempts_total(&self) -> u64 {
        self.attempts.values().sum()
    }

    /// Attempts with this outcome.
    #[must_use]
    pub fn attempts_with(&self, outcome: Outcome) -> u64 {
        self.attempts.get(&outcome).copied().unwrap_or_default()
    }

    /// The part of established ones among the attempts whose end is known; none if there are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn success_rate(&self) -> Option<f64> {
        let established = self.attempts_with(Outcome::Established);
        let known = [Outcome::Invalid, Outcome::Refused, Outcome::Unanswered];
        let known: u64 =
            known.into_iter().map(|outcome| self.attempts_with(outcome)).sum::<u64>() + established;
        (known > 0).then(|| established as f64 / known as f64)
    }
}

impl Latency {
    /// Of any number of spans; none of none.
    #[must_use]
    pub fn of(mut spans: Vec<Span>) -> Option<Self> {
        spans.sort_unstable();
        let p95 = spans.get(spans.len().saturating_mul(95) / 100).or(spans.last())?;
        Some(Self { median: median(&spans)?, p95: *p95, max: *spans.last()? })
    }
}
