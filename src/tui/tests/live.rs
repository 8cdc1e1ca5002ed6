//! The screens of a capture that goes on.

use super::screens::{SIZES, assert_screen};
use super::*;
use crate::model::Outcome;

const MIXED: &str = "mixed-backends/proxy-any.pcap";

fn interface(name: &str) -> InterfacePulse {
    InterfacePulse { name: name.to_owned(), received: 1_234_567, ..InterfacePulse::default() }
}

fn pulse() -> Pulse {
    Pulse {
        packets_per_second: 12_345,
        bytes_per_second: 6_789_000,
        packets: 1_234_000,
        interfaces: vec![interface("lo"), interface("eth0")],
        filter: "tcp".to_owned(),
        remembered_bytes: Some(12_345_678),
        confinement: vec!["user nobody".to_owned(), "no capabilities".to_owned()],
        ..Pulse::default()
    }
}

/// Of a capture, the connections up to a place.
fn snapshot(capture: &Capture, connections: usize) -> News {
    let mut capture = capture.clone();
    capture.connections.truncate(connections);
    let mut counted = capture.clone();
    counted.totals.attempts.clear();
    let end = counted.totals.first_and_last.unwrap().1;
    for connection in &capture.connections {
        for attempt in &connection.attempts {
            *counted.totals.attempts.entry(Outcome::of(attempt, connection, end)).or_default() += 1;
        }
    }
    let diagnosis = diagnose(&counted, &Selection::default(), false);
    News::Snapshot(Box::new(Finished::new(counted, diagnosis, Shown::default())))
}

/// The state of a live capture with so many connections of one that was read.
fn live(capture: &Capture, connections: usize, pulse: Pulse, (columns, rows): (u16, u16)) -> App {
    let mut app = App::new("live lo, eth0", Shown::default(), Theme::default(), Size::new(columns, rows));
    let _ = receive(&mut app, News::Pulse(Box::new(pulse)));
    let _ = receive(&mut app, snapshot(capture, connections));
    app
}

#[test]
fn speed_and_drops_are_on_every_screen() {
    let capture = captured(MIXED);
    for size in SIZES {
        let mut app = live(&capture, usize::MAX, pulse(), size);
        assert_screen("live", &app);
        let _ = update(&mut app, Action::Show(Screen::Capture));
        assert_screen("live-capture", &app);
        let mut dropping = pulse();
        dropping.interfaces[1].by_kernel = 40_000;
        dropping.interfaces[1].by_interface = 12;
        let _ = receive(&mut app, News::Pulse(Box::new(dropping)));
        for screen in [Screen::Overview, Screen::Attempt, Screen::Flow, Screen::Messages, Screen::Findings] {
            let _ = update(&mut app, Action::Show(screen));
            let head = drawn(&app).lines().next().unwrap().to_owned();
            assert_eq!(head.contains("12,345 packets/s, 6.78 MB/s"), size.0 >= 80, "{screen:?}: {head}");
            assert!(head.contains("dropped: kernel 40,000, interface 12"), "{screen:?}: {head}");
        }
    }
}

#[test]
fn a_capture_that_has_died_says_so() {
    let capture = captured(MIXED);
    for size in SIZES {
        let mut one = pulse();
        one.interfaces[1].lost = Some("The interface disappeared".to_owned());
        let mut app = live(&capture, usize::MAX, one.clone(), size);
        assert_screen("live-one-died", &app);
        one.interfaces[0].lost = Some("The interface went down".to_owned());
        one.ended = Some("all interfaces were lost".to_owned());
        let _ = receive(&mut app, News::Pulse(Box::new(one)));
        assert_screen("live-all-died", &app);
        assert!(!app.data.goes_on());
    }
    // So does one whose disk is full.
    let mut app = live(&capture, usize::MAX, pulse(), (80, 24));
    let _ = receive(&mut app, News::Failed("cannot write x.pcapng: no space left on the device".to_owned()));
    let second = drawn(&app).lines().nth(1).unwrap().to_owned();
    assert!(second.starts_with("✗ the capture has ended: cannot write x.pcapng"), "{second}");
}

