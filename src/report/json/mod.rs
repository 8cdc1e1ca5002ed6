//! The JSON report: one object a line, `"schema":1`. Fields may be added, never renamed.
//!
//! Connections come in the order of their first packets, each followed by its frames and its messages if they are
//! wanted; then routes;
//! one summary comes last. The values are those of the wire but for secrets; characters that a terminal would obey
//! are written as `\u` escapes.

mod attempt;
mod connection;
mod digits;
mod escapes;
mod file;
mod finding;
mod frame;
pub(super) mod live;
mod message;
mod over_tls;
mod passage;
mod place;
mod route;
mod summary;
mod time;
pub(super) mod tls;

use std::io;

use serde::Serialize;

use super::ReportOptions;
use super::wire::Wire;
use crate::diagnosis::{About, Diagnosis, Finding};
use crate::model::{Capture, Connection};
use crate::numbering::Numbering;
use crate::units::Timestamp;
use escapes::Escapes;
use frame::FrameLines;
use time::Clock;

/// Writes the report.
pub(super) fn write(
    capture: &Capture,
    diagnosis: &Diagnosis,
    options: &ReportOptions,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut lines = Lines { out, buffer: Vec::with_capacity(BUFFER_BYTES.saturating_mul(2)) };
    let mut clock = Clock::default();
    let mut frames = FrameLines::new();
    let wire = Wire { shows_secrets: options.shows_secrets };
    let capture_end = capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    let findings = findings_by_connection(capture, diagnosis);
    let mut over_tls = over_tls::by_connection(capture, &diagnosis.routes);
    for (place, (connection, findings)) in capture.connections.iter().zip(&findings).enumerate() {
        // What something was found about is told, whoever asked for it.
        if connection.attempts.is_empty() && findings.is_empty() && !options.keeps_all {
            continue;
        }
        let numbering = &capture.numbering;
        let mut line =
            connection::line(connection, Some(findings), (wire, numbering), capture_end, &mut clock);
        line.tie(over_tls.remove(&place).unwrap_or_default());
        lines.write(&line)?;
        if options.frames {
            write_frames(connection, &capture.numbering, &mut clock, &mut frames, &mut lines)?;
        }
        if options.messages {
            write_messages(connection, (wire, &capture.numbering), &mut clock, &mut lines)?;
        }
    }
    for (route, findings) in diagnosis.routes.iter().zip(&findings_by_route(diagnosis)) {
        if let Some(line) = route::line(route, findings, capture, wire) {
            lines.write(&line)?;
        }
    }
    lines.write(&summary::line(capture, diagnosis, &mut clock))?;
    lines.flush()
}

/// For each connection the findings that stand on its line: those about it alone, and those about a route of which it
/// has the only leg.
fn findings_by_connection<'a>(capture: &Capture, diagnosis: &'a Diagnosis) -> Vec<Vec<&'a Finding>> {
    let mut by_connection = vec![Vec::new(); capture.connections.len()];
    for finding in &diagnosis.findings {
        let connection = match &finding.about {
            About::Connections(places) => places.first().filter(|_| places.len() == 1).copied(),
            About::Routes(routes) => {
                routes.first().filter(|_| routes.len() == 1).and_then(|route| only_leg(diagnosis, *route))
            }
            About::Capture => None,
        };
        if let Some(here) = connection.and_then(|connection| by_connection.get_mut(connection)) {
            here.push(finding);
        }
    }
    by_connection
}

/// For each route the findings about it alone.
fn findings_by_route(diagnosis: &Diagnosis) -> Vec<Vec<&Finding>> {
    let mut by_route = vec![Vec::new(); diagnosis.routes.len()];
    for finding in &diagnosis.findings {
        if let About::Routes(routes) = &finding.about
            && let [route] = routes.as_slice()
            && let Some(here) = by_route.get_mut(*route)
        {
            here.push(finding);
        }
    }
    by_route
}

/// The connection of a route that has one leg.
fn only_leg(diagnosis: &Diagnosis, route: usize) -> Option<usize> {
    match diagnosis.routes.get(route)?.legs.as_slice() {
        [leg] => Some(leg.connection),
        _ => None,
    }
}

fn write_frames(
    connection: &Connection,
    numbering: &Numbering,
    clock: &mut Clock,
    frames: &mut FrameLines,
    lines: &mut Lines<'_>,
) -> io::Result<()> {
    for (attempt, session) in connection.attempts.iter().map(|attempt| &attempt.session).enumerate() {
        frames.begin(connection.id(), attempt);
        for frame in session.iter().flat_map(|session| session.frames.iter()) {
            let place = place::view(frame.packet, numbering);
            frames.push(frame, place, clock, &mut lines.buffer);
            lines.send_if_full()?;
        }
    }
    Ok(())
}

fn write_messages(
    connection: &Connection,
    (wire, numbering): (Wire, &Numbering),
    clock: &mut Clock,
    lines: &mut Lines<'_>,
) -> io::Result<()> {
    for (attempt, session) in connection.attempts.iter().map(|attempt| &attempt.session).enumerate() {
        let decoded = session.iter().filter_map(|session| session.decoded.as_ref());
        // Control frames are no messages (RFC 6455 section 5.6).
        let messages = decoded.flat_map(|decoded| decoded.messages.iter()).filter(|it| !it.is_control());
        for message in messages {
            lines.write(&message::line((connection.id(), attempt), message, (wire, numbering), clock))?;
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

/// What is seldom there is left out where it is not.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

const BUFFER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
