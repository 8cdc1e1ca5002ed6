//! The out-of-order bytes of one half, and what the other side says it has received of it.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::half::differ;
use crate::decode::Segment;
use crate::units::{Origin, Timestamp};

/// What waits in one half.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Pieces by the position of their first byte; they do not overlap.
    pieces: BTreeMap<u64, Piece>,
    /// What the pieces keep alive, bookkeeping included.
    held_bytes: usize,
    /// Where a FIN stands that was not reached yet.
    pub(super) fin: Option<u64>,
    /// How far the other side has acknowledged beyond what was seen, and since when.
    pub(super) acknowledged: Option<(u64, Timestamp)>,
    /// Where the latest stray segment ended, as a sequence number.
    pub(super) stray_end: Option<u32>,
}

/// A run of bytes that waits.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its length on the wire.
    pub(super) length: u64,
    /// How many of its first bytes were captured.
    pub(super) captured: u64,
    /// The captured bytes; empty if nobody wants them.
    pub(super) bytes: Bytes,
    /// How far the other half must have come before this may be delivered: the bytes that the segment
    /// acknowledges came before it.
    pub(super) after: u64,
    /// The segment.
    pub(super) origin: Origin,
}

impl Piece {
    /// A segment's payload. `wanted` says whether the bytes matter.
    pub(super) fn new(segment: &Segment<'_>, after: u64, wanted: bool) -> Self {
        Self {
            length: u64::from(segment.payload_length),
            captured: segment.payload.len() as u64,
            bytes: if wanted { Bytes::copy_from_slice(segment.payload) } else { Bytes::new() },
            after,
            origin: segment.origin,
        }
    }

    /// The part from `start` to `end`, both counted from the piece's first byte.
    pub(super) fn part(&self, start: u64, end: u64) -> Self {
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.bytes.len());
        Self {
            length: end.saturating_sub(start),
            captured: end.min(self.captured).saturating_sub(start),
            bytes: self.bytes.slice(within(start)..within(end).max(within(start))),
            after: self.after,
            origin: self.origin,
        }
    }

    /// What it keeps alive. A part shares the segment's bytes, so this counts some of them twice; the limit
    /// is met a little early, never late.
    fn cost(&self) -> usize {
        self.bytes.len().saturating_add(PIECE_OVERHEAD_BYTES)
    }
}

/// What an insertion showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inserted {
    /// Some of its bytes had been seen before.
    pub(super) repeated: bool,
    /// Some of those were different.
    pub(super) conflicting: bool,
    /// Pieces behind it were there already: it came out of order.
    pub(super) late: bool,
}

impl Lane {
    /// Whether nothing waits and nothing is known of the other side's acknowledgments.
    pub(super) fn is_idle(&self) -> bool {
        self.pieces.is_empty()
            && self.fin.is_none()
            && self.acknowledged.is_none()
            && self.stray_end.is_none()
    }

    /// Since when its hole and its first piece wait.
    pub(super) fn waits_since(&self) -> impl Iterator<Item = Timestamp> {
        let hole = self.acknowledged.map(|(_, since)| since);
        hole.into_iter().chain(self.first().map(|(_, piece)| piece.origin.time))
    }

    /// What the pieces keep alive.
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Where the first waiting piece begins.
    pub(super) fn first_position(&self) -> Option<u64> {
        self.pieces.first_key_value().map(|(position, _)| *position)
    }

    /// The first waiting piece.
    pub(super) fn first(&self) -> Option<(u64, &Piece)> {
        self.pieces.first_key_value().map(|(position, piece)| (*position, piece))
    }

    /// Takes the first waiting piece.
    pub(super) fn pop(&mut self) -> Option<Piece> {
        let (_, piece) = self.pieces.pop_first()?;
        self.held_bytes = self.held_bytes.saturating_sub(piece.cost());
        Some(piece)
    }

    /// Adds a piece. Where it overlaps, the bytes that were there first stay.
    pub(super) fn insert(&mut self, position: u64, piece: &Piece) -> Inserted {
        let end = position.saturating_add(piece.length);
        let mut inserted =
            Inserted { late: self.pieces.range(end..).next_back().is_some(), ..Inserted::default() };
        let mut cursor = position;
        let mut parts = Vec::new();
        let mut sent_earlier = Vec::new();
        let before = self.pieces.range(..=position).next_back();
        let inside = self.pieces.range(position.saturating_add(1)..end.max(position.saturating_add(1)));
        for (&other_start, other) in before.into_iter().chain(inside) {
            let other_end = other_start.saturating_add(other.length);
            if other_end <= position {
                continue;
            }
            if cursor < other_start {
                parts.push((cursor, piece.part(cursor - position, other_start - position)));
            }
            inserted.repeated = true;
            if piece.after < other.after {
                sent_earlier.push(other_start);
            }
            inserted.conflicting |= differ(other_start, &other.bytes, position, &piece.bytes);
            cursor = cursor.max(other_end);
        }
        if cursor < end {
            parts.push((cursor, piece.part(cursor - position, piece.length)));
        }
        for (start, part) in parts {
            self.add(start, part);
        }
        for other_start in sent_earlier {
            self.bring_forward(other_start, position..end, piece.after);
        }
        inserted
    }

