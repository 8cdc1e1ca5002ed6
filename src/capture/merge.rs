//! Several files read as one capture: their packets by time, each file in its own order.
//!
//! A ring of files has one open at a time, both sides of a proxy two: a file is opened when its first packet is due. What
//! comes of them does not depend on the order in which they were named.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use super::file::CaptureFile;
use crate::capture::{Block, CaptureError, Damage, FileFacts, PacketMeta, Source, Standpoint};
use crate::limits;
use crate::numbering::Numbering;
use crate::units::{PacketNumber, Span, Timestamp};

/// Reads several files by time.
#[derive(Debug)]
pub(super) struct Merge {
    name: String,
    size: Option<u64>,
    /// Bytes of the files that are done.
    done_bytes: u64,
    /// Files whose first packet is not due yet, the earliest first.
    waiting: VecDeque<Waiting>,
    /// Files that are being read, in the order of their numbers.
    active: Vec<Active>,
    facts: Vec<FileFacts>,
    numbering: Numbering,
    packets: u64,
    latest: Option<Timestamp>,
    /// Whether blocks tell points of capture.
    has_points: bool,
    warnings: Vec<String>,
}

/// A file before its first packet is due.
#[derive(Debug)]
struct Waiting {
    name: String,
    /// The time of its first packet, corrected; the latest of all if it has none.
    first: Timestamp,
    input: Input,
    standpoint: Standpoint,
}

#[derive(Debug)]
enum Input {
    /// Open, and to be read from its beginning. It stays open: later there may be no right to open it.
    File(PathBuf, File),
    /// A pipe: what was read of it cannot be read again.
    Pipe(Box<CaptureFile>, Box<Block>),
}

/// A file that is being read.
#[derive(Debug)]
struct Active {
    number: u8,
    file: Box<CaptureFile>,
    block: Box<Block>,
    /// The place of its next packet in the block, where there always is one.
    next: usize,
    standpoint: Standpoint,
}

