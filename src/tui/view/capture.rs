//! What was read: how much, what became of it, what was skipped, and what is missing.

use ratatui::style::Style;
use ratatui::text::Line;

use super::page::Page;
use crate::model::Outcome;
use crate::report::count::{count, number, span};
use crate::report::notes;
use crate::text;
use crate::tui::app::App;

/// The lines of the screen.
pub(super) fn page(app: &App, width: usize) -> Vec<Line<'static>> {
    let mut page = Page::new(width, app.theme);
    page.title("capture", "");
    page.row("file", &app.name, Style::new());
    if let Some(size) = app.data.progress.size {
        page.row("size", &count(size, "byte"), Style::new());
    }
    let Some(finished) = &app.data.finished else {
        page.row("packets", &format!("{} so far", number(app.data.progress.packets)), Style::new());
        page.paragraph("  ", "the rest comes when all is read", app.theme.quiet());
        return page.into_lines();
    };
    let totals = &finished.totals;
    page.row(
        "packets",
        &format!("{}, {} on the wire", number(totals.packets), count(totals.bytes, "byte")),
        Style::new(),
    );
    if let Some((first, last)) = totals.first_and_last {
        let clock = crate::tui::Shown { time: crate::report::TimeStyle::Utc, ..app.shown }.clock(first);
        page.row("from", &clock.show(first), Style::new());
        page.row("to", &format!("{}, after {}", clock.show(last), span(last.since(first))), Style::new());
    }
    let tcp = &totals.tcp;
    let unopened = match tcp.refused.saturating_add(tcp.unanswered) {
        0 => String::new(),
        _ => format!(", {} refused, {} never answered", number(tcp.refused), number(tcp.unanswered)),
    };
    page.row("connections", &format!("{}{unopened}", number(tcp.connections)), Style::new());
    let attempts = totals.attempts_total();
    page.title("attempts", &number(attempts));
    if finished.legs > attempts {
        let seen = format!("seen on {} connections, before and after a proxy", number(finished.legs));
        page.paragraph("  ", &seen, app.theme.quiet());
    }
    for outcome in Outcome::ALL {
        let attempts = totals.attempts_with(outcome);
        if attempts > 0 {
            let name = format!("{} {}", app.theme.symbol(outcome), outcome.name());
            page.row(&name, &format!(" {}", number(attempts)), app.theme.outcome(outcome));
        }
    }
    if let Some(tally) = &finished.tally {
        page.paragraph("  ", tally, Style::new());
    }
    let skipped: Vec<(String, u64)> = notes::skipped(totals).collect();
    if !skipped.is_empty() {
        page.title("packets that are not looked into", "");
        for (reason, packets) in skipped {
            page.row(&number(packets), &text::escape(&reason), Style::new());
        }
    }
    page.title("what is to be known about it", "");
    if finished.notes.is_empty() {
        page.paragraph("  ", "nothing is missing, no limit was hit", app.theme.good());
    }
    for note in &finished.notes {
        page.paragraph("  - ", &text::escape(note), Style::new());
    }
    page.into_lines()
}
