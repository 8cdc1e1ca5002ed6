//! Draws the state: plain functions from it to a frame, one screen a file. Nothing is changed and nothing is kept.

mod attempt;
mod capture;
mod findings;
mod flow;
mod frame;
mod heads;
mod help;
mod ladder;
mod menu;
mod messages;
mod overview;
mod page;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::action::Screen;
use super::app::App;
use super::columns::Column;

/// What is at a place of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// An attempt, by its place in the list.
    Attempt(usize),
    /// A finding.
    Finding(usize),
    /// A message, by its place.
    Message(usize),
    /// The heading of a column.
    Heading(Column),
}

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let words = format!("the terminal is too small: {} x {} at least", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(words).wrap(ratatui::widgets::Wrap { trim: true }), area);
        return;
    }
    let [head, body, foot] = frame::areas(app, area);
    frame::head(app, head, frame);
    match app.screen {
        Screen::Overview => overview::draw(app, body, frame),
        Screen::Findings => findings::draw(app, body, frame),
        Screen::Attempt => lines_at(attempt::page(app, body.width.into()), app.scroll, body, frame),
        Screen::Capture => lines_at(capture::page(app, body.width.into()), app.scroll, body, frame),
        Screen::Flow => flow::draw(app, body, frame),
        Screen::Messages => messages::draw(app, body, frame),
    }
    frame::foot(app, foot, frame);
    if app.menu.is_some() {
        menu::draw(app, body, frame);
    }
    if let Some(scroll) = app.help {
        help::draw(app, scroll, body, frame);
    }
}

/// How many lines what is on top shows at once.
pub(super) fn height(app: &App) -> usize {
    let [_, body, _] = frame::areas(app, whole(app));
    match app.screen {
        _ if app.help.is_some() => help::height(body),
        Screen::Overview => table_height(app),
        Screen::Findings => usize::from(findings::areas(app, body)[1].height),
        Screen::Flow => flow::height(body),
        Screen::Messages => messages::height(app, body),
        Screen::Attempt | Screen::Capture => body.height.into(),
    }
}

/// How many lines the screen's page has.
pub(super) fn lines(app: &App) -> usize {
    let [_, body, _] = frame::areas(app, whole(app));
    let width = usize::from(body.width);
    match app.screen {
        Screen::Overview => 0,
        Screen::Findings => findings::page(app, findings::areas(app, body)[1].width.into()).len(),
        Screen::Attempt => attempt::page(app, width).len(),
        Screen::Capture => capture::page(app, width).len(),
        Screen::Flow => flow::lines(app),
        Screen::Messages => messages::lines(app),
    }
}

/// How many lines the help has.
pub(super) fn help_lines(app: &App) -> usize {
    let [_, body, _] = frame::areas(app, whole(app));
    help::lines(app, body).len()
}

/// How many attempts the overview shows at once.
pub(super) fn table_height(app: &App) -> usize {
    let [_, body, _] = frame::areas(app, whole(app));
    overview::areas(app, body).rows.height.into()
}

/// Whether a flow of so many columns shows the time and the time since the line before.
pub(super) const fn has_room_for_delta(width: usize) -> bool {
    width >= flow::WITH_DELTA
}

/// How many messages are listed at once.
pub(super) fn messages_height(app: &App) -> usize {
    let [_, body, _] = frame::areas(app, whole(app));
    messages::areas(app, body).list.height.into()
}

/// How many lines and columns the payload has.
pub(super) fn payload_area(app: &App) -> (usize, usize) {
    let [_, body, _] = frame::areas(app, whole(app));
    let area = messages::areas(app, body).payload;
    (area.height.into(), area.width.into())
}

/// What is at a place of the terminal.
pub(super) fn hit(app: &App, at: Position) -> Option<Hit> {
    let [_, body, _] = frame::areas(app, whole(app));
    match app.screen {
        Screen::Overview => overview::hit(app, body, at),
        Screen::Findings => {
            let [list, _] = findings::areas(app, body);
            let line = usize::from(at.y.checked_sub(list.y)?);
            let place = findings::first_shown(app, list.height.into()).saturating_add(line);
            (list.contains(at) && place < app.findings().len()).then_some(Hit::Finding(place))
        }
        Screen::Messages => messages::hit(app, body, at),
        _ => None,
    }
}

fn whole(app: &App) -> Rect {
    Rect::new(0, 0, app.size.width, app.size.height)
}

/// Lines from the first that is to be shown on.
fn lines_at(lines: Vec<Line<'static>>, scroll: usize, area: Rect, frame: &mut Frame<'_>) {
    let height = usize::from(area.height);
    let first = scroll.min(lines.len().saturating_sub(height));
    let shown: Vec<Line<'static>> = lines.into_iter().skip(first).take(height).collect();
    frame.render_widget(Paragraph::new(shown), area);
}

/// In less room nothing is of use.
const LEAST: (u16, u16) = (30, 8);
