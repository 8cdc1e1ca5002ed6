//! The comparison on packets that are made up one by one.

use super::*;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::units::{Origin, PacketNumber, Span, Timestamp};

/// A packet; those of `Half::Lo` come from 10.0.0.1.
#[derive(Clone, Debug)]
struct Packet {
    half: Half,
    sequence: u32,
    acknowledgment: u32,
    flags: Flags,
    identification: u16,
    hop_limit: u8,
    payload: Vec<u8>,
    micros: i64,
    port: u16,
    network: u8,
}

const DATA: Packet = Packet {
    half: Half::Lo,
    sequence: 1_000,
    acknowledgment: 9,
    flags: Flags::ACK,
    identification: 0,
    hop_limit: 64,
    payload: Vec::new(),
    micros: 0,
    port: 5_000,
    network: 0,
};

impl Packet {
    fn with(sequence: u32, length: usize, micros: i64) -> Self {
        let payload = (0..length).map(|at| u8::try_from((sequence as usize + at) % 251).unwrap()).collect();
        Self { sequence, payload, micros, ..DATA }
    }

    fn at(&self, micros: i64) -> Self {
        Self { micros, ..self.clone() }
    }

    fn lend<T>(&self, number: u64, take: impl FnOnce(&Segment<'_>) -> T) -> T {
        let time = Timestamp::from_nanos(1_000_000_000_000 + self.micros * 1_000);
        take(&Segment {
            flow: FlowKey::ipv4(([10, 0, self.network, 1], self.port), ([10, 0, self.network, 2], 80)).0,
            half: self.half,
            sequence: self.sequence,
            acknowledgment: self.acknowledgment,
            flags: self.flags,
            hop_limit: self.hop_limit,
            identification: self.identification,
            window: 1,
            header: &[],
            payload: &self.payload,
            payload_length: u32::try_from(self.payload.len()).unwrap(),
            origin: Origin { packet: PacketNumber(number), time, file_offset: 0 },
        })
    }
}

/// What the points show, in order of time, with what each packet is; then the facts of the one connection.
fn compared(shown: &[(u8, Packet)]) -> (Vec<Seen>, Option<Passage>) {
    let mut sightings = Sightings::default();
    let mut seen = Vec::new();
    for (number, (point, packet)) in (1..).zip(shown) {
        seen.push(packet.lend(number, |segment| {
            sightings.captured(*point, segment.origin.time);
            sightings.take(segment, *point)
        }));
    }
    // Both go on.
    for point in [0, 1] {
        sightings.captured(point, Timestamp::from_nanos(1_000_100_000_000_000));
    }
    let passages = sightings.finish();
    (seen, passages.into_iter().next().map(|(.., passage)| passage))
}

fn new_ones(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| **seen == Seen::New).count()
}

/// The opening that tells which point is nearer to whom.
fn opened() -> Vec<(u8, Packet)> {
    let syn = Packet { sequence: 999, acknowledgment: 0, flags: Flags::SYN, ..DATA };
    let answer = Packet {
        half: Half::Hi,
        sequence: 8,
        acknowledgment: 1_000,
        flags: Flags::SYN.with(Flags::ACK),
        ..DATA
    };
    vec![(0, syn.at(-900)), (1, syn.at(-800)), (1, answer.at(-700)), (0, answer.at(-690))]
}

#[test]
fn what_a_network_card_cuts_or_joins_passes() {
    let large = Packet::with(1_000, 4_000, 0);
    let pieces: Vec<Packet> =
        (0..4).map(|piece| Packet::with(1_000 + piece * 1_000, 1_000, 100 + i64::from(piece))).collect();
    // Cut on the way, and put together again at the receiver.
    let cut: Vec<(u8, Packet)> =
        [vec![(0, large.clone())], pieces.iter().map(|it| (1, it.clone())).collect()].concat();
    let joined: Vec<(u8, Packet)> =
        [pieces.iter().map(|it| (0, it.clone())).collect(), vec![(1, large.at(300))]].concat();
    for shown in [cut, joined] {
        let new = new_ones(&compared(&shown).0);
        let (seen, passage) = compared(&[opened(), shown.clone()].concat());
        let half = passage.unwrap().halves[0];
        assert_eq!((half.lost, half.appeared), (Losses::default(), Losses::default()), "{seen:?}");
        assert_eq!(new_ones(&seen), 2 + new);
    }
}

