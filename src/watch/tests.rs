//! What is told of a capture that goes on is what is found in it afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::capture::{CaptureFile, PacketMeta, Source};
use crate::model::Keeps;
use crate::pipeline::analyse;

/// Every packet of a capture as a block of its own.
fn blocks(path: &Path) -> Vec<Block> {
    let (mut file, mut block) = (CaptureFile::open(path).unwrap(), Block::default());
    let mut blocks = Vec::new();
    while file.next_block(&mut block).unwrap() {
        for packet in &block.packets {
            let bytes = block.captured(packet).to_vec();
            let packets = vec![PacketMeta { start: 0, ..*packet }];
            let first = PacketNumber(blocks.len() as u64 + 1);
            blocks.push(Block { bytes, packets, first, file_offset: 0 });
        }
    }
    blocks
}

fn watch() -> Watch {
    Watch::new(Options::default(), Selection::default(), false)
}

/// What is told of a capture, when it is looked at after each packet.
fn told(path: &Path) -> Vec<Event> {
    let mut watch = watch();
    let mut events = Vec::new();
    for block in blocks(path) {
        watch.read(&block);
        events.extend(watch.events());
    }
    events.extend(watch.end());
    assert!(watch.end().is_empty());
    events
}

fn captures() -> Vec<std::path::PathBuf> {
    let files = |folder: &Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let folders = files(Path::new("captures")).into_iter().filter(|path| path.is_dir());
    let mut found: Vec<_> = folders.flat_map(|folder| files(&folder)).collect();
    found.retain(|path| path.to_str().unwrap().contains(".pcap"));
    found.sort();
    assert!(found.len() > 50);
    found
}

/// Rule and packets of findings. Names of products are left out: what tells one may come after the finding.
fn shown<'a>(findings: impl Iterator<Item = &'a Finding>) -> BTreeSet<String> {
    findings
        .map(|finding| format!("{} {:?} {}", finding.rule.code, finding.packets, finding.headline))
        .collect()
}

#[test]
fn every_shipped_capture_is_judged_the_same() {
    let mut different = Vec::new();
    for path in captures() {
        let options = Options { keeps: Keeps::Connections, ..Options::default() };
        let capture = analyse(&mut CaptureFile::open(&path).unwrap(), None, options, |_| {}).unwrap();
        let expected = shown(diagnose(&capture, &Selection::default(), false).findings.iter());
        let events = told(&path);
        let found = events.iter().filter_map(|event| match event {
            Event::Found(found) => Some(&found.finding),
            _ => None,
        });
        let found = shown(found);
        if found != expected {
            different.push(format!("{}\n  read {expected:#?}\n  live {found:#?}", path.display()));
        }
        let diagnosis = diagnose(&capture, &Selection::default(), false);
        let end = capture.totals.first_and_last.unwrap().1;
        let mut expected: Vec<(Outcome, Option<&str>)> = Vec::new();
        for (place, route) in diagnosis.routes.iter().enumerate() {
            let client = capture.connections.get(route.legs[0].connection).unwrap();
            let outcome = Outcome::of(&client.attempts[route.legs[0].attempt], client, end);
            let rule = diagnosis.on_route(place).next().map(|finding| finding.rule.name);
            // What breaks a session is not known when the session begins.
            expected.push((outcome, rule.filter(|_| outcome.is_failure())));
        }
        let mut attempted: Vec<(Outcome, Option<&str>)> = Vec::new();
        for event in &events {
            if let Event::Attempted(it) = event {
                let rule = it.rule.map(|rule| rule.name);
                attempted.push((it.outcome, rule.filter(|_| it.outcome.is_failure())));
            }
        }
        expected.sort_unstable();
        attempted.sort_unstable();
        if attempted != expected {
            different.push(format!("{}\n  read {expected:?}\n  live {attempted:?}", path.display()));
        }
        let handshakes = events.iter().filter(|event| matches!(event, Event::Handshake { .. })).count();
        assert_eq!(handshakes as u64, capture.totals.attempts_total(), "{}", path.display());
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

/// The packets of a block so much later, and so many further on.
fn later(block: &Block, span: Span, packets: u64) -> Block {
    let packet = |packet: &PacketMeta| PacketMeta { time: packet.time.after(span), ..*packet };
    Block {
        bytes: block.bytes.clone(),
        packets: block.packets.iter().map(packet).collect(),
        first: PacketNumber(block.first.0 + packets),
        file_offset: 0,
    }
}

#[test]
fn what_is_over_is_let_go() {
    let blocks = blocks(Path::new("captures/nginx-nothing-configured/proxy-any.pcap"));
    let (mut watch, mut found, mut kept) = (watch(), Vec::new(), Vec::new());
    for round in 0..60 {
        let span = Span::from_millis(round * 100_000);
        for block in &blocks {
            watch.read(&later(block, span, u64::try_from(round).unwrap() * blocks.len() as u64));
            found.extend(watch.events().into_iter().filter(|event| matches!(event, Event::Found(_))));
        }
        // The clock goes on where no packet comes.
        for _ in 0..2 {
            watch.wait_until(watch.now().after(Span::from_millis(3_000)));
            found.extend(watch.events().into_iter().filter(|event| matches!(event, Event::Found(_))));
        }
        kept.push((watch.window.len(), watch.told.legs.len(), watch.due.len()));
    }
    // One round in the window, since no two have the same keys, and no more.
    assert!(kept[4..].iter().all(|later| *later == kept[4]), "{kept:?}");
    assert!(kept[4].0 <= 12, "{kept:?}");
    found.extend(watch.end().into_iter().filter(|event| matches!(event, Event::Found(_))));
    let mut codes = BTreeMap::new();
    for event in &found {
        let Event::Found(found) = event else { continue };
        *codes.entry((found.finding.rule.code, found.legs.len())).or_insert(0) += 1;
    }
    assert_eq!(codes, BTreeMap::from([(("WS201", 2), 2 * 60)]), "each finding once");
    assert_eq!(watch.totals().attempts_total(), 4 * 60);
}

#[test]
fn silent_connections_expire() {
    let path = Path::new("captures/chat/client-eth.pcap");
    let mut watch = watch();
    let blocks = blocks(path);
    // Up to the answer: the session is open.
    for block in &blocks[..8] {
        watch.read(block);
    }
    let ended = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Ended(_))).count();
    let hours = |hours: i64| Span::from_millis(hours * 60 * 60 * 1_000);
    let start = watch.now();
    watch.wait_until(start.after(hours(1)));
    assert_eq!(ended(&watch.events()), 0);
    watch.wait_until(start.after(hours(3)));
    let events = watch.events();
    assert_eq!(ended(&events), 1);
    assert!(matches!(&events[..], [.., Event::Ended(connection)] if connection.tcp.evicted));
    assert_eq!(watch.totals().tcp.connections_expired, 1);
    // The time does not go back.
    watch.wait_until(start);
    assert_eq!(watch.now(), start.after(hours(3)));
}

