//! Follows a capture that goes on: says what happened as soon as it is decided, and lets go of what is over.

use std::collections::BTreeMap;

use super::shard::{OpenConnection, Shard};
use super::{Options, read_block};
use crate::capture::{Block, CaptureError};
use crate::decode::{Skip, Unwrap};
use crate::limits::{LIVE_IDLE, LIVE_LINGER, LIVE_STALE, UNANSWERED_AFTER};
use crate::model::{Connection, Keeps, Totals};
use crate::protocol::Attempt;
use crate::units::{PacketNumber, Span, Timestamp};

/// Something that happened.
#[derive(Debug)]
pub enum Happened {
    /// It is decided what becomes of an attempt, as far as its connection shows it.
    Handshake {
        /// The connection as it is now.
        connection: Box<Connection>,
        /// The attempt's place among those of the connection.
        attempt: usize,
    },
    /// A connection is over.
    Ended(Box<Connection>),
}

/// A capture that goes on.
///
/// Its time is that of the packets; where none come, it is told how late it is.
#[derive(Debug)]
pub struct Following {
    shard: Shard,
    unwrap: Unwrap,
    now: Timestamp,
    /// For connections that are open, how many of their attempts were told.
    told: BTreeMap<PacketNumber, usize>,
    /// The latest packet that was read, and the latest when what is open was looked at.
    latest: PacketNumber,
    looked_up_to: PacketNumber,
    /// When all that is open was looked at.
    looked_at_all: Timestamp,
    /// When silent connections were looked for the last time.
    swept: Timestamp,
    /// The clock was put to this time: how long something waited is not known of what came before.
    stepped: Timestamp,
    /// After the clock was put back: packets from this time on are from before, as long as the other time has not come.
    stale: Option<(Timestamp, Timestamp)>,
}

impl Following {
    /// Nothing so far.
    #[must_use]
    pub fn new(options: Options) -> Self {
        // Everything is taken out soon, and who takes it decides what is kept.
        let options = Options { keeps: Keeps::Connections, ..options };
        Self {
            shard: Shard::new(options),
            unwrap: Unwrap::default(),
            now: Timestamp::MIN,
            told: BTreeMap::new(),
            latest: PacketNumber(0),
            looked_up_to: PacketNumber(0),
            looked_at_all: Timestamp::MIN,
            swept: Timestamp::MIN,
            stepped: Timestamp::MIN,
            stale: None,
        }
    }

    /// Reads the next packets.
    pub fn read(&mut self, block: &Block) {
        let read: Result<(), CaptureError> = read_block(block, None, &mut self.unwrap, &mut self.shard);
        self.shard.skip_several(Skip::Fragment, self.unwrap.take_lost(false));
        debug_assert!(read.is_ok(), "only a filter can fail");
        if self.stale.is_some_and(|(_, until)| self.now >= until) {
            self.stale = None;
        }
        let stale = self.stale.map_or(Timestamp::MAX, |(from, _)| from);
        let times = block.packets.iter().map(|packet| packet.time).filter(|time| *time < stale);
        self.now = self.now.max(times.max().unwrap_or(Timestamp::MIN));
        if let Some(last) = block.packets.len().checked_sub(1) {
            self.latest = PacketNumber(block.first.0.saturating_add(last as u64));
        }
    }

    /// The clock by which packets get their times was put to another time, or the machine slept.
    pub fn clock_stepped(&mut self, now: Timestamp) {
        let back = self.now.since(now);
        if back > Span::default() {
            // Some of those from before may still come.
            let between = now.after(Span::from_nanos(back.as_nanos() / 2));
            self.stale = Some((between, now.after(LIVE_STALE)));
        }
        (self.now, self.stepped) = (now, now);
        self.swept = self.swept.min(now);
        self.looked_at_all = self.looked_at_all.min(now);
        self.shard.clock_stepped(now);
    }

    /// The time of the capture: that of its latest packet, or later.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// It is this late, though no packet says so.
    pub fn wait_until(&mut self, time: Timestamp) {
        self.now = self.now.max(time);
    }

