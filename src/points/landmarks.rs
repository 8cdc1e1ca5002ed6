//! What is kept of a file while it is surveyed: packets by which it is compared, and how its connections begin.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::limits::COPY_PATIENCE;
use crate::units::Timestamp;

/// What is kept of a file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) packets: HashMap<u64, Landmark, foldhash::fast::RandomState>,
    /// Packets with a greater hash are not kept.
    greatest: u64,
    pub(super) flows: HashMap<FlowKey, Beginning, foldhash::fast::RandomState>,
    pub(super) period: Option<(Timestamp, Timestamp)>,
}

/// A packet that is found again in another file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Landmark {
    pub(super) flow: FlowKey,
    pub(super) half: Half,
    pub(super) time: Timestamp,
    pub(super) content: Content,
    /// A hash of what it has in common with itself where its addresses were translated.
    pub(super) anywhere: u64,
    /// There are several that look alike.
    pub(super) is_ambiguous: bool,
}

/// What a segment carries, to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    length: u32,
    /// Of the whole payload; none if a snap length cut it.
    hash: Option<u64>,
    start: [u8; START],
    start_length: u8,
}

/// How the halves of a connection begin.
#[derive(Clone, Debug, Default)]
pub(super) struct Beginning {
    halves: [HalfBeginning; 2],
    /// Who opened it.
    pub(super) opener: Option<Half>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HalfBeginning {
    /// Sequence numbers of its SYNs: the least, if ports were used again and again.
    opened: [Option<u32>; OPENINGS],
    /// The first payload, and where it stands.
    first: Option<(u32, Content)>,
}

impl Default for File {
    fn default() -> Self {
        Self { packets: HashMap::default(), greatest: u64::MAX, flows: HashMap::default(), period: None }
    }
}

impl File {
    pub(super) fn segment(&mut self, segment: &Segment<'_>, room_for_flows: usize) {
        let time = segment.origin.time;
        let (first, last) = self.period.unwrap_or((time, time));
        self.period = Some((first.min(time), last.max(time)));
        if segment.flags.has(Flags::SYN) || segment.payload_length > 0 {
            self.beginning(segment, room_for_flows);
        }
        let anywhere = anywhere(segment);
        if anywhere > self.greatest {
            return;
        }
        let content = Content::of(segment);
        let (flow, half) = (segment.flow, segment.half);
        let hash = here(anywhere, segment);
        let landmark = Landmark { flow, half, time, content, anywhere, is_ambiguous: false };
        self.packets
            .entry(hash)
            .and_modify(|known| {
                // A copy at another interface comes within a moment; what comes later is another packet.
                let is_copy = known.content == content && time.since(known.time) <= COPY_PATIENCE;
                known.is_ambiguous |= !is_copy;
            })
            .or_insert(landmark);
    }

    /// Keeps about `room` packets, those with the least hashes. Of packets that all look the same wherever they are, as those
    /// of a flood do, none is kept.
    pub(super) fn shrink(&mut self, room: usize) {
        if self.packets.len() <= room {
            return;
        }
        let mut hashes: Vec<u64> = self.packets.values().map(|landmark| landmark.anywhere).collect();
        let (_, greatest, _) = hashes.select_nth_unstable(room.saturating_sub(1));
        self.greatest = *greatest;
        self.packets.retain(|_, landmark| landmark.anywhere <= self.greatest);
        if self.packets.len() > room.saturating_add(room / 2) {
            self.greatest = self.greatest.saturating_sub(1);
            self.packets.retain(|_, landmark| landmark.anywhere <= self.greatest);
        }
    }

