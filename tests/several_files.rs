//! Several files on the command line are one capture: a ring in any order, both sides of a proxy, and what does not
//! belong together.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
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

const CHAT: &str = "captures/chat/proxy-any-nano.pcap";

/// A folder with the packets of a shipped capture in three files, of which the second has a third of them.
fn ring() -> (Folder, Vec<Packet>) {
    let folder = Folder::new();
    let all = packets::of(&program::root().join(CHAT));
    let third = all.len() / 3;
    for (name, part) in [("a0", &all[..third]), ("a1", &all[third..2 * third]), ("a2", &all[2 * third..])] {
        folder.write(name, &packets::write(part));
    }
    folder.write("whole", &packets::write(&all));
    (folder, all)
}

/// The lines of a JSON report without what only several files have, and that alone: field, file and packet.
fn told_apart(report: &str) -> (Vec<Value>, Vec<(u64, String, u64)>) {
    let mut places = Vec::new();
    let lines = report.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("files");
        strip(&mut line, &mut places);
        line
    });
    (lines.collect(), places)
}

fn strip(value: &mut Value, places: &mut Vec<(u64, String, u64)>) {
    let place =
        |place: &Value| (place["file"].as_str().unwrap().to_owned(), place["packet"].as_u64().unwrap());
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| strip(item, places)),
        Value::Object(fields) => {
            if let Some(own) = fields.remove("packets_in_files") {
                for (own, packet) in own.as_array().unwrap().iter().zip(fields["packets"].as_array().unwrap())
                {
                    let (file, number) = place(own);
                    places.push((packet.as_u64().unwrap(), file, number));
                }
            }
            for name in ["packet", "first_packet", "last_packet", "closed_packet"] {
                if let Some(own) = fields.remove(&format!("{name}_in_file")) {
                    let (file, number) = place(&own);
                    places.push((fields[name].as_u64().unwrap(), file, number));
                } else if let Some(packet) = fields.get(name) {
                    assert!(packet.is_null() || places.is_empty(), "no file beside {name} {packet}");
                }
            }
            fields.values_mut().for_each(|value| strip(value, places));
        }
        _ => {}
    }
}

#[test]
fn a_ring_in_any_order_is_the_whole_capture() {
    let (folder, all) = ring();
    let options = ["read", "--all", "--frames", "--format", "json"];
    let run = |files: &[&str]| folder.run(&[&options[..], files].concat()).report();
    let (whole, none) = told_apart(&run(&["whole"]));
    assert_eq!(none, []);
    let report = run(&["a0", "a1", "a2"]);
    let (parts, places) = told_apart(&report);
    assert!(whole == parts);
    let third = all.len() as u64 / 3;
    assert!(places.len() > 50);
    for (packet, file, own) in places {
        let (expected, before) = match packet {
            packet if packet <= third => ("a0", 0),
            packet if packet <= 2 * third => ("a1", third),
            _ => ("a2", 2 * third),
        };
        assert_eq!((file.as_str(), own), (expected, packet - before), "packet {packet}");
    }
    for order in [["a2", "a0", "a1"], ["a1", "a2", "a0"], ["a2", "a1", "a0"]] {
        assert!(run(&order) == report, "{order:?}");
    }
    let summary: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    assert_eq!(summary["files"][1]["file"], "a1");
    assert_eq!(summary["files"][1]["packets"], third);
}

#[test]
fn people_read_which_file_a_packet_is_of() {
    let (folder, _) = ring();
    let options: [&[&str]; 3] = [&["--all"], &["--format", "md"], &["--time", "utc"]];
    for options in options {
        let report = folder.run(&[&["read"], options, &["a0", "a1", "a2"]].concat()).report();
        let is_plain = |at: usize| {
            let number: String = report[at + 1..].chars().take_while(char::is_ascii_digit).collect();
            !number.is_empty() && !report[at + 1 + number.len()..].starts_with(':')
        };
        let plain: Vec<_> = report.match_indices('#').filter(|(at, _)| is_plain(*at)).collect();
        assert_eq!(plain, [], "{report}");
        assert!(words(&report).contains("file 3 is a2: "), "{report}");
    }
    let markdown = folder.run(&["read", "--format", "md", "a0", "a1", "a2"]).report();
    assert!(markdown.contains("| 1:"), "{markdown}");
}

#[test]
fn both_sides_of_a_proxy_are_one_route() {
    let files = ["captures/chat/client-eth.pcap", "captures/chat/upstream-eth.pcap"];
    let run = |files: &[&str]| program::run(&[&["read", "--format", "json"], files].concat()).report();
    let report = run(&files);
    let lines: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let routes: Vec<&Value> = lines.iter().filter(|line| line["type"] == "route").collect();
    assert!(!routes.is_empty());
    assert!(routes.iter().all(|route| route["legs"].as_array().unwrap().len() == 2));
    let of = |line: &Value| line["first_packet_in_file"]["file"].as_str().map(str::to_owned);
    let mut sides: Vec<String> = lines.iter().filter_map(of).collect();
    sides.sort();
    sides.dedup();
    assert_eq!(sides, files);
    assert!(run(&[files[1], files[0]]) == report);
}

