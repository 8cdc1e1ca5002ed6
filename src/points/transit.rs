//! The packets of one half of a connection that were seen at one point and are awaited at the other.
//!
//! What a network card cuts or puts together is one packet at one point and several at the other. So packets with
//! sequence space are compared by that: a packet that was seen is split where only a part of it is seen again.

use std::collections::VecDeque;

use super::passage::Losses;
use crate::decode::{Flags, Segment};
use crate::limits::{COPY_PATIENCE, COPY_PATIENCE_NUMBERED, SIGHTING_PATIENCE};
use crate::units::{PacketNumber, Span, Timestamp};

/// One half.
#[derive(Debug, Default)]
pub(super) struct Transit {
    sent: VecDeque<Sent>,
    /// Up to where the other side has acknowledged it, at whatever point.
    acknowledged: Option<u32>,
    /// Packets that both points have.
    pub(super) passed: u64,
    pub(super) last_passed: Option<(PacketNumber, Timestamp)>,
    /// What either point alone has.
    pub(super) alone: [Alone; 2],
    /// How much later than the first point the second saw what both have: the least and the most.
    pub(super) later: Option<(Span, Span)>,
    /// How much less the hop limit was there, at the latest packet.
    pub(super) fewer_hops: Option<i16>,
    /// What one point alone has, where the other has shown nothing since: it may be that it captures no more.
    undecided: Vec<Sent>,
}

/// What only one point has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alone {
    /// Sent again, or never acknowledged.
    pub(super) lost: Losses,
    /// Acknowledged, and not sent again.
    pub(super) arrived: Losses,
    /// Without sequence space.
    pub(super) bare: Losses,
    pub(super) reset: Option<(PacketNumber, Timestamp)>,
    /// Those after which the other point may have captured nothing more, or before which it may not have begun.
    pub(super) unwatched: u64,
}

/// A packet, or a part of one.
#[derive(Clone, Copy, Debug)]
struct Sent {
    start: u32,
    /// Sequence space; 0 for a packet that takes none.
    length: u32,
    kind: u8,
    acknowledgment: u32,
    identification: u16,
    hop_limit: u8,
    /// What it had lost of that at the second point, seen from the first.
    hop_limit_lost: Option<i16>,
    has_syn: bool,
    has_fin: bool,
    /// It overlaps one that was sent later.
    is_repeated: bool,
    packet: PacketNumber,
    /// When each point saw it.
    seen: [Option<Timestamp>; 2],
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// None was like it.
    New,
    /// The other point has shown it.
    Again,
    /// The same point has shown it.
    Copy,
}

/// Since when a point has captured and up to when, as far as its packets tell.
pub(super) type Watch = [Option<(Timestamp, Timestamp)>; 2];

impl Transit {
    /// Takes a packet that a point shows, the first or the second.
    pub(super) fn take(&mut self, segment: &Segment<'_>, point: usize) -> Found {
        if let Some(found) = self.whole(segment, point) {
            return found;
        }
        if segment.sequence_length() > 0 {
            if self.covers(segment, point) {
                self.pass_parts(segment, point);
                return Found::Again;
            }
            self.repeat(segment, point);
        }
        self.sent.push_back(Sent::of(segment, point));
        Found::New
    }

    /// Whether a packet that no longer matters to the comparison is one that was seen.
    pub(super) fn has(&self, segment: &Segment<'_>) -> bool {
        self.sent.iter().any(|sent| sent.is_like(segment))
    }

    /// Notes what the other half acknowledges.
    pub(super) fn acknowledge(&mut self, to: u32) {
        if self.acknowledged.is_none_or(|known| is_after(to, known)) {
            self.acknowledged = Some(to);
        }
    }

    /// How many packets are awaited or remembered.
    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// Lets packets go that nobody awaits any more, and the oldest ones until `most` are left.
    pub(super) fn let_go(&mut self, now: Option<Timestamp>, most: usize, watch: &Watch) {
        while let Some(first) = self.sent.front() {
            let is_over = now.is_none_or(|now| {
                let patience = if first.is_everywhere() { COPY_PATIENCE_NUMBERED } else { SIGHTING_PATIENCE };
                now.since(first.time()) > patience
            });
            if !is_over && self.sent.len() <= most {
                return;
            }
            let Some(first) = self.sent.pop_front() else { return };
            if first.is_everywhere() {
                continue;
            }
            match self.watched(&first, watch) {
                Some(true) => self.judge(&first),
                None if self.undecided.len() < UNDECIDED => self.undecided.push(first),
                _ => self.leave(&first),
            }
        }
    }

    /// Decides on all that is left: nothing more will come.
    pub(super) fn finish(&mut self, watch: &Watch) {
        self.let_go(None, 0, watch);
        for sent in std::mem::take(&mut self.undecided) {
            if self.watched(&sent, watch) == Some(true) {
                self.judge(&sent);
            } else {
                self.leave(&sent);
            }
        }
        let last_passed = self.last_passed;
        for alone in &mut self.alone {
            for losses in [&mut alone.lost, &mut alone.arrived, &mut alone.bare] {
                if last_passed > losses.last {
                    losses.to_the_end = 0;
                }
            }
        }
    }

