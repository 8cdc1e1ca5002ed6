//! `--write-failures`: the packets of connections with findings, written when the findings are known.
//!
//! Until then they are in [`Memory`], with all others. A connection is written when it is over and all that happened by then
//! was judged, so that each finding stands at the packets that it is about. One that goes on is written before its packets
//! are forgotten, and at least once a minute; a finding that comes too late for a packet stands at the next one that is
//! written of its connections. What was forgotten by then cannot be written, and that is told.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::aside::Aside;
use super::session::Failed;
use crate::capture::live::{Memory, Remembered};
use crate::capture::{CaptureError, PcapngOutput};
use crate::failures::comment;
use crate::limits::{
    LIVE_FAILURES, LIVE_FAILURES_PATIENCE, LIVE_FAILURES_PAUSE, LIVE_FAILURES_WRITES, LIVE_MEMORY_BYTES,
};
use crate::model::Connection;
use crate::pipeline::{Export, ExportedInterfaces};
use crate::units::{PacketNumber, Timestamp};
use crate::watch::{Found, Involved};

/// The file, before anything is written to it.
pub(super) struct FailuresFile {
    out: PcapngOutput,
    memory: Memory,
}

/// What is to be written.
pub(super) struct Failures {
    path: PathBuf,
    memory: Memory,
    /// Who writes: packets do not wait for that.
    writer: Aside<Job, Result<Export, CaptureError>>,
    pending: BTreeMap<PacketNumber, Pending>,
    /// What is to be said at packets that are being written, each with its connection.
    said: Vec<(Involved, Comment)>,
    /// Connections that were written to their ends, each with the packet behind it: a finding that comes late is not to
    /// have it written again.
    written: BTreeMap<PacketNumber, PacketNumber>,
    /// When something is written again at the earliest.
    next_write: Timestamp,
    /// Connections of which some packets were forgotten before they could be written.
    forgotten: u64,
    /// Connections that were given up at the limit.
    given_up: u64,
    /// What could be said at no packet any more.
    unsaid: u64,
}

/// Packets that are to be written, and where they are.
struct Job {
    export: Export,
    remembered: Remembered,
}

/// A connection of which more is to be written.
#[derive(Debug)]
struct Pending {
    involved: Involved,
    comments: Vec<Comment>,
    /// When it is written at the latest, if it goes on, or at the earliest, if it is over.
    due: Timestamp,
    /// If it is over: when that was known.
    over: Option<Timestamp>,
    /// The first packet that was not written.
    next: PacketNumber,
    lacks_some: bool,
}

/// What is to be said at a packet.
#[derive(Clone, Debug)]
struct Comment {
    packet: PacketNumber,
    words: String,
    /// The connections of the finding: the packet is of one of them.
    connections: Arc<[PacketNumber]>,
}

impl FailuresFile {
    /// Creates the file.
    ///
    /// # Errors
    /// If that cannot be done.
    pub(super) fn create(path: &Path, memory: Memory) -> Result<Self, CaptureError> {
        let mut out = PcapngOutput::create(path)?;
        out.flush()?;
        Ok(Self { out, memory })
    }

    /// Starts the thread that writes to it.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(super) fn start(self) -> io::Result<Failures> {
        let Self { mut out, memory } = self;
        let (path, mut interfaces) = (out.path().to_owned(), ExportedInterfaces::default());
        let writer = Aside::start("failures", move |job: Job| {
            let Job { mut export, mut remembered } = job;
            export.copy_more(&mut remembered, &mut out, &mut interfaces, |_| {})?;
            Ok(export)
        })?;
        Ok(Failures {
            path,
            memory,
            writer,
            pending: BTreeMap::new(),
            said: Vec::new(),
            written: BTreeMap::new(),
            next_write: Timestamp::MIN,
            forgotten: 0,
            given_up: 0,
            unsaid: 0,
        })
    }
}

