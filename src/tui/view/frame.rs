//! The first line and the last one: what is looked at, how far the reading is, what the keys do.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::report::count::{count, number};
use crate::text;
use crate::tui::action::Screen;
use crate::tui::app::{App, MenuKind, PromptKind};
use crate::tui::keymap::{Place, keys};

/// The first line, what is between, the last line. Where a live capture has died the first line is two.
pub(super) fn areas(app: &App, area: Rect) -> [Rect; 3] {
    let lines = |y: u16, height: u16| Rect::new(area.x, y, area.width, height).intersection(area);
    let head = if died(app).is_some() { 2 } else { 1 };
    let body = area.height.saturating_sub(head).saturating_sub(1);
    [lines(area.y, head), lines(area.y.saturating_add(head), body), lines(area.bottom().saturating_sub(1), 1)]
}

/// That a live capture has died, in a line.
fn died(app: &App) -> Option<String> {
    let died = app.data.live.as_ref()?.died();
    let failed = || Some(format!("the capture has ended: {}", text::escape(app.data.failed.as_ref()?)));
    died.or_else(failed)
}

/// What is looked at on the left, how much there is on the right.
pub(super) fn head(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width);
    let right = format!(" {} ", state(app, width.saturating_sub(NAME)));
    let room = width.saturating_sub(text::width(&right));
    let ellipsis = app.theme.ellipsis();
    let place = match app.screen {
        Screen::Overview => String::new(),
        screen if Screen::OF_ATTEMPT.contains(&screen) => {
            let (at, all) = (app.table.cursor.saturating_add(1), app.table.order.len());
            format!(" {} {} {} of {}", sign(app), screen.name(), number(at as u64), number(all as u64))
        }
        screen => format!(" {} {}", sign(app), screen.name()),
    };
    let name_room = room.saturating_sub(text::width(&place)).saturating_sub(12);
    // Of a long path its end says most.
    let file = app.name.rsplit('/').next().unwrap_or(&app.name);
    let name = if text::width(&app.name) <= name_room { &app.name } else { file };
    let name = text::truncate(name, name_room, ellipsis);
    let left = format!(" wsinspect {name}{place}");
    let left = text::pad(&text::truncate(&left, room, ellipsis), room).into_owned();
    let mut lines = vec![Line::from(vec![Span::raw(left), Span::raw(right)]).style(app.theme.bar())];
    if let Some(died) = died(app) {
        let died = format!("{} {died}", app.theme.glyph("✗", "x"));
        let died = text::truncate(&died, width, ellipsis).into_owned();
        lines.push(Line::styled(died, app.theme.bad()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

const fn sign(app: &App) -> &'static str {
    app.theme.glyph("›", ">")
}

/// How far the reading is, or how much there was.
fn state(app: &App, width: usize) -> String {
    let follows = if app.follows { "following, " } else { "" };
    if let Some(live) = &app.data.live {
        let frozen = if app.frozen.is_some() { "frozen, " } else { "" };
        let state = format!("{frozen}{follows}{}, {}", live.speed(), live.dropped());
        // Where there is little room, what was dropped goes before how fast it comes.
        return if text::width(&state) <= width { state } else { live.dropped() };
    }
    if let Some(waiting) = &app.frozen {
        let rows = waiting.iter().map(|news| match news {
            crate::tui::News::Rows(rows) => rows.len(),
            _ => 0,
        });
        let rows: usize = rows.sum();
        let is_read = waiting.iter().any(|news| matches!(news, crate::tui::News::Finished(_)));
        let read = if is_read { "all is read" } else { "reading goes on" };
        return format!("frozen: {} wait, {read}", number(rows as u64));
    }
    match (&app.data.finished, &app.data.failed) {
        (Some(finished), _) => {
            // What was damaged is told on the screen of the capture, and who never goes there is to know.
            let damage = if finished.totals.warnings.is_empty() { "" } else { "damaged (3 tells), " };
            format!("{follows}{damage}{}", finished.extent)
        }
        (None, Some(_)) => "reading failed".to_owned(),
        (None, None) => {
            let progress = &app.data.progress;
            let packets = count(progress.packets, "packet");
            match progress.size {
                Some(size @ 1..) => {
                    let percent = progress.bytes.min(size).saturating_mul(100) / size;
                    format!("{follows}reading {percent} %, {packets}")
                }
                _ => format!("{follows}reading, {packets}"),
            }
        }
    }
}

/// What the keys do, or what there is to say, or the filter that is typed.
pub(super) fn foot(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let theme = app.theme;
    let line = match (&app.prompt, &app.notice) {
        (Some(prompt), _) => {
            let left = format!("/{}", text::escape(&prompt.text));
            let cursor = area.x.saturating_add(u16::try_from(text::width(&left)).unwrap_or(u16::MAX));
            frame.set_cursor_position((cursor.min(area.right().saturating_sub(1)), area.y));
            let room = usize::from(area.width).saturating_sub(text::width(&left)).saturating_sub(3);
            let is_filter = prompt.kind == PromptKind::Filter;
            let hint = crate::tui::Filter::hint(&prompt.text).filter(|_| is_filter);
            let (words, style) = match (&prompt.error, hint) {
                (None, Some(hint)) => (hint, theme.quiet()),
                (Some(error), _) => (format!("{} {error}", theme.glyph("✗", "x")), theme.bad()),
                (None, None) if !is_filter => (matches(app), theme.quiet()),
                (None, None) if prompt.text.is_empty() => (
                    "status:502 host:plane path:/live outcome:refused rule:WS2 text".to_owned(),
                    theme.quiet(),
                ),
                (None, None) => (count(app.table.order.len() as u64, "attempt"), theme.quiet()),
            };
            let words = text::escape(&words).into_owned();
            let words = text::truncate(&words, room, theme.ellipsis()).into_owned();
            Line::from(vec![Span::raw(left), Span::raw("   "), Span::styled(words, style)])
        }
        (None, Some(notice)) => {
            let notice = text::escape(notice);
            Line::styled(
                text::truncate(&notice, area.width.into(), theme.ellipsis()).into_owned(),
                theme.accent(),
            )
        }
        (None, None) => {
            let more = more(app);
            let room = usize::from(area.width).saturating_sub(text::width(&more));
            let mut line = hints(app, if more.is_empty() { room.saturating_add(HINT_GAP) } else { room });
            line.push_span(Span::raw(" ".repeat(room.saturating_sub(line.width()))));
            line.push_span(Span::styled(more, theme.quiet()));
            line
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}

/// How many messages have what is searched for.
fn matches(app: &App) -> String {
    let search = &app.messages.search;
    match app.messages.all().iter().filter(|message| message.mentions(search)).count() {
        0 if search.is_empty() => "a text, or a kind: text, binary, ping, close".to_owned(),
        0 => "no message has it".to_owned(),
        matches => count(matches as u64, "message"),
    }
}

/// How much of a page there is above and below what is shown.
fn more(app: &App) -> String {
    let (scroll, lines) = match app.help {
        Some(scroll) => (scroll, super::help_lines(app)),
        None if app.screen == Screen::Overview || app.menu.is_some() => return String::new(),
        None if app.screen == Screen::Messages
            && !app.messages.is_zoomed
            && !app.messages.all().is_empty() =>
        {
            return String::new();
        }
        None => (app.scroll, super::lines(app)),
    };
    let last = lines.saturating_sub(super::height(app));
    let first = scroll.min(last);
    match last {
        0 => String::new(),
        _ if first == last => " end".to_owned(),
        _ => format!(" {} {} %", app.theme.glyph("▼", "v"), first.saturating_mul(100) / last),
    }
}

/// The keys of this place that have a hint, as many as fit; those behind them are in the help.
fn hints(app: &App, width: usize) -> Line<'static> {
    let place = app.place();
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0usize;
    let help = keys(place).find(|key| key.hint == "help" || key.hint == "quit");
    // The way out and the way to help are there however narrow it is.
    let last: Vec<_> = keys(place).filter(|key| matches!(key.hint, "help" | "quit")).collect();
    let reserved: usize = last.iter().map(|key| hint_width(key.label, key.hint)).sum();
    let first = keys(place).filter(|key| !key.hint.is_empty() && !matches!(key.hint, "help" | "quit"));
    let first = first
        .filter(|key| !(place == Place::Menu && is_columns(app) && key.hint == "close" && help.is_some()));
    let mut push = |label: &'static str, hint: &'static str| {
        spans.push(Span::styled(label, app.theme.accent()));
        spans.push(Span::styled(format!(" {hint}  "), Style::new()));
    };
    for key in first {
        let hint = if key.hint == "findings"
            && app.pane == crate::tui::Pane::Findings
            && place == Place::On(Screen::Overview)
        {
            "attempts"
        } else {
            key.hint
        };
        let needs = hint_width(key.label, hint);
        if used.saturating_add(needs).saturating_add(reserved) <= width {
            used = used.saturating_add(needs);
            push(key.label, hint);
        }
    }
    for key in last {
        push(key.label, key.hint);
    }
    Line::from(spans)
}

/// Columns that what is looked at has at least.
const NAME: usize = 12;

/// Columns behind a hint.
const HINT_GAP: usize = 2;

fn is_columns(app: &App) -> bool {
    app.menu.as_ref().is_some_and(|menu| menu.kind == MenuKind::Columns)
}

fn hint_width(label: &str, hint: &str) -> usize {
    label.len().saturating_add(hint.len()).saturating_add(3)
}
