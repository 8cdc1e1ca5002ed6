//! The JSON report: one object a line, `"schema":1`. Fields may be added, never renamed.
//!
//! Connections come in the order of their first packets, each followed by its frames if they are wanted; one
//! summary comes last. The values are those of the wire but for secrets; characters that a terminal would obey
//! are written as `\u` escapes.

mod attempt;
mod connection;
mod escapes;
mod frame;
mod summary;
mod time;

use std::io;

use serde::Serialize;

use super::ReportOptions;
use super::wire::Wire;
use crate::model::{Capture, Connection};
use crate::units::Timestamp;
use escapes::Escapes;
use frame::FrameLines;
use time::Clock;

/// Writes the report.
pub(super) fn write(capture: &Capture, options: &ReportOptions, out: &mut dyn io::Write) -> io::Result<()> {
    let mut lines = Lines { out, buffer: Vec::with_capacity(BUFFER_BYTES.saturating_mul(2)) };
    let mut clock = Clock::default();
    let wire = Wire { shows_secrets: options.shows_secrets };
    let capture_end = capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    for connection in &capture.connections {
        if connection.attempts.is_empty() && !options.keeps_all {
            continue;
        }
        lines.write(&connection::line(connection, wire, capture_end, &mut clock))?;
        if options.frames {
            write_frames(connection, &mut clock, &mut lines)?;
        }
    }
    lines.write(&summary::line(capture, &mut clock))?;
    lines.flush()
}

fn write_frames(connection: &Connection, clock: &mut Clock, lines: &mut Lines<'_>) -> io::Result<()> {
    for (attempt, session) in connection.attempts.iter().map(|attempt| &attempt.session).enumerate() {
        let frames = FrameLines::new(connection.id(), attempt);
        for frame in session.iter().flat_map(|session| session.frames.iter()) {
            frames.push(frame, clock, &mut lines.buffer);
            lines.send_if_full()?;
        }
    }
    Ok(())
}

/// Lines on their way out.
struct Lines<'a> {
    out: &'a mut dyn io::Write,
    buffer: Vec<u8>,
}

impl Lines<'_> {
    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut serializer = serde_json::Serializer::with_formatter(&mut self.buffer, Escapes);
        line.serialize(&mut serializer)?;
        self.buffer.push(b'\n');
        self.send_if_full()
    }

    fn send_if_full(&mut self) -> io::Result<()> {
        if self.buffer.len() >= BUFFER_BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.out.flush()
    }
}

const BUFFER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
