//! Tells packets that were captured before: at several interfaces (`-i any` on a bridge), or from a mirrored port.
//!
//! A copy is the same packet, so all that a router does not change is the same: addresses, the TCP header but for its
//! checksum (the network card may not have filled it in yet), the payload's length and its ends, and the identification
//! of IPv4. A packet with other addresses, as address translation makes it, is no copy but another connection's.
//!
//! A retransmission is another packet. In IPv4 it has another identification, since each packet takes the next one. Where
//! there is none (IPv6, or 0), its time stamp is another one, unless the sender's clock stood still ([`Clock`]). Where that
//! cannot be known either, time decides: nobody retransmits within [`limits::COPY_PATIENCE`], unless told to by what
//! the other side sends, and then that stands between the two. Who is in doubt says that it is no copy.

use std::hash::{BuildHasher, Hash, Hasher};

use super::stamps::{Clock, stamp};
use crate::decode::{Flags, Half, Segment};
use crate::limits;
use crate::units::{Span, Timestamp};

/// Remembers the latest packets.
#[derive(Debug)]
pub struct Copies {
    /// Each packet has one set, by its hash, in which the latest one comes first.
    sets: Vec<[Seen; WAYS]>,
    /// The latest packet of each half of a connection, by the hash of both; the newer of two takes the place.
    latest: Vec<(u64, u64)>,
    /// The clock of each half whose packets have no identification, by the same hash; empty as long as there are none.
    clocks: Vec<(u64, Clock)>,
    hasher: foldhash::fast::RandomState,
    /// Packets since the start, those that were not looked at included.
    packets: u64,
    /// Until this packet all are looked at.
    until: u64,
    found: u64,
}

/// A packet that was captured.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    hash: u64,
    time: Timestamp,
    /// Its place among all packets, from 1; 0 for none.
    place: u64,
}

impl Default for Copies {
    fn default() -> Self {
        Self {
            sets: vec![[Seen::default(); WAYS]; SETS],
            latest: vec![(0, 0); HALVES],
            clocks: Vec::new(),
            hasher: foldhash::fast::RandomState::default(),
            packets: 0,
            until: FIRST,
            found: 0,
        }
    }
}

impl Copies {
    /// Says that copies are to be expected: the capture is one of all interfaces.
    pub fn expect(&mut self) {
        self.until = u64::MAX;
    }

    /// How many were found.
    #[must_use]
    pub const fn found(&self) -> u64 {
        self.found
    }

    /// Counts one that was found by other means.
    pub const fn count(&mut self) {
        self.found = self.found.saturating_add(1);
    }

    /// Whether the next `packets` are to be looked at: to look at all costs something, and few captures have copies. If
    /// a capture has some, it has them throughout. So the first packets are looked at, some from time to time, and all
    /// once there was a copy. If they are not, they are counted here.
    #[inline]
    pub fn watches(&mut self, packets: usize) -> bool {
        let is_watching = self.packets < self.until || self.packets % SAMPLED_OF < SAMPLED;
        if !is_watching {
            self.packets = self.packets.saturating_add(packets as u64);
        }
        is_watching
    }

    /// Whether a packet is a copy of one before. Each must be asked about once, in order.
    pub fn is_copy(&mut self, segment: &Segment<'_>) -> bool {
        self.packets = self.packets.saturating_add(1);
        let time = segment.origin.time;
        let hash = self.hash(segment);
        let is_copy = self.seen(hash).is_some_and(|seen| self.is_same(segment, seen));
        if is_copy {
            self.found = self.found.saturating_add(1);
            self.until = u64::MAX;
            return true;
        }
        let place = self.packets;
        if let Some(set) = self.sets.get_mut(set_of(hash)) {
            set.rotate_right(1);
            if let Some(first) = set.first_mut() {
                *first = Seen { hash, time, place };
            }
        }
        let half = self.half(segment, segment.half);
        if let Some(latest) = self.latest.get_mut(place_of(half)) {
            *latest = (half, place);
        }
        if segment.identification == 0 {
            self.see_clock(segment, half);
        }
        false
    }

    fn seen(&self, hash: u64) -> Option<Seen> {
        let set = self.sets.get(set_of(hash))?;
        set.iter().copied().find(|seen| seen.hash == hash && seen.place > 0)
    }

