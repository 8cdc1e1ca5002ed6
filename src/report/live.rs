//! What is told of a capture while it goes on, each thing on a line of its own.

use std::io;
use std::net::SocketAddr;

use super::wire::Wire;
use super::{TimeStyle, json, text};
use crate::diagnosis::Finding;
use crate::model::{Capture, Connection, Outcome};
use crate::units::{PacketNumber, Timestamp};

/// How a capture began.
#[derive(Clone, Debug)]
pub struct Started {
    /// When.
    pub time: Timestamp,
    /// The interfaces, with the numbers of their link types.
    pub interfaces: Vec<(String, u16)>,
    /// The filter.
    pub filter: String,
    /// What the program may no longer do, in words.
    pub confinement: Vec<String>,
    /// Where metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
}

/// What the program counts beside the capture's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Packets that the filter let through, dropped ones included.
    pub received: u64,
    /// Packets dropped by the kernel.
    pub dropped_by_kernel: u64,
    /// Packets dropped by interfaces or their drivers.
    pub dropped_by_interface: u64,
}

impl Status {
    /// All drops.
    #[must_use]
    pub const fn dropped(self) -> u64 {
        self.dropped_by_kernel.saturating_add(self.dropped_by_interface)
    }
}

/// Writes lines. Each method writes whole ones; they reach their reader when `out` is flushed.
#[derive(Debug)]
pub struct LiveReport(Kind);

#[derive(Debug)]
enum Kind {
    Json(json::live::Lines),
    Text(text::live::Lines),
}

impl LiveReport {
    /// For programs: one object a line.
    #[must_use]
    pub fn json(shows_secrets: bool) -> Self {
        Self(Kind::Json(json::live::Lines::new(Wire { shows_secrets })))
    }

    /// For people.
    #[must_use]
    pub fn text(shows_secrets: bool, time: TimeStyle) -> Self {
        Self(Kind::Text(text::live::Lines::new(Wire { shows_secrets }, time)))
    }

    /// The capture begins.
    ///
    /// # Errors
    /// What `out` says; so with all others.
    pub fn started(&mut self, started: &Started, out: &mut dyn io::Write) -> io::Result<()> {
        match &mut self.0 {
            Kind::Json(lines) => lines.started(started, out),
            Kind::Text(lines) => lines.started(started, out),
        }
    }

    /// It is decided what becomes of an attempt, as far as its connection shows it at `now`.
    ///
    /// # Errors
    /// What `out` says.
    pub fn handshake(
        &mut self,
        (connection, attempt): (&Connection, usize),
        outcome: Outcome,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        match &mut self.0 {
            Kind::Json(lines) => lines.handshake(connection, attempt, now, out),
            Kind::Text(lines) => lines.handshake((connection, attempt), outcome, now, out),
        }
    }

    /// A connection is over.
    ///
    /// # Errors
    /// What `out` says.
    pub fn ended(
        &mut self,
        connection: &Connection,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        match &mut self.0 {
            Kind::Json(lines) => lines.ended(connection, now, out),
            Kind::Text(lines) => lines.ended(connection, now, out),
        }
    }

    /// A rule found something, on these attempts.
    ///
    /// # Errors
    /// What `out` says.
    pub fn found(
        &mut self,
        finding: &Finding,
        legs: &[(PacketNumber, Option<usize>)],
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        match &mut self.0 {
            Kind::Json(lines) => lines.found(finding, legs, now, out),
            Kind::Text(lines) => lines.found(finding, now, out),
        }
    }

    /// Something that whoever relies on the capture must know.
    ///
    /// # Errors
    /// What `out` says.
    pub fn warning(&mut self, message: &str, now: Timestamp, out: &mut dyn io::Write) -> io::Result<()> {
        match &mut self.0 {
            Kind::Json(lines) => lines.warning(message, now, out),
            Kind::Text(lines) => lines.warning(message, now, out),
        }
    }

    /// What was counted so far. Of `capture` only the totals are told.
    ///
    /// # Errors
    /// What `out` says.
    pub fn summary(
        &mut self,
        capture: &Capture,
        status: Status,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        match &mut self.0 {
            Kind::Json(lines) => lines.summary(capture, status, out),
            Kind::Text(lines) => lines.summary(capture, status, now, out),
        }
    }
}
