//! How conversations travel: as segments, cut, out of order, repeated, in tunnels and fragments, to a capture.

#![allow(dead_code, reason = "not every test needs everything")]

use crate::conversation::{Ip, Link};
use crate::talk::{Dice, End, Talk};
use crate::testing::PcapFile;

/// A segment on its way.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) connection: usize,
    pub(crate) by_client: bool,
    /// Where its payload begins in the stream of its half.
    pub(crate) at: usize,
    pub(crate) payload: Vec<u8>,
    /// How much of the other half it acknowledges; the FIN counts.
    acknowledges: usize,
    flags: u8,
}

/// What is done to conversations on their way.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is something else that may happen")]
pub(crate) struct Journey {
    /// How long segments are at most, by turns.
    pub(crate) cuts: &'static [usize],
    pub(crate) overlaps: bool,
    pub(crate) repeats: bool,
    pub(crate) shuffles: bool,
    pub(crate) tunnels: bool,
    pub(crate) fragments: bool,
}

impl Journey {
    /// Nothing: the largest segments that fit, in order.
    pub(crate) const PLAIN: Self = Self {
        cuts: &[1_400],
        overlaps: false,
        repeats: false,
        shuffles: false,
        tunnels: false,
        fragments: false,
    };

    /// Any mixture.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        let cuts = dice.one_of(&[&[1_400][..], &[1, 2, 7, 100, 1_400], &[536, 1_000], &[1]]);
        let mut yes = || dice.percent(60);
        Self { cuts, overlaps: yes(), repeats: yes(), shuffles: yes(), tunnels: yes(), fragments: yes() }
    }

    /// The segments of conversations, in the order in which they are captured.
    pub(crate) fn segments(self, dice: &mut Dice, talks: &[Talk]) -> Vec<Segment> {
        let mut queues: Vec<std::collections::VecDeque<Segment>> = talks
            .iter()
            .enumerate()
            .map(|(connection, talk)| self.connection(dice, connection, talk).into())
            .collect();
        let mut all = Vec::new();
        while queues.iter().any(|queue| !queue.is_empty()) {
            let queue = dice.below(queues.len());
            for _ in 0..=dice.below(4) {
                all.extend(queues[queue].pop_front());
            }
        }
        all
    }

    fn connection(self, dice: &mut Dice, connection: usize, talk: &Talk) -> Vec<Segment> {
        let mut streams = [Vec::new(), Vec::new()];
        for (by_client, bytes) in &talk.turns {
            streams[usize::from(!*by_client)].extend_from_slice(bytes);
        }
        let segment = |by_client, at, payload: &[u8], acknowledges, flags| Segment {
            connection,
            by_client,
            at,
            payload: payload.to_vec(),
            acknowledges,
            flags,
        };
        let opening = vec![
            segment(true, 0, b"", 0, SYN),
            segment(false, 0, b"", 0, SYN | ACK),
            segment(true, 0, b"", 0, ACK),
        ];
        let mut said = [0, 0];
        let mut on_the_way = Vec::new();
        for (by_client, bytes) in &talk.turns {
            let (mine, other) = if *by_client { (0, 1) } else { (1, 0) };
            let mut start = said[mine];
            let end = start + bytes.len();
            while start < end {
                let most = dice.one_of(self.cuts);
                // A long message in segments of one byte takes long and shows nothing more.
                let most = if bytes.len() > 10_000 { most.max(700) } else { most };
                let stop = end.min(start + most);
                let back = if self.overlaps && dice.percent(20) { dice.below(12).min(start) } else { 0 };
                let payload = &streams[mine][start - back..stop];
                on_the_way.push(segment(*by_client, start - back, payload, said[other], PSH | ACK));
                start = stop;
            }
            said[mine] = end;
            if dice.percent(20) {
                on_the_way.push(segment(!*by_client, said[other], b"", end, ACK));
            }
        }
        if self.repeats {
            on_the_way = on_the_way
                .into_iter()
                .flat_map(|segment| vec![segment; if dice.percent(15) { 2 } else { 1 }])
                .collect();
        }
        if self.shuffles {
            for window in on_the_way.chunks_mut(5) {
                for last in (1..window.len()).rev() {
                    window.swap(last, dice.below(last + 1));
                }
            }
        }
        // All that was said is acknowledged in the end.
        let mut closing =
            vec![segment(true, said[0], b"", said[1], ACK), segment(false, said[1], b"", said[0], ACK)];
        if talk.end != End::Open {
            let first = talk.end == End::Fin;
            let (mine, other) = if first { (0, 1) } else { (1, 0) };
            closing.push(segment(first, said[mine], b"", said[other], FIN | ACK));
            closing.push(segment(!first, said[other], b"", said[mine] + 1, FIN | ACK));
            closing.push(segment(first, said[mine] + 1, b"", said[other] + 1, ACK));
        }
        [opening, on_the_way, closing].concat()
    }

    /// Segments as packets of a link layer, more of them if they are fragmented.
    pub(crate) fn packets(self, dice: &mut Dice, segments: &[Segment]) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for (number, segment) in segments.iter().enumerate() {
            let ip = if segment.connection % 3 == 2 { Ip::V6 } else { Ip::V4 };
            let packet = segment.packet(ip);
            let mut pieces = vec![packet];
            if self.fragments && segment.payload.len() > 16 && dice.percent(30) {
                let at = 8 * (1 + dice.below((segment.payload.len() + 12) / 8));
                pieces = ip.fragments(&pieces[0], at, u16::try_from(number % 60_000 + 1).unwrap());
                if dice.percent(50) {
                    pieces.reverse();
                }
            }
            for piece in pieces {
                let tunnels = [Link::Gre, Link::InIp, Link::Vxlan, Link::Geneve];
                let links = [Link::Ethernet, Link::Vlan, Link::QinQ, Link::Pppoe, Link::Mpls];
                let (mut inner, mut link) = (piece, Link::Ethernet);
                if self.tunnels && dice.percent(30) {
                    inner = dice.one_of(&tunnels).wrap(&inner);
                }
                if self.tunnels && dice.percent(50) {
                    link = dice.one_of(&links);
                }
                packets.push(link.wrap(&inner));
            }
        }
        packets
    }
}