    /// Whether one that looks the same is the same.
    fn is_same(&self, segment: &Segment<'_>, seen: Seen) -> bool {
        let since = segment.origin.time.since(seen.time);
        // Merged files and several queues may put them in the wrong order.
        let since = Span::from_nanos(since.as_nanos().saturating_abs());
        if segment.identification != 0 {
            return since <= limits::COPY_PATIENCE_NUMBERED;
        }
        if since <= limits::COPY_PATIENCE_NUMBERED && self.is_past(segment, since) {
            return true;
        }
        let other = self.half(segment, segment.half.other());
        let is_asked = match self.latest.get(place_of(other)) {
            // Nothing of the other side, and of nobody else in its place.
            Some((_, 0)) => false,
            Some((half, place)) if *half == other => *place > seen.place,
            // Somebody else took its place: if that was later, it cannot be told.
            Some((_, place)) => *place > seen.place,
            None => true,
        };
        // RFC 6298 section 2.1: a SYN is not sent again by itself before a second has passed, and nobody asks for a first one.
        let is_opening = segment.flags.has(Flags::SYN);
        let patience = if is_opening { limits::COPY_PATIENCE_NUMBERED } else { limits::COPY_PATIENCE };
        since <= patience && (!is_asked || (is_opening && !segment.flags.has(Flags::ACK)))
    }

    /// Whether a packet without an identification that was seen `since` ago cannot have been sent again just now.
    fn is_past(&self, segment: &Segment<'_>, since: Span) -> bool {
        let half = self.half(segment, segment.half);
        let clock = self.clocks.get(place_of(half)).filter(|(of, _)| *of == half);
        clock.zip(stamp(segment.header)).is_some_and(|((_, clock), stamp)| clock.is_past(stamp, since))
    }

    /// Takes note of a packet's time stamp, if it has one.
    fn see_clock(&mut self, segment: &Segment<'_>, half: u64) {
        let Some(stamp) = stamp(segment.header) else { return };
        if self.clocks.is_empty() {
            self.clocks = vec![(0, Clock::default()); HALVES];
        }
        let time = segment.origin.time;
        match self.clocks.get_mut(place_of(half)) {
            Some((of, clock)) if *of == half && !segment.flags.has(Flags::SYN) => clock.see(stamp, time),
            Some(other) => *other = (half, Clock::new(stamp, time)),
            None => {}
        }
    }

    fn hash(&self, segment: &Segment<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        segment.flow.hash(&mut hasher);
        hasher.write_u64(u64::from(segment.sequence) << 32 | u64::from(segment.acknowledgment));
        let bits = u64::from(segment.flags.0) << 48 | u64::from(segment.identification) << 32;
        hasher.write_u64(bits | u64::from(segment.payload_length));
        hasher.write_u64(u64::from(segment.half == Half::Hi));
        // Behind the numbers of the header: its length and flags, the window; then the checksum, which may be missing;
        // then the options, among them the time of sending and what was received out of order.
        hasher.write(segment.header.get(12..16).unwrap_or_default());
        hasher.write(segment.header.get(18..).unwrap_or_default());
        let payload = segment.payload;
        hasher.write(payload.get(..PAYLOAD_END).unwrap_or(payload));
        hasher.write(payload.get(payload.len().saturating_sub(PAYLOAD_END)..).unwrap_or_default());
        hasher.finish()
    }

    fn half(&self, segment: &Segment<'_>, half: Half) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        segment.flow.hash(&mut hasher);
        hasher.write_u64(u64::from(half == Half::Hi));
        hasher.finish()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
const fn set_of(hash: u64) -> usize {
    hash as usize % SETS
}

#[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
const fn place_of(hash: u64) -> usize {
    hash as usize % HALVES
}

/// Packets that are remembered: 48 KiB of them.
const SETS: usize = 512;
const WAYS: usize = 4;

/// Halves of connections whose latest packet is remembered.
const HALVES: usize = 1024;

/// Packets that are looked at at the beginning.
const FIRST: u64 = 16 * 1024;

/// Of so many packets the first [`SAMPLED`] are looked at.
const SAMPLED_OF: u64 = 16 * 1024;
const SAMPLED: u64 = 512;

/// Bytes at either end of a payload that are compared.
const PAYLOAD_END: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Flags, FlowKey};
    use crate::units::{Origin, PacketNumber};

    /// A packet of a conversation; each case changes something.
    #[derive(Clone)]
    struct Packet {
        half: Half,
        sequence: u32,
        acknowledgment: u32,
        identification: u16,
        header: Vec<u8>,
        payload: Vec<u8>,
        hop_limit: u8,
        micros: i64,
        port: u16,
        flags: Flags,
    }

    fn packet(identification: u16) -> Packet {
        let header = (0..32).collect();
        let payload = b"0123456789".repeat(30);
        Packet {
            half: Half::Lo,
            sequence: 9,
            acknowledgment: 7,
            identification,
            header,
            payload,
            hop_limit: 64,
            micros: 0,
            port: 5000,
            flags: Flags::ACK,
        }
    }

