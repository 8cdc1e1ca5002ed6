//! What the screen of a live capture shows: the attempts of connections that are open or ended lately, judged anew when
//! something happened; and how the capture is.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::aside::Aside;
use super::now;
use super::session::{Failed, Session, Teller};
use crate::capture::Interface;
use crate::capture::live::Memory;
use crate::diagnosis::{Selection, diagnose};
use crate::limits::{LIVE_BYSTANDERS, LIVE_SCREEN_BYTES, LIVE_SCREEN_CONNECTIONS, LIVE_UNOPENED};
use crate::model::{Capture, Connection};
use crate::pipeline::OpenConnection;
use crate::screen::Reader;
use crate::text;
use crate::tui::{Finished, InterfacePulse, News, Progress, Pulse, Shown};
use crate::units::{PacketNumber, Timestamp};
use crate::watch::Event;

/// Hands over what the screen shows.
pub(super) struct Feed<'a> {
    reader: &'a Reader,
    /// Connections with an attempt that ended, the latest last.
    ended: Listed,
    /// Connections without one.
    bystanders: Listed,
    judge: Aside<Task, Duration>,
    /// How long the latest judgment took.
    took: Duration,
    /// What does not change of it.
    pulse: Pulse,
    memory: Option<Memory>,
    /// The connection whose frames are looked at.
    watched: Option<PacketNumber>,
    /// Something happened that was not judged yet.
    is_news: bool,
    judged: Instant,
    packets_judged: u64,
    speed: Speed,
}

/// What the screen says of a capture before it begins.
pub(super) struct About {
    pub(super) interfaces: Vec<Interface>,
    pub(super) filter: String,
    pub(super) recording: Option<String>,
    pub(super) confinement: Vec<String>,
    pub(super) memory: Option<Memory>,
}

impl<'a> Feed<'a> {
    /// Starts the thread that judges what is listed.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(super) fn new(
        reader: &'a Reader,
        about: About,
        (selection, shown): (Selection, Shown),
    ) -> io::Result<Self> {
        let name = |interface: &Interface| InterfacePulse {
            name: text::escape(interface.name.as_deref().unwrap_or_default()).into_owned(),
            ..InterfacePulse::default()
        };
        let pulse = Pulse {
            interfaces: about.interfaces.iter().map(name).collect(),
            filter: text::escape(&about.filter).into_owned(),
            recording: about.recording.map(|path| text::escape(&path).into_owned()),
            confinement: about.confinement,
            ..Pulse::default()
        };
        let now = now();
        Ok(Self {
            reader,
            ended: Listed::new(LIVE_SCREEN_CONNECTIONS),
            bystanders: Listed::new(LIVE_BYSTANDERS),
            judge: judge(reader.news(), selection, shown)?,
            took: Duration::ZERO,
            pulse,
            memory: about.memory,
            watched: None,
            is_news: true,
            judged: now,
            packets_judged: 0,
            speed: Speed { since: now, came: (0, 0), measured: (0, 0) },
        })
    }

    fn pulse(&mut self, session: &Session) -> Pulse {
        let taking = &session.taking;
        let (packets, _) = taking.came();
        let (packets_per_second, bytes_per_second) = self.speed.measure(taking.came());
        let mut pulse = Pulse {
            packets_per_second,
            bytes_per_second,
            packets,
            remembered_bytes: self.memory.as_ref().map(Memory::bytes),
            unlisted: self.ended.gone,
            ..self.pulse.clone()
        };
        let drops = taking.drops();
        for (place, (interface, drops)) in pulse.interfaces.iter_mut().zip(drops).enumerate() {
            interface.received = drops.received;
            interface.by_kernel = drops.by_kernel;
            interface.by_interface = drops.by_interface;
            interface.is_down = taking.is_down(place);
            interface.lost = taking.lost(place).map(|reason| text::escape(reason).into_owned());
        }
        pulse
    }

    fn tell_pulse(&mut self, session: &Session) {
        let pulse = self.pulse(session);
        self.reader.send(News::Progress(Progress { packets: pulse.packets, ..Progress::default() }));
        self.reader.send(News::Pulse(Box::new(pulse)));
    }

    /// Everything that is listed, as it is now. To look at it all takes a while where there is much, so it is not done more
    /// often than is of use.
    fn task(&mut self, session: &Session, totals: Capture) -> Task {
        let following = session.watch.following();
        let (mut open, mut bystanders) = (Vec::new(), Vec::new());
        for connection in following.open() {
            if !connection.attempts().is_empty() {
                open.push(connection);
            } else if connection.exchanges().is_some() {
                bystanders.push(connection);
            }
        }
        // Those that began last: were it those heard of last, they would come and go under the reader's eyes.
        let begun = |open: &OpenConnection<'_>| Reverse((self.watched == Some(open.id()), open.id()));
        let unlisted = keep_first(&mut open, LIVE_SCREEN_CONNECTIONS, begun);
        keep_first(&mut bystanders, LIVE_BYSTANDERS, |open| Reverse(open.last_packet()));
        let look = |open: &OpenConnection<'_>| {
            if self.watched == Some(open.id()) {
                open.to_connection_with_frames()
            } else {
                open.to_connection()
            }
        };
        let mut others: Vec<Connection> = open.iter().chain(&bystanders).map(look).collect();
        let mut unopened: Vec<Connection> = following.unopened().collect();
        keep_first(&mut unopened, LIVE_UNOPENED, |connection| Reverse(connection.tcp.last.0));
        others.extend(unopened);
        let ended = self.ended.connections.iter().chain(&self.bystanders.connections).cloned().collect();
        self.pulse.unlisted_open = unlisted;
        Task { ended, others, totals, now: session.watch.now() }
    }
}