impl Failures {
    /// Something was found.
    pub(super) fn found(&mut self, found: &Found, now: Timestamp) {
        for involved in &found.connections {
            let next = self.written.get(&involved.name).copied().unwrap_or(involved.name);
            let over = involved.last.map(|_| now);
            let due = now.after(if over.is_some() { LIVE_FAILURES_PATIENCE } else { LIVE_FAILURES_PAUSE });
            let pending =
                Pending { involved: *involved, comments: Vec::new(), due, over, next, lacks_some: false };
            self.pending.entry(involved.name).or_insert(pending);
        }
        while self.pending.len() > LIVE_FAILURES {
            self.pending.pop_first();
            self.given_up = self.given_up.saturating_add(1);
        }
        let connections: Arc<[PacketNumber]> = found.connections.iter().map(|it| it.name).collect();
        for packet in &found.finding.packets {
            let words = comment(&found.finding, *packet);
            self.say(Comment { packet: *packet, words, connections: Arc::clone(&connections) });
        }
    }

    /// A connection is over.
    pub(super) fn ended(&mut self, connection: &Connection, now: Timestamp) {
        if let Some(pending) = self.pending.get_mut(&connection.id()) {
            pending.involved.last = Some(connection.tcp.last.0);
            // What is found on it by its end comes by then.
            (pending.over, pending.due) = (Some(now), now.after(LIVE_FAILURES_PATIENCE));
        }
    }

