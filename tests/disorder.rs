//! The shipped captures, repeated, out of order, cut anew, cut off, and with packets lost: what is seen stays the same
//! where nothing is missing, and becomes less, not other, where something is.
//!
//! "The same" is everything of [`facts`] and the bytes that are missing, connection by connection. Packet numbers,
//! times and the counters of retransmitted and reordered segments are not compared: they are to be different.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

use std::collections::BTreeMap;

use packets::Packet;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
// What the shared test support calls `crate::capture`.
use wsinspect::capture;
use wsinspect::limits::{Limits, REORDERING_PATIENCE};
use wsinspect::pipeline::Options;
use wsinspect::protocol::Role;

#[path = "support/facts.rs"]
mod facts;
#[path = "support/packets.rs"]
mod packets;
#[path = "../src/capture/testing.rs"]
mod testing;

/// What is seen of each connection with an attempt, by its two endpoints.
type Told = BTreeMap<String, Value>;

fn options() -> Options {
    // A table of half-open connections as large as the captures need it is quickly made.
    let limits = Limits { embryos: 256, ..Limits::default() };
    Options { limits, ..Options::default() }
}

fn told(packets: &[Packet]) -> Told {
    let mut source = facts::open(packets::write(packets)).unwrap();
    let capture = facts::read_from(&mut source, options());
    let end = facts::end(&capture);
    let with_attempt = capture.connections.iter().filter(|connection| !connection.attempts.is_empty());
    let connections = with_attempt.map(|connection| {
        let (client, server) = (connection.endpoint(Role::Client), connection.endpoint(Role::Server));
        let missing = [Role::Client, Role::Server].map(|role| connection.half(role).missing_bytes);
        let spoken = format!("{:?}", connection.spoken);
        let attempts = facts::of_connection(connection, end);
        (format!("{client} > {server}"), json!({"attempts": attempts, "missing": missing, "spoken": spoken}))
    });
    connections.collect()
}

/// Says where two differ, if they do.
fn compare(what: &str, expected: &Told, found: &Told, wrong: &mut Vec<String>) {
    for key in expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key))) {
        let (expected, found) = (expected.get(key), found.get(key));
        if expected != found {
            let mut places = Vec::new();
            differences("", expected.unwrap_or(&Value::Null), found.unwrap_or(&Value::Null), &mut places);
            wrong.push(format!("{what}: {key}:\n    {}", places.join("\n    ")));
        }
    }
}

/// The places at which two values differ.
fn differences(place: &str, expected: &Value, found: &Value, places: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            for (key, expected) in one {
                differences(&format!("{place}/{key}"), expected, &other[key], places);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (expected, found)) in one.iter().zip(other).enumerate() {
                differences(&format!("{place}/{at}"), expected, found, places);
            }
        }
        _ if expected == found => {}
        _ => places.push(format!("{place}: expected {expected}, found {found}")),
    }
}

fn assert_none(wrong: &[String]) {
    let shown: Vec<&str> = wrong.iter().take(12).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), shown.join("\n"));
}

#[test]
fn every_packet_twice_is_the_same() {
    let mut wrong = Vec::new();
    for (name, path) in packets::shipped() {
        let packets = packets::of(&path);
        let expected = told(&packets);
        let at_once: Vec<Packet> =
            packets.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect();
        compare(&format!("{name}, at once"), &expected, &told(&at_once), &mut wrong);
        // Each packet again after the next three.
        let last = packets.len() - 1;
        let later: Vec<usize> = (0..packets.len() + 3)
            .flat_map(|at| [(at <= last).then_some(at), at.checked_sub(3)])
            .flatten()
            .collect();
        let later: Vec<Packet> = later.into_iter().map(|at| packets[at].clone()).collect();
        assert_eq!(later.len(), 2 * packets.len());
        compare(&format!("{name}, later"), &expected, &told(&later), &mut wrong);
    }
    assert_none(&wrong);
}

#[test]
fn two_packets_swapped_are_the_same() {
    let mut wrong = Vec::new();
    for (name, path) in packets::shipped() {
        let packets = packets::of(&path);
        let expected = told(&packets);
        for at in 1..packets.len() {
            let mut order: Vec<usize> = (0..packets.len()).collect();
            order.swap(at - 1, at);
            let found = told(&packets::in_order(&packets, &order));
            compare(&format!("{name}, #{at} after #{}", at + 1), &expected, &found, &mut wrong);
        }
    }
    assert_none(&wrong);
}