impl Merge {
    /// Looks at all files.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, CaptureError> {
        if paths.len() > limits::FILES {
            return Err(CaptureError::TooManyFiles(paths.len()));
        }
        let mut warnings = Vec::new();
        let paths = distinct(paths, &mut warnings)?;
        let (mut found, mut size) = (Vec::new(), Some(0_u64));
        for path in &paths {
            if path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) && paths.len() > 1 {
                warnings.push(format!("{}: it is empty", path.display()));
                continue;
            }
            // Opening a pipe a second time would take from it what the first is to read.
            let again =
                path.metadata().ok().filter(std::fs::Metadata::is_file).and_then(|_| File::open(path).ok());
            let mut file = Box::new(CaptureFile::open(path)?);
            let own = file.size();
            size = size.zip(own).map(|(all, own)| all.saturating_add(own));
            let mut block = Box::new(Block::default());
            while block.packets.is_empty() && file.next_block(&mut block)? {}
            let first = block.packets.first().map(|packet| packet.time);
            let name = file.name().to_owned();
            let input = match again.filter(|_| own.is_some()) {
                Some(again) => Input::File(path.clone(), again),
                None => Input::Pipe(file, block),
            };
            found.push((first, name, input));
        }
        let mut waiting: VecDeque<Waiting> = found
            .into_iter()
            .map(|(first, name, input)| {
                // Those without a packet come last; they are opened once more for what they say.
                let first = first.unwrap_or(Timestamp::MAX);
                Waiting { name, first, input, standpoint: Standpoint::default() }
            })
            .collect();
        sort(&mut waiting);
        let mut merge = Self {
            name: format!("{} files", waiting.len()),
            size,
            done_bytes: 0,
            waiting,
            active: Vec::new(),
            facts: Vec::new(),
            numbering: Numbering::default(),
            packets: 0,
            latest: None,
            has_points: false,
            warnings,
        };
        merge.number();
        Ok(merge)
    }

    /// Numbers the files, none of which has been opened, in the order in which they wait.
    fn number(&mut self) {
        let names: Vec<String> = self.waiting.iter().map(|waiting| waiting.name.clone()).collect();
        let facts = |name: &String| FileFacts { name: name.clone(), ..FileFacts::default() };
        self.facts = names.iter().map(facts).collect();
        self.numbering = Numbering::new(names);
    }

    pub(super) const fn size(&self) -> Option<u64> {
        self.size
    }

    pub(super) fn position(&self) -> u64 {
        self.active.iter().fold(self.done_bytes, |sum, active| sum.saturating_add(active.file.position()))
    }

    /// Opens the files whose first packet is not later than the earliest of those that are open.
    fn open_due(&mut self) -> Result<(), CaptureError> {
        loop {
            let due = self.active.iter().filter_map(Active::time).min();
            let is_due = |waiting: &Waiting| due.is_none_or(|due| waiting.first <= due);
            if !self.waiting.front().is_some_and(is_due) {
                return Ok(());
            }
            let number = self.facts.len().saturating_sub(self.waiting.len());
            let Some(Waiting { first, input, standpoint, .. }) = self.waiting.pop_front() else {
                return Ok(());
            };
            self.tell_pause(number, first);
            let (mut file, mut block) = match input {
                Input::File(path, file) => {
                    (Box::new(CaptureFile::of_file(&path, file)?), Box::new(Block::default()))
                }
                Input::Pipe(file, block) => (file, block),
            };
            while block.packets.is_empty() && file.next_block(&mut block)? {
                self.warnings.append(&mut file.take_warnings());
            }
            let number = u8::try_from(number).unwrap_or(u8::MAX);
            let mut active = Active { number, file, block, next: 0, standpoint };
            active.correct_times();
            if active.time().is_some() { self.active.push(active) } else { self.close(active) }
        }
    }

    /// Says if nothing was captured for long before a file begins.
    fn tell_pause(&mut self, number: usize, first: Timestamp) {
        let Some(pause) = self.latest.map(|latest| first.since(latest)) else { return };
        if pause < limits::FILES_APART || first == Timestamp::MAX {
            return;
        }
        let name = self.facts.get(number).map_or("", |facts| &facts.name);
        self.warnings.push(format!(
            "{name}: it begins {} after the last packet of the files before it: read them one by one if they do not \
             belong together",
            in_words(pause)
        ));
    }

    /// Copies packets of the file that is next, as long as it is.
    fn copy(&mut self, block: &mut Block) -> Result<(), CaptureError> {
        let by_time =
            self.active.iter().enumerate().filter_map(|(place, active)| Some((active.time()?, place)));
        let Some((_, place)) = by_time.min() else { return Ok(()) };
        // Until another file is due: one with a lower number goes first at the same time.
        let others = self.active.iter().enumerate().filter(|(other, _)| *other != place);
        let others = others.filter_map(|(other, active)| Some((active.time()?, other > place)));
        let waiting = self.waiting.front().map(|waiting| (waiting.first, false));
        let until = others.chain(waiting).min();
        let is_next = |time: Timestamp| {
            until.is_none_or(|(until, goes_later)| time < until || (time == until && goes_later))
        };
        let Some(active) = self.active.get_mut(place) else { return Ok(()) };
        let mut is_first = true;
        while let Some(packet) = active.block.packets.get(active.next).copied() {
            if !(is_first || is_next(packet.time)) || block.bytes.len() >= limits::BLOCK_BYTES {
                return Ok(());
            }
            is_first = false;
            let start = u32::try_from(block.bytes.len()).unwrap_or(u32::MAX);
            block.bytes.extend_from_slice(active.block.captured(&packet));
            block.packets.push(PacketMeta { start, ..packet });
            if self.has_points {
                block.points.push(active.standpoint.point.unwrap_or(Block::NO_POINT));
            }
            self.numbering.push(active.number);
            self.packets = self.packets.saturating_add(1);
            self.latest = self.latest.max(Some(packet.time));
            active.next = active.next.saturating_add(1);
        }
        active.next = 0;
        active.block.packets.clear();
        while active.block.packets.is_empty() && active.file.next_block(&mut active.block)? {
            self.warnings.append(&mut active.file.take_warnings());
        }
        active.correct_times();
        if active.block.packets.is_empty() {
            let active = self.active.remove(place);
            self.close(active);
        }
        Ok(())
    }

    fn close(&mut self, mut active: Active) {
        self.warnings.append(&mut active.file.take_warnings());
        self.done_bytes = self.done_bytes.saturating_add(active.file.position());
        if let Some(facts) = self.facts.get_mut(usize::from(active.number)) {
            *facts = FileFacts { standpoint: active.standpoint, ..active.file.facts() };
        }
    }
}

