//! The lines of a capture that goes on. Connections and the summary are those of the report.

use std::io;

use serde::Serialize;

use super::attempt::{self, AttemptView};
use super::escapes::Escapes;
use super::finding::{self, FindingView};
use super::summary::SummaryLine;
use super::time::{Clock, TimeText};
use super::{connection, summary};
use crate::diagnosis::{Diagnosis, Finding};
use crate::model::{Capture, Connection};
use crate::numbering::Numbering;
use crate::protocol::Role;
use crate::report::live::{Started, Status};
use crate::report::wire::Wire;
use crate::units::{PacketNumber, Timestamp};

/// Writes lines.
#[derive(Debug)]
pub(crate) struct Lines {
    wire: Wire,
    clock: Clock,
    buffer: Vec<u8>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "start")]
struct StartLine<'a> {
    schema: u32,
    time: TimeText,
    interfaces: Vec<InterfaceView<'a>>,
    filter: &'a str,
    confinement: &'a [String],
    /// Where metrics are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<String>,
}

#[derive(Serialize)]
struct InterfaceView<'a> {
    name: &'a str,
    link_type: u16,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "handshake")]
struct HandshakeLine<'a> {
    schema: u32,
    connection: u64,
    attempt: usize,
    client: String,
    server: String,
    #[serde(flatten)]
    view: AttemptView<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "finding")]
struct FindingLine<'a> {
    schema: u32,
    time: TimeText,
    legs: Vec<LegView>,
    #[serde(flatten)]
    view: FindingView<'a>,
}

#[derive(Serialize)]
struct LegView {
    connection: u64,
    attempt: Option<usize>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "warning")]
struct WarningLine<'a> {
    schema: u32,
    time: TimeText,
    message: &'a str,
}

#[derive(Serialize)]
struct LiveSummaryLine<'a> {
    #[serde(flatten)]
    summary: SummaryLine<'a>,
    dropped: DropsView,
}

#[derive(Serialize)]
struct DropsView {
    received: u64,
    by_kernel: u64,
    by_interface: u64,
    by_program: u64,
}

impl Lines {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire, clock: Clock::default(), buffer: Vec::new() }
    }

    pub(crate) fn started(&mut self, started: &Started, out: &mut dyn io::Write) -> io::Result<()> {
        let interface = |(name, link_type): &'_ (String, u16)| (name.clone(), *link_type);
        let interfaces: Vec<(String, u16)> = started.interfaces.iter().map(interface).collect();
        let line = StartLine {
            schema: 1,
            time: self.clock.text(started.time),
            interfaces: interfaces
                .iter()
                .map(|(name, link_type)| InterfaceView { name, link_type: *link_type })
                .collect(),
            filter: &started.filter,
            confinement: &started.confinement,
            metrics: started.metrics.map(|address| address.to_string()),
        };
        write(&mut self.buffer, &line, out)
    }

    pub(crate) fn handshake(
        &mut self,
        connection: &Connection,
        attempt: usize,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let Some(decided) = connection.attempts.get(attempt) else { return Ok(()) };
        let line = HandshakeLine {
            schema: 1,
            connection: connection.id().0,
            attempt,
            client: connection.endpoint(Role::Client).to_string(),
            server: connection.endpoint(Role::Server).to_string(),
            view: attempt::view(decided, connection, (self.wire, Numbering::ONE_FILE), now, &mut self.clock),
        };
        write(&mut self.buffer, &line, out)
    }

    pub(crate) fn ended(
        &mut self,
        connection: &Connection,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let line = connection::line(connection, None, (self.wire, Numbering::ONE_FILE), now, &mut self.clock);
        write(&mut self.buffer, &line, out)
    }

    pub(crate) fn found(
        &mut self,
        finding: &Finding,
        legs: &[(PacketNumber, Option<usize>)],
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let leg = |(connection, attempt): &(PacketNumber, Option<usize>)| LegView {
            connection: connection.0,
            attempt: *attempt,
        };
        let time = self.clock.text(now);
        let line = FindingLine {
            schema: 1,
            time,
            legs: legs.iter().map(leg).collect(),
            view: finding::view(finding, Numbering::ONE_FILE),
        };
        write(&mut self.buffer, &line, out)
    }

    pub(crate) fn warning(
        &mut self,
        message: &str,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let line = WarningLine { schema: 1, time: self.clock.text(now), message };
        write(&mut self.buffer, &line, out)
    }

    pub(crate) fn summary(
        &mut self,
        capture: &Capture,
        status: Status,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let diagnosis = Diagnosis::default();
        let line = LiveSummaryLine {
            summary: summary::line(capture, &diagnosis, &mut self.clock),
            dropped: DropsView {
                received: status.received,
                by_kernel: status.dropped_by_kernel,
                by_interface: status.dropped_by_interface,
                // It waits instead, and leaves it to the kernel.
                by_program: 0,
            },
        };
        write(&mut self.buffer, &line, out)
    }
}

fn write(buffer: &mut Vec<u8>, line: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    buffer.clear();
    line.serialize(&mut serde_json::Serializer::with_formatter(&mut *buffer, Escapes))?;
    buffer.push(b'\n');
    out.write_all(buffer)
}
