//! Connections that have carried no payload yet.
//!
//! A SYN flood, a port scan or a health check makes millions of them. They live in a table of fixed size,
//! looked up by hash in sets of four, and become real connections with their first payload. What is pushed out
//! by others is counted.

use std::hash::BuildHasher;

use super::facts::{ConnectionFacts, EndedBy, Ending, Opened, Opening};
use super::flow::{Begun, Flow};
use super::half::{Edge, HalfState};
use super::receiver::Receiver;
use super::sequence::SequenceNumber;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::units::{Origin, PacketNumber, Timestamp};

/// The table. What a search looks at is kept apart from the connections, so that it stays in the cache; and so do they,
/// as long as they are few: each takes the place that was freed last.
#[derive(Debug)]
pub(super) struct Embryos {
    sets: Vec<Set>,
    /// The endpoints and the first packet, by place.
    firsts: Vec<(FlowKey, Step)>,
    /// What came of the later packets, by place; none as long as there is one.
    courses: Vec<Option<Box<Course>>>,
    /// Places that nobody has.
    free: Vec<u32>,
    /// Fixed, so that which one is pushed out never depends on chance. Guessing it gains an attacker
    /// nothing that sending more SYNs would not.
    hasher: foldhash::fast::FixedState,
}

/// What is to know of the places of a set before looking at them: one cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Set {
    tags: [Tag; WAYS],
    /// The number of the latest packet; 0 if there is no connection.
    used: [PacketNumber; WAYS],
    /// Where the connections lie.
    places: [u32; WAYS],
}

/// A part of the hash, and whether there is nothing but a SYN. Nothing is told of such a one when it is pushed out, so
/// that in a flood nobody has to wait for where it lies.
#[derive(Clone, Copy, Debug, Default)]
struct Tag(u32);

impl Tag {
    fn of(hash_part: u32, is_lone_syn: bool) -> Self {
        Self(hash_part & !1 | u32::from(is_lone_syn))
    }

    fn has_hash(self, hash_part: u32) -> bool {
        self.0 & !1 == hash_part & !1
    }

    fn is_lone_syn(self) -> bool {
        self.0 & 1 == 1
    }
}

/// What had to go for a segment.
#[derive(Debug)]
pub(super) struct PushedOut {
    /// It made room for another connection; else it was ended by a new one between the same endpoints.
    pub(super) makes_room: bool,
    /// The connection; none if it was a SYN that nobody answered, of which nothing is told.
    pub(super) embryo: Option<Embryo>,
}

/// One connection without payload. Most of a flood never see a second packet, so all that is kept of them is the first.
#[derive(Debug)]
pub(super) struct Embryo {
    pub(super) key: FlowKey,
    first: Step,
    /// What came of the packets; none as long as there is one.
    course: Option<Box<Course>>,
}

/// What a packet says of its connection.
#[derive(Clone, Copy, Debug)]
struct Step {
    origin: Origin,
    /// Where the sequence space goes on behind it.
    after: SequenceNumber,
    flags: Flags,
    hop_limit: u8,
    half: Half,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug)]
struct Course {
    opener: Option<Half>,
    answered: bool,
    /// The handshake's three steps, as far as they were seen.
    syn: Option<Timestamp>,
    syn_ack: Option<Timestamp>,
    ack: Option<Timestamp>,
    ending: Option<Ending>,
    last: (PacketNumber, Timestamp),
    halves: [Side; 2],
}

/// What is known of one half.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    packets: u32,
    next: Option<SequenceNumber>,
    syn: bool,
    /// That of the latest segment that is no RST.
    hop_limit: u8,
    /// Segments that are no RST after one that is; none without one.
    after_reset: Option<u8>,
}

impl Embryos {
    /// A table for about `limit` connections.
    pub(super) fn new(limit: usize) -> Self {
        let sets = limit.div_ceil(WAYS).max(1).next_power_of_two();
        Self {
            sets: vec![Set::default(); sets],
            firsts: Vec::new(),
            courses: Vec::new(),
            free: Vec::new(),
            hasher: foldhash::fast::FixedState::default(),
        }
    }

    /// Reads what a segment of a connection without payload will need; see [`super::Connections::locate`].
    #[inline]
    pub(super) fn warm(&self, key: &FlowKey) -> u64 {
        let (at, _) = self.home(key);
        self.sets.get(at).map_or(0, |set| u64::from(set.tags[0].0))
    }

