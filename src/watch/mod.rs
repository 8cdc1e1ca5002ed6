//! Judges a capture that goes on.
//!
//! Rules see routes, and a route needs its legs; some of what belongs to an attempt comes after it. So what is decided
//! waits a little ([`LIVE_SETTLING`]) and is then judged together with what is young enough to belong to it: connections
//! that ended lately, open ones with a young attempt or with the key of one that ended, and such without payload. Each
//! finding is told once. An attempt that failed is judged when it is decided; a session when it is over.
//!
//! [`Watch`] reads packets and says what is to be judged, [`Judge`] judges it. They share nothing, so that they may work at
//! the same time; what goes from one to the other is a [`Task`] and what came of it, [`Judged`].

mod around;
mod event;
mod judge;
mod judgment;
mod polls;
mod window;

use std::collections::{BTreeSet, VecDeque};

pub use event::{Attempted, Event, Found, Involved};
pub use judge::{Judge, Judged, Task};

use crate::capture::Block;
use crate::limits::{LIVE_CONNECTIONS, LIVE_JUDGED, LIVE_SETTLING, LIVE_WINDOW};
use crate::model::{Connection, Outcome, Totals};
use crate::pipeline::{Following, Happened, Options};
use crate::protocol::{ACCEPT_BYTES, FrameLog};
use crate::units::{PacketNumber, Span, Timestamp};
use around::{around, key};
use polls::Polls;
use window::Window;

/// What the requests of one route have in common: the accept value that belongs to their key.
type Key = [u8; ACCEPT_BYTES];

/// A capture that goes on.
#[derive(Debug)]
pub struct Watch {
    following: Following,
    /// What ended and was not handed over to be judged yet.
    ended: Window,
    /// What is to be judged, and when.
    due: VecDeque<Due>,
    /// Where sessions go on by polling.
    polls: Polls,
    /// When something is judged again at the earliest.
    next_judgment: Timestamp,
    /// What is to be told to who judges, beside what there is to be judged.
    forgotten: Vec<PacketNumber>,
    stepped: Option<Timestamp>,
    /// Since when the earliest that is being judged was due; none if nothing is.
    judging: Option<Timestamp>,
    /// When this was looked at the last time, and the time before.
    looked: [Timestamp; 2],
    /// When something was handed over the last time, and how many connections were kept after that.
    handed_over: Timestamp,
    kept: usize,
    unjudged: u64,
    is_judged: bool,
    is_over: bool,
}

/// Something that is to be judged.
#[derive(Debug)]
struct Due {
    when: Timestamp,
    connection: PacketNumber,
    keys: Vec<Key>,
    why: Why,
}

/// Why something is to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// An attempt is decided.
    Decided,
    /// The connection has ended: it is handed over anyway.
    Ended,
    /// A session goes on by polling.
    Polls,
}

