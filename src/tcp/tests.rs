//! Reassembly against a naive model: an array of bytes in which the first write wins.

use proptest::prelude::*;

use super::*;
use crate::decode::{Flags, FlowKey, Half, Segment};
use crate::limits::Limits;
use crate::units::{Origin, PacketNumber, Timestamp};

mod missing;

/// What came up from a connection, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Up {
    Data(Half, Vec<u8>),
    Gap(Half, u64),
}

#[derive(Debug, Default)]
struct Recorder(Vec<Up>);

impl Receiver for Recorder {
    type Context = ();

    fn open((): &mut (), _: &Opening) -> Self {
        Self::default()
    }

    fn data(&mut self, (): &mut (), half: Half, chunk: Chunk<'_>) {
        match self.0.last_mut() {
            Some(Up::Data(last, bytes)) if *last == half => bytes.extend_from_slice(chunk.bytes),
            _ => self.0.push(Up::Data(half, chunk.bytes.to_vec())),
        }
    }

    fn gap(&mut self, (): &mut (), half: Half, length: u64, _: Origin) {
        match self.0.last_mut() {
            Some(Up::Gap(last, sum)) if *last == half => *sum += length,
            _ => self.0.push(Up::Gap(half, length)),
        }
    }

    fn warm(&self, _: Half) -> u64 {
        0
    }

    fn wants_bytes(&self) -> bool {
        true
    }
}

/// A connection under test: client `Lo`, server `Hi`.
struct Wire {
    table: Connections<Recorder>,
    ended: Vec<Ended<Recorder>>,
    packets: u64,
    time_ns: i64,
    hop_limit: u8,
}

impl Wire {
    fn with_limits(limits: Limits) -> Self {
        Self { table: Connections::new(limits), ended: Vec::new(), packets: 0, time_ns: 0, hop_limit: 64 }
    }

    fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    fn send_on(
        &mut self,
        client_port: u16,
        half: Half,
        sequence: u32,
        acknowledgment: u32,
        flags: Flags,
        payload: &[u8],
    ) {
        self.packets += 1;
        self.time_ns += 1000;
        let origin = Origin {
            packet: PacketNumber(self.packets),
            time: Timestamp::from_nanos(self.time_ns),
            file_offset: 0,
        };
        let flow = FlowKey::ipv4(([10, 0, 0, 1], client_port), ([10, 0, 0, 2], 80)).0;
        let (payload_length, hop_limit) = (u32::try_from(payload.len()).unwrap(), self.hop_limit);
        let segment = Segment {
            flow,
            half,
            sequence,
            acknowledgment,
            flags,
            hop_limit,
            identification: 0,
            window: 1,
            header: &[],
            payload,
            payload_length,
            origin,
        };
        let place = self.place(&segment);
        let ended = &mut self.ended;
        self.table.segment(place, &segment, &mut (), &mut |connection, ()| ended.push(connection));
    }

    fn send(&mut self, half: Half, sequence: u32, acknowledgment: u32, flags: Flags, payload: &[u8]) {
        self.send_on(40_000, half, sequence, acknowledgment, flags, payload);
    }

    fn place(&mut self, segment: &Segment<'_>) -> Place {
        let mut places = Vec::new();
        let _ = self.table.locate(&[*segment], &mut places);
        places[0]
    }

    fn handshake(&mut self, client: u32, server: u32) {
        self.send(Half::Lo, client.wrapping_sub(1), 0, Flags::SYN, b"");
        self.send(Half::Hi, server.wrapping_sub(1), client, Flags::SYN.with(Flags::ACK), b"");
        self.send(Half::Lo, client, server, Flags::ACK, b"");
    }

    fn finish(mut self) -> Vec<Ended<Recorder>> {
        let ended = &mut self.ended;
        self.table.finish(&mut (), &mut |connection, ()| ended.push(connection));
        self.ended
    }

    /// Ends the capture; there must have been one connection with payload.
    fn only(self) -> (ConnectionFacts, Vec<Up>) {
        let mut ended = self.finish();
        assert_eq!(ended.len(), 1, "{ended:?}");
        match ended.pop() {
            Some(Ended::Connection(facts, recorder)) => (facts, recorder.0),
            other => panic!("{other:?}"),
        }
    }
}