#[test]
fn a_piece_of_a_large_packet_is_lost_to_the_byte() {
    let large = Packet::with(1_000, 4_000, 0);
    let piece = |at: u32, micros| Packet::with(1_000 + at, 1_000, micros);
    let mut shown = [opened(), vec![(0, large)]].concat();
    for at in [0, 1_000, 3_000] {
        shown.push((1, piece(at, 100 + i64::from(at))));
    }
    shown.push((0, piece(2_000, 200_000)));
    shown.push((1, piece(2_000, 200_100)));
    let (seen, passage) = compared(&shown);
    let half = passage.unwrap().halves[0];
    assert_eq!((half.lost.packets, half.lost.bytes, half.uncaptured), (1, 1_000, 0), "{seen:?}");
    assert_eq!((half.lost.to_the_end, half.appeared.packets), (0, 0));
}

#[test]
fn what_was_sent_again_was_lost_and_what_was_acknowledged_was_not() {
    let hello = Packet::with(1_000, 10, 0);
    let acknowledged = Packet { half: Half::Hi, sequence: 9, acknowledgment: 1_010, micros: 400_000, ..DATA };
    // Once, sent again, and once more; only the last one arrives.
    let again = [
        opened(),
        vec![(0, hello.clone()), (0, hello.at(200_000)), (0, hello.at(300_000)), (1, hello.at(300_100))],
        vec![(1, acknowledged.clone()), (0, acknowledged.at(400_100))],
    ]
    .concat();
    let half = compared(&again).1.unwrap().halves[0];
    assert_eq!((half.lost.packets, half.lost.bytes, half.uncaptured), (2, 20, 0));
    // Acknowledged, and never sent again: it arrived.
    let uncaptured =
        [opened(), vec![(0, hello.clone()), (1, acknowledged.clone()), (0, acknowledged.at(400_100))]]
            .concat();
    let half = compared(&uncaptured).1.unwrap().halves[0];
    assert_eq!((half.lost.packets, half.uncaptured), (0, 1));
    // Neither: it is lost, and nothing after it passes.
    let half = compared(&[opened(), vec![(0, hello)]].concat()).1.unwrap().halves[0];
    assert_eq!((half.lost.packets, half.lost.to_the_end), (1, 1));
}

#[test]
fn the_identification_says_which_of_several_arrived() {
    let numbered = |identification, micros| Packet { identification, ..Packet::with(1_000, 10, micros) };
    let shown =
        [opened(), vec![(0, numbered(1, 0)), (0, numbered(2, 200_000)), (1, numbered(1, 200_100))]].concat();
    let half = compared(&shown).1.unwrap().halves[0];
    assert_eq!(half.lost.first.map(|(packet, _)| packet), Some(PacketNumber(6)));
}

#[test]
fn copies_at_one_point_are_copies() {
    for identification in [0, 7] {
        let hello = Packet { identification, ..Packet::with(1_000, 10, 0) };
        let shown = [
            opened(),
            vec![
                (0, hello.clone()),
                (0, hello.at(20)),
                (1, hello.at(100)),
                (1, hello.at(130)),
                (1, hello.at(150)),
            ],
        ]
        .concat();
        let (seen, passage) = compared(&shown);
        assert_eq!(seen[4..], [Seen::New, Seen::Copy, Seen::Again, Seen::Copy, Seen::Copy]);
        let half = passage.unwrap().halves[0];
        assert_eq!((half.passed, half.lost.packets, half.appeared.packets), (2, 0, 0));
    }
}

#[test]
fn a_rst_that_only_the_receivers_side_has_appeared() {
    let rst = Packet { half: Half::Hi, sequence: 9, flags: Flags::RST, ..DATA };
    let passage = compared(&[opened(), vec![(0, rst.clone())]].concat()).1.unwrap();
    assert_eq!(passage.points, [0, 1], "the first point is on the side of 10.0.0.1");
    assert_eq!(passage.halves[1].reset_appeared.map(|(packet, _)| packet), Some(PacketNumber(5)));
    let passed = [opened(), vec![(1, rst.clone()), (0, rst.at(30))]].concat();
    assert_eq!(compared(&passed).1.unwrap().halves[1].reset_appeared, None);
}

#[test]
fn hops_between_the_points_are_counted() {
    let hello = Packet::with(1_000, 10, 0);
    let routed = Packet { hop_limit: 61, ..hello.at(100) };
    let half = compared(&[opened(), vec![(0, hello), (1, routed)]].concat()).1.unwrap().halves[0];
    assert_eq!(half.hops, Some(3));
}

