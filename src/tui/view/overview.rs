//! The overview: the verdict, how things went over time, the leading findings, the attempts.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Hit;
use super::page::rule;
use crate::report::count::{count, number, span};
use crate::report::text::page::wrapped;
use crate::text;
use crate::tui::app::{App, Pane};
use crate::tui::chart::Chart;
use crate::tui::columns::{Column, GAP};
use crate::tui::news::{FindingRow, Tone};
use crate::tui::theme::Theme;

/// Where what stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Areas {
    verdict: Rect,
    chart: Rect,
    findings_title: Rect,
    findings: Rect,
    title: Rect,
    heading: Rect,
    /// The rows of the attempts.
    pub(super) rows: Rect,
}

/// Divides the screen: what there is little room for is left out from the top of the list below.
pub(super) fn areas(app: &App, body: Rect) -> Areas {
    let room = usize::from(body.height);
    let verdict = verdict(app, body.width.into()).len().min(if room < 16 { 2 } else { 3 });
    let has_chart = usize::from(room >= 12 && app.data.rows.len() > 1);
    let all = app.findings().len();
    let (title, findings) = match all {
        0 => (0, 0),
        _ if room < 16 => (0, all.min(if app.pane == Pane::Findings { 4 } else { 1 })),
        _ => (1, all.min((room / 6).max(2))),
    };
    let mut y = body.y;
    let mut next = |lines: usize| {
        let lines = u16::try_from(lines).unwrap_or(u16::MAX);
        let area = Rect::new(body.x, y, body.width, lines).intersection(body);
        y = y.saturating_add(lines);
        area
    };
    Areas {
        verdict: next(verdict),
        chart: next(has_chart),
        findings_title: next(title),
        findings: next(findings),
        title: next(1),
        heading: next(1),
        rows: next(room),
    }
}

/// Draws the screen.
pub(super) fn draw(app: &App, body: Rect, frame: &mut Frame<'_>) {
    let areas = areas(app, body);
    let lines: Vec<Line<'static>> = verdict(app, body.width.into());
    frame.render_widget(Paragraph::new(lines), areas.verdict);
    frame.render_widget(Paragraph::new(chart(app, body.width.into())), areas.chart);
    let all = number(app.findings().len() as u64);
    let title = rule(&format!("findings {all}"), "", body.width.into(), app.theme);
    frame.render_widget(Paragraph::new(title), areas.findings_title);
    let has_focus = app.pane == Pane::Findings;
    let list = findings(app, areas.findings, has_focus, !has_focus);
    frame.render_widget(Paragraph::new(list), areas.findings);
    frame.render_widget(
        Paragraph::new(rule(&title_of(app), &order_of(app), body.width.into(), app.theme)),
        areas.title,
    );
    let columns = columns(app, body.width);
    frame.render_widget(Paragraph::new(heading(app, &columns)), areas.heading);
    frame.render_widget(Paragraph::new(rows(app, &columns, areas.rows)), areas.rows);
}

/// What is at a place of the terminal.
pub(super) fn hit(app: &App, body: Rect, at: Position) -> Option<Hit> {
    let areas = areas(app, body);
    let line = |area: Rect| usize::from(at.y.saturating_sub(area.y));
    if areas.rows.contains(at) {
        let place = app.table.offset.saturating_add(line(areas.rows));
        return (place < app.table.order.len()).then_some(Hit::Attempt(place));
    }
    if areas.findings.contains(at) {
        let place = first_finding(app, areas.findings).saturating_add(line(areas.findings));
        return (place < app.findings().len()).then_some(Hit::Finding(place));
    }
    if areas.heading.contains(at) {
        let mut from = 0usize;
        for (column, width) in columns(app, body.width) {
            let to = from.saturating_add(width).saturating_add(GAP);
            if (from..to).contains(&usize::from(at.x)) {
                return Some(Hit::Heading(column));
            }
            from = to;
        }
    }
    None
}

/// The verdict, wrapped.
fn verdict(app: &App, width: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let (words, style) = match (&app.data.finished, &app.data.failed) {
        (Some(finished), _) if app.data.goes_on() && finished.totals.attempts_total() == 0 => {
            let packets = if finished.totals.packets == 0 { "no packet" } else { "no upgrade attempt" };
            (format!("{packets} so far"), theme.title())
        }
        (Some(finished), _) => {
            let (sign, style) = match finished.tone {
                Tone::Bad => (theme.glyph("✗ ", "x "), theme.bad()),
                Tone::Unsure => ("! ", theme.unsure()),
                Tone::Good => (theme.glyph("✓ ", "+ "), theme.good()),
            };
            (format!("{sign}{}", finished.verdict), style)
        }
        (None, Some(reason)) => (format!("x {}", text::escape(reason)), theme.bad()),
        (None, None) => {
            let (succeeded, known) = app.data.chart.success;
            let failed = known.saturating_sub(succeeded);
            let words = match app.data.rows.len() as u64 {
                0 => "no upgrade attempt so far".to_owned(),
                rows => format!("{} so far, {} failed", count(rows, "upgrade attempt"), number(failed)),
            };
            (words, if failed > 0 { theme.bad() } else { theme.title() })
        }
    };
    wrapped(&words, width).into_iter().map(|line| Line::styled(line.to_owned(), style)).collect()
}