fn data(half: Half, bytes: &[u8]) -> Up {
    Up::Data(half, bytes.to_vec())
}

#[test]
fn a_conversation_in_order() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"ask");
    wire.send(Half::Hi, 900, 103, Flags::ACK, b"answer");
    wire.send(Half::Hi, 906, 103, Flags::ACK.with(Flags::FIN), b"");
    wire.send(Half::Lo, 103, 907, Flags::ACK.with(Flags::FIN), b"");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"ask"), data(Half::Hi, b"answer")]);
    assert_eq!(facts.opening.opened, Opened::Handshake);
    assert_eq!(facts.opening.opener, Some(Half::Lo));
    assert_eq!(facts.opening.connect.unwrap().as_nanos(), 2000);
    assert_eq!((facts.half(Half::Lo).packets, facts.half(Half::Hi).packets), (4, 3));
    assert_eq!((facts.half(Half::Lo).payload_bytes, facts.half(Half::Hi).payload_bytes), (3, 6));
    let ending = facts.ending.unwrap();
    assert_eq!((ending.how, ending.by, ending.origin.packet.0), (EndedBy::Fin, Half::Hi, 6));
    for half in [Half::Lo, Half::Hi] {
        let facts = facts.half(half);
        assert_eq!((facts.retransmitted, facts.out_of_order, facts.missing_bytes), (0, 0, 0));
    }
}

#[test]
fn a_swapped_pair_is_out_of_order_and_a_repeated_segment_retransmitted() {
    let mut wire = Wire::new();
    wire.handshake(u32::MAX - 1, 900);
    wire.send(Half::Lo, 1, 900, Flags::ACK, b"def");
    wire.send(Half::Lo, u32::MAX - 1, 900, Flags::ACK, b"abc");
    wire.send(Half::Lo, u32::MAX - 1, 900, Flags::ACK, b"abc");
    wire.send(Half::Lo, 1, 900, Flags::ACK, b"def");
    wire.send(Half::Lo, 4, 900, Flags::ACK, b"g");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"abcdefg")]);
    let lo = facts.half(Half::Lo);
    assert_eq!((lo.out_of_order, lo.retransmitted, lo.missing_bytes), (1, 2, 0));
    assert_eq!(lo.conflicting_overlaps, 0);
}

#[test]
fn a_retransmission_with_other_contents_is_told_and_the_first_bytes_stay() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Hi, 900, 100, Flags::ACK, b"HTTP/1.1 302 Found");
    wire.send(Half::Hi, 900, 100, Flags::ACK, b"HTTP/1.1 101 Switching Protocols");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Hi, b"HTTP/1.1 302 Foundhing Protocols")]);
    assert_eq!(facts.half(Half::Hi).conflicting_overlaps, 1);
    assert_eq!(facts.half(Half::Hi).retransmitted, 1);
}

#[test]
fn an_answer_does_not_overtake_its_question() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Hi, 900, 103, Flags::ACK, b"answer");
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"ask");
    let (_, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"ask"), data(Half::Hi, b"answer")]);
}

#[test]
fn an_acknowledgment_that_overtakes_the_first_bytes_hides_none_of_them() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 103, 906, Flags::ACK, b"");
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"ask");
    wire.send(Half::Hi, 900, 103, Flags::ACK, b"answer");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"ask"), data(Half::Hi, b"answer")]);
    assert_eq!((facts.half(Half::Lo).retransmitted, facts.half(Half::Lo).missing_bytes), (0, 0));
}

#[test]
fn a_connection_that_goes_on_after_a_reset_is_told() {
    // Forged before the first payload, or after it.
    for before in [&b""[..], b"GET"] {
        let mut wire = Wire::new();
        wire.handshake(100, 900);
        let next = 100 + u32::try_from(before.len()).unwrap();
        wire.send(Half::Lo, 100, 900, Flags::ACK, before);
        wire.hop_limit = 9;
        wire.send(Half::Hi, 900, next, Flags::RST, b"");
        wire.hop_limit = 57;
        wire.send(Half::Hi, 900, next, Flags::ACK, b"");
        wire.send(Half::Lo, next, 900, Flags::ACK, b" /");
        wire.send(Half::Hi, 900, next + 2, Flags::ACK, b"200");
        wire.send(Half::Hi, 903, next + 2, Flags::FIN.with(Flags::ACK), b"");
        let (facts, up) = wire.only();
        assert_eq!(up, [data(Half::Lo, &[before, b" /"].concat()), data(Half::Hi, b"200")]);
        let ending = facts.ending.unwrap();
        assert_eq!((ending.how, ending.by, ending.hop_limit), (EndedBy::Reset, Half::Hi, 9));
        let told = |half| (facts.half(half).after_reset, facts.half(half).hop_limit);
        assert_eq!((told(Half::Lo), told(Half::Hi)), ((0, Some(57)), (3, Some(57))));
    }
}

