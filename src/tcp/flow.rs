//! A live connection: puts its segments in order and hands the bytes up.
//!
//! The usual segment continues its half exactly; it takes the short way in [`Flow::segment`]. Everything else
//! (holes, overlaps, FINs ahead of their time, acknowledgments of what was not seen) goes the long way, over
//! [`Disorder`], which exists only while there is disorder.

use super::disorder::{Disorder, Patience};
use super::facts::{ConnectionFacts, EndedBy, Ending, Opened, Opening};
use super::half::{Edge, HalfState, Rare};
use super::halves::{Halves, Pair, Sender};
use super::lane::{Inserted, Lane, Piece};
use super::receiver::{Chunk, Receiver};
use super::sequence::SequenceNumber;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::limits::SEQUENCE_JUMP_BYTES;
use crate::units::{Origin, PacketNumber, Timestamp};

/// One connection and what stands above it.
///
/// The order is that of the memory: an ordinary segment needs the cache line of `key`, that of its half, and of the
/// receiver what that has put first.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Flow<R> {
    pub(super) key: FlowKey,
    halves: Halves,
    receiver: R,
    opening: Opening,
    ending: Option<Ending>,
    disorder: Option<Box<Disorder>>,
    rare: Option<Box<Pair<Rare>>>,
    marks: Pair<Marks>,
    /// Whether the connection is over: a RST, or a FIN each way.
    pub(super) closed: bool,
}

/// What the packets of a half without payload showed, before the connection carried some.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) edge: Edge,
    pub(super) state: HalfState,
    /// Segments that are no RST after one that is; none without one.
    pub(super) after_reset: Option<u32>,
    /// See [`Marks::anchored`].
    pub(super) anchored: bool,
}

impl Begun {
    pub(super) fn rare(&self) -> Rare {
        self.after_reset.map_or_else(Rare::default, Rare::reset_before)
    }
}

/// What else is to be known of a half when something out of the ordinary comes.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    /// `next` was counted from a SYN, so that it is sure where the half begins.
    anchored: bool,
    /// All of it has been seen, up to the FIN.
    finished: bool,
}

impl<R: Receiver> Flow<R> {
    /// What is to be told of it before it ends.
    pub(super) const fn opening(&self) -> &Opening {
        &self.opening
    }

    pub(super) const fn receiver(&self) -> &R {
        &self.receiver
    }

    /// The number and time of its latest packet.
    pub(super) fn last(&self) -> (PacketNumber, Timestamp) {
        self.halves.last()
    }

    /// The number of its latest packet.
    pub(super) const fn last_packet(&self) -> PacketNumber {
        self.halves.last_packet()
    }

    /// What is known of it so far.
    pub(super) fn facts(&self) -> ConnectionFacts {
        ConnectionFacts {
            flow: self.key,
            opening: self.opening,
            last: self.last(),
            ending: self.ending,
            halves: [Half::Lo, Half::Hi].map(|half| {
                let nothing = Rare::default();
                let rare = self.rare.as_ref().map_or(&nothing, |rare| rare.of(half));
                let heard = self.halves.state(half.other()).packets();
                self.halves.state(half).facts(self.halves.edge(half), rare, self.last(), heard)
            }),
            evicted: false,
        }
    }

    /// A connection that is about to carry its first payload; `halves` is what its packets so far showed.
    pub(super) fn new(
        key: FlowKey,
        opening: Opening,
        [lo, hi]: [Begun; 2],
        ending: Option<Ending>,
        context: &mut R::Context,
    ) -> Self {
        let receiver = R::open(context, &opening);
        let first = (opening.first.packet, opening.first.time);
        let marks = |begun: &Begun| Marks { anchored: begun.anchored, finished: false };
        Self {
            key,
            receiver,
            opening,
            ending,
            disorder: None,
            rare: (lo.after_reset.is_some() || hi.after_reset.is_some())
                .then(|| Box::new(Pair([lo.rare(), hi.rare()]))),
            marks: Pair([marks(&lo), marks(&hi)]),
            closed: false,
            halves: Halves::new([(lo.edge, lo.state), (hi.edge, hi.state)], first),
        }
    }

    /// Reads what a segment of this half will need.
    #[inline]
    pub(super) fn warm(&self, half: Half) -> u64 {
        let key = self.last_packet().0;
        key.wrapping_add(self.halves.warm(half)).wrapping_add(self.receiver.warm(half))
    }

