//! The text report: what an engineer at three in the morning wants to know, in that order.
//!
//! The verdict, the attempts with the failed ones first, then what is to be known about the capture. ASCII, but
//! for what the wire says. Styles repeat what words and symbols say.

mod attempt;
mod connections;
mod ending;
mod notes;
mod page;
mod sentences;
mod session;
mod time;
mod verdict;

use std::collections::BTreeMap;
use std::io;

use super::count::number;
use super::wire::Wire;
use super::{MIN_WIDTH, ReportOptions};
use crate::model::{Capture, Connection, Outcome};
use crate::protocol::Attempt;
use crate::units::Timestamp;
use attempt::Scene;
use page::{PLAIN, Page, QUIET};

/// Writes the report.
pub(super) fn write(capture: &Capture, options: &ReportOptions, out: &mut dyn io::Write) -> io::Result<()> {
    let totals = &capture.totals;
    let (verdict, style) = verdict::verdict(totals);
    let extent = verdict::extent(totals);
    // On its own the verdict stays one line, for scripts.
    let one_line = verdict.len().saturating_add(extent.len()).saturating_add(2);
    let width = options.width.max(if options.quiet { one_line } else { MIN_WIDTH });
    let mut page = Page::new(out, width);
    page.ends((&verdict, style), (&extent, QUIET));
    if options.quiet {
        return page.flush();
    }
    if let Some(tally) = verdict::tally(totals) {
        page.paragraph("", &tally, PLAIN);
    }
    let (start, capture_end) = totals.first_and_last.unwrap_or((Timestamp::MIN, Timestamp::MIN));
    let scene = Scene {
        clock: time::Clock::new(options.time, start),
        wire: Wire { shows_secrets: options.shows_secrets },
        capture_end,
    };
    let found = found(capture, capture_end);
    for outcome in ORDER {
        write_outcome(outcome, &found, &scene, &mut page)?;
    }
    if options.keeps_all {
        connections::write(capture, &mut page)?;
    }
    notes::write(capture, &mut page)?;
    page.flush()
}

/// An attempt with its outcome and its connection.
struct Found<'a> {
    outcome: Outcome,
    attempt: &'a Attempt,
    connection: &'a Connection,
}

/// All attempts by time.
fn found(capture: &Capture, capture_end: Timestamp) -> Vec<Found<'_>> {
    let attempts = |connection| {
        let found = move |attempt| {
            let outcome = Outcome::of(attempt, connection, capture_end);
            Found { outcome, attempt, connection }
        };
        let connection: &Connection = connection;
        connection.attempts.iter().map(found)
    };
    let mut found: Vec<Found<'_>> = capture.connections.iter().flat_map(attempts).collect();
    found.sort_by_key(|found| attempt::began(found.attempt, found.connection));
    found
}

/// The blocks of one outcome; of many, the first ones and a number.
fn write_outcome(outcome: Outcome, all: &[Found<'_>], scene: &Scene, page: &mut Page<'_>) -> io::Result<()> {
    let mut of_outcome = all.iter().filter(|found| found.outcome == outcome);
    for found in of_outcome.by_ref().take(SHOWN) {
        page.blank()?;
        attempt::block(found.attempt, outcome, found.connection, scene, page);
    }
    let rest: Vec<&Found<'_>> = of_outcome.collect();
    if !rest.is_empty() {
        page.blank()?;
        let more = number(rest.len() as u64);
        let statuses = if outcome == Outcome::Refused { statuses(&rest) } else { String::new() };
        let text = format!("and {more} more {}{statuses} (--format json lists all)", outcome.name());
        page.paragraph("", &text, PLAIN);
    }
    Ok(())
}

/// The commonest statuses: `: 4,800 with 502, 100 with 404`.
fn statuses(rest: &[&Found<'_>]) -> String {
    let mut by_status: BTreeMap<u16, u64> = BTreeMap::new();
    for response in rest.iter().filter_map(|found| found.attempt.response.as_ref()) {
        let counter = by_status.entry(response.status).or_default();
        *counter = counter.saturating_add(1);
    }
    let mut commonest: Vec<(u16, u64)> = by_status.into_iter().collect();
    commonest.sort_by_key(|(_, answers)| std::cmp::Reverse(*answers));
    let shown = commonest.iter().take(STATUSES_SHOWN);
    let shown: Vec<String> =
        shown.map(|(status, answers)| format!("{} with {status}", number(*answers))).collect();
    format!(": {}", shown.join(", "))
}

/// What went wrong comes first.
const ORDER: [Outcome; 6] = [
    Outcome::Invalid,
    Outcome::Refused,
    Outcome::Unanswered,
    Outcome::Unknown,
    Outcome::Midstream,
    Outcome::Established,
];

/// Attempts of one outcome that are shown in full.
const SHOWN: usize = 100;

const STATUSES_SHOWN: usize = 4;

#[cfg(test)]
mod tests;
