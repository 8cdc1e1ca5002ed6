//! One connection, as up to two points show it.

use super::passage::{HalfPassage, Losses, Passage};
use super::transit::{Alone, Found, Transit, Watch};
use crate::decode::{Flags, Half, Segment};
use crate::units::{PacketNumber, Span, Timestamp};

/// A connection.
#[derive(Debug)]
pub(super) struct Flow {
    /// The points that show it, in the order of their first packets.
    points: Vec<u8>,
    /// Where each half begins, if its SYN was seen.
    opened: [Option<u32>; 2],
    transits: [Transit; 2],
    /// Its first packet.
    pub(super) first: PacketNumber,
    pub(super) last: Timestamp,
}

impl Flow {
    pub(super) fn new(segment: &Segment<'_>) -> Self {
        Self {
            points: Vec::new(),
            opened: [None; 2],
            transits: [Transit::default(), Transit::default()],
            first: segment.origin.packet,
            last: segment.origin.time,
        }
    }

    /// Whether a SYN opens another connection between the same endpoints.
    pub(super) fn is_reused_by(&self, segment: &Segment<'_>) -> bool {
        let [lo, hi] = self.opened;
        let opened = if segment.half == Half::Lo { lo } else { hi };
        segment.flags.has(Flags::SYN) && opened.is_some_and(|opened| opened != segment.sequence)
    }

    /// The points that show it.
    pub(super) fn points(&self) -> &[u8] {
        &self.points
    }

    /// Whether two points show it.
    pub(super) fn is_shared(&self) -> bool {
        self.points.len() > 1
    }

    /// Packets that are remembered.
    pub(super) fn len(&self) -> usize {
        self.transits.iter().map(Transit::len).sum()
    }

    /// Takes a packet that a point shows.
    pub(super) fn take(&mut self, segment: &Segment<'_>, point: u8) -> Found {
        self.last = self.last.max(segment.origin.time);
        let [lo, hi] = &mut self.transits;
        let [opened_lo, opened_hi] = &mut self.opened;
        let (own, other, opened) = match segment.half {
            Half::Lo => (lo, hi, opened_lo),
            Half::Hi => (hi, lo, opened_hi),
        };
        if segment.flags.has(Flags::SYN) {
            *opened = Some(segment.sequence);
        }
        if segment.flags.has(Flags::ACK) {
            other.acknowledge(segment.acknowledgment);
        }
        let known = self.points.iter().position(|known| *known == point);
        let place = known.unwrap_or(self.points.len());
        if place > 1 {
            // A third point adds nothing to what is told.
            return if own.has(segment) { Found::Again } else { Found::New };
        }
        if known.is_none() {
            self.points.push(point);
        }
        own.take(segment, place)
    }

    /// See [`Transit::let_go`].
    pub(super) fn let_go(&mut self, half: Half, now: Timestamp, most: usize, watch: &Watch) {
        let [lo, hi] = &mut self.transits;
        if half == Half::Lo { lo } else { hi }.let_go(Some(now), most, watch);
    }

    /// Which of the points is on the side of [`Half::Lo`]: the first or the second. None if nothing tells.
    pub(super) fn lo_side(&self) -> Option<usize> {
        let [lo, hi] = &self.transits;
        // A hop limit becomes less on the way; without a router between, time tells.
        let hops = |transit: &Transit| i64::from(transit.fewer_hops.unwrap_or_default());
        let by_hops = hops(lo).saturating_sub(hops(hi));
        let middle = |transit: &Transit| {
            let (least, _) = transit.later?;
            Some(least.as_nanos())
        };
        let by_time = match (middle(lo), middle(hi)) {
            (Some(lo), Some(hi)) => lo.saturating_sub(hi),
            (Some(lo), None) => lo,
            (None, Some(hi)) => hi.saturating_neg(),
            (None, None) => 0,
        };
        match if by_hops == 0 { by_time } else { by_hops } {
            0 => None,
            1.. => Some(0),
            _ => Some(1),
        }
    }

    /// Ends the comparison with what two points, one of which may have shown nothing, have of it. `lo_side` is which of
    /// them is on the side of [`Half::Lo`].
    pub(super) fn finish(&mut self, points: [u8; 2], lo_side: usize, watch: &Watch) -> Passage {
        for transit in &mut self.transits {
            transit.finish(watch);
        }
        let [lo, hi] = &self.transits;
        let [first, second] = points;
        Passage {
            points: if lo_side == 0 { [first, second] } else { [second, first] },
            halves: [half(lo, lo_side), half(hi, 1_usize.saturating_sub(lo_side))],
        }
    }
}

/// What became of a half whose sender is on the side of the first or the second point.
fn half(transit: &Transit, side: usize) -> HalfPassage {
    let [first, second] = transit.alone;
    let (sent, received) = if side == 0 { (first, second) } else { (second, first) };
    let turned = |span: Span| Span::from_nanos(span.as_nanos().saturating_neg());
    let all = |alone: &Alone| {
        let mut all = Losses::default();
        for losses in [&alone.lost, &alone.arrived, &alone.bare] {
            all.add(losses);
        }
        all
    };
    HalfPassage {
        passed: transit.passed,
        last_passed: transit.last_passed,
        lost: sent.lost,
        uncaptured: sent.arrived.packets,
        bare: sent.bare.packets,
        appeared: all(&received),
        reset_appeared: received.reset,
        reset_lost: sent.reset,
        delay: transit.later.map(
            |(least, most)| {
                if side == 0 { (least, most) } else { (turned(most), turned(least)) }
            },
        ),
        hops: transit.fewer_hops.map(|hops| if side == 0 { hops } else { hops.saturating_neg() }),
    }
}
