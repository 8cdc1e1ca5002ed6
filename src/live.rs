//! `wsinspect live`: opens everything, gives up all other rights, and tells what happens until it is asked to stop.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

use crate::capture::live::{Came, Live, LiveOptions, Opened, Recorder, Rotation, wall_clock};
use crate::capture::{Block, CaptureError, Interface};
use crate::cli::{LiveArgs, LiveFormat, StopWhen};
use crate::diagnosis::{Selection, Severity};
use crate::model::Capture;
use crate::pipeline::Options;
use crate::report::{LiveReport, Started, Status};
use crate::sandbox::{self, Needs};
use crate::units::Span;
use crate::watch::{Event, Watch};

/// Captures until it is asked to stop. Whether nothing was found that `--fail-on` asks for.
///
/// # Errors
/// If an interface or a file cannot be used, and if all interfaces were lost. A reader of our output that has seen
/// enough and closes the pipe is no error.
pub fn run(args: &LiveArgs) -> anyhow::Result<bool> {
    let selection = Selection::new(&args.select, &args.ignore)?;
    let signals = Signals::listen()?;
    let options = LiveOptions {
        filter: args.filter.join(" "),
        snap_length: args.snaplen,
        buffer_bytes: u32::try_from(args.buffer_size).unwrap_or(u32::MAX),
        promiscuous: args.promiscuous,
        immediate: false,
    };
    let opened = Opened::open(&args.interfaces, &options)?;
    let interfaces: Vec<Interface> = opened.interfaces().cloned().collect();
    let (out, name) = output(args.output.as_deref())?;
    let user = sandbox::unprivileged_user(args.user.as_deref())?;
    let rotation = rotation(args);
    let recorder = match &args.write {
        Some(path) => {
            let recorder = Recorder::create(path, rotation, interfaces.clone())?;
            sandbox::hand_over(recorder.path(), user.as_ref())?;
            Some(recorder)
        }
        None => None,
    };
    let writable = args.write.as_deref().filter(|_| rotation.is_wanted()).map(folder);
    let needs = Needs { user, writable: writable.into_iter().collect(), ..Needs::default() };
    // No thread was started so far: each would keep its rights.
    let confinement = sandbox::confine(args.sandbox, &needs)?;
    let started = Started {
        time: wall_clock(),
        interfaces: interfaces.iter().map(|it| (it.name.clone().unwrap_or_default(), it.link.0)).collect(),
        filter: options.filter,
        confinement,
    };
    let mut session = Session {
        args,
        report: report(args),
        out,
        recorder,
        watch: Watch::new(Options::default(), selection, args.show_secrets),
        live: opened.start()?,
        signals,
        packets: 0,
        failed: 0,
        worst: None,
        lost: None,
        is_stopping: false,
    };
    let told = session.run(&started);
    let is_fine = args.fail_on.is_none_or(|least| session.worst.is_none_or(|worst| worst < least));
    match told {
        Err(Failed::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(is_fine),
        Err(Failed::Output(error)) => Err(anyhow!("cannot write {name}: {error}")),
        Err(Failed::Recording(error)) => Err(error.into()),
        Ok(()) => session.lost.map_or(Ok(is_fine), |reason| Err(anyhow!(reason))),
    }
}

/// A capture in progress.
struct Session<'a> {
    args: &'a LiveArgs,
    report: LiveReport,
    out: Box<dyn Write>,
    recorder: Option<Recorder>,
    watch: Watch,
    live: Live,
    signals: Signals,
    packets: u64,
    /// Attempts that failed, each counted once, over however many connections it went.
    failed: u64,
    /// The worst that was found.
    worst: Option<Severity>,
    /// Why the interface that ended last did so, if nobody asked for it.
    lost: Option<String>,
    is_stopping: bool,
}

/// What ends a capture before its time.
enum Failed {
    Output(io::Error),
    Recording(CaptureError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<CaptureError> for Failed {
    fn from(error: CaptureError) -> Self {
        Self::Recording(error)
    }
}

impl Session<'_> {
    fn run(&mut self, started: &Started) -> Result<(), Failed> {
        self.report.started(started, &mut *self.out)?;
        self.out.flush()?;
        let began = now();
        let mut looked = began;
        let mut block = Block::default();
        loop {
            match self.live.next(&mut block) {
                Came::Packets => self.read(&mut block)?,
                Came::Nothing => self.watch.wait_until(wall_clock()),
                Came::Ended(_, None) => {}
                Came::Ended(place, Some(reason)) => self.lose(place, &reason)?,
                Came::AllEnded => break,
            }
            if looked.elapsed() >= LOOK {
                looked = now();
                let events = self.watch.events();
                self.tell(events)?;
                if self.signals.summary.swap(false, Ordering::Relaxed) {
                    self.summary()?;
                }
                self.out.flush()?;
            }
            let is_over = self.args.duration.is_some_and(|duration| began.elapsed() >= duration);
            if is_over || self.signals.stop.load(Ordering::Relaxed) {
                self.stop();
            }
        }
        let events = self.watch.events();
        self.tell(events)?;
        // The summary speaks of what was open as open.
        let summary = self.totals();
        let events = self.watch.end();
        self.tell(events)?;
        self.report.summary(&summary, self.status(), self.watch.now(), &mut *self.out)?;
        self.out.flush()?;
        let drops = self.drops();
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(&drops)?;
        }
        Ok(())
    }

