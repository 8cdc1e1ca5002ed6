//! What happens to a connection below its streams, packet by packet: what was sent again, came late or is missing, and
//! who ended it. For whoever follows one connection; the facts of all others are counts.

use super::facts::HalfFacts;
use crate::decode::{Flags, Half, Segment};
use crate::limits;
use crate::units::Origin;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The packet that shows it.
    pub origin: Origin,
    /// Whose segment it is, or whose bytes are missing.
    pub by: Half,
    /// What it is.
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A segment with bytes that had been seen before; so many bytes of payload.
    Retransmitted(u32),
    /// A segment that came after a later one; so many bytes of payload.
    OutOfOrder(u32),
    /// So many bytes are given up: the capture lacks them. The packet is the one that shows it.
    Missing(u64),
    /// A keep-alive probe (RFC 9293 section 3.8.4).
    KeepAlive,
    /// The first FIN of its half.
    Fin,
    /// The first RST of its half.
    Reset,
}

/// What happened to one connection, up to [`limits::HAPPENINGS_KEPT`].
#[derive(Clone, Debug, Default)]
pub struct Happenings {
    known: [HalfFacts; 2],
    ended: [Flags; 2],
    /// All of it, in the order of the packets.
    pub kept: Vec<Happening>,
    /// What happened later than that.
    pub forgotten: u64,
}

impl Happenings {
    /// A segment was taken; `halves` are the facts with it.
    pub fn segment(&mut self, segment: &Segment<'_>, halves: [HalfFacts; 2]) {
        let origin = segment.origin;
        for (half, (now, before)) in [Half::Lo, Half::Hi].into_iter().zip(halves.iter().zip(self.known)) {
            let sent = segment.payload_length;
            let happened = [
                (now.keep_alives > before.keep_alives, Happened::KeepAlive),
                (now.retransmitted > before.retransmitted, Happened::Retransmitted(sent)),
                (now.out_of_order > before.out_of_order, Happened::OutOfOrder(sent)),
                (
                    now.missing_bytes > before.missing_bytes,
                    Happened::Missing(now.missing_bytes.saturating_sub(before.missing_bytes)),
                ),
            ];
            for (_, what) in happened.into_iter().filter(|(is_new, _)| *is_new) {
                self.keep(Happening { origin, by: half, what });
            }
        }
        self.known = halves;
        let [lo, hi] = &mut self.ended;
        let ended = if segment.half == Half::Lo { lo } else { hi };
        let mut ends: Vec<Happened> = Vec::new();
        for (flag, what) in [(Flags::FIN, Happened::Fin), (Flags::RST, Happened::Reset)] {
            if segment.flags.has(flag) && !ended.has(flag) {
                *ended = ended.with(flag);
                ends.push(what);
            }
        }
        for what in ends {
            self.keep(Happening { origin, by: segment.half, what });
        }
    }

    fn keep(&mut self, happening: Happening) {
        if self.kept.len() < limits::HAPPENINGS_KEPT {
            self.kept.push(happening);
        } else {
            self.forgotten = self.forgotten.saturating_add(1);
        }
    }
}
