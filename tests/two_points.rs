//! The same traffic captured at two points, by clocks that differ, with losses between them: it is told once, as if there
//! had been one capture; how far the clocks are apart is right within what is said of it; and exactly what was lost on the
//! way is told as lost.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

use std::collections::BTreeSet;

use journey::{Journey, Segment};
use program::{Folder, words};
use serde_json::Value;
use talk::{Dice, Talk};
use told::differences;
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/journey.rs"]
mod journey;
#[path = "support/packets.rs"]
mod packets;
#[path = "support/program.rs"]
mod program;
#[path = "support/talk.rs"]
mod talk;
#[path = "../src/capture/testing.rs"]
mod testing;
#[path = "support/told.rs"]
mod told;

/// A capture with nanoseconds.
struct Recording(Vec<(i64, Vec<u8>)>);

impl Recording {
    fn file(&self) -> Vec<u8> {
        let mut packets: Vec<&(i64, Vec<u8>)> = self.0.iter().collect();
        packets.sort_by_key(|(time, _)| *time);
        let mut file = testing::PcapFile::new(false, true, 262_144, 1);
        for (time, bytes) in packets {
            let length = u32::try_from(bytes.len()).unwrap();
            let (seconds, nanos) = (time.div_euclid(1_000_000_000), time.rem_euclid(1_000_000_000));
            let (seconds, nanos) = (u32::try_from(seconds).unwrap(), u32::try_from(nanos).unwrap());
            file.record(seconds, nanos, length, length, bytes);
        }
        file.bytes
    }
}

/// What is sent, some of it twice: what is lost the first time is sent again before the other side goes on.
fn sent(dice: &mut Dice, segments: &[Segment], chance: usize) -> Vec<(Segment, bool)> {
    let mut sent: Vec<(Segment, bool)> = Vec::new();
    let mut again: Vec<Segment> = Vec::new();
    for segment in segments {
        let is_due = |it: &Segment| {
            it.connection == segment.connection && (it.by_client != segment.by_client || segment.is_bracket())
        };
        let (due, later): (Vec<Segment>, Vec<Segment>) = again.into_iter().partition(is_due);
        sent.extend(due.into_iter().map(|it| (it, false)));
        again = later;
        let is_lost = !segment.is_bracket() && dice.percent(chance);
        if is_lost {
            again.push(segment.clone());
        }
        sent.push((segment.clone(), is_lost));
    }
    sent.extend(again.into_iter().map(|it| (it, false)));
    sent
}

/// What is sent and not lost, and what the client's host and the server's capture of all: each packet takes its way, and
/// the server's clock is `ahead`.
fn recorded(dice: &mut Dice, sent: &[(Segment, bool)], ahead: i64) -> [Recording; 3] {
    let segments: Vec<Segment> = sent.iter().map(|(segment, _)| segment.clone()).collect();
    let packets = Journey::PLAIN.packets(dice, &segments);
    assert_eq!(packets.len(), sent.len());
    let mut now = i64::from(conversation::START) * 1_000_000_000;
    let way = 50_000 + i64::try_from(dice.below(20_000_000)).unwrap();
    let mut recordings = [(); 3].map(|()| Recording(Vec::new()));
    for ((segment, is_lost), packet) in sent.iter().zip(packets) {
        let late = i64::try_from(dice.below(5_000_000)).unwrap();
        let [whole, client, server] = &mut recordings;
        if !is_lost {
            whole.0.push((now, packet.clone()));
        }
        let (leaves, arrives) =
            if segment.by_client { (now, now + way + late) } else { (now + way + late, now) };
        if segment.by_client || !is_lost {
            client.0.push((leaves, packet.clone()));
        }
        if !segment.by_client || !is_lost {
            server.0.push((arrives + ahead, packet));
        }
        now += way + 6_000_000;
    }
    recordings
}

fn findings(report: &str) -> BTreeSet<(String, String)> {
    let lines = report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let findings = lines.flat_map(|line| line["findings"].as_array().cloned().unwrap_or_default());
    let text = |finding: &Value, of: &str| finding[of].as_str().unwrap().to_owned();
    let names = findings.map(|finding| (text(&finding, "rule"), text(&finding, "severity")));
    // What is lost is told, and what follows from it.
    names.filter(|(rule, _)| !["path-loss", "retransmission-storm"].contains(&rule.as_str())).collect()
}

