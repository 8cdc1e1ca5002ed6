//! What the screen asks for and does not wait for: messages that are read again from the capture, files that are written.
//! One thing at a time, in a thread of its own.

use std::cell::{Cell, OnceCell};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::capture::live::Memory;
use crate::capture::{Block, CaptureError, CaptureFile, CaptureFiles, Filter, PcapngOutput, Source};
use crate::numbering::Numbering;
use crate::pipeline::{self, ReadBack, ReadBackError, ReadBackWanted, read_back, read_back_from, survey};
use crate::points::Surveyed;
use crate::protocol::Which;
use crate::report::count::count;
use crate::tcp::Happenings;
use crate::tui::{Content, Discarded, Export, Message, News, SessionOf};
use crate::units::{Origin, PacketNumber};

/// Something that is asked for.
#[derive(Debug)]
pub(super) enum Job {
    /// The messages of a session, from an index on.
    Messages(SessionOf, u64),
    /// One message of a session in full, by its index.
    Whole(SessionOf, u64),
    /// What happened below the streams of some connections; the first one is the client's own leg.
    Happenings(Vec<SessionOf>),
    /// A file.
    Save(Export),
    /// What nobody looks at any more.
    Discard(Discarded),
}

/// The screen's end of the thread.
#[derive(Debug)]
pub(super) struct Again {
    jobs: Sender<(Job, u64)>,
    /// The number of the latest job that reads: who walks through the attempts wants what belongs to the last.
    newest: Arc<AtomicU64>,
    asked: Cell<u64>,
}

impl Again {
    /// Starts the thread. `kept` is what is read again.
    pub(super) fn start(kept: Kept, news: Sender<News>) -> io::Result<Self> {
        let (jobs, wanted) = channel::<(Job, u64)>();
        let newest = Arc::new(AtomicU64::new(0));
        let latest = Arc::clone(&newest);
        let work = move || {
            while let Ok((job, number)) = wanted.recv() {
                let is_newest = || latest.load(Ordering::Relaxed) == number;
                let done = match job {
                    Job::Discard(gone) => {
                        drop(gone);
                        continue;
                    }
                    Job::Save(export) => News::Saved(whole(|| kept.save(export))),
                    _ if !is_newest() => continue,
                    Job::Messages(session, from) => {
                        News::Messages(session.id(), whole(|| kept.messages(&session, from, is_newest)))
                    }
                    Job::Whole(session, index) => {
                        News::Whole(session.id(), whole(|| kept.message(&session, index, is_newest)))
                    }
                    Job::Happenings(connections) => {
                        let Some(first) = connections.first() else { continue };
                        News::Happenings(first.id(), whole(|| kept.happenings(&connections, is_newest)))
                    }
                };
                let is_wanted = matches!(done, News::Saved(_)) || is_newest();
                if is_wanted && news.send(done).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name(super::BEHIND[1].to_owned()).spawn(work)?;
        Ok(Self { jobs, newest, asked: Cell::new(0) })
    }

    /// Has something done. What was to be read before is not wanted any more.
    pub(super) fn ask(&self, job: Job) {
        if !matches!(job, Job::Save(_) | Job::Discard(_)) {
            self.asked.set(self.asked.get().saturating_add(1));
            self.newest.store(self.asked.get(), Ordering::Relaxed);
        }
        // The thread lives as long as the screen.
        let _ = self.jobs.send((job, self.asked.get()));
    }
}

/// What came of a job, also if it panicked.
fn whole<T>(job: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| Err(super::broken(&*panic)))
}

/// The capture, to be read again.
#[derive(Debug)]
pub enum Kept {
    /// A file, with the filter with which it was read.
    File(PathBuf, Option<String>),
    /// Several files, with the filter with which they were read.
    Files(KeptFiles),
    /// What a live capture records, opened when there was still a right to.
    Recording(PathBuf, File),
    /// The latest packets of a live capture.
    Memory(Memory),
    /// Nothing: it came through a pipe.
    Nothing,
}

impl Kept {
    /// One reading: so many messages as a person looks at, and where there are more.
    fn messages(
        &self,
        session: &SessionOf,
        from: u64,
        is_wanted: impl FnMut() -> bool,
    ) -> Result<(Vec<Message>, Option<u64>), String> {
        let wanted = ReadBackWanted::of(&session.connection, session.attempt, Which::From(from));
        let read = self.read(wanted, is_wanted)?;
        Ok((read.messages.into_iter().map(Message::new).collect(), read.next))
    }

