//! What two points of capture show of one connection.

use crate::decode::Half;
use crate::units::{PacketNumber, Span, Timestamp};

/// A connection that was captured at two points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The points, that on the side of [`Half::Lo`] first.
    pub points: [u8; 2],
    /// The two halves, [`Half::Lo`] first.
    pub halves: [HalfPassage; 2],
}

/// What became of the packets of one half between the point on its sender's side and the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfPassage {
    /// Packets that both points have.
    pub passed: u64,
    /// The last of them.
    pub last_passed: Option<(PacketNumber, Timestamp)>,
    /// Packets that only the sender's side has and that did not arrive: they were sent again, or nobody ever acknowledged
    /// them. They take up sequence space (RFC 9293 section 3.4).
    pub lost: Losses,
    /// Packets that only the sender's side has though they arrived: they were acknowledged and never sent again, so the
    /// capture at the other point lacks them.
    pub uncaptured: u64,
    /// Packets without payload, SYN or FIN that only the sender's side has: nothing shows what became of them.
    pub bare: u64,
    /// Packets that only the receiver's side has: the capture at the sender's side lacks them, or somebody between made
    /// them.
    pub appeared: Losses,
    /// A RST that only the receiver's side has, if there is one.
    pub reset_appeared: Option<(PacketNumber, Timestamp)>,
    /// A RST that only the sender's side has, if there is one.
    pub reset_lost: Option<(PacketNumber, Timestamp)>,
    /// How much later the receiver's side saw the packets that passed: the least and the most. By the corrected clocks,
    /// so that one direction alone tells nothing; both together are a round trip between the points.
    pub delay: Option<(Span, Span)>,
    /// Routers between the points: what the hop limit lost on the way. None if no packet passed.
    pub hops: Option<i16>,
}

/// Packets that one of two points lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// How many; of a large one that was cut on its way, each stretch that is lacking.
    pub packets: u64,
    /// Their payload bytes, as far as they are lacking.
    pub bytes: u64,
    /// SYNs among them.
    pub opening: u64,
    /// The first: the packet and its time.
    pub first: Option<(PacketNumber, Timestamp)>,
    /// The last.
    pub last: Option<(PacketNumber, Timestamp)>,
    /// Those of them that were sent after the last packet that passed.
    pub to_the_end: u64,
}

impl Passage {
    /// One half.
    #[must_use]
    pub const fn half(&self, half: Half) -> &HalfPassage {
        let [lo, hi] = &self.halves;
        match half {
            Half::Lo => lo,
            Half::Hi => hi,
        }
    }

    /// The point on the side of whoever sends a half.
    #[must_use]
    pub const fn point(&self, half: Half) -> u8 {
        let [lo, hi] = self.points;
        match half {
            Half::Lo => lo,
            Half::Hi => hi,
        }
    }

    /// The least time of a way from one point to the other and back; none if packets of one direction only passed.
    #[must_use]
    pub fn round_trip(&self) -> Option<Span> {
        let [lo, hi] = &self.halves;
        let (there, back) = (lo.delay?.0, hi.delay?.0);
        Some(Span::from_nanos(there.as_nanos().saturating_add(back.as_nanos())))
    }
}

impl Losses {
    pub(super) fn add(&mut self, other: &Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.opening = self.opening.saturating_add(other.opening);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        self.to_the_end = self.to_the_end.saturating_add(other.to_the_end);
    }
}