    fn beginning(&mut self, segment: &Segment<'_>, room: usize) {
        if self.flows.len() >= room && !self.flows.contains_key(&segment.flow) {
            return;
        }
        let beginning = self.flows.entry(segment.flow).or_default();
        let is_syn = segment.flags.has(Flags::SYN);
        if is_syn && !segment.flags.has(Flags::ACK) {
            beginning.opener = Some(segment.half);
        }
        let [lo, hi] = &mut beginning.halves;
        let half = if segment.half == Half::Lo { lo } else { hi };
        if is_syn {
            half.open(segment.sequence);
        } else if half.first.is_none() && segment.payload_length > 1 {
            half.first = Some((segment.sequence, Content::of(segment)));
        }
    }
}

impl HalfBeginning {
    /// Adds a sequence number to those that are kept.
    fn open(&mut self, sequence: u32) {
        let mut all: Vec<u32> = self.opened.iter().flatten().copied().chain([sequence]).collect();
        all.sort_unstable();
        all.dedup();
        for (slot, sequence) in self.opened.iter_mut().zip(all) {
            *slot = Some(sequence);
        }
    }

    /// Whether somebody else speaks at the other point.
    fn differs(&self, other: &Self) -> bool {
        let has_opened = |half: &Self| half.opened.iter().any(Option::is_some);
        let is_common = self.opened.iter().flatten().any(|one| other.opened.contains(&Some(*one)));
        let opens_otherwise = has_opened(self) && has_opened(other) && !is_common;
        let says_otherwise = match (self.first, other.first) {
            (Some((at, here)), Some((there_at, there))) => at == there_at && !here.is_like(&there),
            _ => false,
        };
        opens_otherwise || says_otherwise
    }
}

impl Beginning {
    /// Whether somebody else speaks at the other point, for one of the two.
    pub(super) fn differs(&self, other: &Self) -> bool {
        self.halves.iter().zip(&other.halves).any(|(one, other)| one.differs(other))
    }
}

impl Content {
    fn of(segment: &Segment<'_>) -> Self {
        let payload = segment.payload;
        let mut start = [0; START];
        start.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
        let is_whole = payload.len() == segment.payload_length as usize;
        Self {
            length: segment.payload_length,
            hash: is_whole.then(|| {
                let mut hasher = HASHER.build_hasher();
                hasher.write(payload);
                hasher.finish()
            }),
            start,
            start_length: u8::try_from(payload.len().min(START)).unwrap_or_default(),
        }
    }

    /// Whether it can be the same bytes, however they were cut. A probe that keeps a connection alive has any byte.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        if self.length <= 1 && other.length <= 1 {
            return true;
        }
        let common = usize::from(self.start_length.min(other.start_length));
        let is_same_start = self.start.get(..common) == other.start.get(..common);
        let is_same = self.length != other.length
            || self.hash.is_none()
            || other.hash.is_none()
            || self.hash == other.hash;
        is_same_start && is_same
    }
}

impl Landmark {
    /// Whether it is the same segment with other bytes.
    pub(super) fn is_changed(&self, other: &Self) -> bool {
        !self.is_ambiguous && !other.is_ambiguous && !self.content.is_like(&other.content)
    }
}

/// What a segment has in common with itself at another point, also where its addresses were translated.
fn anywhere(segment: &Segment<'_>) -> u64 {
    let mut hasher = HASHER.build_hasher();
    let kind = segment.flags.0 & Flags::SYN.with(Flags::FIN).with(Flags::RST).with(Flags::ACK).0;
    let acknowledgment = if segment.flags.has(Flags::ACK) { segment.acknowledgment } else { 0 };
    hasher.write_u64(u64::from(segment.sequence) << 32 | u64::from(acknowledgment));
    hasher.write_u64(u64::from(kind) << 32 | u64::from(segment.payload_length));
    hasher.finish()
}

/// The same between its own endpoints.
fn here(anywhere: u64, segment: &Segment<'_>) -> u64 {
    let mut hasher = HASHER.build_hasher();
    hasher.write_u64(anywhere);
    segment.flow.hash(&mut hasher);
    hasher.write_u64(u64::from(segment.half == Half::Hi));
    hasher.finish()
}

/// Bytes of a payload that are compared where it was cut in other places.
const START: usize = 16;
/// Beginnings of a half that are kept where ports are used again.
const OPENINGS: usize = 4;
/// The same in every run: which packets are kept follows from it.
const HASHER: foldhash::fast::FixedState = foldhash::fast::FixedState::with_seed(0x7773_696E_7370_6563);
