//! Packets of connections copied into a file of their own: the same packets, as this program and Wireshark's read them.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::Path;

use wireshark::{capinfos, tshark};
use wsinspect::capture::{Block, CaptureFile, PcapngOutput, Source};
use wsinspect::model::{Capture, Keeps};
use wsinspect::pipeline::{Export, Options, analyse};
use wsinspect::protocol::Role;

#[path = "support/wireshark.rs"]
mod wireshark;

/// Captures of several formats and link types, with several connections each.
const CAPTURES: [&str; 4] = [
    "captures/nginx-nothing-configured/proxy-any.pcap",
    "captures/chat/both-sides.pcapng",
    "captures/chat/client-eth.pcap.gz",
    "captures/snaplen-cut/proxy-any.pcap",
];

/// A packet: time, link type, length on the wire, bytes.
type Seen = (i64, u16, u32, Vec<u8>);

fn packets(path: &Path) -> Vec<Seen> {
    let (mut file, mut block) = (CaptureFile::open(path).unwrap(), Block::default());
    let mut seen = Vec::new();
    while file.next_block(&mut block).unwrap() {
        seen.extend(block.packets.iter().map(|packet| {
            let bytes = block.captured(packet).to_vec();
            (packet.time.as_nanos(), packet.link.0, packet.original, bytes)
        }));
    }
    assert_eq!(file.take_damage(), []);
    seen
}

fn read(path: &Path) -> Capture {
    let options = Options { keeps: Keeps::Connections, ..Options::default() };
    analyse(&mut CaptureFile::open(path).unwrap(), None, options, |_| {}).unwrap()
}

/// Copies these connections; a packet in the middle of the first one gets a comment.
fn export(from: &Path, capture: &Capture, wanted: &[usize], to: &Path) -> u64 {
    let mut export = Export::default();
    assert!(export.is_empty());
    for at in wanted {
        export.add(&capture.connections[*at]);
    }
    let commented = capture.connections[wanted[0]].attempts[0].request.as_ref().unwrap().origin.packet;
    export.comment(commented, COMMENT.to_owned());
    export.comment(commented, "and another one".to_owned());
    let mut out = PcapngOutput::create(to).unwrap();
    let copied = export.copy(&mut CaptureFile::open(from).unwrap(), &mut out, |_| {}).unwrap();
    assert_eq!(out.length(), std::fs::metadata(to).unwrap().len());
    copied
}

#[test]
fn packets_are_copied_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.pcapng");
    for from in CAPTURES.map(Path::new) {
        let capture = read(from);
        let all: Vec<usize> = (0..capture.connections.len()).collect();
        for wanted in [&all[..], &all[..1]] {
            let copied = export(from, &capture, wanted, &to);
            let (before, after) = (packets(from), packets(&to));
            assert_eq!(copied, after.len() as u64, "{}", from.display());
            let halves = wanted.iter().flat_map(|at| [Role::Client, Role::Server].map(|role| (at, role)));
            let expected: u64 = halves.map(|(at, role)| capture.connections[*at].half(role).packets).sum();
            assert_eq!(copied, expected, "{}", from.display());
            // In the same order, nothing changed and nothing made up.
            let mut rest = before.iter();
            assert!(after.iter().all(|packet| rest.any(|known| known == packet)), "{}", from.display());
        }
    }
}

#[test]
fn what_was_copied_is_the_same_connection() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.pcapng");
    for from in CAPTURES.map(Path::new) {
        let capture = read(from);
        export(from, &capture, &[0], &to);
        let copy = read(&to);
        assert_eq!(copy.connections.len(), 1, "{}", from.display());
        let (one, other) = (&capture.connections[0], &copy.connections[0]);
        assert_eq!(one.tcp.flow, other.tcp.flow);
        assert_eq!(one.tcp.opening.first.time, other.tcp.opening.first.time);
        assert_eq!(one.tcp.last.1, other.tcp.last.1);
        assert_eq!(one.attempts.len(), other.attempts.len());
        for (one, other) in one.attempts.iter().zip(&other.attempts) {
            let head = |attempt: &wsinspect::protocol::Attempt| {
                attempt.request.as_ref().map(|request| format!("{:?}", request.head()))
            };
            assert_eq!(head(one), head(other));
        }
    }
}

#[test]
fn wireshark_reads_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.pcapng");
    for from in CAPTURES.map(Path::new) {
        let capture = read(from);
        let connection = &capture.connections[0];
        export(from, &capture, &[0], &to);
        let [client, server] = [Role::Client, Role::Server].map(|role| connection.endpoint(role).port);
        let only = format!("tcp.port == {client} && tcp.port == {server}");
        let fields = [
            "-Tfields",
            "-eframe.time_epoch",
            "-eframe.len",
            "-eframe.cap_len",
            "-etcp.seq_raw",
            "-etcp.len",
        ];
        let [from, to] = [from, &to].map(|path| path.to_str().unwrap());
        let (Some(before), Some(after), Some(comments), Some(about)) = (
            tshark(&[&["-r", from, "-Y", &only], &fields[..]].concat()),
            tshark(&[&["-r", to], &fields[..]].concat()),
            tshark(&[
                "-r",
                to,
                "-Y",
                "frame.comment",
                "-Tfields",
                "-eframe.comment",
                "-ehttp.request.method",
            ]),
            capinfos(&[to]),
        ) else {
            return;
        };
        assert_eq!(before, after, "{from}");
        assert_eq!(comments, format!("{COMMENT},and another one\tGET\n"));
        assert!(about.contains("Time precision = nanoseconds"), "{about}");
        assert!(about.contains("Capture application: wsinspect"), "{about}");
    }
}

const COMMENT: &str = "a comment that says größer";