    /// Adds a segment without payload to its connection. What had to go for it comes back.
    pub(super) fn observe(&mut self, segment: &Segment<'_>) -> Option<PushedOut> {
        let (at, hash_part) = self.home(&segment.flow);
        let known = self.find(&segment.flow, at, hash_part);
        let set = self.sets.get_mut(at)?;
        let way = known.unwrap_or_else(|| {
            let by_age = (0..WAYS).zip(&set.used);
            by_age.min_by_key(|(_, used)| **used).map_or(0, |(way, _)| way)
        });
        let used = std::mem::replace(set.used.get_mut(way)?, segment.origin.packet);
        let first = (segment.flow, Step::of(segment));
        let tag = set.tags.get_mut(way)?;
        let before = std::mem::replace(tag, Tag::of(hash_part, first.1.is_lone_syn()));
        let place = set.places.get_mut(way)?;
        if used == PacketNumber::default() {
            if let Some(free) = self.free.pop() {
                *place = free;
                *self.firsts.get_mut(free as usize)? = first;
            } else {
                *place = u32::try_from(self.firsts.len()).ok()?;
                self.firsts.push(first);
                self.courses.push(None);
            }
            return None;
        }
        let place = *place as usize;
        if known.is_some() {
            let ((_, first), course) = (self.firsts.get(place)?, self.courses.get_mut(place)?);
            if !is_reused_by(first, course.as_deref(), segment) {
                *tag = Tag::of(hash_part, false);
                course.get_or_insert_with(|| Box::new(Course::of(first))).step(&Step::of(segment));
                return None;
            }
        }
        let embryo = if before.is_lone_syn() { None } else { self.take_from(place) };
        *self.firsts.get_mut(place)? = first;
        Some(PushedOut { makes_room: known.is_none(), embryo })
    }

    /// Takes a connection out: it carries its first payload now.
    pub(super) fn take(&mut self, key: &FlowKey) -> Option<Embryo> {
        let (at, hash_part) = self.home(key);
        let way = self.find(key, at, hash_part)?;
        let set = self.sets.get_mut(at)?;
        *set.used.get_mut(way)? = PacketNumber::default();
        let place = *set.places.get(way)?;
        self.free.push(place);
        self.take_from(place as usize)
    }

    /// All that are there, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Embryo> {
        let places = self.sets.iter().flat_map(|set| set.used.iter().zip(&set.places));
        let used = places.filter(|(used, _)| **used > PacketNumber::default());
        used.filter_map(|(_, place)| {
            let place = *place as usize;
            let (key, first) = *self.firsts.get(place)?;
            Some(Embryo { key, first, course: self.courses.get(place)?.clone() })
        })
    }

    /// Takes out all that are left.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Embryo> {
        self.free.clear();
        let sets = std::mem::take(&mut self.sets).into_iter();
        let places = sets.flat_map(|set| set.used.into_iter().zip(set.places));
        let held = places.filter(|(used, _)| *used > PacketNumber::default());
        held.filter_map(|(_, place)| self.take_from(place as usize))
    }

    /// Moves a connection out of its place.
    fn take_from(&mut self, place: usize) -> Option<Embryo> {
        let (key, first) = *self.firsts.get(place)?;
        Some(Embryo { key, first, course: self.courses.get_mut(place)?.take() })
    }

    /// The set of a connection, and the part of the hash that tells it from others there.
    fn home(&self, key: &FlowKey) -> (usize, u32) {
        let hash = self.hasher.hash_one(key);
        let [high, low] =
            [hash >> 32, hash & u64::from(u32::MAX)].map(|part| u32::try_from(part).unwrap_or(0));
        (low as usize & self.sets.len().saturating_sub(1), high)
    }

    /// The place of a connection in its set.
    fn find(&self, key: &FlowKey, at: usize, hash_part: u32) -> Option<usize> {
        let set = self.sets.get(at)?;
        let held = (0..WAYS).zip(set.tags).zip(set.used.into_iter().zip(set.places));
        let candidates = held.filter(|((_, tag), (used, _))| tag.has_hash(hash_part) && used.0 > 0);
        candidates.map(|((way, _), (_, place))| (way, place)).find_map(|(way, place)| {
            let (held, _) = self.firsts.get(place as usize)?;
            (held == key).then_some(way)
        })
    }
}

/// Whether a SYN opens another connection between the endpoints of one that has come so far.
fn is_reused_by(first: &Step, course: Option<&Course>, segment: &Segment<'_>) -> bool {
    let next = match course {
        Some(course) => course.side(segment.half).next,
        None => (first.half == segment.half).then_some(first.after),
    };
    let same = next == Some(SequenceNumber(segment.sequence).advanced(1));
    let syn = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK);
    syn && next.is_some() && !same
}

impl Embryo {
    /// The connection that carries payload from here on, in the middle of things as far as is known.
    pub(super) fn of_first_payload(segment: &Segment<'_>) -> Self {
        let first = Step::of(segment);
        let course = Course { halves: [Side::default(); 2], ..Course::of(&first) };
        Self { key: segment.flow, first, course: Some(Box::new(course)) }
    }

    /// Whether it is a connection at all: more than a SYN that was refused or ignored.
    pub(super) fn opened(&self) -> Opened {
        match &self.course {
            Some(course) => course.opened(),
            None if self.first.is_lone_syn() => Opened::Unanswered,
            None if self.first.flags.has(Flags::SYN) => Opened::Handshake,
            None => Opened::Midstream,
        }
    }

    /// How far it has come.
    fn course(&self) -> Course {
        self.course.as_ref().map_or_else(|| Course::of(&self.first), |course| **course)
    }

