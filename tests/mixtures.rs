//! Conversations made up from seeds, on any mixture of bad ways: cut anew, out of order, repeated, overlapping, in
//! tunnels and in fragments. What is reported is what is reported of the straight way. Where packets are lost it is less,
//! never other, and the bytes that are missing are counted to the byte.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use journey::{Journey, Segment, capture as written};
use serde_json::{Map, Value, json};
use talk::{Dice, Talk};
use told::{Told, differences};
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
#[path = "support/told.rs"]
mod told;

/// What is reported of a capture.
fn told(file: &[u8]) -> Told {
    told::of(&program::read_stdin(file, &told::OPTIONS).report())
}

/// The conversations of a seed, and what is reported of them on the straight way.
fn straight(seed: u64) -> (Vec<Talk>, Told) {
    let mut dice = Dice::new(seed);
    let talks: Vec<Talk> = (0..=dice.below(4)).map(|_| Talk::new(&mut dice)).collect();
    let mut dice = Dice::new(seed ^ 1);
    let segments = Journey::PLAIN.segments(&mut dice, &talks);
    let expected = told(&written(&Journey::PLAIN.packets(&mut dice, &segments)));
    assert_eq!(expected.len(), talks.len(), "seed {seed}: not every connection is reported");
    (talks, expected)
}

fn same_on_any_way(seed: u64) {
    let (talks, expected) = straight(seed);
    for way in 0..3 {
        let mut dice = Dice::new(seed.wrapping_mul(1_000) + way);
        let journey = Journey::any(&mut dice);
        let segments = journey.segments(&mut dice, &talks);
        let file = written(&journey.packets(&mut dice, &segments));
        let found = told(&file);
        let mut places = Vec::new();
        for key in expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key))) {
            let of = |told: &Told| told.get(key).cloned().unwrap_or_default();
            differences(key, &of(&expected), &of(&found), &mut places);
        }
        assert!(places.is_empty(), "seed {seed}, way {way}, {journey:?}:\n{}", places.join("\n"));
    }
}

#[test]
fn any_way_gives_what_the_straight_one_gives() {
    (0..60).for_each(same_on_any_way);
}

/// Which bytes of each half of each connection no segment carries.
fn missing(all: &[Segment], kept: &[Segment], connections: usize) -> Vec<[u64; 2]> {
    let mut missing = vec![[0, 0]; connections];
    for (connection, missing) in missing.iter_mut().enumerate() {
        for (half, by_client) in [(0, true), (1, false)] {
            let of = |segments: &[Segment]| -> Vec<std::ops::Range<usize>> {
                let is_of =
                    |segment: &&Segment| segment.connection == connection && segment.by_client == by_client;
                let ranges = segments.iter().filter(is_of).map(Segment::range);
                ranges.filter(|range| !range.is_empty()).collect()
            };
            let length = of(all).iter().map(|range| range.end).max().unwrap_or(0);
            let mut seen = vec![false; length];
            for range in of(kept) {
                seen[range].fill(true);
            }
            missing[half] = seen.iter().filter(|seen| !**seen).count() as u64;
        }
    }
    missing
}

fn less_where_packets_are_lost(seed: u64) {
    let (talks, expected) = straight(seed);
    for way in 0..3 {
        let mut dice = Dice::new(seed.wrapping_mul(1_000) + 500 + way);
        let cuts = dice.one_of(&[&[1_400][..], &[536, 1_000]]);
        let journey = Journey { cuts, fragments: false, overlaps: false, ..Journey::any(&mut dice) };
        let segments = journey.segments(&mut dice, &talks);
        let rate = dice.one_of(&[2, 10, 40]);
        let kept: Vec<Segment> =
            segments.iter().filter(|segment| segment.is_bracket() || !dice.percent(rate)).cloned().collect();
        let file = written(&journey.packets(&mut dice, &kept));
        let found = told(&file);
        let what = format!("seed {seed}, way {way}, {rate} % lost, {journey:?}");
        for (connection, missing) in missing(&segments, &kept, talks.len()).into_iter().enumerate() {
            let port = format!(":{}", 40_000 + connection);
            let of = |told: &Told| {
                told.iter().find(|(key, _)| key.ends_with(&port)).map(|(_, value)| value.clone())
            };
            let (whole, less) = (of(&expected).unwrap(), of(&found).unwrap());
            if !kept.iter().any(|segment| segment.connection == connection && !segment.range().is_empty()) {
                // Of connections without payload only how they opened and ended is kept.
                assert_eq!(less["attempts"], json!([]), "{what}: {port}");
                continue;
            }
            assert_eq!(less["missing"], json!(missing), "{what}: {port}");
            let received = missing.map(|missing| (missing > 0).then_some(missing));
            assert_eq!(less["received"], json!(received), "{what}: {port}");
            if missing == [0, 0] {
                assert_eq!(less, whole, "{what}: {port}");
            }
            let invented = invented(&whole, &less);
            assert!(invented.is_empty(), "{what}: {port}:\n{}", invented.join("\n"));
        }
    }
}

