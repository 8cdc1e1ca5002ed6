//! Connections that have carried no payload yet.
//!
//! A SYN flood, a port scan or a health check makes millions of them. They live in a table of fixed size,
//! looked up by hash in sets of four, and become real connections with their first payload. What is pushed out
//! by others is counted.

use std::hash::BuildHasher;

use super::facts::{ConnectionFacts, EndedBy, Ending, Opened, Opening};
use super::flow::Flow;
use super::half::HalfState;
use super::receiver::Receiver;
use super::sequence::SequenceNumber;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::units::{Origin, PacketNumber, Timestamp};

/// The table. What a search looks at is kept apart from the connections, so that it stays in the cache.
#[derive(Debug)]
pub(super) struct Embryos {
    sets: Vec<Set>,
    /// [`WAYS`] places a set.
    places: Vec<Option<Embryo>>,
    /// Fixed, so that which one is pushed out never depends on chance. Guessing it gains an attacker
    /// nothing that sending more SYNs would not.
    hasher: foldhash::fast::FixedState,
}

/// What is to know of the places of a set before looking at them.
#[derive(Clone, Copy, Debug, Default)]
struct Set {
    /// A part of the hash.
    tags: [u32; WAYS],
    /// The number of the latest packet; 0 if the place is free.
    used: [PacketNumber; WAYS],
}

/// One connection without payload.
#[derive(Clone, Debug)]
pub(super) struct Embryo {
    key: FlowKey,
    first: Origin,
    opener: Option<Half>,
    answered: bool,
    /// The handshake's three steps, as far as they were seen.
    syn: Option<Timestamp>,
    syn_ack: Option<Timestamp>,
    ack: Option<Timestamp>,
    ending: Option<Ending>,
    halves: [Side; 2],
}

/// What is known of one half.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    packets: u32,
    next: Option<SequenceNumber>,
    syn: bool,
    last: (PacketNumber, Timestamp),
}

impl Embryos {
    /// A table for about `limit` connections.
    pub(super) fn new(limit: usize) -> Self {
        let sets = limit.div_ceil(WAYS).max(1).next_power_of_two();
        let mut places = Vec::new();
        places.resize_with(sets.saturating_mul(WAYS), || None);
        Self { sets: vec![Set::default(); sets], places, hasher: foldhash::fast::FixedState::default() }
    }

    /// Adds a segment without payload to its connection. What had to make room, or was ended by a new
    /// connection between the same endpoints, comes back.
    pub(super) fn observe(&mut self, segment: &Segment<'_>) -> Option<Embryo> {
        let (at, tag) = self.home(&segment.flow);
        let known = self.find(&segment.flow, at, tag);
        let set = self.sets.get_mut(at)?;
        let way = known.unwrap_or_else(|| {
            let by_age = (0..WAYS).zip(set.used);
            by_age.min_by_key(|(_, used)| *used).map_or(0, |(way, _)| way)
        });
        *set.used.get_mut(way)? = segment.origin.packet;
        *set.tags.get_mut(way)? = tag;
        let place = self.places.get_mut(at.saturating_mul(WAYS).saturating_add(way))?;
        match place {
            Some(embryo) if known.is_some() && !embryo.is_reused_by(segment) => {
                embryo.segment(segment);
                None
            }
            _ => place.replace(Embryo::new(segment)),
        }
    }

    /// Takes a connection out: it carries its first payload now.
    pub(super) fn take(&mut self, key: &FlowKey) -> Option<Embryo> {
        let (at, tag) = self.home(key);
        let way = self.find(key, at, tag)?;
        *self.sets.get_mut(at)?.used.get_mut(way)? = PacketNumber::default();
        self.places.get_mut(at.saturating_mul(WAYS).saturating_add(way))?.take()
    }

    /// Takes out all that are left.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Embryo> + use<> {
        self.sets.clear();
        std::mem::take(&mut self.places).into_iter().flatten()
    }

    /// The set of a connection, and its tag.
    fn home(&self, key: &FlowKey) -> (usize, u32) {
        let hash = self.hasher.hash_one(key);
        let [high, low] =
            [hash >> 32, hash & u64::from(u32::MAX)].map(|part| u32::try_from(part).unwrap_or(0));
        (low as usize & self.sets.len().saturating_sub(1), high)
    }

    /// The place of a connection in its set.
    fn find(&self, key: &FlowKey, at: usize, tag: u32) -> Option<usize> {
        let candidates = (0..WAYS).zip(self.sets.get(at)?.tags).filter(|(_, known)| *known == tag);
        candidates.map(|(way, _)| way).find(|way| {
            let embryo = self.places.get(at.saturating_mul(WAYS).saturating_add(*way));
            embryo.and_then(Option::as_ref).is_some_and(|embryo| embryo.key == *key)
        })
    }
}

