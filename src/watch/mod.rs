//! Judges a capture that goes on.
//!
//! Rules see routes, and a route needs its legs; some of what belongs to an attempt comes after it. So what is decided
//! waits a little ([`LIVE_SETTLING`]) and is then judged together with what is young enough to belong to it: connections
//! that ended lately, open ones with a young attempt or with the key of one that ended, and such without payload. Each
//! finding is told once. An attempt that failed is judged when it is decided; a session when it is over.

mod judgment;
mod window;

use std::collections::{BTreeSet, VecDeque};

use crate::capture::Block;
use crate::decode::FlowKey;
use crate::diagnosis::{Finding, Rule, Selection, diagnose};
use crate::limits::{LIVE_JUDGED, LIVE_SETTLING};
use crate::model::{Capture, Connection, Outcome, Totals};
use crate::pipeline::{Following, Happened, Options};
use crate::protocol::FrameLog;
use crate::units::{PacketNumber, Span, Timestamp};
use judgment::{Judgment, Told};
use window::Window;

/// Something to be told.
#[derive(Debug)]
pub enum Event {
    /// It is decided what becomes of an attempt, as far as its connection shows it.
    Handshake {
        /// The connection as it is now.
        connection: Box<Connection>,
        /// The attempt's place among those of the connection.
        attempt: usize,
        /// What becomes of it.
        outcome: Outcome,
    },
    /// A connection is over.
    Ended(Box<Connection>),
    /// A rule found something.
    Found(Box<Found>),
    /// An attempt was judged, over all connections that it went: once each, as a user counts them. Findings on it that come
    /// by then are told before it.
    Attempted(Box<Attempted>),
}

/// What became of an attempt as its client sees it.
#[derive(Debug)]
pub struct Attempted {
    /// What became of it.
    pub outcome: Outcome,
    /// The status of the answer; none if there was none.
    pub status: Option<u16>,
    /// The host that was asked for, as it was sent; empty if it is not known.
    pub host: Vec<u8>,
    /// The rule of the leading finding on it, if there is one.
    pub rule: Option<&'static Rule>,
    /// From the request to the answer.
    pub latency: Option<Span>,
    /// Its legs: connection, and place among its attempts. The client's side first.
    pub legs: Vec<(PacketNumber, Option<usize>)>,
}

/// What a rule found, and on which attempts.
#[derive(Debug)]
pub struct Found {
    /// What it says. Its places mean nothing without the capture that was judged.
    pub finding: Finding,
    /// The attempts that it is about: connection, and place among its attempts. The client's side first; none if it is
    /// about the capture. Of a connection without an attempt the place is none.
    pub legs: Vec<(PacketNumber, Option<usize>)>,
    /// The connections that it is about, those that a proxy opened in vain among them.
    pub connections: Vec<Involved>,
}

/// A connection that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Involved {
    /// Its name: its first packet.
    pub name: PacketNumber,
    /// Its endpoints.
    pub flow: FlowKey,
    /// Its last packet; none if it goes on.
    pub last: Option<PacketNumber>,
}

/// A capture that goes on, and what was told of it.
#[derive(Debug)]
pub struct Watch {
    following: Following,
    selection: Selection,
    shows_secrets: bool,
    window: Window,
    /// What is to be judged, and when.
    due: VecDeque<(Timestamp, PacketNumber)>,
    /// When something is judged again at the earliest.
    next_judgment: Timestamp,
    told: Told,
    unjudged: u64,
}

impl Watch {
    /// Nothing so far.
    #[must_use]
    pub fn new(options: Options, selection: Selection, shows_secrets: bool) -> Self {
        Self {
            following: Following::new(options),
            selection,
            shows_secrets,
            window: Window::default(),
            due: VecDeque::new(),
            next_judgment: Timestamp::MIN,
            told: Told::default(),
            unjudged: 0,
        }
    }

    /// What is followed.
    #[must_use]
    pub const fn following(&self) -> &Following {
        &self.following
    }

    /// Reads the next packets.
    pub fn read(&mut self, block: &Block) {
        self.following.read(block);
    }

