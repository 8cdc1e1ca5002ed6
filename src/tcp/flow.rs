//! A live connection: puts its segments in order and hands the bytes up.
//!
//! The usual segment continues its half exactly; it takes the short way in [`Flow::segment`]. Everything else
//! (holes, overlaps, FINs ahead of their time, acknowledgments of what was not seen) goes the long way, over
//! [`Disorder`], which exists only while there is disorder.

use super::facts::{ConnectionFacts, EndedBy, Ending, Opening};
use super::half::{HalfState, Rare};
use super::lane::{Lane, Piece};
use super::receiver::{Chunk, Receiver};
use super::sequence::SequenceNumber;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::limits::{REORDERING_PATIENCE, SEQUENCE_JUMP_BYTES};
use crate::units::{Origin, PacketNumber, Timestamp};

/// One connection and what stands above it.
///
/// The order is that of the memory: an ordinary segment needs the cache line of `key`, that of its half, and of the
/// receiver what that has put first.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Flow<R> {
    /// The number and time of the latest packet.
    pub(super) last: (PacketNumber, Timestamp),
    pub(super) key: FlowKey,
    /// What no flow has here stands for `None` in an `Option`, so that nothing else need be read to tell.
    alive: Alive,
    halves: Pair<HalfState>,
    receiver: R,
    opening: Opening,
    disorder: Option<Box<Disorder>>,
    rare: Pair<Rare>,
    ending: Option<Ending>,
    /// Whether the connection is over: a RST, or a FIN each way.
    pub(super) closed: bool,
}

/// The only value of 64 bits that a flow can have in some place: the compiler tells by the others that there is no flow,
/// since no other field leaves so many unused.
#[repr(u64)]
#[derive(Clone, Copy, Debug)]
enum Alive {
    Yes = 1,
}

/// What waits on a connection whose segments are not in order.
#[derive(Debug, Default)]
struct Disorder {
    lanes: Pair<Lane>,
}

impl<R: Receiver> Flow<R> {
    /// What is to be told of it before it ends.
    pub(super) const fn opening(&self) -> &Opening {
        &self.opening
    }

    pub(super) const fn receiver(&self) -> &R {
        &self.receiver
    }

    /// What is known of it so far.
    pub(super) fn facts(&self) -> ConnectionFacts {
        let Pair([lo, hi]) = &self.halves;
        ConnectionFacts {
            flow: self.key,
            opening: self.opening,
            last: self.last,
            ending: self.ending,
            halves: [
                lo.facts(self.rare.of(Half::Lo), self.last, hi.packets()),
                hi.facts(self.rare.of(Half::Hi), self.last, lo.packets()),
            ],
            evicted: false,
        }
    }

    /// A connection that is about to carry its first payload; `halves` is what its packets so far showed.
    pub(super) fn new(
        key: FlowKey,
        opening: Opening,
        [lo, hi]: [(HalfState, Rare); 2],
        ending: Option<Ending>,
        context: &mut R::Context,
    ) -> Self {
        let receiver = R::open(context, &opening);
        let last = (opening.first.packet, opening.first.time);
        Self {
            last,
            key,
            alive: Alive::Yes,
            halves: Pair([lo.0, hi.0]),
            receiver,
            opening,
            disorder: None,
            rare: Pair([lo.1, hi.1]),
            ending,
            closed: false,
        }
    }

    /// Reads what a segment of this half will need; whether there is a flow at all was read with its key.
    ///
    /// Both halves are read, since each acknowledges the other, and since choosing would be a branch that is guessed
    /// wrong half of the time.
    #[inline]
    pub(super) fn warm(&self, half: Half) -> u64 {
        let Pair([lo, hi]) = &self.halves;
        lo.warm().wrapping_add(hi.warm()).wrapping_add(self.receiver.warm(half))
    }

    /// Reads what its end will need.
    pub(super) fn warm_all(&self) -> u64 {
        let own = u64::from(self.closed).wrapping_add(self.opening.first.packet.0);
        own.wrapping_add(self.warm(Half::Lo)).wrapping_add(self.receiver.warm_all())
    }