#[test]
fn keep_alives_are_no_retransmissions() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"abc");
    wire.send(Half::Lo, 102, 900, Flags::ACK, b"");
    wire.send(Half::Lo, 102, 900, Flags::ACK, b"c");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"abc")]);
    let lo = facts.half(Half::Lo);
    assert_eq!((lo.keep_alives, lo.retransmitted), (2, 0));
}

#[test]
fn a_half_that_is_first_seen_in_a_keep_alive_begins_after_it() {
    let mut wire = Wire::new();
    wire.send(Half::Hi, 900, 100, Flags::ACK, b"hi");
    wire.send(Half::Lo, 99, 902, Flags::ACK, b"");
    wire.send(Half::Lo, 100, 902, Flags::ACK, b"abc");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Hi, b"hi"), data(Half::Lo, b"abc")]);
    assert_eq!(facts.half(Half::Lo).missing_bytes, 0);
    assert_eq!(facts.opening.opened, Opened::Midstream);
}

#[test]
fn a_segment_from_nowhere_is_stray() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"abc");
    wire.send(Half::Lo, 0x3000_0000, 900, Flags::ACK, b"forged");
    wire.send(Half::Lo, 103, 900, Flags::ACK, b"def");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"abcdef")]);
    assert_eq!(facts.half(Half::Lo).stray, 1);
}

#[test]
fn a_jump_that_goes_on_is_a_hole() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"abc");
    wire.send(Half::Lo, 0x3000_0000, 900, Flags::ACK, b"la");
    wire.send(Half::Lo, 0x3000_0002, 900, Flags::ACK, b"ter");
    let (_, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"abc"), Up::Gap(Half::Lo, 0x3000_0002 - 103), data(Half::Lo, b"ter")]);
}

#[test]
fn a_syn_with_another_number_begins_another_connection() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"one");
    wire.send(Half::Lo, 99, 0, Flags::SYN, b"");
    wire.send(Half::Hi, 900, 103, Flags::RST.with(Flags::ACK), b"");
    wire.handshake(5000, 7000);
    wire.send(Half::Lo, 5000, 7000, Flags::ACK, b"two");
    let ended = wire.finish();
    let summary: Vec<(u64, Option<EndedBy>, Vec<Up>)> = ended
        .into_iter()
        .map(|ended| match ended {
            Ended::Connection(facts, up) => (facts.opening.first.packet.0, facts.ending.map(|e| e.how), up.0),
            Ended::WithoutPayload(facts) => panic!("{facts:?}"),
        })
        .collect();
    assert_eq!(
        summary,
        [(1, Some(EndedBy::Reset), vec![data(Half::Lo, b"one")]), (7, None, vec![data(Half::Lo, b"two")])]
    );
}

#[test]
fn attempts_to_open_are_told_apart() {
    let mut wire = Wire::new();
    wire.send_on(1, Half::Lo, 100, 0, Flags::SYN, b"");
    wire.send_on(2, Half::Lo, 100, 0, Flags::SYN, b"");
    wire.send_on(2, Half::Hi, 0, 101, Flags::RST.with(Flags::ACK), b"");
    wire.send_on(3, Half::Lo, 100, 0, Flags::SYN, b"");
    wire.send_on(3, Half::Hi, 500, 101, Flags::SYN.with(Flags::ACK), b"");
    wire.send_on(3, Half::Lo, 101, 501, Flags::ACK, b"");
    wire.send_on(4, Half::Hi, 500, 101, Flags::ACK, b"");
    let mut opened: Vec<(u64, Opened)> = wire
        .finish()
        .into_iter()
        .map(|ended| match ended {
            Ended::WithoutPayload(facts) => (facts.opening.first.packet.0, facts.opening.opened),
            Ended::Connection(facts, _) => panic!("{facts:?}"),
        })
        .collect();
    opened.sort_by_key(|(packet, _)| *packet);
    let expected =
        [(1, Opened::Unanswered), (2, Opened::Refused), (4, Opened::Handshake), (7, Opened::Midstream)];
    assert_eq!(opened, expected);
}

