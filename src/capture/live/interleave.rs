//! Puts the packets of several interfaces into the order in which they were captured.
//!
//! Each interface hands over its packets in order, but one thread may be far behind another: where it got no processor for
//! a while, its packets lie in the kernel's buffer. A packet goes on once no interface can have an earlier one: it has
//! shown a later packet, or has said how far it is. Where one says nothing for long, or too much waits, the earliest goes
//! on all the same, and that is counted.

use std::collections::VecDeque;
use std::time::Instant;

use crate::capture::Block;
use crate::limits::{BLOCK_BYTES, LIVE_ORDER_BYTES, LIVE_ORDER_PATIENCE};
use crate::units::Timestamp;

/// The packets of all interfaces that did not go on yet.
#[derive(Debug)]
pub(super) struct Interleave {
    /// By the places of their interfaces.
    queues: Vec<Queue>,
    /// Bytes of blocks that wait.
    held: usize,
    hurried: u64,
}

/// What waits of an interface.
#[derive(Debug)]
struct Queue {
    /// Blocks, each with the moment when it came; none is empty.
    blocks: VecDeque<(Block, Instant)>,
    /// The place of the next packet in the first of them.
    next: usize,
    /// All of its packets before this time came.
    up_to: Timestamp,
    has_ended: bool,
}

/// Where the packets of a block come from, and the blocks that they were copied out of.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// For each packet the place of its interface.
    pub(super) places: Vec<usize>,
    /// Blocks that are read, with the places of their interfaces.
    pub(super) empty: Vec<(usize, Block)>,
}

impl Interleave {
    /// Of so many interfaces.
    pub(super) fn new(interfaces: usize) -> Self {
        let queue = || Queue { blocks: VecDeque::new(), next: 0, up_to: Timestamp::MIN, has_ended: false };
        Self { queues: (0..interfaces).map(|_| queue()).collect(), held: 0, hurried: 0 }
    }

    /// Adds packets of an interface.
    pub(super) fn push(&mut self, place: usize, block: Block, now: Instant) {
        let (Some(queue), Some(last)) = (self.queues.get_mut(place), block.packets.last()) else { return };
        // Where the clock was put back, what it says now counts.
        queue.up_to = last.time;
        self.held = self.held.saturating_add(block.bytes.len());
        queue.blocks.push_back((block, now));
    }

    /// An interface has no packet before this time that did not come.
    pub(super) fn up_to(&mut self, place: usize, time: Timestamp) {
        if let Some(queue) = self.queues.get_mut(place) {
            queue.up_to = time;
        }
    }

    /// Nothing more comes of an interface.
    pub(super) fn end(&mut self, place: usize) {
        if let Some(queue) = self.queues.get_mut(place) {
            queue.has_ended = true;
        }
    }