#[test]
fn an_attempt_without_an_answer_is_told_when_it_waited_for_long() {
    let blocks = blocks(Path::new("captures/chat/client-eth.pcap"));
    let mut watch = watch();
    for block in &blocks[..6] {
        watch.read(block);
    }
    assert!(watch.events().is_empty());
    watch.wait_until(watch.now().after(Span::from_millis(61_000)));
    let events = watch.events();
    assert!(matches!(&events[..], [Event::Handshake { outcome: Outcome::Unanswered, .. }]), "{events:?}");
    assert!(watch.events().is_empty(), "it is told once");
}

/// A capture in which the clock is put by so much in the middle, as it is told of it.
fn told_across_a_step(by: Span) -> (Vec<Event>, Vec<Event>) {
    let path = Path::new("captures/nginx-nothing-configured/proxy-any.pcap");
    let mut watch = watch();
    let (before, after) = (blocks(path), blocks(path));
    let (first, count) = (before[0].packets[0].time, before.len() as u64);
    let end = |watch: &mut Watch, mut time: Timestamp| {
        // Nothing comes, and time goes by.
        let mut events = Vec::new();
        for _ in 0..80 {
            watch.wait_until(time);
            time = time.after(Span::from_millis(100));
            events.extend(watch.events());
        }
        events
    };
    let mut told = Vec::new();
    for block in before {
        watch.read(&block);
        told.extend(watch.events());
    }
    let last = watch.now();
    told.extend(end(&mut watch, last));
    // One that waits for its answer when the clock is put.
    let start = watch.now().after(by);
    watch.clock_stepped(start);
    assert_eq!(watch.now(), start);
    let mut later = Vec::new();
    for mut block in after {
        block.first = PacketNumber(block.first.0 + count);
        for packet in &mut block.packets {
            packet.time = start.after(packet.time.since(first));
        }
        watch.read(&block);
        later.extend(watch.events());
    }
    let last = watch.now();
    later.extend(end(&mut watch, last));
    (told, later)
}

#[test]
fn a_clock_that_is_put_stops_nothing() {
    let rules = |events: &[Event]| {
        let mut rules = Vec::new();
        for event in events {
            match event {
                Event::Found(found) => rules.push(found.finding.rule.name),
                Event::Attempted(attempted) => rules.push(attempted.outcome.name()),
                Event::Ended(_) => rules.push("ended"),
                Event::Handshake { .. } => rules.push("handshake"),
            }
        }
        rules.sort_unstable();
        rules
    };
    let (usual, same) = told_across_a_step(Span::from_millis(1));
    assert_eq!(rules(&usual), rules(&same));
    assert!(rules(&usual).contains(&"upgrade-stripped"));
    for hours in [-100, -3, 3, 100] {
        let (before, after) = told_across_a_step(Span::from_millis(hours * 3_600_000));
        assert_eq!(rules(&before), rules(&usual), "{hours} h");
        assert_eq!(rules(&after), rules(&usual), "{hours} h");
    }
}

#[test]
fn a_request_that_waits_when_the_clock_is_put_forward_is_not_unanswered() {
    let path = Path::new("captures/nginx-nothing-configured/proxy-any.pcap");
    let mut watch = watch();
    for block in blocks(path).into_iter().take(7) {
        watch.read(&block);
    }
    let stepped = watch.now().after(Span::from_millis(3 * 3_600_000));
    watch.clock_stepped(stepped);
    assert_eq!(watch.events().len(), 0);
    watch.wait_until(stepped.after(Span::from_millis(61_000)));
    let events = watch.events();
    assert!(events.iter().any(|event| matches!(event, Event::Handshake { .. })), "{events:?}");
}
