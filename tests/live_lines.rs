//! What `live` writes, line by line, for captures that are played to it packet by packet.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::Path;

use insta::assert_snapshot;
use wsinspect::capture::{Block, CaptureFile, PacketMeta, Source};
use wsinspect::diagnosis::Selection;
use wsinspect::model::Capture;
use wsinspect::pipeline::Options;
use wsinspect::report::{LiveReport, Started, Status, TimeStyle};
use wsinspect::units::{PacketNumber, Span};
use wsinspect::watch::{Event, Judge, Watch};

const CAPTURES: [&str; 4] = ["nginx-nothing-configured", "idle-cut", "client-reset", "no-response"];

/// Each packet as a block of its own.
fn blocks(path: &Path) -> Vec<Block> {
    let (mut file, mut block) = (CaptureFile::open(path).unwrap(), Block::default());
    let mut blocks: Vec<Block> = Vec::new();
    while file.next_block(&mut block).unwrap() {
        blocks.extend(block.packets.iter().map(|packet| Block {
            bytes: block.captured(packet).to_vec(),
            packets: vec![PacketMeta { start: 0, ..*packet }],
            ..Block::default()
        }));
    }
    for (number, block) in (1..).zip(&mut blocks) {
        block.first = PacketNumber(number);
    }
    blocks
}

fn tell(watch: &Watch, events: Vec<Event>, report: &mut LiveReport, out: &mut Vec<u8>) {
    let now = watch.now();
    for event in events {
        match event {
            Event::Handshake { connection, attempt, outcome } => {
                report.handshake((&connection, attempt), outcome, now, out)
            }
            Event::Ended(connection) if connection.attempts.is_empty() => Ok(()),
            Event::Ended(connection) => report.ended(&connection, now, out),
            Event::Attempted(_) => Ok(()),
            Event::Found(found) => report.found(&found.finding, &found.legs, now, out),
        }
        .unwrap();
    }
}

/// All that is told of a capture, with some seconds of silence behind it.
fn lines(name: &str, mut report: LiveReport) -> String {
    let blocks = blocks(&Path::new("captures").join(name).join("proxy-any.pcap"));
    let (mut watch, mut judge) =
        (Watch::new(Options::default(), true), Judge::new(Selection::default(), false));
    let mut look = |watch: &mut Watch, mut events: Vec<Event>| {
        while let Some(task) = watch.task() {
            events.extend(watch.judged(judge.judge(task)));
        }
        events
    };
    let (out, start) = (&mut Vec::new(), blocks[0].packets[0].time);
    let interfaces = vec![("any".to_owned(), 276)];
    let confinement = vec!["user nobody".to_owned()];
    let started = Started { time: start, interfaces, filter: "tcp".to_owned(), confinement, metrics: None };
    report.started(&started, out).unwrap();
    for block in &blocks {
        watch.read(block);
        let events = watch.events();
        let events = look(&mut watch, events);
        tell(&watch, events, &mut report, out);
    }
    for _ in 0..3 {
        watch.wait_until(watch.now().after(Span::from_millis(3_000)));
        let events = watch.events();
        let events = look(&mut watch, events);
        tell(&watch, events, &mut report, out);
    }
    let capture = Capture { totals: watch.totals(), ..Capture::default() };
    let events = watch.end();
    let events = look(&mut watch, events);
    tell(&watch, events, &mut report, out);
    report.warning("the capture on eth0 has ended: \u{1b}[2Jit is gone", watch.now(), out).unwrap();
    let status = Status { received: 100, dropped_by_kernel: 7, dropped_by_interface: 1 };
    report.summary(&capture, status, watch.now(), out).unwrap();
    String::from_utf8(std::mem::take(out)).unwrap()
}

#[test]
fn lines_for_people() {
    for name in CAPTURES {
        assert_snapshot!(format!("text-{name}"), lines(name, LiveReport::text(false, TimeStyle::Relative)));
    }
}

#[test]
fn lines_for_programs() {
    for name in CAPTURES {
        assert_snapshot!(format!("json-{name}"), lines(name, LiveReport::json(false)));
    }
}