/// The rate, the times to an answer, and both over time.
fn chart(app: &App, width: usize) -> Line<'static> {
    let theme = app.theme;
    let chart = &app.data.chart;
    let (succeeded, known) = chart.success;
    let rate = match known {
        0 => String::new(),
        _ => format!("success {} %", succeeded.saturating_mul(100) / known),
    };
    let style = if succeeded == known { theme.good() } else { theme.bad() };
    let latency = chart.answered.map(|(median, slowest)| {
        let slowest = if width < 80 { String::new() } else { format!(", slowest {}", span(slowest)) };
        format!("   latency {}{slowest}", span(median))
    });
    let latency = latency.unwrap_or_default();
    let used = text::width(&rate).saturating_add(text::width(&latency));
    let room = width.saturating_sub(used);
    // Nothing stands before it where no outcome is known.
    let gap = if used == 0 { "" } else { "   " };
    let mut spans = vec![Span::styled(rate, style), Span::raw(latency)];
    // Two small charts, if there is room for something that can be read.
    let bars = room.saturating_sub("   attempts    latency ".len()) / 2;
    if bars >= 24 {
        spans.push(Span::styled(format!("{gap}attempts "), theme.quiet()));
        spans.extend(attempt_bars(chart, bars.min(BARS), theme));
        let values: Vec<u64> = merged(&chart.latency, bars.min(BARS), |values| values.iter().copied().max());
        if values.iter().any(|value| *value > 0) {
            spans.push(Span::styled("   latency ", theme.quiet()));
            spans.push(Span::raw(bars_of(&values, theme).concat()));
        }
    } else if room >= 28 {
        spans.push(Span::styled(format!("{gap}attempts "), theme.quiet()));
        spans.extend(attempt_bars(chart, room.saturating_sub(12).min(BARS), theme));
    }
    Line::from(spans)
}

/// How many attempts there were; where some failed, in the colour of failures and, with few colours, marked.
fn attempt_bars(chart: &Chart, bars: usize, theme: Theme) -> Vec<Span<'static>> {
    let add = |values: &[(u64, u64)]| {
        let sum = values
            .iter()
            .fold((0u64, 0u64), |sum, value| (sum.0.saturating_add(value.0), sum.1.saturating_add(value.1)));
        Some(sum)
    };
    let values = merged(&chart.attempts, bars, add);
    let totals: Vec<u64> = values.iter().map(|(fine, failed)| fine.saturating_add(*failed)).collect();
    let drawn = bars_of(&totals, theme);
    drawn
        .into_iter()
        .zip(values)
        .map(|(bar, (_, failed))| {
            let style = if failed > 0 { theme.bad() } else { theme.good() };
            Span::styled(bar, style)
        })
        .collect()
}

/// Values of neighbours as one, so that there are at most so many.
fn merged<T, U: Default>(values: &[T], bars: usize, merge: impl Fn(&[T]) -> Option<U>) -> Vec<U> {
    let size = values.len().div_ceil(bars.max(1)).max(1);
    values.chunks(size).map(|chunk| merge(chunk).unwrap_or_default()).collect()
}

fn bars_of(values: &[u64], theme: Theme) -> Vec<&'static str> {
    let bars = theme.bars();
    let highest = values.iter().copied().max().unwrap_or_default().max(1);
    let steps = (bars.len() as u64).saturating_sub(1);
    let bar = |value: &u64| {
        let step = value.saturating_mul(steps).div_ceil(highest);
        usize::try_from(step).ok().and_then(|step| bars.get(step)).copied().unwrap_or(" ")
    };
    values.iter().map(bar).collect()
}

/// The findings that are shown, each in a line.
pub(super) fn findings(app: &App, area: Rect, has_focus: bool, from_start: bool) -> Vec<Line<'static>> {
    let first = if from_start { 0 } else { first_finding(app, area) };
    let shown = app.findings().iter().enumerate().skip(first).take(area.height.into());
    shown
        .map(|(at, finding)| {
            let is_selected = has_focus && at == app.finding;
            finding_line(finding, is_selected, area.width.into(), app.theme)
        })
        .collect()
}

/// The first finding that is shown, so that the one under the cursor is.
pub(super) fn first_finding(app: &App, area: Rect) -> usize {
    if app.pane != Pane::Findings && app.screen == crate::tui::Screen::Overview {
        return 0;
    }
    app.finding.saturating_sub(usize::from(area.height).saturating_sub(1))
}

