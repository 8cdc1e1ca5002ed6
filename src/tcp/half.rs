//! One half of a live connection: where it is in its sequence space, and its counters.

use super::facts::HalfFacts;
use super::lane::Inserted;
use super::receiver::{Chunk, Receiver};
use super::sequence::SequenceNumber;
use super::struggle::Struggle;
use crate::decode::{Flags, Half, Segment};
use crate::limits;
use crate::units::{PacketNumber, Timestamp};

/// What a segment of either half needs to know of a half: it acknowledges the other one. Both edges of a connection lie in
/// one cache line with its key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Edge {
    /// The sequence number that is due next; meaningless until [`Edge::is_known`].
    pub(super) next: SequenceNumber,
    standing: Standing,
    /// How many bytes of [`HalfState::recent`] mean something.
    recent_length: u8,
    /// That of the latest segment that is no RST; 0 if there is none.
    pub(super) hop_limit: u8,
    /// Whether it sent the connection's latest packet.
    pub(super) is_latest: bool,
}

/// Whether it is known what is due in a half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// No packet was seen.
    #[default]
    Unknown,
    /// It is.
    Orderly,
    /// It is, but something waits on this connection, in either half, or this one was reset: segments go the long way.
    Disordered,
}

/// The rest of what every segment of one half needs. It fills one cache line, since tens of thousands of connections are
/// touched at random, and waiting for memory is a good part of the work.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HalfState {
    /// How far it is: sequence space passed since its first byte, FIN included.
    pub(super) position: u64,
    packets: u32,
    /// How far `position` has moved on since `recent`.
    since_recent: u32,
    pub(super) payload_bytes: u64,
    last_payload: (PacketNumber, Timestamp),
    /// The time of its latest packet.
    pub(super) last: Timestamp,
    /// The first bytes of the latest delivered segment, to notice a retransmission that differs.
    ///
    /// Whoever injects an answer before the real one makes the real one look like a retransmission with
    /// other contents; that shows in its first bytes. Keeping more would mean copying every payload.
    recent: [u8; limits::OVERLAP_MEMORY_BYTES],
}

/// Both parts of one half.
#[derive(Debug)]
pub(super) struct HalfMut<'a> {
    pub(super) edge: &'a mut Edge,
    pub(super) state: &'a mut HalfState,
}

/// What most connections have nothing of.
#[derive(Clone, Debug, Default)]
pub(super) struct Rare {
    pub(super) hole_limit_hit: bool,
    /// There was a RST, which makes later segments go the long way.
    pub(super) is_reset: bool,
    /// Segments other than RST after the first RST.
    pub(super) after_reset: u32,
    retransmitted: u32,
    out_of_order: u32,
    conflicting_overlaps: u32,
    pub(super) keep_alives: u32,
    pub(super) stray: u32,
    missing_bytes: u64,
    pub(super) copies: u32,
    struggle: Struggle,
}

impl Rare {
    /// Of a half that sent a RST, and so many segments that are none after it.
    pub(super) fn reset_before(after_reset: u32) -> Self {
        Self { is_reset: true, after_reset, ..Self::default() }
    }

    /// Counts bytes that the capture lacks, of which the other side has acknowledged so many.
    pub(super) fn lose(&mut self, bytes: u64, acknowledged: u64) {
        self.missing_bytes = self.missing_bytes.saturating_add(bytes);
        self.struggle.missing_acknowledged(acknowledged);
    }

    /// Counts bytes that a snap length cut off.
    pub(super) fn lose_cut(&mut self, bytes: u64) {
        self.missing_bytes = self.missing_bytes.saturating_add(bytes);
        self.struggle.missing_cut(bytes);
    }

    /// Counts a segment that repeats something, or that filled a hole; `heard` is how many packets the other side has sent.
    pub(super) fn count(&mut self, segment: &Segment<'_>, inserted: Inserted, heard: u32) {
        let Inserted { repeated, conflicting, late } = inserted;
        self.retransmitted = self.retransmitted.saturating_add(u32::from(repeated));
        self.conflicting_overlaps = self.conflicting_overlaps.saturating_add(u32::from(conflicting));
        self.out_of_order = self.out_of_order.saturating_add(u32::from(late));
        if repeated {
            self.struggle.retransmitted(segment, heard);
        }
    }

    /// Notes what a segment says of its sender's window.
    pub(super) fn window(&mut self, segment: &Segment<'_>) {
        self.struggle.window(segment.closes_window(), segment.origin);
    }

    /// Whether the window is closed.
    pub(super) const fn is_window_closed(&self) -> bool {
        self.struggle.is_window_closed()
    }

    /// Whether segments are to go the long way, so that what comes after a RST is counted, and that a closed window opens
    /// is noticed.
    pub(super) const fn wants_the_long_way(&self) -> bool {
        self.is_reset || self.struggle.is_window_closed()
    }