    /// A packet that is one of those that were seen, as a whole.
    fn whole(&mut self, segment: &Segment<'_>, point: usize) -> Option<Found> {
        let mut best = None;
        let mut is_copy = false;
        for (place, sent) in self.sent.iter().enumerate().filter(|(_, sent)| sent.is_like(segment)) {
            if sent.seen_at(point).is_some() {
                is_copy |= sent.is_copied_by(segment, point);
                continue;
            }
            let is_same_packet = sent.identification != 0 && sent.identification == segment.identification;
            best = Some(place);
            // Of several that look alike the latest, unless the packet says which: it was not long on its way.
            if is_same_packet || (sent.length > 0 && !sent.is_repeated) {
                break;
            }
        }
        if let Some(sent) = best.and_then(|place| self.sent.get_mut(place)) {
            sent.see(segment, point);
            let sent = *sent;
            self.note_passed(&sent);
            return Some(Found::Again);
        }
        is_copy.then_some(Found::Copy)
    }

    /// Whether the other point has shown all of a packet, in other pieces.
    fn covers(&self, segment: &Segment<'_>, point: usize) -> bool {
        let mut covered = 0_u32;
        let length = segment.sequence_length();
        let mut moved = true;
        while moved && covered < length {
            moved = false;
            for sent in self.sent.iter().filter(|sent| sent.length > 0 && sent.seen_at(point).is_none()) {
                let at = segment.sequence.wrapping_add(covered).wrapping_sub(sent.start);
                if at < sent.length {
                    covered = covered.saturating_add(sent.length.saturating_sub(at));
                    moved = true;
                }
            }
        }
        covered >= length
    }

    /// Marks the parts of what the other point has shown that a packet shows here too.
    fn pass_parts(&mut self, segment: &Segment<'_>, point: usize) {
        let (start, length) = (segment.sequence, segment.sequence_length());
        let mut rest = Vec::new();
        let mut passed = None;
        self.sent.retain_mut(|sent| {
            if sent.length == 0 || sent.seen_at(point).is_some() {
                return true;
            }
            let Some((before, after)) = sent.without(start, length) else { return true };
            passed = Some(*sent);
            rest.extend(after);
            match before {
                Some(before) => *sent = before,
                None => return false,
            }
            true
        });
        // They keep the order of the packets that they are parts of.
        for part in rest {
            let place = self.sent.partition_point(|sent| sent.packet <= part.packet);
            self.sent.insert(place, part);
        }
        if let Some(mut sent) = passed {
            sent.see(segment, point);
            self.note_passed(&sent);
        }
    }

    /// Notes that a packet carries again what others did.
    fn repeat(&mut self, segment: &Segment<'_>, point: usize) {
        let (start, length) = (segment.sequence, segment.sequence_length());
        for sent in self.sent.iter_mut().filter(|sent| sent.length > 0 && sent.seen_at(point).is_some()) {
            sent.is_repeated |= sent.without(start, length).is_some();
        }
    }

    fn note_passed(&mut self, sent: &Sent) {
        self.passed = self.passed.saturating_add(1);
        self.last_passed = self.last_passed.max(Some((sent.packet, sent.time())));
        if let [Some(first), Some(second)] = sent.seen {
            let later = second.since(first);
            let (least, most) = self.later.unwrap_or((later, later));
            self.later = Some((least.min(later), most.max(later)));
        }
        if sent.hop_limit_lost.is_some() {
            self.fewer_hops = sent.hop_limit_lost;
        }
    }

    /// Whether the other point captured when a packet must have come by, that one point alone has. None if it has shown
    /// nothing since.
    fn watched(&self, sent: &Sent, watch: &Watch) -> Option<bool> {
        let own = sent.own();
        let other = 1_usize.saturating_sub(own);
        let slowest = self.later.map_or(Span::default(), |(least, most)| {
            if own == 0 { most } else { Span::from_nanos(least.as_nanos().saturating_neg()) }
        });
        // What one point has alone, and the other had to see before, it had to see by then.
        let is_on_its_way = self.later.is_none() || slowest > Span::default();
        let more = if is_on_its_way { ON_THE_WAY } else { Span::default() };
        let patience = Span::from_nanos(slowest.as_nanos().max(0).saturating_add(more.as_nanos()));
        let Some((from, to)) = watch.get(other).copied().flatten() else { return Some(false) };
        // What was sent later has come by.
        let is_overtaken = self.last_passed.is_some_and(|(packet, _)| packet > sent.packet);
        match (from <= sent.time(), is_overtaken || to >= sent.time().after(patience)) {
            (true, true) => Some(true),
            (true, false) => None,
            (false, _) => Some(false),
        }
    }

    /// Leaves open what became of a packet.
    fn leave(&mut self, sent: &Sent) {
        if let Some(alone) = self.alone.get_mut(sent.own()) {
            alone.unwatched = alone.unwatched.saturating_add(1);
        }
    }

