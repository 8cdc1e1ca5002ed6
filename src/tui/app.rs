//! The state of the screens: plain data. [`super::update`] changes it, [`super::view`] draws it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ratatui::layout::Size;

use super::action::Screen;
use super::chart::Chart;
use super::columns::Column;
use super::effect::SessionOf;
use super::export::ExportKind;
use super::filter::FilterError;
use super::keymap::Place;
use super::live::Pulse;
use super::messages::Messages;
use super::news::{FindingRow, Finished, News, Progress};
use super::rows::{AttemptId, Row};
use super::shown::Shown;
use super::story::Story;
use super::table::Table;
use super::theme::Theme;
use crate::model::Connection;
use crate::tcp::Happenings;
use crate::units::{PacketNumber, Timestamp};

/// Everything that the screens show, and where a person is in it.
#[derive(Debug)]
pub struct App {
    /// What is read, as it was given.
    pub name: String,
    /// How what the wire says is shown.
    pub shown: Shown,
    /// How things look.
    pub theme: Theme,
    /// The terminal, in columns and rows.
    pub size: Size,
    /// What was read.
    pub data: Data,
    /// The attempts as they are listed.
    pub table: Table,
    /// The screen that is shown.
    pub screen: Screen,
    /// The screens behind it, the latest last.
    pub behind: Vec<Screen>,
    /// The list of the overview that the keys go to.
    pub pane: Pane,
    /// The finding under the cursor.
    pub finding: usize,
    /// The first line of a page that is shown.
    pub scroll: usize,
    /// What happened below the streams of the attempt that is looked at.
    pub below: Below,
    /// The messages of the attempt that is looked at.
    pub messages: Messages,
    /// The filter or the search that is being typed.
    pub prompt: Option<Prompt>,
    /// A list to choose from, on top of the screen.
    pub menu: Option<Menu>,
    /// The first line of the help that is shown, if it is.
    pub help: Option<usize>,
    /// In a flow that has no room for both, times are those since the line before.
    pub shows_delta: bool,
    /// A word about what was just done.
    pub notice: Option<String>,
    /// What came while the view is frozen.
    pub frozen: Option<Vec<News>>,
    /// The cursor keeps to the latest attempt.
    pub follows: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Data {
    /// The attempts; once all is read, the routes.
    pub rows: Vec<Row>,
    /// Where the rows are, while reading goes on.
    places: BTreeMap<AttemptId, usize>,
    /// How far the reading is.
    pub progress: Progress,
    /// Everything, once it is read; of a live capture everything so far.
    pub finished: Option<Box<Finished>>,
    /// How the capture is, if it is a live one.
    pub live: Option<Box<Pulse>>,
    /// The connection that was asked for last, while reading goes on.
    pub fetched: Option<Box<Connection>>,
    /// Why the reading had to be given up.
    pub failed: Option<String>,
    /// The attempts over time.
    pub chart: Chart,
}

/// What happened below the streams of an attempt: read again from the capture when it is looked at.
#[derive(Debug, Default)]
pub struct Below {
    /// The attempt.
    pub of: Option<AttemptId>,
    /// It is asked for and not there yet.
    pub is_asked: bool,
    /// For each of its connections, by name.
    pub happened: Vec<(PacketNumber, Happenings)>,
    /// Why nobody knows.
    pub failed: Option<String>,
}

/// A list of the overview.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The findings.
    Findings,
    /// The attempts.
    #[default]
    Attempts,
}

/// A filter or a search that is being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Which of the two.
    pub kind: PromptKind,
    /// What there is of it.
    pub text: String,
    /// What is wrong with that.
    pub error: Option<FilterError>,
    /// The filter or the search as it was.
    pub before: String,
}

/// What is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PromptKind {
    /// A filter of the attempts.
    #[default]
    Filter,
    /// A text that is searched for in messages.
    Search,
}

/// A list to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// What is chosen.
    pub kind: MenuKind,
    /// The entries.
    pub entries: Vec<MenuEntry>,
    /// The one under the cursor.
    pub cursor: usize,
}

/// What is chosen from a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MenuKind {
    /// The columns of the table.
    Columns,
    /// What to copy.
    Copy,
    /// What to export.
    Export,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// What people read.
    pub name: String,
    /// What it does.
    pub choice: Choice,
}