    /// The clock was put to another time.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        for pending in self.pending.values_mut() {
            pending.due = pending.due.min(now.after(LIVE_FAILURES_PATIENCE));
            pending.over = pending.over.map(|over| over.min(now));
        }
        self.next_write = self.next_write.min(now);
    }

    /// Has what is due written. All that happened before `judged_up_to` was judged.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn look(&mut self, now: Timestamp, judged_up_to: Timestamp) -> Result<(), Failed> {
        let answer = self.writer.answer()?;
        self.take(answer)?;
        if !self.writer.is_free() || now < self.next_write {
            return Ok(());
        }
        let soon_forgotten = self.memory.soon_forgotten();
        let is_due = |pending: &Pending| {
            let is_judged = pending.over.is_none_or(|over| over < judged_up_to);
            (pending.due <= now && is_judged) || pending.next < soon_forgotten
        };
        let mut due: Vec<PacketNumber> =
            self.pending.iter().filter(|(_, pending)| is_due(pending)).map(|(name, _)| *name).collect();
        // Where there are many, the earliest need not wait.
        let too_many = self.pending.len().saturating_sub(LIVE_FAILURES / 2);
        due.extend(self.pending.keys().take(too_many));
        due.sort_unstable();
        due.dedup();
        if !due.is_empty() {
            self.next_write = now.after(LIVE_FAILURES_WRITES);
            self.write(&due, now);
        }
        Ok(())
    }

    /// Writes all there is.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn finish(&mut self) -> Result<(), Failed> {
        let answer = self.writer.wait()?;
        self.take(answer)?;
        let all: Vec<PacketNumber> = self.pending.keys().copied().collect();
        self.write(&all, Timestamp::MAX);
        self.pending.clear();
        let answer = self.writer.wait()?;
        self.take(answer)
    }

    /// What whoever reads the file must know, in words.
    pub(super) fn warnings(&self) -> Vec<String> {
        let (path, mib) = (self.path.display(), LIVE_MEMORY_BYTES >> 20);
        let mut warnings = Vec::new();
        if self.forgotten > 0 {
            warnings.push(format!(
                "{path}: of {} connections packets are missing: only the latest {mib} MiB are kept until something is found \
                 (-w FILE keeps all)",
                self.forgotten
            ));
        }
        if self.given_up > 0 {
            warnings.push(format!(
                "{path}: of {} connections it has the beginning at most: there were too many with findings at once",
                self.given_up
            ));
        }
        if self.unsaid > 0 {
            warnings.push(format!(
                "{path}: {} comments are missing: what they say was found when the packets had been written or forgotten",
                self.unsaid
            ));
        }
        warnings
    }

    /// Has a comment written with its packet, or with whatever packet of its connections is written next.
    fn say(&mut self, comment: Comment) {
        let has = |name: &&PacketNumber| {
            self.pending.get(name).is_some_and(|pending| {
                (pending.next..=pending.involved.last.unwrap_or(comment.packet)).contains(&comment.packet)
            })
        };
        let goes_on = |name: &&PacketNumber| {
            let pending = self.pending.get(name);
            pending.is_some_and(|pending| pending.involved.last.is_none_or(|last| pending.next <= last))
        };
        let names = || comment.connections.iter();
        let name = names().find(has).or_else(|| names().find(goes_on)).copied();
        if let Some(pending) = name.and_then(|name| self.pending.get_mut(&name)) {
            pending.comments.push(comment);
        } else {
            self.unsaid = self.unsaid.saturating_add(1);
        }
    }

    /// Takes what came of writing.
    fn take(&mut self, answer: Option<Result<Export, CaptureError>>) -> Result<(), Failed> {
        let Some(export) = answer.transpose()? else { return Ok(()) };
        for (involved, comment) in std::mem::take(&mut self.said) {
            if export.is_left(comment.packet, &involved.flow, &comment.words) {
                self.say(comment);
            }
        }
        Ok(())
    }

    /// Has what there is of these connections written, all in one pass. Those that are over are done with.
    fn write(&mut self, names: &[PacketNumber], now: Timestamp) {
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
            let first = pending.next.max(kept_first.unwrap_or_default());
            for comment in pending.comments.drain(..) {
                if comment.packet >= first {
                    export.comment(comment.packet, comment.words.clone());
                } else {
                    export.comment_next(pending.involved.flow, comment.words.clone());
                }
                self.said.push((pending.involved, comment));
            }
            pending.next = PacketNumber(last.0.saturating_add(1)).max(pending.next);
            pending.due = now.after(LIVE_FAILURES_PAUSE);
            if pending.over.is_some() {
                self.written.insert(*name, pending.next);
                self.pending.remove(name);
            }
        }
        while self.written.len() > LIVE_FAILURES {
            self.written.pop_first();
        }
        remembered.skip_to(earliest);
        self.writer.ask(Job { export, remembered });
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
        memory.add(Block { bytes: vec![0; bytes], packets: vec![packet], first, ..Block::default() });
    }

    fn failures(memory: &Memory) -> (Failures, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let file = FailuresFile::create(&folder.path().join("x.pcapng"), memory.clone()).unwrap();
        (file.start().unwrap(), folder)
    }

    /// Looks and waits for what is written by that.
    fn write(failures: &mut Failures, now: Timestamp, judged_up_to: Timestamp) {
        failures.look(now, judged_up_to).unwrap();
        let answer = failures.writer.wait().unwrap();
        failures.take(answer).unwrap();
    }

    #[test]
    fn what_was_forgotten_before_it_could_be_written_is_told() {
        let memory = Memory::new(Vec::new());
        let (mut failures, _folder) = failures(&memory);
        (1..=8).for_each(|first| remember(&memory, first, LIVE_MEMORY_BYTES / 4));
        failures.found(&found(7, Some(8)), Timestamp::MIN);
        write(&mut failures, Timestamp::MAX, Timestamp::MAX);
        assert!(failures.warnings().is_empty(), "it is all there");
        failures.next_write = Timestamp::MIN;
        failures.found(&found(2, Some(8)), Timestamp::MIN);
        write(&mut failures, Timestamp::MAX, Timestamp::MAX);
        let warnings = failures.warnings();
        assert!(warnings[0].contains("of 1 connections packets are missing"), "{warnings:?}");
        assert!(failures.pending.is_empty());
    }

    #[test]
    fn not_too_many_connections_wait() {
        let memory = Memory::new(Vec::new());
        remember(&memory, 1, 60);
        let (mut failures, _folder) = failures(&memory);
        for name in 1..=LIVE_FAILURES as u64 + 5 {
            failures.found(&found(name, None), Timestamp::MIN);
        }
        assert_eq!(failures.pending.len(), LIVE_FAILURES);
        let warnings = failures.warnings();
        assert!(warnings.iter().any(|warning| warning.contains("of 5 connections it has the")));
    }

    /// A conversation of two, a packet in each block, one a second.
    fn conversation(memory: &Memory, packets: std::ops::RangeInclusive<u64>) -> FlowKey {
        for number in packets {
            let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
                .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .tcp(40_000, 80, u32::try_from(number).unwrap(), 1_000);
            let mut bytes = Vec::new();
            builder.write(&mut bytes, b"x").unwrap();
            let length = u32::try_from(bytes.len()).unwrap();
            let time = second(number);
            let link = LinkType::ETHERNET;
            let packet = PacketMeta { time, start: 0, captured: length, original: length, link };
            let first = PacketNumber(number);
            memory.add(Block { bytes, packets: vec![packet], first, ..Block::default() });
        }
        FlowKey::ipv4(([10, 0, 0, 1], 40_000), ([10, 0, 0, 2], 80)).0
    }

    fn second(second: u64) -> Timestamp {
        Timestamp::from_parts(i64::try_from(second).unwrap(), 0)
    }

    /// Something that is found at a packet of the connection that begins with the first one.
    fn found_at(flow: FlowKey, packet: u64, last: Option<u64>) -> Found {
        let mut found = found(1, last);
        found.connections[0].flow = flow;
        found.finding.packets = vec![PacketNumber(packet)];
        found
    }

    /// At which packets of the file which packets' findings are told.
    fn told(failures: &Failures) -> Vec<(usize, String)> {
        let bytes = std::fs::read(&failures.path).unwrap();
        let (mut told, mut at, mut packets) = (Vec::new(), 0, 0);
        while at < bytes.len() {
            let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let (kind, length) = (number(at), number(at + 4) as usize);
            let is_packet = kind == 6;
            packets += usize::from(is_packet);
            let text = String::from_utf8_lossy(&bytes[at..at + length]).into_owned();
            let mut rest = text.as_str();
            while let (true, Some((_, after))) = (is_packet, rest.split_once("(packet ")) {
                let (about, after) = after.split_once(' ').unwrap();
                told.push((packets, about.to_owned()));
                rest = after;
            }
            at += length;
        }
        told
    }

    #[test]
    fn what_is_found_late_stands_at_the_next_packet() {
        let memory = Memory::new(Vec::new());
        let (mut failures, _folder) = failures(&memory);
        let flow = conversation(&memory, 1..=5);
        // It goes on, and is not written at once.
        failures.found(&found_at(flow, 2, None), second(5));
        write(&mut failures, second(6), second(6));
        assert_eq!(told(&failures), []);
        failures.found(&found_at(flow, 4, None), second(6));
        write(&mut failures, second(70), second(70));
        let both = [(2, "2".to_owned()), (4, "4".to_owned())];
        assert_eq!(told(&failures), both);
        // Packet 3 was written; nothing more comes for now, and then something does.
        failures.found(&found_at(flow, 3, None), second(71));
        write(&mut failures, second(140), second(140));
        assert_eq!(told(&failures), both);
        conversation(&memory, 6..=8);
        failures.found(&found_at(flow, 8, Some(8)), second(141));
        failures.pending.get_mut(&PacketNumber(1)).unwrap().over = Some(second(141));
        failures.pending.get_mut(&PacketNumber(1)).unwrap().involved.last = Some(PacketNumber(8));
        write(&mut failures, second(1_000), second(141));
        assert_eq!(told(&failures), both, "something may be found on it yet");
        write(&mut failures, second(1_000), second(142));
        let all = [&both[..], &[(6, "3".to_owned()), (8, "8".to_owned())]].concat();
        assert_eq!(told(&failures), all);
        assert!(failures.pending.is_empty() && failures.warnings().is_empty());
        // Of what is found now nothing is written any more.
        failures.found(&found_at(flow, 8, Some(8)), second(1_001));
        failures.finish().unwrap();
        assert_eq!(told(&failures), all);
        assert!(failures.warnings()[0].contains("1 comments are missing"), "{:?}", failures.warnings());
    }

    #[test]
    fn an_open_connection_is_written_before_it_is_forgotten() {
        let memory = Memory::new(Vec::new());
        let (mut failures, _folder) = failures(&memory);
        let flow = conversation(&memory, 1..=3);
        failures.found(&found_at(flow, 2, None), second(4));
        (4..7).for_each(|first| remember(&memory, first, LIVE_MEMORY_BYTES / 4 + 1));
        write(&mut failures, second(5), second(5));
        assert_eq!(told(&failures), [(2, "2".to_owned())]);
        assert_eq!(failures.pending.len(), 1);
    }
}
