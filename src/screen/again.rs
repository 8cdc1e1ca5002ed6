//! What the screen asks for and does not wait for: messages that are read again from the capture, files that are written.
//! One thing at a time, in a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::capture::{CaptureError, CaptureFile, PcapngOutput};
use crate::pipeline;
use crate::report::count::count;
use crate::tui::{Content, Export, News, SessionOf};
use crate::units::PacketNumber;

/// Something that is asked for.
#[derive(Debug)]
pub(super) enum Job {
    /// The messages of a session.
    Messages(SessionOf),
    /// One of them in full.
    Whole(SessionOf, usize),
    /// A file.
    Save(Export),
}

/// Starts the thread. `capture` is the file that is read again; none if it came through a pipe.
pub(super) fn start(capture: Option<PathBuf>, news: Sender<News>) -> io::Result<Sender<Job>> {
    let (jobs, wanted) = channel();
    let work = move || work(capture.as_deref(), &wanted, &news);
    thread::Builder::new().name("again".to_owned()).spawn(work)?;
    Ok(jobs)
}

fn work(capture: Option<&Path>, wanted: &Receiver<Job>, news: &Sender<News>) {
    while let Ok(job) = wanted.recv() {
        // Who walks through the attempts wants the messages of the last one.
        let mut jobs = vec![job];
        jobs.extend(wanted.try_iter());
        let is_walk = |job: &Job| matches!(job, Job::Messages(..));
        let last_walk = jobs.iter().rposition(is_walk);
        for (at, job) in jobs.into_iter().enumerate() {
            if is_walk(&job) && Some(at) != last_walk {
                continue;
            }
            let done = match job {
                Job::Messages(session) => News::Messages(session.id(), messages(capture, &session)),
                Job::Whole(session, place) => {
                    News::Whole(session.id(), place, whole(capture, &session, place))
                }
                Job::Save(export) => News::Saved(save(capture, export)),
            };
            if news.send(done).is_err() {
                return;
            }
        }
    }
}

fn messages(
    capture: Option<&Path>,
    _session: &SessionOf,
) -> Result<(Vec<crate::tui::Message>, Vec<String>), String> {
    let _ = readable(capture)?;
    Err("not yet".to_owned())
}

fn whole(capture: Option<&Path>, _session: &SessionOf, _place: usize) -> Result<Box<[u8]>, String> {
    let _ = readable(capture)?;
    Err("not yet".to_owned())
}

fn readable(capture: Option<&Path>) -> Result<&Path, String> {
    capture.ok_or_else(|| "a pipe cannot be read again (write to a file: tcpdump -w FILE)".to_owned())
}

/// Writes a file; its name, or why it could not be written.
fn save(capture: Option<&Path>, export: Export) -> Result<String, String> {
    let Export { name, content } = export;
    match content {
        Content::Bytes(bytes) => {
            let (mut file, name) = create(&name)?;
            file.write_all(&bytes).map_err(|error| format!("cannot write {name}: {error}"))?;
            Ok(name)
        }
        Content::Message(session, place) => {
            let bytes = whole(capture, &session, place)?;
            save(capture, Export { name, content: Content::Bytes(bytes.into()) })
        }
        Content::Packets(legs, comments) => {
            let capture = readable(capture)?;
            let (_, name) = create(&name)?;
            let copied = packets(capture, &legs, comments, Path::new(&name));
            copied
                .map(|packets| format!("{name}, {}", count(packets, "packet")))
                .map_err(|error| error.to_string())
        }
    }
}

/// Copies the packets of connections from the capture into a file; how many there were.
fn packets(
    capture: &Path,
    legs: &[SessionOf],
    comments: Vec<(PacketNumber, String)>,
    path: &Path,
) -> Result<u64, CaptureError> {
    let mut wanted = pipeline::Export::default();
    for leg in legs {
        wanted.add(&leg.connection);
    }
    for (packet, words) in comments {
        wanted.comment(packet, words);
    }
    let mut file = CaptureFile::open(capture)?;
    wanted.copy(&mut file, &mut PcapngOutput::create(path)?, |_| {})
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

/// Files of one name that are not overwritten; more are a mistake.
const MOST_FILES: usize = 99;
