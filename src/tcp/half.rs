//! One half of a live connection: where it is in its sequence space, and its counters.

use super::facts::HalfFacts;
use super::receiver::{Chunk, Receiver};
use super::sequence::SequenceNumber;
use super::struggle::Struggle;
use crate::decode::{Flags, Half, Segment};
use crate::limits;
use crate::units::{Origin, PacketNumber, Timestamp};

/// The state of one half: what every segment needs. It fills one cache line, since tens of thousands of connections are
/// touched at random, and waiting for memory is a good part of the work.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HalfState {
    /// The sequence number that is due next; meaningless until [`HalfState::is_known`].
    pub(super) next: SequenceNumber,
    progress: Progress,
    /// Whether something waits on this connection, in either half, or this one was reset: segments go the long way.
    pub(super) disordered: bool,
    /// How many bytes of `recent` mean something.
    recent_length: u8,
    /// That of the latest segment that is no RST; 0 if there is none.
    pub(super) hop_limit: u8,
    /// How far it is: sequence space passed since its first byte, FIN included.
    pub(super) position: u64,
    packets: u32,
    /// How far `position` has moved on since `recent`.
    since_recent: u32,
    pub(super) payload_bytes: u64,
    last_payload: (PacketNumber, Timestamp),
    /// The first bytes of the latest delivered segment, to notice a retransmission that differs.
    ///
    /// Whoever injects an answer before the real one makes the real one look like a retransmission with
    /// other contents; that shows in its first bytes. Keeping more would mean copying every payload.
    recent: [u8; limits::OVERLAP_MEMORY_BYTES],
}

/// How much of a half has been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// No packet.
    #[default]
    Nothing,
    /// Some, so that it is known which sequence number is due.
    Some,
    /// All, up to the FIN.
    Finished,
}

/// The rest of the state of one half, which ordinary segments do not touch.
#[derive(Clone, Debug, Default)]
pub(super) struct Rare {
    /// Whether `next` was counted from a SYN, so that it is sure where the half begins.
    pub(super) anchored: bool,
    pub(super) hole_limit_hit: bool,
    /// There was a RST, which makes later segments go the long way.
    pub(super) is_reset: bool,
    /// Segments other than RST after the first RST.
    pub(super) after_reset: u32,
    pub(super) retransmitted: u32,
    pub(super) out_of_order: u32,
    pub(super) conflicting_overlaps: u32,
    pub(super) keep_alives: u32,
    pub(super) stray: u32,
    pub(super) missing_bytes: u64,
    pub(super) copies: u32,
    pub(super) struggle: Option<Box<Struggle>>,
}

impl Rare {
    /// Counts bytes that the capture lacks, of which the other side has acknowledged so many.
    pub(super) fn lose(&mut self, bytes: u64, acknowledged: u64) {
        self.missing_bytes = self.missing_bytes.saturating_add(bytes);
        if acknowledged > 0 {
            self.struggle.get_or_insert_default().missing_acknowledged(acknowledged);
        }
    }

    /// Counts bytes that a snap length cut off.
    pub(super) fn lose_cut(&mut self, bytes: u64) {
        self.missing_bytes = self.missing_bytes.saturating_add(bytes);
        if bytes > 0 {
            self.struggle.get_or_insert_default().missing_cut(bytes);
        }
    }

    /// Notes a RST.
    pub(super) fn reset(&mut self) {
        self.is_reset = true;
    }

    /// Counts a segment that is no RST and goes the long way.
    pub(super) fn count_after_reset(&mut self) {
        self.after_reset = self.after_reset.saturating_add(u32::from(self.is_reset));
    }

    /// Notes a segment with bytes that had been seen before; `heard` is how many packets the other side has sent.
    pub(super) fn retransmit(&mut self, segment: &Segment<'_>, heard: u32) {
        self.retransmitted = self.retransmitted.saturating_add(1);
        self.struggle.get_or_insert_default().retransmitted(segment, heard);
    }

    /// Notes what a segment says of its sender's window.
    pub(super) fn window(&mut self, segment: &Segment<'_>) {
        let is_closed = segment.closes_window();
        if is_closed || self.is_window_closed() {
            self.struggle.get_or_insert_default().window(is_closed, segment.origin);
        }
    }

    /// Whether the window is closed.
    pub(super) fn is_window_closed(&self) -> bool {
        self.struggle.as_ref().is_some_and(|struggle| struggle.is_window_closed())
    }
}

impl HalfState {
    /// The state after `packets` packets without payload, the latest of which left off at `next`, if any did.
    pub(super) fn without_payload(packets: u32, next: Option<SequenceNumber>) -> Self {
        let mut half = Self { packets, ..Self::default() };
        if let Some(next) = next {
            half.begin(next);
        }
        half
    }

