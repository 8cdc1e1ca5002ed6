//! `--write-failures`: the packets of connections with findings, written when the findings are known.
//!
//! Until then they are in [`Memory`], with all others. A connection is written some seconds after a finding on it, and what
//! comes of it later now and then, until it is over. What was forgotten by then cannot be written, and that is told.

use std::collections::BTreeMap;
use std::path::Path;

use crate::capture::live::Memory;
use crate::capture::{CaptureError, PcapngOutput};
use crate::failures::comment;
use crate::limits::{LIVE_FAILURES, LIVE_FAILURES_PATIENCE, LIVE_FAILURES_PAUSE, LIVE_MEMORY_BYTES};
use crate::model::Connection;
use crate::pipeline::{Export, ExportedInterfaces};
use crate::units::{PacketNumber, Timestamp};
use crate::watch::{Found, Involved};

/// What is to be written, and where.
pub(super) struct Failures {
    out: PcapngOutput,
    interfaces: ExportedInterfaces,
    memory: Memory,
    pending: BTreeMap<PacketNumber, Pending>,
    /// Connections that were written to their ends, each with the packet behind it: a finding that comes late is not to
    /// have it written again.
    written: BTreeMap<PacketNumber, PacketNumber>,
    /// Connections of which some packets were forgotten before they could be written.
    forgotten: u64,
    /// Connections that were given up at the limit.
    given_up: u64,
}

/// A connection of which more is to be written.
#[derive(Debug)]
struct Pending {
    involved: Involved,
    /// What is to be said, and at which packets.
    comments: Vec<(PacketNumber, String)>,
    /// When.
    due: Timestamp,
    /// The first packet that was not written.
    next: PacketNumber,
    lacks_some: bool,
}

impl Failures {
    /// Creates the file.
    ///
    /// # Errors
    /// If that cannot be done.
    pub(super) fn create(path: &Path, memory: Memory) -> Result<Self, CaptureError> {
        let mut out = PcapngOutput::create(path)?;
        out.flush()?;
        Ok(Self {
            out,
            interfaces: ExportedInterfaces::default(),
            memory,
            pending: BTreeMap::new(),
            written: BTreeMap::new(),
            forgotten: 0,
            given_up: 0,
        })
    }

    /// Something was found.
    ///
    /// # Errors
    /// If what has to go for it cannot be written.
    pub(super) fn found(&mut self, found: &Found, now: Timestamp) -> Result<(), CaptureError> {
        let finding = &found.finding;
        let due = now.after(LIVE_FAILURES_PATIENCE);
        for involved in &found.connections {
            let name = involved.name;
            let next = self.written.get(&name).copied().unwrap_or(name);
            let pending =
                || Pending { involved: *involved, comments: Vec::new(), due, next, lacks_some: false };
            let pending = self.pending.entry(name).or_insert_with(pending);
            pending.due = pending.due.min(due);
        }
        for packet in &finding.packets {
            // With one of its connections: the packet is looked for in all of them.
            let words = comment(finding, *packet);
            let first = found.connections.iter().find(|it| it.name <= *packet).or(found.connections.first());
            if let Some(pending) = first.and_then(|first| self.pending.get_mut(&first.name)) {
                pending.comments.push((*packet, words));
            }
        }
        while self.pending.len() > LIVE_FAILURES {
            let Some(name) = self.pending.keys().next().copied() else { break };
            self.given_up = self.given_up.saturating_add(1);
            self.write(&[name], now)?;
            self.pending.remove(&name);
        }
        Ok(())
    }

    /// A connection is over.
    pub(super) fn ended(&mut self, connection: &Connection, now: Timestamp) {
        if let Some(pending) = self.pending.get_mut(&connection.id()) {
            pending.involved.last = Some(connection.tcp.last.0);
            // What is found on it by its end comes by then.
            pending.due = pending.due.max(now.after(LIVE_FAILURES_PATIENCE));
        }
    }

