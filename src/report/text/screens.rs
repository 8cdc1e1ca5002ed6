//! How long a report may be: a screen for each cause that it tells.

use std::io;

use super::page::Page;
use crate::diagnosis::{Severity, Verdict};

/// How many lines a report may have, and how many of them are kept for what comes last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screens {
    /// None: as many as it takes.
    limit: Option<usize>,
    kept: usize,
}

impl Screens {
    /// For these verdicts, of which so many are told at most. Where nothing is wrong there is no cause to hold the list of
    /// attempts to, and who asks for more lines gets them.
    pub(super) fn of(verdicts: &[Verdict<'_>], told: usize, is_verbose: bool) -> Self {
        let is_cause = |verdict: &&Verdict<'_>| verdict.example.severity > Severity::Note;
        let causes = verdicts.iter().take(told).filter(is_cause).count();
        let limit = (causes > 0 && !is_verbose).then(|| causes.saturating_mul(SCREEN_LINES));
        Self { limit, kept: 0 }
    }

    /// The same with so many lines kept besides.
    pub(super) const fn keeping(self, lines: usize) -> Self {
        Self { kept: self.kept.saturating_add(lines), ..self }
    }

    /// How many more lines there may be; none if it does not matter.
    pub(super) fn room(&self, page: &Page<'_>) -> Option<usize> {
        self.limit.map(|limit| limit.saturating_sub(page.lines()).saturating_sub(self.kept))
    }

    /// Whether what is written so has room.
    pub(super) fn has_room_for(&self, page: &Page<'_>, write: impl FnOnce(&mut Page<'_>)) -> bool {
        self.room(page).is_none_or(|room| lines_of(page.width(), write) <= room)
    }
}

/// How many lines something takes.
pub(super) fn lines_of(width: usize, write: impl FnOnce(&mut Page<'_>)) -> usize {
    let mut nowhere = io::sink();
    let mut page = Page::new(&mut nowhere, width);
    write(&mut page);
    page.lines()
}

/// Twice the 24 lines of the smallest terminal: that much the request before and after a proxy takes where one head has to
/// stand below the other, with the fix and the attempt itself. A window on a laptop has about as many.
pub(super) const SCREEN_LINES: usize = 48;
