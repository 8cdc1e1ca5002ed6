//! The lines of a capture that goes on, for people: when, between whom, what.

use std::io;

use super::attempt::{Scene, answer, asked};
use super::time::Clock;
use super::{ending, verdict};
use crate::diagnosis::Finding;
use crate::model::{Capture, Connection, Outcome};
use crate::protocol::Role;
use crate::report::TimeStyle;
use crate::report::count::count;
use crate::report::live::{Started, Status};
use crate::report::wire::Wire;
use crate::text;
use crate::units::Timestamp;

/// Writes lines.
#[derive(Debug)]
pub(crate) struct Lines {
    wire: Wire,
    style: TimeStyle,
    start: Timestamp,
    clock: Clock,
}

impl Lines {
    pub(crate) fn new(wire: Wire, style: TimeStyle) -> Self {
        let start = Timestamp::from_nanos(0);
        Self { wire, style, start, clock: Clock::new(style, start).without_day() }
    }

    pub(crate) fn started(&mut self, started: &Started, out: &mut dyn io::Write) -> io::Result<()> {
        self.start = started.time;
        self.clock = Clock::new(self.style, self.start).without_day();
        let names: Vec<&str> = started.interfaces.iter().map(|(name, _)| name.as_str()).collect();
        let names = text::escape(&names.join(", ")).into_owned();
        let filter = text::escape(&started.filter).into_owned();
        self.line(started.time, &format!("capturing on {names}, filter: {filter}"), out)?;
        if let Some(address) = started.metrics {
            self.line(started.time, &format!("metrics on http://{address}/metrics"), out)?;
        }
        if !started.confinement.is_empty() {
            self.line(started.time, &format!("confined: {}", started.confinement.join(", ")), out)?;
        }
        Ok(())
    }

    pub(crate) fn handshake(
        &mut self,
        (connection, attempt): (&Connection, usize),
        outcome: Outcome,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let Some(decided) = connection.attempts.get(attempt) else { return Ok(()) };
        let clock = Clock::new(TimeStyle::Utc, self.start);
        let scene = Scene { clock, wire: self.wire, capture_end: now };
        let answer = answer(decided, outcome, connection, &scene);
        let answer = if answer.is_empty() { String::new() } else { format!(": {answer}") };
        let packet = decided.response.as_ref().map(|response| format!(", {}", response.origin.packet));
        let answered = decided.response.as_ref().map_or(now, |response| response.origin.time);
        let said = format!(
            "{}  {}  {}{answer}{}",
            sides(connection),
            asked(decided, self.wire),
            outcome.name(),
            packet.unwrap_or_default()
        );
        self.line(answered, &said, out)
    }

    pub(crate) fn ended(
        &mut self,
        connection: &Connection,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let last = connection.attempts.last().cloned().unwrap_or_default();
        let flowed = last.session.as_ref().map(|session| {
            let [client, server] =
                [&session.client, &session.server].map(|side| count(side.frames(), "frame"));
            format!("; {client} from the client, {server} from the server")
        });
        let how = ending::sentence(&last, connection, now);
        let how = if connection.tcp.ending.is_some() { format!("closed: {how}") } else { how };
        let said = format!("{}  {how}{}", sides(connection), flowed.unwrap_or_default());
        self.line(connection.tcp.last.1, &said, out)
    }

    pub(crate) fn found(
        &mut self,
        finding: &Finding,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let rule = finding.rule;
        let packets: Vec<String> = finding.packets.iter().map(ToString::to_string).collect();
        let packets = if packets.is_empty() { String::new() } else { format!(" ({})", packets.join(", ")) };
        let (severity, message) = (finding.severity.name(), finding.message());
        let said = format!("{severity} {} {}: {message}{packets}", rule.code, rule.name);
        self.line(now, &text::escape(&said), out)
    }

    pub(crate) fn warning(
        &mut self,
        message: &str,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        self.line(now, &format!("warning: {}", text::escape(message)), out)
    }

    pub(crate) fn summary(
        &mut self,
        capture: &Capture,
        status: Status,
        now: Timestamp,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let (verdict, _) = verdict::verdict(&capture.totals);
        let dropped = format!(
            "dropped by the kernel: {}, by interfaces: {}",
            count(status.dropped_by_kernel, "packet"),
            count(status.dropped_by_interface, "packet")
        );
        self.line(now, &format!("{verdict}; {}; {dropped}", verdict::extent(&capture.totals)), out)
    }

    fn line(&self, time: Timestamp, said: &str, out: &mut dyn io::Write) -> io::Result<()> {
        writeln!(out, "{}  {said}", self.time(time))
    }

    fn time(&self, time: Timestamp) -> String {
        self.clock.show(time)
    }
}

fn sides(connection: &Connection) -> String {
    format!("{} -> {}", connection.endpoint(Role::Client), connection.endpoint(Role::Server))
}
