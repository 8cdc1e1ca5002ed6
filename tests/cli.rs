//! The command line as its user meets it: exit statuses, what is said where, options, pipes.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use conversation::{Conversation, Ip, Link, SWITCH, UPGRADE, client_frame, client_text, pcap, pcapng};
use program::{Folder, Outcome, outcome, program, read_stdin, run, words};
use testing::PcapFile;
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/program.rs"]
mod program;
#[path = "../src/capture/testing.rs"]
mod testing;

#[test]
fn what_is_no_capture_is_refused_in_one_line() {
    let write = "write a capture with: tcpdump -w FILE";
    let cases: [(&[u8], String); 9] = [
        (b"", format!("it is empty ({write})")),
        (b"\xd4\xc3", format!("it ends inside its first four bytes ({write})")),
        (b"12:00:01 IP 10.77.1.2.59070 > 10.77.1.1.80: Flags [S]\n", {
            format!("it is text, not a capture ({write})")
        }),
        (b"\x7fELF\x02\x01\x01\0\0\0", format!("it is neither pcap nor pcapng ({write})")),
        (
            b"\x28\xb5\x2f\xfd\x04\x00",
            "its zstd stream is damaged from the start (try: zstd -t FILE)".to_owned(),
        ),
        (b"PK\x03\x04\x14\0\0\0", "it is a zip archive (unpack it first: unzip FILE)".to_owned()),
        (&b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0"[..23], {
            "it ends inside its file header (was it copied before tcpdump had written it?)".to_owned()
        }),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a", {
            "it ends inside its file header (was it copied before tcpdump had written it?)".to_owned()
        }),
        (b"\x1f\x8b\x08\0\0", "its gzip stream is damaged from the start (try: gzip -t FILE)".to_owned()),
    ];
    for (bytes, expected) in cases {
        let folder = Folder::with("dump.pcap", bytes);
        let complaint = folder.run(&["read", "dump.pcap"]).complaint();
        assert_eq!(complaint, format!("wsinspect: cannot read dump.pcap: {expected}"));
        let complaint = read_stdin(bytes, &[]).complaint();
        assert_eq!(complaint, format!("wsinspect: cannot read standard input: {expected}"));
    }
}

#[test]
fn what_cannot_be_opened_is_told() {
    assert_eq!(
        run(&["read", "no-such.pcap"]).complaint(),
        "wsinspect: cannot open no-such.pcap: no such file or directory"
    );
    assert_eq!(
        run(&["read", "captures"]).complaint(),
        "wsinspect: cannot open captures: it is a directory (name a capture in it)"
    );
}

#[test]
fn no_packets_are_a_capture_too() {
    let folder = Folder::new();
    folder.write("none.pcap", &pcap(Link::Ethernet, &[]));
    folder.write("none.pcapng", &pcapng(false, Link::Ethernet, &[]));
    for name in ["none.pcap", "none.pcapng"] {
        let text = folder.run(&["read", name]).report();
        assert_eq!(words(&text), "the capture has no packets 0 packets");
        let json = folder.run(&["read", name, "--format", "json"]).report();
        assert_eq!(json.lines().count(), 1);
        let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&summary["packets"], &summary["start"]), (&0.into(), &serde_json::Value::Null));
    }
}

#[test]
fn without_tcp_there_is_nothing_to_tell() {
    let packets = [Ip::V4.udp(), Ip::V6.udp()];
    let folder = Folder::with("dns.pcap", &pcap(Link::Raw, &packets));
    assert_eq!(
        folder.run(&["read", "dns.pcap"]).report(),
        "no WebSocket upgrade attempt: no TCP connection               2 packets, 1.00 ms\n\n\
         about the capture\n  - 2 packets skipped: not TCP\n"
    );
}