    /// Reads what its end will need.
    pub(super) fn warm_all(&self) -> u64 {
        let own = u64::from(self.closed).wrapping_add(self.opening.first.packet.0);
        let halves = self.halves.warm(Half::Lo).wrapping_add(self.halves.warm(Half::Hi));
        own.wrapping_add(halves).wrapping_add(self.receiver.warm_all())
    }

    /// Whether something waits, in either half, or may after a RST.
    #[inline]
    pub(super) fn is_disordered(&self, half: Half) -> bool {
        self.halves.edge(half).is_disordered()
    }

    /// What the out-of-order bytes keep alive.
    pub(super) fn held_bytes(&self) -> usize {
        self.disorder.as_ref().map_or(0, |disorder| disorder.held_bytes())
    }

    /// Whether a SYN opens another connection between the same endpoints (RFC 9293 section 3.6.1), rather
    /// than being this one's, sent again.
    pub(super) fn is_reused_by(&self, segment: &Segment<'_>) -> bool {
        let (edge, state) = (self.halves.edge(segment.half), self.halves.state(segment.half));
        let same = state.base(edge) == SequenceNumber(segment.sequence).advanced(1);
        segment.flags.has(Flags::SYN) && edge.is_known() && !same
    }

    /// Takes a segment that continues its half exactly, was captured as a whole and neither opens nor ends anything.
    /// Nearly all are such, and nothing but the two halves and the receiver need be touched for them. False if it is
    /// another one; then nothing has happened.
    #[inline]
    pub(super) fn take_ordinary(&mut self, segment: &Segment<'_>, context: &mut R::Context) -> bool {
        let mut sender = self.halves.sender(segment.half);
        let special =
            segment.flags.has(Flags::SYN.with(Flags::FIN).with(Flags::RST)) || segment.closes_window();
        let whole = segment.payload.len() == segment.payload_length as usize;
        if special || !whole || !sender.half.edge.is_due(segment) || sender.other.is_unseen(segment) {
            return false;
        }
        sender.count(segment);
        let mut half = sender.half;
        half.edge.hop_limit = segment.hop_limit;
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
        let mut sender = self.halves.sender(segment.half);
        sender.count(segment);
        self.note_window(segment);
        let Sender { mut half, other, .. } = self.halves.sender(segment.half);
        let acknowledges_unseen = other.is_unseen(segment);
        let special = segment.flags.has(Flags::SYN.with(Flags::RST));
        if !half.edge.is_due(segment) || special || acknowledges_unseen {
            self.out_of_the_ordinary(segment, acknowledges_unseen, context);
            return;
        }
        half.edge.hop_limit = segment.hop_limit;
        if segment.payload_length > 0 {
            let chunk = Chunk { bytes: segment.payload, origin: segment.origin };
            let length = u64::from(segment.payload_length);
            let captured = segment.payload.len() as u64;
            let cut = half.deliver(segment.half, chunk, length, captured, &mut self.receiver, context);
            if cut > 0 {
                self.rare(segment.half).lose_cut(cut);
            }
        }
        if segment.flags.has(Flags::FIN) {
            self.finish(segment.half);
            self.ended(EndedBy::Fin, segment);
        }
    }

    /// Counts copies of packets of a half.
    pub(super) fn count_copies(&mut self, half: Half, copies: u32) {
        if copies > 0 {
            let rare = self.rare(half);
            rare.copies = rare.copies.saturating_add(copies);
        }
    }

    /// What lies where there is no connection.
    pub(super) fn vacant() -> Self {
        let nothing = || (Edge::default(), HalfState::without_payload(0));
        let (first, opened) = (Origin::default(), Opened::Midstream);
        Self {
            key: FlowKey::NONE,
            receiver: R::default(),
            opening: Opening { first, opened, opener: None, connect: None },
            ending: None,
            disorder: None,
            rare: None,
            marks: Pair::default(),
            closed: false,
            halves: Halves::new([nothing(), nothing()], (first.packet, first.time)),
        }
    }

    /// Whether no connection lies here.
    #[inline]
    pub(super) fn is_vacant(&self) -> bool {
        self.key == FlowKey::NONE
    }