/// Keeps so many, those that come first by a key, in whatever order. How many had to go.
fn keep_first<T, K: Ord>(all: &mut Vec<T>, most: usize, key: impl FnMut(&T) -> K) -> u64 {
    let gone = all.len().saturating_sub(most);
    if gone > 0 {
        all.select_nth_unstable_by_key(most, key);
        all.truncate(most);
    }
    gone as u64
}

impl Teller for Feed<'_> {
    fn event(&mut self, event: &Event, _: Timestamp) -> Result<(), Failed> {
        self.is_news = true;
        if let Event::Ended(connection) = event {
            let list = if connection.attempts.is_empty() { &mut self.bystanders } else { &mut self.ended };
            list.add(Arc::new(Connection::clone(connection)));
        }
        Ok(())
    }

    /// What was lost is told with each pulse.
    fn warning(&mut self, _: &str, _: Timestamp) -> Result<(), Failed> {
        Ok(())
    }

    fn look(&mut self, session: &Session) -> Result<(), Failed> {
        if let Some(watched) = self.reader.asked() {
            (self.watched, self.is_news) = (Some(watched), true);
        }
        if !self.reader.is_wanted() {
            return Ok(());
        }
        self.tell_pulse(session);
        let (packets, _) = session.taking.came();
        let pause = if self.is_news { SOON } else { LATER };
        let is_new = self.is_news || packets != self.packets_judged;
        self.took = self.judge.answer()?.unwrap_or(self.took);
        // It rests longer than it works.
        let pause = pause.max(self.took.saturating_mul(4));
        if is_new && self.judge.is_free() && self.judged.elapsed() >= pause {
            let task = self.task(session, session.totals());
            (self.judged, self.is_news, self.packets_judged) = (now(), false, packets);
            self.judge.ask(task);
        }
        Ok(())
    }

    /// Only the last one is of use: the screen shows one all the time.
    fn summary(&mut self, summary: &Capture, session: &Session) -> Result<(), Failed> {
        if !session.is_over() {
            return Ok(());
        }
        let ended = if session.taking.all_lost() { None } else { session.taking.ended() };
        self.pulse.ended = Some(ended.unwrap_or("all interfaces were lost").to_owned());
        self.judge.wait()?;
        let task = self.task(session, summary.clone());
        self.judge.ask(task);
        self.tell_pulse(session);
        Ok(())
    }
}

