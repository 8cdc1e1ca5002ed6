//! Judges a capture that goes on.
//!
//! Rules see routes, and a route needs its legs; some of what belongs to an attempt comes after it. So what is decided
//! waits a little ([`LIVE_SETTLING`]) and is then judged together with what is young enough to belong to it: connections
//! that ended lately, open ones with a young attempt or with the key of one that ended, and such without payload. Each
//! finding is told once. An attempt that failed is judged when it is decided; a session when it is over.

mod window;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::capture::Block;
use crate::diagnosis::{About, Diagnosis, Finding, Selection, diagnose};
use crate::limits::{LIVE_CONNECTIONS_TOLD, LIVE_FINDINGS_TOLD, LIVE_SETTLING};
use crate::model::{Capture, Connection, Outcome, Totals};
use crate::pipeline::{Following, Happened, Options};
use crate::routes::Route;
use crate::units::{PacketNumber, Span, Timestamp};
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
}

/// What a rule found, and on which attempts.
#[derive(Debug)]
pub struct Found {
    /// What it says. Its places mean nothing without the capture that was judged.
    pub finding: Finding,
    /// The attempts that it is about: connection, and place among its attempts. The client's side first; none if it is
    /// about the capture. Of a connection without an attempt the place is none.
    pub legs: Vec<(PacketNumber, Option<usize>)>,
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
}

/// Findings that were told.
#[derive(Debug, Default)]
struct Told {
    /// By connection, on which of its attempts which rule.
    legs: BTreeMap<PacketNumber, BTreeSet<(Option<usize>, &'static str)>>,
    /// On several routes, or on the capture: rule and sentence.
    others: BTreeSet<(&'static str, String)>,
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
        }
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

    /// What was counted, as if everything ended now.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.following.totals()
    }

    /// What happened, and what was found, since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        let happened = self.following.happened();
        let mut events = self.take(happened);
        let is_due = self.due.front().is_some_and(|(when, _)| *when <= self.now());
        if is_due && self.now() >= self.next_judgment {
            self.judge(self.now(), &mut events);
            // The more there is to be looked at, the less often.
            let weight = i64::try_from(self.window.len() / SMALL_WINDOW).unwrap_or(i64::MAX);
            let pause = LIVE_SETTLING.as_nanos().saturating_mul(weight.saturating_add(1));
            self.next_judgment = self.now().after(Span::from_nanos(pause));
        }
        // Afterwards: where nobody looked for long, what is due may be old.
        for forgotten in self.window.trim(self.now()) {
            self.following.forget(&forgotten);
            self.told.legs.remove(&forgotten.id());
        }
        events
    }

    /// Ends everything: what happened and what was found by that.
    pub fn end(&mut self) -> Vec<Event> {
        let happened = self.following.end();
        let mut events = self.take(happened);
        self.judge(Timestamp::MAX, &mut events);
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
                    self.window.add(Connection::clone(&connection), now);
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
        while self.due.front().is_some_and(|(when, _)| *when <= until) {
            ready.extend(self.due.pop_front().map(|(_, connection)| connection));
        }
        let waiting: BTreeSet<PacketNumber> = self.due.iter().map(|(_, connection)| *connection).collect();
        let first_and_last = Some((Timestamp::MIN, self.now()));
        let cut_packets = self.following.totals().cut_packets;
        let totals = Totals { cut_packets, first_and_last, ..Totals::default() };
        let (connections, open) = self.window.lend(&self.following, &ready);
        let capture = Capture { connections, totals, ..Capture::default() };
        let diagnosis = diagnose(&capture, &self.selection, self.shows_secrets);
        let judgment = Judgment { capture: &capture, diagnosis: &diagnosis, ready, waiting, open: &open };
        events.extend(judgment.findings(&mut self.told).map(|found| Event::Found(Box::new(found))));
        self.window.take_back(capture.connections, &open);
    }
}

