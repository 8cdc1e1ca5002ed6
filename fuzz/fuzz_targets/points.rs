//! Any traffic between two hosts, seen by two files with other clocks: lost, late, repeated and changed between them. Each
//! packet is taken once, and no more is told of the way between the points than there were packets.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsinspect::decode::{Flags, FlowKey, Half, Segment};
use wsinspect::points::{Seen, Sightings, Survey};
use wsinspect::units::{Origin, PacketNumber, Timestamp};

/// A packet in one of the files.
struct Packet {
    file: usize,
    time: Timestamp,
    flow: FlowKey,
    half: Half,
    sequence: u32,
    acknowledgment: u32,
    flags: Flags,
    identification: u16,
    payload: Vec<u8>,
}

fuzz_target!(|bytes: &[u8]| {
    let mut packets = packets(bytes);
    let mut survey = Survey::of(2);
    for file in 0..2 {
        for packet in packets.iter().filter(|packet| packet.file == file) {
            survey.segment(file, &segment(packet, 0));
        }
    }
    let Some(surveyed) = survey.finish() else { return };
    let standpoints = surveyed.standpoints.clone();
    assert_eq!(standpoints.len(), 2);
    for packet in &mut packets {
        packet.time = standpoints[packet.file].clock.correct(packet.time);
    }
    packets.sort_by_key(|packet| packet.time);
    let mut sightings = Sightings::new(surveyed);
    let (mut shown, mut again) = (0_u64, 0_u64);
    for (number, packet) in (1..).zip(&packets) {
        let Some(point) = standpoints[packet.file].point else { continue };
        sightings.captured(point, packet.time);
        match sightings.take(&segment(packet, number), point) {
            Seen::Again => again += 1,
            Seen::New | Seen::Apart | Seen::Copy => shown += 1,
        }
    }
    assert!(shown + again <= packets.len() as u64);
    let passages = sightings.finish();
    assert_eq!(sightings.again(), again);
    let numbers = 1..=packets.len() as u64;
    assert!(passages.iter().all(|(_, first, _)| numbers.contains(&first.0)));
});

fn segment(packet: &Packet, number: u64) -> Segment<'_> {
    Segment {
        flow: packet.flow,
        half: packet.half,
        sequence: packet.sequence,
        acknowledgment: packet.acknowledgment,
        flags: packet.flags,
        hop_limit: 64,
        identification: packet.identification,
        window: 1_000,
        header: &[],
        payload: &packet.payload,
        payload_length: u32::try_from(packet.payload.len()).unwrap_or(u32::MAX),
        origin: Origin { packet: PacketNumber(number), time: packet.time, file_offset: 0 },
    }
}

/// Five bytes are a packet: who sends it and on which connection, how much, how long after the one before, where it is seen,
/// and how long it takes to the other point. The first byte is how far the second clock is ahead.
fn packets(bytes: &[u8]) -> Vec<Packet> {
    let Some((ahead, rest)) = bytes.split_first() else { return Vec::new() };
    let ahead_ns = (i64::from(*ahead) - 128) * 40_000_000;
    let mut next = [[1_000_u32, 5_000]; 4];
    let mut now_ns = 1_700_000_000_000_000_000_i64;
    let mut packets = Vec::new();
    for (number, &[who, length, pause, seen, way]) in (1..).zip(rest.as_chunks::<5>().0) {
        let connection = usize::from(who >> 1 & 3);
        let from_client = who & 1 == 0;
        let port = 40_000 + u16::try_from(connection).unwrap_or_default();
        let (client, server) = (([10, 0, 0, 1], port), ([10, 0, 0, 2], 80));
        let (flow, half) =
            if from_client { FlowKey::ipv4(client, server) } else { FlowKey::ipv4(server, client) };
        let [of_client, of_server] = &mut next[connection];
        let (own, other) = if from_client { (of_client, of_server) } else { (of_server, of_client) };
        let flags = match who >> 3 {
            0 => Flags::SYN,
            1 => Flags::FIN.with(Flags::ACK),
            2 => Flags::RST,
            _ => Flags::ACK,
        };
        let payload = vec![length; usize::from(length)];
        now_ns += i64::from(pause) * 100_000;
        // Bits of `seen`: at the sender's point, at the other one, there with other bytes, and once more.
        let places = [(seen & 1, 0, 0), (seen & 2, 1, i64::from(way) * 50_000), (seen & 8, 1, 1_000_000)];
        for (is_seen, place, later_ns) in places {
            if is_seen == 0 {
                continue;
            }
            let file = if from_client { place } else { 1 - place };
            let mut payload = payload.clone();
            if let Some(first) = payload.first_mut().filter(|_| place == 1 && seen & 4 != 0) {
                *first ^= 0xff;
            }
            let clock_ns = if file == 1 { ahead_ns } else { 0 };
            packets.push(Packet {
                file,
                time: Timestamp::from_nanos(now_ns + later_ns + clock_ns),
                flow,
                half,
                sequence: *own,
                acknowledgment: *other,
                flags,
                identification: if seen & 16 == 0 { number } else { 0 },
                payload,
            });
        }
        *own = own.wrapping_add(u32::from(length));
    }
    packets
}