/// Connections that are listed, at most so many, and so many bytes of them.
struct Listed {
    connections: VecDeque<Arc<Connection>>,
    most: usize,
    bytes: usize,
    /// So many had to go.
    gone: u64,
}

impl Listed {
    const fn new(most: usize) -> Self {
        Self { connections: VecDeque::new(), most, bytes: 0, gone: 0 }
    }

    fn add(&mut self, connection: Arc<Connection>) {
        self.bytes = self.bytes.saturating_add(size(&connection));
        self.connections.push_back(connection);
        while self.connections.len() > self.most || self.bytes > LIVE_SCREEN_BYTES {
            let Some(oldest) = self.connections.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(size(&oldest));
            self.gone = self.gone.saturating_add(1);
        }
    }
}

/// What a connection holds, more or less.
fn size(connection: &Connection) -> usize {
    let frames = connection.attempts.iter().filter_map(|it| it.session.as_ref()).map(|it| it.frames.len());
    let frames = frames.sum::<usize>().saturating_mul(size_of::<crate::protocol::FrameRecord>());
    let heads: usize = connection.attempts.iter().map(crate::protocol::Attempt::head_bytes).sum();
    frames.saturating_add(heads).saturating_add(size_of::<Connection>())
}

/// How fast something comes.
struct Speed {
    since: Instant,
    came: (u64, u64),
    measured: (u64, u64),
}

impl Speed {
    /// Packets and bytes a second, measured over a second or more; `came` is what came so far.
    fn measure(&mut self, came: (u64, u64)) -> (u64, u64) {
        let millis = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        if millis >= 1_000 {
            let per_second =
                |now: u64, before: u64| now.saturating_sub(before).saturating_mul(1_000) / millis.max(1);
            self.measured = (per_second(came.0, self.came.0), per_second(came.1, self.came.1));
            (self.since, self.came) = (now(), came);
        }
        self.measured
    }
}

/// What is to be judged.
struct Task {
    ended: Vec<Arc<Connection>>,
    others: Vec<Connection>,
    totals: Capture,
    now: Timestamp,
}

impl Task {
    /// Everything that the screen shows of it.
    fn judge(self, selection: &Selection, shown: Shown) -> Finished {
        let Self { ended, others, totals, now: end } = self;
        let mut connections: Vec<Connection> =
            ended.into_iter().map(|connection| Connection::clone(&connection)).chain(others).collect();
        connections.sort_by_key(Connection::id);
        connections.dedup_by_key(|connection| connection.id());
        let mut capture = Capture { connections, ..totals };
        let (first, last) = capture.totals.first_and_last.unwrap_or((end, end));
        // Where no packet comes, time goes by all the same.
        capture.totals.first_and_last = Some((first, last.max(end)));
        let diagnosis = diagnose(&capture, selection, shown.secrets);
        Finished::new(capture, diagnosis, shown)
    }
}

/// Judges and sends what comes of it to the screen; the answer is how long that took.
fn judge(news: Sender<News>, selection: Selection, shown: Shown) -> io::Result<Aside<Task, Duration>> {
    Aside::start("listing", move |task: Task| {
        let began = now();
        let finished = Box::new(task.judge(&selection, shown));
        let took = began.elapsed();
        // Where nobody looks on any more, it is of no use.
        let _ = news.send(News::Snapshot(finished));
        took
    })
}

/// How soon after something happened all is judged anew, at the earliest.
const SOON: Duration = Duration::from_millis(300);

/// The same where packets came and nothing happened.
const LATER: Duration = Duration::from_secs(1);
