//! The table of connections: finds the one that a segment belongs to, makes new ones, lets old ones go.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::budget::Budget;
use super::embryo::{Embryo, Embryos};
use super::facts::{ConnectionFacts, Opened, Opening};
use super::flow::Flow;
use super::receiver::Receiver;
use super::slots::Slots;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::limits::{CLOSED_LINGER, EARLY_COPIES, Limits};
use crate::units::{PacketNumber, Timestamp};

/// All connections of a capture (of one shard of it, where several work).
#[derive(Debug)]
pub struct Connections<R> {
    slots: Slots<R>,
    /// Whether a connection has come since the latest look for places.
    has_grown: bool,
    embryos: Embryos,
    /// Closed connections in the order of their end.
    closed: VecDeque<Closed>,
    /// When the first of them is to go.
    next_release: Timestamp,
    budget: Budget,
    /// Copies of packets of connections that have carried no payload yet.
    early_copies: EarlyCopies,
    limits: Limits,
    counts: Counts,
}

/// A connection before its end.
#[derive(Debug)]
pub struct Open<'a, R>(&'a Flow<R>);

impl<'a, R: Receiver> Open<'a, R> {
    /// How it began.
    #[must_use]
    pub const fn opening(&self) -> &'a Opening {
        self.0.opening()
    }

    /// Who has its bytes.
    #[must_use]
    pub const fn receiver(&self) -> &'a R {
        self.0.receiver()
    }

    /// Its latest packet, and when that was.
    #[must_use]
    pub fn last(&self) -> (PacketNumber, Timestamp) {
        self.0.last()
    }

    /// Its latest packet alone, which lies at hand.
    #[must_use]
    pub const fn last_packet(&self) -> PacketNumber {
        self.0.last_packet()
    }

    /// Whether it is over, and only kept for late packets.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.0.closed
    }

    /// What is known of it so far.
    #[must_use]
    pub fn facts(&self) -> ConnectionFacts {
        self.0.facts()
    }
}

/// What the table counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were opened, or carried payload.
    pub connections: u64,
    /// SYNs that were answered by RST.
    pub refused: u64,
    /// SYNs that nobody answered.
    pub unanswered: u64,
    /// Connections without payload that were pushed out of their table at its limit.
    pub embryos_evicted: u64,
    /// Connections dropped at the limit before they ended.
    pub connections_evicted: u64,
    /// Connections of a capture that goes on that were dropped since nothing was heard of them for long.
    pub connections_expired: u64,
    /// Holes given up since all connections together held too many out-of-order bytes.
    pub total_limit_hits: u64,
}

/// A connection that is over for the table.
#[derive(Debug)]
pub enum Ended<R> {
    /// It carried payload.
    Connection(ConnectionFacts, R),
    /// It never carried any.
    WithoutPayload(ConnectionFacts),
}

/// Where a connection probably lies in the table, or that it was not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place(Option<u32>);

#[derive(Debug)]
struct Closed {
    place: u32,
    generation: u32,
    time: Timestamp,
}

