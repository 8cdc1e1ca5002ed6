//! Records what is captured: one pcapng file, or several one after the other.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::Drops;
use crate::capture::pcapng::encode::{Interface, Packet, Statistics};
use crate::capture::{Block, CaptureError, InterfaceId, PcapngOutput};
use crate::units::{Span, Timestamp};

/// When a new file is begun, and how many are kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// When the file has so many bytes.
    pub bytes: Option<u64>,
    /// When its first packet is so old, by the packets' times.
    pub span: Option<Span>,
    /// So many files are kept, and the oldest is removed. All of them if there is no number.
    pub files: Option<usize>,
}

/// Writes packets as they come.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    rotation: Rotation,
    interfaces: Vec<Interface>,
    out: PcapngOutput,
    ids: Vec<InterfaceId>,
    /// The time of the first packet of this file.
    began: Option<Timestamp>,
    /// The times of the first and the latest packet of all.
    first_and_last: Option<(Timestamp, Timestamp)>,
    /// The number of this file.
    number: u64,
    finished: VecDeque<PathBuf>,
    delivered: Vec<u64>,
}

impl Rotation {
    /// Whether there may be more than one file.
    #[must_use]
    pub const fn is_wanted(self) -> bool {
        self.bytes.is_some() || self.span.is_some()
    }
}

impl Recorder {
    /// Creates the first file. If there are to be several, they are numbered: `name_00001.pcapng`.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(path: &Path, rotation: Rotation, interfaces: Vec<Interface>) -> Result<Self, CaptureError> {
        let first = if rotation.is_wanted() { numbered(path, 1) } else { path.to_owned() };
        let mut out = PcapngOutput::create(&first)?;
        let ids = interfaces.iter().map(|interface| out.interface(interface.clone())).collect();
        out.flush()?;
        let delivered = vec![0; interfaces.len()];
        Ok(Self {
            path: path.to_owned(),
            rotation,
            interfaces,
            out,
            ids,
            began: None,
            first_and_last: None,
            number: 1,
            finished: VecDeque::new(),
            delivered,
        })
    }

    /// The file that is being written.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.out.path()
    }

    /// Writes the packets of a block. They are in the file when this returns. `place_of` says which interface a packet
    /// came by.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(
        &mut self,
        block: &Block,
        place_of: impl Fn(usize) -> usize,
        drops: &[Drops],
    ) -> Result<(), CaptureError> {
        for (number, packet) in block.packets.iter().enumerate() {
            if self.is_full(packet.time) {
                self.next_file(drops)?;
            }
            let place = place_of(number);
            let Some(id) = self.ids.get(place) else { continue };
            let captured = block.captured(packet);
            let written = Packet { time: packet.time, original: packet.original, captured, comments: &[] };
            self.out.packet(*id, &written)?;
            self.began.get_or_insert(packet.time);
            let (first, last) = self.first_and_last.unwrap_or((packet.time, packet.time));
            self.first_and_last = Some((first, last.max(packet.time)));
            if let Some(delivered) = self.delivered.get_mut(place) {
                *delivered = delivered.saturating_add(1);
            }
        }
        self.out.flush()
    }

    /// Writes what was counted, and ends.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self, drops: &[Drops]) -> Result<(), CaptureError> {
        self.end_file(drops)
    }

    fn is_full(&self, time: Timestamp) -> bool {
        let Some(began) = self.began else { return false };
        self.rotation.bytes.is_some_and(|bytes| self.out.length() >= bytes)
            || self.rotation.span.is_some_and(|span| time.since(began) >= span)
    }

    fn next_file(&mut self, drops: &[Drops]) -> Result<(), CaptureError> {
        self.end_file(drops)?;
        self.number = self.number.saturating_add(1);
        let next = PcapngOutput::create(&numbered(&self.path, self.number))?;
        let before = std::mem::replace(&mut self.out, next);
        self.finished.push_back(before.path().to_owned());
        let out = &mut self.out;
        self.ids = self.interfaces.iter().map(|interface| out.interface(interface.clone())).collect();
        self.began = None;
        while self.rotation.files.is_some_and(|files| self.finished.len() >= files.max(1)) {
            let Some(oldest) = self.finished.pop_front() else { break };
            // Somebody else may have moved it away.
            let _ = fs::remove_file(oldest);
        }
        Ok(())
    }

    fn end_file(&mut self, drops: &[Drops]) -> Result<(), CaptureError> {
        let (start, end) = self.first_and_last.unwrap_or_default();
        for (place, id) in self.ids.iter().enumerate() {
            let drops = drops.get(place).copied().unwrap_or_default();
            let statistics = Statistics {
                start,
                end,
                received: drops.received,
                dropped_by_interface: drops.by_interface,
                dropped_by_system: drops.by_kernel,
                delivered: self.delivered.get(place).copied().unwrap_or_default(),
            };
            self.out.statistics(*id, &statistics);
        }
        self.out.flush()
    }
}

