//! The text report is never longer than a screen for each cause that it tells, unless `-v` asks for more: 48 lines of 80
//! columns, twice the smallest terminal. That much one cause takes whose two heads stand one below the other. Commands
//! to be copied are never broken; they count as one line.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fs;

use program::{captures, read, read_stdin};

#[path = "support/program.rs"]
mod program;

/// As in `src/report/text/screens.rs`.
const SCREEN_LINES: usize = 48;

const TEXT: [&str; 2] = ["--format", "text"];

#[test]
fn no_shipped_capture_takes_more_than_a_screen_for_each_cause() {
    for path in captures() {
        let report = read(&path, &TEXT).report();
        // Where nothing is wrong, the attempts are listed.
        if causes(&report) > 0 {
            assert_fits(&path.display().to_string(), &report);
        }
    }
}

#[test]
fn neither_do_many_attempts_that_fail_for_several_reasons() {
    for (causes_least, names) in [
        (1, &["nginx-nothing-configured"][..]),
        (1, &["socketio-polling"]),
        (3, &["graphql-closes", "hocuspocus-refused"]),
        (
            5,
            &[
                "nginx-nothing-configured",
                "mixed-backends",
                "wrong-accept",
                "redirect-login",
                "idle-cut",
                "one-sided",
            ],
        ),
        (
            10,
            &[
                "apache-anchored-condition",
                "auth-missing",
                "chat",
                "client-unmasked",
                "extension-unasked",
                "graphql-closes",
                "header-inheritance",
                "headers-too-large",
                "key-missing",
                "message-too-big",
                "method-post",
                "mixed-backends",
                "no-response",
                "one-sided",
                "origin-rejected",
                "path-doubled-404",
                "reset-injected",
                "signalr-mute",
                "socketio-scattered",
                "stripped-in-transit",
                "tls-on-plaintext-port",
                "two-proxies-inner-strips",
                "upstream-down-502",
                "upstream-silent-504",
                "version-8",
                "wrong-accept",
            ],
        ),
    ] {
        for times in [1, 30] {
            let capture = repeated(names, times);
            let report = read_stdin(&capture, &TEXT).report();
            assert!(causes(&report) >= causes_least, "{names:?}: {report}");
            assert_fits(&format!("{names:?} {times} times"), &report);
            if times > 1 {
                let verbose = read_stdin(&capture, &["--format", "text", "-v"]).report();
                assert!(verbose.lines().count() > report.lines().count(), "{names:?}: -v shows more");
            }
        }
    }
}

/// What is damaged in many places says so in a few lines.
#[test]
fn neither_does_a_capture_that_is_damaged_everywhere() {
    let mut capture = repeated(&["nginx-nothing-configured"], 40);
    let mut at = 24;
    let mut record = 0;
    while at + 16 <= capture.len() {
        let length = u32::from_le_bytes(capture[at + 8..at + 12].try_into().unwrap()) as usize;
        record += 1;
        if record % 25 == 0 {
            capture[at + 8..at + 16].fill(0xff);
        }
        at += 16 + length;
    }
    let report = read_stdin(&capture, &TEXT).report();
    assert!(causes(&report) > 0 && report.contains("-v shows all"), "{report}");
    assert_fits("damaged", &report);
}

fn assert_fits(name: &str, report: &str) {
    let (lines, causes) = (report.lines().count(), causes(report));
    assert!(lines <= SCREEN_LINES * causes.max(1), "{name}: {lines} lines for {causes} causes:\n{report}");
}

/// Findings above a note that the report tells.
fn causes(report: &str) -> usize {
    report.lines().filter(|line| line.starts_with("error: ") || line.starts_with("warning: ")).count()
}

/// The packets of these captures one after the other, so often, each time later and from other ports.
fn repeated(names: &[&str], times: u16) -> Vec<u8> {
    const APART_SECONDS: u32 = 100;
    let mut all = Vec::new();
    let mut begins = 1_000_000_000;
    for time in 0..times {
        for name in names {
            let file =
                fs::read(format!("{}/captures/{name}/proxy-any.pcap", env!("CARGO_MANIFEST_DIR"))).unwrap();
            if all.is_empty() {
                all.extend_from_slice(&file[..24]);
            }
            assert_eq!(all[..24], file[..24], "the same format and link type");
            let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
            let (first, mut at) = (word(24), 24);
            while at + 16 <= file.len() {
                let end = at + 16 + word(at + 8) as usize;
                all.extend_from_slice(&(word(at) - first + begins).to_le_bytes());
                all.extend_from_slice(&file[at + 4..at + 16]);
                let packet = all.len();
                all.extend_from_slice(&file[at + 16..end]);
                move_port(&mut all[packet..], time);
                at = end;
            }
            begins += APART_SECONDS;
        }
    }
    all
}

/// Gives a TCP connection over IPv4 another client's port. Checksums do not matter: network cards write them.
fn move_port(packet: &mut [u8], by: u16) {
    const LINK_BYTES: usize = 20;
    const EPHEMERAL: u16 = 32_768;
    if packet.get(..2) != Some(&[8, 0]) || packet.get(LINK_BYTES + 9) != Some(&6) {
        return;
    }
    let ports = LINK_BYTES + usize::from(packet[LINK_BYTES] & 0xf) * 4;
    for at in [ports, ports + 2] {
        let port = u16::from_be_bytes([packet[at], packet[at + 1]]);
        if let Some(above) = port.checked_sub(EPHEMERAL) {
            let moved = EPHEMERAL + (above + by * 257) % (u16::MAX - EPHEMERAL);
            packet[at..at + 2].copy_from_slice(&moved.to_be_bytes());
        }
    }
}