    /// The time of the capture: that of its latest packet, or later.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.following.now()
    }

    /// It is this late, though no packet says so.
    pub fn wait_until(&mut self, time: Timestamp) {
        self.following.wait_until(time);
    }

    /// The clock by which packets get their times was put to another time, or the machine slept.
    pub fn clock_stepped(&mut self, now: Timestamp) {
        self.following.clock_stepped(now);
        let at_last = now.after(LIVE_SETTLING);
        for (when, _) in &mut self.due {
            *when = (*when).min(at_last);
        }
        self.next_judgment = self.next_judgment.min(now);
        self.window.clock_stepped(now);
    }

    /// What was counted, as if everything ended now.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.following.totals()
    }

    /// Attempts, by connection, that had to go before they were judged: there were too many at once.
    #[must_use]
    pub const fn unjudged(&self) -> u64 {
        self.unjudged
    }

    /// What happened, and what was found, since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        let happened = self.following.happened();
        let mut events = self.take(happened);
        let is_due = self.due.front().is_some_and(|(when, _)| *when <= self.now());
        if is_due && self.now() >= self.next_judgment {
            self.judge(self.now(), &mut events);
            // The more there is to be looked at, the less often.
            let weight = i64::try_from(self.window.lent() / SMALL_WINDOW).unwrap_or(i64::MAX);
            let pause = LIVE_SETTLING.as_nanos().saturating_mul(weight.saturating_add(1));
            self.next_judgment = self.now().after(Span::from_nanos(pause));
        }
        // Afterwards: where nobody looked for long, what is due may be old.
        let forgotten = self.window.trim(self.now());
        if !forgotten.is_empty() {
            let due: BTreeSet<PacketNumber> = self.due.iter().map(|(_, connection)| *connection).collect();
            let unjudged = forgotten.iter().filter(|connection| due.contains(&connection.id()));
            let unjudged: u64 = unjudged.map(|connection| connection.attempts.len() as u64).sum();
            self.unjudged = self.unjudged.saturating_add(unjudged);
        }
        for forgotten in forgotten {
            self.following.forget(&forgotten);
            self.told.forget(forgotten.id());
        }
        events
    }

    /// Ends everything: what happened and what was found by that.
    pub fn end(&mut self) -> Vec<Event> {
        let happened = self.following.end();
        let mut events = self.take(happened);
        self.judge(Timestamp::MAX, &mut events);
        while !self.due.is_empty() {
            self.judge(Timestamp::MAX, &mut events);
        }
        events
    }

    fn take(&mut self, happened: Vec<Happened>) -> Vec<Event> {
        let now = self.now();
        let mut events = Vec::new();
        for happened in happened {
            let event = match happened {
                Happened::Handshake { connection, attempt } => {
                    self.due.push_back((now.after(LIVE_SETTLING), connection.id()));
                    let decided = connection.attempts.get(attempt);
                    let outcome =
                        decided.map_or(Outcome::Unknown, |attempt| Outcome::of(attempt, &connection, now));
                    Event::Handshake { connection, attempt, outcome }
                }
                Happened::Ended(connection) => {
                    self.due.push_back((now.after(LIVE_SETTLING), connection.id()));
                    self.window.add(without_frames(&connection), now);
                    Event::Ended(connection)
                }
            };
            events.push(event);
        }
        events
    }

    /// Judges what is due until then.
    fn judge(&mut self, until: Timestamp, events: &mut Vec<Event>) {
        let mut ready = BTreeSet::new();
        while ready.len() < LIVE_JUDGED && self.due.front().is_some_and(|(when, _)| *when <= until) {
            ready.extend(self.due.pop_front().map(|(_, connection)| connection));
        }
        let waiting: BTreeSet<PacketNumber> = self.due.iter().map(|(_, connection)| *connection).collect();
        let first_and_last = Some((Timestamp::MIN, self.now()));
        let Totals { packets, copies, cut_packets, .. } = self.following.totals();
        let totals = Totals { packets, copies, cut_packets, first_and_last, ..Totals::default() };
        let (connections, open) = self.window.lend(&self.following, &ready);
        let capture = Capture { connections, totals, ..Capture::default() };
        let diagnosis = diagnose(&capture, &self.selection, self.shows_secrets);
        let judgment = Judgment { capture: &capture, diagnosis: &diagnosis, ready, waiting, open: &open };
        events.extend(judgment.findings(&mut self.told).map(|found| Event::Found(Box::new(found))));
        let attempts = judgment.attempts(&mut self.told).into_iter();
        events.extend(attempts.map(|attempted| Event::Attempted(Box::new(attempted))));
        self.window.take_back(capture.connections, &open);
    }
}

/// What is judged of a connection: no rule looks at each frame.
fn without_frames(connection: &Connection) -> Connection {
    let mut connection = connection.clone();
    for session in connection.attempts.iter_mut().filter_map(|attempt| attempt.session.as_mut()) {
        session.frames = FrameLog::default();
    }
    connection
}

/// A window of so many connections is judged as often as something is due.
const SMALL_WINDOW: usize = 2_000;

#[cfg(test)]
mod tests;
