//! Every screen at three sizes. A change here is a change of what people see.

use super::*;
use crate::capture::{InterfaceFacts, LinkType};

pub(super) const SIZES: [(u16, u16); 3] = [(60, 15), (80, 24), (140, 40)];

/// Draws a screen of a capture at every size, after some actions.
fn at_every_size(name: &str, capture: &str, actions: &[Action]) {
    for size in SIZES {
        let mut app = read(capture, size);
        let _ = act(&mut app, actions);
        assert_screen(name, &app);
    }
}

/// Holds what the terminal shows to its snapshot.
pub(super) fn assert_screen(name: &str, app: &App) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    let name = format!("{name}@{}x{}", app.size.width, app.size.height);
    settings.bind(|| insta::assert_snapshot!(name, drawn(app)));
}

const STRIPPED: &str = "nginx-nothing-configured/proxy-any.pcap";

#[test]
fn overview() {
    at_every_size("overview", STRIPPED, &[]);
    at_every_size("overview-healthy", "chat/both-sides.pcapng", &[]);
    at_every_size("overview-mixed", "mixed-backends/proxy-any.pcap", &[Action::Failures]);
    at_every_size("overview-nothing", "tls-all-correct/proxy-any.pcap", &[]);
}

#[test]
fn attempt() {
    at_every_size("attempt", STRIPPED, &[Action::Open]);
    let page = Action::Move(Motion::PageDown);
    at_every_size("attempt-heads", STRIPPED, &[Action::Open, page]);
    at_every_size("attempt-end", STRIPPED, &[Action::Open, Action::Move(Motion::Last)]);
    at_every_size("attempt-alone", "wrong-accept/client-eth.pcap", &[Action::Open, page]);
    at_every_size("attempt-two-proxies", "two-proxies-inner-strips/proxy-any.pcap", &[Action::Open, page]);
}

#[test]
fn flow() {
    let flow = Action::Show(Screen::Flow);
    at_every_size("flow", "chat/proxy-any.pcap", &[flow]);
    at_every_size("flow-silence", "idle-cut/proxy-any.pcap", &[flow, Action::Move(Motion::Last)]);
    at_every_size("flow-refused", "upstream-down-502/proxy-any.pcap", &[flow]);
    at_every_size("flow-two-proxies", "two-proxies-inner-strips/proxy-any.pcap", &[flow]);
}

#[test]
fn messages() {
    let messages = Action::Show(Screen::Messages);
    at_every_size("messages", "chat/proxy-any.pcap", &[messages]);
    at_every_size(
        "messages-deflate",
        "chat-deflate/client-eth.pcap",
        &[messages, Action::Move(Motion::Last)],
    );
    at_every_size("messages-none", STRIPPED, &[messages]);
}

#[test]
fn findings() {
    let findings = Action::Show(Screen::Findings);
    at_every_size("findings", STRIPPED, &[findings]);
    at_every_size("findings-rule", STRIPPED, &[findings, Action::Move(Motion::PageDown)]);
    at_every_size("findings-none", "chat/client-eth.pcap.gz", &[findings]);
}

#[test]
fn capture() {
    at_every_size("capture", "snaplen-cut/proxy-any.pcap", &[Action::Show(Screen::Capture)]);
}

#[test]
fn what_lies_on_top() {
    at_every_size("help", STRIPPED, &[Action::Help]);
    at_every_size("copy", STRIPPED, &[Action::Copy]);
    at_every_size("columns", STRIPPED, &[Action::Columns, Action::Choose, Action::Move(Motion::Down)]);
}

#[test]
fn ascii() {
    for actions in [&[][..], &[Action::Open], &[Action::Show(Screen::Flow)], &[Action::Columns]] {
        let mut app = read("two-proxies-inner-strips/proxy-any.pcap", (120, 30));
        app.theme.is_ascii = true;
        let _ = act(&mut app, actions);
        let drawn = drawn(&app);
        assert!(drawn.is_ascii(), "{actions:?}:\n{drawn}");
    }
}

#[test]
fn every_size_can_be_drawn() {
    let screens = [
        Screen::Overview,
        Screen::Attempt,
        Screen::Flow,
        Screen::Messages,
        Screen::Findings,
        Screen::Capture,
    ];
    let capture = captured("upstream-down-502/proxy-any.pcap");
    let mut app = finished(capture, "x", (80, 24));
    for screen in screens {
        for overlay in [None, Some(Action::Help), Some(Action::Columns)] {
            let _ = update(&mut app, Action::Show(screen));
            let _ = overlay.map(|overlay| update(&mut app, overlay));
            for (columns, rows) in
                [(0, 0), (1, 1), (29, 9), (30, 8), (31, 9), (40, 10), (59, 14), (100, 8), (300, 90)]
            {
                let _ = update(&mut app, Action::Resize(columns, rows));
                let _ = act(
                    &mut app,
                    &[Action::Move(Motion::Last), Action::Move(Motion::Up), Action::Click(5, 5)],
                );
                let _ = drawn(&app);
            }
            let _ = act(&mut app, &[Action::Back, Action::Back, Action::Back]);
        }
    }
}

#[test]
fn interfaces() {
    let interface = |name: Option<&str>, dropped| InterfaceFacts {
        name: name.map(str::to_owned),
        link: LinkType::ETHERNET,
        dropped,
    };
    for size in SIZES {
        let mut capture = captured("chat/both-sides.pcapng");
        let file = capture.files.first_mut().unwrap();
        file.interfaces = vec![
            interface(Some("eth0"), Some(12)),
            interface(Some("br-\u{1b}[31m"), Some(0)),
            interface(None, None),
        ];
        file.name = "chat/both-sides.pcapng".to_owned();
        file.interfaces_untold = 2;
        let mut app = finished(capture, "chat/both-sides.pcapng", size);
        let _ = act(&mut app, &[Action::Show(Screen::Capture)]);
        assert_screen("capture-interfaces", &app);
    }
}