    /// What was seen up to the packet `last`, when the other half had sent `heard`.
    pub(super) fn facts(&self, rare: &Rare, last: (PacketNumber, Timestamp), heard: u32) -> HalfFacts {
        let &Rare { retransmitted, out_of_order, conflicting_overlaps, keep_alives, stray, .. } = rare;
        let last = Origin { packet: last.0, time: last.1, file_offset: 0 };
        let struggle = rare.struggle.as_ref().map(|struggle| struggle.facts(last, heard)).unwrap_or_default();
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
            hop_limit: Some(self.hop_limit).filter(|hop_limit| *hop_limit > 0),
            after_reset: rare.after_reset,
            copies: rare.copies,
            last_payload: Some(self.last_payload).filter(|_| self.payload_bytes > 0),
            ..struggle
        }
    }

    /// Where the sequence space begins: the byte after the SYN, or the first seen.
    pub(super) fn base(&self) -> SequenceNumber {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers count modulo 2^32")]
        SequenceNumber(self.next.0.wrapping_sub(self.position as u32))
    }

    /// Reads some of it, so that the rest comes with it.
    #[inline]
    pub(super) fn warm(&self) -> u64 {
        u64::from(self.next.0)
    }

    /// How many packets of it were seen.
    pub(super) const fn packets(&self) -> u32 {
        self.packets
    }

    /// Counts a packet.
    #[inline]
    pub(super) fn count(&mut self, segment: &Segment<'_>) {
        self.packets = self.packets.saturating_add(1);
        if segment.payload_length > 0 {
            self.payload_bytes = self.payload_bytes.saturating_add(u64::from(segment.payload_length));
            self.last_payload = (segment.origin.packet, segment.origin.time);
        }
    }

    /// Says whether something waits on the connection.
    pub(super) fn set_disordered(&mut self, disordered: bool, rare: &Rare) {
        self.disordered = disordered || rare.is_reset || rare.is_window_closed();
    }

    /// Moves on by `length` of sequence space.
    #[inline]
    pub(super) fn advance(&mut self, length: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers count modulo 2^32")]
        let step = length as u32;
        self.next = self.next.advanced(step);
        self.position = self.position.saturating_add(length);
        self.since_recent = self.since_recent.saturating_add(step);
    }

    /// Whether a packet of it has been seen.
    #[inline]
    pub(super) fn is_known(&self) -> bool {
        self.progress != Progress::Nothing
    }

    /// Whether a segment of it begins with what is due, and nothing waits.
    #[inline]
    pub(super) fn is_due(&self, segment: &Segment<'_>) -> bool {
        self.is_known() && self.next.0 == segment.sequence && !self.disordered
    }

    /// Whether a segment of the other half acknowledges more of this one than was seen.
    #[inline]
    pub(super) fn is_unseen(&self, segment: &Segment<'_>) -> bool {
        segment.flags.has(Flags::ACK)
            && self.is_known()
            && SequenceNumber(segment.acknowledgment).ahead_of(self.next) > 0
    }

    /// Whether its FIN has been reached.
    pub(super) fn is_finished(&self) -> bool {
        self.progress == Progress::Finished
    }

    /// Says which sequence number is due.
    pub(super) fn begin(&mut self, next: SequenceNumber) {
        self.next = next;
        if !self.is_known() {
            self.progress = Progress::Some;
        }
    }

    /// Passes the FIN.
    pub(super) fn finish(&mut self) {
        self.progress = Progress::Finished;
        self.advance(1);
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
        self.since_recent = 0;
        if let Some(start) = bytes.first_chunk() {
            self.recent = *start;
            self.recent_length = limits::OVERLAP_MEMORY_BYTES_U8;
        } else {
            self.recent.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            self.recent_length = u8::try_from(bytes.len()).unwrap_or_default();
        }
    }

    /// Whether `bytes`, said to stand at `position`, differ from what was delivered there.
    pub(super) fn conflicts(&self, position: u64, bytes: &[u8]) -> bool {
        let known = self.recent.get(..usize::from(self.recent_length)).unwrap_or_default();
        let known_position = self.position.saturating_sub(u64::from(self.since_recent));
        self.since_recent < u32::MAX && differ(known_position, known, position, bytes)
    }
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
    fn what_every_segment_needs_fills_one_cache_line() {
        assert_eq!(size_of::<HalfState>(), 64);
    }

    #[test]
    fn the_base_is_found_again_after_a_wrap() {
        let mut half = HalfState::without_payload(1, Some(SequenceNumber(u32::MAX - 1)));
        half.advance(10);
        assert_eq!(half.next, SequenceNumber(8));
        assert_eq!(half.base(), SequenceNumber(u32::MAX - 1));
    }
}