impl Segment {
    /// The bytes of its half that it carries.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.at..self.at + self.payload.len()
    }

    /// Whether it opens the connection, or comes when all is said.
    pub(crate) fn is_bracket(&self) -> bool {
        self.flags & (SYN | FIN) != 0 || self.payload.is_empty()
    }

    fn packet(&self, ip: Ip) -> Vec<u8> {
        let client_port = 40_000 + u16::try_from(self.connection).unwrap();
        let first = |by_client: bool| INITIAL[usize::from(!by_client)].wrapping_add(u32::from(client_port));
        let number = |by_client: bool, at: usize| {
            // The SYN has a number of its own.
            first(by_client).wrapping_add(1).wrapping_add(u32::try_from(at).unwrap())
        };
        let sequence = match self.flags & SYN {
            0 => number(self.by_client, self.at),
            _ => first(self.by_client),
        };
        let acknowledgment = match self.flags & ACK {
            0 => 0,
            _ => number(!self.by_client, self.acknowledges),
        };
        let mut ports = [client_port, 80];
        if !self.by_client {
            ports.reverse();
        }
        let mut tcp = Vec::new();
        tcp.extend(ports[0].to_be_bytes());
        tcp.extend(ports[1].to_be_bytes());
        tcp.extend(sequence.to_be_bytes());
        tcp.extend(acknowledgment.to_be_bytes());
        tcp.extend([0x50, self.flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        tcp.extend(&self.payload);
        ip.packet(self.by_client, 6, &tcp)
    }
}

/// A capture of Ethernet packets, one each 200 microseconds: what is out of order comes within the time that is waited
/// for it.
pub(crate) fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = PcapFile::usual();
    for (number, packet) in (0..).zip(packets) {
        file.packet(crate::conversation::START + number / 5_000, number % 5_000 * 200, packet);
    }
    file.bytes
}

/// Sequence numbers wrap in the middle of what the server says.
const INITIAL: [u32; 2] = [1_000, u32::MAX - 41_000];

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
