//! What goes on while packets come: they are read and judged, and whoever tells of it is told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::anyhow;

use super::aside::{Aside, Gone};
use super::clock::Clock;
use super::failures::{Failures, FailuresFile};
use super::now;
use super::serve::Board;
use super::taking::{Step, Taking};
use crate::capture::live::wall_clock;
use crate::capture::{Block, CaptureError};
use crate::cli::StopWhen;
use crate::diagnosis::Severity;
use crate::model::Capture;
use crate::pipeline::OpenConnection;
use crate::report::count::count;
use crate::report::metrics::{Gauges, Metrics};
use crate::units::Timestamp;
use crate::watch::{Attempted, Event, Judged, Task, Watch};

/// A capture that goes on.
pub(super) struct Session {
    pub(super) taking: Taking,
    pub(super) watch: Watch,
    /// Who judges; none if nobody wants to know of findings.
    judge: Option<Aside<Task, Judged>>,
    pub(super) signals: Signals,
    pub(super) stop_when: Option<StopWhen>,
    /// Attempts that failed, each counted once, over however many connections it went.
    failed: u64,
    /// What is counted for metrics, and where it is handed over.
    metrics: Option<(Metrics, Board)>,
    failures: Option<Failures>,
    /// How often the clock was put.
    steps: u64,
    /// The worst that was found.
    pub(super) worst: Option<Severity>,
    /// What was said of the interface that was lost last.
    lost: Option<String>,
    is_over: bool,
}

/// Whoever tells somebody.
pub(super) trait Teller {
    /// Something happened; it is `now`.
    ///
    /// # Errors
    /// What the system says if it cannot be told; so with all others.
    fn event(&mut self, event: &Event, now: Timestamp) -> Result<(), Failed>;

    /// An interface was lost, or something like that.
    ///
    /// # Errors
    /// What the system says.
    fn warning(&mut self, message: &str, now: Timestamp) -> Result<(), Failed>;

    /// Packets were read, or some time went by. This comes a few times a second.
    ///
    /// # Errors
    /// What the system says.
    fn look(&mut self, session: &Session) -> Result<(), Failed>;

    /// Somebody wants a summary, or the capture is over.
    ///
    /// # Errors
    /// What the system says.
    fn summary(&mut self, summary: &Capture, session: &Session) -> Result<(), Failed>;
}

/// What ends a capture before its time.
#[derive(Debug)]
pub(super) enum Failed {
    Output(io::Error),
    Recording(CaptureError),
    /// A thread of this program is gone.
    Gone,
}

impl From<Gone> for Failed {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
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

impl Session {
    pub(super) fn new(
        taking: Taking,
        (watch, judge): (Watch, Option<Aside<Task, Judged>>),
        signals: Signals,
        stop_when: Option<StopWhen>,
    ) -> Self {
        Self {
            taking,
            watch,
            judge,
            signals,
            stop_when,
            metrics: None,
            failures: None,
            steps: 0,
            failed: 0,
            worst: None,
            lost: None,
            is_over: false,
        }
    }

    /// Numbers are to be handed over here.
    pub(super) fn post_to(&mut self, board: Option<Board>) {
        self.metrics = board.map(|board| (Metrics::default(), board));
    }

    /// The packets of connections with findings are to be written.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(super) fn write_failures(&mut self, file: Option<FailuresFile>) -> io::Result<()> {
        self.failures = file.map(FailuresFile::start).transpose()?;
        Ok(())
    }

    /// Until it is over.
    pub(super) fn run(&mut self, teller: &mut impl Teller) -> Result<(), Failed> {
        let mut looked = now();
        let mut clock = Clock::new(wall_clock(), now());
        let mut block = Block::default();
        loop {
            let time = wall_clock();
            if let Some(message) = clock.stepped(time, now()) {
                self.steps = self.steps.saturating_add(1);
                self.watch.clock_stepped(time);
                if let Some(failures) = &mut self.failures {
                    failures.clock_stepped(time);
                }
                teller.warning(&message, time)?;
            }
            match self.taking.next(&mut block)? {
                Step::Packets => self.watch.read(&block),
                Step::Nothing => self.watch.wait_until(wall_clock()),
                Step::Lost(message) => {
                    teller.warning(&message, self.watch.now())?;
                    self.lost = Some(message);
                }
                Step::Switched(message) => teller.warning(&message, self.watch.now())?,
                Step::Over => break,
            }
            if looked.elapsed() >= LOOK {
                looked = now();
                let events = self.watch.events();
                self.tell(&events, teller)?;
                self.judge(teller)?;
                if self.signals.summary.swap(false, Ordering::Relaxed) {
                    teller.summary(&self.totals(), self)?;
                }
                if let Some(failures) = &mut self.failures {
                    failures.look(self.watch.now(), self.watch.judged_up_to())?;
                }
                if self.metrics.as_ref().is_some_and(|(_, board)| board.is_wanted()) {
                    self.post();
                }
                teller.look(self)?;
            }
            if self.signals.stop.load(Ordering::Relaxed) {
                self.taking.stop("as it was asked to");
            }
        }
        let events = self.watch.events();
        self.tell(&events, teller)?;
        self.judge_to_the_end(teller)?;
        // The summary speaks of what was open as open.
        let mut summary = self.totals();
        let events = self.watch.end();
        self.tell(&events, teller)?;
        self.judge_to_the_end(teller)?;
        if let Some(failures) = &mut self.failures {
            let before = failures.warnings();
            failures.finish()?;
            summary.totals.warnings.retain(|warning| !before.contains(warning));
            summary.totals.warnings.extend(failures.warnings());
        }
        self.is_over = true;
        self.post();
        teller.summary(&summary, self)?;
        self.taking.finish()?;
        Ok(())
    }