    /// The clock was put to another time.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        for pending in self.pending.values_mut() {
            pending.due = pending.due.min(now.after(LIVE_FAILURES_PATIENCE));
        }
    }

    /// Writes what is due.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn look(&mut self, now: Timestamp) -> Result<(), CaptureError> {
        let due: Vec<PacketNumber> =
            self.pending.iter().filter(|(_, pending)| pending.due <= now).map(|(name, _)| *name).collect();
        if due.is_empty() {
            return Ok(());
        }
        self.write(&due, now)
    }

    /// Writes all there is.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn finish(&mut self) -> Result<(), CaptureError> {
        let all: Vec<PacketNumber> = self.pending.keys().copied().collect();
        self.write(&all, Timestamp::MAX)
    }

    /// What whoever reads the file must know, in words.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mib = LIVE_MEMORY_BYTES >> 20;
        if self.forgotten > 0 {
            warnings.push(format!(
                "{}: of {} connections packets are missing: only the latest {mib} MiB are kept until something is found \
                 (-w FILE keeps all)",
                self.out.path().display(),
                self.forgotten
            ));
        }
        if self.given_up > 0 {
            warnings.push(format!(
                "{}: of {} connections it has the beginning only: there were too many with findings at once",
                self.out.path().display(),
                self.given_up
            ));
        }
        warnings
    }

    /// Writes what there is of these connections, all in one pass.
    fn write(&mut self, names: &[PacketNumber], now: Timestamp) -> Result<(), CaptureError> {
        let mut export = Export::default();
        let mut remembered = self.memory.read();
        let (kept_first, kept_last) = (remembered.first(), remembered.last());
        let mut earliest = PacketNumber(u64::MAX);
        for name in names {
            let Some(pending) = self.pending.get_mut(name) else { continue };
            let last = pending.involved.last.unwrap_or(kept_last).min(kept_last);
            let lacks_some = kept_first.is_none_or(|first| pending.next < first);
            if lacks_some && last >= pending.next && !pending.lacks_some {
                pending.lacks_some = true;
                self.forgotten = self.forgotten.saturating_add(1);
            }
            export.add_packets(pending.involved.flow, pending.next, last);
            earliest = earliest.min(pending.next);
            for (packet, words) in pending.comments.drain(..) {
                export.comment(packet, words);
            }
            pending.next = PacketNumber(last.0.saturating_add(1)).max(pending.next);
            pending.due = now.after(LIVE_FAILURES_PAUSE);
        }
        remembered.skip_to(earliest);
        export.copy_more(&mut remembered, &mut self.out, &mut self.interfaces, |_| {})?;
        for name in names {
            let is_over = self.pending.get(name).is_some_and(|pending| pending.involved.last.is_some());
            if let Some(pending) = is_over.then(|| self.pending.remove(name)).flatten() {
                self.written.insert(*name, pending.next);
            }
        }
        while self.written.len() > LIVE_FAILURES {
            self.written.pop_first();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Block, LinkType, PacketMeta};
    use crate::decode::FlowKey;
    use crate::diagnosis::{Blame, Finding, Rule};

    fn found(name: u64, last: Option<u64>) -> Found {
        let (flow, _) = FlowKey::ipv4(([10, 0, 0, 1], 1), ([10, 0, 0, 1], 2));
        let involved = Involved { name: PacketNumber(name), flow, last: last.map(PacketNumber) };
        let rule = Rule::find("upgrade-stripped").unwrap();
        Found {
            finding: Finding::new(rule, Blame::Client([10, 0, 0, 1].into()), "does something"),
            legs: Vec::new(),
            connections: vec![involved],
        }
    }

    fn remember(memory: &Memory, first: u64, bytes: usize) {
        let packet = PacketMeta {
            time: Timestamp::MIN,
            start: 0,
            captured: 60,
            original: 60,
            link: LinkType::ETHERNET,
        };
        let first = PacketNumber(first);
        memory.add(Block { bytes: vec![0; bytes], packets: vec![packet], first, file_offset: 0 });
    }

    #[test]
    fn what_was_forgotten_before_it_could_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(Vec::new());
        let mut failures = Failures::create(&folder.path().join("x.pcapng"), memory.clone()).unwrap();
        (1..=8).for_each(|first| remember(&memory, first, LIVE_MEMORY_BYTES / 4));
        failures.found(&found(7, Some(8)), Timestamp::MIN).unwrap();
        failures.look(Timestamp::MAX).unwrap();
        assert!(failures.warnings().is_empty(), "it is all there");
        failures.found(&found(2, Some(8)), Timestamp::MIN).unwrap();
        failures.look(Timestamp::MAX).unwrap();
        let warnings = failures.warnings();
        assert!(warnings[0].contains("of 1 connections packets are missing"), "{warnings:?}");
        assert!(failures.pending.is_empty());
    }

    #[test]
    fn not_too_many_connections_wait() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(Vec::new());
        remember(&memory, 1, 60);
        let mut failures = Failures::create(&folder.path().join("x.pcapng"), memory).unwrap();
        for name in 1..=LIVE_FAILURES as u64 + 5 {
            failures.found(&found(name, None), Timestamp::MIN).unwrap();
        }
        assert_eq!(failures.pending.len(), LIVE_FAILURES);
        assert!(failures.warnings().iter().any(|warning| warning.contains("of 5 connections it has the")));
    }
}
