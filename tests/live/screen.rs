//! The UI of a live capture, in a real terminal.

use super::terminal::Terminal;
use super::*;

impl Stage {
    /// The program in a terminal, capturing.
    fn screen(&self, arguments: &[&str]) -> Terminal {
        let program = [&[env!("CARGO_BIN_EXE_wsinspect"), "live"], arguments].concat();
        let script = format!("cd '{}' && exec ip \"$@\"", self.folder.path().display());
        let words = self.namespace.words(&program);
        Terminal::new("/bin/sh", &[&["-c", &script, "sh"], words.as_slice()].concat(), (80, 24))
    }
}

#[test]
fn what_happens_is_on_the_screen() {
    let Some(stage) = Stage::new("screen") else { return };
    let mut terminal = stage.screen(&["-i", "lo", "-i", "any", "--time", "relative"]);
    terminal.press("", &["live lo, any", "no packet so far", "0 packets/s, 0 B/s, no drops"]);
    stage.talk("8080", &["/ws", "/plain"]);
    terminal
        .press("", &["1 of 2 upgrade attempts failed: nginx", "drops the upgrade", "attempts 2, seen on 4"]);
    // Payloads are in what is remembered.
    terminal.press("\r", &["attempt 1 of 2", "established 101 after"]);
    terminal.press("\t", &["flow 1 of 2", "text", "close"]);
    terminal.press("\t", &["messages 1 of 2", "4 messages", "hello", "again"]);
    terminal.press("\x1b", &["attempts 2"]);
    stage.talk("8080", &["/ws"]);
    terminal.press("", &["1 of 3 upgrade attempts failed", "attempts 3, seen on 6"]);
    terminal.press("3", &["interfaces", "dropped by the kernel 0", "user nobody", "kept"]);
    terminal.press("Q", &[]);
    assert!(terminal.is_left_as_it_was().success());
}

#[test]
fn payloads_are_read_from_the_recording() {
    let Some(stage) = Stage::new("recorded") else { return };
    let record = stage.path("dump.pcapng");
    let mut terminal = stage.screen(&["-i", "lo", "-w", record.to_str().unwrap()]);
    terminal.press("", &["no packet so far"]);
    stage.talk("8080", &["/ws"]);
    terminal.press("", &["attempts 1, seen on 2"]);
    terminal.press("\r\t\t", &["messages 1 of 1", "hello"]);
    terminal.press("3", &["payloads are read from it"]);
    terminal.press("1e\r", &["written: live-lo-1.pcapng"]);
    terminal.press("Q", &[]);
    assert!(terminal.is_left_as_it_was().success());
    let read = report(&record).pop().unwrap();
    assert_eq!((&read["attempts"]["established"], &read["warnings"]), (&2.into(), &Value::Array(Vec::new())));
    let exported = report(&stage.path("live-lo-1.pcapng")).pop().unwrap();
    assert_eq!(exported["attempts"], read["attempts"]);
}

#[test]
fn a_capture_that_dies_says_so_on_the_screen() {
    let Some(stage) = Stage::new("dies") else { return };
    let ip = |arguments: &[&str]| stage.namespace.run("ip", arguments);
    ip(&["link", "add", "left", "type", "veth", "peer", "name", "right"]);
    ip(&["link", "set", "left", "up"]);
    ip(&["link", "set", "right", "up"]);
    let mut terminal = stage.screen(&["-i", "left"]);
    terminal.press("", &["live left", "so far"]);
    ip(&["link", "del", "left"]);
    terminal.press("", &["the capture has ended: left (The interface disappeared)"]);
    terminal.press("Q", &[]);
    assert!(!terminal.is_left_as_it_was().success());
    // The line comes after the screen has been put back.
    terminal.press("", &["wsinspect: the capture on left has ended"]);
}

#[test]
fn it_stays_on_the_screen_when_it_stops_by_itself() {
    let Some(stage) = Stage::new("stays") else { return };
    let mut terminal = stage.screen(&["-i", "lo", "--stop-when", "upgrade-stripped"]);
    terminal.press("", &["no packet so far"]);
    stage.talk("8080", &["/plain"]);
    terminal.press("", &["ended, ", "drops the upgrade"]);
    terminal.press("3", &["as --stop-when says"]);
    terminal.press("Q", &[]);
    assert!(terminal.is_left_as_it_was().success());
}