impl Active {
    /// The time of its next packet.
    fn time(&self) -> Option<Timestamp> {
        self.block.packets.get(self.next).map(|packet| packet.time)
    }

    /// Corrects the times of a block that was just read.
    fn correct_times(&mut self) {
        if !self.standpoint.clock.is_measure() {
            for packet in &mut self.block.packets {
                packet.time = self.standpoint.clock.correct(packet.time);
            }
        }
    }
}

impl Source for Merge {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.packets.clear();
        block.bytes.clear();
        block.points.clear();
        block.first = PacketNumber(self.packets.saturating_add(1));
        // Where a packet lies in its file is not told: the block is none of the file's.
        block.file_offset = 0;
        while block.bytes.len() < limits::BLOCK_BYTES && block.packets.len() < PACKETS {
            self.open_due()?;
            if self.active.is_empty() {
                break;
            }
            self.copy(block)?;
        }
        Ok(!block.packets.is_empty())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        Vec::new()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn files(&self) -> Vec<FileFacts> {
        self.facts.clone()
    }

    fn previewed(&self) -> usize {
        if self.waiting.len() < 2 { 0 } else { self.waiting.len() }
    }

    fn preview(&mut self, see: &mut dyn FnMut(usize, &Block) -> bool) -> Result<(), CaptureError> {
        for (place, waiting) in self.waiting.iter_mut().enumerate() {
            let Input::File(path, file) = &mut waiting.input else { continue };
            let Ok(again) = file.try_clone() else { continue };
            let mut shown = CaptureFile::of_file(path, again)?;
            let mut block = Block::default();
            while shown.next_block(&mut block)? && see(place, &block) {}
            // Both read at one place of the file.
            if let Err(error) = file.rewind() {
                return Err(CaptureError::Read { name: waiting.name.clone(), error });
            }
        }
        Ok(())
    }

    fn place(&mut self, standpoints: Vec<Standpoint>) {
        self.has_points = standpoints.iter().any(|standpoint| standpoint.point.is_some());
        for (waiting, standpoint) in self.waiting.iter_mut().zip(standpoints) {
            if waiting.first != Timestamp::MAX {
                waiting.first = standpoint.clock.correct(waiting.first);
            }
            waiting.standpoint = standpoint;
        }
        sort(&mut self.waiting);
        self.number();
    }

    fn take_numbering(&mut self) -> Numbering {
        std::mem::take(&mut self.numbering)
    }
}

/// Puts files into the order of their first packets.
fn sort(waiting: &mut VecDeque<Waiting>) {
    waiting.make_contiguous().sort_by(|one, other| (one.first, &one.name).cmp(&(other.first, &other.name)));
}

/// The paths without those that lead to a file named before.
fn distinct(paths: &[PathBuf], warnings: &mut Vec<String>) -> Result<Vec<PathBuf>, CaptureError> {
    let (mut distinct, mut known): (Vec<PathBuf>, Vec<PathBuf>) = (Vec::new(), Vec::new());
    for path in paths {
        let is_stdin = path.as_os_str() == "-";
        let whole =
            if is_stdin { Path::new("-").to_owned() } else { path.canonicalize().unwrap_or(path.clone()) };
        if !known.contains(&whole) {
            known.push(whole);
            distinct.push(path.clone());
        } else if is_stdin {
            return Err(CaptureError::StandardInputTwice);
        } else {
            warnings.push(format!("{}: it is named twice and read once", path.display()));
        }
    }
    Ok(distinct)
}

/// A length of time of a minute or more.
fn in_words(span: Span) -> String {
    let minutes = span.as_nanos() / 60_000_000_000;
    match minutes {
        ..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

/// Packets of a block, at most: empty ones take no bytes.
const PACKETS: usize = 64 * 1024;