    /// Counts a segment that is no RST and goes the long way.
    pub(super) fn count_after_reset(&mut self) {
        self.after_reset = self.after_reset.saturating_add(u32::from(self.is_reset));
    }
}

impl Edge {
    /// That of a half of which packets without payload were seen, the latest of which left off at `next`, if any did.
    pub(super) fn without_payload(next: Option<SequenceNumber>, hop_limit: u8, is_reset: bool) -> Self {
        let mut edge = Self { hop_limit, ..Self::default() };
        if let Some(next) = next {
            edge.begin(next);
        }
        edge.set_disordered(is_reset);
        edge
    }

    /// Whether a packet of it has been seen.
    #[inline]
    pub(super) fn is_known(self) -> bool {
        self.standing != Standing::Unknown
    }

    /// Whether something waits on the connection, in either half, or this one was reset.
    #[inline]
    pub(super) fn is_disordered(self) -> bool {
        self.standing == Standing::Disordered
    }

    /// Whether a segment of it begins with what is due, and nothing waits.
    #[inline]
    pub(super) fn is_due(self, segment: &Segment<'_>) -> bool {
        self.standing == Standing::Orderly && self.next.0 == segment.sequence
    }

    /// Whether a segment of the other half acknowledges more of this one than was seen.
    #[inline]
    pub(super) fn is_unseen(self, segment: &Segment<'_>) -> bool {
        segment.flags.has(Flags::ACK)
            && self.is_known()
            && SequenceNumber(segment.acknowledgment).ahead_of(self.next) > 0
    }

    /// Says which sequence number is due.
    pub(super) fn begin(&mut self, next: SequenceNumber) {
        self.next = next;
        if !self.is_known() {
            self.standing = Standing::Orderly;
        }
    }

    /// Says whether segments are to go the long way. Where no packet was seen, they do anyway.
    pub(super) fn set_disordered(&mut self, disordered: bool) {
        if self.is_known() {
            self.standing = if disordered { Standing::Disordered } else { Standing::Orderly };
        }
    }
}

impl HalfState {
    /// The state after `packets` packets without payload.
    pub(super) fn without_payload(packets: u32) -> Self {
        Self { packets, ..Self::default() }
    }

    /// What was seen up to the packet `last`, when the other half had sent `heard`.
    pub(super) fn facts(
        &self,
        edge: Edge,
        rare: &Rare,
        last: (PacketNumber, Timestamp),
        heard: u32,
    ) -> HalfFacts {
        let &Rare { retransmitted, out_of_order, conflicting_overlaps, keep_alives, stray, .. } = rare;
        HalfFacts {
            packets: u64::from(self.packets),
            payload_bytes: self.payload_bytes,
            retransmitted,
            out_of_order,
            missing_bytes: rare.missing_bytes,
            conflicting_overlaps,
            keep_alives,
            stray,
            hole_limit_hit: rare.hole_limit_hit,
            hop_limit: Some(edge.hop_limit).filter(|hop_limit| *hop_limit > 0),
            after_reset: rare.after_reset,
            copies: rare.copies,
            last_payload: Some(self.last_payload).filter(|_| self.payload_bytes > 0),
            ..rare.struggle.facts(last, heard)
        }
    }

    /// Where the sequence space begins: the byte after the SYN, or the first seen.
    pub(super) fn base(&self, edge: Edge) -> SequenceNumber {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers count modulo 2^32")]
        SequenceNumber(edge.next.0.wrapping_sub(self.position as u32))
    }

    /// Reads some of it, so that the rest comes with it.
    #[inline]
    pub(super) fn warm(&self) -> u64 {
        self.position
    }

    /// How many packets of it were seen.
    pub(super) const fn packets(&self) -> u32 {
        self.packets
    }

    /// Counts a packet.
    #[inline]
    pub(super) fn count(&mut self, segment: &Segment<'_>) {
        self.packets = self.packets.saturating_add(1);
        self.last = segment.origin.time;
        if segment.payload_length > 0 {
            self.payload_bytes = self.payload_bytes.saturating_add(u64::from(segment.payload_length));
            self.last_payload = (segment.origin.packet, segment.origin.time);
        }
    }

    /// Whether `bytes`, said to stand at `position`, differ from what was delivered there.
    pub(super) fn conflicts(&self, edge: Edge, position: u64, bytes: &[u8]) -> bool {
        let known = self.recent.get(..usize::from(edge.recent_length)).unwrap_or_default();
        let known_position = self.position.saturating_sub(u64::from(self.since_recent));
        self.since_recent < u32::MAX && differ(known_position, known, position, bytes)
    }
}

