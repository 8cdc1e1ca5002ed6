//! Connections that have carried no payload yet.
//!
//! A SYN flood, a port scan or a health check makes millions of them. They live in a table of fixed size,
//! looked up by hash in sets of four, and become real connections with their first payload. What is pushed out
//! by others is counted.

use std::hash::BuildHasher;

use super::facts::{ConnectionFacts, EndedBy, Ending, Opened, Opening};
use super::half::HalfState;
use super::sequence::SequenceNumber;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::units::{Origin, PacketNumber, Span, Timestamp};

/// The table.
#[derive(Debug)]
pub(super) struct Embryos {
    sets: Vec<[Option<Embryo>; WAYS]>,
    /// Fixed, so that which one is pushed out never depends on chance. Guessing it gains an attacker
    /// nothing that sending more SYNs would not.
    hasher: foldhash::fast::FixedState,
}

/// One connection without payload.
#[derive(Clone, Debug)]
pub(super) struct Embryo {
    key: FlowKey,
    first: Origin,
    opener: Option<Half>,
    answered: bool,
    connect: Option<Span>,
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
        let mut table = Vec::new();
        table.resize_with(sets, || [const { None }; WAYS]);
        Self { sets: table, hasher: foldhash::fast::FixedState::default() }
    }

    /// Adds a segment without payload to its connection. What had to make room, or was ended by a new
    /// connection between the same endpoints, comes back.
    pub(super) fn observe(&mut self, segment: &Segment<'_>) -> Option<Embryo> {
        let set = self.set(&segment.flow)?;
        if let Some(known) = set.iter_mut().flatten().find(|embryo| embryo.key == segment.flow) {
            if known.is_reused_by(segment) {
                return Some(std::mem::replace(known, Embryo::new(segment)));
            }
            known.segment(segment);
            return None;
        }
        let place = set.iter_mut().min_by_key(|place| place.as_ref().map(Embryo::last))?;
        place.replace(Embryo::new(segment))
    }

    /// Takes a connection out: it carries its first payload now.
    pub(super) fn take(&mut self, key: &FlowKey) -> Option<Embryo> {
        let set = self.set(key)?;
        set.iter_mut().find(|place| place.as_ref().is_some_and(|embryo| embryo.key == *key))?.take()
    }

    /// Takes out all that are left.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Embryo> + use<> {
        std::mem::take(&mut self.sets).into_iter().flatten().flatten()
    }

    fn set(&mut self, key: &FlowKey) -> Option<&mut [Option<Embryo>; WAYS]> {
        let hash = usize::try_from(self.hasher.hash_one(key) & u64::from(u32::MAX)).unwrap_or(0);
        let mask = self.sets.len().checked_sub(1)?;
        self.sets.get_mut(hash & mask)
    }
}

impl Embryo {
    fn new(segment: &Segment<'_>) -> Self {
        let mut embryo = Self {
            key: segment.flow,
            first: segment.origin,
            opener: None,
            answered: false,
            connect: None,
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
        } else if segment.flags.has(Flags::SYN) {
            self.opener = self.opener.or(Some(half.other()));
            self.answered = true;
            self.connect = Some(time.since(self.first.time));
        } else if self.answered && self.opener == Some(half) && self.side(half).packets == 2 {
            self.connect = Some(time.since(self.first.time));
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
    pub(super) fn promote(self) -> (FlowKey, Opening, [HalfState; 2], Option<Ending>) {
        let opening = self.opening(if self.opener.is_some() { Opened::Handshake } else { Opened::Midstream });
        (self.key, opening, self.half_states(), self.ending)
    }

    /// As a connection that never carried any.
    pub(super) fn facts(&self) -> ConnectionFacts {
        let [lo, hi] = self.half_states();
        ConnectionFacts {
            flow: self.key,
            opening: self.opening(self.opened()),
            last: self.last(),
            ending: self.ending,
            halves: [lo.facts, hi.facts],
            evicted: false,
        }
    }

    fn opening(&self, opened: Opened) -> Opening {
        Opening { first: self.first, opened, opener: self.opener, connect: self.connect }
    }

    fn half_states(&self) -> [HalfState; 2] {
        self.halves.map(|side| {
            let mut state = HalfState { known: side.next.is_some(), last: side.last, ..HalfState::default() };
            state.next = side.next.unwrap_or_default();
            state.anchored = side.syn;
            state.facts.packets = u64::from(side.packets);
            state
        })
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