    /// One message, as much of it as is ever read back.
    fn message(
        &self,
        session: &SessionOf,
        index: u64,
        is_wanted: impl FnMut() -> bool,
    ) -> Result<Message, String> {
        let wanted = ReadBackWanted::one(&session.connection, session.attempt, index);
        let message = self.read(wanted, is_wanted)?.messages.into_iter().next();
        message.map(Message::new).ok_or_else(|| "cannot find the message again".to_owned())
    }

    fn happenings(
        &self,
        connections: &[SessionOf],
        mut is_wanted: impl FnMut() -> bool,
    ) -> Result<Vec<(PacketNumber, Happenings)>, String> {
        let mut all = Vec::new();
        for connection in connections {
            let nothing = Which::From(u64::MAX);
            let wanted = ReadBackWanted::of(&connection.connection, connection.attempt, nothing);
            let read = self.read(wanted, &mut is_wanted)?;
            all.push((connection.connection.id(), read.happenings));
        }
        Ok(all)
    }

    fn read(&self, wanted: ReadBackWanted, is_wanted: impl FnMut() -> bool) -> Result<ReadBack, String> {
        let read = match self {
            Self::File(path, filter) => {
                let filter = filter.as_deref().map(Filter::new).transpose();
                read_back(path, filter.map_err(|error| error.to_string())?, wanted, is_wanted)
            }
            Self::Files(files) => files.read_back(wanted, is_wanted),
            Self::Recording(path, file) => {
                read_back_from(&mut recorded(path, file)?, None, None, wanted, is_wanted)
            }
            Self::Memory(memory) => {
                let first = memory.first();
                if first.is_none_or(|first| first > wanted.first.packet) {
                    return Err(NO_LONGER_KEPT.to_owned());
                }
                read_back_from(&mut memory.read(), None, None, wanted, is_wanted)
            }
            Self::Nothing => return Err(NOT_AGAIN.to_owned()),
        };
        read.map_err(|error| error.to_string())
    }

    /// Writes a file; its name, or why it could not be written.
    fn save(&self, export: Export) -> Result<String, String> {
        let Export { name, content } = export;
        match content {
            Content::Bytes(bytes) => {
                let (mut file, name) = create(&name)?;
                file.write_all(&bytes).map_err(|error| format!("cannot write {name}: {}", reason(&error)))?;
                Ok(name)
            }
            Content::Packets(legs, comments) => {
                if matches!(self, Self::Nothing) {
                    return Err(NOT_AGAIN.to_owned());
                }
                let (_, name) = create(&name)?;
                let copied = self.packets(&legs, comments, Path::new(&name));
                let said = |packets| format!("{name}, {}", count(packets, "packet"));
                copied.map(said).map_err(|error| error.to_string())
            }
        }
    }

    /// Copies the packets of connections from the capture into a file, as far as they are kept; how many there were.
    fn packets(
        &self,
        legs: &[SessionOf],
        comments: Vec<(PacketNumber, String)>,
        path: &Path,
    ) -> Result<u64, CaptureError> {
        let mut out = PcapngOutput::create(path)?;
        if let Self::Files(files) = self {
            return files.copy(legs, comments, &mut out);
        }
        let mut wanted = pipeline::Export::default();
        for leg in legs {
            wanted.add(&leg.connection);
        }
        for (packet, words) in comments {
            wanted.comment(packet, words);
        }
        match self {
            Self::File(path, _) => wanted.copy(&mut CaptureFile::open(path)?, &mut out, |_| {}),
            Self::Recording(path, file) => wanted.copy(&mut reopened(path, file)?, &mut out, |_| {}),
            Self::Memory(memory) => wanted.copy(&mut memory.read(), &mut out, |_| {}),
            Self::Files(_) | Self::Nothing => Ok(0),
        }
    }
}

/// Several files that were read as one capture. Their packets are shown by the numbers that they have in their own files.
#[derive(Debug)]
pub struct KeptFiles {
    paths: Vec<PathBuf>,
    filter: Option<String>,
    known: OnceCell<Known>,
}

/// What reading them a first time tells.
#[derive(Debug)]
struct Known {
    surveyed: Option<Surveyed>,
    numbering: Numbering,
}

impl KeptFiles {
    /// These, with the filter as it was typed.
    #[must_use]
    pub const fn new(paths: Vec<PathBuf>, filter: Option<String>) -> Self {
        Self { paths, filter, known: OnceCell::new() }
    }