#[test]
fn what_is_encrypted_is_not_called_a_failure() {
    let packets: Vec<_> = (0..3).flat_map(|number| encrypted(40_000 + number)).collect();
    let folder = Folder::with("tls.pcap", &pcap(Link::Ethernet, &packets));
    let text = folder.run(&["read", "tls.pcap"]).report();
    let verdict = "no WebSocket upgrade attempt can be seen: all 3 connections are encrypted (TLS)";
    assert!(words(&text).starts_with(verdict), "{text}");
    let one = Folder::with("tls.pcap", &pcap(Link::Ethernet, &encrypted(40_000)));
    let text = one.run(&["read", "tls.pcap", "-q"]).report();
    let verdict = "no WebSocket upgrade attempt can be seen: the only connection is encrypted (TLS)";
    assert!(words(&text).starts_with(verdict), "{text}");
}

#[test]
fn standard_input_is_a_dash() {
    for name in ["chat/client-eth.pcap", "chat/both-sides.pcapng", "chat/client-eth.pcap.gz"] {
        let path = format!("captures/{name}");
        let bytes = std::fs::read(program::root().join(&path)).unwrap();
        for options in [&[][..], &["--format", "json", "--all", "--frames"]] {
            let from_file = run(&[&["read", &path], options].concat()).report();
            assert_eq!(read_stdin(&bytes, options).report(), from_file, "{name}");
        }
    }
}

/// The pieces in which a pipe brings a capture make no difference.
#[test]
fn odd_pieces_make_no_difference() {
    let path = "captures/chat/both-sides.pcapng";
    let bytes = std::fs::read(program::root().join(path)).unwrap();
    let options = ["--format", "json", "--all", "--frames"];
    let expected = run(&[&["read", path], &options[..]].concat()).report();
    for lengths in [&[1][..], &[7, 4096, 1], &[16, 27, 3]] {
        let mut child = piped(&options);
        let mut stdin = child.stdin.take().unwrap();
        let mut rest = &bytes[..];
        for length in lengths.iter().cycle() {
            let (piece, after) = rest.split_at(rest.len().min(*length));
            stdin.write_all(piece).unwrap();
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        drop(stdin);
        assert_eq!(end(child).report(), expected, "in pieces of {lengths:?}");
    }
}

#[test]
fn the_same_capture_gives_the_same_report() {
    let path = "captures/header-inheritance/proxy-any.pcap";
    for options in [&["--all"][..], &["--format", "json", "--all", "--frames"]] {
        let once = run(&[&["read", path], options].concat()).report();
        for _ in 0..3 {
            assert_eq!(run(&[&["read", path], options].concat()).report(), once);
        }
    }
}

/// As with `wsinspect read … | head -1`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let capture = pcap(Link::Ethernet, &many_frames());
    let mut child = piped(&["--format", "json", "--frames"]);
    child.stdin.take().unwrap().write_all(&capture).unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 100];
    stdout.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"{\"type\":\"connection\""));
    drop(stdout);
    assert_eq!(end(child), went_well(""));
}

/// The reader has left before anything was written.
#[test]
fn a_reader_that_never_came_is_no_error() {
    let capture = pcap(Link::Ethernet, &many_frames());
    for format in ["text", "json"] {
        let mut child = piped(&["--format", format]);
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(&capture).unwrap();
        assert_eq!(end(child), went_well(""));
    }
}

#[test]
fn a_wrong_filter_is_told_in_libpcaps_words() {
    let complaint = run(&["read", "-f", "tcp prot 80", CHAT]).complaint();
    let start = "wsinspect: cannot use the filter \"tcp prot 80\": ";
    assert!(complaint.starts_with(start) && complaint.ends_with(" (man pcap-filter)"), "{complaint}");
    assert!(complaint.contains("syntax error"), "{complaint}");
    // A name that only libpcap can judge.
    let complaint = run(&["read", "-f", "port no-such-service", CHAT]).complaint();
    assert!(complaint.contains("no-such-service"), "{complaint}");
    // It is looked at before the file is.
    let complaint = run(&["read", "-f", "tcp prot 80", "no-such.pcap"]).complaint();
    assert!(complaint.contains("cannot use the filter"), "{complaint}");
}