fn as_if_there_were_one(seed: u64) {
    let mut dice = Dice::new(seed);
    let talks: Vec<Talk> = (0..=dice.below(4)).map(|_| Talk::new(&mut dice)).collect();
    let cuts = dice.one_of(&[&[1_400][..], &[536, 1_000], &[1, 2, 7, 100, 1_400]]);
    let journey = Journey { cuts, ..Journey::PLAIN };
    let segments = journey.segments(&mut dice, &talks);
    let chance = dice.one_of(&[0, 0, 3, 20]);
    let sent = sent(&mut dice, &segments, chance);
    let ahead = i64::try_from(dice.below(10_000_000_000)).unwrap() - 5_000_000_000;
    let what = format!("seed {seed}, {chance} % lost, {ahead} ns ahead, {cuts:?}");
    let [whole, client, server] = recorded(&mut dice, &sent, ahead);
    let once = program::read_stdin(&whole.file(), &told::OPTIONS).report();
    let folder = Folder::new();
    folder.write("client.pcap", &client.file());
    folder.write("server.pcap", &server.file());
    let run = |files: [&str; 2]| folder.run(&[&["read"], &told::OPTIONS[..], &files].concat()).report();
    let report = run(["client.pcap", "server.pcap"]);
    assert!(report == run(["server.pcap", "client.pcap"]), "{what}: the order of the files matters");

    let (expected, found) = (told::of(&once), told::of(&report));
    let mut places = Vec::new();
    for key in expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key))) {
        let of = |told: &told::Told| told.get(key).cloned().unwrap_or_default();
        differences(key, &of(&expected), &of(&found), &mut places);
    }
    assert!(places.is_empty(), "{what}:\n{}", places.join("\n"));
    assert_eq!(findings(&once), findings(&report), "{what}");

    let lines: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let clock = lines.last().unwrap()["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["file"] == "server.pcap")
        .map(|file| file["clock"].clone())
        .unwrap();
    let nanos = |name: &str| {
        #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
        let nanos = (clock[name].as_f64().unwrap() * 1e6).round() as i64;
        nanos
    };
    let (told_ahead, error) = (nanos("ahead_ms"), nanos("error_ms"));
    assert!((told_ahead - ahead).abs() <= error + 2, "{what}: {clock}");
    assert!(error <= 26_000_000, "{what}: {clock}");

    for connection in lines.iter().filter(|line| line["type"] == "connection") {
        let port = connection["client"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        for (side, by_client) in [("client", true), ("server", false)] {
            let of_half = sent.iter().filter(|(segment, _)| {
                format!("{}", 40_000 + segment.connection) == port && segment.by_client == by_client
            });
            let (lost, passed): (Vec<_>, Vec<_>) = of_half.partition(|(_, is_lost)| *is_lost);
            let bytes: usize = lost.iter().map(|(segment, _)| segment.payload.len()).sum();
            let passage = &connection["passage"][side];
            assert_eq!(passage["lost"]["packets"], lost.len(), "{what}: {side} of {port}: {passage}");
            assert_eq!(passage["lost"]["payload_bytes"], bytes, "{what}: {side} of {port}: {passage}");
            assert_eq!(passage["passed"], passed.len(), "{what}: {side} of {port}: {passage}");
            for nothing in [&passage["appeared"]["packets"], &passage["uncaptured"], &passage["bare"]] {
                assert_eq!(nothing, 0, "{what}: {side} of {port}: {passage}");
            }
        }
    }
}

#[test]
fn two_captures_tell_what_one_would() {
    (0..80).for_each(as_if_there_were_one);
}

/// The captures of the lab that two hosts made of one traffic.
fn of_both_hosts(name: &str, client: &str) -> (String, Vec<Value>) {
    let folder = format!("captures/{name}");
    let files = [format!("{folder}/{client}"), format!("{folder}/proxy-any.pcap")];
    let run = |options: &[&str]| {
        program::run(&[&["read"], options, &[files[0].as_str(), files[1].as_str()]].concat()).report()
    };
    let json = run(&["--format", "json"]);
    (words(&run(&[])), json.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// What of the packets that one file has of the sender on the bridge's one side, the other file has not: with payload, or
/// of a handshake. The naive way: each as often as it is there.
fn lacking(name: &str, client: &str, by_client: bool) -> i64 {
    let folder = program::root().join("captures").join(name);
    let mut files = [folder.join(client), folder.join("proxy-any.pcap")];
    if !by_client {
        files.reverse();
    }
    let sender = if by_client { [10, 77, 7, 2] } else { [10, 77, 7, 1] };
    let mut balance: std::collections::BTreeMap<Vec<u8>, i64> = std::collections::BTreeMap::new();
    for (file, count) in files.iter().zip([1, -1]) {
        for packet in packets::of(file) {
            let ip = if packet.link == 1 { 14 } else { 20 };
            let is_tcp = packet.bytes.get(ip) == Some(&0x45) && packet.bytes[ip + 9] == 6;
            if !is_tcp || packet.bytes[ip + 12..ip + 16] != sender {
                continue;
            }
            let tcp = ip + 20;
            let end = ip + usize::from(u16::from_be_bytes([packet.bytes[ip + 2], packet.bytes[ip + 3]]));
            let payload = &packet.bytes[tcp + usize::from(packet.bytes[tcp + 12] >> 4) * 4..end];
            let flags = packet.bytes[tcp + 13] & 0x03;
            if !payload.is_empty() || flags != 0 {
                let key = [&packet.bytes[tcp..tcp + 8], &[flags], payload].concat();
                *balance.entry(key).or_default() += count;
            }
        }
    }
    assert!(balance.values().all(|count| *count >= 0), "{name}: more arrives than was sent");
    balance.values().sum()
}

/// The leg between the two hosts.
fn passage(lines: &[Value]) -> &Value {
    let connections = lines.iter().filter(|line| line["type"] == "connection");
    let mut passages = connections.map(|line| &line["passage"]).filter(|passage| !passage.is_null());
    passages.next().unwrap()
}

#[test]
fn what_a_bridge_loses_is_told_whatever_the_clock() {
    for (client, clock) in [("client-host.pcap", "agrees with that of"), ("client-host-ahead.pcap", "3.2 s")]
    {
        let (text, lines) = of_both_hosts("lossy-path", client);
        assert!(text.contains("2 established") || !text.contains("failed"), "{text}");
        assert!(text.contains(clock), "{client}: {text}");
        let passage = passage(&lines);
        // One SYN, and every third packet with payload the first time.
        for side in ["client", "server"] {
            let half = &passage[side];
            let lacking = lacking("lossy-path", client, side == "client");
            assert!(lacking >= 2, "the capture shows the losses");
            assert_eq!(half["lost"]["packets"], lacking, "{client}: {half}");
            assert_eq!(half["appeared"]["packets"], 0, "{client}: {half}");
            assert_eq!(half["uncaptured"], 0, "{client}: {half}");
        }
        let severities =
            lines.iter().flat_map(|line| line["findings"].as_array().cloned().unwrap_or_default());
        assert!(severities.clone().all(|finding| finding["severity"] == "note"), "{text}");
        assert!(severities.into_iter().any(|finding| finding["rule"] == "path-loss"), "{text}");
    }
}

#[test]
fn what_is_overtaken_is_not_lost() {
    let (text, lines) = of_both_hosts("reordered-path", "client-host.pcap");
    let passage = passage(&lines);
    for side in ["client", "server"] {
        assert_eq!(passage[side]["lost"]["packets"], 0, "{text}");
        assert_eq!(passage[side]["appeared"]["packets"], 0, "{text}");
    }
    assert!(!text.contains("path-loss"), "{text}");
}

#[test]
fn who_meddles_between_two_hosts_is_named() {
    for (name, said) in [
        ("reset-in-transit", "reset-injected"),
        ("stripped-in-place", "stripped-in-transit"),
        ("forgotten-in-transit", "path-blocked"),
    ] {
        let (text, _) = of_both_hosts(name, "client-host.pcap");
        let first = text.find("error: the network ").unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(text[first..].contains(said), "{name}: {text}");
    }
}