#[test]
fn what_is_not_listed_is_told() {
    let capture = captured(MIXED);
    let mut app = live(&capture, usize::MAX, Pulse { unlisted_open: 40_000, ..pulse() }, (80, 24));
    assert!(drawn(&app).contains("attempts, the latest "), "{}", drawn(&app));
    let _ = update(&mut app, Action::Show(Screen::Capture));
    assert!(drawn(&app).contains("40,000 connections that are open are counted and not listed"));
}

#[test]
fn nothing_came_yet() {
    let capture = captured(MIXED);
    let mut app = live(&capture, 0, Pulse { packets: 0, ..pulse() }, (80, 24));
    assert!(drawn(&app).contains("no upgrade attempt so far"), "{}", drawn(&app));
    let _ = update(&mut app, Action::Show(Screen::Findings));
    assert!(drawn(&app).contains("nothing was found so far"), "{}", drawn(&app));
}

#[test]
fn the_cursor_stays_where_it_is_while_more_comes() {
    let capture = captured(MIXED);
    let mut app = live(&capture, 8, pulse(), (80, 24));
    let _ = act(&mut app, &[Action::Move(Motion::Down), Action::Move(Motion::Down)]);
    let (attempt, listed) = (app.selected(), app.table.order.len());
    let _ = receive(&mut app, snapshot(&capture, usize::MAX));
    assert_eq!(app.selected(), attempt);
    assert_eq!(app.row().map(|row| row.id), attempt);
    assert!(app.table.order.len() > listed);
    // The finding as well, whatever comes before it.
    let _ = act(&mut app, &[Action::OtherPane, Action::Move(Motion::Last)]);
    let chosen = app.findings()[app.finding].sentence.clone();
    let _ = receive(&mut app, snapshot(&capture, usize::MAX));
    assert_eq!(app.findings()[app.finding].sentence, chosen);
}

#[test]
fn a_frozen_view_takes_the_latest_only() {
    let capture = captured(MIXED);
    let mut app = live(&capture, 4, pulse(), (80, 24));
    let _ = update(&mut app, Action::Freeze);
    let listed = app.data.rows.len();
    for connections in [6, 8, usize::MAX] {
        let _ = receive(&mut app, snapshot(&capture, connections));
        assert_eq!(app.data.rows.len(), listed);
        assert_eq!(app.frozen.as_ref().unwrap().len(), 1);
    }
    assert!(drawn(&app).contains("frozen, 12,345 packets/s"), "{}", drawn(&app));
    let _ = update(&mut app, Action::Freeze);
    assert_eq!(app.data.rows.len() * 2, capture.connections.len());
}

#[test]
fn more_messages_are_read_when_the_session_has_more() {
    let mut capture = captured("chat/proxy-any.pcap");
    let mut app = live(&capture, usize::MAX, pulse(), (80, 24));
    let effects = act(&mut app, &[Action::Show(Screen::Messages)]);
    assert!(matches!(effects.as_slice(), [.., Effect::ReadMessages(_, 0)]), "{effects:?}");
    let session = app.session().unwrap();
    let _ = receive(&mut app, News::Messages(session.id(), Ok((Vec::new(), None))));
    // Nothing more was sent, so nothing more is read.
    let effects = receive(&mut app, snapshot(&capture, usize::MAX));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::ReadMessages(..))), "{effects:?}");
    for attempt in capture.connections.iter_mut().flat_map(|connection| &mut connection.attempts) {
        attempt.session.as_mut().unwrap().client.text += 1;
    }
    let effects = receive(&mut app, snapshot(&capture, usize::MAX));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::ReadMessages(_, 0))), "{effects:?}");
}