    /// Packets that went on though an earlier one might have come.
    pub(super) const fn hurried(&self) -> u64 {
        self.hurried
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.blocks.is_empty())
    }

    /// Moves packets whose turn it is to the end of `out`, in order. If there are none, it stays as it is.
    pub(super) fn take(&mut self, now: Instant, out: &mut Block, taken: &mut Taken) {
        while out.bytes.len() < BLOCK_BYTES && out.packets.len() < PACKETS {
            let heads = self.queues.iter().enumerate();
            let Some((time, place)) = heads.filter_map(|(place, queue)| Some((queue.head()?, place))).min()
            else {
                return;
            };
            let others = self.queues.iter().enumerate().filter(|(other, _)| *other != place);
            let is_sure = others.clone().all(|(_, queue)| queue.is_beyond(time));
            if !is_sure && !self.is_late(place, now) {
                return;
            }
            // One at least; then as long as no other is due.
            let until = others.filter_map(|(other, queue)| queue.limit(other > place)).min();
            let moved = self.move_packets(place, until, out, taken);
            if !is_sure {
                self.hurried = self.hurried.saturating_add(moved);
            }
        }
    }

    /// Whether what is next at this place must go on, whatever may come.
    fn is_late(&self, place: usize, now: Instant) -> bool {
        let came = self.queues.get(place).and_then(|queue| queue.blocks.front()).map(|(_, came)| *came);
        self.held > LIVE_ORDER_BYTES
            || came.is_some_and(|came| now.saturating_duration_since(came) >= LIVE_ORDER_PATIENCE)
    }

    /// Moves the next packet and those of its block that are before a time, or at it if that is allowed.
    fn move_packets(
        &mut self,
        place: usize,
        until: Option<(Timestamp, bool)>,
        out: &mut Block,
        taken: &mut Taken,
    ) -> u64 {
        let Some(queue) = self.queues.get_mut(place) else { return 0 };
        let Some((block, _)) = queue.blocks.front() else { return 0 };
        let mut moved = 0;
        while let Some(packet) = block.packets.get(queue.next).copied() {
            let is_due =
                until.is_none_or(|(time, at_it)| packet.time < time || (at_it && packet.time == time));
            if moved > 0 && !is_due {
                return moved;
            }
            let start = u32::try_from(out.bytes.len()).unwrap_or(u32::MAX);
            out.bytes.extend_from_slice(block.captured(&packet));
            out.packets.push(crate::capture::PacketMeta { start, ..packet });
            taken.places.push(place);
            queue.next = queue.next.saturating_add(1);
            moved = moved.saturating_add(1);
        }
        queue.next = 0;
        if let Some((block, _)) = queue.blocks.pop_front() {
            self.held = self.held.saturating_sub(block.bytes.len());
            taken.empty.push((place, block));
        }
        moved
    }
}

impl Queue {
    /// The time of its next packet.
    fn head(&self) -> Option<Timestamp> {
        self.blocks.front()?.0.packets.get(self.next).map(|packet| packet.time)
    }

    /// Whether it has no packet before this time that is yet to come.
    fn is_beyond(&self, time: Timestamp) -> bool {
        self.has_ended || !self.blocks.is_empty() || self.up_to >= time
    }

    /// Up to when packets of another interface may go on, and whether those at that very time may.
    fn limit(&self, is_behind: bool) -> Option<(Timestamp, bool)> {
        match self.head() {
            Some(head) => Some((head, is_behind)),
            None if self.has_ended => None,
            None => Some((self.up_to, true)),
        }
    }
}

