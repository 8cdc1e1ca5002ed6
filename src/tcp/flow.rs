//! A live connection: puts its segments in order and hands the bytes up.
//!
//! The usual segment continues its half exactly; it takes the short way in [`Flow::segment`]. Everything else
//! (holes, overlaps, FINs ahead of their time, acknowledgments of what was not seen) goes the long way, over
//! [`Disorder`], which exists only while there is disorder.

use super::facts::{ConnectionFacts, EndedBy, Ending, Opening};
use super::half::HalfState;
use super::lane::{Lane, Piece};
use super::receiver::{Chunk, Receiver};
use super::sequence::SequenceNumber;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::limits::{REORDERING_PATIENCE, SEQUENCE_JUMP_BYTES};
use crate::units::{Origin, PacketNumber, Timestamp};

/// One connection and what stands above it.
///
/// The order is that of the memory: an ordinary segment reads two cache lines, that of `key` and `receiver` and the
/// first of its half, and writes `last`. Big allocations begin 16 bytes after a cache line (the allocator's header
/// comes first), so 48 bytes of what is seldom needed put `key` on the start of one.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Flow<R> {
    ending: Option<Ending>,
    /// The number and time of the latest packet.
    pub(super) last: (PacketNumber, Timestamp),
    pub(super) key: FlowKey,
    receiver: R,
    halves: Pair<HalfState>,
    disorder: Option<Box<Disorder>>,
    /// Whether the connection is over: a RST, or a FIN each way.
    pub(super) closed: bool,
    opening: Opening,
    /// Lets the next flow begin as this one does.
    padding: [u64; 2],
}

/// What waits on a connection whose segments are not in order.
#[derive(Debug, Default)]
struct Disorder {
    lanes: Pair<Lane>,
}

impl<R: Receiver> Flow<R> {
    /// A connection that is about to carry its first payload; `halves` is what its packets so far showed.
    pub(super) fn new(
        key: FlowKey,
        opening: Opening,
        halves: &[HalfState; 2],
        ending: Option<Ending>,
        context: &mut R::Context,
    ) -> Self {
        let receiver = R::open(context, &opening);
        let last = (opening.first.packet, opening.first.time);
        Self {
            ending,
            closed: false,
            key,
            receiver,
            halves: Pair(*halves),
            last,
            disorder: None,
            opening,
            padding: [0; 2],
        }
    }

    /// Reads what a segment of this half will need.
    #[inline]
    pub(super) fn warm(&self, half: Half) -> u64 {
        self.halves.of(half).warm().wrapping_add(u64::from(self.key.is_ipv6()))
    }

    /// See [`Receiver::warm`].
    #[inline]
    pub(super) fn warm_receiver(&self, half: Half) -> u64 {
        self.receiver.warm(half)
    }

    /// Whether something waits, in either half.
    #[inline]
    pub(super) fn is_disordered(&self, half: Half) -> bool {
        self.halves.of(half).disordered
    }

    /// What the out-of-order bytes keep alive.
    pub(super) fn held_bytes(&self) -> usize {
        self.disorder.as_ref().map_or(0, |disorder| disorder.held_bytes())
    }

    /// Whether a SYN opens another connection between the same endpoints (RFC 9293 section 3.6.1), rather
    /// than being this one's, sent again.
    pub(super) fn is_reused_by(&self, segment: &Segment<'_>) -> bool {
        let half = self.halves.of(segment.half);
        let same = half.known && half.base() == SequenceNumber(segment.sequence).advanced(1);
        segment.flags.has(Flags::SYN) && half.known && !same
    }

    /// Takes the next captured segment.
    pub(super) fn segment(&mut self, segment: &Segment<'_>, context: &mut R::Context) {
        self.last = (segment.origin.packet, segment.origin.time);
        let (half, other) = self.halves.both(segment.half);
        half.count(segment);
        let acknowledges_unseen = segment.flags.has(Flags::ACK)
            && other.known
            && SequenceNumber(segment.acknowledgment).ahead_of(other.next) > 0;
        let special = segment.flags.has(Flags::SYN.with(Flags::RST));
        let in_order = half.known && half.next.0 == segment.sequence && !half.disordered;
        if !in_order || special || acknowledges_unseen {
            self.out_of_the_ordinary(segment, acknowledges_unseen, context);
            return;
        }
        if segment.payload_length > 0 {
            let chunk = Chunk { bytes: segment.payload, origin: segment.origin };
            let length = u64::from(segment.payload_length);
            let captured = segment.payload.len() as u64;
            half.deliver(segment.half, chunk, length, captured, &mut self.receiver, context);
        }
        if segment.flags.has(Flags::FIN) {
            half.finish();
            self.ended(EndedBy::Fin, segment);
        }
    }

