//! The same packet captured at several places is one: on a bridge with `-i any`, from a mirrored port, on both hosts.
//! Real retransmissions stay what they are.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

use packets::Packet;
use program::{Folder, words};
use serde_json::Value;
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "support/packets.rs"]
mod packets;
#[path = "support/program.rs"]
mod program;
#[path = "../src/capture/testing.rs"]
mod testing;

fn json(folder: &Folder, name: &str, packets: &[Packet]) -> Vec<Value> {
    folder.write(name, &packets::write(packets));
    let report = folder.run(&["read", "--all", "--format", "json", name]).report();
    report.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Takes the numbers of copies out of all lines, and what else depends on how many packets there are; the sum of the
/// copies of all halves, and that of the summary.
fn without_copies(lines: &mut [Value]) -> (u64, u64) {
    let mut of_halves = 0;
    for line in lines.iter_mut().filter(|line| line["type"] == "connection") {
        for half in ["client", "server"] {
            let half = line["tcp"][half].as_object_mut().unwrap();
            of_halves += half.remove("copies").map_or(0, |copies| copies.as_u64().unwrap());
        }
    }
    let summary = lines.last_mut().unwrap().as_object_mut().unwrap();
    let copies = summary.remove("copies").map_or(0, |copies| copies.as_u64().unwrap());
    for name in ["packets", "bytes", "warnings", "start", "end", "skipped", "cut_packets"] {
        summary.remove(name);
    }
    renumber(lines);
    (of_halves, copies)
}

/// Leaves out packet numbers and what stands for them: with copies between, they are others.
fn renumber(lines: &mut [Value]) {
    fn walk(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Object(fields) => {
                for name in ["id", "packet", "first_packet", "last_packet", "closed_packet", "connection"] {
                    fields.remove(name);
                }
                if fields.contains_key("rule") {
                    fields.remove("packets");
                }
                fields.values_mut().for_each(walk);
            }
            _ => {}
        }
    }
    lines.iter_mut().for_each(walk);
}

/// Each packet, and its copy some nanoseconds later, with one hop less if it was routed.
fn doubled(packets: &[Packet], routed: bool) -> Vec<Packet> {
    let copy = |packet: &Packet| {
        let mut copy = Packet { nanos: packet.nanos + 300, ..packet.clone() };
        let ip = if packet.link == 1 { 14 } else { 20 };
        if routed && copy.bytes.len() > ip + 8 {
            let hops = if copy.bytes[ip] >> 4 == 4 { ip + 8 } else { ip + 7 };
            copy.bytes[hops] -= 1;
        }
        copy
    };
    packets.iter().flat_map(|packet| [packet.clone(), copy(packet)]).collect()
}

#[test]
fn a_capture_with_each_packet_twice_tells_the_same() {
    for name in [
        "chat/proxy-any-nano.pcap",
        "chat/client-eth.pcap",
        "ipv6/proxy-any.pcap",
        "ipv6/client-eth.pcap",
        "nginx-nothing-configured/proxy-any.pcap",
        "upstream-down-502/proxy-any.pcap",
    ] {
        let folder = Folder::new();
        let packets = packets::of(&program::root().join("captures").join(name));
        let mut expected = json(&folder, "once", &packets);
        assert_eq!(without_copies(&mut expected), (0, 0), "{name}");
        for routed in [false, true] {
            let mut found = json(&folder, "twice", &doubled(&packets, routed));
            let (of_halves, copies) = without_copies(&mut found);
            assert_eq!(of_halves, copies, "{name}");
            assert!(copies > 0 && copies <= packets.len() as u64, "{name}: {copies}");
            for half in found.iter().filter(|line| line["type"] == "connection") {
                assert_eq!(
                    (&half["tcp"]["client"]["retransmitted"], &half["tcp"]["server"]["retransmitted"]),
                    (&0.into(), &0.into()),
                    "{name}"
                );
            }
            // That there are copies is a note of its own.
            for line in found.iter_mut().filter(|line| line["type"] == "summary") {
                line["findings"] = Value::Array(Vec::new());
            }
            if !routed {
                assert_eq!(expected, found, "{name}");
            }
        }
        let report = words(&folder.run(&["read", "twice"]).report());
        assert!(
            report.contains("captured at a second interface or a mirrored port; each counts once"),
            "{report}"
        );
    }
}

