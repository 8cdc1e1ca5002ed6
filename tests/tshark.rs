//! The shipped captures beside tshark: the same frames by side and opcode, and the same statuses of upgrade attempts.
//!
//! Where tshark is known to see less, `tshark_blind.txt` says why.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use journey::Journey;
use program::Folder;
use serde_json::Value;
use talk::{Dice, Talk};
use wireshark::tshark;
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/journey.rs"]
mod journey;
#[path = "support/program.rs"]
mod program;
#[path = "support/talk.rs"]
mod talk;
#[path = "../src/capture/testing.rs"]
mod testing;
#[path = "support/wireshark.rs"]
mod wireshark;

/// How often each sender sent what: a frame by its opcode, or a status.
type Counts = BTreeMap<(String, What), u64>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Frame(String),
    Status(String),
}

#[test]
fn frames_and_statuses_are_those_that_tshark_sees() {
    let blind = blind();
    let mut wrong = Vec::new();
    let mut blind_seen = Vec::new();
    for path in program::captures() {
        let Some(theirs) = seen_by_tshark(&path) else { return };
        let (ours, attempts) = seen_by_us(&path);
        // tshark tells the statuses of all answers; those of attempts must be among them.
        let their_frames: Counts =
            theirs.iter().filter(|((_, what), _)| matches!(what, What::Frame(_))).map(owned).collect();
        let name = path.strip_prefix("captures").unwrap().display().to_string();
        let lost = attempts.iter().any(|(status, number)| theirs.get(status).unwrap_or(&0) < number);
        let is_same = ours == their_frames && !lost;
        match blind.contains(&name) {
            true if is_same => wrong.push(format!("{name}: tshark sees it all, though it is listed")),
            true => blind_seen.push(name),
            false if is_same => {}
            false => wrong.push(format!("{name}:\n  ours {ours:?} {attempts:?}\n  theirs {theirs:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(blind_seen.len(), blind.len(), "listed, and not there: {blind:?}, {blind_seen:?}");
}

/// What the generated conversations are sent through. Not among them, since tshark shows fewer frames there: segments out
/// of order (whether or not it is told to wait for what is missing), segments that repeat the end of the one before, and
/// fragments of one packet that come through different tunnels.
const WAYS: &[(&str, Journey)] = &[
    ("plain", Journey::PLAIN),
    ("cut", Journey { cuts: &[7, 100, 1_400], ..Journey::PLAIN }),
    ("repeated", Journey { repeats: true, ..Journey::PLAIN }),
    ("tunnels", Journey { tunnels: true, ..Journey::PLAIN }),
    ("fragments", Journey { fragments: true, ..Journey::PLAIN }),
    ("two of them", Journey { cuts: &[100, 1_400], repeats: true, tunnels: true, ..Journey::PLAIN }),
];

/// Keep-alive, bodies of all framings, compression, fragmented messages, IPv4 and IPv6; and on the way VLANs, tunnels,
/// IP fragments and retransmissions.
#[test]
fn generated_conversations_are_those_that_tshark_sees() {
    let folder = Folder::new();
    let mut wrong = Vec::new();
    for (name, journey) in WAYS {
        for seed in 0..8 {
            let mut dice = Dice::new(seed);
            let talks: Vec<Talk> = (0..=dice.below(4)).map(|_| Talk::new(&mut dice)).collect();
            let segments = journey.segments(&mut dice, &talks);
            let file = journey::capture(&journey.packets(&mut dice, &segments));
            folder.write("talk.pcap", &file);
            let path = folder.path("talk.pcap");
            let Some(theirs) = seen_by_tshark(&path) else { return };
            let (ours, attempts) = seen_by_us(&path);
            let their_frames: Counts =
                theirs.iter().filter(|((_, what), _)| matches!(what, What::Frame(_))).map(owned).collect();
            let lost = attempts.iter().any(|(status, number)| theirs.get(status).unwrap_or(&0) < number);
            if ours != their_frames || lost {
                wrong
                    .push(format!("{name}, seed {seed}:\n  ours {ours:?} {attempts:?}\n  theirs {theirs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn owned((key, number): (&(String, What), &u64)) -> ((String, What), u64) {
    (key.clone(), *number)
}

/// The captures of the list.
fn blind() -> Vec<String> {
    let list = std::fs::read_to_string(program::root().join("tests/tshark_blind.txt")).unwrap();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").unwrap().0.to_owned()).collect()
}

fn seen_by_tshark(path: &Path) -> Option<Counts> {
    let path = program::root().join(path).display().to_string();
    let mut arguments = vec!["-r", &path, "-Y", "websocket or http.response", "-T", "fields"];
    // It waits for what comes late only if it is told to.
    arguments.extend(["-o", "tcp.reassemble_out_of_order:TRUE"]);
    arguments.extend(["-E", "occurrence=a", "-E", "aggregator=,"]);
    for field in ["ip.src", "ipv6.src", "tcp.srcport", "websocket.opcode", "http.response.code"] {
        arguments.extend(["-e", field]);
    }
    let mut counts = Counts::new();
    for line in tshark(&arguments)?.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [ipv4, ipv6, port, opcodes, statuses] = fields[..] else { panic_on(line) };
        // Of a packet in a tunnel it tells the tunnel's addresses first.
        let ipv4 = ipv4.rsplit(',').next().unwrap().trim_start_matches(TUNNEL);
        let sender = if ipv4.is_empty() { format!("[{ipv6}]:{port}") } else { format!("{ipv4}:{port}") };
        let frames = opcodes.split(',').filter(|it| !it.is_empty()).map(|it| What::Frame(it.to_owned()));
        let statuses = statuses.split(',').filter(|it| !it.is_empty()).map(|it| What::Status(it.to_owned()));
        for what in frames.chain(statuses) {
            *counts.entry((sender.clone(), what)).or_default() += 1;
        }
    }
    Some(counts)
}

/// Where the tunnels of generated conversations begin.
const TUNNEL: &str = "192.0.2.1";

fn panic_on(line: &str) -> ! {
    unreachable!("a line that tshark was not asked for: {line}")
}

/// Frames; and the statuses of attempts.
fn seen_by_us(path: &Path) -> (Counts, Counts) {
    let (mut frames, mut statuses) = (Counts::new(), Counts::new());
    let mut sides: BTreeMap<u64, Value> = BTreeMap::new();
    let report = program::read(path, &["--all", "--frames", "--format", "json"]).report();
    for line in report.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["type"].as_str().unwrap() {
            "connection" => {
                let server = line["server"].as_str().unwrap().to_owned();
                for attempt in line["attempts"].as_array().unwrap() {
                    if let Some(status) = attempt["response"]["status"].as_u64() {
                        let what = What::Status(status.to_string());
                        *statuses.entry((server.clone(), what)).or_default() += 1;
                    }
                }
                sides.insert(line["id"].as_u64().unwrap(), line);
            }
            "frame" => {
                let connection = &sides[&line["connection"].as_u64().unwrap()];
                let sender = connection[line["by"].as_str().unwrap()].as_str().unwrap().to_owned();
                let opcode = opcode(line["opcode"].as_str().unwrap());
                *frames.entry((sender, What::Frame(opcode))).or_default() += 1;
            }
            _ => {}
        }
    }
    (frames, statuses)
}

/// As tshark tells it: a number.
fn opcode(name: &str) -> String {
    let names = [("continuation", 0), ("text", 1), ("binary", 2), ("close", 8), ("ping", 9), ("pong", 10)];
    let known = names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    known.unwrap_or_else(|| u32::from_str_radix(name.trim_start_matches("0x"), 16).unwrap()).to_string()
}