    impl Packet {
        fn at(&self, micros: i64) -> Self {
            Self { micros, ..self.clone() }
        }

        fn is_copy(&self, copies: &mut Copies) -> bool {
            assert!(copies.watches(1));
            let time = Timestamp::from_nanos(self.micros * 1_000);
            copies.is_copy(&Segment {
                flow: FlowKey::ipv4(([10, 0, 0, 1], self.port), ([10, 0, 0, 2], 80)).0,
                half: self.half,
                sequence: self.sequence,
                acknowledgment: self.acknowledgment,
                flags: self.flags,
                hop_limit: self.hop_limit,
                identification: self.identification,
                window: 1,
                header: &self.header,
                payload: &self.payload,
                payload_length: u32::try_from(self.payload.len()).unwrap(),
                origin: Origin { packet: PacketNumber(1), time, file_offset: 0 },
            })
        }
    }

    /// Whether each packet is a copy, in order.
    fn told(packets: &[Packet]) -> Vec<bool> {
        let mut copies = Copies::default();
        packets.iter().map(|packet| packet.is_copy(&mut copies)).collect()
    }

    #[test]
    fn the_same_packet_is_a_copy_each_time() {
        for id in [0, 4711] {
            let first = packet(id);
            // A router has made the hop limit less, and the card has filled in the checksum.
            let mut routed = Packet { hop_limit: 63, ..first.at(40) };
            routed.header[16] = 0xAA;
            assert_eq!(told(&[first.clone(), first.at(10), routed]), [false, true, true], "{id}");
        }
    }

    #[test]
    fn near_misses_are_no_copies() {
        for id in [0, 4711] {
            let first = packet(id);
            let mut changed: Vec<Packet> = vec![
                Packet { identification: id + 1, ..first.at(10) },
                Packet { sequence: 10, ..first.at(10) },
                Packet { acknowledgment: 8, ..first.at(10) },
                Packet { half: Half::Hi, ..first.at(10) },
                Packet { payload: first.payload[1..].to_vec(), ..first.at(10) },
                // Address translation.
                Packet { port: 5001, ..first.at(10) },
            ];
            // Another window; another time stamp among the options; other bytes at either end.
            for at in [14, 15, 25] {
                let mut packet = first.at(10);
                packet.header[at] ^= 1;
                changed.push(packet);
            }
            for at in [0, first.payload.len() - 1] {
                let mut packet = first.at(10);
                packet.payload[at] ^= 1;
                changed.push(packet);
            }
            for (at, changed) in changed.iter().enumerate() {
                assert_eq!(told(&[first.clone(), changed.clone()]), [false, false], "id {id}, case {at}");
            }
        }
    }

    #[test]
    fn a_retransmission_without_an_identification_is_none() {
        let first = packet(0);
        // By its timer.
        assert_eq!(told(&[first.clone(), first.at(1_001)]), [false, false]);
        // Because the other side asked for it: three acknowledgments that are the same but for what they say was received.
        let mut asked = vec![first.clone()];
        for number in 0..3_u8 {
            let mut ack = Packet { half: Half::Hi, payload: Vec::new(), ..first.at(100 + i64::from(number)) };
            ack.header[30] = number;
            asked.push(ack);
        }
        asked.push(first.at(150));
        assert_eq!(told(&asked), [false; 5]);
        // What the other side said before is no reason.
        let before = Packet { half: Half::Hi, ..first.at(-50) };
        assert_eq!(told(&[before, first.clone(), first.at(10)]), [false, false, true]);
    }

    /// A packet without an identification and with a time stamp, `number` packets after the first.
    fn stamped(number: u32, stamp: u32) -> Packet {
        let [a, b, c, d] = stamp.to_be_bytes();
        let mut header = packet(0).header[..20].to_vec();
        header.extend([1, 1, 8, 10, a, b, c, d, 9, 9, 9, 9]);
        Packet { sequence: 9 + 300 * number, header, ..packet(0) }
    }