    fn read(&mut self, block: &mut Block) -> Result<(), Failed> {
        if let Some(count) = self.args.count {
            let room = usize::try_from(count.saturating_sub(self.packets)).unwrap_or(usize::MAX);
            if block.packets.len() >= room {
                block.packets.truncate(room);
                self.stop();
            }
        }
        self.packets = self.packets.saturating_add(block.packets.len() as u64);
        let drops = self.drops();
        if let Some(recorder) = &mut self.recorder {
            recorder.write(block, |packet| self.live.place_of(packet), &drops)?;
        }
        self.watch.read(block);
        Ok(())
    }

    fn tell(&mut self, events: Vec<Event>) -> Result<(), Failed> {
        let now = self.watch.now();
        for event in events {
            match event {
                Event::Handshake { connection, attempt, outcome } => {
                    self.report.handshake((&connection, attempt), outcome, now, &mut *self.out)?;
                }
                Event::Attempted(attempted) => {
                    self.failed = self.failed.saturating_add(u64::from(attempted.outcome.is_failure()));
                    self.stop_if(|stop, failed| matches!(stop, StopWhen::Failed(limit) if failed >= limit));
                }
                Event::Ended(connection) => {
                    if self.args.all || !connection.attempts.is_empty() {
                        self.report.ended(&connection, now, &mut *self.out)?;
                    }
                }
                Event::Found(found) => {
                    self.worst = self.worst.max(Some(found.finding.severity));
                    self.report.found(&found.finding, &found.legs, now, &mut *self.out)?;
                    let code = found.finding.rule.code;
                    self.stop_if(|stop, _| matches!(stop, StopWhen::Found(rule) if rule.code == code));
                }
            }
        }
        Ok(())
    }

    fn stop_if(&mut self, is_it: impl Fn(StopWhen, u64) -> bool) {
        if self.args.stop_when.is_some_and(|stop| is_it(stop, self.failed)) {
            self.stop();
        }
    }

    fn stop(&mut self) {
        if !self.is_stopping {
            self.is_stopping = true;
            self.live.stop();
        }
    }

    /// An interface is gone.
    fn lose(&mut self, place: usize, reason: &str) -> Result<(), Failed> {
        let name = self.live.interface(place).and_then(|it| it.name.clone()).unwrap_or_default();
        let message = format!("the capture on {name} has ended: {reason}");
        self.report.warning(&message, self.watch.now(), &mut *self.out)?;
        self.out.flush()?;
        self.lost = Some(message);
        Ok(())
    }

    fn summary(&mut self) -> Result<(), Failed> {
        let summary = self.totals();
        self.report.summary(&summary, self.status(), self.watch.now(), &mut *self.out)?;
        Ok(())
    }

    fn totals(&self) -> Capture {
        let mut totals = self.watch.totals();
        let dropped = self.status().dropped();
        if dropped > 0 {
            totals.warnings.push(format!(
                "{dropped} packets were dropped before this program saw them (--buffer-size, a narrower filter)"
            ));
        }
        let unjudged = self.watch.unjudged();
        if unjudged > 0 {
            totals.warnings.push(format!(
                "{unjudged} attempts were not judged, since there were too many at once (a narrower filter)"
            ));
        }
        let hurried = self.live.hurried();
        if hurried > 0 {
            totals.warnings.push(format!(
                "{hurried} packets may stand before earlier ones of other interfaces: the machine is too busy to put them \
                 in order (fewer interfaces, a narrower filter)"
            ));
        }
        Capture { totals, ..Capture::default() }
    }

    fn status(&self) -> Status {
        let drops = self.live.drops();
        Status {
            received: drops.received,
            dropped_by_kernel: drops.by_kernel,
            dropped_by_interface: drops.by_interface,
        }
    }

    fn drops(&self) -> Vec<crate::capture::live::Drops> {
        (0..self.args.interfaces.len()).map(|place| self.live.drops_of(place)).collect()
    }
}

/// What signals ask for.
struct Signals {
    stop: Arc<AtomicBool>,
    summary: Arc<AtomicBool>,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let signals = Self { stop: Arc::default(), summary: Arc::default() };
        let cannot = |error: io::Error| anyhow!("cannot listen to signals: {error}");
        for signal in [SIGINT, SIGTERM] {
            // Whoever asks twice does not want to wait for a summary.
            flag::register_conditional_default(signal, Arc::clone(&signals.stop)).map_err(cannot)?;
            flag::register(signal, Arc::clone(&signals.stop)).map_err(cannot)?;
        }
        flag::register(SIGUSR1, Arc::clone(&signals.summary)).map_err(cannot)?;
        Ok(signals)
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

/// How often what happened is told.
const LOOK: Duration = Duration::from_millis(100);
