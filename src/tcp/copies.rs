//! Tells packets that were captured before: at several interfaces (`-i any` on a bridge), or from a mirrored port.
//!
//! A copy is the same packet, so all that a router does not change is the same: addresses, the TCP header but for its
//! checksum (the network card may not have filled it in yet), the payload's length and its ends, and the identification
//! of IPv4. A packet with other addresses, as address translation makes it, is no copy but another connection's.
//!
//! A retransmission is another packet. In IPv4 it has another identification, since each packet takes the next one. Where
//! there is none (IPv6, or 0), time decides: nobody retransmits within [`limits::COPY_PATIENCE`], unless told to by what
//! the other side sends, and then that stands between the two. Who is in doubt says that it is no copy.

use std::hash::{BuildHasher, Hash, Hasher};

use crate::decode::{Half, Segment};
use crate::limits;
use crate::units::{Span, Timestamp};

/// Remembers the latest packets.
#[derive(Debug)]
pub struct Copies {
    /// Each packet has one set, by its hash, in which the latest one comes first.
    sets: Vec<[Seen; WAYS]>,
    /// The latest packet of each half of a connection, by the hash of both; the newer of two takes the place.
    latest: Vec<(u64, u64)>,
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
        let other = self.half(segment, segment.half.other());
        let is_asked = match self.latest.get(place_of(other)) {
            // Nothing of the other side, and of nobody else in its place.
            Some((_, 0)) => false,
            Some((half, place)) if *half == other => *place > seen.place,
            // Somebody else took its place: if that was later, it cannot be told.
            Some((_, place)) => *place > seen.place,
            None => true,
        };
        since <= limits::COPY_PATIENCE && !is_asked
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
                flags: Flags::ACK,
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