/// The same conversation, so many times slower, with time stamps that tick once a millisecond.
fn slower(packets: &[Packet], times: i64) -> Vec<Packet> {
    let start = packets[0].nanos;
    let slow = |packet: &Packet| {
        let mut slow = Packet { nanos: start + (packet.nanos - start) * times, ..packet.clone() };
        let option = slow.bytes.windows(4).position(|bytes| bytes == [1, 1, 8, 10]);
        if let Some(at) = option {
            let millis = u32::try_from((slow.nanos - start) / 1_000_000).unwrap();
            slow.bytes[at + 4..at + 8].copy_from_slice(&(7_000 + millis).to_be_bytes());
        }
        slow
    };
    packets.iter().map(slow).collect()
}

#[test]
fn copies_that_come_late_are_told_by_time_stamps() {
    let folder = Folder::new();
    let packets = packets::of(&program::root().join("captures/ipv6/client-eth.pcap"));
    let packets = slower(&packets, 1_000);
    let twice = |later: &dyn Fn(&Packet) -> Packet| {
        let mut all: Vec<Packet> =
            packets.iter().flat_map(|packet| [packet.clone(), later(packet)]).collect();
        all.sort_by_key(|packet| packet.nanos);
        json(&folder, "twice", &all)
    };
    let mut expected = json(&folder, "once", &packets);
    without_copies(&mut expected);
    let late = |packet: &Packet| Packet { nanos: packet.nanos + 6_000_000, ..packet.clone() };
    let mut found = twice(&late);
    assert_eq!(without_copies(&mut found), (14, 14));
    found.last_mut().unwrap()["findings"] = Value::Array(Vec::new());
    assert_eq!(expected, found);
    // What is sent again has a stamp of that moment.
    let mut found = twice(&|packet| {
        let mut again = late(packet);
        if let Some(at) = again.bytes.windows(4).position(|bytes| bytes == [1, 1, 8, 10]) {
            again.bytes[at + 7] = again.bytes[at + 7].wrapping_add(6);
        }
        again
    });
    let retransmitted = |half: &str| found[0]["tcp"][half]["retransmitted"].as_u64().unwrap();
    assert!(retransmitted("client") > 0 && retransmitted("server") > 0);
    // A SYN has its stamp among other options.
    assert!(without_copies(&mut found).1 <= 2);
}

#[test]
fn copies_in_another_file_were_seen_at_another_point() {
    let folder = Folder::new();
    let packets = packets::of(&program::root().join("captures/chat/client-eth.pcap"));
    let later: Vec<Packet> =
        packets.iter().map(|packet| Packet { nanos: packet.nanos + 20_000, ..packet.clone() }).collect();
    let mut expected = json(&folder, "once", &packets);
    without_copies(&mut expected);
    folder.write("again", &packets::write(&later));
    let report = folder.run(&["read", "--all", "--format", "json", "once", "again"]).report();
    let mut found: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(without_copies(&mut found), (0, 0));
    let seen_again = found.last().unwrap()["seen_again"].as_u64().unwrap();
    let attempts = |lines: &[Value]| lines.last().unwrap()["attempts"].clone();
    assert_eq!(attempts(&found), attempts(&expected));
    assert!(seen_again * 10 >= packets.len() as u64 * 9, "{seen_again} of {}", packets.len());
}

/// What a sender does: the same bytes in a packet of its own.
#[test]
fn a_retransmission_is_none() {
    let folder = Folder::new();
    let packets = packets::of(&program::root().join("captures/chat/client-eth.pcap"));
    let at = packets.iter().position(|packet| packet.payload_length() > 100).unwrap();
    let mut again = Packet { nanos: packets[at].nanos + 200, ..packets[at].clone() };
    let ip = 14;
    assert_eq!(again.bytes[ip] >> 4, 4);
    again.bytes[ip + 5] = again.bytes[ip + 5].wrapping_add(1);
    let mut with = packets.clone();
    with.insert(at + 1, again);
    let lines = json(&folder, "with", &with);
    let retransmitted: u64 = lines
        .iter()
        .filter(|line| line["type"] == "connection")
        .flat_map(|line| {
            ["client", "server"].map(|half| line["tcp"][half]["retransmitted"].as_u64().unwrap())
        })
        .sum();
    assert_eq!(retransmitted, 1);
    assert!(lines.last().unwrap().get("copies").is_none());
}
