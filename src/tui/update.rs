//! The one place where the state changes: by what a person does, and by what the reader hands over.

mod below;
mod menus;
mod messages;

use ratatui::layout::{Position, Size};

use super::action::{Action, Motion, Screen};
use super::app::{App, Pane, Prompt, PromptKind};
use super::chart::Chart;
use super::columns::Column;
use super::effect::{Discarded, Effect};
use super::filter::Filter;
use super::news::{FindingRow, Finished, News};
use super::rows::Row;
use super::view;
use crate::report::TimeStyle;

/// Does what a person wants.
#[must_use]
pub fn update(app: &mut App, action: Action) -> Vec<Effect> {
    app.notice = None;
    let shown = (app.screen, app.selected());
    let mut effects = act(app, action);
    keep_in_view(app);
    if shown != (app.screen, app.selected()) {
        app.scroll = 0;
        app.messages.is_zoomed = false;
        effects.extend(fetch(app));
    }
    effects.extend(settle(app));
    effects
}

/// Takes what the reader hands over; while the view is frozen it waits.
#[must_use]
pub fn receive(app: &mut App, news: News) -> Vec<Effect> {
    // An answer to what is shown is no change of it.
    if let (Some(waiting), News::Rows(_) | News::Finished(_) | News::Snapshot(_)) = (&mut app.frozen, &news) {
        // Each has all that the one before had.
        let is_snapshot = |news: &News| matches!(news, News::Snapshot(_));
        let before = waiting.iter().position(is_snapshot).map(|at| waiting.swap_remove(at));
        waiting.push(news);
        return match before {
            Some(News::Snapshot(gone)) => vec![Effect::Discard(Discarded::finished(gone))],
            _ => Vec::new(),
        };
    }
    let mut effects = take(app, news);
    keep_in_view(app);
    effects.extend(settle(app));
    effects
}

/// What the screen that is looked at needs from the capture.
fn settle(app: &mut App) -> Vec<Effect> {
    let mut effects = messages::settle(app);
    effects.extend(below::settle(app));
    effects
}

fn take(app: &mut App, news: News) -> Vec<Effect> {
    match news {
        News::Progress(progress) => app.data.progress = progress,
        News::Rows(rows) => {
            let changed = app.data.add(rows);
            app.table.add(&app.data.rows, &changed);
            app.data.chart = Chart::new(&app.data.rows, app.data.time());
            refresh(app);
        }
        News::Connection(connection) => app.data.fetched = Some(connection),
        News::Finished(finished) => {
            // What was read of a session that went on may have been its beginning.
            app.messages.of = None;
            return finish(app, finished);
        }
        News::Snapshot(finished) => {
            let effects = finish(app, finished);
            messages::grown(app);
            return effects;
        }
        News::Pulse(pulse) => app.data.live = Some(pulse),
        News::Messages(of, read) => messages::arrived(app, of, read),
        News::Whole(of, read) => messages::whole_arrived(app, of, read),
        News::Happenings(of, read) => below::arrived(app, of, read),
        News::Saved(saved) => {
            app.notice = Some(match saved {
                Ok(name) => format!("written: {name}"),
                Err(reason) => reason,
            });
        }
        News::Failed(reason) => app.data.failed = Some(reason),
    }
    Vec::new()
}

/// All is read, or all that there is so far.
fn finish(app: &mut App, mut finished: Box<Finished>) -> Vec<Effect> {
    let (rows, listing) = (std::mem::take(&mut finished.rows), std::mem::take(&mut finished.listing));
    let was = app.row().map(|row| row.id);
    // Of a route only the client's own leg is listed.
    if let Some(id) = was.filter(|id| !rows.iter().any(|row| row.id == *id)) {
        app.table.selected = client_leg(&finished, id);
    }
    let gone = app.data.replace(rows);
    app.data.chart = listing.chart.clone();
    app.table.replace(&app.data.rows, &finished.findings, listing);
    let finding = |finding: &FindingRow| (finding.rule.name, finding.sentence.clone());
    let chosen = app.findings().get(app.finding).map(finding);
    let before = app.data.finished.replace(finished);
    // The cursor stays with its finding.
    let again = app.findings().iter().position(|it| Some(finding(it)) == chosen);
    app.finding = again.unwrap_or(app.finding);
    refresh(app);
    vec![Effect::Discard(Discarded { rows: gone, finished: before })]
}