    /// Gives up what is still waited for and says what was seen.
    pub(super) fn end(mut self, evicted: bool, context: &mut R::Context) -> (ConnectionFacts, R) {
        self.settle(Patience::AtAnEnd, context);
        let last = self.last;
        let Pair([lo, hi]) = self.halves;
        let facts = ConnectionFacts {
            flow: self.key,
            opening: self.opening,
            last,
            ending: self.ending,
            halves: [lo.facts(), hi.facts()],
            evicted,
        };
        (facts, self.receiver)
    }

    /// Gives up the oldest holes until neither half holds more than `limit` bytes.
    pub(super) fn shrink(&mut self, limit: usize, context: &mut R::Context) {
        while let Some((fullest, _)) = self.fullest().filter(|(_, held_bytes)| *held_bytes > limit) {
            let Some(mut disorder) = self.disorder.take() else { return };
            self.halves.of_mut(fullest).rare.hole_limit_hit = true;
            // What is held waits for a hole of its own half, or for bytes of the other that it acknowledges.
            let given_up = self.give_up_hole_of(&mut disorder, fullest, Patience::AtAnEnd, context)
                || self.give_up_hole_of(&mut disorder, fullest.other(), Patience::AtAnEnd, context);
            self.disorder = Some(disorder);
            self.settle(
                if given_up { Patience::UntilNow(Timestamp::MIN) } else { Patience::AtAnEnd },
                context,
            );
        }
    }

    /// The half that holds more, and how many bytes.
    fn fullest(&self) -> Option<(Half, usize)> {
        let Pair([lo, hi]) = &self.disorder.as_ref()?.lanes;
        let by_half = [(Half::Lo, lo.held_bytes()), (Half::Hi, hi.held_bytes())];
        by_half.into_iter().max_by_key(|(_, held_bytes)| *held_bytes)
    }

    /// The long way.
    fn out_of_the_ordinary(
        &mut self,
        segment: &Segment<'_>,
        acknowledges_unseen: bool,
        context: &mut R::Context,
    ) {
        let now = segment.origin.time;
        let (half, other) = self.halves.both(segment.half);
        let syn = u32::from(segment.flags.has(Flags::SYN));
        let start = SequenceNumber(segment.sequence).advanced(syn);
        // A keep-alive probe stands one before what is due. If it was the first packet seen, the half begins
        // one later than it made believe.
        let first_payload = half.payload_bytes == u64::from(segment.payload_length);
        let began_with_probe = !half.rare.anchored && first_payload && start.ahead_of(half.next) == 1;
        if !half.known || began_with_probe {
            half.known = true;
            half.next = start;
        }
        if segment.flags.has(Flags::RST) {
            // Bytes in a RST are an explanation for people, not part of the stream (RFC 9293 section 3.10.7.4).
            self.ended(EndedBy::Reset, segment);
            self.settle(Patience::UntilNow(now), context);
            return;
        }
        let mut after = 0;
        if acknowledges_unseen {
            let beyond = SequenceNumber(segment.acknowledgment).ahead_of(other.next);
            if beyond <= SEQUENCE_JUMP_BYTES {
                after = other.position.saturating_add(beyond.unsigned_abs());
                let lane = self.disorder.get_or_insert_default().lanes.of_mut(segment.half.other());
                let since = lane.acknowledged.map_or(now, |(_, since)| since);
                let farthest = lane.acknowledged.map_or(0, |(position, _)| position);
                lane.acknowledged = Some((farthest.max(after), since));
            }
        }
        self.place(segment, start, after);
        if segment.flags.has(Flags::FIN) {
            self.ended(EndedBy::Fin, segment);
        }
        self.settle(Patience::UntilNow(now), context);
    }

