//! `--write-failures`: what is in the file, and what Wireshark shows of it.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use program::{Folder, root, run};
use wireshark::tshark;

#[path = "support/program.rs"]
mod program;
#[path = "support/wireshark.rs"]
mod wireshark;

const FAILING: &str = "captures/nginx-nothing-configured/proxy-any.pcap";
const HEALTHY: &str = "captures/nginx-all-correct/proxy-any.pcap";
const MIXED: &str = "captures/mixed-backends/proxy-any.pcap";

fn json(folder: &Folder, file: &str, options: &[&str]) -> Vec<serde_json::Value> {
    let report = folder.run(&[&["read", file, "--format", "json"], options].concat()).report();
    report.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn absolute(capture: &str) -> String {
    root().join(capture).to_str().unwrap().to_owned()
}

/// What was found, in order: code and message of each finding.
fn findings(lines: &[serde_json::Value]) -> Vec<(String, String)> {
    let all = lines.iter().flat_map(|line| line["findings"].as_array().unwrap());
    all.map(|finding| (finding["code"].to_string(), finding["message"].to_string())).collect()
}

#[test]
fn the_copy_has_the_same_findings() {
    let folder = Folder::new();
    let before = json(&folder, &absolute(FAILING), &["--write-failures", "copy.pcapng"]);
    let after = json(&folder, "copy.pcapng", &[]);
    assert!(!findings(&before).is_empty());
    assert_eq!(findings(&before), findings(&after));
    // What works beside what fails is left out.
    let before = json(&folder, &absolute(MIXED), &["--write-failures", "copy.pcapng"]);
    let after = json(&folder, "copy.pcapng", &[]);
    let attempts = |lines: &[serde_json::Value]| {
        let attempts = &lines.last().unwrap()["attempts"];
        ["refused", "established"].map(|outcome| attempts[outcome].as_u64().unwrap())
    };
    assert_eq!(attempts(&before)[0], attempts(&after)[0]);
    assert!(attempts(&after)[1] < attempts(&before)[1]);
}

#[test]
fn wireshark_shows_the_findings() {
    let folder = Folder::new();
    let before = json(&folder, &absolute(FAILING), &["--write-failures", "copy.pcapng"]);
    let all = before.iter().flat_map(|line| line["findings"].as_array().unwrap());
    let expected: Vec<(u64, &str)> = all
        .flat_map(|finding| {
            let packets = finding["packets"].as_array().unwrap().iter();
            packets.map(|packet| (packet.as_u64().unwrap(), finding["message"].as_str().unwrap()))
        })
        .collect();
    assert!(expected.len() > 3);
    let copy = folder.path("copy.pcapng");
    let fields = ["-Tfields", "-eframe.time_epoch", "-eframe.comment"];
    let shown = tshark(&[&["-r", copy.to_str().unwrap(), "-Y", "frame.comment"], &fields[..]].concat());
    let original = tshark(&["-r", &absolute(FAILING), "-Tfields", "-eframe.time_epoch"]);
    let (Some(shown), Some(original)) = (shown, original) else { return };
    let times: Vec<&str> = original.lines().collect();
    assert_eq!(shown.lines().count(), expected.len());
    for (line, (packet, message)) in shown.lines().zip(expected) {
        let (time, comment) = line.split_once('\t').unwrap();
        assert_eq!(time, times[usize::try_from(packet).unwrap() - 1]);
        assert!(comment.starts_with("error WS201 upgrade-stripped: nginx"), "{comment}");
        let ending = format!("(packet {packet} of the capture; wsinspect explain upgrade-stripped)");
        assert!(comment.ends_with(&ending), "{comment}");
        assert!(comment.contains(message), "{comment}");
    }
}

#[test]
fn a_healthy_capture_leaves_an_empty_file() {
    let folder = Folder::new();
    assert!(findings(&json(&folder, &absolute(HEALTHY), &["--write-failures", "copy.pcapng"])).is_empty());
    let report = folder.run(&["read", "copy.pcapng"]).report();
    assert!(report.starts_with("the capture has no packets"), "{report}");
    let copy = folder.path("copy.pcapng");
    if let Some(shown) = tshark(&["-r", copy.to_str().unwrap()]) {
        assert_eq!(shown, "");
    }
}

#[test]
fn totals_alone_do_not_keep_findings_from_the_file() {
    let folder = Folder::new();
    folder.run(&["read", &absolute(FAILING), "-q", "--write-failures", "copy.pcapng"]).report();
    assert!(!findings(&json(&folder, "copy.pcapng", &[])).is_empty());
}

#[test]
fn what_cannot_be_written_is_told_before_anything_is_read() {
    let folder = Folder::new();
    let capture = absolute(FAILING);
    std::fs::copy(&capture, folder.path("dump.pcap")).unwrap();
    let complaint = |file: &str| folder.run(&["read", "dump.pcap", "--write-failures", file]).complaint();
    assert_eq!(complaint("no/copy"), "wsinspect: cannot write no/copy: no such directory");
    assert_eq!(
        complaint("dump.pcap"),
        "wsinspect: cannot write dump.pcap: it is the capture that is to be read"
    );
    let bytes = std::fs::read(&capture).unwrap();
    let piped = folder.program().args(["read", "-", "--write-failures", "copy"]).write_stdin(bytes).output();
    let said = String::from_utf8(piped.unwrap().stderr).unwrap();
    assert!(said.contains("cannot write copy: the capture comes through a pipe"), "{said}");
    assert!(run(&["read", "--help"]).report().contains("--write-failures"));
}