fn finding_line(finding: &FindingRow, is_selected: bool, width: usize, theme: Theme) -> Line<'static> {
    let severity = format!("{:<8}", finding.severity.name());
    let right = match finding.count {
        0 | 1 => format!("  {}", finding.rule.name),
        many => format!("  {}  {}", count(many as u64, finding.things), finding.rule.name),
    };
    let room = width.saturating_sub(severity.len()).saturating_sub(right.len());
    let sentence = text::escape(&finding.sentence).into_owned();
    let sentence = text::pad(&text::truncate(&sentence, room, theme.ellipsis()), room).into_owned();
    let [first, middle, last] = if is_selected {
        [theme.selected(); 3]
    } else {
        [theme.severity(finding.severity), Style::new(), theme.quiet()]
    };
    Line::from(vec![Span::styled(severity, first), Span::styled(sentence, middle), Span::styled(right, last)])
}

/// How many attempts are listed, and why not all.
fn title_of(app: &App) -> String {
    let (listed, all) = (app.table.order.len() as u64, app.data.rows.len() as u64);
    let seen_on = app.data.finished.as_ref().and_then(|finished| finished.seen_on);
    let seen_on =
        seen_on.map(|seen_on| format!(", seen on {}", count(seen_on, "connection"))).unwrap_or_default();
    let are_latest = app.data.live.as_ref().is_some_and(|live| live.unlisted > 0 || live.unlisted_open > 0);
    if app.table.filter.is_empty() {
        let latest = if are_latest { ", the latest" } else { "" };
        format!("attempts{latest} {}{seen_on}", number(all))
    } else {
        let (listed, all, filter) = (number(listed), number(all), text::escape(&app.table.filter_text));
        format!("attempts {listed} of {all}, filter {filter}{seen_on}")
    }
}

fn order_of(app: &App) -> String {
    let direction = if app.table.is_backwards { ", backwards" } else { "" };
    format!("by {}{direction}", app.table.sort.name())
}

fn columns(app: &App, width: u16) -> Vec<(Column, usize)> {
    Column::that_fit(&app.table.columns, app.table.widths, width.into())
}

fn heading(app: &App, columns: &[(Column, usize)]) -> Line<'static> {
    let spans = columns.iter().map(|(column, width)| {
        let mark = match (app.table.sort == *column, app.table.is_backwards) {
            (false, _) => "",
            (true, false) => app.theme.glyph("↓", "v"),
            (true, true) => app.theme.glyph("↑", "^"),
        };
        let name = format!("{}{mark}", column.name());
        Span::styled(cell(&name, *width, column.is_number(), app.theme), app.theme.quiet())
    });
    Line::from(spans.collect::<Vec<Span<'static>>>())
}

/// The rows that are in view, and no others are looked at.
fn rows(app: &App, columns: &[(Column, usize)], area: Rect) -> Vec<Line<'static>> {
    if app.table.order.is_empty() {
        let words = match (app.data.rows.is_empty(), &app.data.finished) {
            (false, _) => "no attempt matches the filter (esc takes it away)",
            (true, Some(_)) if app.data.goes_on() => {
                "no upgrade attempt so far (3 shows what else there was)"
            }
            (true, Some(_)) => "no upgrade attempt in this capture (3 shows what else there was)",
            (true, None) => "",
        };
        return vec![Line::styled(words, app.theme.quiet())];
    }
    let clock = app.shown.clock(app.data.time().0);
    let places = app.table.order.iter().enumerate().skip(app.table.offset).take(area.height.into());
    let line = |(at, place): (usize, &usize)| {
        let row = app.data.rows.get(*place)?;
        let is_selected = at == app.table.cursor;
        let base = match (is_selected, app.pane) {
            (true, Pane::Attempts) => app.theme.selected(),
            (true, Pane::Findings) => app.theme.remembered(),
            (false, _) => Style::new(),
        };
        let spans = columns.iter().map(|(column, width)| {
            let content = column.cell(row, app.findings(), *width, &clock, app.theme);
            let style = match column {
                Column::Outcome => base.patch(app.theme.outcome(row.outcome)),
                Column::Status if row.outcome.is_failure() => base.patch(app.theme.bad()),
                _ => base,
            };
            Span::styled(cell(&content, *width, column.is_number(), app.theme), style)
        });
        Some(Line::from(spans.collect::<Vec<Span<'static>>>()))
    };
    places.filter_map(line).collect()
}

/// A text as wide as its column, and the gap behind it.
fn cell(content: &str, width: usize, is_number: bool, theme: Theme) -> String {
    let shown = text::truncate(content, width, theme.ellipsis());
    let filled = if is_number { text::pad_start(&shown, width) } else { text::pad(&shown, width) };
    format!("{filled}{}", " ".repeat(GAP))
}

/// No chart is wider.
const BARS: usize = 48;