    /// Lets the part of a waiting piece that lies in `range` wait for less of the other half. Whoever sends bytes again
    /// acknowledges more than when they were sent first.
    fn bring_forward(&mut self, start: u64, range: Range<u64>, after: u64) {
        let Some(piece) = self.pieces.remove(&start) else { return };
        self.held_bytes = self.held_bytes.saturating_sub(piece.cost());
        let from = range.start.saturating_sub(start).min(piece.length);
        let to = range.end.saturating_sub(start).min(piece.length);
        for (from, to, after) in [(0, from, piece.after), (from, to, after), (to, piece.length, piece.after)]
        {
            if from < to {
                self.add(start.saturating_add(from), Piece { after, ..piece.part(from, to) });
            }
        }
    }

    fn add(&mut self, start: u64, piece: Piece) {
        self.held_bytes = self.held_bytes.saturating_add(piece.cost());
        self.pieces.insert(start, piece);
    }
}

/// A piece's own size and its share of a tree node: what a one-byte piece really costs.
const PIECE_OVERHEAD_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &[u8]) -> Piece {
        Piece {
            length: bytes.len() as u64,
            captured: bytes.len() as u64,
            bytes: Bytes::copy_from_slice(bytes),
            after: 0,
            origin: Origin::default(),
        }
    }

    fn contents(lane: &Lane) -> Vec<(u64, &[u8])> {
        lane.pieces.iter().map(|(position, piece)| (*position, &piece.bytes[..])).collect()
    }

    #[test]
    fn the_first_bytes_win_and_a_difference_is_told() {
        let mut lane = Lane::default();
        assert_eq!(lane.insert(10, &piece(b"first")), Inserted::default());
        assert_eq!(lane.insert(20, &piece(b"second")), Inserted::default());
        let over_both = lane.insert(8, &piece(b"..first.....seZZ.."));
        assert_eq!(over_both, Inserted { repeated: true, conflicting: true, late: false });
        let expected: Vec<(u64, &[u8])> = vec![(8, b".."), (10, b"first"), (15, b"....."), (20, b"second")];
        assert_eq!(contents(&lane), expected);
    }

    #[test]
    fn a_piece_inside_another_adds_nothing() {
        let mut lane = Lane::default();
        lane.insert(0, &piece(b"abcdef"));
        let held = lane.held_bytes();
        assert_eq!(lane.insert(2, &piece(b"cd")), Inserted { repeated: true, ..Inserted::default() });
        assert_eq!(lane.held_bytes(), held);
        assert_eq!(contents(&lane), [(0, &b"abcdef"[..])]);
    }

    #[test]
    fn what_is_sent_again_waits_for_no_more_than_when_it_was_sent_first() {
        let mut lane = Lane::default();
        lane.insert(4, &Piece { after: 90, ..piece(b"efghij") });
        let inserted = lane.insert(0, &Piece { after: 1, ..piece(b"abcdef") });
        assert_eq!(inserted, Inserted { repeated: true, ..Inserted::default() });
        let found: Vec<(u64, &[u8], u64)> =
            lane.pieces.iter().map(|(start, piece)| (*start, &piece.bytes[..], piece.after)).collect();
        assert_eq!(found, [(0, &b"abcd"[..], 1), (4, b"ef", 1), (6, b"ghij", 90)]);
        while lane.pop().is_some() {}
        assert_eq!(lane.held_bytes(), 0);
        // The other way round nothing changes.
        lane.insert(0, &Piece { after: 1, ..piece(b"abc") });
        lane.insert(0, &Piece { after: 90, ..piece(b"abc") });
        assert_eq!(lane.pop().unwrap().after, 1);
    }

    #[test]
    fn a_cut_piece_keeps_its_length() {
        let mut lane = Lane::default();
        lane.insert(4, &piece(b"x"));
        let cut = Piece { length: 10, ..piece(b"abc") };
        lane.insert(0, &cut);
        let (_, front) = lane.first().unwrap();
        assert_eq!((front.length, front.captured, &front.bytes[..]), (4, 3, &b"abc"[..]));
        lane.pop();
        lane.pop();
        let (position, rest) = lane.first().unwrap();
        assert_eq!((position, rest.length, rest.captured, rest.bytes.len()), (5, 5, 0, 0));
        lane.pop();
        assert_eq!(lane.held_bytes(), 0);
    }
}
