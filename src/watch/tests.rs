//! What is told of a capture that goes on is what is found in it afterwards.

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
        let handshakes = events.iter().filter(|event| matches!(event, Event::Handshake { .. })).count();
        assert_eq!(handshakes as u64, capture.totals.attempts_total(), "{}", path.display());
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}
