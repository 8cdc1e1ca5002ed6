//! The table of connections: finds the one that a segment belongs to, makes new ones, lets old ones go.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::embryo::{Embryo, Embryos};
use super::facts::{ConnectionFacts, Opened};
use super::flow::Flow;
use super::receiver::Receiver;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::limits::{CLOSED_LINGER, Limits};
use crate::units::{PacketNumber, Timestamp};

/// All connections of a capture (of one shard of it, where several work).
#[derive(Debug)]
pub struct Connections<R> {
    /// Where each flow lies in `slots`: four bytes a flow, so that the table stays in the cache.
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    slots: Vec<Slot<R>>,
    free: Vec<u32>,
    embryos: Embryos,
    /// Closed connections in the order of their end.
    closed: VecDeque<Closed>,
    /// Places with out-of-order bytes, in the order in which they came to hold some; each at most once.
    disordered: VecDeque<u32>,
    held_bytes: usize,
    limits: Limits,
    counts: Counts,
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

/// Where a connection lies in the table, or that it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(Option<u32>);

#[derive(Debug)]
struct Slot<R> {
    flow: Option<Flow<R>>,
    /// Distinguishes the flows that use this place one after the other.
    generation: u32,
    /// What of `held_bytes` is this flow's.
    held_bytes: usize,
    /// Whether it stands in `disordered`.
    queued: bool,
}

#[derive(Debug)]
struct Closed {
    slot: u32,
    generation: u32,
    time: Timestamp,
}

impl<R: Receiver> Connections<R> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            index: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            slots: Vec::new(),
            free: Vec::new(),
            embryos: Embryos::new(limits.embryos),
            closed: VecDeque::new(),
            disordered: VecDeque::new(),
            held_bytes: 0,
            limits,
            counts: Counts::default(),
        }
    }

    /// What was counted so far. Connections that are still without payload count at the end.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Finds the connection of a segment that is about to come. Asking for several before handing them in lets
    /// the processor fetch what it needs for all of them at once.
    #[inline]
    #[must_use]
    pub fn locate(&self, segment: &Segment<'_>) -> Place {
        let hash = self.hasher.hash_one(segment.flow);
        Place(self.index.find(hash, |place| self.is_at(*place, segment)).copied())
    }

    /// See [`Receiver::warm`].
    #[inline]
    #[must_use]
    pub fn warm(&self, place: Place, half: Half) -> u64 {
        let flow =
            place.0.and_then(|place| self.slots.get(place as usize)).and_then(|slot| slot.flow.as_ref());
        flow.map_or(0, |flow| flow.warm(half))
    }

    /// Takes the next segment; connections that end by it are handed to `ended`. The place may be out of date: it is
    /// looked up again if it is.
    #[inline]
    pub fn segment(
        &mut self,
        place: Place,
        segment: &Segment<'_>,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let still_there = place.0.filter(|place| self.is_at(*place, segment));
        match still_there.or_else(|| self.locate(segment).0) {
            Some(place) => self.known(place, segment, context, ended),
            None => self.unknown(segment, context, ended),
        }
        if let Some(closed) = self.closed.front() {
            let expired = segment.origin.time.since(closed.time) > CLOSED_LINGER;
            if expired || self.closed.len() > self.limits.closed_connections {
                self.release_earliest_closed(segment.origin.time, context, ended);
            }
        }
    }

    /// Ends all connections: the capture is over.
    pub fn finish(&mut self, context: &mut R::Context, ended: &mut impl FnMut(Ended<R>, &mut R::Context)) {
        for slot in std::mem::take(&mut self.slots) {
            if let Some(flow) = slot.flow {
                let (facts, receiver) = flow.end(false, context);
                ended(Ended::Connection(facts, receiver), context);
            }
        }
        self.index.clear();
        for embryo in self.embryos.drain() {
            count(&mut self.counts, embryo.opened());
            ended(Ended::WithoutPayload(embryo.facts()), context);
        }
    }

    #[inline]
    fn is_at(&self, place: u32, segment: &Segment<'_>) -> bool {
        let flow = self.slots.get(place as usize).and_then(|slot| slot.flow.as_ref());
        flow.is_some_and(|flow| flow.key == segment.flow)
    }

    #[inline]
    fn known(
        &mut self,
        place: u32,
        segment: &Segment<'_>,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let Some(slot) = self.slots.get_mut(place as usize) else { return };
        let Some(flow) = &mut slot.flow else { return };
        if segment.flags.has(Flags::SYN) && flow.is_reused_by(segment) {
            self.release(place, false, context, ended);
            self.unknown(segment, context, ended);
            return;
        }
        let was_closed = flow.closed;
        flow.segment(segment, context);
        let held_bytes = flow.held_bytes();
        if flow.closed && !was_closed {
            let (generation, time) = (slot.generation, segment.origin.time);
            self.closed.push_back(Closed { slot: place, generation, time });
        }
        if held_bytes != 0 || slot.held_bytes != 0 {
            self.account(place, held_bytes, context);
        }
    }

    /// A segment of a connection that has carried no payload so far.
    fn unknown(
        &mut self,
        segment: &Segment<'_>,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        if segment.payload_length == 0 || segment.flags.has(Flags::RST) {
            if let Some(pushed_out) = self.embryos.observe(segment) {
                if pushed_out.key() != &segment.flow {
                    self.counts.embryos_evicted = self.counts.embryos_evicted.saturating_add(1);
                }
                count(&mut self.counts, pushed_out.opened());
                // Half-open ones are told one by one as long as they fit the table; a flood is a number.
                if pushed_out.opened() != Opened::Unanswered {
                    ended(Ended::WithoutPayload(pushed_out.facts()), context);
                }
            }
            return;
        }
        let embryo = self.embryos.take(&segment.flow).unwrap_or_else(|| Embryo::of_first_payload(segment));
        if self.index.len() >= self.limits.connections {
            self.evict_least_recently_used(context, ended);
        }
        self.counts.connections = self.counts.connections.saturating_add(1);
        let (key, opening, halves, ending) = embryo.promote();
        let flow = Flow::new(key, opening, &halves, ending, context);
        if let Some(place) = self.insert(flow) {
            self.known(place, segment, context, ended);
        }
    }

    fn insert(&mut self, flow: Flow<R>) -> Option<u32> {
        let hash = self.hasher.hash_one(flow.key);
        let place = if let Some(place) = self.free.pop() {
            place
        } else {
            self.slots.push(Slot { flow: None, generation: 0, held_bytes: 0, queued: false });
            u32::try_from(self.slots.len().checked_sub(1)?).ok()?
        };
        self.slots.get_mut(place as usize)?.flow = Some(flow);
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, place, |other| hash_at(slots, hasher, *other));
        Some(place)
    }

    /// Takes a connection out of the table.
    fn release(
        &mut self,
        place: u32,
        evicted: bool,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let Some(slot) = self.slots.get_mut(place as usize) else { return };
        let Some(flow) = slot.flow.take() else { return };
        slot.generation = slot.generation.wrapping_add(1);
        self.held_bytes = self.held_bytes.saturating_sub(slot.held_bytes);
        slot.held_bytes = 0;
        let hash = self.hasher.hash_one(flow.key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.free.push(place);
        let (facts, receiver) = flow.end(evicted, context);
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
        let Some(slot) = self.slots.get(closed.slot as usize) else { return };
        let Some(flow) = slot.flow.as_ref().filter(|_| slot.generation == closed.generation) else { return };
        let (_, last) = flow.last();
        if last > closed.time
            && now.since(last) <= CLOSED_LINGER
            && self.closed.len() < self.limits.closed_connections
        {
            self.closed.push_back(Closed { time: last, ..closed });
            return;
        }
        self.release(closed.slot, false, context, ended);
    }

    /// Drops a sixteenth of the connections, those whose latest packets are oldest. Doing it rarely and in
    /// one sweep keeps bookkeeping of their order off the path of every packet.
    fn evict_least_recently_used(
        &mut self,
        context: &mut R::Context,
        ended: &mut impl FnMut(Ended<R>, &mut R::Context),
    ) {
        let latest = |(place, slot): (usize, &Slot<R>)| -> Option<(PacketNumber, u32)> {
            Some((slot.flow.as_ref()?.last().0, u32::try_from(place).ok()?))
        };
        let mut by_age: Vec<(PacketNumber, u32)> = self.slots.iter().enumerate().filter_map(latest).collect();
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

    /// Keeps the out-of-order bytes of one connection, and of all, below their limits.
    fn account(&mut self, place: u32, mut held_bytes: usize, context: &mut R::Context) {
        let Some(slot) = self.slots.get_mut(place as usize) else { return };
        if held_bytes > self.limits.out_of_order_half_bytes
            && let Some(flow) = &mut slot.flow
        {
            flow.shrink(self.limits.out_of_order_half_bytes, context);
            held_bytes = flow.held_bytes();
        }
        if held_bytes > 0 && !std::mem::replace(&mut slot.queued, true) {
            self.disordered.push_back(place);
        }
        self.held_bytes = self.held_bytes.saturating_sub(slot.held_bytes).saturating_add(held_bytes);
        slot.held_bytes = held_bytes;
        while let Some(&oldest) = self.disordered.front() {
            let Some(slot) = self.slots.get_mut(oldest as usize) else { return };
            if slot.held_bytes > 0 {
                if self.held_bytes <= self.limits.out_of_order_total_bytes {
                    return;
                }
                if let Some(flow) = &mut slot.flow {
                    flow.shrink(0, context);
                }
                self.counts.total_limit_hits = self.counts.total_limit_hits.saturating_add(1);
                self.held_bytes = self.held_bytes.saturating_sub(slot.held_bytes);
                slot.held_bytes = 0;
            }
            slot.queued = false;
            self.disordered.pop_front();
        }
    }
}

fn hash_at<R: Receiver>(slots: &[Slot<R>], hasher: &foldhash::fast::RandomState, place: u32) -> u64 {
    let key: Option<&FlowKey> =
        slots.get(place as usize).and_then(|slot| slot.flow.as_ref()).map(|flow| &flow.key);
    hasher.hash_one(key.copied().unwrap_or(FlowKey::ipv4(([0; 4], 0), ([0; 4], 0)).0))
}

fn count(counts: &mut Counts, opened: Opened) {
    let counter = match opened {
        Opened::Handshake | Opened::Midstream => &mut counts.connections,
        Opened::Refused => &mut counts.refused,
        Opened::Unanswered => &mut counts.unanswered,
    };
    *counter = counter.saturating_add(1);
}

/// The part of the table that goes at once at its limit.
const EVICTED_FRACTION: usize = 16;
