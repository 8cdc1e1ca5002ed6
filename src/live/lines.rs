//! A line for each thing that happens.

use std::io::Write;

use super::session::{Failed, Session, Teller};
use crate::model::Capture;
use crate::report::{LiveReport, Started};
use crate::units::Timestamp;
use crate::watch::Event;

/// Writes lines.
pub(super) struct Lines {
    report: LiveReport,
    out: Box<dyn Write>,
    /// Connections without an attempt too.
    tells_all: bool,
}

impl Lines {
    pub(super) fn new(report: LiveReport, out: Box<dyn Write>, tells_all: bool) -> Self {
        Self { report, out, tells_all }
    }

    /// The capture begins.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn started(&mut self, started: &Started) -> Result<(), Failed> {
        self.report.started(started, &mut *self.out)?;
        Ok(self.out.flush()?)
    }
}

impl Teller for Lines {
    fn event(&mut self, event: &Event, now: Timestamp) -> Result<(), Failed> {
        let out = &mut *self.out;
        match event {
            Event::Handshake { connection, attempt, outcome } => {
                self.report.handshake((connection, *attempt), *outcome, now, out)?;
            }
            Event::Ended(connection) if self.tells_all || !connection.attempts.is_empty() => {
                self.report.ended(connection, now, out)?;
            }
            Event::Found(found) => self.report.found(&found.finding, &found.legs, now, out)?,
            Event::Ended(_) | Event::Attempted(_) => {}
        }
        Ok(())
    }

    fn warning(&mut self, message: &str, now: Timestamp) -> Result<(), Failed> {
        self.report.warning(message, now, &mut *self.out)?;
        Ok(self.out.flush()?)
    }

    fn look(&mut self, _: &Session) -> Result<(), Failed> {
        Ok(self.out.flush()?)
    }

    fn summary(&mut self, summary: &Capture, session: &Session) -> Result<(), Failed> {
        self.report.summary(summary, session.taking.status(), session.watch.now(), &mut *self.out)?;
        Ok(self.out.flush()?)
    }
}