/// Packets of a block, at most.
const PACKETS: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capture::{LinkType, PacketMeta};

    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    /// A block of packets with these times, each with its time as its bytes.
    fn block(times: &[i64]) -> Block {
        let mut block = Block::default();
        for time in times {
            let start = u32::try_from(block.bytes.len()).unwrap();
            block.bytes.extend_from_slice(&time.to_be_bytes());
            block.packets.push(PacketMeta {
                time: Timestamp::from_nanos(*time),
                start,
                captured: 8,
                original: 8,
                link: LinkType::ETHERNET,
            });
        }
        block
    }

    /// What goes on now: place and time of each packet.
    fn taken(interleave: &mut Interleave, now: Instant) -> Vec<(usize, i64)> {
        let (mut out, mut taken) = (Block::default(), Taken::default());
        interleave.take(now, &mut out, &mut taken);
        assert_eq!(out.packets.len(), taken.places.len());
        let times = out.packets.iter().map(|packet| {
            assert_eq!(out.captured(packet), packet.time.as_nanos().to_be_bytes());
            packet.time.as_nanos()
        });
        taken.places.into_iter().zip(times).collect()
    }

    #[test]
    fn a_packet_goes_on_when_no_earlier_one_can_come() {
        let (mut interleave, now) = (Interleave::new(2), start());
        interleave.push(0, block(&[1, 4, 9]), now);
        assert_eq!(taken(&mut interleave, now), []);
        interleave.push(1, block(&[2, 4, 6]), now);
        // Of those at the same time the first interface goes first. After 6 the second may have anything.
        assert_eq!(taken(&mut interleave, now), [(0, 1), (1, 2), (0, 4), (1, 4), (1, 6)]);
        interleave.up_to(1, Timestamp::from_nanos(8));
        assert_eq!(taken(&mut interleave, now), []);
        interleave.up_to(1, Timestamp::from_nanos(9));
        assert_eq!(taken(&mut interleave, now), [(0, 9)]);
        assert!(interleave.is_empty());
        assert_eq!(interleave.hurried(), 0);
    }

    #[test]
    fn one_that_says_nothing_is_not_waited_for_for_ever() {
        let (mut interleave, now) = (Interleave::new(2), start());
        interleave.push(0, block(&[1, 2]), now);
        assert_eq!(taken(&mut interleave, now + LIVE_ORDER_PATIENCE / 2), []);
        assert_eq!(taken(&mut interleave, now + LIVE_ORDER_PATIENCE), [(0, 1), (0, 2)]);
        assert_eq!(interleave.hurried(), 2);
        interleave.end(1);
        interleave.push(0, block(&[3, 4]), now);
        assert_eq!(taken(&mut interleave, now), [(0, 3), (0, 4)]);
        assert_eq!(interleave.hurried(), 2);
    }

    #[test]
    fn no_more_waits_than_may() {
        let (mut interleave, now) = (Interleave::new(2), start());
        let mut much = block(&[1]);
        much.bytes.resize(LIVE_ORDER_BYTES + 1, 0);
        interleave.push(0, block(&[0]), now);
        interleave.push(0, much, now);
        interleave.push(0, block(&[2]), now);
        assert_eq!(taken(&mut interleave, now), [(0, 0), (0, 1)]);
        assert_eq!(interleave.hurried(), 2);
    }

    #[test]
    fn a_clock_that_is_put_back_stops_nothing() {
        let (mut interleave, now) = (Interleave::new(2), start());
        interleave.push(0, block(&[1_000, 1_001, 5, 6]), now);
        interleave.push(1, block(&[1_000, 4, 7]), now);
        interleave.up_to(1, Timestamp::from_nanos(8));
        let mut all = taken(&mut interleave, now);
        all.extend(taken(&mut interleave, now + LIVE_ORDER_PATIENCE));
        assert_eq!(all.len(), 7);
        let of = |place| all.iter().filter(move |(it, _)| *it == place).map(|(_, time)| *time);
        assert!(of(0).eq([1_000, 1_001, 5, 6]) && of(1).eq([1_000, 4, 7]));
    }

    proptest! {
        /// Whatever comes when, everything goes on, in order.
        #[test]
        fn whatever_comes_when_goes_on_in_order(packets in prop::collection::vec((0usize..3, 1i64..4), 0..60),
                                                turns in prop::collection::vec((0usize..3, 1usize..5), 0..60)) {
            let (mut time, mut waiting) = (0, vec![VecDeque::new(); 3]);
            let mut expected = Vec::new();
            for (place, pause) in packets {
                time += pause;
                waiting[place].push_back(time);
                expected.push((place, time));
            }
            let (mut interleave, now) = (Interleave::new(3), start());
            let mut all = Vec::new();
            let ends = (0..3).map(|place| (place, usize::MAX));
            for (place, count) in turns.into_iter().chain(ends) {
                let count = count.min(waiting[place].len());
                let times: Vec<i64> = waiting[place].drain(..count).collect();
                interleave.push(place, block(&times), now);
                all.extend(taken(&mut interleave, now));
            }
            (0..3).for_each(|place| interleave.end(place));
            all.extend(taken(&mut interleave, now));
            prop_assert_eq!(all, expected);
            prop_assert!(interleave.is_empty());
            prop_assert_eq!(interleave.held, 0);
        }
    }
}