    /// What happened since the last call: handshakes that are decided, connections that are over.
    pub fn happened(&mut self) -> Vec<Happened> {
        let heard = if self.now.since(self.swept) >= SWEEP {
            self.swept = self.now;
            // Of those from before a step of the clock nobody knows how long they are silent.
            let since_step = self.now.since(self.stepped) >= LIVE_IDLE;
            if since_step { before(self.now, LIVE_IDLE) } else { Timestamp::MIN }
        } else {
            Timestamp::MIN
        };
        self.shard.let_go(self.now, before(self.now, LIVE_LINGER), heard);
        let ended = self.shard.take_ended(self.now);
        let mut happened = self.tell_ended(ended);
        let is_decided = |attempt: &Attempt| {
            let asked = || attempt.request.as_ref().map(|request| request.origin.time.max(self.stepped));
            let waits = || asked().map(|asked| self.now.since(asked));
            attempt.response.is_some() || waits().is_some_and(|waited| waited >= UNANSWERED_AFTER)
        };
        // Of a connection without a new packet only time decides anything, and not to the millisecond.
        let looks_at_all = self.now.since(self.looked_at_all) >= LOOK_AT_ALL;
        let is_looked_at = |open: &OpenConnection<'_>| looks_at_all || open.last_packet() > self.looked_up_to;
        for open in self.shard.so_far().open().filter(is_looked_at) {
            let decided = open.attempts().iter().take_while(|attempt| is_decided(attempt)).count();
            if decided == 0 {
                continue;
            }
            let told = self.told.entry(open.id()).or_default();
            for attempt in *told..decided {
                happened.push(Happened::Handshake { connection: Box::new(open.to_connection()), attempt });
            }
            *told = decided.max(*told);
        }
        self.looked_up_to = self.latest;
        if looks_at_all {
            self.looked_at_all = self.now;
        }
        happened.sort_by_key(Happened::packet);
        happened
    }

    /// Connections that are not over yet.
    pub fn open(&self) -> impl Iterator<Item = OpenConnection<'_>> {
        self.shard.so_far().open()
    }

    /// Connections without payload, as far as they are remembered.
    pub fn unopened(&self) -> impl Iterator<Item = Connection> {
        self.shard.unopened()
    }

    /// Nobody keeps so many of the requests any more that were no attempts.
    pub const fn make_room_for_exchanges(&mut self, number: usize) {
        self.shard.make_room_for_exchanges(number);
    }

    /// What was counted of packets alone, which costs nothing.
    #[must_use]
    pub fn counted(&self) -> Totals {
        let Totals { packets, bytes, cut_packets, .. } = *self.shard.so_far().totals();
        Totals { packets, bytes, cut_packets, copies: self.shard.copies(), ..Totals::default() }
    }

    /// What was counted, as if everything ended now. It looks at all connections that are open.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shard.totals_now(self.now)
    }

    /// Ends everything, and says what that was.
    pub fn end(&mut self) -> Vec<Happened> {
        let ended = self.shard.end(self.now);
        let mut happened = self.tell_ended(ended);
        happened.sort_by_key(Happened::packet);
        happened
    }

    fn tell_ended(&mut self, ended: Vec<Connection>) -> Vec<Happened> {
        let mut happened = Vec::new();
        for connection in ended {
            let told = self.told.remove(&connection.id()).unwrap_or_default();
            for attempt in told..connection.attempts.len() {
                happened.push(Happened::Handshake { connection: Box::new(connection.clone()), attempt });
            }
            self.shard.forget_frames(&connection);
            happened.push(Happened::Ended(Box::new(connection)));
        }
        happened
    }
}

impl Happened {
    /// The packet that it happened with, as far as there is one; the order in which things are told.
    fn packet(&self) -> (PacketNumber, usize) {
        match self {
            Self::Handshake { connection, attempt } => {
                let decided = connection.attempts.get(*attempt);
                let answer = decided.and_then(|attempt| Some(attempt.response.as_ref()?.origin.packet));
                (answer.unwrap_or(connection.tcp.last.0), *attempt)
            }
            Self::Ended(connection) => (connection.tcp.last.0, usize::MAX),
        }
    }
}

/// So long before a time.
fn before(time: Timestamp, span: Span) -> Timestamp {
    time.after(Span::from_nanos(span.as_nanos().saturating_neg()))
}

/// How often all open connections are looked at, and not only those that have new packets.
const LOOK_AT_ALL: Span = Span::from_millis(1_000);

/// How often silent connections are looked for.
const SWEEP: Span = Span::from_millis(60_000);
