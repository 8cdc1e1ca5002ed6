//! The attempts as they are listed: which, in which order, and where the cursor is.

use super::chart::Chart;
use super::columns::{Column, Ranks, Widths};
use super::filter::Filter;
use super::news::FindingRow;
use super::rows::{AttemptId, Row};
use crate::units::Timestamp;

/// The attempts as they are listed.
#[derive(Debug)]
pub struct Table {
    /// All rows by time.
    by_time: Vec<ByTime>,
    /// All rows as places, sorted.
    sorted: Vec<usize>,
    /// Of each row, whether the filter lets it through; none of those that nobody asked yet.
    passes: Vec<Option<bool>>,
    /// How texts sort, once all is read.
    ranks: Ranks,
    /// Those that the filter lets through.
    pub order: Vec<usize>,
    /// The place of the cursor among them.
    pub cursor: usize,
    /// The first of them that is shown.
    pub offset: usize,
    /// What is under the cursor. The list may move below it, the cursor stays with it.
    pub selected: Option<AttemptId>,
    /// What it is sorted by.
    pub sort: Column,
    /// The other way round.
    pub is_backwards: bool,
    /// What has to be true of an attempt to be listed.
    pub filter: Filter,
    /// The same as it was typed.
    pub filter_text: String,
    /// The columns that are wanted.
    pub columns: Vec<Column>,
    /// How wide they have to be.
    pub widths: Widths,
}

/// What follows from all rows, made where the reader works.
#[derive(Debug, Default)]
pub struct Listing {
    by_time: Vec<ByTime>,
    widths: Widths,
    ranks: Ranks,
    /// The attempts over time.
    pub(super) chart: Chart,
}

/// When a row began, and its place; side by side, so that to sort them need not look into 100,000 rows.
type ByTime = (Timestamp, AttemptId, usize);

impl Default for Table {
    fn default() -> Self {
        Self {
            by_time: Vec::new(),
            sorted: Vec::new(),
            passes: Vec::new(),
            ranks: Ranks::default(),
            order: Vec::new(),
            cursor: 0,
            offset: 0,
            selected: None,
            sort: Column::Time,
            is_backwards: false,
            filter: Filter::default(),
            filter_text: String::new(),
            columns: Column::ALL.to_vec(),
            widths: Widths::default(),
        }
    }
}

impl Table {
    /// The row under the cursor, as a place.
    #[must_use]
    pub fn row(&self) -> Option<usize> {
        self.order.get(self.cursor).copied()
    }

    /// Another order is wanted.
    pub fn sort(&mut self, rows: &[Row], findings: &[FindingRow]) {
        let by_time = || self.by_time.iter().map(|(_, _, place)| *place);
        if self.sort == Column::Time && !self.is_backwards {
            self.sorted = by_time().collect();
        } else {
            let mut keys = self.sort.keys(rows, by_time(), &self.ranks);
            // Stable: what does not differ stays in the order of time.
            if self.is_backwards {
                keys.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
            } else {
                keys.sort_by_key(|(key, _)| *key);
            }
            self.sorted = keys.into_iter().map(|(_, place)| place).collect();
        }
        self.list(rows, findings);
    }

    /// Rows came, and some are known better than before: these, by their places.
    pub fn add(&mut self, rows: &[Row], changed: &[usize]) {
        let known = self.by_time.len();
        for place in changed {
            let Some(row) = rows.get(*place) else { continue };
            self.widths.add(row, &[]);
            if let Some(passes) = self.passes.get_mut(*place) {
                *passes = None;
            }
            if *place >= known {
                self.by_time.push((row.began, row.id, *place));
            }
        }
        // What is in order up to some at its end is sorted in one pass.
        self.by_time.sort();
        self.sort(rows, &[]);
    }

    /// All rows are others.
    pub fn replace(&mut self, rows: &[Row], findings: &[FindingRow], listing: Listing) {
        let time = self.widths.time();
        (self.by_time, self.widths, self.ranks) = (listing.by_time, listing.widths, listing.ranks);
        self.widths.set_time(time);
        self.passes.clear();
        // The places are others too.
        self.order.clear();
        self.sort(rows, findings);
    }

