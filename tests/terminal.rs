//! The UI in a real terminal: what is on the screen after some keys, and in what state the terminal is left.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use portable_pty::PtySize;
use terminal::{PATIENCE, Terminal, now};

#[path = "support/terminal.rs"]
mod terminal;

impl Terminal {
    /// The program in another folder.
    fn read_in(folder: &Path, capture: &str, (columns, rows): (u16, u16)) -> Self {
        let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join(capture);
        let program = env!("CARGO_BIN_EXE_wsinspect");
        let script = format!("cd '{}' && exec '{program}' read '{}'", folder.display(), capture.display());
        Self::new("/bin/sh", &["-c", &script], (columns, rows))
    }

    fn read(capture: &str) -> Self {
        Self::new(env!("CARGO_BIN_EXE_wsinspect"), &["read", capture], (80, 24))
    }
}

const STRIPPED: &str = "captures/nginx-nothing-configured/proxy-any.pcap";
const CHAT: &str = "captures/chat/proxy-any.pcap";
const VERDICT: &str = "upgrade attempts failed: nginx 1.22.1 (10.77.2.1) drops the upgrade";
const DOWN: &str = "\x1b[B";
const ESCAPE: &str = "\x1b";

#[test]
fn every_screen_can_be_reached_and_left() {
    let mut terminal = Terminal::read(STRIPPED);
    terminal.press("", &[VERDICT, "/ws/events", "/api/live", "upgrade-stripped", "q quit"]);
    assert!(terminal.screen.screen().alternate_screen());
    terminal.press(DOWN, &[]);
    terminal.press("\r", &["attempt 2 of 2", "505 after", "fix (nginx, http block)"]);
    terminal.press("\t", &["flow 2 of 2", "nginx", "upstream", "GET /api/live 1.0"]);
    terminal.press("\t", &["messages 2 of 2", "no frame flowed"]);
    terminal.press(ESCAPE, &["attempts 2, seen on 4 connections"]);
    terminal.press("2", &["findings", "rule upgrade-stripped"]);
    terminal.press("3", &["capture", "4 packets skipped: ARP"]);
    terminal.press("?", &["keys: capture", "quit from anywhere"]);
    terminal.press("qq", &["findings"]);
    terminal.press("1", &["attempts 2"]);
    terminal.press("/status:505\r", &["attempts 1 of 2, filter status:505"]);
    terminal.press("/ outcome:x", &["outcomes are established"]);
    terminal.press(ESCAPE, &["attempts 1 of 2, filter status:505", "q quit"]);
    terminal.press("q", &[]);
    assert!(terminal.is_left_as_it_was().success());
}

#[test]
fn another_size_is_drawn_anew() {
    let mut terminal = Terminal::read(STRIPPED);
    terminal.press("", &[VERDICT]);
    let size = PtySize { rows: 15, cols: 60, pixel_width: 0, pixel_height: 0 };
    terminal.master.resize(size).unwrap();
    terminal.screen.screen_mut().set_size(15.try_into().unwrap(), 60.try_into().unwrap());
    terminal
        .wait_for(|screen| screen.rows(0, 60).last().is_some_and(|foot| foot.trim_end().ends_with("q quit")));
    terminal.press("Q", &[]);
    assert!(terminal.is_left_as_it_was().success());
}

#[test]
fn the_terminal_is_given_back_whatever_ends_the_program() {
    for signal in ["TERM", "HUP", "INT"] {
        let mut terminal = Terminal::read(STRIPPED);
        terminal.press("", &[VERDICT]);
        terminal.signal(signal);
        assert!(!terminal.is_left_as_it_was().success(), "{signal} is no success");
    }
    let mut terminal = Terminal::read(STRIPPED);
    terminal.press("", &[VERDICT]);
    terminal.press("\x03", &[]);
    assert!(terminal.is_left_as_it_was().success());
}

#[test]
fn it_goes_with_its_terminal() {
    let mut terminal = Terminal::read(STRIPPED);
    terminal.press("", &[VERDICT]);
    let Terminal { master, keys, output, mut child, slave, .. } = terminal;
    let pid = child.process_id().unwrap();
    drop((master, keys, output, slave));
    // The thread that reads holds the terminal until its program is gone, so the shell's part is played here.
    let _ = Command::new("kill").args(["-s", "HUP", &pid.to_string()]).status();
    let start = now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "it goes on without a terminal");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn keys_work_while_the_capture_comes_through_a_pipe() {
    let program = env!("CARGO_BIN_EXE_wsinspect");
    // The pipe stays open: reading goes on until somebody leaves.
    let script = format!("(cat {STRIPPED}; sleep 60) | {program} read -");
    let mut terminal = Terminal::new("/bin/sh", &["-c", &script], (80, 24));
    terminal.press("", &["standard input", "reading"]);
    terminal.press("3", &["the rest comes when all is read"]);
    terminal.press("1", &["attempts"]);
    terminal.press("Q", &[]);
    terminal.wait_for(|screen| !screen.alternate_screen());
    let _ = terminal.child.kill();
}