#[test]
fn nothing_is_said_of_a_time_when_the_other_point_did_not_capture() {
    let mut sightings = Sightings::default();
    let shown = [opened(), vec![(0, Packet::with(1_000, 10, 0))]].concat();
    for (number, (point, packet)) in (1..).zip(&shown) {
        packet.lend(number, |segment| {
            sightings.captured(*point, segment.origin.time);
            sightings.take(segment, *point);
        });
    }
    let passage = sightings.finish()[0].2;
    assert_eq!((passage.halves[0].lost.packets, passage.halves[0].passed), (0, 1));
}

/// Surveys files, each of so many packets.
fn surveyed(files: &[Vec<Packet>]) -> Option<Surveyed> {
    let mut survey = Survey::of(files.len());
    for (file, packets) in files.iter().enumerate() {
        for packet in packets {
            packet.lend(1, |segment| survey.segment(file, segment));
        }
    }
    survey.finish()
}

/// A conversation of some packets each way, which takes so long to the other point, whose clock is `ahead`.
fn both(from: u32, ahead: i64) -> [Vec<Packet>; 2] {
    let mut sides = [Vec::new(), Vec::new()];
    for turn in 0..10 {
        let micros = i64::from(from + turn) * 10_000;
        let asked = Packet::with(1_000 + (from + turn) * 10, 10, micros);
        let answered = Packet {
            half: Half::Hi,
            acknowledgment: asked.sequence + 10,
            ..Packet::with(50_000 + (from + turn) * 7, 7, micros + 5_000)
        };
        sides[0].extend([asked.clone(), answered.at(micros + 6_000)]);
        sides[1].extend([asked.at(micros + 1_000 + ahead), answered.at(micros + 5_000 + ahead)]);
    }
    sides
}

#[test]
fn files_of_one_host_are_one_point() {
    let ([first, there], [second, there_later]) = (both(0, 3_000_000), both(10, 3_000_000));
    let found = surveyed(&[first, second, there, there_later]).unwrap();
    let points: Vec<Option<u8>> = found.standpoints.iter().map(|it| it.point).collect();
    assert_eq!(points, [Some(0), Some(0), Some(1), Some(1)]);
    for (standpoint, ahead) in found.standpoints.iter().zip([0, 0, 3_000_000, 3_000_000]) {
        assert_eq!(standpoint.clock.ahead, Span::from_nanos(ahead * 1_000));
        assert_eq!(standpoint.clock.error, (ahead > 0).then_some(Span::from_millis(1)));
    }
    assert!(found.apart.is_empty());
}

#[test]
fn files_of_other_traffic_have_no_point() {
    let [one, _] = both(0, 0);
    let [other, _] = both(500, 0);
    assert!(
        surveyed(&[one, other.iter().map(|it| Packet { port: 5_001, ..it.clone() }).collect()]).is_none()
    );
}

#[test]
fn translated_addresses_tell_the_clock_too() {
    let [here, there] = both(0, -40_000);
    let there = there.iter().map(|it| Packet { network: 9, ..it.clone() }).collect();
    let found = surveyed(&[here, there]).unwrap();
    assert_eq!(found.standpoints[1].clock.ahead, Span::from_millis(-40));
    assert!(found.apart.is_empty());
}

#[test]
fn other_bytes_between_the_same_endpoints_are_apart() {
    let [here, there] = both(0, 0);
    // The same in other words, with other numbers, and in the same place of the same segment.
    let renumbered: Vec<Packet> =
        there.iter().map(|it| Packet { sequence: it.sequence + 70_000, ..it.clone() }).collect();
    let syn = |sequence| Packet { sequence, flags: Flags::SYN, acknowledgment: 0, micros: -1, ..DATA };
    let opened = [vec![syn(999)], here.clone()].concat();
    let taken_over = [vec![syn(70_999)], renumbered].concat();
    assert_eq!(surveyed(&[opened, taken_over]).unwrap().apart.len(), 1);
    let mut changed = there.clone();
    changed[10].payload[3] ^= 1;
    assert_eq!(surveyed(&[here.clone(), changed]).unwrap().apart.len(), 1);
    assert_eq!(surveyed(&[here, there]).unwrap().apart.len(), 0);
}