    fn known(&self) -> Result<&Known, CaptureError> {
        if self.known.get().is_none() {
            let mut source = CaptureFiles::open(&self.paths)?;
            let surveyed = survey(&mut source)?;
            let mut block = Block::default();
            while source.next_block(&mut block)? {}
            let numbering = source.take_numbering();
            return Ok(self.known.get_or_init(|| Known { surveyed, numbering }));
        }
        Ok(self.known.get_or_init(|| Known { surveyed: None, numbering: Numbering::default() }))
    }

    /// As [`read_back`].
    fn read_back(
        &self,
        wanted: ReadBackWanted,
        is_wanted: impl FnMut() -> bool,
    ) -> Result<ReadBack, ReadBackError> {
        let Known { surveyed, numbering } = self.known()?;
        let filter = self.filter.as_deref().map(Filter::new).transpose()?;
        let mut source = CaptureFiles::open(&self.paths)?;
        let first = Origin { packet: numbering.unname(wanted.first.packet), ..wanted.first };
        let last = wanted.last.map(|last| numbering.unname(last));
        let wanted = ReadBackWanted { first, last, ..wanted };
        let mut read = read_back_from(&mut source, surveyed.as_ref(), filter, wanted, is_wanted)?;
        let origins = read.messages.iter_mut().flat_map(|it| [&mut it.first, &mut it.last]);
        for origin in origins.chain(read.happenings.kept.iter_mut().map(|it| &mut it.origin)) {
            origin.packet = numbering.name(origin.packet);
        }
        Ok(read)
    }

    /// Copies the packets of connections into a file, with what is to be said about some; how many there were.
    fn copy(
        &self,
        legs: &[SessionOf],
        comments: Vec<(PacketNumber, String)>,
        out: &mut PcapngOutput,
    ) -> Result<u64, CaptureError> {
        let Known { surveyed, numbering } = self.known()?;
        let mut source = CaptureFiles::open(&self.paths)?;
        if let Some(surveyed) = surveyed {
            source.place(surveyed.standpoints.clone());
        }
        let mut wanted = pipeline::Export::default();
        for leg in legs {
            let tcp = &leg.connection.tcp;
            let (first, last) = (numbering.unname(leg.connection.id()), numbering.unname(tcp.last.0));
            wanted.add_packets(tcp.flow.anywhere(), first, last);
        }
        for (packet, words) in comments {
            wanted.comment(numbering.unname(packet), words);
        }
        wanted.copy(&mut source, out, |_| {})
    }
}

fn recorded(path: &Path, file: &File) -> Result<CaptureFile, String> {
    reopened(path, file).map_err(|error| error.to_string())
}

/// A file that is open, from its beginning.
fn reopened(path: &Path, file: &File) -> Result<CaptureFile, CaptureError> {
    let cannot = |error: io::Error| CaptureError::Open { path: path.to_owned(), reason: reason(&error) };
    let mut file = file.try_clone().map_err(cannot)?;
    file.rewind().map_err(cannot)?;
    CaptureFile::of_file(path, file)
}

/// A new file of this name, or of one with a number. What is captured may be secret, so it is the owner's alone.
fn create(name: &str) -> Result<(File, String), String> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "txt"));
    for number in 1..=MOST_FILES {
        let name = if number == 1 { name.to_owned() } else { format!("{stem}-{number}.{extension}") };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Ok(file) => return Ok((file, name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("cannot write {name}: {}", reason(&error))),
        }
    }
    Err(format!("cannot write {name}: there are {MOST_FILES} of this name already"))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied in this directory".to_owned(),
        io::ErrorKind::StorageFull => "no space left on the device".to_owned(),
        _ => error.to_string(),
    }
}

const NOT_AGAIN: &str = "a pipe cannot be read again (write a file: tcpdump -w)";

const NO_LONGER_KEPT: &str = "the packets of this connection are no longer kept, at least its first ones \
                              (record all with -w FILE)";

/// Files of one name that are not overwritten; more are a mistake.
const MOST_FILES: usize = 99;
