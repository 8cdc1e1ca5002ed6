//! The attempts as they are listed: which, in which order, and where the cursor is.

use super::columns::{Column, Widths};
use super::filter::Filter;
use super::news::FindingRow;
use super::rows::{AttemptId, Row};

/// The attempts as they are listed.
#[derive(Debug)]
pub struct Table {
    /// All rows as places, by time.
    by_time: Vec<usize>,
    /// All rows as places, sorted.
    sorted: Vec<usize>,
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

impl Default for Table {
    fn default() -> Self {
        Self {
            by_time: Vec::new(),
            sorted: Vec::new(),
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

    /// There are other rows, or another order is wanted.
    pub fn sort(&mut self, rows: &[Row], findings: &[FindingRow]) {
        if self.by_time.len() > rows.len() {
            self.by_time.clear();
        }
        self.by_time.extend(self.by_time.len()..rows.len());
        // What is nearly in order is sorted in one pass.
        self.by_time.sort_by_key(|place| rows.get(*place).map(|row| (row.began, row.id)));
        let mut keys = self.sort.keys(rows, &self.by_time);
        // Stable: what does not differ stays in the order of time.
        if self.is_backwards {
            keys.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
        } else {
            keys.sort_by_key(|(key, _)| *key);
        }
        self.sorted = keys.into_iter().map(|(_, place)| place).collect();
        self.filter(rows, findings);
    }

    /// All rows are others.
    pub fn replace(&mut self, rows: &[Row], findings: &[FindingRow]) {
        self.by_time.clear();
        self.widths = Widths::default();
        self.widen(rows, findings);
        self.sort(rows, findings);
    }

    /// Makes room for rows that came.
    pub fn widen(&mut self, rows: &[Row], findings: &[FindingRow]) {
        for row in rows {
            self.widths.add(row, findings);
        }
    }

    /// Another filter is wanted. The cursor stays with its attempt, and that one where it is on the screen.
    pub fn filter(&mut self, rows: &[Row], findings: &[FindingRow]) {
        let line = self.cursor.saturating_sub(self.offset);
        let is_of_rule = |row: &Row, wanted: &str| is_of_rule(row, wanted, findings);
        let passes = |place: &usize| rows.get(*place).is_some_and(|row| self.filter.matches(row, is_of_rule));
        self.order.clear();
        if self.filter.is_empty() {
            self.order.extend_from_slice(&self.sorted);
        } else {
            self.order.extend(self.sorted.iter().copied().filter(passes));
        }
        let is_selected = |place: &usize| rows.get(*place).map(|row| row.id) == self.selected;
        let found = self.selected.and_then(|_| self.order.iter().position(is_selected));
        self.cursor = found.unwrap_or_else(|| self.cursor.min(self.order.len().saturating_sub(1)));
        self.offset = self.cursor.saturating_sub(line);
        // The attempt that a filter hides is remembered; it is found again when the filter is gone.
        if self.selected.is_none() {
            self.select(self.cursor, rows);
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