#[test]
fn a_filter_selects_connections() {
    let file = "captures/nginx-headers-only/proxy-any.pcap";
    let read = |options: &[&str]| run(&[&["read", "--format", "json", file], options].concat()).report();
    let all = read(&[]);
    let upstream: Vec<&str> =
        all.lines().filter(|line| line.contains("\"server\":\"10.77.2.2:3000\"")).collect();
    assert_eq!(upstream.len(), 1);
    let filtered = read(&["-f", "tcp port 3000"]);
    let connections: Vec<&str> = filtered.lines().filter(|line| !line.contains("\"summary\"")).collect();
    // Alone it is judged as what it then is, one leg.
    let facts = |line: &str| line.split(",\"findings\":").next().unwrap().to_owned();
    let [filtered_facts, all_facts] =
        [&connections, &upstream].map(|lines| lines.iter().map(|line| facts(line)).collect::<Vec<_>>());
    assert_eq!(filtered_facts, all_facts, "packets keep their numbers");
    assert!(filtered.contains("\"skipped\":{\"filter\":38}"), "{filtered}");
    assert_eq!(read(&["--filter", "tcp port 3000"]), filtered);
    // None is left.
    let none = run(&["read", "-f", "udp port 53", file]).report();
    assert!(none.starts_with("the filter leaves nothing to look at "), "{none}");
    assert!(none.contains("- 52 packets skipped: left out by the filter\n"), "{none}");
}

#[test]
fn the_report_can_go_to_a_file() {
    let folder = Folder::new();
    folder.write("chat.pcap", &std::fs::read(program::root().join(CHAT)).unwrap());
    folder.write("report.txt", b"an older and longer one\n".repeat(500).as_slice());
    let expected = folder.run(&["read", "chat.pcap"]).report();
    assert_eq!(folder.run(&["read", "chat.pcap", "-o", "report.txt"]), went_well(""));
    assert_eq!(folder.content("report.txt"), expected);
    assert_eq!(
        folder.run(&["read", "chat.pcap", "--output", "report.txt", "--color", "always"]),
        went_well("")
    );
    assert!(folder.content("report.txt").contains("\x1b["));
}

#[test]
fn where_the_report_cannot_go_is_told() {
    let complaint = run(&["read", CHAT, "-o", "no-such-folder/report.txt"]).complaint();
    assert_eq!(complaint, "wsinspect: cannot write no-such-folder/report.txt: no such directory");
    let complaint = run(&["read", CHAT, "-o", "captures"]).complaint();
    assert_eq!(complaint, "wsinspect: cannot write captures: it is a directory");
}

/// A report that would take the place of its own capture is refused, and the capture is whole afterwards.
#[test]
fn the_report_does_not_take_the_captures_place() {
    let capture = pcap(Link::Ethernet, &many_frames());
    let folder = Folder::with("dump.pcap", &capture);
    for same in ["dump.pcap", "./dump.pcap"] {
        let complaint = folder.run(&["read", "dump.pcap", "-o", same]).complaint();
        assert_eq!(
            complaint,
            format!("wsinspect: cannot write {same}: it is the capture that is to be read")
        );
    }
    let report = folder.run(&["read", "-q", "dump.pcap"]).report();
    assert!(report.starts_with("the only upgrade attempt succeeded "), "{report}");
}

#[test]
fn frames_are_for_programs() {
    for options in [&["--frames"][..], &["--frames", "--format", "text"]] {
        let complaint = run(&[&["read", CHAT], options].concat()).complaint();
        assert_eq!(complaint, "wsinspect: cannot show frames as text (use --format json)");
    }
}

#[test]
fn colours_say_nothing_of_their_own() {
    let read = |color: &str| run(&["read", "--color", color, CHAT]).report();
    let (plain, colored) = (read("never"), read("always"));
    assert!(!plain.contains('\x1b') && colored.contains("\x1b["), "{colored:?}");
    let stripped = anstream::adapter::strip_str(&colored).to_string();
    assert_eq!(stripped, plain);
    // A pipe is no terminal.
    assert_eq!(read("auto"), plain);
    let json = |color: &str| run(&["read", "--format", "json", "--color", color, CHAT]).report();
    assert_eq!(json("always"), json("never"));
}