impl<R: Receiver> Connections<R> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            slots: Slots::new(),
            has_grown: false,
            embryos: Embryos::new(limits.embryos),
            closed: VecDeque::new(),
            next_release: Timestamp::MAX,
            budget: Budget::default(),
            early_copies: HashMap::default(),
            limits,
            counts: Counts::default(),
        }
    }

    /// What was counted so far. Connections that are still without payload count at the end.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Finds the connections of segments that are about to come and reads what each will need.
    ///
    /// Connections lie all over the memory, and waiting for it is a good part of the work. Doing each step for all
    /// segments before the next step lets the processor fetch for many at once. What is returned depends on what
    /// was read, so that reading it cannot be optimised away; it means nothing.
    #[must_use]
    pub fn locate(&mut self, segments: &[Segment<'_>], places: &mut Vec<Place>) -> u64 {
        self.has_grown = false;
        places.clear();
        places.extend(segments.iter().map(|segment| Place(self.slots.guess(&segment.flow))));
        let located = places.iter().zip(segments);
        let sum = located.fold(0, |sum: u64, (place, segment)| {
            sum.wrapping_add(match place.0 {
                Some(place) => self.slots.get(place).map_or(0, |flow| flow.warm(segment.half)),
                None => self.embryos.warm(&segment.flow),
            })
        });
        // Nobody has touched these for long, and each is in several places.
        let ending = self.closed.iter().take(RELEASED_SOON).filter_map(|closed| self.slots.get(closed.place));
        ending.fold(sum, |sum, flow| sum.wrapping_add(flow.warm_all()))
    }

    /// Takes the next segment; connections that end by it are handed to `ended`. The place may be wrong or out of
    /// date: the connection is looked up again if it is.
    #[inline]
    pub fn segment(
        &mut self,
        place: Place,
        segment: &Segment<'_>,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let flow = place.0.and_then(|place| self.slots.get_mut_if(place, &segment.flow));
        if !flow.is_some_and(|flow| flow.take_ordinary(segment, context)) {
            self.any_segment(place, segment, context, ended);
        }
        if segment.origin.time > self.next_release || self.closed.len() > self.limits.closed_connections {
            self.release_earliest_closed(segment.origin.time, context, ended);
        }
    }

    /// The connections that are not over yet, or that are kept for late packets, in no order.
    pub fn open(&self) -> impl Iterator<Item = Open<'_, R>> {
        self.slots.iter().map(|(_, flow)| Open(flow))
    }

    /// The connections without payload so far that are still remembered, in no order.
    pub fn unopened(&self) -> impl Iterator<Item = ConnectionFacts> {
        self.embryos.iter().map(|embryo| embryo.facts())
    }

    /// The clock of a capture that goes on was put to `now`: what closed before has just closed, by what it says.
    pub fn clock_stepped(&mut self, now: Timestamp) {
        for closed in &mut self.closed {
            closed.time = now;
        }
        self.next_release = self.closed.front().map_or(Timestamp::MAX, |_| now.after(CLOSED_LINGER));
    }

    /// Lets connections of a capture that goes on end: those that closed before `closed`, and those of which nothing was
    /// heard since `heard`; what comes of these later is another connection to us.
    pub fn let_go(
        &mut self,
        now: Timestamp,
        closed: Timestamp,
        heard: Timestamp,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        // One that was active since it closed waits once more, behind the others.
        for _ in 0..self.closed.len().saturating_mul(2) {
            if self.closed.front().is_none_or(|first| first.time >= closed) {
                break;
            }
            self.release_earliest_closed(now, context, ended);
        }
        let is_silent = |flow: &Flow<R>| flow.last().1 < heard;
        let mut silent: Vec<(PacketNumber, u32)> = self
            .slots
            .iter()
            .filter(|(_, flow)| is_silent(flow))
            .map(|(place, flow)| (flow.last_packet(), place))
            .collect();
        silent.sort_unstable();
        for (_, place) in silent {
            self.counts.connections_expired = self.counts.connections_expired.saturating_add(1);
            self.release(place, true, context, ended);
        }
    }

    /// Ends all connections: the capture is over.
    pub fn finish(&mut self, context: &mut R::Context, ended: &mut impl FnMut(Ended<R>, &mut R::Context)) {
        self.slots.clear(|flow| {
            let (facts, receiver) = flow.end(false, context);
            ended(Ended::Connection(facts, receiver), context);
        });
        for embryo in self.embryos.drain() {
            count(&mut self.counts, embryo.opened());
            let copies = take_early_copies(&mut self.early_copies, &embryo.key);
            ended(Ended::WithoutPayload(with_copies(embryo.facts(), copies)), context);
        }
    }

    /// Takes a segment of which nothing is known.
    #[inline(never)]
    fn any_segment(
        &mut self,
        place: Place,
        segment: &Segment<'_>,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let place = match place.0 {
            Some(place) if self.slots.is_at(place, &segment.flow) => Some(place),
            // It was not there, and nothing has come since.
            None if !self.has_grown => None,
            _ => self.slots.find(&segment.flow),
        };
        match place {
            Some(place) => self.known(place, segment, context, ended),
            None => self.unknown(segment, context, ended),
        }
    }

    /// Counts a segment that was captured before.
    #[cold]
    pub fn copy(&mut self, segment: &Segment<'_>) {
        let flow = self.slots.find(&segment.flow).and_then(|place| self.slots.get_mut(place));
        if let Some(flow) = flow {
            flow.count_copies(segment.half, 1);
        } else if self.early_copies.len() < EARLY_COPIES || self.early_copies.contains_key(&segment.flow) {
            let [lo, hi] = self.early_copies.entry(segment.flow).or_default();
            let copies = if segment.half == Half::Lo { lo } else { hi };
            *copies = copies.saturating_add(1);
        }
    }

    #[inline]
    fn known(
        &mut self,
        place: u32,
        segment: &Segment<'_>,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let Some(flow) = self.slots.get_mut(place) else { return };
        if segment.flags.has(Flags::SYN) && flow.is_reused_by(segment) {
            self.release(place, false, context, ended);
            self.unknown(segment, context, ended);
            return;
        }
        let was_disordered = flow.is_disordered(segment.half);
        let may_close = segment.flags.has(Flags::FIN.with(Flags::RST)) && !flow.closed;
        flow.segment(segment, context);
        if was_disordered || flow.is_disordered(segment.half) {
            flow.shrink(self.limits.out_of_order_half_bytes, context);
            let held_bytes = flow.held_bytes();
            self.budget.set(place, held_bytes);
            self.keep_to_total(context);
        }
        if may_close && self.slots.get(place).is_some_and(|flow| flow.closed) {
            let generation = self.slots.generation(place);
            let time = segment.origin.time;
            self.next_release = self.next_release.min(time.after(CLOSED_LINGER));
            self.closed.push_back(Closed { place, generation, time });
        }
    }

    /// A segment of a connection that has carried no payload so far.
    fn unknown(
        &mut self,
        segment: &Segment<'_>,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        if segment.payload_length > 0 && !segment.flags.has(Flags::RST) {
            let embryo =
                self.embryos.take(&segment.flow).unwrap_or_else(|| Embryo::of_first_payload(segment));
            if self.slots.len() >= self.limits.connections {
                self.evict_least_recently_used(context, ended);
            }
            self.counts.connections = self.counts.connections.saturating_add(1);
            let mut flow = embryo.promote(context);
            let [lo, hi] = take_early_copies(&mut self.early_copies, &segment.flow);
            flow.count_copies(Half::Lo, lo);
            flow.count_copies(Half::Hi, hi);
            self.has_grown = true;
            if let Some(place) = self.slots.insert(flow) {
                self.known(place, segment, context, ended);
            }
            return;
        }
        let Some(pushed_out) = self.embryos.observe(segment) else { return };
        if pushed_out.makes_room {
            self.counts.embryos_evicted = self.counts.embryos_evicted.saturating_add(1);
        }
        let opened = pushed_out.embryo.as_ref().map_or(Opened::Unanswered, Embryo::opened);
        count(&mut self.counts, opened);
        // Unanswered ones are told one by one as long as they fit the table; a flood is a number.
        if let Some(embryo) = pushed_out.embryo {
            let copies = take_early_copies(&mut self.early_copies, &embryo.key);
            if opened != Opened::Unanswered {
                ended(Ended::WithoutPayload(with_copies(embryo.facts(), copies)), context);
            }
        }
    }

    /// Takes a connection out of the table.
    fn release(
        &mut self,
        place: u32,
        evicted: bool,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let Some(flow) = self.slots.get_mut(place).filter(|flow| !flow.is_vacant()) else { return };
        let (facts, receiver) = flow.end(evicted, context);
        self.slots.free(place);
        self.budget.set(place, 0);
        ended(Ended::Connection(facts, receiver), context);
    }

    /// Lets the connection go that closed first, unless it has been active since.
    fn release_earliest_closed(
        &mut self,
        now: Timestamp,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let Some(closed) = self.closed.pop_front() else { return };
        self.next_release = self.closed.front().map_or(Timestamp::MAX, |next| next.time.after(CLOSED_LINGER));
        let Some(flow) = self.slots.get(closed.place) else { return };
        if self.slots.generation(closed.place) != closed.generation {
            return;
        }
        let (_, last) = flow.last();
        // One that was heard of later than now was heard of before the clock was put back.
        let is_active = last > closed.time && last <= now && now.since(last) <= CLOSED_LINGER;
        if is_active && self.closed.len() < self.limits.closed_connections {
            self.next_release = self.next_release.min(last.after(CLOSED_LINGER));
            self.closed.push_back(Closed { time: last, ..closed });
            return;
        }
        self.release(closed.place, false, context, ended);
    }

    /// Drops a sixteenth of the connections, those whose latest packets are oldest. Doing it rarely and in
    /// one sweep keeps bookkeeping of their order off the path of every packet.
    fn evict_least_recently_used(
        &mut self,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let mut by_age: Vec<(PacketNumber, u32)> =
            self.slots.iter().map(|(place, flow)| (flow.last_packet(), place)).collect();
        let count = (by_age.len() / EVICTED_FRACTION).max(1);
        if count < by_age.len() {
            by_age.select_nth_unstable(count);
        }
        by_age.truncate(count);
        by_age.sort_unstable();
        for (_, place) in by_age {
            self.counts.connections_evicted = self.counts.connections_evicted.saturating_add(1);
            self.release(place, true, context, ended);
        }
    }

    /// Keeps the out-of-order bytes of all connections below their limit.
    fn keep_to_total(&mut self, context: &mut R::Context) {
        while let Some(oldest) = self.budget.oldest_above(self.limits.out_of_order_total_bytes) {
            if let Some(flow) = self.slots.get_mut(oldest) {
                flow.shrink(0, context);
            }
            self.budget.set(oldest, 0);
            self.counts.total_limit_hits = self.counts.total_limit_hits.saturating_add(1);
        }
    }
}

/// Copies of packets of connections that have carried no payload yet, each half's.
type EarlyCopies = HashMap<FlowKey, [u32; 2], foldhash::fast::RandomState>;

/// The copies of a connection that has carried no payload.
fn take_early_copies(early: &mut EarlyCopies, flow: &FlowKey) -> [u32; 2] {
    if early.is_empty() { [0; 2] } else { early.remove(flow).unwrap_or_default() }
}

fn with_copies(mut facts: ConnectionFacts, copies: [u32; 2]) -> ConnectionFacts {
    for (half, copies) in facts.halves.iter_mut().zip(copies) {
        half.copies = copies;
    }
    facts
}

fn count(counts: &mut Counts, opened: Opened) {
    let counter = match opened {
        Opened::Handshake | Opened::Midstream => &mut counts.connections,
        Opened::Refused => &mut counts.refused,
        Opened::Unanswered => &mut counts.unanswered,
    };
    *counter = counter.saturating_add(1);
}

/// Closed connections that are read before it is their turn to go: about as many as go in the time of a batch.
const RELEASED_SOON: usize = 4;

/// The part of the table that goes at once at its limit.
const EVICTED_FRACTION: usize = 16;