    /// Puts a segment's payload and FIN where they belong among what waits.
    fn place(&mut self, segment: &Segment<'_>, start: SequenceNumber, after: u64) {
        let half = self.halves.of_mut(segment.half);
        let ahead = start.ahead_of(half.next);
        let length = i64::from(segment.payload_length);
        let fin = segment.flags.has(Flags::FIN);
        if length == 0 && !fin {
            if ahead == -1 && !segment.flags.has(Flags::SYN) {
                half.rare.keep_alives = half.rare.keep_alives.saturating_add(1);
            }
            return;
        }
        if ahead == -1 && length == 1 && !fin {
            half.rare.keep_alives = half.rare.keep_alives.saturating_add(1);
            return;
        }
        if ahead > SEQUENCE_JUMP_BYTES && !self.is_believed(segment, start) {
            return;
        }
        let half = self.halves.of_mut(segment.half);
        let lane = self.disorder.get_or_insert_default().lanes.of_mut(segment.half);
        let mut piece = Piece::new(segment, after, self.receiver.wants_bytes());
        let mut position = half.position.saturating_add_signed(ahead);
        if fin {
            let at = position.saturating_add(piece.length);
            if at >= half.position && lane.fin.is_none() && !half.rare.finished {
                lane.fin = Some(at);
            }
        }
        if length == 0 {
            return;
        }
        let seen = u64::try_from(ahead.saturating_neg()).unwrap_or(0);
        if seen > 0 {
            half.rare.retransmitted = half.rare.retransmitted.saturating_add(1);
            // The position of a segment from before the first byte seen cannot be told.
            if half.position >= seen && half.conflicts(position, segment.payload) {
                half.rare.conflicting_overlaps = half.rare.conflicting_overlaps.saturating_add(1);
            }
            if seen >= piece.length {
                return;
            }
            piece = piece.part(seen, piece.length);
            position = half.position;
        }
        let inserted = lane.insert(position, &piece);
        let facts = &mut half.rare;
        facts.retransmitted = facts.retransmitted.saturating_add(u32::from(inserted.repeated && seen == 0));
        facts.conflicting_overlaps =
            facts.conflicting_overlaps.saturating_add(u32::from(inserted.conflicting));
        facts.out_of_order =
            facts.out_of_order.saturating_add(u32::from(inserted.late && !inserted.repeated));
    }

    /// Whether a segment far ahead is to be believed: it continues the stray one before it. If not, it is
    /// counted and remembered.
    fn is_believed(&mut self, segment: &Segment<'_>, start: SequenceNumber) -> bool {
        let half = self.halves.of_mut(segment.half);
        let lane = self.disorder.get_or_insert_default().lanes.of_mut(segment.half);
        if lane.stray_end.take() == Some(start.0) {
            return true;
        }
        lane.stray_end = Some(start.advanced(segment.payload_length).0);
        half.rare.stray = half.rare.stray.saturating_add(1);
        false
    }

    /// Notes how the connection ends; the first FIN or RST counts.
    fn ended(&mut self, how: EndedBy, segment: &Segment<'_>) {
        let by = segment.half;
        let both_finished = self.ending.is_some_and(|first| first.by != by);
        self.closed |= how == EndedBy::Reset || both_finished;
        self.ending = self.ending.or(Some(Ending { how, by, origin: segment.origin }));
    }

    /// Delivers what can be delivered and gives up what need no longer be waited for.
    fn settle(&mut self, patience: Patience, context: &mut R::Context) {
        let Some(mut disorder) = self.disorder.take() else { return };
        let disorder_ref = &mut *disorder;
        loop {
            // First what is due, then holes, and only then what acknowledges bytes that never came: an
            // answer is not to overtake its question.
            let moved = self.deliver_ready(disorder_ref, None, context)
                || [Half::Lo, Half::Hi]
                    .into_iter()
                    .any(|of| self.give_up_hole_of(disorder_ref, of, patience, context))
                || self.deliver_ready(disorder_ref, Some(patience), context);
            if !moved {
                break;
            }
        }
        let idle = disorder.lanes.of(Half::Lo).is_idle() && disorder.lanes.of(Half::Hi).is_idle();
        self.disorder = (!idle).then_some(disorder);
        for half in [Half::Lo, Half::Hi] {
            self.halves.of_mut(half).disordered = !idle;
        }
    }