/// What was judged.
struct Judgment<'a> {
    capture: &'a Capture,
    diagnosis: &'a Diagnosis,
    /// Connections of which something is to be told now.
    ready: BTreeSet<PacketNumber>,
    /// Connections of which something is to be told later.
    waiting: BTreeSet<PacketNumber>,
    /// Connections that are not over.
    open: &'a BTreeSet<PacketNumber>,
}

impl Judgment<'_> {
    /// What is new.
    fn findings(&self, told: &mut Told) -> impl Iterator<Item = Found> {
        let mut found = Vec::new();
        for finding in &self.diagnosis.findings {
            let legs = self.legs(&finding.about);
            let is_new = match &finding.about {
                About::Routes(routes) if routes.len() == 1 => {
                    self.is_settled(&legs) && told.add_legs(&legs, finding.rule.code)
                }
                About::Connections(_) => self.is_settled(&legs) && told.add_legs(&legs, finding.rule.code),
                About::Routes(_) => self.is_settled(&legs) && told.add_other(finding),
                About::Capture => told.add_other(finding),
            };
            if is_new {
                found.push(Found { finding: finding.clone(), legs });
            }
        }
        found.into_iter()
    }

    /// Whether something of it is to be told now, nothing later, and whether what it is about is over or failed.
    fn is_settled(&self, legs: &[(PacketNumber, Option<usize>)]) -> bool {
        let is_ready = legs.iter().any(|(connection, _)| self.ready.contains(connection));
        let is_waiting = legs.iter().any(|(connection, _)| self.waiting.contains(connection));
        is_ready && !is_waiting && !legs.first().is_some_and(|leg| self.goes_on(leg))
    }

    /// Whether this is an attempt on an open connection that did not fail.
    fn goes_on(&self, (name, attempt): &(PacketNumber, Option<usize>)) -> bool {
        if !self.open.contains(name) {
            return false;
        }
        let connections = &self.capture.connections;
        let place = connections.binary_search_by_key(name, Connection::id);
        let connection = place.ok().and_then(|place| connections.get(place));
        let outcome = connection.zip(*attempt).and_then(|(connection, attempt)| {
            let end = self.capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
            Some(Outcome::of(connection.attempts.get(attempt)?, connection, end))
        });
        outcome.is_none_or(|outcome| !outcome.is_failure())
    }

    fn legs(&self, about: &About) -> Vec<(PacketNumber, Option<usize>)> {
        let name = |place: usize| self.capture.connections.get(place).map(Connection::id);
        match about {
            About::Capture => Vec::new(),
            About::Connections(places) => places.iter().filter_map(|at| Some((name(*at)?, None))).collect(),
            About::Routes(routes) => {
                let legs = |route: &Route| -> Vec<(PacketNumber, Option<usize>)> {
                    let legs = route.legs.iter();
                    legs.filter_map(|leg| Some((name(leg.connection)?, Some(leg.attempt)))).collect()
                };
                routes.iter().filter_map(|route| self.diagnosis.routes.get(*route)).flat_map(legs).collect()
            }
        }
    }
}

impl Told {
    /// Whether nothing was told of these attempts by this rule.
    fn add_legs(&mut self, legs: &[(PacketNumber, Option<usize>)], code: &'static str) -> bool {
        let mut is_new = true;
        if self.legs.len() >= LIVE_CONNECTIONS_TOLD {
            self.legs.pop_first();
        }
        for (connection, attempt) in legs {
            is_new &= self.legs.entry(*connection).or_default().insert((*attempt, code));
        }
        is_new
    }

    fn add_other(&mut self, finding: &Finding) -> bool {
        if self.others.len() >= LIVE_FINDINGS_TOLD {
            self.others.clear();
        }
        self.others.insert((finding.rule.code, finding.sentence()))
    }
}

/// A window of so many connections is judged as often as something is due.
const SMALL_WINDOW: usize = 2_000;

#[cfg(test)]
mod tests;