    #[test]
    fn a_time_stamp_tells_a_copy_from_a_retransmission() {
        let (first, next) = (stamped(0, 1_000), stamped(1, 1_001).at(900));
        // The next packet shows that the clock has gone on: what comes with the old stamp was sent before it.
        assert_eq!(told(&[first.clone(), next.clone(), first.at(5_000)]), [false, false, true]);
        assert_eq!(told(&[first.clone(), next.clone(), first.at(100_001)]), [false, false, false]);
        // Whatever the other side says in between. Of the latest one it cannot be known.
        let answer = Packet { half: Half::Hi, ..stamped(7, 50).at(950) };
        let all = [first.clone(), next.clone(), answer.clone(), first.at(5_000), next.at(5_900)];
        assert_eq!(told(&all), [false, false, false, true, false]);
        // A retransmission has a stamp of its own.
        let again = Packet { header: stamped(0, 1_004).header, ..first.at(5_000) };
        assert_eq!(told(&[first.clone(), next.clone(), again]), [false; 3]);
        // Or the same one, if the clock stands still: of a slow clock nothing can be known.
        let still = stamped(1, 1_000).at(900);
        assert_eq!(told(&[first.clone(), still.clone(), first.at(5_000)]), [false; 3]);
        assert_eq!(told(&[first.clone(), first.at(5_000)]), [false; 2]);
        // The clock of the other side, and of others, says nothing.
        let others = Packet { port: 5001, ..next.clone() };
        assert_eq!(told(&[first.clone(), answer, others, first.at(5_000)]), [false; 4]);
        // Nor does that of an earlier connection of the same ports.
        let old = stamped(90, 2_000).at(-9_000);
        let syn = Packet { flags: Flags::SYN, ..stamped(200, 900).at(-500) };
        assert_eq!(told(&[old, syn, first.clone(), first.at(5_000)]), [false; 4]);
    }

    #[test]
    fn a_clock_that_is_known_to_tick_needs_no_next_packet() {
        // A millisecond a tick, and ten.
        for (tick, at, is_copy) in
            [(1, 2_900, false), (1, 3_000, true), (10, 29_000, false), (10, 30_000, true)]
        {
            let before: Vec<Packet> =
                (0..8).map(|n| stamped(n, 1_000 + 10 / tick * n).at(i64::from(n) * 10_000)).collect();
            let last = stamped(8, 1_000 + 80 / tick).at(80_000);
            let copy = last.at(80_000 + at);
            let told = told(&[&before[..], &[last, copy]].concat());
            assert_eq!(told, [&[false; 9][..], &[is_copy]].concat(), "{tick} ms, {at}");
        }
    }

    #[test]
    fn a_syn_is_not_sent_again_so_soon() {
        let syn = Packet { flags: Flags::SYN, ..packet(0) };
        assert_eq!(told(&[syn.clone(), syn.at(5_000), syn.at(100_000)]), [false, true, true]);
        assert_eq!(told(&[syn.clone(), syn.at(1_000_000)]), [false, false]);
        assert_eq!(told(&[syn.clone(), packet(5).at(10), syn.at(5_000)]), [false, false, true]);
        // A second SYN has its answer too.
        let answer = Packet { half: Half::Hi, flags: Flags::SYN.with(Flags::ACK), ..packet(0).at(100) };
        let second = Packet { identification: 3, ..syn.at(150) };
        assert_eq!(told(&[syn.clone(), answer.clone(), second, answer.at(5_000)]), [false; 4]);
        assert_eq!(told(&[syn, answer.clone(), answer.at(5_000)]), [false, false, true]);
    }

    #[test]
    fn an_identification_holds_longer() {
        let first = packet(4711);
        let answer = Packet { half: Half::Hi, identification: 5, ..first.at(50) };
        assert_eq!(told(&[first.clone(), answer, first.at(90_000)]), [false, false, true]);
        assert_eq!(told(&[first.clone(), first.at(100_001)]), [false, false]);
        assert_eq!(told(&[first.clone(), first.at(-90_000)]), [false, true]);
    }

    #[test]
    fn copies_are_found_among_many_packets() {
        let mut copies = Copies::default();
        let burst: Vec<Packet> =
            (0..64).map(|number| Packet { sequence: number, identification: 1, ..packet(1) }).collect();
        assert!(burst.iter().all(|packet| !packet.is_copy(&mut copies)));
        assert!(burst.iter().all(|packet| packet.at(500).is_copy(&mut copies)));
        assert_eq!(copies.found(), 64);
    }

    #[test]
    fn a_capture_without_copies_is_looked_at_now_and_then() {
        let mut copies = Copies::default();
        let mut looked_at = 0;
        for number in 0..200_000 {
            if copies.watches(1) {
                looked_at += 1;
                assert!(!Packet { sequence: number, ..packet(1) }.is_copy(&mut copies));
            }
        }
        assert!((16_000..24_000).contains(&looked_at), "{looked_at}");
        while !copies.watches(1) {}
        let first = packet(9);
        assert!(!first.is_copy(&mut copies) && first.at(1).is_copy(&mut copies));
        assert!((0..100_000).all(|_| copies.watches(1)), "from then on all are");
    }
}