    /// Delivers the pieces that are due. Those that acknowledge what was not seen wait, unless `patience`
    /// is given and over. Whether anything moved.
    fn deliver_ready(
        &mut self,
        disorder: &mut Disorder,
        patience: Option<Patience>,
        context: &mut R::Context,
    ) -> bool {
        let mut moved = false;
        for of in [Half::Lo, Half::Hi] {
            let lane = disorder.lanes.of_mut(of);
            let (half, other) = self.halves.both(of);
            while let Some((position, piece)) = lane.first() {
                let overdue = patience.is_some_and(|patience| patience.is_over(piece.origin.time));
                if position > half.position || (piece.after > other.position && !overdue) {
                    break;
                }
                let Some(piece) = lane.pop() else { break };
                let chunk = Chunk { bytes: &piece.bytes, origin: piece.origin };
                half.deliver(of, chunk, piece.length, piece.captured, &mut self.receiver, context);
                moved = true;
            }
            if lane.fin.is_some_and(|at| at <= half.position) {
                lane.fin = None;
                half.finish();
                moved = true;
            }
            if lane.acknowledged.is_some_and(|(position, _)| position <= half.position) {
                lane.acknowledged = None;
            }
        }
        moved
    }

    /// Gives up the first hole of a half if it need no longer be waited for: the other side has those bytes,
    /// so they will not come again, or nothing more will come at all. Whether it was given up.
    fn give_up_hole_of(
        &mut self,
        disorder: &mut Disorder,
        of: Half,
        patience: Patience,
        context: &mut R::Context,
    ) -> bool {
        let lane = disorder.lanes.of_mut(of);
        let half = self.halves.of_mut(of);
        let next = lane.first_position().into_iter().chain(lane.fin).min();
        let acknowledged = lane.acknowledged.filter(|(_, since)| patience.is_over(*since));
        let hole_end = match (next, acknowledged) {
            (Some(next), _) if patience == Patience::AtAnEnd => next,
            (Some(next), Some((position, _))) => next.min(position),
            (None, Some((position, _))) => position,
            (_, None) => return false,
        };
        let missing = hole_end.saturating_sub(half.position);
        if missing == 0 {
            return false;
        }
        let at = lane.first().map_or_else(|| origin_of(self.last), |(_, piece)| piece.origin);
        half.advance(missing);
        // A single number at the end of what is known is a FIN that the capture lacks, not a byte.
        if missing > 1 || next.is_some() {
            half.rare.missing_bytes = half.rare.missing_bytes.saturating_add(missing);
            self.receiver.gap(context, of, missing, at);
        }
        true
    }
}

impl Disorder {
    fn held_bytes(&self) -> usize {
        let Pair([lo, hi]) = &self.lanes;
        lo.held_bytes().saturating_add(hi.held_bytes())
    }
}

/// How long to wait for what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// [`REORDERING_PATIENCE`], in the capture's time.
    UntilNow(Timestamp),
    /// No longer: nothing more will come.
    AtAnEnd,
}

impl Patience {
    /// Whether what has waited since `since` has waited long enough.
    fn is_over(self, since: Timestamp) -> bool {
        match self {
            Self::UntilNow(now) => now.since(since) >= REORDERING_PATIENCE,
            Self::AtAnEnd => true,
        }
    }
}

fn origin_of((packet, time): (PacketNumber, Timestamp)) -> Origin {
    Origin { packet, time, file_offset: 0 }
}

/// One of something for each half.
#[derive(Clone, Copy, Debug, Default)]
struct Pair<T>([T; 2]);

impl<T> Pair<T> {
    const fn of(&self, half: Half) -> &T {
        let Self([lo, hi]) = self;
        match half {
            Half::Lo => lo,
            Half::Hi => hi,
        }
    }

    const fn of_mut(&mut self, half: Half) -> &mut T {
        let Self([lo, hi]) = self;
        match half {
            Half::Lo => lo,
            Half::Hi => hi,
        }
    }

    /// The half asked for, and the other one.
    const fn both(&mut self, half: Half) -> (&mut T, &mut T) {
        let Self([lo, hi]) = self;
        match half {
            Half::Lo => (lo, hi),
            Half::Hi => (hi, lo),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands for what is above: as large as the stack that is there in earnest.
    type Above = [u64; 3];

    #[test]
    fn what_every_segment_needs_begins_on_a_cache_line() {
        let header = 16;
        assert_eq!((header + std::mem::offset_of!(Flow<Above>, key)) % 64, 0);
        assert_eq!((header + std::mem::offset_of!(Flow<Above>, halves)) % 64, 0);
        assert_eq!(size_of::<HalfState>() % 64, 0);
        assert_eq!(size_of::<Option<Flow<Above>>>(), 448);
    }
}