    /// As a connection that is about to carry payload.
    pub(super) fn promote<R: Receiver>(self, context: &mut R::Context) -> Flow<R> {
        let course = self.course();
        let opened = if course.opener.is_some() { Opened::Handshake } else { Opened::Midstream };
        let opening = course.opening(self.first.origin, opened);
        Flow::new(self.key, opening, course.halves(), course.ending, context)
    }

    /// As a connection that never carried any.
    pub(super) fn facts(&self) -> ConnectionFacts {
        let course = self.course();
        ConnectionFacts {
            flow: self.key,
            opening: course.opening(self.first.origin, course.opened()),
            last: course.last,
            ending: course.ending,
            halves: course.halves().map(|begun| begun.state.facts(begun.edge, &begun.rare(), course.last, 0)),
            evicted: false,
        }
    }
}

impl Step {
    fn of(segment: &Segment<'_>) -> Self {
        Self {
            origin: segment.origin,
            after: SequenceNumber(segment.sequence).advanced(segment.sequence_length()),
            flags: segment.flags,
            hop_limit: segment.hop_limit,
            half: segment.half,
        }
    }

    /// Whether it is a SYN that answers none: alone, it is a connection that nobody answers.
    const fn is_lone_syn(&self) -> bool {
        self.flags.has(Flags::SYN) && !self.flags.has(Flags::ACK)
    }
}

impl Course {
    /// That of a connection with one packet.
    fn of(first: &Step) -> Self {
        let mut course = Self {
            opener: None,
            answered: false,
            syn: None,
            syn_ack: None,
            ack: None,
            ending: None,
            last: (first.origin.packet, first.origin.time),
            halves: [Side::default(); 2],
        };
        course.step(first);
        course
    }

    fn opened(&self) -> Opened {
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

    /// Takes the next packet.
    fn step(&mut self, step: &Step) {
        let Step { origin, after, flags, hop_limit, half } = *step;
        self.last = (origin.packet, origin.time);
        let side = self.side_mut(half);
        side.packets = side.packets.saturating_add(1);
        if flags.has(Flags::SYN) {
            side.syn = true;
            side.next = Some(after);
        } else if !side.syn && side.next.is_none_or(|next| after.ahead_of(next) > 0) {
            // What stands further than the SYN says only that the bytes between them are still to come.
            side.next = Some(after);
        }
        if flags.has(Flags::RST) {
            side.after_reset = side.after_reset.or(Some(0));
        } else {
            side.hop_limit = hop_limit;
            side.after_reset = side.after_reset.map(|segments| segments.saturating_add(1));
        }
        if flags.has(Flags::SYN) && !flags.has(Flags::ACK) {
            self.opener = self.opener.or(Some(half));
            self.syn = self.syn.or(Some(origin.time));
        } else if flags.has(Flags::SYN) {
            self.opener = self.opener.or(Some(half.other()));
            self.answered = true;
            self.syn_ack = self.syn_ack.or(Some(origin.time));
        } else if self.answered && self.opener == Some(half) {
            self.ack = self.ack.or(Some(origin.time));
        }
        let how = if flags.has(Flags::RST) {
            EndedBy::Reset
        } else if flags.has(Flags::FIN) {
            EndedBy::Fin
        } else {
            return;
        };
        self.ending = self.ending.or(Some(Ending { how, by: half, origin, hop_limit }));
    }

    fn opening(&self, first: Origin, opened: Opened) -> Opening {
        let done = self.ack.or(self.syn_ack);
        let connect = self.syn.zip(done).map(|(syn, done)| done.since(syn));
        Opening { first, opened, opener: self.opener, connect }
    }

    fn halves(&self) -> [Begun; 2] {
        self.halves.map(|side| {
            let after_reset = side.after_reset.map(u32::from);
            Begun {
                edge: Edge::without_payload(side.next, side.hop_limit, after_reset.is_some()),
                state: HalfState::without_payload(side.packets),
                after_reset,
                anchored: side.syn,
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embryo_is_little_more_than_its_key_and_its_first_packet() {
        assert_eq!(size_of::<(FlowKey, Step)>(), 72);
        assert_eq!(size_of::<Set>(), 64);
    }

    #[test]
    fn one_packet_is_told_as_its_course_would_be() {
        let (key, half) = FlowKey::ipv4(([10, 0, 0, 1], 1), ([10, 0, 0, 2], 2));
        for bits in 0..=u8::MAX {
            let (origin, after) = (Origin::default(), SequenceNumber(7));
            let first = Step { origin, after, flags: Flags(bits), hop_limit: 64, half };
            let embryo = Embryo { key, first, course: None };
            let course = Course::of(&first);
            assert_eq!(embryo.opened(), course.opened(), "flags {bits:#04x}");
            assert_eq!(course.side(half).next, Some(after), "flags {bits:#04x}");
            assert_eq!(course.side(half.other()).next, None, "flags {bits:#04x}");
        }
    }
}