/// The client's own leg of the route that an attempt is a leg of.
fn client_leg(finished: &Finished, id: super::AttemptId) -> Option<super::AttemptId> {
    let name = |leg: &crate::routes::Leg| {
        let connection = finished.capture.connections.get(leg.connection)?;
        Some(super::AttemptId { connection: connection.id(), attempt: leg.attempt })
    };
    let route =
        finished.diagnosis.routes.iter().find(|route| route.legs.iter().any(|leg| name(leg) == Some(id)))?;
    name(route.legs.first()?)
}

/// What follows from the rows, and from how times are shown.
fn refresh(app: &mut App) {
    let time = app.data.time();
    let clock = app.shown.clock(time.0);
    app.table.widths.set_time(clock.show(time.0).len().max(clock.show(time.1).len()));
    if app.follows {
        app.table.select(usize::MAX, &app.data.rows);
    }
}

fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => return vec![Effect::Quit],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Close if app.screen == Screen::Overview && app.menu.is_none() && app.help.is_none() => {
            return vec![Effect::Quit];
        }
        Action::Close | Action::Back => back(app),
        Action::Resize(columns, rows) => app.size = Size::new(columns, rows),
        Action::Move(motion) => go(app, motion),
        Action::Click(column, row) => click(app, Position::new(column, row)),
        Action::Open if app.screen == Screen::Messages => messages::open(app),
        Action::Open => open(app),
        Action::Form => messages::turn(app),
        Action::Whole => return messages::whole(app),
        Action::Show(screen) => show(app, screen),
        Action::NextView => turn(app, 1),
        Action::PreviousView => turn(app, Screen::OF_ATTEMPT.len().saturating_sub(1)),
        Action::OtherPane => {
            app.pane = match app.pane {
                Pane::Attempts if !app.findings().is_empty() => Pane::Findings,
                _ => Pane::Attempts,
            };
        }
        Action::Filter => {
            let (kind, text) = match app.screen {
                Screen::Messages => (PromptKind::Search, app.messages.search.clone()),
                _ => (PromptKind::Filter, app.table.filter_text.clone()),
            };
            app.prompt = Some(Prompt { kind, before: text.clone(), text, error: None });
        }
        Action::Type(_) | Action::Erase | Action::EraseWord | Action::EraseAll | Action::Accept => {
            match app.prompt.as_ref().map(|prompt| prompt.kind) {
                Some(PromptKind::Search) => messages::search(app, action),
                _ => type_filter(app, action),
            }
        }
        Action::Failures => {
            let text = if app.table.filter_text == FAILURES { "" } else { FAILURES };
            set_filter(app, text);
        }
        Action::Next if app.screen == Screen::Messages => messages::step(app, true),
        Action::Previous if app.screen == Screen::Messages => messages::step(app, false),
        Action::Next | Action::NextAttempt => step(app, true),
        Action::Previous | Action::PreviousAttempt => step(app, false),
        Action::Sort => {
            let columns = &app.table.columns;
            let at = columns.iter().position(|column| *column == app.table.sort);
            let next = at.and_then(|at| columns.get(at.saturating_add(1))).or(columns.first());
            app.table.sort = next.copied().unwrap_or(Column::Time);
            app.table.is_backwards = false;
            sort(app);
        }
        Action::SortBackwards => {
            app.table.is_backwards = !app.table.is_backwards;
            sort(app);
        }
        Action::Follow => {
            app.follows = !app.follows;
            if app.follows {
                app.table.select(usize::MAX, &app.data.rows);
            }
            app.notice =
                Some(if app.follows { "follows the latest attempt" } else { "no longer follows" }.to_owned());
        }
        Action::Freeze => return freeze(app),
        Action::Times => {
            let has_both = view::has_room_for_delta(app.size.width.into());
            if app.screen == Screen::Flow
                && !has_both
                && app.shown.time == TimeStyle::Relative
                && !app.shows_delta
            {
                app.shows_delta = true;
                return Vec::new();
            }
            app.shows_delta = false;
            app.shown.time = match app.shown.time {
                TimeStyle::Relative => TimeStyle::Utc,
                TimeStyle::Utc => TimeStyle::Local,
                TimeStyle::Local => TimeStyle::Relative,
            };
            refresh(app);
        }
        Action::Columns => menus::columns(app),
        Action::Copy => menus::copy(app),
        Action::Export => return menus::export(app),
        Action::Choose => return menus::choose(app),
        Action::Help => app.help = Some(0),
    }
    Vec::new()
}