#[test]
fn no_color_is_respected() {
    let with = |variables: &[(&str, &str)], options: &[&str]| {
        outcome(program().envs(variables.iter().copied()).arg("read").args(options).arg(CHAT)).report()
    };
    let forced = ("CLICOLOR_FORCE", "1");
    assert!(with(&[forced], &[]).contains('\x1b'), "what would be coloured");
    assert!(!with(&[forced, ("NO_COLOR", "1")], &[]).contains('\x1b'));
    assert!(with(&[("NO_COLOR", "1")], &["--color", "always"]).contains('\x1b'), "asked for is asked for");
}

#[test]
fn quiet_is_the_totals() {
    for path in ["captures/chat/client-eth.pcap", "captures/header-inheritance/client-eth.pcap"] {
        let quiet = run(&["read", "-q", path]).report();
        assert_eq!((quiet.lines().count(), &run(&["read", "--quiet", path]).report()), (1, &quiet));
        // The whole report begins with the same verdict, and says why.
        let verdict = quiet.split("  ").next().unwrap();
        assert!(run(&["read", path]).report().starts_with(verdict), "{quiet}");
    }
    // Which connections are before and after one proxy takes more than totals, whatever else is asked for.
    let both_sides = "captures/header-inheritance/proxy-any.pcap";
    for options in [&["-q"] as &[&str], &["-q", "--fail-on", "error"]] {
        let quiet = outcome(program().arg("read").args(options).arg(both_sides)).stdout;
        assert!(quiet.starts_with("2 of 4 upgrade attempts failed "), "{quiet}");
    }
    assert!(run(&["read", both_sides]).report().starts_with("1 of 2 upgrade attempts failed: "));
    // Programs get what they always get.
    let json = run(&["read", "--format", "json", CHAT]);
    assert_eq!(run(&["read", "--format", "json", "-q", CHAT]), json);
}

