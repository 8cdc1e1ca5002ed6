//! A list to choose from, on top of the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Clear, Paragraph};

use crate::text;
use crate::tui::app::{App, Choice, MenuKind};

/// Draws the list over the middle of the screen.
pub(super) fn draw(app: &App, body: Rect, frame: &mut Frame<'_>) {
    let Some(menu) = &app.menu else { return };
    let (title, note) = match menu.kind {
        MenuKind::Columns => (" columns ", " shown where there is room "),
        MenuKind::Copy => (" copy ", " enter copies, esc closes "),
        MenuKind::Export => (" export ", " into a new file in this directory "),
    };
    let names: Vec<String> = menu
        .entries
        .iter()
        .map(|entry| match &entry.choice {
            Choice::Column(column) => {
                let mark = if app.table.columns.contains(column) { "x" } else { " " };
                format!("[{mark}] {}", entry.name)
            }
            _ => entry.name.clone(),
        })
        .collect();
    let widest = names.iter().map(|name| text::width(name)).max().unwrap_or_default().max(note.len());
    let width = u16::try_from(widest.saturating_add(4)).unwrap_or(u16::MAX).min(body.width);
    let height = u16::try_from(names.len().saturating_add(2)).unwrap_or(u16::MAX).min(body.height);
    let area = Rect::new(
        body.x.saturating_add(body.width.saturating_sub(width) / 2),
        body.y.saturating_add(body.height.saturating_sub(height) / 2),
        width,
        height,
    );
    let room = usize::from(width.saturating_sub(4));
    let shown = usize::from(height.saturating_sub(2)).max(1);
    let first = menu.cursor.saturating_sub(shown.saturating_sub(1));
    let lines: Vec<Line<'static>> = names
        .iter()
        .enumerate()
        .skip(first)
        .take(shown)
        .map(|(at, name)| {
            let name = text::truncate(name, room, app.theme.ellipsis());
            let style = if at == menu.cursor { app.theme.selected() } else { Style::new() };
            Line::styled(format!(" {} ", text::pad(&name, room)), style)
        })
        .collect();
    let mut block = Block::new().borders(Borders::ALL).title(title).title_bottom(note);
    if app.theme.is_ascii {
        block = block.border_set(ASCII);
    }
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

const ASCII: ratatui::symbols::border::Set<'static> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};
