//! What was read: how much, what became of it, what was skipped, and what is missing.

use ratatui::style::Style;
use ratatui::text::Line;

use super::page::Page;
use crate::limits::LIVE_MEMORY_BYTES;
use crate::model::Outcome;
use crate::report::count::{bytes, count, number, span};
use crate::report::interfaces::link_name;
use crate::report::{notes, points};
use crate::text;
use crate::tui::app::App;
use crate::tui::live::Pulse;
use crate::tui::news::Finished;

/// The lines of the screen.
pub(super) fn page(app: &App, width: usize) -> Vec<Line<'static>> {
    let mut page = Page::new(width, app.theme);
    page.title("capture", "");
    if let Some(live) = &app.data.live {
        self::live(&mut page, live);
    } else {
        page.row("file", &app.name, Style::new());
    }
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
    files(&mut page, finished);
    let attempts = totals.attempts_total();
    page.title("attempts", &number(attempts));
    if let Some(connections) = finished.seen_on {
        let seen = format!("seen on {}, before and after a proxy", count(connections, "connection"));
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

/// Where a live capture comes from, how fast, and what was dropped.
fn live(page: &mut Page, live: &Pulse) {
    page.row("filter", &live.filter, Style::new());
    page.row("speed", &live.speed(), Style::new());
    if let Some(ended) = &live.ended {
        page.row("ended", ended, Style::new());
    }
    match (&live.recording, live.remembered_bytes) {
        (Some(recording), None) => {
            page.row("recorded", &format!("{recording}; payloads are read from it"), Style::new());
        }
        (recording, remembered) => {
            if let Some(recording) = recording {
                page.row("recorded", recording, Style::new());
            }
            let kept = "payloads are in the latest packets only: ";
            let [held, limit] =
                [remembered.unwrap_or_default(), LIVE_MEMORY_BYTES].map(|it| bytes(it as u64));
            page.row("kept", &format!("{kept}{held} of {limit} (-w FILE keeps all)"), Style::new());
        }
    }
    for (unlisted, which) in [(live.unlisted, "that ended earlier"), (live.unlisted_open, "that are open")] {
        if unlisted > 0 {
            let connections = count(unlisted, "connection");
            page.row("listed", &format!("{connections} {which} are counted and not listed"), Style::new());
        }
    }
    if !live.confinement.is_empty() {
        page.row("confined", &live.confinement.join(", "), Style::new());
    }
    page.title("interfaces", &number(live.interfaces.len() as u64));
    for interface in &live.interfaces {
        let style = if interface.by_kernel > 0 || interface.by_interface > 0 {
            page.theme().unsure()
        } else {
            Style::new()
        };
        let dropped = format!(
            "{}, dropped by the kernel {}, by the interface {}",
            count(interface.received, "packet"),
            number(interface.by_kernel),
            number(interface.by_interface)
        );
        page.row(&interface.name, &dropped, style);
        if let Some(lost) = &interface.lost {
            let bad = page.theme().bad();
            page.row("", &format!("no longer captured: {lost}"), bad);
        }
    }
    page.row("wsinspect", "drops nothing: it waits, and the kernel's buffer takes what comes", Style::new());
    page.title("so far", "");
}

/// The files, if there are several, and their interfaces with what these dropped, as far as a file tells.
fn files(page: &mut Page, finished: &Finished) {
    let files = &finished.capture.files;
    if files.len() > 1 {
        page.title("files", &number(files.len() as u64));
        for file in files {
            let packets = count(file.packets, "packet");
            page.row(&packets, &text::escape(&file.name), Style::new());
        }
        for said in points::sentences(&finished.capture) {
            page.row("", &text::escape(&said), Style::new());
        }
    }
    let interfaces: Vec<_> = files.iter().flat_map(|file| &file.interfaces).collect();
    if interfaces.iter().all(|interface| interface.name.is_none() && interface.dropped.is_none()) {
        return;
    }
    let untold: u64 = files.iter().fold(0, |sum, file| sum.saturating_add(file.interfaces_untold));
    page.title("interfaces", &number(untold.saturating_add(interfaces.len() as u64)));
    for interface in interfaces {
        let name = interface.name.as_deref().unwrap_or("unnamed");
        let dropped = match interface.dropped {
            None => "what it dropped is not told".to_owned(),
            Some(0) => "nothing was dropped".to_owned(),
            Some(dropped) => format!("{} dropped", count(dropped, "packet")),
        };
        let style = if interface.dropped > Some(0) { page.theme().unsure() } else { Style::new() };
        page.row(&text::escape(name), &format!("{}, {dropped}", link_name(interface.link)), style);
    }
}
