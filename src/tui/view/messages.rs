//! The frames of one attempt, as far as they are kept: direction, kind, size, time.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::ladder::opcode;
use super::page::rule;
use crate::protocol::{FrameLog, FrameRecord, Role};
use crate::report::count::{count, number};
use crate::text;
use crate::tui::app::App;
use crate::tui::story::Story;

/// How many frames are shown at once.
pub(super) fn height(body: Rect) -> usize {
    usize::from(body.height).saturating_sub(HEADING)
}

/// How many there are.
pub(super) fn lines(app: &App) -> usize {
    app.story().as_ref().and_then(log).map_or(0, FrameLog::len)
}

/// Draws the screen.
pub(super) fn draw(app: &App, body: Rect, frame: &mut Frame<'_>) {
    let theme = app.theme;
    let Some(story) = app.story() else { return };
    let Some(log) = log(&story).filter(|log| !log.is_empty()) else {
        let words = "no frame flowed";
        frame.render_widget(Paragraph::new(Line::styled(words, theme.quiet())), body);
        return;
    };
    let kept = count(log.len() as u64, "frame");
    let forgotten = match log.forgotten {
        0 => String::new(),
        more => format!("{} not kept", number(more)),
    };
    let heading = format!("{:>12}  {:>8}  {:<10} {:<11} {:>11}  ", "time", "packet", "from", "kind", "bytes");
    let mut lines =
        vec![rule(&kept, &forgotten, body.width.into(), theme), Line::styled(heading, theme.quiet())];
    let clock = app.shown.clock(story.time.0);
    let height = height(body);
    let first = app.scroll.min(log.len().saturating_sub(height));
    for record in log.iter().skip(first).take(height) {
        let time = clock.show(record.time);
        let arrow = match record.by {
            Role::Client => theme.glyph("client →", "client ->"),
            Role::Server => theme.glyph("← server", "<- server"),
        };
        let cells = format!(
            "{}  {}  {} {} {}  ",
            text::pad_start(&time, 12),
            text::pad_start(&record.packet.to_string(), 8),
            text::pad(arrow, 10),
            text::pad(&opcode(record), 11),
            text::pad_start(&number(record.length), 11),
        );
        let style = if record.opcode.is_control() { theme.quiet() } else { Style::new() };
        lines.push(Line::from(vec![Span::styled(cells, style), Span::styled(marks(record), theme.quiet())]));
    }
    frame.render_widget(Paragraph::new(lines), body);
}

/// What is special about a frame.
fn marks(frame: &FrameRecord) -> String {
    let mut marks: Vec<&str> = Vec::new();
    if frame.rsv & 4 != 0 {
        marks.push("compressed");
    }
    if frame.masked != (frame.by == Role::Client) {
        marks.push(if frame.masked { "masked" } else { "unmasked" });
    }
    if !frame.fin {
        marks.push("goes on");
    }
    marks.join(", ")
}

fn log<'a>(story: &'a Story<'a>) -> Option<&'a FrameLog> {
    Some(&story.legs.first()?.attempt.session.as_ref()?.frames)
}

const HEADING: usize = 2;