    /// Tells what was judged, and hands over what is to be judged next. As long as something is being judged, the rest
    /// waits: packets do not.
    fn judge(&mut self, teller: &mut impl Teller) -> Result<(), Failed> {
        let Some(judge) = &mut self.judge else { return Ok(()) };
        let judged = judge.answer()?;
        let events = judged.map(|judged| self.watch.judged(judged)).unwrap_or_default();
        if judge.is_free()
            && let Some(task) = self.watch.task()
        {
            judge.ask(task);
        }
        self.tell(&events, teller)
    }

    /// Tells everything that is to be judged now.
    fn judge_to_the_end(&mut self, teller: &mut impl Teller) -> Result<(), Failed> {
        while let Some(judge) = &mut self.judge {
            let judged = judge.wait()?;
            let is_last = judged.is_none();
            let events = judged.map(|judged| self.watch.judged(judged)).unwrap_or_default();
            let task = self.watch.task();
            if is_last && task.is_none() {
                break;
            }
            if let Some(task) = task {
                judge.ask(task);
            }
            self.tell(&events, teller)?;
        }
        Ok(())
    }

    fn tell(&mut self, events: &[Event], teller: &mut impl Teller) -> Result<(), Failed> {
        let now = self.watch.now();
        for event in events {
            let is_enough = match event {
                Event::Attempted(attempted) => {
                    self.failed = self.failed.saturating_add(u64::from(attempted.outcome.is_failure()));
                    if let Some((metrics, _)) = &mut self.metrics {
                        let Attempted { outcome, status, host, rule, latency, .. } = &**attempted;
                        metrics.attempt(*outcome, *status, host, *rule, *latency);
                    }
                    matches!(self.stop_when, Some(StopWhen::Failed(limit)) if self.failed >= limit)
                }
                Event::Found(found) => {
                    self.worst = self.worst.max(Some(found.finding.severity));
                    if let Some((metrics, _)) = &mut self.metrics {
                        metrics.finding(found.finding.rule, found.finding.severity);
                    }
                    if let Some(failures) = &mut self.failures {
                        failures.found(found, now);
                    }
                    let code = found.finding.rule.code;
                    matches!(self.stop_when, Some(StopWhen::Found(rule)) if rule.code == code)
                }
                Event::Ended(connection) => {
                    if let Some(failures) = &mut self.failures {
                        failures.ended(connection, now);
                    }
                    false
                }
                Event::Handshake { .. } => false,
            };
            teller.event(event, now)?;
            if is_enough {
                self.taking.stop("as --stop-when says");
            }
        }
        Ok(())
    }

    /// Hands over what was counted, to whoever serves it.
    fn post(&self) {
        let Some((metrics, board)) = &self.metrics else { return };
        let open = || self.watch.following().open().filter(|open| !open.is_closed());
        let gauges = Gauges {
            totals: self.watch.totals(),
            open_sessions: open().filter(OpenConnection::has_session).count() as u64,
            open_connections: open().count() as u64,
            interfaces: self.taking.gauges(),
            hurried_packets: self.taking.hurried(),
            unjudged_attempts: self.watch.unjudged(),
        };
        board.post(metrics.clone(), gauges);
    }

    /// Whether nothing more comes.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// What was counted so far.
    pub(super) fn totals(&self) -> Capture {
        let mut totals = self.watch.totals();
        totals.warnings.extend(self.taking.warnings());
        totals.warnings.extend(self.failures.iter().flat_map(Failures::warnings));
        if self.steps > 0 {
            let times = count(self.steps, "time");
            totals
                .warnings
                .push(format!("the clock was put {times} while packets came: some times are wrong"));
        }
        let unjudged = self.watch.unjudged();
        if unjudged > 0 {
            totals.warnings.push(format!(
                "{unjudged} attempts were not judged, since there were too many at once (a narrower filter)"
            ));
        }
        Capture { totals, ..Capture::default() }
    }

    /// Why it ended, if nobody asked for that.
    pub(super) fn lost(self) -> Option<String> {
        self.lost.filter(|_| self.taking.all_lost())
    }
}

/// What signals ask for.
pub(super) struct Signals {
    /// The end.
    pub(super) stop: Arc<AtomicBool>,
    /// A summary.
    pub(super) summary: Arc<AtomicBool>,
}

impl Signals {
    /// Listens to those that ask for the end and for a summary.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let signals = Self::without_end()?;
        let cannot = |error: io::Error| anyhow!("cannot listen to signals: {error}");
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // Whoever asks twice does not want to wait for a summary.
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&signals.stop))
                .map_err(cannot)?;
            signal_hook::flag::register(signal, Arc::clone(&signals.stop)).map_err(cannot)?;
        }
        Ok(signals)
    }

    /// Listens only to the one that asks for a summary.
    pub(super) fn without_end() -> anyhow::Result<Self> {
        let signals = Self { stop: Arc::default(), summary: Arc::default() };
        let cannot = |error: io::Error| anyhow!("cannot listen to signals: {error}");
        signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&signals.summary))
            .map_err(cannot)?;
        Ok(signals)
    }
}

/// How often what happened is told.
const LOOK: Duration = Duration::from_millis(100);