#[test]
fn a_file_named_twice_is_read_once() {
    let (folder, all) = ring();
    folder.write("empty", b"");
    let report = folder.run(&["read", "--format", "json", "whole", "./whole", "empty"]).report();
    let summary: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    assert_eq!(summary["packets"], all.len() as u64);
    let warnings: Vec<&str> =
        summary["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(warnings, ["./whole: it is named twice and read once", "empty: it is empty"]);
}

#[test]
fn files_far_apart_are_told() {
    let (folder, all) = ring();
    // Of other traffic: the same packets would be those of another clock.
    let other = packets::of(&program::root().join("captures/chat-deflate/proxy-any.pcap"));
    let further = all.last().unwrap().nanos - other[0].nanos + 3 * 3_600_000_000_000;
    let later: Vec<Packet> =
        other.iter().map(|packet| Packet { nanos: packet.nanos + further, ..packet.clone() }).collect();
    folder.write("later", &packets::write(&later));
    let report = words(&folder.run(&["read", "later", "whole"]).report());
    assert!(report.contains("later: it begins 3 h"), "{report}");
    assert!(report.contains("read them one by one if they do not belong together"), "{report}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let (folder, _) = ring();
    folder.write("notes.txt", b"remember the milk");
    let complaint = |files: &[&str]| folder.run(&[&["read"], files].concat()).complaint();
    assert!(complaint(&["a0", "notes.txt"]).contains("cannot read notes.txt: it is text, not a capture"));
    assert!(complaint(&["a0", "missing"]).contains("cannot open missing: no such file or directory"));
    assert!(complaint(&["-", "-"]).contains("cannot read standard input twice"));
    folder.write("empty", b"");
    folder.write("empty2", b"");
    let many = vec!["a0"; 257];
    assert!(complaint(&many).contains("cannot read 257 files as one capture: 256 are the most"));
    assert!(complaint(&["-o", "a1", "a0", "a1"]).contains("it is the capture that is to be read"));
}

#[test]
fn standard_input_may_be_one_of_them() {
    let (folder, _) = ring();
    let options = ["read", "--format", "json", "--frames"];
    let (whole, _) = told_apart(&folder.run(&[&options[..], &["whole"]].concat()).report());
    let first = std::fs::read(folder.path("a0")).unwrap();
    let mut command = folder.program();
    command.args(options).args(["a2", "-", "a1"]).write_stdin(first);
    let (parts, _) = told_apart(&program::outcome(&mut command).report());
    assert!(whole == parts);
}

#[test]
fn a_file_that_says_something_of_itself_is_quoted() {
    let mut file = testing::PcapngFile::new(false);
    file.section().interface(1, 0, &[(2, b"eth\x1b0"), (1, b"on the proxy")]);
    file.commented(0, 1, &[0; 60]).obsolete(0, 2, &[0; 60]);
    let statistics = [
        &0_u32.to_le_bytes()[..],
        &[0; 8],
        &[5, 0, 8, 0],
        &7_u64.to_le_bytes(),
        &[7, 0, 8, 0],
        &2_u64.to_le_bytes(),
        &[0; 4],
    ]
    .concat();
    let keys = |of: u32, length: u32| {
        [&of.to_le_bytes()[..], &length.to_le_bytes(), &vec![b'k'; length as usize]].concat()
    };
    file.block(5, &statistics)
        .block(10, &keys(0x544C_534B, 4))
        .block(10, &keys(0x5747_4B4C, 8))
        // More than any buffer holds.
        .block(10, &keys(0x544C_534B, 40_000_000))
        .block(10, &keys(7, 4));
    let (text, json) = program::reports("x.pcapng", &file.bytes, &[]);
    let text = words(&text);
    for said in [
        "x.pcapng: 9 packets of eth",
        "were dropped while it was captured",
        "x.pcapng: comment: on the proxy",
        "x.pcapng: comment on packet 1: hi",
        "it carries 2 blocks of TLS keys, 1 block of WireGuard keys, 1 block of other keys, which are not used",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains('\u{1b}'));
    let said = &json.last().unwrap()["files"][0];
    assert_eq!(said["interfaces"][0]["dropped"], 9);
    assert_eq!(said["comments"][1]["packet"], 1);
    assert_eq!(said["secrets"], 4);
    assert_eq!(said["secrets_for"], serde_json::json!({"TLS": 2, "WireGuard": 1, "other": 1}));
}

#[test]
fn a_file_that_grows_while_it_is_read_is_told() {
    use std::io::Write;
    use wsinspect::capture::{Block, CaptureFile, Source};

    let (folder, all) = ring();
    let path = folder.path("a0");
    let mut file = CaptureFile::open(&path).unwrap();
    let third = all.len() / 3;
    let more = packets::write(&all[third..2 * third]);
    // The next record has been written in part.
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&more[24..24 + 50]).unwrap();
    let mut block = Block::default();
    let mut packets = 0;
    while file.next_block(&mut block).unwrap() {
        packets += block.packets.len();
    }
    assert_eq!(packets, third);
    let warnings = file.take_warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("the last record is cut off"), "{warnings:?}");
    assert!(warnings[1].contains("it grew by 50 bytes meanwhile, of which "), "{warnings:?}");
}