#[test]
fn who_asks_for_a_report_gets_one() {
    let cases = [
        (&["--format", "text"][..], "about the capture"),
        (&["--format", "json"], "\"type\":\"summary\""),
        (&["--fail-on", "error"], "about the capture"),
        (&["-q"], "upgrade attempts failed"),
    ];
    for (options, words) in cases {
        let arguments = [&["read"], options, &[STRIPPED]].concat();
        let mut terminal = Terminal::new(env!("CARGO_BIN_EXE_wsinspect"), &arguments, (80, 24));
        terminal.wait_for(|screen| screen.contents().contains(words));
        assert!(!terminal.screen.screen().alternate_screen(), "{options:?}");
        let _ = terminal.is_left_as_it_was();
    }
}

#[test]
fn messages_are_read_again_searched_and_shown_in_full() {
    let mut terminal = Terminal::read(CHAT);
    terminal.press("", &["the only upgrade attempt succeeded"]);
    terminal.press("\r\t\t", &["messages 1 of 1", "text of the client", "as text"]);
    terminal.press("/ping\r", &["ping of the"]);
    terminal.press("g\r", &["text of the client #19, 5 bytes", "hello"]);
    terminal.press("vv", &["00000000  68 65 6c 6c 6f"]);
    terminal.press("qqqq", &[]);
    assert!(terminal.is_left_as_it_was().success());
}

/// It still reads the capture again and writes files, as the tests beside this one see.
#[cfg(target_os = "linux")]
#[test]
fn it_is_confined() {
    let mut terminal = Terminal::read(CHAT);
    terminal.press("", &["the only upgrade attempt succeeded"]);
    let id = terminal.child.process_id().unwrap();
    for thread in std::fs::read_dir(format!("/proc/{id}/task")).unwrap() {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
    terminal.press("q", &[]);
    assert!(terminal.is_left_as_it_was().success());
}

#[test]
fn what_is_exported_is_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::read_in(folder.path(), STRIPPED, (80, 24));
    terminal.press("", &[VERDICT]);
    terminal.press("e", &["the packets of its 2 connections"]);
    terminal.press("\r", &["written: proxy-any-3.pcapng, 20 packets"]);
    terminal.press("e\r", &["written: proxy-any-3-2.pcapng"]);
    terminal.press("ej\r", &["written: proxy-any-3.md"]);
    terminal.press("q", &[]);
    assert!(terminal.is_left_as_it_was().success());
    let exported = folder.path().join("proxy-any-3.pcapng");
    let program = Command::new(env!("CARGO_BIN_EXE_wsinspect")).arg("read").arg(&exported).output().unwrap();
    let report = String::from_utf8(program.stdout).unwrap();
    assert!(report.starts_with("the only upgrade attempt failed: nginx 1.22.1"), "{report}");
    let markdown = std::fs::read_to_string(folder.path().join("proxy-any-3.md")).unwrap();
    assert!(markdown.starts_with("**the only upgrade attempt failed"), "{markdown}");
}

#[test]
fn what_came_through_a_pipe_cannot_be_read_again_and_says_so() {
    let program = env!("CARGO_BIN_EXE_wsinspect");
    let script = format!("cat {CHAT} | {program} read -");
    let mut terminal = Terminal::new("/bin/sh", &["-c", &script], (80, 24));
    terminal.press("", &["the only upgrade attempt succeeded"]);
    terminal.press("\r\t\t", &["messages 1 of 1", "a pipe cannot be read again"]);
    terminal.press("qq", &[]);
    assert!(terminal.is_left_as_it_was().success());
}

/// Played in a terminal of its own by the test below. What would give the terminal back at the end is forgotten, so that
/// only what a panic does is left, as in a program that aborts.
#[test]
#[ignore = "needs a terminal, and fails"]
fn somebody_panics() {
    std::mem::forget(wsinspect::screen::Screen::take().unwrap());
    panic!("on purpose");
}

#[test]
fn the_terminal_is_given_back_by_a_panic() {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--ignored", "--exact", "somebody_panics", "--nocapture"];
    let mut terminal = Terminal::new(program.to_str().unwrap(), &arguments, (80, 24));
    terminal.wait_for(|screen| screen.contents().contains("on purpose"));
    assert!(!terminal.is_left_as_it_was().success());
    assert!(terminal.screen.screen().contents().contains("on purpose"), "on the screen that stays");
}