    /// Another filter is wanted. The cursor stays with its attempt, and that one where it is on the screen.
    pub fn filter(&mut self, rows: &[Row], findings: &[FindingRow]) {
        self.passes.clear();
        self.list(rows, findings);
    }

    fn list(&mut self, rows: &[Row], findings: &[FindingRow]) {
        let line = self.cursor.saturating_sub(self.offset);
        let was = self.row();
        self.order.clear();
        if self.filter.is_empty() {
            self.order.extend_from_slice(&self.sorted);
        } else {
            self.ask_filter(rows, findings);
            let passes = |place: &usize| self.passes.get(*place) == Some(&Some(true));
            self.order.extend(self.sorted.iter().copied().filter(passes));
        }
        let is_selected = |place: usize| rows.get(place).map(|row| row.id) == self.selected;
        // Mostly it has the place that it had, and to look into all rows takes long.
        let found = match was.filter(|place| is_selected(*place)) {
            Some(was) => self.order.iter().position(|place| *place == was),
            None if self.selected.is_none() => None,
            None => self.order.iter().position(|place| is_selected(*place)),
        };
        self.cursor = found.unwrap_or_else(|| self.cursor.min(self.order.len().saturating_sub(1)));
        self.offset = self.cursor.saturating_sub(line);
        // The attempt that a filter hides is remembered; it is found again when the filter is gone.
        if self.selected.is_none() {
            self.select(self.cursor, rows);
        }
    }

    /// Asks it about rows that it was not asked about.
    fn ask_filter(&mut self, rows: &[Row], findings: &[FindingRow]) {
        let is_of_rule = |row: &Row, wanted: &str| is_of_rule(row, wanted, findings);
        self.passes.resize(rows.len(), None);
        for (passes, row) in self.passes.iter_mut().zip(rows) {
            if passes.is_none() {
                *passes = Some(self.filter.matches(row, is_of_rule));
            }
        }
    }

    /// Puts the cursor on a place of the list, or on its last one.
    pub fn select(&mut self, place: usize, rows: &[Row]) {
        self.cursor = place.min(self.order.len().saturating_sub(1));
        self.selected = self.row().and_then(|row| rows.get(row)).map(|row| row.id);
    }

    /// Moves the list so that the cursor is among `height` rows.
    pub fn keep_in_view(&mut self, height: usize) {
        let height = height.max(1);
        let last = self.order.len().saturating_sub(height);
        let lowest = self.cursor.saturating_sub(height.saturating_sub(1));
        self.offset = self.offset.clamp(lowest, self.cursor.max(lowest)).min(last);
    }
}

impl Listing {
    /// Of all rows.
    #[must_use]
    pub fn new(rows: &[Row], findings: &[FindingRow], time: (Timestamp, Timestamp)) -> Self {
        let mut by_time: Vec<ByTime> =
            rows.iter().enumerate().map(|(place, row)| (row.began, row.id, place)).collect();
        by_time.sort_unstable();
        let mut widths = Widths::default();
        for row in rows {
            widths.add(row, findings);
        }
        Self { by_time, widths, ranks: Ranks::new(rows), chart: Chart::new(rows, time) }
    }
}

/// Whether the leading finding of an attempt, or what it explains, is of a rule that is meant so.
fn is_of_rule(row: &Row, wanted: &str, findings: &[FindingRow]) -> bool {
    let Some(finding) = row.finding.and_then(|finding| findings.get(finding)) else { return false };
    let is_code = || {
        let start = finding.rule.code.get(..wanted.len());
        wanted.len() > "ws".len() && start.is_some_and(|start| start.eq_ignore_ascii_case(wanted))
    };
    let is_meant = |name: &str| name.contains(wanted);
    is_meant(finding.rule.name) || is_code() || finding.symptoms.iter().any(|name| is_meant(name))
}
