//! The text report: what an engineer at three in the morning wants to know, in that order.
//!
//! The verdict with its evidence and what to change, the attempts with the failed ones first, then what is to be known about the capture. ASCII, but
//! for what the wire says. Styles repeat what words and symbols say.

pub(crate) mod attempt;
mod connections;
pub(crate) mod ending;
mod finding;
pub(super) mod live;
pub(crate) mod notes;
pub(crate) mod page;
mod screens;
pub(crate) mod sentences;
pub(crate) mod session;
pub(crate) mod time;
pub(crate) mod verdict;

use std::collections::BTreeMap;
use std::io;

use super::count::{count, number};
use super::wire::Wire;
use super::{MIN_WIDTH, ReportOptions};
use crate::diagnosis::{Diagnosis, Severity, Verdict};
use crate::model::{Capture, Connection, Outcome, Totals};
use crate::protocol::Attempt;
use crate::routes::{CountedOnce, Leg, Polling, Route};
use crate::units::Timestamp;
use attempt::Scene;
use finding::Case;
pub(super) use finding::times;
use page::{PLAIN, Page, QUIET};
use screens::Screens;

/// Writes the report.
pub(super) fn write(
    capture: &Capture,
    diagnosis: &Diagnosis,
    options: &ReportOptions,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if options.quiet {
        return write_one_line(&capture.totals, options, out);
    }
    let width = options.width.max(MIN_WIDTH);
    let mut page = Page::new(out, width);
    let verdicts = diagnosis.verdicts();
    let counted = CountedOnce::new(capture, &diagnosis.routes);
    let totals = &counted.totals;
    let (verdict, style) = verdict::with_cause(verdict::verdict(totals), totals, verdicts.first());
    let extent = verdict::extent_with_connections(&counted);
    page.ends((&verdict, style), (&extent, QUIET));
    if let Some(tally) = verdict::tally(totals) {
        page.paragraph("", &tally, PLAIN);
    }
    let (start, capture_end) = totals.first_and_last.unwrap_or((Timestamp::MIN, Timestamp::MIN));
    let scene = Scene {
        clock: time::Clock::new(options.time, start),
        wire: Wire { shows_secrets: options.shows_secrets },
        capture_end,
    };
    let case = Case { capture, routes: &diagnosis.routes, scene: &scene };
    let stories = stories(capture, diagnosis, capture_end);
    let outcomes: Vec<Outcome> = ORDER
        .into_iter()
        .filter(|outcome| stories.iter().any(|story| story.outcome() == Some(*outcome)))
        .collect();
    let verdicts_shown = if options.verbose { usize::MAX } else { VERDICTS_SHOWN };
    let kept = screens::lines_of(width, |page| {
        notes::section((capture, diagnosis), options, Some(LINES_FOR_NOTES), page);
    });
    let screens = Screens::of(&verdicts, verdicts_shown, options.verbose).keeping(kept);
    let more = outcomes.len().saturating_add(1).saturating_mul(LINES_FOR_MORE);
    write_verdicts(&verdicts, verdicts_shown, &case, screens.keeping(more), &mut page)?;
    for (place, outcome) in outcomes.iter().enumerate() {
        let shown = if options.verbose { SHOWN_VERBOSE } else { shown(*outcome, &verdicts) };
        let more = outcomes.len().saturating_sub(place).saturating_mul(LINES_FOR_MORE);
        write_outcome(*outcome, &stories, shown, &scene, screens.keeping(more), &mut page)?;
    }
    if options.keeps_all {
        connections::write(capture, &mut page)?;
    }
    let room = if options.keeps_all { None } else { screens.room(&page) };
    notes::section((capture, diagnosis), options, room.map(|room| room.saturating_add(kept)), &mut page);
    page.flush()
}

/// The verdict on its own, which stays one line, for scripts. Routes are not looked for: attempts are counted by
/// connection.
fn write_one_line(totals: &Totals, options: &ReportOptions, out: &mut dyn io::Write) -> io::Result<()> {
    let (verdict, style) = verdict::verdict(totals);
    let extent = verdict::extent(totals);
    let width = verdict.len().saturating_add(extent.len()).saturating_add(2);
    let mut page = Page::new(out, options.width.max(width));
    page.ends((&verdict, style), (&extent, QUIET));
    page.flush()
}

/// The blocks of the verdicts: of all causes, and of notes as long as there is room.
fn write_verdicts(
    verdicts: &[Verdict<'_>],
    shown: usize,
    case: &Case<'_>,
    screens: Screens,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let mut told = 0usize;
    for verdict in verdicts.iter().take(shown) {
        let with_heads = told < HEADS_SHOWN;
        let is_cause = verdict.example.severity > Severity::Note;
        if !is_cause && !screens.has_room_for(page, |page| finding::block(verdict, with_heads, case, page)) {
            break;
        }
        page.blank()?;
        finding::block(verdict, with_heads, case, page);
        told = told.saturating_add(1);
    }
    if let Some(more @ 1..) = verdicts.len().checked_sub(told) {
        page.blank()?;
        let more = count(more as u64, "more finding");
        page.paragraph("", &format!("and {more} (-v or --format json lists all)"), PLAIN);
    }
    Ok(())
}

/// The verdict in one line, and how much there was.
pub(crate) fn headline(counted: &CountedOnce, leading: Option<&Verdict<'_>>) -> (String, String) {
    let totals = &counted.totals;
    let (verdict, _) = verdict::with_cause(verdict::verdict(totals), totals, leading);
    (verdict, verdict::extent_with_connections(counted))
}

/// An attempt with its outcome and its connection.
struct Found<'a> {
    outcome: Outcome,
    attempt: &'a Attempt,
    connection: &'a Connection,
}