/// What an entry of a list does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Shows or hides a column.
    Column(Column),
    /// Copies a text.
    Copy(String),
    /// Exports something.
    Export(ExportKind),
}

impl App {
    /// Before anything is read.
    #[must_use]
    pub fn new(name: &str, shown: Shown, theme: Theme, size: Size) -> Self {
        Self {
            name: crate::text::escape(name).into_owned(),
            shown,
            theme,
            size,
            data: Data::default(),
            table: Table::default(),
            screen: Screen::Overview,
            behind: Vec::new(),
            pane: Pane::default(),
            finding: 0,
            scroll: 0,
            below: Below::default(),
            messages: Messages::default(),
            prompt: None,
            menu: None,
            help: None,
            shows_delta: false,
            notice: None,
            frozen: None,
            follows: false,
        }
    }

    /// What is on top, for the keys.
    #[must_use]
    pub const fn place(&self) -> Place {
        if self.help.is_some() {
            Place::Help
        } else if self.menu.is_some() {
            Place::Menu
        } else if self.prompt.is_some() {
            Place::Prompt
        } else {
            Place::On(self.screen)
        }
    }

    /// The row under the cursor.
    #[must_use]
    pub fn row(&self) -> Option<&Row> {
        self.data.rows.get(self.table.row()?)
    }

    /// The attempt under the cursor with all that is known of it; none if there is none, or if it is yet to come.
    #[must_use]
    pub fn story(&self) -> Option<Story<'_>> {
        let row = self.row()?;
        if let Some(finished) = &self.data.finished {
            return Story::of_route(finished, row);
        }
        let fetched = self.data.fetched.as_deref();
        let connection = fetched.filter(|connection| connection.id() == row.id.connection)?;
        Story::of_connection(connection, row.id.attempt, self.data.time())
    }

    /// All connections of the attempt under the cursor, the client's own first.
    #[must_use]
    pub fn connections(&self) -> Vec<SessionOf> {
        let Some(story) = self.story() else { return Vec::new() };
        let of = |connection: &Connection, attempt| SessionOf {
            connection: Box::new(connection.clone()),
            attempt,
        };
        let legs = story.legs.iter().map(|leg| of(leg.connection, leg.attempt_place));
        legs.chain(story.tries.iter().map(|tried| of(tried, 0))).collect()
    }

    /// The session of the attempt under the cursor: that of the first leg that has one.
    #[must_use]
    pub fn session(&self) -> Option<SessionOf> {
        let story = self.story()?;
        let leg = story.legs.iter().find(|leg| leg.attempt.session.is_some())?;
        Some(SessionOf { connection: Box::new(leg.connection.clone()), attempt: leg.attempt_place })
    }

    /// The findings, the leading one first; none before all is read.
    #[must_use]
    pub fn findings(&self) -> &[FindingRow] {
        self.data.finished.as_ref().map_or(&[], |finished| &finished.findings)
    }

    /// The attempt under the cursor.
    #[must_use]
    pub fn selected(&self) -> Option<AttemptId> {
        self.table.selected
    }
}

impl Data {
    /// Adds rows; one of an attempt that is there already takes its place. Returns their places.
    pub(super) fn add(&mut self, rows: Vec<Row>) -> Vec<usize> {
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let place = match self.places.entry(row.id) {
                Entry::Vacant(entry) => {
                    let place = *entry.insert(self.rows.len());
                    self.rows.push(row);
                    place
                }
                Entry::Occupied(entry) => {
                    if let Some(known) = self.rows.get_mut(*entry.get()) {
                        *known = row;
                    }
                    *entry.get()
                }
            };
            places.push(place);
        }
        places
    }

    /// All is read: these are the rows. Returns those that were there.
    pub(super) fn replace(&mut self, rows: Vec<Row>) -> Vec<Row> {
        self.places.clear();
        std::mem::replace(&mut self.rows, rows)
    }

    /// Whether more may come.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        let is_read = self.finished.is_some() && self.live.is_none();
        let is_over = self.live.as_ref().is_some_and(|live| !live.goes_on());
        !is_read && !is_over && self.failed.is_none()
    }

    /// When the capture begins and ends, as far as it is read.
    #[must_use]
    pub fn time(&self) -> (Timestamp, Timestamp) {
        let so_far = self.progress.first_and_last.unwrap_or((Timestamp::MIN, Timestamp::MIN));
        self.finished.as_ref().map_or(so_far, |finished| finished.time())
    }
}