    /// Whether something waits, in either half, or may after a RST.
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
        let same = half.is_known() && half.base() == SequenceNumber(segment.sequence).advanced(1);
        segment.flags.has(Flags::SYN) && half.is_known() && !same
    }

    /// Takes a segment that continues its half exactly, was captured as a whole and neither opens nor ends anything.
    /// Nearly all are such, and nothing but the two halves and the receiver need be touched for them. False if it is
    /// another one; then nothing has happened.
    #[inline]
    pub(super) fn take_ordinary(&mut self, segment: &Segment<'_>, context: &mut R::Context) -> bool {
        let (half, other) = self.halves.both(segment.half);
        let special = segment.flags.has(Flags::SYN.with(Flags::FIN).with(Flags::RST));
        let whole = segment.payload.len() == segment.payload_length as usize;
        let special = special || segment.closes_window();
        if special || !whole || !half.is_due(segment) || other.is_unseen(segment) {
            return false;
        }
        self.last = (segment.origin.packet, segment.origin.time);
        half.count(segment);
        half.hop_limit = segment.hop_limit;
        if !segment.payload.is_empty() {
            half.remember(segment.payload);
            let chunk = Chunk { bytes: segment.payload, origin: segment.origin };
            self.receiver.data(context, segment.half, chunk);
            half.advance(u64::from(segment.payload_length));
        }
        true
    }

    /// Takes the next captured segment, whatever it is.
    pub(super) fn segment(&mut self, segment: &Segment<'_>, context: &mut R::Context) {
        self.last = (segment.origin.packet, segment.origin.time);
        let (half, other) = self.halves.both(segment.half);
        half.count(segment);
        let rare = self.rare.of_mut(segment.half);
        if segment.closes_window() || rare.is_window_closed() {
            rare.window(segment);
            // Until it opens, its segments go the long way, so that the opening is noticed.
            half.set_disordered(self.disorder.is_some(), rare);
        }
        let acknowledges_unseen = other.is_unseen(segment);
        let special = segment.flags.has(Flags::SYN.with(Flags::RST));
        if !half.is_due(segment) || special || acknowledges_unseen {
            self.out_of_the_ordinary(segment, acknowledges_unseen, context);
            return;
        }
        half.hop_limit = segment.hop_limit;
        if segment.payload_length > 0 {
            let chunk = Chunk { bytes: segment.payload, origin: segment.origin };
            let length = u64::from(segment.payload_length);
            let captured = segment.payload.len() as u64;
            let cut = half.deliver(segment.half, chunk, length, captured, &mut self.receiver, context);
            if cut > 0 {
                self.rare.of_mut(segment.half).lose_cut(cut);
            }
        }
        if segment.flags.has(Flags::FIN) {
            half.finish();
            self.ended(EndedBy::Fin, segment);
        }
    }

    /// Counts copies of packets of a half.
    pub(super) fn count_copies(&mut self, half: Half, copies: u32) {
        let rare = self.rare.of_mut(half);
        rare.copies = rare.copies.saturating_add(copies);
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
            halves: [
                lo.facts(self.rare.of(Half::Lo), last, hi.packets()),
                hi.facts(self.rare.of(Half::Hi), last, lo.packets()),
            ],
            evicted,
        };
        (facts, self.receiver)
    }

    /// Gives up the oldest holes until neither half holds more than `limit` bytes.
    pub(super) fn shrink(&mut self, limit: usize, context: &mut R::Context) {
        while let Some((fullest, _)) = self.fullest().filter(|(_, held_bytes)| *held_bytes > limit) {
            let Some(mut disorder) = self.disorder.take() else { return };
            self.rare.of_mut(fullest).hole_limit_hit = true;
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
        let began_with_probe =
            !self.rare.of(segment.half).anchored && first_payload && start.ahead_of(half.next) == 1;
        if !half.is_known() || began_with_probe {
            half.begin(start);
        }
        if segment.flags.has(Flags::RST) {
            self.rare.of_mut(segment.half).reset();
            half.disordered = true;
            // Bytes in a RST are an explanation for people, not part of the stream (RFC 9293 section 3.10.7.4).
            self.ended(EndedBy::Reset, segment);
            self.settle(Patience::UntilNow(now), context);
            return;
        }
        half.hop_limit = segment.hop_limit;
        self.rare.of_mut(segment.half).count_after_reset();
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
        let half = self.halves.of(segment.half);
        let facts = self.rare.of_mut(segment.half);
        let ahead = start.ahead_of(half.next);
        let length = i64::from(segment.payload_length);
        let fin = segment.flags.has(Flags::FIN);
        if length == 0 && !fin {
            if ahead == -1 && !segment.flags.has(Flags::SYN) {
                facts.keep_alives = facts.keep_alives.saturating_add(1);
            }
            return;
        }
        if ahead == -1 && length == 1 && !fin {
            facts.keep_alives = facts.keep_alives.saturating_add(1);
            return;
        }
        if ahead > SEQUENCE_JUMP_BYTES && !self.is_believed(segment, start) {
            return;
        }
        let (half, heard) = (self.halves.of(segment.half), self.halves.of(segment.half.other()).packets());
        let facts = self.rare.of_mut(segment.half);
        let lane = self.disorder.get_or_insert_default().lanes.of_mut(segment.half);
        let mut piece = Piece::new(segment, after, self.receiver.wants_bytes());
        let mut position = half.position.saturating_add_signed(ahead);
        if fin {
            let at = position.saturating_add(piece.length);
            if at >= half.position && lane.fin.is_none() && !half.is_finished() {
                lane.fin = Some(at);
            }
        }
        if length == 0 {
            return;
        }
        let seen = u64::try_from(ahead.saturating_neg()).unwrap_or(0);
        if seen > 0 {
            facts.retransmit(segment, heard);
            // The position of a segment from before the first byte seen cannot be told.
            if half.position >= seen && half.conflicts(position, segment.payload) {
                facts.conflicting_overlaps = facts.conflicting_overlaps.saturating_add(1);
            }
            if seen >= piece.length {
                return;
            }
            piece = piece.part(seen, piece.length);
            position = half.position;
        }
        let inserted = lane.insert(position, &piece);
        if inserted.repeated && seen == 0 {
            facts.retransmit(segment, heard);
        }
        facts.conflicting_overlaps =
            facts.conflicting_overlaps.saturating_add(u32::from(inserted.conflicting));
        facts.out_of_order =
            facts.out_of_order.saturating_add(u32::from(inserted.late && !inserted.repeated));
    }

    /// Whether a segment far ahead is to be believed: it continues the stray one before it. If not, it is
    /// counted and remembered.
    fn is_believed(&mut self, segment: &Segment<'_>, start: SequenceNumber) -> bool {
        let lane = self.disorder.get_or_insert_default().lanes.of_mut(segment.half);
        if lane.stray_end.take() == Some(start.0) {
            return true;
        }
        lane.stray_end = Some(start.advanced(segment.payload_length).0);
        let facts = self.rare.of_mut(segment.half);
        facts.stray = facts.stray.saturating_add(1);
        false
    }

    /// Notes how the connection ends; the first FIN or RST counts.
    fn ended(&mut self, how: EndedBy, segment: &Segment<'_>) {
        let by = segment.half;
        let both_finished = self.ending.is_some_and(|first| first.by != by);
        self.closed |= how == EndedBy::Reset || both_finished;
        self.ending =
            self.ending.or(Some(Ending { how, by, origin: segment.origin, hop_limit: segment.hop_limit }));
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
            self.halves.of_mut(half).set_disordered(!idle, self.rare.of(half));
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
                let cut = half.deliver(of, chunk, piece.length, piece.captured, &mut self.receiver, context);
                self.rare.of_mut(of).lose_cut(cut);
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
        // What the other side has acknowledged reached it: the capture dropped it, not the network.
        let received_to = lane.acknowledged.map_or(0, |(position, _)| position.min(hole_end));
        let known_received = received_to.saturating_sub(half.position);
        let at = lane.first().map_or_else(|| origin_of(self.last), |(_, piece)| piece.origin);
        half.advance(missing);
        // A single number at the end of what is known is a FIN that the capture lacks, not a byte.
        if missing > 1 || next.is_some() {
            self.rare.of_mut(of).lose(missing, known_received);
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
    type Above = [u64; 29];

    #[test]
    fn what_every_segment_needs_begins_on_a_cache_line() {
        assert_eq!(std::mem::offset_of!(Flow<Above>, last), 0);
        assert_eq!(std::mem::offset_of!(Flow<Above>, alive), 56);
        assert_eq!(std::mem::offset_of!(Flow<Above>, halves), 64);
        assert_eq!(std::mem::offset_of!(Flow<Above>, receiver), 192);
        assert_eq!(size_of::<Option<Flow<Above>>>(), 640, "that there is none takes no room");
    }
}
