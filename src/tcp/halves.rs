//! Both halves of a live connection.

use super::half::{Edge, HalfMut, HalfState};
use crate::decode::{Half, Segment};
use crate::units::{PacketNumber, Timestamp};

/// Both halves. The edges and the number lie behind the connection's key, in its cache line, and each state fills one.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Halves {
    edges: Pair<Edge>,
    last: PacketNumber,
    states: Pair<HalfState>,
}

/// A half that sends a segment; see [`Halves::sender`].
#[derive(Debug)]
pub(super) struct Sender<'a> {
    pub(super) half: HalfMut<'a>,
    pub(super) other: &'a mut Edge,
    last: &'a mut PacketNumber,
}

impl Sender<'_> {
    /// Counts a packet, which is the latest now.
    #[inline]
    pub(super) fn count(&mut self, segment: &Segment<'_>) {
        *self.last = segment.origin.packet;
        self.half.edge.is_latest = true;
        self.other.is_latest = false;
        self.half.state.count(segment);
    }
}

impl Halves {
    /// Those of a connection that began with this packet.
    pub(super) fn new([lo, hi]: [(Edge, HalfState); 2], first: (PacketNumber, Timestamp)) -> Self {
        let ((lo_edge, mut lo), (hi_edge, mut hi)) = (lo, hi);
        (lo.last, hi.last) = (first.1, first.1);
        Self { edges: Pair([lo_edge, hi_edge]), last: first.0, states: Pair([lo, hi]) }
    }

    /// The number and time of the latest packet.
    #[inline]
    pub(super) fn last(&self) -> (PacketNumber, Timestamp) {
        let half = if self.edges.of(Half::Hi).is_latest { Half::Hi } else { Half::Lo };
        (self.last, self.states.of(half).last)
    }

    /// The number of the latest packet.
    pub(super) const fn last_packet(&self) -> PacketNumber {
        self.last
    }

    /// The half that sends a segment, what the segment needs of the other one, and where to note that it is the latest.
    ///
    /// Chosen once and for all: whatever asks again which half it is becomes a branch, and one that is guessed wrong half
    /// of the time.
    #[inline]
    pub(super) fn sender(&mut self, half: Half) -> Sender<'_> {
        let (edge, other) = self.edges.both(half);
        Sender { half: HalfMut { edge, state: self.states.of_mut(half) }, other, last: &mut self.last }
    }

    /// A half, to be worked on.
    pub(super) fn of_mut(&mut self, half: Half) -> HalfMut<'_> {
        HalfMut { edge: self.edges.of_mut(half), state: self.states.of_mut(half) }
    }

    pub(super) fn edge(&self, half: Half) -> Edge {
        *self.edges.of(half)
    }

    pub(super) fn state(&self, half: Half) -> &HalfState {
        self.states.of(half)
    }

    /// Reads what a segment of this half will need beyond what lies with the key.
    #[inline]
    pub(super) fn warm(&self, half: Half) -> u64 {
        self.states.of(half).warm()
    }
}

/// One of something for each half.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair<T>(pub(super) [T; 2]);

impl<T> Pair<T> {
    #[inline]
    pub(super) fn of(&self, half: Half) -> &T {
        let Self(both @ [lo, _]) = self;
        both.get(half as usize).unwrap_or(lo)
    }

    #[inline]
    pub(super) fn of_mut(&mut self, half: Half) -> &mut T {
        let (half, _) = self.both(half);
        half
    }

    /// The half asked for, and the other one.
    #[inline]
    pub(super) const fn both(&mut self, half: Half) -> (&mut T, &mut T) {
        let Self([lo, hi]) = self;
        match half {
            Half::Lo => (lo, hi),
            Half::Hi => (hi, lo),
        }
    }
}
