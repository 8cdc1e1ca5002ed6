//! `wsinspect live`: opens everything, gives up all other rights, and tells what happens until it is asked to stop.

mod aside;
mod clock;
mod failures;
mod feed;
mod lines;
mod serve;
mod session;
mod taking;

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::capture::live::{LiveOptions, Memory, Opened, Recorder, Rotation, wall_clock};
use crate::capture::{Interface, InterfaceFacts};
use crate::cli::{Color, LiveArgs, LiveFormat};
use crate::diagnosis::Selection;
use crate::pipeline::Options;
use crate::report::{LiveReport, Started};
use crate::sandbox::{self, Needs};
use crate::screen::{self, Kept, look};
use crate::tui::{News, Shown};
use crate::units::Span;
use crate::watch::{Judge, Judged, Task, Watch};
use aside::Aside;
use failures::FailuresFile;
use feed::{About, Feed};
use lines::Lines;
use serve::Listening;
use session::{Failed, Session, Signals};
use taking::Taking;

/// Captures until it is asked to stop. Whether nothing was found that `--fail-on` asks for.
///
/// # Errors
/// If an interface or a file cannot be used, and if all interfaces were lost. A reader of our output that has seen
/// enough and closes the pipe is no error.
pub fn run(args: &LiveArgs) -> anyhow::Result<bool> {
    let selection = Selection::new(&args.select, &args.ignore)?;
    if wants_screen(args) {
        return on_screen(args, selection).map(|()| true);
    }
    let signals = Signals::listen()?;
    let opened = Opened::open(&args.interfaces, &options(args))?;
    let interfaces: Vec<Interface> = opened.interfaces().cloned().collect();
    let (out, name) = output(args.output.as_deref())?;
    let user = sandbox::unprivileged_user(args.user.as_deref())?;
    let recorder = recorder(args, &interfaces, user.as_ref())?;
    let memory = args.write_failures.is_some().then(|| memory(&interfaces));
    let failures = failures(args, memory.as_ref(), user.as_ref())?;
    let listening = args.metrics.map(Listening::open).transpose()?;
    let needs = Needs { user, writable: rotated(args), ..Needs::default() };
    // No thread was started so far: each would keep its rights.
    let confinement = sandbox::confine(args.sandbox, &needs)?;
    let taking = Taking::new(opened.start()?, recorder, memory, args);
    let watch = Watch::new(Options::default(), true);
    let judge = judge(selection, args.show_secrets)?;
    let mut session = Session::new(taking, (watch, Some(judge)), signals, args.stop_when);
    session.write_failures(failures)?;
    let address = listening.as_ref().map(Listening::address);
    session.post_to(listening.map(Listening::start).transpose()?);
    let mut lines = Lines::new(report(args), out, args.all);
    let told = lines.started(&Started { metrics: address, ..started(args, &interfaces, confinement) });
    let told = told.and_then(|()| session.run(&mut lines));
    let is_fine = args.fail_on.is_none_or(|least| session.worst.is_none_or(|worst| worst < least));
    match told {
        Err(Failed::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(is_fine),
        Err(Failed::Output(error)) => Err(anyhow!("cannot write {name}: {error}")),
        Err(Failed::Recording(error)) => Err(error.into()),
        Err(Failed::Gone) => Err(anyhow!(GONE)),
        Ok(()) => session.lost().map_or(Ok(is_fine), |reason| Err(anyhow!(reason))),
    }
}

/// Whether the terminal UI is wanted: on a terminal, unless something is asked for that only lines have.
fn wants_screen(args: &LiveArgs) -> bool {
    let wants_lines = args.format.is_some() || args.output.is_some() || args.fail_on.is_some();
    !wants_lines && look::is_terminal()
}

/// Captures, and shows what there is, until whoever looks on has seen enough.
fn on_screen(args: &LiveArgs, selection: Selection) -> anyhow::Result<()> {
    let signals = Signals::without_end()?;
    let opened = Opened::open(&args.interfaces, &options(args))?;
    let interfaces: Vec<Interface> = opened.interfaces().cloned().collect();
    let user = sandbox::unprivileged_user(args.user.as_deref())?;
    let recorder = recorder(args, &interfaces, user.as_ref())?;
    let listening = args.metrics.map(Listening::open).transpose()?;
    // Opened now: later there may be no right to. Of files that go one after the other the packets are not together.
    let recording = match &args.write {
        Some(path) if !rotation(args).is_wanted() => Some((path.clone(), File::open(path)?)),
        _ => None,
    };
    let wants_memory = recording.is_none() || args.write_failures.is_some();
    let memory = wants_memory.then(|| memory(&interfaces));
    let failures = failures(args, memory.as_ref(), user.as_ref())?;
    let needs = Needs {
        user,
        writable: rotated(args),
        wanted: env::current_dir().into_iter().collect(),
        terminal: true,
        ..Needs::default()
    };
    // No thread was started so far: each would keep its rights.
    let confinement = sandbox::confine(args.sandbox, &needs)?;
    let is_recorded = recording.is_some();
    let kept = match (recording, &memory) {
        (Some((path, file)), _) => Kept::Recording(path, file),
        (None, Some(memory)) => Kept::Memory(memory.clone()),
        (None, None) => Kept::Nothing,
    };
    let about = About {
        interfaces,
        filter: args.filter.join(" "),
        recording: args.write.as_ref().map(|path| path.display().to_string()),
        confinement,
        memory: memory.clone().filter(|_| !is_recorded),
    };
    let shown = Shown { secrets: args.show_secrets, time: args.time, is_live: true };
    let theme = look::theme(args.theme, Color::Auto, args.ascii);
    let stop = Arc::clone(&signals.stop);
    let leave = move |end: &Receiver<()>| {
        stop.store(true, Ordering::Relaxed);
        // What is captured is written to its end.
        let _ = end.recv_timeout(LAST_WORDS);
    };
    let name = format!("live {}", args.interfaces.join(", "));
    let args = args.clone();
    screen::show(&name, (shown, theme), kept, leave, move |reader| {
        let begin = || -> anyhow::Result<(Session, Feed<'_>)> {
            let options = Options { keeps_frames: true, ..Options::default() };
            // The screen has all that is listed judged anew; beside that only these want to know of findings.
            let is_judged = args.stop_when.is_some() || listening.is_some() || failures.is_some();
            let judge = is_judged.then(|| judge(selection.clone(), args.show_secrets)).transpose()?;
            let taking = Taking::new(opened.start()?, recorder, memory, &args);
            let watch = Watch::new(options, is_judged);
            let mut session = Session::new(taking, (watch, judge), signals, args.stop_when);
            session.write_failures(failures)?;
            session.post_to(listening.map(Listening::start).transpose()?);
            Ok((session, Feed::new(reader, about, (selection, shown))?))
        };
        let done = begin().and_then(|(session, shown)| feed(session, shown));
        if let Err(error) = done {
            reader.send(News::Failed(format!("{error:#}")));
        }
    })
}

/// Judges what is handed over, in a thread of its own.
fn judge(selection: Selection, shows_secrets: bool) -> anyhow::Result<Aside<Task, Judged>> {
    let mut judge = Judge::new(selection, shows_secrets);
    Ok(Aside::start("judge", move |task| judge.judge(task))?)
}

/// Captures and hands over what the screen shows.
fn feed(mut session: Session, mut feed: Feed<'_>) -> anyhow::Result<()> {
    match session.run(&mut feed) {
        Err(Failed::Output(error)) => Err(error.into()),
        Err(Failed::Recording(error)) => Err(error.into()),
        Err(Failed::Gone) => Err(anyhow!(GONE)),
        Ok(()) => session.lost().map_or(Ok(()), |reason| Err(anyhow!(reason))),
    }
}

/// What records the packets, if that is wanted. Its file is given to who this program will be.
fn recorder(
    args: &LiveArgs,
    interfaces: &[Interface],
    user: Option<&sandbox::User>,
) -> anyhow::Result<Option<Recorder>> {
    let Some(path) = &args.write else { return Ok(None) };
    let recorder = Recorder::create(path, rotation(args), interfaces.to_vec())?;
    sandbox::hand_over(recorder.path(), user)?;
    Ok(Some(recorder))
}

/// What remembers the latest packets.
fn memory(interfaces: &[Interface]) -> Memory {
    let facts = |interface: &Interface| InterfaceFacts {
        name: interface.name.clone(),
        link: interface.link,
        dropped: None,
    };
    Memory::new(interfaces.iter().map(facts).collect())
}

/// What writes the packets of connections with findings, if that is wanted.
fn failures(
    args: &LiveArgs,
    memory: Option<&Memory>,
    user: Option<&sandbox::User>,
) -> anyhow::Result<Option<FailuresFile>> {
    let Some((path, memory)) = args.write_failures.as_ref().zip(memory) else { return Ok(None) };
    let failures = FailuresFile::create(path, memory.clone())?;
    sandbox::hand_over(path, user)?;
    Ok(Some(failures))
}

/// The folder in which files follow one another.
fn rotated(args: &LiveArgs) -> Vec<PathBuf> {
    let path = args.write.as_deref().filter(|_| rotation(args).is_wanted());
    path.map(folder).into_iter().collect()
}

fn options(args: &LiveArgs) -> LiveOptions {
    LiveOptions {
        filter: args.filter.join(" "),
        snap_length: args.snaplen,
        buffer_bytes: u32::try_from(args.buffer_size).unwrap_or(u32::MAX),
        promiscuous: args.promiscuous,
    }
}

fn started(args: &LiveArgs, interfaces: &[Interface], confinement: Vec<String>) -> Started {
    Started {
        time: wall_clock(),
        interfaces: interfaces.iter().map(|it| (it.name.clone().unwrap_or_default(), it.link.0)).collect(),
        filter: args.filter.join(" "),
        confinement,
        metrics: None,
    }
}

fn report(args: &LiveArgs) -> LiveReport {
    let is_terminal = args.output.is_none() && io::stdout().is_terminal();
    let format = args.format.unwrap_or(if is_terminal { LiveFormat::Text } else { LiveFormat::Json });
    match format {
        LiveFormat::Json => LiveReport::json(args.show_secrets),
        LiveFormat::Text => LiveReport::text(args.show_secrets, args.time),
    }
}

fn output(path: Option<&Path>) -> anyhow::Result<(Box<dyn Write>, String)> {
    let Some(path) = path else {
        return Ok((Box::new(BufWriter::new(io::stdout())), "standard output".to_owned()));
    };
    let file = File::create(path).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))?;
    Ok((Box::new(BufWriter::new(file)), path.display().to_string()))
}

fn rotation(args: &LiveArgs) -> Rotation {
    let nanos = args.rotate_time.map(|time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
    Rotation {
        bytes: args.rotate_size,
        span: nanos.map(Span::from_nanos),
        files: args.rotate_keep.and_then(|files| usize::try_from(files).ok()),
    }
}

fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how often and how long something is done is a matter of this machine's time"
)]
fn now() -> Instant {
    Instant::now()
}

/// How long the end of a capture is waited for, when nobody looks on any more.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is said if the program itself is at fault.
const GONE: &str = "wsinspect itself is broken, please report it: a thread has ended too early";