#[test]
fn a_syn_flood_is_a_number_and_disturbs_nobody() {
    let mut wire = Wire::with_limits(Limits { embryos: 64, ..Limits::default() });
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"before");
    for port in 0..30_000 {
        wire.send_on(port, Half::Lo, 7, 0, Flags::SYN, b"");
    }
    wire.send(Half::Lo, 106, 900, Flags::ACK, b" and after");
    let ended = &mut wire.ended;
    wire.table.finish(&mut (), &mut |connection, ()| ended.push(connection));
    let counts = wire.table.counts();
    assert_eq!((counts.unanswered, counts.connections), (30_000, 1));
    assert_eq!(counts.embryos_evicted, 30_000 - 64);
    assert!(wire.ended.len() <= 65);
}

#[test]
fn at_the_limit_the_least_recently_used_connections_go() {
    let mut wire = Wire::with_limits(Limits { connections: 32, ..Limits::default() });
    for port in 0..32 {
        wire.send_on(port, Half::Lo, 100, 0, Flags::ACK, b"x");
    }
    wire.send_on(0, Half::Lo, 101, 0, Flags::ACK, b"y");
    wire.send_on(99, Half::Lo, 100, 0, Flags::ACK, b"x");
    assert_eq!(wire.table.counts().connections_evicted, 2);
    let evicted: Vec<u16> = wire
        .ended
        .iter()
        .map(|ended| match ended {
            Ended::Connection(facts, _) => facts.flow.endpoint(Half::Lo).port,
            Ended::WithoutPayload(facts) => panic!("{facts:?}"),
        })
        .collect();
    assert_eq!(evicted, [1, 2]);
}

#[test]
fn out_of_order_bytes_stop_at_their_limit() {
    let limits = Limits { out_of_order_half_bytes: 10_000, ..Limits::default() };
    let mut wire = Wire::with_limits(limits);
    wire.handshake(0, 900);
    for number in 0..100 {
        wire.send(Half::Lo, 10 + number * 1010, 900, Flags::ACK, &[7; 1000]);
    }
    let (facts, up) = wire.only();
    assert!(facts.half(Half::Lo).hole_limit_hit);
    assert_eq!(facts.half(Half::Lo).missing_bytes, 1000);
    assert_eq!(up.iter().filter(|up| matches!(up, Up::Gap(_, 10))).count(), 100);
}

#[test]
fn each_half_has_a_limit_of_its_own() {
    let limits = Limits { out_of_order_half_bytes: 10_000, ..Limits::default() };
    let mut wire = Wire::with_limits(limits);
    wire.handshake(0, 900);
    for number in 0..8 {
        wire.send(Half::Lo, 10 + number * 1000, 900, Flags::ACK, &[7; 1000]);
        wire.send(Half::Hi, 910 + number * 1000, 0, Flags::ACK, &[8; 1000]);
    }
    let (facts, _) = wire.only();
    assert!(!facts.half(Half::Lo).hole_limit_hit && !facts.half(Half::Hi).hole_limit_hit);
}

#[test]
fn all_connections_together_stop_at_their_limit() {
    let limits = Limits { out_of_order_total_bytes: 50_000, ..Limits::default() };
    let mut wire = Wire::with_limits(limits);
    for port in 1..=100 {
        wire.send_on(port, Half::Lo, 0, 0, Flags::ACK, b"first");
        wire.send_on(port, Half::Lo, 100, 0, Flags::ACK, &[7; 1000]);
    }
    assert!(wire.table.counts().total_limit_hits >= 50);
}

#[test]
fn a_closed_connection_lingers_and_then_goes() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"ask");
    wire.send(Half::Hi, 900, 103, Flags::RST, b"");
    wire.send(Half::Lo, 103, 900, Flags::ACK, b"late");
    assert!(wire.ended.is_empty());
    wire.time_ns += 300_000_000_000;
    wire.send_on(2, Half::Lo, 1, 0, Flags::ACK, b"another");
    assert_eq!(wire.ended.len(), 1);
}

