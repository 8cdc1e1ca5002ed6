//! The text report over the shipped captures.

use super::notes;
use crate::diagnosis::{Selection, diagnose};
use crate::model::Capture;
use crate::protocol::OpaqueReason;
use crate::report::tests::{analysed, captures, judged};
use crate::report::{Format, ReportOptions, TimeStyle, write};

#[test]
fn lines_fit_the_width_and_say_the_same_at_any() {
    for (name, _) in captures() {
        let capture = analysed(&name);
        for width in [60, 80, 132] {
            let options = ReportOptions { width, keeps_all: width > 100, ..ReportOptions::default() };
            for line in shown(&capture, &options).lines() {
                // What is to be copied is never broken.
                let is_fix = line.starts_with("    ") && width == 60;
                assert!(crate::text::width(line) <= width || is_fix, "{name}: {line}");
                assert!(!line.ends_with(' '), "{name}: {line:?}");
            }
        }
    }
}

#[test]
fn a_stripped_upgrade_is_told_with_its_reasons() {
    let options = ReportOptions { verbose: true, ..ReportOptions::default() };
    let text = of("nginx-nothing-configured/proxy-any.pcap", &options);
    for part in [
        "2 of 2 upgrade attempts failed",
        "2 attempts, seen on 4 connections",
        "`x refused     GET /ws/events HTTP/1.0",
        "200 OK after",
        "no Upgrade: websocket",
        "Connection lacks the token \"upgrade\" (Connection: close)",
        "HTTP/1.0, in which servers must ignore Upgrade",
        "505 HTTP Version Not Supported",
        "nginx/",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn each_story_is_told() {
    let cases: [(&str, &[&str]); 8] = [
        ("idle-cut/proxy-any.pcap", &["FIN after 3.0 s of silence", "no close frame from either side"]),
        (
            "chat/client-eth.pcap",
            &["the only upgrade attempt succeeded", "1000 (normal closure) \"bye\" by the client"],
        ),
        (
            "wrong-accept/client-eth.pcap",
            &["x invalid", "Sec-WebSocket-Accept is not the answer to this key: expected"],
        ),
        (
            "one-sided/proxy-any.pcap",
            &[
                "? unknown",
                "server: not in the capture close 1000 (normal closure) \"bye\" by the client, #7 ended",
                "what the server sends is not in the capture",
            ],
        ),
        ("midstream/proxy-any.pcap", &["~ midstream", "open before the capture began; no upgrade attempt"]),
        ("trailing-slash-301/client-eth.pcap", &["301 Moved Permanently", "location"]),
        (
            "upstream-silent-504/proxy-any.pcap",
            &["x unanswered", "no answer in 3.0 s", "504 Gateway Time-out"],
        ),
        ("snaplen-cut/proxy-any.pcap", &["the capture has only the start of"]),
    ];
    for (name, parts) in cases {
        let text = of(name, &ReportOptions::default());
        for part in parts {
            assert!(flat(&text).contains(part), "{part} in\n{text}");
        }
    }
}

#[test]
fn quiet_is_one_line() {
    let options = ReportOptions { quiet: true, ..ReportOptions::default() };
    assert_eq!(of("chat/client-eth.pcap", &options).lines().count(), 1);
}

#[test]
fn times_can_be_absolute() {
    let options = ReportOptions { time: TimeStyle::Utc, ..ReportOptions::default() };
    assert!(of("chat/client-eth.pcap", &options).contains("at           2026-11-23T18:48:00.23"));
}

#[test]
fn many_attempts_are_cut_short() {
    let mut capture = analysed("chat/client-eth.pcap");
    let one = capture.connections[0].clone();
    capture.connections = vec![one; 250];
    let text = shown(&capture, &ReportOptions::default());
    assert_eq!(text.lines().filter(|line| line.starts_with("+ established")).count(), 20);
    assert!(text.contains("\nand 230 more established (-v shows more, --format json lists all)\n"));
    let verbose = shown(&capture, &ReportOptions { verbose: true, ..ReportOptions::default() });
    assert_eq!(verbose.lines().filter(|line| line.starts_with("+ established")).count(), 250);

    let mut capture = analysed("nginx-nothing-configured/client-eth.pcap");
    capture.connections = vec![capture.connections; 80].concat();
    let text = shown(&capture, &ReportOptions::default());
    assert!(
        flat(&text).contains(
            "and 154 more refused: 80 with 505, 74 with 200 (-v shows more, --format json lists all)"
        ),
        "{text}"
    );
}

#[test]
fn secrets_are_shown_only_if_wanted() {
    let mut capture = analysed("chat/client-eth.pcap");
    let request = capture.connections[0].attempts[0].request.as_mut().unwrap();
    request.bytes = (*b"GET /ws?token=hunter2\xe2\x80\xae HTTP/1.1\r\n\r\n").into();
    let hidden = shown(&capture, &ReportOptions::default());
    assert!(hidden.contains("GET /ws?token=[redacted]"), "{hidden}");
    let open = shown(&capture, &ReportOptions { shows_secrets: true, ..ReportOptions::default() });
    assert!(open.contains("GET /ws?token=hunter2\\u{202e}"), "{open}");
}

#[test]
fn what_a_finding_tells_is_no_note_again() {
    let note = "2 connections began as HTTP and went on as something that is none";
    let mut capture = analysed("http2-only-upstream/proxy-any.pcap");
    let text = shown(&capture, &ReportOptions::default());
    assert!(text.contains("answer-not-http") && !text.contains("went on as something"), "{text}");
    // Where nobody looked for it, and of connections that it is not about, the note stays.
    let selection = Selection::new(&[], &["answer-not-http".to_owned()]).unwrap();
    let diagnosis = diagnose(&capture, &selection, false);
    assert!(notes::sentences(&capture, &diagnosis, false).iter().any(|told| told == note));
    *capture.totals.opaque.get_mut(&OpaqueReason::Malformed).unwrap() += 2;
    assert!(shown(&capture, &ReportOptions::default()).contains(note));
}

/// Without the breaks of lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn of(name: &str, options: &ReportOptions) -> String {
    shown(&analysed(name), options)
}

fn shown(capture: &Capture, options: &ReportOptions) -> String {
    let mut written = Vec::new();
    write(Format::Text, capture, &judged(capture), options, &mut written).unwrap();
    String::from_utf8(anstream::adapter::strip_bytes(&written).into_vec()).unwrap()
}