    /// Says what became of a packet that one point alone has.
    fn judge(&mut self, sent: &Sent) {
        let end = sent.start.wrapping_add(sent.length);
        let is_acknowledged = self.acknowledged.is_some_and(|to| !is_after(end, to));
        let is_after_all = self.last_passed.is_none_or(|(packet, _)| packet < sent.packet);
        let place = Some((sent.packet, sent.time()));
        let Some(alone) = self.alone.get_mut(sent.own()) else { return };
        if sent.kind & Flags::RST.0 != 0 {
            alone.reset = alone.reset.or(place);
        }
        let kind = if sent.length == 0 {
            &mut alone.bare
        } else if is_acknowledged && !sent.is_repeated {
            &mut alone.arrived
        } else {
            &mut alone.lost
        };
        kind.add(&Losses {
            packets: 1,
            bytes: u64::from(sent.length)
                .saturating_sub(u64::from(sent.has_syn))
                .saturating_sub(u64::from(sent.has_fin)),
            opening: u64::from(sent.has_syn),
            first: place,
            last: place,
            to_the_end: u64::from(is_after_all),
        });
    }
}

impl Sent {
    fn of(segment: &Segment<'_>, point: usize) -> Self {
        let mut sent = Self {
            start: segment.sequence,
            length: segment.sequence_length(),
            kind: kind(segment),
            acknowledgment: segment.acknowledgment,
            identification: segment.identification,
            hop_limit: segment.hop_limit,
            hop_limit_lost: None,
            has_syn: segment.flags.has(Flags::SYN),
            has_fin: segment.flags.has(Flags::FIN),
            is_repeated: false,
            packet: segment.origin.packet,
            seen: [None; 2],
        };
        sent.see(segment, point);
        sent
    }

    /// Notes that a point shows it.
    fn see(&mut self, segment: &Segment<'_>, point: usize) {
        if self.seen.iter().any(Option::is_some) {
            let less = i16::from(self.hop_limit).saturating_sub(i16::from(segment.hop_limit));
            self.hop_limit_lost = Some(if point == 1 { less } else { less.saturating_neg() });
        }
        if let Some(seen) = self.seen.get_mut(point) {
            *seen = Some(segment.origin.time);
        }
    }

    fn seen_at(&self, point: usize) -> Option<Timestamp> {
        self.seen.get(point).copied().flatten()
    }

    /// The point that has it, if only one does.
    const fn own(&self) -> usize {
        let [first, _] = self.seen;
        if first.is_some() { 0 } else { 1 }
    }

    fn is_everywhere(&self) -> bool {
        self.seen.iter().all(Option::is_some)
    }

    /// When it was seen first.
    fn time(&self) -> Timestamp {
        self.seen.iter().flatten().copied().min().unwrap_or_default()
    }

    /// Whether a segment says the same.
    fn is_like(&self, segment: &Segment<'_>) -> bool {
        let is_same = self.start == segment.sequence
            && self.length == segment.sequence_length()
            && self.kind == kind(segment);
        // What is acknowledged may have been changed on the way together with more payload; alone it is all there is.
        is_same && (self.length > 0 || self.acknowledgment == segment.acknowledgment)
    }

    /// Whether the same point shows it once more, from another interface: see [`crate::tcp::Copies`].
    fn is_copied_by(&self, segment: &Segment<'_>, point: usize) -> bool {
        let Some(seen) = self.seen_at(point) else { return false };
        let since = segment.origin.time.since(seen);
        let is_numbered = segment.identification != 0;
        let is_same = self.identification == segment.identification;
        is_same && since <= if is_numbered { COPY_PATIENCE_NUMBERED } else { COPY_PATIENCE }
    }

    /// What is left before and behind a stretch of sequence space; none if it has nothing of it.
    fn without(&self, start: u32, length: u32) -> Option<(Option<Self>, Option<Self>)> {
        let from = i64::from(start.wrapping_sub(self.start).cast_signed());
        let to = from.saturating_add(i64::from(length));
        let own = i64::from(self.length);
        if to <= 0 || from >= own {
            return None;
        }
        let part = |from: i64, to: i64| {
            let (from, length) = (u32::try_from(from).ok()?, u32::try_from(to.saturating_sub(from)).ok()?);
            (length > 0).then(|| Self {
                start: self.start.wrapping_add(from),
                length,
                has_syn: self.has_syn && from == 0,
                has_fin: self.has_fin && i64::from(from).saturating_add(i64::from(length)) == own,
                ..*self
            })
        };
        Some((part(0, from.max(0)), part(to.min(own), own)))
    }
}

/// What kind of packet it is, of those bits that nobody changes on the way.
fn kind(segment: &Segment<'_>) -> u8 {
    segment.flags.0 & Flags::SYN.with(Flags::FIN).with(Flags::RST).0
}

/// Whether a sequence number is after another (RFC 9293 section 3.4).
fn is_after(one: u32, other: u32) -> bool {
    one != other && one.wrapping_sub(other) < 1 << 31
}

/// What may pass beyond the slowest way so far.
const ON_THE_WAY: Span = Span::from_millis(50);

/// Packets of which is decided at the end what became of them.
const UNDECIDED: usize = 64;
