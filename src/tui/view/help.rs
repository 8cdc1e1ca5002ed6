//! What the keys do here, drawn from the table of keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::lines_at;
use super::page::rule;
use crate::report::text::page::wrapped;
use crate::text;
use crate::tui::app::App;
use crate::tui::filter::FIELDS;
use crate::tui::keymap::{Place, keys};

/// Draws the help over the screen.
pub(super) fn draw(app: &App, scroll: usize, body: Rect, frame: &mut Frame<'_>) {
    frame.render_widget(Clear, body);
    let title = format!("keys: {}", app.screen.name());
    let [head, rest] = areas(body);
    let end = "up down scroll, esc closes";
    frame.render_widget(Paragraph::new(rule(&title, end, head.width.into(), app.theme)), head);
    lines_at(lines(app, body), scroll, rest, frame);
}

/// How many lines are shown at once.
pub(super) fn height(body: Rect) -> usize {
    areas(body)[1].height.into()
}

fn areas(body: Rect) -> [Rect; 2] {
    let head = Rect { height: 1.min(body.height), ..body };
    let rest = Rect { y: body.y.saturating_add(1), height: body.height.saturating_sub(1), ..body };
    [head, rest]
}

/// Its lines: the keys of the screen, then what a filter may say.
pub(super) fn lines(app: &App, body: Rect) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let place = Place::On(app.screen);
    let mut entry = |label: &str, words: &str| {
        let room = usize::from(body.width).saturating_sub(LABELS);
        for (number, words) in wrapped(words, room).into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            lines.push(Line::from(vec![
                Span::styled(format!("  {}", text::pad(label, LABELS.saturating_sub(2))), app.theme.accent()),
                Span::styled(words.to_owned(), Style::new()),
            ]));
        }
    };
    for key in keys(place) {
        entry(key.label, key.help);
    }
    if keys(place).any(|key| key.action == crate::tui::Action::Filter) {
        entry("mouse", "click chooses, again opens; a heading sorts; the wheel scrolls");
        entry("", "");
        entry("filter", "words that all have to match; - before one turns it round");
        for (field, example) in FIELDS {
            entry(field, example);
        }
    }
    lines
}

/// Columns of the keys' names.
const LABELS: usize = 13;
