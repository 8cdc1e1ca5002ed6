//! Help and hints come from the table of keys; what the network says does no harm.

use super::*;
use crate::text::is_unsafe;

#[test]
fn help_has_every_key_of_the_screen() {
    for screen in
        [Screen::Overview, Screen::Attempt, Screen::Flow, Screen::Messages, Screen::Findings, Screen::Capture]
    {
        let mut app = read("chat/proxy-any.pcap", (200, 70));
        let _ = act(&mut app, &[Action::Show(screen), Action::Help]);
        let drawn = drawn(&app);
        for key in keys(Place::On(screen)) {
            let line = drawn.lines().find(|line| line.contains(key.help) && line.contains(key.label));
            assert!(line.is_some(), "{screen:?}: {} {}:\n{drawn}", key.label, key.help);
        }
    }
}

#[test]
fn hints_are_of_keys_that_work_there() {
    for screen in [Screen::Overview, Screen::Attempt, Screen::Findings, Screen::Capture] {
        let mut app = read("chat/proxy-any.pcap", (200, 30));
        let _ = update(&mut app, Action::Show(screen));
        let drawn = drawn(&app);
        let foot = drawn.lines().last().unwrap();
        for key in keys(Place::On(screen)).filter(|key| !key.hint.is_empty()) {
            assert!(
                foot.contains(&format!("{} {}", key.label, key.hint)),
                "{screen:?}: {}: {foot}",
                key.hint
            );
        }
    }
}

#[test]
fn nothing_that_a_terminal_would_obey_is_drawn() {
    let mut capture = captured("nginx-nothing-configured/proxy-any.pcap");
    for connection in &mut capture.connections {
        for attempt in &mut connection.attempts {
            if let Some(request) = &mut attempt.request {
                let head = "GET /\u{1b}]0;x\u{7}\u{202e}世界/ws HTTP/1.1\r\nHost: a\u{1b}[2J\u{200f}b\r\n\
                    X-\u{e9}: \u{9b}1m\r\nX-Wide: 世界世界世界\r\n\r\n";
                request.bytes = head.as_bytes().into();
            }
            if let Some(response) = &mut attempt.response {
                response.body_start = b"\x1b[31mred\r\n\x07".to_vec();
            }
        }
    }
    for size in [(60, 15), (80, 24), (140, 40)] {
        let mut app = finished(capture.clone(), "evil\u{1b}[2J.pcap", size);
        for action in
            [Action::Back, Action::Open, Action::NextView, Action::NextView, Action::Show(Screen::Capture)]
        {
            let _ = update(&mut app, action);
            for _ in 0..4 {
                let drawn = drawn(&app);
                assert!(!drawn.chars().any(|one| one != '\n' && is_unsafe(one)), "{action:?}: {drawn:?}");
                let _ = update(&mut app, Action::Move(Motion::PageDown));
            }
        }
        let _ = act(&mut app, &[Action::Show(Screen::Overview), Action::Filter]);
        type_text(&mut app, "\u{1b}\u{202e}x");
        assert!(!drawn(&app).chars().any(|one| one != '\n' && is_unsafe(one)));
    }
}

#[test]
fn wide_characters_keep_the_columns_in_line() {
    let mut capture = captured("nginx-nothing-configured/proxy-any.pcap");
    let request = capture.connections[0].attempts[0].request.as_mut().unwrap();
    request.bytes = "GET /世界/世 HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes().into();
    let app = finished(capture, "x", (80, 24));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw(&app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let column = |line: u16| (0..80).find(|column| buffer[(*column, line)].symbol() == "✗");
    let lines: Vec<u16> = (1..24).filter(|line| column(*line).is_some_and(|column| column > 5)).collect();
    let columns: Vec<Option<u16>> = lines.iter().map(|line| column(*line)).collect();
    assert!(columns.len() >= 2 && columns.iter().all(|column| *column == columns[0]), "{columns:?}");
}