/// `dump.pcapng` as `dump_00007.pcapng`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.file_stem().map(OsString::from).unwrap_or_default();
    name.push(format!("_{number:05}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::read;
    use crate::capture::{LinkType, PacketMeta};
    use crate::units::PacketNumber;

    fn block(first: u64, count: u32) -> Block {
        let packet = |number: u32| PacketMeta {
            time: Timestamp::from_parts(i64::try_from(first).unwrap() + i64::from(number), 0),
            start: number * 100,
            captured: 100,
            original: 200,
            link: LinkType::ETHERNET,
        };
        let bytes = vec![0xEE; 100 * count as usize];
        Block {
            bytes,
            packets: (0..count).map(packet).collect(),
            first: PacketNumber(first),
            ..Block::default()
        }
    }

    fn interfaces() -> Vec<Interface> {
        let named =
            |name: &str| Interface { name: Some(name.to_owned()), ..Interface::of(LinkType::ETHERNET) };
        vec![named("lo"), named("eth0")]
    }

    fn files(folder: &Path) -> Vec<(String, usize)> {
        let mut files: Vec<(String, usize)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let (seen, damage) = read(&fs::read(entry.path()).unwrap());
                assert_eq!(damage, []);
                (entry.file_name().into_string().unwrap(), seen.len())
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn what_was_written_is_there_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.pcapng");
        let mut recorder = Recorder::create(&path, Rotation::default(), interfaces()).unwrap();
        assert_eq!(files(folder.path()), [("dump.pcapng".to_owned(), 0)]);
        recorder.write(&block(1, 5), |_| 1, &[]).unwrap();
        assert_eq!(files(folder.path()), [("dump.pcapng".to_owned(), 5)]);
        recorder.write(&block(6, 5), |_| 0, &[]).unwrap();
        recorder.finish(&[Drops::default(), Drops { by_kernel: 3, ..Drops::default() }]).unwrap();
        assert_eq!(files(folder.path()), [("dump.pcapng".to_owned(), 10)]);
    }

    #[test]
    fn files_follow_one_another_by_time_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.pcapng");
        let span = Some(Span::from_millis(3_000));
        let rotation = Rotation { span, files: Some(2), ..Rotation::default() };
        let mut recorder = Recorder::create(&path, rotation, interfaces()).unwrap();
        recorder.write(&block(0, 8), |_| 0, &[]).unwrap();
        let name = |number: u32| format!("dump_0000{number}.pcapng");
        assert_eq!(files(folder.path()), [(name(2), 3), (name(3), 2)]);
        recorder.finish(&[]).unwrap();
    }

    #[test]
    fn files_follow_one_another_by_size() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation { bytes: Some(1_000), ..Rotation::default() };
        let mut recorder = Recorder::create(&folder.path().join("dump"), rotation, interfaces()).unwrap();
        recorder.write(&block(0, 20), |_| 0, &[]).unwrap();
        recorder.finish(&[]).unwrap();
        let files = files(folder.path());
        assert!(files.len() > 2, "{files:?}");
        assert_eq!(files[0].0, "dump_00001");
        assert_eq!(files.iter().map(|(_, packets)| packets).sum::<usize>(), 20);
    }
}