impl Embryo {
    fn new(segment: &Segment<'_>) -> Self {
        let mut embryo = Self {
            key: segment.flow,
            first: segment.origin,
            opener: None,
            answered: false,
            syn: None,
            syn_ack: None,
            ack: None,
            ending: None,
            halves: [Side::default(); 2],
        };
        embryo.segment(segment);
        embryo
    }

    /// The connection that carries payload from here on, in the middle of things as far as is known.
    pub(super) fn of_first_payload(segment: &Segment<'_>) -> Self {
        Self { halves: [Side::default(); 2], ..Self::new(segment) }
    }

    /// The two endpoints.
    pub(super) const fn key(&self) -> &FlowKey {
        &self.key
    }

    /// Number and time of the latest packet.
    fn last(&self) -> (PacketNumber, Timestamp) {
        let [lo, hi] = &self.halves;
        lo.last.max(hi.last)
    }

    /// Whether it is a connection at all: more than a SYN that was refused or ignored.
    pub(super) fn opened(&self) -> Opened {
        let reset = self.ending.is_some_and(|ending| ending.how == EndedBy::Reset);
        match self.opener {
            None => Opened::Midstream,
            Some(_) if self.answered => Opened::Handshake,
            Some(opener) => {
                let answer = self.side(opener.other());
                match (answer.packets, reset) {
                    (0, _) => Opened::Unanswered,
                    (_, true) => Opened::Refused,
                    (_, false) => Opened::Handshake,
                }
            }
        }
    }

    fn is_reused_by(&self, segment: &Segment<'_>) -> bool {
        let same = self.side(segment.half).next == Some(SequenceNumber(segment.sequence).advanced(1));
        let syn = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK);
        syn && self.side(segment.half).next.is_some() && !same
    }

    fn segment(&mut self, segment: &Segment<'_>) {
        let half = segment.half;
        let time = segment.origin.time;
        let side = self.side_mut(half);
        side.packets = side.packets.saturating_add(1);
        side.last = (segment.origin.packet, time);
        let after = SequenceNumber(segment.sequence).advanced(segment.sequence_length());
        if segment.flags.has(Flags::SYN) {
            side.syn = true;
            side.next = Some(after);
        } else if !side.syn && side.next.is_none_or(|next| after.ahead_of(next) > 0) {
            // What stands further than the SYN says only that the bytes between them are still to come.
            side.next = Some(after);
        }
        let Flags(bits) = segment.flags;
        if bits & Flags::SYN.with(Flags::ACK).0 == Flags::SYN.0 {
            self.opener = self.opener.or(Some(half));
            self.syn = self.syn.or(Some(time));
        } else if segment.flags.has(Flags::SYN) {
            self.opener = self.opener.or(Some(half.other()));
            self.answered = true;
            self.syn_ack = self.syn_ack.or(Some(time));
        } else if self.answered && self.opener == Some(half) {
            self.ack = self.ack.or(Some(time));
        }
        let how = if segment.flags.has(Flags::RST) {
            EndedBy::Reset
        } else if segment.flags.has(Flags::FIN) {
            EndedBy::Fin
        } else {
            return;
        };
        self.ending = self.ending.or(Some(Ending { how, by: half, origin: segment.origin }));
    }

    /// As a connection that is about to carry payload.
    pub(super) fn promote<R: Receiver>(self, context: &mut R::Context) -> Flow<R> {
        let opening = self.opening(if self.opener.is_some() { Opened::Handshake } else { Opened::Midstream });
        Flow::new(self.key, opening, &self.half_states(), self.ending, context)
    }

    /// As a connection that never carried any.
    pub(super) fn facts(&self) -> ConnectionFacts {
        let [lo, hi] = self.half_states();
        ConnectionFacts {
            flow: self.key,
            opening: self.opening(self.opened()),
            last: self.last(),
            ending: self.ending,
            halves: [lo.facts(), hi.facts()],
            evicted: false,
        }
    }

    fn opening(&self, opened: Opened) -> Opening {
        let done = self.ack.or(self.syn_ack);
        let connect = self.syn.zip(done).map(|(syn, done)| done.since(syn));
        Opening { first: self.first, opened, opener: self.opener, connect }
    }

    fn half_states(&self) -> [HalfState; 2] {
        self.halves.map(|side| HalfState::without_payload(side.packets, side.next, side.syn))
    }

    fn side(&self, half: Half) -> &Side {
        let [lo, hi] = &self.halves;
        if half == Half::Lo { lo } else { hi }
    }

    fn side_mut(&mut self, half: Half) -> &mut Side {
        let [lo, hi] = &mut self.halves;
        if half == Half::Lo { lo } else { hi }
    }
}

/// How many share a set: enough that chance alone seldom pushes out a young one.
const WAYS: usize = 4;