#[test]
fn lost_packets_are_counted_and_nothing_is_made_up() {
    (0..60).for_each(less_where_packets_are_lost);
}

/// Packets of one side only, or all from some packet on: less, nothing else, and nobody is blamed.
fn less_where_a_part_was_captured(seed: u64) {
    let (talks, expected) = straight(seed);
    let mut dice = Dice::new(seed.wrapping_mul(1_000) + 900);
    let segments = Journey::PLAIN.segments(&mut dice, &talks);
    let start = dice.below(segments.len());
    let parts: [(&str, Vec<Segment>); 3] = [
        ("the client", segments.iter().filter(|segment| segment.by_client).cloned().collect()),
        ("the server", segments.iter().filter(|segment| !segment.by_client).cloned().collect()),
        ("the rest", segments[start..].to_vec()),
    ];
    for (what, part) in parts {
        let file = written(&Journey::PLAIN.packets(&mut dice, &part));
        for (client, less) in told(&file) {
            let port = client.rsplit(':').next().unwrap();
            let key = expected.keys().find(|key| key.ends_with(&format!(":{port}"))).unwrap();
            let invented = invented(&expected[key], &less);
            assert!(invented.is_empty(), "seed {seed}, {what}: {client}:\n{}", invented.join("\n"));
        }
        let report = program::read_stdin(&file, &["--all", "--format", "json"]).report();
        let lines = report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let findings = lines.flat_map(|line| line["findings"].as_array().cloned().unwrap_or_default());
        let errors: Vec<Value> = findings.filter(|finding| finding["severity"] == "error").collect();
        let of_whole = errors_of(seed, &talks);
        let made_up: Vec<&Value> =
            errors.iter().filter(|finding| !of_whole.contains(&finding["rule"])).collect();
        assert!(made_up.is_empty(), "seed {seed}, {what}: {made_up:?}");
    }
}

/// The rules of the errors that are found on the straight way.
fn errors_of(seed: u64, talks: &[Talk]) -> Vec<Value> {
    let mut dice = Dice::new(seed ^ 1);
    let segments = Journey::PLAIN.segments(&mut dice, talks);
    let file = written(&Journey::PLAIN.packets(&mut dice, &segments));
    let report = program::read_stdin(&file, &["--all", "--format", "json"]).report();
    let lines = report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let findings = lines.flat_map(|line| line["findings"].as_array().cloned().unwrap_or_default());
    findings.filter(|finding| finding["severity"] == "error").map(|finding| finding["rule"].clone()).collect()
}

#[test]
fn a_part_of_a_capture_shows_less_and_blames_nobody() {
    (0..60).for_each(less_where_a_part_was_captured);
}

/// What is in the report of a part and not in that of the whole.
fn invented(whole: &Value, part: &Value) -> Vec<String> {
    let mut places = Vec::new();
    for side in ["client", "server"] {
        for kind in ["frames", "messages"] {
            let mut known: Vec<Value> = whole[kind][side].as_array().unwrap().iter().map(essence).collect();
            for one in part[kind][side].as_array().unwrap() {
                let is_whole = kind == "frames" || one["problem"].is_null();
                match known.iter().position(|known| *known == essence(one)) {
                    Some(at) => drop(known.remove(at)),
                    None if is_whole => places.push(format!("{kind} of the {side}: {one:.300}")),
                    None => {}
                }
            }
        }
    }
    let attempts = |value: &Value| value["attempts"].as_array().unwrap().clone();
    let of_whole = attempts(whole);
    if attempts(part).len() > of_whole.len() {
        places.push("more attempts".to_owned());
    }
    for attempt in attempts(part) {
        let problems =
            |attempt: &Value, of: &str| attempt[of]["problems"].as_array().cloned().unwrap_or_default();
        let anomalies = attempt["websocket"]["anomalies"].as_array().cloned().unwrap_or_default();
        let is_possible = of_whole.iter().any(|whole| {
            let status = &attempt["response"]["status"];
            (status.is_null() || status == &whole["response"]["status"])
                && ["request", "response"].iter().all(|of| {
                    problems(&attempt, of).iter().all(|problem| problems(whole, of).contains(problem))
                })
                && anomalies.is_empty()
        });
        if !is_possible {
            places.push(format!("an attempt: {attempt}"));
        }
    }
    places
}

/// What does not depend on what came before: which attempt it was, and of what an earlier loss makes uncertain.
fn essence(one: &Value) -> Value {
    let names = ["type", "opcode", "fin", "rsv", "masked", "length", "text", "base64", "problem"];
    names.iter().map(|name| ((*name).to_owned(), one[*name].clone())).collect::<Map<String, Value>>().into()
}
