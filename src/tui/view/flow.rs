//! One attempt as a ladder: who sent what to whom, when, and when nobody said anything.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::ladder::{Event, What, events, lifelines, names};
use crate::protocol::Role;
use crate::report::count::span;
use crate::report::text::time::Clock;
use crate::tcp::{EndedBy, Happened, Opened};
use crate::text;
use crate::tui::app::App;
use crate::tui::theme::Theme;

/// How many events are shown at once.
pub(super) fn height(body: Rect) -> usize {
    usize::from(body.height).saturating_sub(1)
}

/// How many lines there are.
pub(super) fn lines(app: &App) -> usize {
    app.story().map_or(0, |story| events(&story, &app.below).len())
}

/// Draws the screen.
pub(super) fn draw(app: &App, body: Rect, frame: &mut Frame<'_>) {
    let Some(story) = app.story() else { return };
    let width = usize::from(body.width);
    let events = events(&story, &app.below);
    let clock = app.shown.clock(story.time.0);
    let time = time_of(&clock.show(story.time.1), width).len().max(10);
    let columns = Columns::new(width, lifelines(&story), time, app.data.progress.packets);
    let mut drawn = vec![columns.heading(&names(&story), app)];
    let height = height(body);
    let first = app.scroll.min(events.len().saturating_sub(height));
    let before = first.checked_sub(1).and_then(|before| events.get(before)).map(|event| event.time);
    let mut before = before;
    for event in events.iter().skip(first).take(height) {
        let delta = before.map(|before| event.time.since(before));
        before = Some(event.time);
        let delta = delta.map(|delta| format!("+{}", span(delta))).unwrap_or_default();
        drawn.push(columns.event(event, &clock, &delta, app));
    }
    frame.render_widget(Paragraph::new(drawn), body);
}

/// How wide what is.
struct Columns {
    width: usize,
    time: usize,
    delta: usize,
    packet: usize,
    lane: usize,
    lanes: usize,
}

impl Columns {
    fn new(width: usize, lifelines: usize, time: usize, packets: u64) -> Self {
        let delta = if width >= WITH_DELTA { 11 } else { 0 };
        let packet = packets.to_string().len().saturating_add(2).max(8);
        let lanes = lifelines.saturating_sub(1).max(1);
        let room = width.saturating_sub(time).saturating_sub(delta).saturating_sub(packet).saturating_sub(2);
        let lane = (room / lanes).saturating_sub(1).clamp(8, 48);
        Self { width, time, delta, packet, lane, lanes }
    }

