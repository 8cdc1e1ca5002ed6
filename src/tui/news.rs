//! What the reader hands over, and how it is made. The functions here run where the reader works, so that the thread
//! of the screen only takes what is ready.

use super::live::Pulse;
use super::messages::Message;
use super::rows::{AttemptId, Row, rows_of_routes};
use super::shown::Shown;
use super::table::Listing;
use crate::diagnosis::{About, Diagnosis, Fix, Rule, Severity};
use crate::model::{Capture, Connection, Outcome, Totals};
use crate::report::text::{headline, notes, verdict};
use crate::routes::CountedOnce;
use crate::tcp::Happenings;
use crate::units::{PacketNumber, Timestamp};

/// Something new.
#[derive(Debug)]
pub enum News {
    /// How far the reading is.
    Progress(Progress),
    /// Attempts that are decided, and those of connections that are over: they replace what was told of them before.
    Rows(Vec<Row>),
    /// A connection that was asked for.
    Connection(Box<Connection>),
    /// The messages of an attempt that were asked for, and from which index on there are more; or why there are none.
    Messages(AttemptId, Result<(Vec<Message>, Option<u64>), String>),
    /// A message of an attempt that was asked for in full; or why there is none.
    Whole(AttemptId, Result<Message, String>),
    /// What happened below the streams of the connections of an attempt, by its client's own leg; or why nobody knows.
    Happenings(AttemptId, Result<Vec<(PacketNumber, Happenings)>, String>),
    /// A file was written, with this name; or why it was not.
    Saved(Result<String, String>),
    /// Everything, at the end.
    Finished(Box<Finished>),
    /// Everything so far, of a capture that goes on. It takes the place of what was told before.
    Snapshot(Box<Finished>),
    /// How a capture that goes on is.
    Pulse(Box<Pulse>),
    /// The reading had to be given up, for this reason.
    Failed(String),
}

/// How far the reading is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Its size, if it is a file.
    pub size: Option<u64>,
    /// Packets.
    pub packets: u64,
    /// The times of the first and the last packet.
    pub first_and_last: Option<(Timestamp, Timestamp)>,
}

/// A capture that was read to its end, or as far as it went, with what was found in it.
#[derive(Debug)]
pub struct Finished {
    /// The capture.
    pub capture: Capture,
    /// Its routes and findings.
    pub diagnosis: Diagnosis,
    /// The rows of the routes.
    pub rows: Vec<Row>,
    /// How these are listed.
    pub listing: Listing,
    /// The findings, those that say the same as one.
    pub findings: Vec<FindingRow>,
    /// The verdict in a line.
    pub verdict: String,
    /// How it is to look.
    pub tone: Tone,
    /// The attempts by outcome and how long answers took, if the verdict does not say it all.
    pub tally: Option<String>,
    /// How much there was.
    pub extent: String,
    /// On how many connections the attempts were seen, if some were before and after a proxy.
    pub seen_on: Option<u64>,
    /// The totals of the capture. Its attempts are counted as they are listed: once each, over however many connections
    /// they went.
    pub totals: Totals,
    /// What is to be known about the capture.
    pub notes: Vec<String>,
}

/// Findings that say the same about the same place. Its texts are redacted and not escaped.
#[derive(Clone, Debug)]
pub struct FindingRow {
    /// The rule.
    pub rule: &'static Rule,
    /// How much it matters.
    pub severity: Severity,
    /// What it says, in a sentence.
    pub sentence: String,
    /// How many attempts or connections it is about.
    pub count: usize,
    /// What these are.
    pub things: &'static str,
    /// More sentences.
    pub detail: Vec<String>,
    /// The packets that show it.
    pub packets: Vec<PacketNumber>,
    /// What to change.
    pub fixes: Vec<Fix>,
    /// What to know about that.
    pub advice: Vec<String>,
    /// Rules whose findings it explains.
    pub symptoms: Vec<&'static str>,
}

/// Whether news are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something failed.
    Bad,
    /// Nobody knows, or it is fragile.
    Unsure,
    /// All is well.
    Good,
}

impl Finished {
    /// Puts together what the screens show.
    #[must_use]
    pub fn new(capture: Capture, diagnosis: Diagnosis, shown: Shown) -> Self {
        let rows = rows_of_routes(&capture, &diagnosis, shown);
        let verdicts = diagnosis.verdicts();
        let counted = CountedOnce::new(&capture, &diagnosis.routes);
        let (verdict, _) = headline(&counted, verdicts.first());
        let CountedOnce { totals, seen_on } = counted;
        let worst = verdicts.first().map(|verdict| verdict.example.severity);
        let findings: Vec<FindingRow> = verdicts.iter().map(finding).collect();
        let time = totals.first_and_last.unwrap_or((Timestamp::MIN, Timestamp::MIN));
        let listing = Listing::new(&rows, &findings, time);
        let failed = Outcome::ALL.into_iter().filter(|outcome| outcome.is_failure());
        let failed: u64 = failed.map(|outcome| totals.attempts_with(outcome)).sum();
        let tone = match worst {
            Some(Severity::Error) => Tone::Bad,
            _ if failed > 0 => Tone::Bad,
            Some(Severity::Warning) => Tone::Unsure,
            _ if totals.attempts_total() > 0
                && totals.attempts_with(Outcome::Established) == totals.attempts_total() =>
            {
                Tone::Good
            }
            _ => Tone::Unsure,
        };
        let (tally, extent) = (verdict::tally(&totals), verdict::extent(&totals));
        let notes = notes::sentences(&capture, &diagnosis, false);
        Self {
            capture,
            diagnosis,
            rows,
            listing,
            findings,
            verdict,
            tone,
            tally,
            extent,
            seen_on,
            totals,
            notes,
        }
    }

    /// When the capture begins and ends.
    #[must_use]
    pub fn time(&self) -> (Timestamp, Timestamp) {
        self.capture.totals.first_and_last.unwrap_or((Timestamp::MIN, Timestamp::MIN))
    }
}

fn finding(verdict: &crate::diagnosis::Verdict<'_>) -> FindingRow {
    let example = verdict.example;
    FindingRow {
        rule: example.rule,
        severity: example.severity,
        sentence: example.sentence(),
        count: verdict.count,
        things: if matches!(example.about, About::Connections(_)) { "connection" } else { "attempt" },
        detail: example.detail.clone(),
        packets: example.packets.clone(),
        fixes: verdict.fixes(),
        advice: example.advice.clone(),
        symptoms: example.symptoms.iter().map(|rule| rule.name).collect(),
    }
}