/// The legs of one route, the client's own first.
struct Story<'a> {
    legs: Vec<Found<'a>>,
    /// The session's plain requests beside the attempt.
    polling: Option<&'a Polling>,
}

impl Story<'_> {
    /// A block for each leg.
    fn block(&self, scene: &Scene, page: &mut Page<'_>) {
        for (place, leg) in self.legs.iter().enumerate() {
            let polling = self.polling.filter(|_| place == 0);
            attempt::block(leg.attempt, (leg.outcome, place > 0), leg.connection, polling, scene, page);
        }
    }

    /// A line for each leg.
    fn lines(&self, scene: &Scene, page: &mut Page<'_>) {
        for (place, leg) in self.legs.iter().enumerate() {
            attempt::head(leg.attempt, (leg.outcome, place > 0), leg.connection, scene, page);
        }
    }

    /// What became of the client's own leg.
    fn outcome(&self) -> Option<Outcome> {
        self.legs.first().map(|leg| leg.outcome)
    }
}

/// All routes by time.
fn stories<'a>(capture: &'a Capture, diagnosis: &'a Diagnosis, capture_end: Timestamp) -> Vec<Story<'a>> {
    let found = |leg: &Leg| {
        let connection = capture.connections.get(leg.connection)?;
        let attempt = connection.attempts.get(leg.attempt)?;
        Some(Found { outcome: Outcome::of(attempt, connection, capture_end), attempt, connection })
    };
    let story = |route: &'a Route| Story {
        legs: route.legs.iter().filter_map(found).collect(),
        polling: route.polling.as_deref(),
    };
    diagnosis.routes.iter().map(story).collect()
}

/// The routes whose client's leg came to one outcome: blocks, where those have no room lines, and of many the first ones
/// and a number.
fn write_outcome(
    outcome: Outcome,
    all: &[Story<'_>],
    shown: usize,
    scene: &Scene,
    screens: Screens,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let of_outcome: Vec<&Story<'_>> = all.iter().filter(|story| story.outcome() == Some(outcome)).collect();
    let mut told = 0usize;
    let (mut is_short, mut has_lines) = (false, false);
    for story in of_outcome.iter().take(shown) {
        // Once one has no room, all that follow are lines: the list is easier to read so.
        is_short |= !screens.has_room_for(page, |page| story.block(scene, page));
        if !is_short {
            page.blank()?;
            story.block(scene, page);
        } else if screens.has_room_for(page, |page| story.lines(scene, page)) {
            if !has_lines {
                page.blank()?;
            }
            story.lines(scene, page);
            has_lines = true;
        } else {
            break;
        }
        told = told.saturating_add(1);
    }
    let rest = of_outcome.iter().skip(told).filter_map(|story| story.legs.first());
    let rest: Vec<&Found<'_>> = rest.collect();
    if !rest.is_empty() {
        page.blank()?;
        let (and, more) = if told == 0 { ("", "") } else { ("and ", "more ") };
        let left = number(rest.len() as u64);
        let statuses = if outcome == Outcome::Refused { statuses(&rest) } else { String::new() };
        let text = format!(
            "{and}{left} {more}{}{statuses} (-v shows more, --format json lists all)",
            outcome.name()
        );
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

/// How many attempts of an outcome are shown in full: the verdicts are the answer, and these are examples, more of them
/// the more causes there are. Where nothing is wrong the attempts are what there is to be told.
fn shown(outcome: Outcome, verdicts: &[Verdict<'_>]) -> usize {
    let causes = verdicts.iter().filter(|verdict| verdict.example.severity > Severity::Note).count();
    match (outcome, causes) {
        (_, 0) => SHOWN_IF_ALL_IS_WELL,
        (Outcome::Established | Outcome::Midstream, _) => SHOWN_OF_THE_GOOD,
        (_, causes) => causes.saturating_mul(SHOWN_OF_A_CAUSE).min(SHOWN_IF_ALL_IS_WELL),
    }
}

const SHOWN_IF_ALL_IS_WELL: usize = 20;
const SHOWN_OF_THE_GOOD: usize = 3;
const SHOWN_OF_A_CAUSE: usize = 3;
const SHOWN_VERBOSE: usize = 1_000;

const STATUSES_SHOWN: usize = 4;

/// What stands for the rest of an outcome, or of the findings: an empty line, and up to two with a number.
const LINES_FOR_MORE: usize = 3;

/// What is kept for what is to be known about the capture.
const LINES_FOR_NOTES: usize = 9;

/// Verdicts that are told: more causes than these are not read one by one.
const VERDICTS_SHOWN: usize = 20;

/// Verdicts that show the requests on both sides of the proxy.
const HEADS_SHOWN: usize = 3;

#[cfg(test)]
mod tests;