    fn heading(&self, names: &[String], app: &App) -> Line<'static> {
        let theme = app.theme;
        let time = if self.delta == 0 && app.shows_delta { "since" } else { "time" };
        let delta =
            if self.delta > 0 { text::pad_start("since", self.delta).into_owned() } else { String::new() };
        let left =
            format!("{}{delta}{} ", text::pad_start(time, self.time), text::pad_start("packet", self.packet));
        let step = self.lane.saturating_add(1);
        let mut lanes = String::new();
        for (place, name) in names.iter().enumerate() {
            let is_last = place.saturating_add(1) == names.len();
            let room = if is_last { self.lane } else { step };
            // A name stands over its line; the last one may not reach over the margin.
            let name = text::truncate(name, room.saturating_sub(1), theme.ellipsis());
            if is_last {
                let back = text::width(&name).saturating_sub(1);
                let kept = text::width(&lanes).saturating_sub(back);
                lanes = text::truncate(&lanes, kept, "").into_owned();
                lanes.push_str(&name);
            } else {
                lanes.push_str(&text::pad(&name, room));
            }
        }
        Line::from(vec![Span::styled(left, theme.quiet()), Span::styled(lanes, theme.title())])
    }

    fn event(&self, event: &Event<'_>, clock: &Clock, delta: &str, app: &App) -> Line<'static> {
        let theme = app.theme;
        let packet = event.packet.map(|packet| packet.to_string()).unwrap_or_default();
        let is_silent = matches!(event.what, What::Silence(..));
        let time = match (is_silent, self.delta == 0 && app.shows_delta) {
            (true, _) => String::new(),
            (false, true) => delta.to_owned(),
            (false, false) => time_of(&clock.show(event.time), self.width).to_owned(),
        };
        let delta = if is_silent { "" } else { delta };
        let delta =
            if self.delta > 0 { text::pad_start(delta, self.delta).into_owned() } else { String::new() };
        let left =
            format!("{}{delta}{} ", text::pad_start(&time, self.time), text::pad_start(&packet, self.packet));
        let mut spans = vec![Span::styled(left, theme.quiet())];
        if let What::Silence(_, line, lines) = event.what {
            let words =
                if line == lines / 2 { event.what.words(app.shown, usize::MAX) } else { String::new() };
            self.silence(&words, theme, &mut spans);
            return Line::from(spans);
        }
        if matches!(event.what, What::End | What::Forgotten(_) | What::Midstream) {
            self.silence(&event.what.words(app.shown, usize::MAX), theme, &mut spans);
            return Line::from(spans);
        }
        let bar = theme.glyph("│", "|");
        for lane in 0..self.lanes {
            spans.push(Span::styled(bar, theme.quiet()));
            if lane == event.lane {
                let room = self.lane.saturating_sub(5);
                let arrow = self.arrow(&event.what.words(app.shown, room), event.by, theme);
                spans.push(Span::styled(arrow, style(&event.what, theme)));
            } else {
                spans.push(Span::raw(" ".repeat(self.lane)));
            }
        }
        spans.push(Span::styled(bar, theme.quiet()));
        Line::from(spans)
    }

    /// An arrow with words in it: to the server, or to the client.
    fn arrow(&self, words: &str, by: Role, theme: Theme) -> String {
        let words = format!(" {} ", text::truncate(words, self.lane.saturating_sub(5), theme.ellipsis()));
        let rest = self.lane.saturating_sub(text::width(&words)).saturating_sub(1);
        let line = theme.glyph("─", "-");
        match by {
            Role::Client => {
                let before = rest.min(2);
                let after = rest.saturating_sub(before);
                [&line.repeat(before), &*words, &line.repeat(after), theme.glyph("▶", ">")].concat()
            }
            Role::Server => {
                let after = rest.min(2);
                let before = rest.saturating_sub(after);
                [theme.glyph("◀", "<"), &line.repeat(before), &words, &line.repeat(after)].concat()
            }
        }
    }

    /// Lifelines on which nothing happens, with words over them.
    fn silence(&self, words: &str, theme: Theme, spans: &mut Vec<Span<'static>>) {
        let dots = theme.glyph("┊", ":");
        let whole = self.lane.saturating_add(1).saturating_mul(self.lanes);
        let mut line = String::new();
        for _ in 0..self.lanes {
            line.push_str(dots);
            line.push_str(&" ".repeat(self.lane));
        }
        line.push_str(dots);
        if words.is_empty() {
            spans.push(Span::styled(line, theme.quiet()));
            return;
        }
        let words = text::truncate(words, whole.saturating_sub(6), theme.ellipsis()).into_owned();
        let at = whole.saturating_sub(text::width(&words)) / 2;
        let chars: Vec<char> = line.chars().collect();
        let before: String = chars.iter().take(at.saturating_sub(1)).collect();
        let after: String =
            chars.iter().skip(at.saturating_add(text::width(&words)).saturating_add(1)).collect();
        spans.push(Span::styled(before, theme.quiet()));
        let gap = if at > 0 { " " } else { "" };
        spans.push(Span::styled(format!("{gap}{words} "), theme.unsure()));
        spans.push(Span::styled(after, theme.quiet()));
    }
}

/// A time; without its date where there is little room.
fn time_of(shown: &str, width: usize) -> &str {
    match shown.split_once('T') {
        Some((_, time)) if width < WITH_DATE => time,
        _ => shown,
    }
}

/// From so many columns on there is room for the time since the line before.
pub(super) const WITH_DELTA: usize = 90;

/// From so many columns on there is room for dates.
const WITH_DATE: usize = 120;

fn style(what: &What<'_>, theme: Theme) -> Style {
    match what {
        What::Ended(EndedBy::Reset)
        | What::Below(Happened::Reset | Happened::Missing(_))
        | What::Opened(Opened::Refused | Opened::Unanswered, _) => theme.bad(),
        What::Below(Happened::Retransmitted(_) | Happened::OutOfOrder(_)) => theme.unsure(),
        What::Below(Happened::KeepAlive) => theme.quiet(),
        What::Answer(leg) => theme.outcome(leg.outcome),
        What::Request(_) => theme.accent(),
        What::Frame(frame, _) if frame.opcode.is_control() => theme.quiet(),
        _ => Style::new(),
    }
}