impl Watch {
    /// Nothing so far. If nobody judges it, nothing is kept for that, and there are no tasks.
    #[must_use]
    pub fn new(options: Options, is_judged: bool) -> Self {
        Self {
            following: Following::new(options),
            ended: Window::default(),
            due: VecDeque::new(),
            polls: Polls::default(),
            next_judgment: Timestamp::MIN,
            forgotten: Vec::new(),
            stepped: None,
            judging: None,
            looked: [Timestamp::MIN; 2],
            handed_over: Timestamp::MIN,
            kept: 0,
            unjudged: 0,
            is_judged,
            is_over: false,
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
        for due in &mut self.due {
            due.when = due.when.min(at_last);
        }
        self.next_judgment = self.next_judgment.min(now);
        self.ended.clock_stepped(now);
        self.polls.clock_stepped(now);
        (self.stepped, self.looked, self.handed_over) = (Some(now), [now; 2], now);
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

    /// Everything that happened before this time was judged.
    #[must_use]
    pub fn judged_up_to(&self) -> Timestamp {
        let due = self.due.front().map(|due| due.when);
        let since = self.judging.into_iter().chain(due).min();
        since.map_or(self.now(), |since| since.after(Span::from_nanos(-LIVE_SETTLING.as_nanos())))
    }

    /// What happened since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        let happened = self.following.happened();
        let events = self.take(happened);
        if self.is_judged {
            let when = self.now().after(LIVE_SETTLING);
            let polling = self.polls.due(&self.following).into_iter();
            self.due.extend(polling.map(|connection| Due {
                when,
                connection,
                keys: Vec::new(),
                why: Why::Polls,
            }));
        }
        let [latest, _] = self.looked;
        self.looked = [self.now(), latest];
        for connection in self.ended.trim_to_limits() {
            self.following.make_room_for_exchanges(connection.exchanges.len());
            self.unjudged = self.unjudged.saturating_add(connection.attempts.len() as u64);
            self.forgotten.push(connection.id());
        }
        events
    }

    /// Ends everything: what happened by that. What is to be judged after it is asked for as before.
    pub fn end(&mut self) -> Vec<Event> {
        self.is_over = true;
        let happened = self.following.end();
        self.take(happened)
    }

    fn take(&mut self, happened: Vec<Happened>) -> Vec<Event> {
        let now = self.now();
        let mut events = Vec::new();
        for happened in happened {
            self.note(&happened, now);
            events.push(match happened {
                Happened::Handshake { connection, attempt } => {
                    let decided = connection.attempts.get(attempt);
                    let outcome =
                        decided.map_or(Outcome::Unknown, |attempt| Outcome::of(attempt, &connection, now));
                    Event::Handshake { connection, attempt, outcome }
                }
                Happened::Ended(connection) => Event::Ended(connection),
            });
        }
        events
    }

    /// Notes what is to be judged.
    fn note(&mut self, happened: &Happened, now: Timestamp) {
        let (Happened::Handshake { connection, .. } | Happened::Ended(connection)) = happened;
        let has_ended = matches!(happened, Happened::Ended(_));
        if has_ended {
            self.polls.forget(connection.id());
        }
        if !self.is_judged {
            let gone = if has_ended { connection.exchanges.len() } else { 0 };
            self.following.make_room_for_exchanges(gone);
            return;
        }
        let keys = connection.attempts.iter().filter_map(key).collect();
        let when = now.after(LIVE_SETTLING);
        let why = if has_ended { Why::Ended } else { Why::Decided };
        self.due.push_back(Due { when, connection: connection.id(), keys, why });
        if has_ended {
            self.ended.add(without_frames(connection), now);
        }
    }

    /// What is to be judged now, if there is something. Whoever asks has it judged before asking again.
    pub fn task(&mut self) -> Option<Task> {
        let now = self.now();
        let is_due = self.due.front().is_some_and(|due| due.when <= now || self.is_over);
        let is_time = now >= self.next_judgment || self.ended.len() >= LIVE_CONNECTIONS / 2 || self.is_over;
        // What nobody judges grows old all the same.
        let is_old = self.kept > 0 && now.since(self.handed_over) > LIVE_WINDOW;
        if !((is_due && is_time) || is_old) {
            return None;
        }
        self.judging = self.due.front().map(|due| due.when);
        let (ready, polling, keys) = self.take_due(now);
        let open = if ready.is_empty() && polling.is_empty() {
            Vec::new()
        } else {
            around(&self.following, &ready, &polling, keys)
        };
        // The more there is to be looked at, the less often.
        let size = self.kept.saturating_add(self.ended.len()).saturating_add(open.len());
        let weight = i64::try_from(size / SMALL_WINDOW).unwrap_or(i64::MAX);
        let pause = LIVE_SETTLING.as_nanos().saturating_mul(weight.saturating_add(1));
        (self.next_judgment, self.handed_over) = (now.after(Span::from_nanos(pause)), now);
        let [_, looked] = self.looked;
        Some(Task {
            ended: std::mem::take(&mut self.ended),
            open,
            ready,
            polls: !polling.is_empty(),
            waiting: self.due.iter().filter(|due| due.why != Why::Polls).map(|due| due.connection).collect(),
            forgotten: std::mem::take(&mut self.forgotten),
            stepped: self.stepped.take(),
            looked,
            now,
            totals: Totals { first_and_last: Some((Timestamp::MIN, now)), ..self.following.counted() },
        })
    }

    /// What is due now, not more than may be copied at once, what of it only polls, and the keys of it.
    fn take_due(
        &mut self,
        now: Timestamp,
    ) -> (BTreeSet<PacketNumber>, BTreeSet<PacketNumber>, BTreeSet<Key>) {
        let (mut ready, mut polling) = (BTreeSet::new(), BTreeSet::new());
        let (mut keys, mut open) = (BTreeSet::new(), 0_usize);
        let is_due = |due: &Due| due.when <= now || self.is_over;
        while open < LIVE_JUDGED && self.due.front().is_some_and(is_due) {
            let Some(due) = self.due.pop_front() else { break };
            open = open.saturating_add(usize::from(due.why != Why::Ended));
            if due.why == Why::Polls {
                polling.insert(due.connection)
            } else {
                ready.insert(due.connection)
            };
            keys.extend(due.keys);
        }
        (ready, polling, keys)
    }

    /// What came of the latest task: what is to be told.
    pub fn judged(&mut self, judged: Judged) -> Vec<Event> {
        self.judging = None;
        self.kept = judged.kept;
        self.unjudged = self.unjudged.saturating_add(judged.unjudged);
        self.following.make_room_for_exchanges(judged.forgotten_exchanges);
        judged.events
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
const SMALL_WINDOW: usize = 5_000;

#[cfg(test)]
mod tests;