/// One segment of the property below: where it lies in the stream, and whether its contents are true.
#[derive(Clone, Debug)]
struct Piece {
    start: usize,
    length: usize,
    forged: bool,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (0usize..200, 1usize..40, prop::bool::weighted(0.1))
        .prop_map(|(start, length, forged)| Piece { start, length, forged });
    prop::collection::vec(piece, 1..40)
}

proptest! {
    #[test]
    fn any_order_and_overlap_gives_what_the_naive_model_gives(isn in any::<u32>(), pieces in pieces()) {
        let mut wire = Wire::new();
        wire.handshake(isn, 900);
        let mut model: Vec<Option<u8>> = vec![None; 300];
        for piece in &pieces {
            let bytes: Vec<u8> = (piece.start..piece.start + piece.length)
                .map(|at| if piece.forged { b'!' } else { u8::try_from(at % 200).unwrap() })
                .collect();
            for (at, byte) in bytes.iter().enumerate() {
                model[piece.start + at].get_or_insert(*byte);
            }
            wire.send(Half::Lo, isn.wrapping_add(u32::try_from(piece.start).unwrap()), 900, Flags::ACK, &bytes);
        }
        let end = model.iter().rposition(Option::is_some).unwrap() + 1;
        let (facts, up) = wire.only();
        let mut delivered: Vec<Option<u8>> = Vec::new();
        for up in up {
            match up {
                Up::Data(_, bytes) => delivered.extend(bytes.into_iter().map(Some)),
                Up::Gap(_, length) => delivered.extend(vec![None; usize::try_from(length).unwrap()]),
            }
        }
        prop_assert_eq!(&delivered[..], &model[..end]);
        let missing = model[..end].iter().filter(|byte| byte.is_none()).count();
        prop_assert_eq!(facts.half(Half::Lo).missing_bytes, missing as u64);
    }

    #[test]
    fn a_dialogue_reads_the_same_in_any_order(lengths in prop::collection::vec((any::<bool>(), 1usize..30), 1..20),
        order in prop::collection::vec(any::<u64>(), 20), repeat in any::<bool>()) {
        let mut sequences = [100u32, u32::MAX - 20];
        let mut segments = Vec::new();
        for (number, (from_lo, length)) in lengths.iter().enumerate() {
            let (half, own, other) = if *from_lo { (Half::Lo, 0, 1) } else { (Half::Hi, 1, 0) };
            let bytes = vec![u8::try_from(number).unwrap(); *length];
            segments.push((half, sequences[own], sequences[other], bytes));
            sequences[own] = sequences[own].wrapping_add(u32::try_from(*length).unwrap());
        }
        let told = |segments: &[(Half, u32, u32, Vec<u8>)], repeat: bool| {
            let mut wire = Wire::new();
            wire.handshake(100, u32::MAX - 20);
            for (half, sequence, acknowledgment, bytes) in segments {
                for _ in 0..=usize::from(repeat) {
                    wire.send(*half, *sequence, *acknowledgment, Flags::ACK, bytes);
                }
            }
            wire.only().1
        };
        let in_order = told(&segments, false);
        let mut shuffled: Vec<_> = segments.iter().cloned().zip(order).collect();
        shuffled.sort_by_key(|(_, key)| *key);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(segment, _)| segment).collect();
        prop_assert_eq!(told(&shuffled, repeat), in_order);
    }

    #[test]
    fn any_segments_do_no_harm(segments in prop::collection::vec((any::<bool>(), any::<u32>(), any::<u32>(), any::<u8>(),
        prop::collection::vec(any::<u8>(), 0..20), 0u16..3, 0i64..1_000_000_000), 0..60)) {
        let limits = Limits { connections: 2, embryos: 4, closed_connections: 2, out_of_order_half_bytes: 300,
            out_of_order_total_bytes: 600 };
        let mut wire = Wire::with_limits(limits);
        for (lo, sequence, acknowledgment, flags, payload, port, pause) in segments {
            let half = if lo { Half::Lo } else { Half::Hi };
            wire.time_ns += pause;
            wire.send_on(port, half, sequence % 1000, acknowledgment % 1000, Flags(flags), &payload);
        }
        wire.finish();
    }
}