/// Closes what is on top.
fn back(app: &mut App) {
    if app.help.take().is_some() || app.menu.take().is_some() {
        return;
    }
    if let Some(prompt) = app.prompt.take() {
        match prompt.kind {
            PromptKind::Filter => set_filter(app, &prompt.before),
            PromptKind::Search => app.messages.search = prompt.before,
        }
    } else if app.messages.is_zoomed && app.screen == Screen::Messages {
        (app.messages.is_zoomed, app.scroll) = (false, 0);
    } else if let Some(screen) = app.behind.pop() {
        app.screen = screen;
    } else if app.screen != Screen::Overview {
        app.screen = Screen::Overview;
    } else if app.pane == Pane::Findings {
        app.pane = Pane::Attempts;
    } else {
        set_filter(app, "");
    }
}

/// Goes to a screen; the overview is where everything goes back to.
fn show(app: &mut App, screen: Screen) {
    if screen == Screen::Overview {
        app.behind.clear();
    } else if screen != app.screen {
        // Nobody wants to go back through the same screens twice.
        app.behind.retain(|behind| *behind != screen);
        app.behind.push(app.screen);
    }
    app.screen = screen;
}

fn open(app: &mut App) {
    match (app.screen, app.pane) {
        (Screen::Overview, Pane::Findings) => show(app, Screen::Findings),
        (Screen::Overview, Pane::Attempts) if app.row().is_some() => show(app, Screen::Attempt),
        (Screen::Findings, _) => {
            if let Some(finding) = app.findings().get(app.finding) {
                let filter = format!("rule:{}", finding.rule.name);
                set_filter(app, &filter);
                app.table.select(0, &app.data.rows);
                app.pane = Pane::Attempts;
                show(app, Screen::Overview);
            }
        }
        _ => {}
    }
}

/// Turns to another view of the attempt.
fn turn(app: &mut App, by: usize) {
    let views = Screen::OF_ATTEMPT;
    let at = views.iter().position(|view| *view == app.screen).unwrap_or_default();
    if let Some(view) = views.iter().cycle().nth(at.saturating_add(by)) {
        app.screen = *view;
    }
}

/// The next attempt, or the one before: of those that failed, if nothing else is asked for.
fn step(app: &mut App, is_forward: bool) {
    let (order, at) = (&app.table.order, app.table.cursor);
    let wants_failures = app.screen == Screen::Overview && app.table.filter.is_empty();
    let is_wanted = |place: &usize| {
        let row = order.get(*place).and_then(|row| app.data.rows.get(*row));
        row.is_some_and(|row| !wants_failures || row.outcome.is_failure() || row.finding.is_some())
    };
    let found = if is_forward {
        (at.saturating_add(1)..order.len()).find(is_wanted)
    } else {
        (0..at).rev().find(is_wanted)
    };
    match found {
        Some(place) => app.table.select(place, &app.data.rows),
        None => app.notice = Some(if is_forward { "no further one" } else { "none before" }.to_owned()),
    }
}

fn go(app: &mut App, motion: Motion) {
    let height = view::height(app);
    if let Some(help) = app.help {
        app.help = Some(moved(help, motion, height, view::help_lines(app).saturating_sub(height)));
    } else if let Some(menu) = &mut app.menu {
        menu.cursor = moved(menu.cursor, motion, height, menu.entries.len().saturating_sub(1));
    } else {
        match (app.screen, app.pane) {
            (Screen::Overview, Pane::Attempts) => {
                let last = app.table.order.len().saturating_sub(1);
                let place = moved(app.table.cursor, motion, height, last);
                if place != app.table.cursor {
                    app.follows = false;
                }
                app.table.select(place, &app.data.rows);
            }
            (Screen::Overview, Pane::Findings) => {
                let last = app.findings().len().saturating_sub(1);
                app.finding = moved(app.finding, motion, height, last);
            }
            (Screen::Messages, _) => messages::go(app, motion),
            (Screen::Findings, _) if matches!(motion, Motion::Up | Motion::Down) => {
                let finding = moved(app.finding, motion, height, app.findings().len().saturating_sub(1));
                if finding != app.finding {
                    (app.finding, app.scroll) = (finding, 0);
                }
            }
            _ => {
                let last = view::lines(app).saturating_sub(height);
                app.scroll = moved(app.scroll.min(last), motion, height, last);
            }
        }
    }
}

fn moved(at: usize, motion: Motion, height: usize, last: usize) -> usize {
    let page = height.saturating_sub(1).max(1);
    let to = match motion {
        Motion::Up => at.saturating_sub(1),
        Motion::Down => at.saturating_add(1),
        Motion::PageUp => at.saturating_sub(page),
        Motion::PageDown => at.saturating_add(page),
        Motion::HalfUp => at.saturating_sub(page / 2),
        Motion::HalfDown => at.saturating_add(page / 2),
        Motion::First => 0,
        Motion::Last => last,
        Motion::WheelUp => at.saturating_sub(WHEEL),
        Motion::WheelDown => at.saturating_add(WHEEL),
    };
    to.min(last)
}

