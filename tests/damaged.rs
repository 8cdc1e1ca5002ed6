//! Damage inside a capture is never fatal: what is before it and, where the format allows, what comes after it is
//! reported, with a warning that names file, packet and byte.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::Write;

use conversation::{Conversation, Ip, Link, START, SWITCH, UPGRADE, client_text, pcap, server_frame, ticks};
use flate2::Compression;
use flate2::write::GzEncoder;
use program::{reports, words};
use serde_json::{Value, json};
use testing::{PcapFile, PcapngFile};
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/program.rs"]
mod program;
#[path = "../src/capture/testing.rs"]
mod testing;

#[test]
fn a_capture_that_is_cut_gives_what_is_there() {
    let packets = two_attempts();
    let file = pcap(Link::Ethernet, &packets);
    let edges = edges(&packets);
    // Right behind the first attempt, in a record header, behind one, inside a packet, one byte before the end.
    let cuts = [edges[8], edges[8] + 7, edges[8] + 16, edges[12] + 30, file.len() - 1];
    for cut in cuts {
        let (text, json) = reports("cut.pcap", &file[..cut], &[]);
        let whole = edges.iter().filter(|edge| **edge <= cut).count() - 1;
        assert_eq!(summary(&json)["packets"], whole);
        assert_eq!(summary(&json)["attempts"]["established"], attempts_within(whole), "cut at {cut}");
        let (number, start) = (whole + 1, edges[whole]);
        let warning = match cut - start {
            0 => None,
            have @ 1..16 => Some(format!(
                "cut.pcap: packet {number}, byte {start}: the last record is cut off: {have} of the 16 bytes of \
                 its header are there"
            )),
            have => Some(format!(
                "cut.pcap: packet {number}, byte {start}: the last record is cut off: {} of {} bytes are there",
                have - 16,
                edges[number] - start - 16
            )),
        };
        check_warnings(&text, &json, warning.as_slice());
    }
}

#[test]
fn a_capture_that_is_cut_anywhere_is_read() {
    let packets = two_attempts();
    let edges = edges(&packets);
    let file = pcap(Link::Ethernet, &packets);
    let folder = program::Folder::new();
    for cut in (24..file.len()).step_by(29) {
        folder.write("cut.pcap", &file[..cut]);
        let report = folder.run(&["read", "--format", "json", "cut.pcap"]).report();
        let summary: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
        let whole = edges.iter().filter(|edge| **edge <= cut).count() - 1;
        assert_eq!(summary["packets"], whole, "cut at {cut}");
        assert_eq!(summary["warnings"].as_array().unwrap().is_empty(), edges.contains(&cut), "cut at {cut}");
    }
}

#[test]
fn a_wild_length_costs_one_record() {
    let packets = two_attempts();
    let mut file = PcapFile::usual();
    for (number, packet) in (0..).zip(&packets) {
        let data = Link::Ethernet.wrap(packet);
        if number == 8 {
            // A record that was never written whole.
            file.record(START, number * 1_000, 0xCAFE_BABE, 60, &[0xEE; 60]);
        }
        file.packet(START, number * 1_000, &data);
    }
    let (text, json) = reports("wild.pcap", &file.bytes, &[]);
    assert_eq!(summary(&json)["packets"], packets.len());
    assert_eq!(summary(&json)["attempts"]["established"], 2);
    let warning = format!(
        "wild.pcap: packet 9, byte {}: the record says it is 3405691582 bytes long; 76 bytes are skipped",
        edges(&packets)[8]
    );
    check_warnings(&text, &json, &[warning]);
}

#[test]
fn a_wild_length_in_pcapng_costs_one_block() {
    let packets = two_attempts();
    let mut file = PcapngFile::usual();
    let mut wild = None;
    for (number, packet) in (0..).zip(&packets) {
        if number == 8 {
            wild = Some(file.bytes.len());
            file.raw(&6_u32.to_le_bytes()).raw(&0xCAFE_BABC_u32.to_le_bytes()).raw(&[0xEE; 60]);
        }
        file.enhanced(0, ticks(number), &Link::Ethernet.wrap(packet));
    }
    let (text, json) = reports("wild.pcapng", &file.bytes, &[]);
    assert_eq!(summary(&json)["packets"], packets.len());
    assert_eq!(summary(&json)["attempts"]["established"], 2);
    let warning = format!(
        "wild.pcapng: packet 9, byte {}: the block says it is 3405691580 bytes long; 68 bytes are skipped",
        wild.unwrap()
    );
    check_warnings(&text, &json, &[warning]);
}

#[test]
fn a_corrupt_block_costs_itself() {
    let packets = two_attempts();
    let mut file = PcapngFile::usual();
    let mut corrupt = (0, 0);
    for (number, packet) in (0..).zip(&packets) {
        let start = file.bytes.len();
        file.enhanced(0, ticks(number), &Link::Ethernet.wrap(packet));
        // The last packet of the first connection: its lengths at start and end contradict each other.
        if number == 7 {
            corrupt = (start, file.bytes.len() - start);
            let end = file.bytes.len() - 4;
            file.bytes[end..].copy_from_slice(&[0xEE; 4]);
        }
    }
    let (text, json) = reports("corrupt.pcapng", &file.bytes, &[]);
    assert_eq!(summary(&json)["packets"], packets.len() - 1);
    assert_eq!(summary(&json)["attempts"]["established"], 2);
    let warning = format!(
        "corrupt.pcapng: packet 8, byte {}: the block says it is {length} bytes long at its start and 4008636142 \
         at its end; {length} bytes are skipped",
        corrupt.0,
        length = corrupt.1
    );
    check_warnings(&text, &json, &[warning]);
}