#[test]
fn packets_shuffled_within_five_are_the_same() {
    let mut wrong = Vec::new();
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    for (name, path) in packets::shipped() {
        let packets = packets::of(&path);
        let expected = told(&packets);
        for turn in 0..20 {
            let mut order: Vec<usize> = (0..packets.len()).collect();
            let in_place = if name == JOINED { 10 } else { 0 };
            for window in order[in_place..].chunks_mut(5) {
                // Whoever comes later than that is no longer waited for.
                let waited = packets[window[window.len() - 1]].nanos - packets[window[0]].nanos;
                if waited >= REORDERING_PATIENCE.as_nanos() {
                    continue;
                }
                for last in (1..window.len()).rev() {
                    window.swap(last, random.next_u32() as usize % (last + 1));
                }
                // Without its SYN a half begins with the first packet seen of it, an acknowledgment maybe of what
                // is still to come.
                window.sort_by_key(|at| !packets[*at].is_syn());
            }
            let found = told(&packets::in_order(&packets, &order));
            compare(&format!("{name}, turn {turn}, {order:?}"), &expected, &found, &mut wrong);
        }
    }
    assert_none(&wrong);
}

#[test]
fn segments_cut_anywhere_are_the_same() {
    let mut wrong = Vec::new();
    for (name, path) in packets::shipped() {
        let packets = packets::of(&path);
        let expected = told(&packets);
        let bytes = packets.iter().flat_map(|packet| match packet.payload_length() {
            0 => vec![packet.clone()],
            length => packet.cut(&vec![1; length]),
        });
        let bytes: Vec<Packet> = bytes.collect();
        if name != JOINED && name != SNAPPED && name != FRAGMENTED {
            compare(&format!("{name}, each byte alone"), &expected, &told(&bytes), &mut wrong);
        }
        if !EXHAUSTIVE.contains(&name.as_str()) {
            continue;
        }
        for (at, packet) in packets.iter().enumerate() {
            for cut in 1..packet.payload_length() {
                let mut packets = packets.clone();
                packets.splice(at..=at, packet.cut(&[cut, packet.payload_length() - cut]));
                compare(&format!("{name}, #{} cut at {cut}", at + 1), &expected, &told(&packets), &mut wrong);
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_capture_that_ends_early_shows_less() {
    let mut wrong = Vec::new();
    for (name, path) in packets::shipped() {
        let packets = packets::of(&path);
        let whole = packets::write(&packets);
        // After each packet, and for some captures inside of packets: a record that is cut off is damage.
        let mut ends: Vec<usize> =
            (1..=packets.len()).map(|count| packets::write(&packets[..count]).len()).collect();
        if EXHAUSTIVE.contains(&name.as_str()) {
            ends = (0..=whole.len()).step_by(if name.starts_with("wrong-accept") { 1 } else { 7 }).collect();
        }
        let mut before = 0;
        for end in ends {
            let Ok(mut source) = facts::open(whole[..end].to_vec()) else {
                assert!(end < packets::write(&[]).len(), "{name}: the first {end} bytes are no capture");
                continue;
            };
            let capture = facts::read_from(&mut source, options());
            let attempts = capture.connections.iter().map(|connection| connection.attempts.len()).sum();
            if attempts < before {
                wrong.push(format!("{name}: {attempts} attempts in {end} bytes, {before} in fewer"));
            }
            before = attempts;
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_lost_packet_makes_nothing_up() {
    let mut wrong = Vec::new();
    for (name, path) in packets::shipped() {
        let packets = packets::of(&path);
        let expected = told(&packets);
        for lost in 0..packets.len() {
            let mut packets = packets.clone();
            packets.remove(lost);
            invented(&format!("{name}, #{} lost", lost + 1), &expected, &told(&packets), &mut wrong);
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_snap_length_makes_nothing_up() {
    let mut wrong = Vec::new();
    for (name, path) in packets::shipped() {
        let packets = packets::of(&path);
        let expected = told(&packets);
        let step = if EXHAUSTIVE.contains(&name.as_str()) { 1 } else { 11 };
        for snap_length in (54..=200).step_by(step) {
            let snapped: Vec<Packet> = packets.iter().map(|packet| packet.snapped(snap_length)).collect();
            invented(&format!("{name}, -s {snap_length}"), &expected, &told(&snapped), &mut wrong);
        }
    }
    assert_none(&wrong);
}

/// Says what is seen of a capture that lacks something and not of the whole one.
fn invented(what: &str, whole: &Told, part: &Told, wrong: &mut Vec<String>) {
    if NOT_TO_BE_FOLLOWED.iter().any(|name| what.starts_with(name)) {
        return;
    }
    for (key, part) in part {
        let none = Vec::new();
        let of_whole = whole.get(key).map_or(&none, |whole| whole["attempts"].as_array().unwrap());
        for attempt in part["attempts"].as_array().unwrap() {
            let closest =
                of_whole.iter().map(|whole| invented_of_attempt(whole, attempt)).min_by_key(Vec::len);
            match closest {
                None => wrong.push(format!("{what}: {key}: an attempt that is not there: {attempt}")),
                Some(places) if places.is_empty() => {}
                Some(places) => wrong.push(format!("{what}: {key}:\n    {}", places.join("\n    "))),
            }
        }
    }
}

fn invented_of_attempt(whole: &Value, part: &Value) -> Vec<String> {
    let mut places = Vec::new();
    let mut check = |place: &str, is_right: bool, whole: &Value, part: &Value| {
        if !is_right {
            places.push(format!("{place}: {whole} became {part}"));
        }
    };
    for key in ["client", "server", "target", "http_version", "status", "accept", "outcome"] {
        let (whole, part) = (&whole[key], &part[key]);
        let is_unknown = part.is_null() || LESS_IS_KNOWN.contains(&part.as_str().unwrap_or_default());
        // A line that is cut off is shown as far as it goes.
        let is_start =
            key == "target" && whole.as_str().zip(part.as_str()).is_some_and(|(a, b)| a.starts_with(b));
        check(key, part == whole || is_start || is_unknown, whole, part);
    }
    for key in ["request_problems", "response_problems"] {
        let known = |problem: &Value| whole[key].as_array().unwrap().contains(problem);
        check(key, part[key].as_array().unwrap().iter().all(known), &whole[key], &part[key]);
    }
    let (whole, part) = (&whole["websocket"], &part["websocket"]);
    if part.is_null() || whole.is_null() {
        check("websocket", part.is_null(), whole, part);
        return places;
    }
    for role in ["client", "server"] {
        for key in ["text", "binary", "continuation", "ping", "pong", "close", "other", "payload_bytes"] {
            let (whole, part) = (&whole[role][key], &part[role][key]);
            check(&format!("{role} {key}"), part.as_u64() <= whole.as_u64(), whole, part);
        }
    }
    // If the first close frame is lost, the first one seen is the other side's answer to it.
    let (whole_close, part_close) = (&whole["close"], &part["close"]);
    let is_first_lost = whole_close["by"].as_str().is_some_and(|by| {
        part[by]["close"].as_u64() < whole[by]["close"].as_u64() && part_close["by"] != whole_close["by"]
    });
    check(
        "close",
        part_close.is_null() || part_close == whole_close || is_first_lost,
        whole_close,
        part_close,
    );
    let known = |anomaly: &Value| whole["anomalies"].as_array().unwrap().contains(anomaly);
    let all_known = part["anomalies"].as_array().unwrap().iter().all(known);
    check("anomalies", all_known, &whole["anomalies"], &part["anomalies"]);
    places
}

/// What follows the 101 of the first one is no WebSocket, so that after a loss anything may look like a frame. In the
/// second one the answer comes when the client has closed already, and nobody acknowledges it: without it nothing shows
/// that there was one.
const NOT_TO_BE_FOLLOWED: &[&str] = &["switching-with-body/", "caddy-client-gave-up/"];

/// What stands for a thing that the capture does not show.
const LESS_IS_KNOWN: &[&str] = &["unknown", "midstream", "unchecked"];

/// A capture that begins in the middle: a half begins with the first packet seen of it, whatever comes behind it, and
/// frames are recognised by segments that they fill.
const JOINED: &str = "midstream/proxy-any.pcap";

/// A capture of IP fragments. To cut its segments would be to make other fragments of them; `tests/mixtures.rs` does that.
const FRAGMENTED: &str = "fragments/proxy-any.pcap";

/// A capture in which the next frame has to be found again, which is at the start of a segment.
const SNAPPED: &str = "snaplen-cut/proxy-any.pcap";

/// Captures that are tried at each byte: one of each kind, one side of the proxy.
const EXHAUSTIVE: &[&str] = &[
    "chat/client-eth.pcap",
    "chat-deflate/client-eth.pcap",
    "ipv6/client-eth.pcap",
    "one-sided/proxy-any.pcap",
    "page-html-200/client-eth.pcap",
    "upstream-reset-502/proxy-any.pcap",
    "wrong-accept/client-eth.pcap",
];
