//! Judges what is handed over, beside what ended lately, and remembers what was told.

use std::collections::BTreeSet;

use super::Event;
use super::judgment::{Judgment, Told};
use super::window::Window;
use crate::diagnosis::{Selection, diagnose};
use crate::model::{Capture, Connection, Totals};
use crate::units::{PacketNumber, Timestamp};

/// Something to be judged: plain data, so that whoever reads packets need not wait for it.
#[derive(Debug)]
pub struct Task {
    /// What ended since the last one.
    pub(super) ended: Window,
    /// What goes on and may belong to it.
    pub(super) open: Vec<Connection>,
    /// Connections of which something is to be told now.
    pub(super) ready: BTreeSet<PacketNumber>,
    /// Sessions go on by polling on some that are open, and that is to be judged now.
    pub(super) polls: bool,
    /// Connections of which something is to be told later.
    pub(super) waiting: BTreeSet<PacketNumber>,
    /// Connections that had to go before they came here.
    pub(super) forgotten: Vec<PacketNumber>,
    /// If the clock was put since the last one: to which time.
    pub(super) stepped: Option<Timestamp>,
    /// What is as old as this was looked at the last time is not judged any more.
    pub(super) looked: Timestamp,
    /// How late it is.
    pub(super) now: Timestamp,
    /// What was counted.
    pub(super) totals: Totals,
}

/// What came of a [`Task`].
#[derive(Debug)]
pub struct Judged {
    /// What is to be told.
    pub(super) events: Vec<Event>,
    /// How many connections are kept to be judged with others.
    pub(super) kept: usize,
    /// Requests of connections that are kept no longer.
    pub(super) forgotten_exchanges: usize,
    /// Attempts that had to go before they were judged.
    pub(super) unjudged: u64,
}

/// Judges.
#[derive(Debug)]
pub struct Judge {
    selection: Selection,
    shows_secrets: bool,
    pub(super) window: Window,
    pub(super) told: Told,
}

impl Judge {
    /// By these rules.
    #[must_use]
    pub fn new(selection: Selection, shows_secrets: bool) -> Self {
        Self { selection, shows_secrets, window: Window::default(), told: Told::default() }
    }

    /// Judges what is ready, once each.
    pub fn judge(&mut self, task: Task) -> Judged {
        let Task { ended, open, ready, polls, waiting, forgotten, stepped, looked, now, totals } = task;
        for connection in forgotten {
            self.told.forget(connection);
        }
        if let Some(stepped) = stepped {
            self.window.clock_stepped(stepped);
        }
        let mut judged = Judged { events: Vec::new(), kept: 0, forgotten_exchanges: 0, unjudged: 0 };
        let old = self.window.trim(looked);
        self.forget(old, &waiting, &mut judged);
        self.window.append(ended, now);
        if !ready.is_empty() || polls {
            let (connections, open) = self.window.lend(open);
            let capture = Capture { connections, totals, ..Capture::default() };
            let diagnosis = diagnose(&capture, &self.selection, self.shows_secrets);
            let judgment =
                Judgment { capture: &capture, diagnosis: &diagnosis, ready, waiting: &waiting, open: &open };
            judgment.tell(&mut self.told, &mut judged.events);
            self.window.take_back(capture.connections, &open);
        }
        // Afterwards: where nobody looked for long, what is due may be old.
        let old = self.window.trim(now);
        self.forget(old, &waiting, &mut judged);
        judged.kept = self.window.len();
        judged
    }

    fn forget(
        &mut self,
        connections: Vec<Connection>,
        waiting: &BTreeSet<PacketNumber>,
        judged: &mut Judged,
    ) {
        for connection in connections {
            self.told.forget(connection.id());
            judged.forgotten_exchanges =
                judged.forgotten_exchanges.saturating_add(connection.exchanges.len());
            if waiting.contains(&connection.id()) {
                judged.unjudged = judged.unjudged.saturating_add(connection.attempts.len() as u64);
            }
        }
    }
}