/// A click puts the cursor where it is; one on the cursor opens what is there.
fn click(app: &mut App, at: Position) {
    if app.help.is_some() || app.menu.is_some() || app.prompt.is_some() {
        return;
    }
    match view::hit(app, at) {
        Some(view::Hit::Attempt(place)) => {
            let again = app.pane == Pane::Attempts && app.table.cursor == place;
            app.pane = Pane::Attempts;
            app.follows = false;
            app.table.select(place, &app.data.rows);
            if again {
                open(app);
            }
        }
        Some(view::Hit::Finding(place)) => {
            let again = app.pane == Pane::Findings && app.finding == place && app.screen == Screen::Overview;
            (app.finding, app.pane, app.scroll) = (place, Pane::Findings, 0);
            if again {
                open(app);
            }
        }
        Some(view::Hit::Message(place)) => {
            let again = app.messages.cursor == place;
            messages::select(app, place);
            if again {
                messages::open(app);
            }
        }
        Some(view::Hit::Heading(column)) => {
            app.table.is_backwards = app.table.sort == column && !app.table.is_backwards;
            app.table.sort = column;
            sort(app);
        }
        None => {}
    }
}

fn type_filter(app: &mut App, action: Action) {
    let Some(mut prompt) = app.prompt.take() else { return };
    match action {
        Action::Type(character) => prompt.text.push(character),
        Action::Erase if prompt.text.is_empty() => {
            set_filter(app, "");
            return;
        }
        Action::Erase => {
            prompt.text.pop();
        }
        Action::EraseWord => erase_word(&mut prompt.text),
        Action::EraseAll => prompt.text.clear(),
        _ => match Filter::parse(&prompt.text) {
            Ok(filter) => {
                apply(app, filter, &prompt.text);
                return;
            }
            Err(error) => {
                prompt.error = Some(error);
                app.prompt = Some(prompt);
                return;
            }
        },
    }
    match Filter::parse_unfinished(&prompt.text) {
        Ok(filter) => {
            prompt.error = None;
            apply(app, filter, &prompt.text);
        }
        // The list stays as the last text made it that meant something.
        Err(error) => prompt.error = Some(error),
    }
    app.prompt = Some(prompt);
}

fn erase_word(text: &mut String) {
    let kept = text.trim_end().rfind(' ').map_or(0, |space| space.saturating_add(1));
    text.truncate(kept);
}

fn set_filter(app: &mut App, text: &str) {
    if let Ok(filter) = Filter::parse(text) {
        apply(app, filter, text);
    }
}

fn apply(app: &mut App, filter: Filter, text: &str) {
    text.clone_into(&mut app.table.filter_text);
    app.table.filter = filter;
    let findings = app.data.finished.as_ref().map_or(&[][..], |finished| &finished.findings);
    app.table.filter(&app.data.rows, findings);
}

fn sort(app: &mut App) {
    let findings = app.data.finished.as_ref().map_or(&[][..], |finished| &finished.findings);
    app.table.sort(&app.data.rows, findings);
}

fn freeze(app: &mut App) -> Vec<Effect> {
    let Some(waiting) = app.frozen.take() else {
        if app.data.goes_on() {
            app.frozen = Some(Vec::new());
        } else {
            app.notice = Some("all is read: nothing will change".to_owned());
        }
        return Vec::new();
    };
    // All at once: each handing over alone would sort all rows.
    let mut rows: Vec<Row> = Vec::new();
    let mut last = None;
    for news in waiting {
        match news {
            News::Rows(more) => rows.extend(more),
            other => last = Some(other),
        }
    }
    match last {
        // It has all rows anew.
        Some(finished) => {
            let mut effects = vec![Effect::Discard(Discarded { rows, finished: None })];
            effects.extend(take(app, finished));
            effects
        }
        None => take(app, News::Rows(rows)),
    }
}

/// While reading goes on only the reader has the connections.
fn fetch(app: &App) -> Option<Effect> {
    let is_shown = Screen::OF_ATTEMPT.contains(&app.screen);
    let row = app.row().filter(|_| is_shown && app.data.goes_on())?;
    Some(Effect::Fetch(row.id.connection))
}

fn keep_in_view(app: &mut App) {
    let height = view::table_height(app);
    app.table.keep_in_view(height);
    app.finding = app.finding.min(app.findings().len().saturating_sub(1));
}

/// The filter of attempts that failed.
const FAILURES: &str = "outcome:failed";

/// Lines that a mouse wheel goes at once.
const WHEEL: usize = 3;