impl HalfMut<'_> {
    /// Moves on by `length` of sequence space.
    #[inline]
    pub(super) fn advance(&mut self, length: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers count modulo 2^32")]
        let step = length as u32;
        self.edge.next = self.edge.next.advanced(step);
        self.state.position = self.state.position.saturating_add(length);
        self.state.since_recent = self.state.since_recent.saturating_add(step);
    }

    /// Hands the next bytes up: `length` on the wire, of which the first `captured` were captured. The chunk is
    /// empty if nobody wants them. Returns how many were not captured.
    #[inline]
    pub(super) fn deliver<R: Receiver>(
        &mut self,
        half: Half,
        chunk: Chunk<'_>,
        length: u64,
        captured: u64,
        receiver: &mut R,
        context: &mut R::Context,
    ) -> u64 {
        if !chunk.bytes.is_empty() {
            self.remember(chunk.bytes);
            receiver.data(context, half, chunk);
        }
        self.advance(length);
        let cut = length.saturating_sub(captured);
        if cut > 0 {
            receiver.gap(context, half, cut, chunk.origin);
        }
        cut
    }

    /// Keeps the first bytes of what is delivered, to compare a retransmission with.
    #[inline]
    pub(super) fn remember(&mut self, bytes: &[u8]) {
        self.state.since_recent = 0;
        if let Some(start) = bytes.first_chunk() {
            self.state.recent = *start;
            self.edge.recent_length = limits::OVERLAP_MEMORY_BYTES_U8;
        } else {
            copy_start(&mut self.state.recent, bytes);
            self.edge.recent_length = u8::try_from(bytes.len()).unwrap_or_default();
        }
    }
}

/// Copies fewer bytes than there is room for. Pings and short messages are such, and to call for the copying of each would
/// cost more than to copy it.
#[inline]
fn copy_start(to: &mut [u8; limits::OVERLAP_MEMORY_BYTES], bytes: &[u8]) {
    if !copy_ends::<8>(to, bytes) && !copy_ends::<4>(to, bytes) && !copy_ends::<2>(to, bytes) {
        copy_ends::<1>(to, bytes);
    }
}

/// Copies `N` to twice as many bytes by their first `N` and their last `N`. Whether there are so many.
#[inline]
fn copy_ends<const N: usize>(to: &mut [u8], bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) else { return false };
    if let Some(place) = to.first_chunk_mut() {
        *place = *first;
    }
    if let Some(place) = to.get_mut(bytes.len().saturating_sub(N)..).and_then(<[u8]>::first_chunk_mut) {
        *place = *last;
    }
    true
}

/// Whether two runs of bytes differ where they overlap.
pub(super) fn differ(first_position: u64, first: &[u8], second_position: u64, second: &[u8]) -> bool {
    let start = first_position.max(second_position);
    let from = |position: u64, bytes: &'_ [u8]| -> usize {
        usize::try_from(start.saturating_sub(position)).unwrap_or(usize::MAX).min(bytes.len())
    };
    let first = first.get(from(first_position, first)..).unwrap_or_default();
    let second = second.get(from(second_position, second)..).unwrap_or_default();
    let length = first.len().min(second.len());
    first.get(..length) != second.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_compared_where_they_overlap() {
        assert!(!differ(10, b"abcdef", 12, b"cd"));
        assert!(differ(10, b"abcdef", 12, b"cX"));
        assert!(!differ(12, b"cd", 10, b"abcdef"));
        assert!(!differ(10, b"ab", 12, b"XX"), "they only touch");
        assert!(!differ(10, b"ab", 90, b"XX"));
        assert!(!differ(0, b"", 0, b"x"));
    }

    #[test]
    fn the_start_of_any_length_is_copied() {
        let bytes: [u8; limits::OVERLAP_MEMORY_BYTES] =
            std::array::from_fn(|at| u8::try_from(at + 1).unwrap());
        for length in 0..bytes.len() {
            let mut to = [0xff; limits::OVERLAP_MEMORY_BYTES];
            copy_start(&mut to, &bytes[..length]);
            assert_eq!(
                (&to[..length], to[length..].iter().all(|byte| *byte == 0xff)),
                (&bytes[..length], true)
            );
        }
    }

    #[test]
    fn what_every_segment_needs_fills_one_cache_line() {
        assert_eq!((size_of::<HalfState>(), size_of::<Edge>()), (64, 8));
    }

    #[test]
    fn the_base_is_found_again_after_a_wrap() {
        let mut edge = Edge::without_payload(Some(SequenceNumber(u32::MAX - 1)), 64, false);
        let mut state = HalfState::without_payload(1);
        HalfMut { edge: &mut edge, state: &mut state }.advance(10);
        assert_eq!(edge.next, SequenceNumber(8));
        assert_eq!(state.base(edge), SequenceNumber(u32::MAX - 1));
    }
}