    /// Gives up what is still waited for and says what was seen; what is left is of no use.
    pub(super) fn end(&mut self, evicted: bool, context: &mut R::Context) -> (ConnectionFacts, R) {
        self.settle(Patience::AtAnEnd, context);
        let facts = ConnectionFacts { evicted, ..self.facts() };
        (self.disorder, self.rare) = (None, None);
        (facts, std::mem::take(&mut self.receiver))
    }

    /// Gives up the oldest holes until neither half holds more than `limit` bytes.
    pub(super) fn shrink(&mut self, limit: usize, context: &mut R::Context) {
        while let Some((fullest, _)) = self.fullest().filter(|(_, held_bytes)| *held_bytes > limit) {
            let Some(mut disorder) = self.disorder.take() else { return };
            self.rare(fullest).hole_limit_hit = true;
            // What is held waits for a hole of its own half, or for bytes of the other that it acknowledges.
            let given_up = self.give_up_hole_of(&mut disorder, fullest, Patience::AtAnEnd, context)
                || self.give_up_hole_of(&mut disorder, fullest.other(), Patience::AtAnEnd, context);
            self.disorder = Some(disorder);
            self.settle(if given_up { Patience::Endless } else { Patience::AtAnEnd }, context);
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
        let anchored = self.marks.of(segment.half).anchored;
        let Sender { half, other, .. } = self.halves.sender(segment.half);
        let syn = u32::from(segment.flags.has(Flags::SYN));
        let start = SequenceNumber(segment.sequence).advanced(syn);
        // A keep-alive probe stands one before what is due. If it was the first packet seen, the half begins
        // one later than it made believe.
        let first_payload = half.state.payload_bytes == u64::from(segment.payload_length);
        let began_with_probe = !anchored && first_payload && start.ahead_of(half.edge.next) == 1;
        if !half.edge.is_known() || began_with_probe {
            half.edge.begin(start);
        }
        if segment.flags.has(Flags::RST) {
            half.edge.set_disordered(true);
            self.rare(segment.half).is_reset = true;
            // Bytes in a RST are an explanation for people, not part of the stream (RFC 9293 section 3.10.7.4).
            self.ended(EndedBy::Reset, segment);
            self.settle_now(now, context);
            return;
        }
        half.edge.hop_limit = segment.hop_limit;
        let beyond = SequenceNumber(segment.acknowledgment).ahead_of(other.next);
        if let Some(rare) = &mut self.rare {
            rare.of_mut(segment.half).count_after_reset();
        }
        let mut after = 0;
        if acknowledges_unseen && beyond <= SEQUENCE_JUMP_BYTES {
            let other = segment.half.other();
            after = self.halves.state(other).position.saturating_add(beyond.unsigned_abs());
            let lane = self.disorder.get_or_insert_default().lanes.of_mut(other);
            let since = lane.acknowledged.map_or(now, |(_, since)| since);
            let farthest = lane.acknowledged.map_or(0, |(position, _)| position);
            lane.acknowledged = Some((farthest.max(after), since));
        }
        self.place(segment, start, after);
        if segment.flags.has(Flags::FIN) {
            self.ended(EndedBy::Fin, segment);
        }
        self.settle_now(now, context);
    }

    /// Puts a segment's payload and FIN where they belong among what waits.
    fn place(&mut self, segment: &Segment<'_>, start: SequenceNumber, after: u64) {
        let ahead = start.ahead_of(self.halves.edge(segment.half).next);
        let length = i64::from(segment.payload_length);
        let fin = segment.flags.has(Flags::FIN);
        let is_before_due = ahead == -1 && !fin && length <= 1;
        if is_before_due && !(length == 0 && segment.flags.has(Flags::SYN)) {
            let rare = self.rare(segment.half);
            rare.keep_alives = rare.keep_alives.saturating_add(1);
            return;
        }
        if length == 0 && !fin {
            return;
        }
        if ahead > SEQUENCE_JUMP_BYTES && !self.is_believed(segment, start) {
            return;
        }
        let (edge, state) = (self.halves.edge(segment.half), self.halves.state(segment.half));
        let lane = self.disorder.get_or_insert_default().lanes.of_mut(segment.half);
        let mut piece = Piece::new(segment, after, self.receiver.wants_bytes());
        let mut position = state.position.saturating_add_signed(ahead);
        if fin {
            let at = position.saturating_add(piece.length);
            if at >= state.position && lane.fin.is_none() && !self.marks.of(segment.half).finished {
                lane.fin = Some(at);
            }
        }
        if length == 0 {
            return;
        }
        let seen = u64::try_from(ahead.saturating_neg()).unwrap_or(0);
        let mut found = Inserted { repeated: seen > 0, ..Inserted::default() };
        if seen > 0 {
            // The position of a segment from before the first byte seen cannot be told.
            found.conflicting = state.position >= seen && state.conflicts(edge, position, segment.payload);
            position = state.position;
        }
        if seen < piece.length {
            piece = piece.part(seen, piece.length);
            let inserted = lane.insert(position, &piece);
            found.late = inserted.late && !inserted.repeated;
            found.repeated |= inserted.repeated;
            found.conflicting |= inserted.conflicting;
        }
        if found != Inserted::default() {
            let heard = self.halves.state(segment.half.other()).packets();
            self.rare(segment.half).count(segment, found, heard);
        }
    }

    /// Whether a segment far ahead is to be believed: it continues the stray one before it. If not, it is
    /// counted and remembered.
    fn is_believed(&mut self, segment: &Segment<'_>, start: SequenceNumber) -> bool {
        let lane = self.disorder.get_or_insert_default().lanes.of_mut(segment.half);
        if lane.stray_end.take() == Some(start.0) {
            return true;
        }
        lane.stray_end = Some(start.advanced(segment.payload_length).0);
        let rare = self.rare(segment.half);
        rare.stray = rare.stray.saturating_add(1);
        false
    }

    /// Notes that a half closes its window, or what it says of a window that was closed.
    fn note_window(&mut self, segment: &Segment<'_>) {
        let is_closed = |rare: &Pair<Rare>| rare.of(segment.half).is_window_closed();
        if segment.closes_window() || self.rare.as_deref().is_some_and(is_closed) {
            let rare = self.rare(segment.half);
            rare.window(segment);
            let is_wanted = rare.wants_the_long_way();
            let is_disordered = self.disorder.is_some() || is_wanted;
            self.halves.of_mut(segment.half).edge.set_disordered(is_disordered);
        }
    }

    /// Passes the FIN of a half.
    fn finish(&mut self, half: Half) {
        self.marks.of_mut(half).finished = true;
        self.halves.of_mut(half).advance(1);
    }

    /// What is rare of a half.
    fn rare(&mut self, half: Half) -> &mut Rare {
        self.rare.get_or_insert_default().of_mut(half)
    }

    /// Notes how the connection ends; the first FIN or RST counts.
    fn ended(&mut self, how: EndedBy, segment: &Segment<'_>) {
        let by = segment.half;
        let both_finished = self.ending.is_some_and(|first| first.by != by);
        self.closed |= how == EndedBy::Reset || both_finished;
        self.ending =
            self.ending.or(Some(Ending { how, by, origin: segment.origin, hop_limit: segment.hop_limit }));
    }

    /// Delivers what can be delivered and gives up what has waited long enough.
    fn settle_now(&mut self, now: Timestamp, context: &mut R::Context) {
        let patience = self.disorder.as_mut().map_or(Patience::Endless, |disorder| disorder.patience(now));
        self.settle(patience, context);
    }

    /// Delivers what can be delivered and gives up what need no longer be waited for.
    fn settle(&mut self, patience: Patience, context: &mut R::Context) {
        let Some(mut disorder) = self.disorder.take() else { return };
        let disorder_ref = &mut *disorder;
        loop {
            // First what is due, then holes, and only then what acknowledges bytes that never came: an
            // answer is not to overtake its question.
            let moved = self.deliver_ready(disorder_ref, context)
                || [Half::Lo, Half::Hi]
                    .into_iter()
                    .any(|of| self.give_up_hole_of(disorder_ref, of, patience, context))
                || self.deliver_overdue(disorder_ref, patience, context);
            if !moved {
                break;
            }
        }
        let idle = disorder.lanes.of(Half::Lo).is_idle() && disorder.lanes.of(Half::Hi).is_idle();
        self.disorder = (!idle).then_some(disorder);
        for half in [Half::Lo, Half::Hi] {
            let is_wanted = self.rare.as_ref().is_some_and(|rare| rare.of(half).wants_the_long_way());
            self.halves.of_mut(half).edge.set_disordered(!idle || is_wanted);
        }
    }

    /// Delivers the pieces that are due. Those that acknowledge what was not seen wait. Whether anything moved.
    fn deliver_ready(&mut self, disorder: &mut Disorder, context: &mut R::Context) -> bool {
        let mut moved = false;
        for of in [Half::Lo, Half::Hi] {
            let lane = disorder.lanes.of_mut(of);
            loop {
                let due = self.halves.state(of).position;
                let other = self.halves.state(of.other()).position;
                let is_due = |(position, piece): (u64, &Piece)| position <= due && piece.after <= other;
                if !lane.first().is_some_and(is_due) {
                    break;
                }
                moved |= self.deliver_first(lane, of, context);
            }
            let position = self.halves.state(of).position;
            if lane.fin.is_some_and(|at| at <= position) {
                lane.fin = None;
                self.finish(of);
                moved = true;
            }
            let position_of_half = self.halves.state(of).position;
            if lane.acknowledged.is_some_and(|(position, _)| position <= position_of_half) {
                lane.acknowledged = None;
            }
        }
        moved
    }

    /// Delivers one piece that acknowledges what was not seen and has waited long enough for it: of two that wait for
    /// each other, the one that was captured first. Whether there is one.
    fn deliver_overdue(
        &mut self,
        disorder: &mut Disorder,
        patience: Patience,
        context: &mut R::Context,
    ) -> bool {
        let captured = |of: Half| {
            let (position, piece) = disorder.lanes.of(of).first()?;
            let is_overdue =
                position <= self.halves.state(of).position && patience.is_over(piece.origin.time);
            is_overdue.then_some((piece.origin.packet, of))
        };
        let first = [Half::Lo, Half::Hi].into_iter().filter_map(captured).min_by_key(|(packet, _)| *packet);
        first.is_some_and(|(_, of)| self.deliver_first(disorder.lanes.of_mut(of), of, context))
    }

    /// Delivers the first piece of a half. Whether there is one.
    fn deliver_first(&mut self, lane: &mut Lane, of: Half, context: &mut R::Context) -> bool {
        let Some(piece) = lane.pop() else { return false };
        let chunk = Chunk { bytes: &piece.bytes, origin: piece.origin };
        let mut half = self.halves.of_mut(of);
        let cut = half.deliver(of, chunk, piece.length, piece.captured, &mut self.receiver, context);
        if cut > 0 {
            self.rare.get_or_insert_default().of_mut(of).lose_cut(cut);
        }
        true
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
        let position = self.halves.state(of).position;
        let next = lane.first_position().into_iter().chain(lane.fin).min();
        let acknowledged = lane.acknowledged.filter(|(_, since)| patience.is_over(*since));
        let hole_end = match (next, acknowledged) {
            (Some(next), _) if patience == Patience::AtAnEnd => next,
            (Some(next), Some((acknowledged, _))) => next.min(acknowledged),
            (None, Some((acknowledged, _))) => acknowledged,
            (_, None) => return false,
        };
        let missing = hole_end.saturating_sub(position);
        if missing == 0 {
            return false;
        }
        // What the other side has acknowledged reached it: the capture dropped it, not the network.
        let received_to = lane.acknowledged.map_or(0, |(to, _)| to.min(hole_end));
        let known_received = received_to.saturating_sub(position);
        let at = lane.first().map_or_else(|| origin_of(self.last()), |(_, piece)| piece.origin);
        self.halves.of_mut(of).advance(missing);
        // A single number at the end of what is known is a FIN that the capture lacks, not a byte.
        if missing > 1 || next.is_some() {
            self.rare(of).lose(missing, known_received);
            self.receiver.gap(context, of, missing, at);
        }
        true
    }
}

fn origin_of((packet, time): (PacketNumber, Timestamp)) -> Origin {
    Origin { packet, time, file_offset: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands for what is above: as large as the stack that is there in earnest.
    type Above = [u64; 24];

    #[test]
    fn what_every_segment_needs_begins_on_a_cache_line() {
        assert_eq!(std::mem::offset_of!(Flow<Above>, key), 0);
        assert_eq!(std::mem::offset_of!(Flow<Above>, halves), 40);
        assert_eq!(std::mem::offset_of!(Flow<Above>, receiver), 192);
        assert_eq!(size_of::<Flow<Above>>(), 512);
    }
}