/// Times in a zone are those of UTC with another offset, in whatever zone this runs.
#[test]
fn local_times_are_those_of_the_zone() {
    let shown = |style: &str, zone: &str| {
        let report = outcome(program().env("TZ", zone).args(["read", "--time", style, CHAT])).report();
        let line = report.lines().find(|line| line.starts_with("  at ")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(shown("utc", "Asia/Kolkata"), "2026-11-23T18:48:00.235846Z");
    // The rule itself needs no database of zones.
    assert_eq!(shown("local", "IST-5:30"), "2026-11-24T00:18:00.235846+05:30");
}

#[test]
fn wrong_usage_is_told_in_one_line() {
    let cases: [(&[&str], &str); 7] = [
        (
            &["read", "--no-such-flag", CHAT],
            "unexpected argument '--no-such-flag' found (usage: wsinspect read [OPTIONS] <FILE>...)",
        ),
        (
            &["read", "--qiet", CHAT],
            "unexpected argument '--qiet' found (a similar argument exists: '--quiet')",
        ),
        (
            &["read"],
            "the following required arguments were not provided: <FILE>... (usage: wsinspect read <FILE>...)",
        ),
        (&["rade", CHAT], "unrecognized subcommand 'rade' (a similar subcommand exists: 'read')"),
        (
            &["read", "--format", "xml", CHAT],
            "invalid value 'xml' for '--format <FORMAT>' [possible values: text, json, md]",
        ),
        (
            &["read", "--color", "a\u{1b}[31m", CHAT],
            "invalid value 'a' for '--color <COLOR>' [possible values: auto, always, never]",
        ),
        (
            &["read", CHAT, "--time"],
            "a value is required for '--time <TIME>' but none was supplied [possible values: relative, utc, local]",
        ),
    ];
    for (arguments, expected) in cases {
        assert_eq!(run(arguments).complaint(), format!("wsinspect: {expected}"), "{arguments:?}");
    }
}

#[test]
fn nothing_typed_shows_the_help() {
    let Outcome { status, stdout, stderr } = run(&[]);
    assert_eq!((status, &*stdout), (2, ""));
    assert!(stderr.contains("Usage: wsinspect <COMMAND>"), "{stderr}");
    assert_eq!(run(&["--version"]).report(), concat!("wsinspect ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// Connections that the server refuses or never answers are told though nothing flowed.
#[test]
fn connections_that_were_never_opened_are_told() {
    let mut file = PcapFile::usual();
    let syn = Conversation::open(Ip::V4, 40_001).packets.swap_remove(0);
    for second in 0..3 {
        file.packet(conversation::START + second, 0, &Link::Ethernet.wrap(&syn));
    }
    let folder = Folder::with("syn.pcap", &file.bytes);
    let text = folder.run(&["read", "syn.pcap"]).report();
    assert!(
        words(&text).starts_with("no WebSocket upgrade attempt: the only connection was not opened"),
        "{text}"
    );
    assert!(text.contains("- 1 connection was never answered\n"), "{text}");
}

const CHAT: &str = "captures/chat/client-eth.pcap";

/// A connection that speaks TLS to port 443.
fn encrypted(port: u16) -> Vec<Vec<u8>> {
    let mut connection = Conversation::open_to(Ip::V4, port, 443);
    let hello =
        [&[22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0, 0, 0]].concat();
    connection.client(hello);
    connection.server([&[22, 3, 3, 0, 44, 2, 0, 0, 40, 3, 3][..], &[9; 38]].concat());
    connection.server([&[23, 3, 3, 0, 30][..], &[0xAB; 30]].concat());
    connection.client([&[23, 3, 3, 0, 30][..], &[0xCD; 30]].concat()).close();
    connection.packets
}

/// A WebSocket whose frames, one line each, are more than any pipe holds.
fn many_frames() -> Vec<Vec<u8>> {
    let mut connection = Conversation::open(Ip::V4, 40_001);
    connection.client(UPGRADE).server(SWITCH);
    for _ in 0..300 {
        connection.client(client_text("hello").repeat(30));
    }
    connection.client(client_frame(0x88, &[3, 0xE8])).close();
    connection.packets
}

/// The program, reading standard input, with everything piped.
fn piped(options: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsinspect"));
    command.arg("read").args(options).arg("-");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for its end; what it wrote and nobody has read yet.
fn end(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    Outcome {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn went_well(stdout: &str) -> Outcome {
    Outcome { status: 0, stdout: stdout.to_owned(), stderr: String::new() }
}

#[test]
fn findings_are_the_exit_status_if_they_are_asked_for() {
    let failing = "captures/nginx-nothing-configured/proxy-any.pcap";
    let healthy = "captures/chat/proxy-any.pcap";
    let cases: [(&[&str], i32); 8] = [
        (&[failing], 0),
        (&["--fail-on", "error", failing], 1),
        (&["--fail-on", "note", "-q", failing], 1),
        (&["--fail-on", "error", "--ignore", "WS2,WS3", failing], 0),
        (&["--fail-on", "error", "--select", "upgrade-stripped", failing], 1),
        (&["--fail-on", "error", "--select", "WS4", failing], 0),
        (&["--fail-on", "warning", healthy], 0),
        (&["--fail-on", "error", "--format", "json", failing], 1),
    ];
    for (arguments, status) in cases {
        let outcome = run(&[&["read"], arguments].concat());
        assert_eq!((outcome.status, &*outcome.stderr), (status, ""), "{arguments:?}");
    }
}

#[test]
fn a_rule_is_explained_by_name_and_by_code() {
    let page = run(&["explain", "upgrade-stripped"]).report();
    assert_eq!(run(&["explain", "ws201"]).report(), page);
    assert!(page.starts_with("# upgrade-stripped (WS201, error)\n"), "{page}");
    let unknown = "unknown rule no-such-rule (wsinspect explain lists them)";
    assert_eq!(run(&["explain", "no-such-rule"]).complaint(), format!("wsinspect: {unknown}"));
    for option in ["--select", "--ignore"] {
        let complaint = run(&["read", option, "no-such-rule", "x.pcap"]).complaint();
        assert_eq!(complaint, format!("wsinspect: {unknown}"));
    }
}

#[test]
fn every_shell_that_is_named_gets_completions_of_every_command() {
    let help = run(&["completions", "--help"]).report();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(help.contains(shell), "{help}");
        let script = run(&["completions", shell]).report();
        for word in ["read", "explain", "completions", "man", "fail-on"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
}
