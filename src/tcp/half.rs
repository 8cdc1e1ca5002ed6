//! One half of a live connection: where it is in its sequence space, and its counters.

use super::facts::HalfFacts;
use super::receiver::{Chunk, Receiver};
use super::sequence::SequenceNumber;
use crate::decode::{Half, Segment};
use crate::limits;
use crate::units::{PacketNumber, Timestamp};

/// The state of one half. Small and flat: it is touched for every packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HalfState {
    /// The sequence number that is due next; meaningless until `known`.
    pub(super) next: SequenceNumber,
    /// Whether a packet of this half has been seen, so that `next` means something.
    pub(super) known: bool,
    /// Whether `next` was counted from a SYN, so that it is sure where the half begins.
    pub(super) anchored: bool,
    /// Whether its FIN has been reached.
    pub(super) finished: bool,
    /// How far it is: sequence space passed since its first byte, FIN included.
    pub(super) position: u64,
    /// Its latest packet.
    pub(super) last: (PacketNumber, Timestamp),
    pub(super) facts: HalfFacts,
    pub(super) recent: Recent,
}

impl HalfState {
    /// Where the sequence space begins: the byte after the SYN, or the first seen.
    pub(super) fn base(&self) -> SequenceNumber {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers count modulo 2^32")]
        SequenceNumber(self.next.0.wrapping_sub(self.position as u32))
    }

    /// Counts a packet.
    pub(super) fn count(&mut self, segment: &Segment<'_>) {
        self.last = (segment.origin.packet, segment.origin.time);
        self.facts.packets = self.facts.packets.saturating_add(1);
        if segment.payload_length > 0 {
            self.facts.payload_bytes =
                self.facts.payload_bytes.saturating_add(u64::from(segment.payload_length));
            self.facts.last_payload = Some(self.last);
        }
    }

    /// Moves on by `length` of sequence space.
    pub(super) fn advance(&mut self, length: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers count modulo 2^32")]
        let step = length as u32;
        self.next = self.next.advanced(step);
        self.position = self.position.saturating_add(length);
    }

    /// Passes the FIN.
    pub(super) fn finish(&mut self) {
        self.finished = true;
        self.advance(1);
    }

    /// Hands the next bytes up: `length` on the wire, of which the first `chunk.bytes.len()` were captured.
    pub(super) fn deliver<R: Receiver>(
        &mut self,
        half: Half,
        chunk: Chunk<'_>,
        length: u64,
        captured: u64,
        receiver: &mut R,
        context: &mut R::Context,
    ) {
        if !chunk.bytes.is_empty() {
            self.recent.remember(self.position, chunk.bytes);
            receiver.data(context, half, chunk);
        }
        self.advance(length);
        let cut = length.saturating_sub(captured);
        if cut > 0 {
            self.facts.missing_bytes = self.facts.missing_bytes.saturating_add(cut);
            receiver.gap(context, half, cut, chunk.origin);
        }
    }
}

/// The first bytes of the latest delivered segment, to notice a retransmission that differs.
///
/// Whoever injects an answer before the real one makes the real one look like a retransmission with other
/// contents; that shows in its first bytes. Keeping more would mean copying every payload.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recent {
    position: u64,
    length: u8,
    bytes: [u8; limits::OVERLAP_MEMORY_BYTES],
}

impl Recent {
    /// See [`Receiver::warm`].
    #[inline]
    pub(super) fn warm(&self) -> u64 {
        self.position
    }

    fn remember(&mut self, position: u64, bytes: &[u8]) {
        let length = bytes.len().min(self.bytes.len());
        if let (Some(to), Some(from)) = (self.bytes.get_mut(..length), bytes.get(..length)) {
            to.copy_from_slice(from);
        }
        self.position = position;
        self.length = u8::try_from(length).unwrap_or_default();
    }

    /// Whether `bytes`, said to stand at `position`, differ from what was delivered there.
    pub(super) fn conflicts(&self, position: u64, bytes: &[u8]) -> bool {
        let known = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        differ(self.position, known, position, bytes)
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
    fn the_base_is_found_again_after_a_wrap() {
        let mut half = HalfState { next: SequenceNumber(u32::MAX - 1), known: true, ..HalfState::default() };
        half.advance(10);
        assert_eq!(half.next, SequenceNumber(8));
        assert_eq!(half.base(), SequenceNumber(u32::MAX - 1));
    }
}
