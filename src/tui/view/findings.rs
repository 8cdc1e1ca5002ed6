//! The findings, and the page of the one under the cursor: what was found, what to change, what its rule is about.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::page::Page;
use super::{lines_at, overview};
use crate::diagnosis::Severity;
use crate::report::count::count;
use crate::text;
use crate::tui::app::App;
use crate::tui::news::FindingRow;
use crate::tui::theme::Theme;

/// The list above, the page below.
pub(super) fn areas(app: &App, body: Rect) -> [Rect; 2] {
    let most = usize::from(body.height / 3).max(1);
    let lines = u16::try_from(app.findings().len().clamp(1, most)).unwrap_or(1);
    let list = Rect { height: lines, ..body };
    let page = Rect { y: body.y.saturating_add(lines), height: body.height.saturating_sub(lines), ..body };
    [list, page]
}

/// Draws the screen.
pub(super) fn draw(app: &App, body: Rect, frame: &mut Frame<'_>) {
    let [list, rest] = areas(app, body);
    if app.findings().is_empty() {
        let words = match &app.data.finished {
            Some(_) if app.data.goes_on() => "nothing was found so far",
            Some(_) => "nothing was found",
            None => "findings come when all is read",
        };
        frame.render_widget(Paragraph::new(words), list);
        return;
    }
    frame.render_widget(Paragraph::new(overview::findings(app, list, true, false)), list);
    lines_at(page(app, rest.width.into()), app.scroll, rest, frame);
}

/// The first finding in the list.
pub(super) fn first_shown(app: &App, height: usize) -> usize {
    app.finding.saturating_sub(height.saturating_sub(1))
}

/// The page of the finding under the cursor.
pub(super) fn page(app: &App, width: usize) -> Vec<Line<'static>> {
    let mut page = Page::new(width, app.theme);
    let Some(finding) = app.findings().get(app.finding) else { return Vec::new() };
    whole(finding, &mut page);
    let rule = finding.rule;
    page.title(&format!("rule {}", rule.name), &format!("{}, {}", rule.code, rule.severity.name()));
    page.paragraph("", &format!("{}.", rule.summary), Style::new());
    page.markdown(rule.page);
    page.blank();
    page.row("see", rule.see, app.theme.accent());
    page.into_lines()
}

/// What was found, its packets, what to change.
fn whole(finding: &FindingRow, page: &mut Page) {
    let things = count(finding.count as u64, finding.things);
    page.title(finding.severity.name(), &format!("{things}, {}", finding.rule.code));
    told(finding.severity, &finding.sentence, &finding.detail, page);
    let packets: Vec<String> = finding.packets.iter().take(PACKETS).map(ToString::to_string).collect();
    if !packets.is_empty() {
        let more = if finding.packets.len() > PACKETS { ", and more" } else { "" };
        let example = if finding.count > 1 { " (of the first one)" } else { "" };
        page.row("packets", &format!("{}{more}{example}", packets.join(", ")), Style::new());
    }
    if !finding.symptoms.is_empty() {
        page.row("explains", &finding.symptoms.join(", "), Style::new());
    }
    for fix in &finding.fixes {
        fixed(fix, page);
    }
    for sentence in &finding.advice {
        page.paragraph("  ", &text::escape(sentence), Style::new());
    }
}

/// The sentence of a finding, and more sentences.
pub(super) fn told(severity: Severity, sentence: &str, detail: &[String], page: &mut Page) {
    let theme: Theme = page.theme();
    page.paragraph("", &text::escape(sentence), theme.severity(severity).patch(theme.title()));
    if !detail.is_empty() {
        page.paragraph("  ", &text::escape(&detail.join(" ")), Style::new());
    }
}

/// What to change, and where.
pub(super) fn fixed(fix: &crate::diagnosis::Fix, page: &mut Page) {
    let theme = page.theme();
    let place = if fix.place.is_empty() { String::new() } else { format!(", {}", fix.place) };
    page.paragraph("  ", &text::escape(&format!("fix ({}{place}), y copies", fix.target)), theme.unsure());
    page.code(&fix.text, theme.accent());
}

const PACKETS: usize = 12;