#[test]
fn a_gzip_stream_that_is_cut_gives_what_is_there() {
    let packets = two_attempts();
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all(&pcap(Link::Ethernet, &packets)).unwrap();
    let packed = packed.finish().unwrap();
    let (text, json) = reports("cut.pcap.gz", &packed[..packed.len() * 3 / 4], &[]);
    let seen = summary(&json)["packets"].as_u64().unwrap();
    assert!((8..packets.len() as u64).contains(&seen), "{seen}");
    assert_eq!(summary(&json)["attempts"]["established"], 1);
    let warnings = warnings(&json);
    let start = format!("cut.pcap.gz: packet {}, byte ", seen + 1);
    assert!(warnings.iter().all(|warning| warning.starts_with(&start)), "{warnings:?}");
    assert!(warnings.last().unwrap().ends_with(": the gzip stream is cut off"), "{warnings:?}");
    check_warnings(&text, &json, &warnings);
}

#[test]
fn packets_that_are_not_looked_into_are_counted_by_reason() {
    let mut packets = two_attempts();
    packets.push(Ip::V4.udp());
    packets.push(Ip::V6Extended.udp());
    let mut fragment = packets[3].clone();
    // The last of several; the others are not there.
    fragment[6..8].copy_from_slice(&[0, 5]);
    packets.push(fragment);
    let mut malformed = packets[3].clone();
    malformed[2..4].copy_from_slice(&[0, 3]);
    packets.push(malformed);
    // Address resolution, without a link layer, is no IP.
    packets.push(vec![0, 1, 8, 0, 6, 4, 0, 1]);
    let (text, json) = reports("some.pcap", &pcap(Link::Raw, &packets), &[]);
    let skipped = json!({"not IP": 1, "not TCP": 2, "IP fragment": 1, "malformed": 1});
    assert_eq!(summary(&json)["skipped"], skipped);
    assert_eq!(summary(&json)["attempts"]["established"], 2);
    let note = "- 5 packets skipped: 1 not IP, 2 not TCP, 1 IP fragment, 1 malformed";
    assert!(words(&text).contains(note), "{text}");
    check_warnings(&text, &json, &[]);
}

#[test]
fn an_unknown_link_type_is_skipped_by_reason() {
    let mut file = PcapFile::new(false, false, 262_144, 147);
    file.packet(START, 0, &[1, 2, 3]).packet(START, 1, &[4, 5, 6]);
    let (text, json) = reports("odd.pcap", &file.bytes, &[]);
    assert_eq!(summary(&json)["skipped"], json!({"link type 147": 2}));
    assert_eq!(
        text,
        "no WebSocket upgrade attempt: no TCP connection              2 packets, 0.001 ms\n\n\
         about the capture\n  - 2 packets skipped: link type 147\n"
    );
}

/// Each packet of pcapng has its own link type.
#[test]
fn link_types_may_be_mixed() {
    let packets = two_attempts();
    let mut file = PcapngFile::new(false);
    file.section().interface(Link::Sll2.number(), 0, &[]).interface(147, 0, &[]).interface(1, 0, &[]);
    for (number, packet) in (0..).zip(&packets) {
        file.enhanced(0, ticks(number), &Link::Sll2.wrap(packet));
        file.enhanced(1, ticks(number), packet);
    }
    file.enhanced(2, ticks(99), &[0; 5]);
    let (_, json) = reports("mixed.pcapng", &file.bytes, &[]);
    let skipped = json!({"link type 147": packets.len(), "cut before the TCP header": 1});
    assert_eq!(summary(&json)["skipped"], skipped);
    assert_eq!(summary(&json)["attempts"]["established"], 2);
}

#[test]
fn a_snap_length_is_told() {
    let packets = two_attempts();
    let mut file = PcapFile::new(false, false, 120, 1);
    for (number, packet) in (0..).zip(&packets) {
        let data = Link::Ethernet.wrap(packet);
        let (captured, original) = (data.len().min(120), u32::try_from(data.len()).unwrap());
        file.record(START, number * 1_000, u32::try_from(captured).unwrap(), original, &data[..captured]);
    }
    let (text, json) = reports("short.pcap", &file.bytes, &[]);
    assert_eq!(summary(&json)["cut_packets"], 4);
    let warning =
        "the capture has only the start of 4 packets: capture whole packets with tcpdump -s 0".to_owned();
    check_warnings(&text, &json, &[warning]);
}

/// Two connections, each with an attempt that succeeds and a frame of each side: eight packets each.
fn two_attempts() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for port in [40_001, 40_002] {
        let mut connection = Conversation::open(Ip::V4, port);
        connection.client(UPGRADE).server(SWITCH).client(client_text("hello"));
        connection.server(server_frame(0x81, b"hello")).server(server_frame(0x89, b""));
        packets.append(&mut connection.packets);
    }
    assert_eq!(packets.len(), 16);
    packets
}

/// How many of them are established after so many packets.
fn attempts_within(packets: usize) -> usize {
    [5, 13].iter().filter(|answer| packets >= **answer).count()
}

/// Where records begin in a pcap file of Ethernet packets, and where the last one ends.
fn edges(packets: &[Vec<u8>]) -> Vec<usize> {
    let mut edges = vec![24];
    for packet in packets {
        edges.push(edges.last().unwrap() + 16 + 14 + packet.len());
    }
    edges
}

fn summary(lines: &[Value]) -> &Value {
    lines.last().unwrap()
}

fn warnings(lines: &[Value]) -> Vec<String> {
    serde_json::from_value(summary(lines)["warnings"].clone()).unwrap()
}

/// Both reports tell these warnings and no others.
fn check_warnings(text: &str, json: &[Value], expected: &[String]) {
    assert_eq!(warnings(json), expected);
    for warning in expected {
        assert!(words(text).contains(&format!("- {warning}")), "{warning}\nin\n{text}");
    }
}
