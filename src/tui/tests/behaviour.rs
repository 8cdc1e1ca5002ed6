//! What the state does: news, the cursor, the filter, freezing.

use super::*;
use crate::model::Outcome;
use crate::units::PacketNumber;

const MIXED: &str = "mixed-backends/proxy-any.pcap";

/// A state in the middle of reading, and the rows that are yet to come.
fn reading(name: &str) -> (App, Capture) {
    let capture = captured(name);
    let mut app = App::new(name, Shown::default(), Theme::default(), Size::new(80, 24));
    let progress = Progress { first_and_last: capture.totals.first_and_last, ..Progress::default() };
    let _ = receive(&mut app, News::Progress(progress));
    (app, capture)
}

fn rows(capture: &Capture, range: std::ops::Range<usize>) -> News {
    let end = capture.totals.first_and_last.unwrap().1;
    let connections = capture.connections[range].iter();
    News::Rows(connections.flat_map(|connection| rows_so_far(connection, end, Shown::default())).collect())
}

fn listed(app: &App) -> Vec<u64> {
    app.table.order.iter().map(|place| app.data.rows[*place].id.connection.0).collect()
}

#[test]
fn the_cursor_stays_with_its_attempt() {
    let (mut app, capture) = reading(MIXED);
    let all = capture.connections.len();
    let _ = receive(&mut app, rows(&capture, 4..all));
    let _ = update(&mut app, Action::Move(Motion::Down));
    let (selected, line) = (app.selected(), app.table.cursor - app.table.offset);
    assert!(selected.is_some());
    let _ = receive(&mut app, rows(&capture, 0..4));
    assert_eq!(app.selected(), selected);
    assert_eq!(app.row().unwrap().id, selected.unwrap());
    assert!(app.table.cursor > line, "rows came before it");
    assert!(listed(&app).is_sorted());
}

#[test]
fn what_is_told_again_takes_the_place_of_what_was_told() {
    let (mut app, capture) = reading(MIXED);
    let _ = receive(&mut app, rows(&capture, 0..4));
    let before = listed(&app);
    let _ = receive(&mut app, rows(&capture, 2..6));
    assert_eq!((before.len(), listed(&app).len()), (4, 6));
}

#[test]
fn a_leg_under_the_cursor_becomes_its_route() {
    let (mut app, capture) = reading(MIXED);
    let all = capture.connections.len();
    let _ = receive(&mut app, rows(&capture, 0..all));
    let _ = update(&mut app, Action::Move(Motion::Down));
    let upstream = app.selected().unwrap();
    let diagnosis = diagnose(&capture, &Selection::default(), false);
    let finished = Finished::new(capture, diagnosis, app.shown);
    let _ = receive(&mut app, News::Finished(Box::new(finished)));
    let row = app.row().unwrap();
    assert!(row.id != upstream && row.route == Some(0), "{row:?}");
    assert_eq!(app.data.rows.len() * 2, all);
}

#[test]
fn what_comes_while_frozen_waits() {
    let (mut app, capture) = reading(MIXED);
    let _ = receive(&mut app, rows(&capture, 0..2));
    let before = listed(&app);
    let _ = update(&mut app, Action::Freeze);
    let _ = receive(&mut app, rows(&capture, 2..6));
    assert_eq!(listed(&app), before);
    assert!(drawn(&app).contains("frozen: 4 wait"), "{}", drawn(&app));
    let _ = update(&mut app, Action::Freeze);
    assert_eq!(listed(&app).len(), 6);
}

#[test]
fn following_keeps_to_the_latest_until_somebody_moves() {
    let (mut app, capture) = reading(MIXED);
    let _ = receive(&mut app, rows(&capture, 0..3));
    let _ = update(&mut app, Action::Follow);
    let _ = receive(&mut app, rows(&capture, 3..8));
    assert_eq!(app.table.cursor, 7);
    let _ = update(&mut app, Action::Move(Motion::Up));
    let _ = receive(&mut app, rows(&capture, 8..10));
    assert_eq!(app.table.cursor, 6);
}

#[test]
fn an_attempt_is_asked_of_the_reader_while_it_reads() {
    let (mut app, capture) = reading(MIXED);
    let _ = receive(&mut app, rows(&capture, 0..3));
    assert_eq!(act(&mut app, &[Action::Open]), [Effect::Fetch(capture.connections[0].id())]);
    assert!(drawn(&app).contains("the reader is asked"));
    let _ = receive(&mut app, News::Connection(Box::new(capture.connections[0].clone())));
    assert!(drawn(&app).contains("Sec-WebSocket-Key"));
    assert_eq!(act(&mut app, &[Action::Next]), [Effect::Fetch(capture.connections[1].id())]);
}

#[test]
fn the_filter_is_live_and_its_errors_are_shown_while_it_is_typed() {
    let mut app = read(MIXED, (80, 24));
    let all = listed(&app);
    let _ = update(&mut app, Action::Filter);
    type_text(&mut app, "status:40");
    assert_eq!(listed(&app).len(), all.len() / 2);
    type_text(&mut app, "4 outcome:lost");
    assert!(drawn(&app).contains("✗ outcome:lost: outcomes are"), "{}", drawn(&app));
    assert_eq!(listed(&app).len(), all.len() / 2, "the list stays as it was");
    let _ = update(&mut app, Action::Accept);
    assert!(app.prompt.is_some(), "what is wrong is not accepted");
    let _ = act(&mut app, &[Action::EraseWord, Action::Accept]);
    assert!(app.prompt.is_none());
    assert!(app.data.rows.iter().any(|row| row.outcome == Outcome::Established));
    let _ = act(&mut app, &[Action::Filter, Action::EraseAll, Action::Back]);
    assert_eq!(listed(&app).len(), all.len() / 2, "who cancels has the old filter");
    let _ = update(&mut app, Action::Back);
    assert_eq!(listed(&app), all);
}

#[test]
fn each_field_of_the_filter_finds_its_attempts() {
    let mut app = read(MIXED, (80, 24));
    let half = app.data.rows.len() / 2;
    let cases = [
        ("status:404", half),
        ("status:4xx", half),
        ("-status:4xx", half),
        ("outcome:established", half),
        ("outcome:failed", half),
        ("path:/API", half * 2),
        ("host:chat", half * 2),
        ("client:10.77.1.2", half * 2),
        ("server:10.77.2.2:8001", half),
        ("rule:nothing", 0),
        ("chat.example refused", half),
        ("status:none", 0),
    ];
    for (text, expected) in cases {
        let _ = act(&mut app, &[Action::Filter, Action::EraseAll]);
        type_text(&mut app, text);
        let _ = update(&mut app, Action::Accept);
        assert_eq!(listed(&app).len(), expected, "{text}");
    }
}

#[test]
fn rules_are_found_by_name_and_code() {
    let mut app = read("nginx-nothing-configured/proxy-any.pcap", (80, 24));
    for (text, expected) in [("rule:upgrade-stripped", 2), ("rule:ws2", 2), ("rule:WS9", 0), ("stripped", 2)]
    {
        let _ = act(&mut app, &[Action::Filter, Action::EraseAll]);
        type_text(&mut app, text);
        let _ = update(&mut app, Action::Accept);
        assert_eq!(listed(&app).len(), expected, "{text}");
    }
}

#[test]
fn a_finding_leads_to_its_attempts() {
    let mut app = read("nginx-nothing-configured/proxy-any.pcap", (80, 24));
    let _ = act(&mut app, &[Action::OtherPane, Action::Open]);
    assert_eq!(app.screen, Screen::Findings);
    let _ = update(&mut app, Action::Open);
    assert_eq!((app.screen, app.table.filter_text.as_str()), (Screen::Overview, "rule:upgrade-stripped"));
}

#[test]
fn going_back_ends_at_the_overview_and_only_q_leaves_it() {
    let mut app = read(MIXED, (80, 24));
    let _ = act(&mut app, &[Action::Open, Action::NextView, Action::Show(Screen::Capture), Action::Help]);
    assert!(!act(&mut app, &[Action::Back; 6]).contains(&Effect::Quit));
    assert_eq!(app.screen, Screen::Overview);
    assert_eq!(act(&mut app, &[Action::Close]), [Effect::Quit]);
    let _ = update(&mut app, Action::Open);
    assert_eq!(act(&mut app, &[Action::Close]), []);
}

#[test]
fn sorting_keeps_the_cursor_with_its_attempt() {
    let mut app = read(MIXED, (80, 24));
    let _ = update(&mut app, Action::Move(Motion::Down));
    let selected = app.selected();
    for _ in 0..Column::ALL.len() {
        let _ = update(&mut app, Action::Sort);
        assert_eq!(app.selected(), selected);
    }
    let _ = update(&mut app, Action::SortBackwards);
    assert!(listed(&app).is_sorted_by(|one, other| one > other), "by time, backwards");
}

#[test]
fn next_goes_from_failure_to_failure() {
    let mut app = read(MIXED, (80, 24));
    let _ = update(&mut app, Action::Next);
    assert_eq!((app.table.cursor, app.row().unwrap().outcome), (1, Outcome::Refused));
    let _ = update(&mut app, Action::Next);
    assert_eq!(app.table.cursor, 3);
    let _ = update(&mut app, Action::Previous);
    assert_eq!(app.table.cursor, 1);
    let _ = update(&mut app, Action::Previous);
    assert_eq!(app.notice.as_deref(), Some("none before"));
}

#[test]
fn a_click_chooses_and_one_more_opens() {
    let mut app = read(MIXED, (80, 24));
    let line = drawn(&app).lines().position(|line| line.contains("404")).unwrap();
    let click = Action::Click(3, u16::try_from(line).unwrap());
    let _ = update(&mut app, click);
    assert_eq!((app.table.cursor, app.screen), (1, Screen::Overview));
    let _ = update(&mut app, click);
    assert_eq!(app.screen, Screen::Attempt);
}

#[test]
fn what_is_copied_asks_again_without_secrets() {
    let mut app = read("nginx-nothing-configured/proxy-any.pcap", (80, 24));
    let _ = update(&mut app, Action::Copy);
    let names: Vec<&str> = app.menu.as_ref().unwrap().entries.iter().map(|entry| &*entry.name).collect();
    assert!(names[0].starts_with("the fix (nginx"), "{names:?}");
    let at = names.iter().position(|name| name.contains("curl")).unwrap();
    let effects = act(&mut app, &[&vec![Action::Move(Motion::Down); at][..], &[Action::Choose]].concat());
    let [Effect::Copy(command)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(command.starts_with("curl -i -N -m 10 --http1.1 \\\n"), "{command}");
    assert!(command.contains("-H 'Cookie: session=[redacted]'"), "{command}");
    assert!(command.ends_with("'http://10.77.1.1:80/ws/events'"), "{command}");
}

#[test]
fn failures_are_shown_by_word_and_symbol() {
    let app = read(MIXED, (80, 24));
    let drawn = drawn(&app);
    assert!(drawn.contains("✗ refused") && drawn.contains("✓ established"));
}

#[test]
fn a_hundred_thousand_rows_cost_no_more_than_those_in_view() {
    let capture = captured(MIXED);
    let News::Rows(few) = rows(&capture, 0..1) else { panic!("no rows") };
    let (mut app, _) = reading(MIXED);
    let again = |number: u64| {
        let mut row = few[0].clone();
        row.id.connection = PacketNumber(number);
        row
    };
    let many: Vec<Row> = (0..100_000).map(again).collect();
    let _ = receive(&mut app, News::Rows(many));
    let _ = update(&mut app, Action::Move(Motion::Last));
    assert_eq!(app.table.cursor, 99_999);
    assert!(drawn(&app).contains("attempts 100,000"));
}

#[test]
fn rows_are_sorted_by_what_stands_in_the_column() {
    let mut app = read(MIXED, (140, 40));
    let texts = |app: &App, text: fn(&Row) -> String| -> Vec<String> {
        app.table.order.iter().map(|place| text(&app.data.rows[*place])).collect()
    };
    let cases: [(Column, Text); 4] = [
        (Column::Client, |row| row.client.to_string()),
        (Column::Server, |row| row.server.to_string()),
        (Column::Status, |row| format!("{:?}", row.status)),
        (Column::Latency, |row| format!("{:020}", row.latency.unwrap().as_nanos())),
    ];
    for (column, text) in cases {
        app.table.sort = column;
        let _ = act(&mut app, &[Action::SortBackwards, Action::SortBackwards]);
        assert!(texts(&app, text).is_sorted(), "{column:?}: {:?}", texts(&app, text));
        let _ = update(&mut app, Action::SortBackwards);
        assert!(texts(&app, text).is_sorted_by(|one, other| one >= other), "{column:?}");
        let _ = update(&mut app, Action::SortBackwards);
    }
}

/// What a row shows in one column.
type Text = fn(&Row) -> String;

#[test]
fn a_narrow_flow_shows_the_time_since_the_line_before_when_asked() {
    let mut app = read("idle-cut/proxy-any.pcap", (60, 15));
    let _ = act(&mut app, &[Action::Show(Screen::Flow), Action::Times]);
    assert!(drawn(&app).contains("+2.35 ms"), "{}", drawn(&app));
    let _ = update(&mut app, Action::Times);
    assert!(drawn(&app).contains("\n18:48:04.384369Z"), "{}", drawn(&app));
    let _ = act(&mut app, &[Action::Times, Action::Times]);
    assert!(drawn(&app).contains("\n0.000044 s"), "{}", drawn(&app));
}

#[test]
fn all_that_waited_is_taken_at_once() {
    let (mut app, capture) = reading(MIXED);
    let all = capture.connections.len();
    let _ = receive(&mut app, rows(&capture, 0..2));
    let _ = update(&mut app, Action::Freeze);
    let _ = receive(&mut app, rows(&capture, 2..6));
    let _ = receive(&mut app, rows(&capture, 4..all));
    let diagnosis = diagnose(&capture, &Selection::default(), false);
    let finished = Finished::new(capture, diagnosis, app.shown);
    let _ = receive(&mut app, News::Finished(Box::new(finished)));
    assert_eq!(app.data.rows.len(), 2);
    let effects = update(&mut app, Action::Freeze);
    let discarded = effects.iter().map(|effect| match effect {
        Effect::Discard(gone) => gone.rows.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(discarded.collect::<Vec<_>>(), [all, 2]);
    assert_eq!(app.data.rows.len() * 2, all);
}

#[test]
fn what_changes_is_asked_about_again() {
    let (mut app, capture) = reading(MIXED);
    let News::Rows(told) = rows(&capture, 0..8) else { panic!("no rows") };
    let mut first = told.clone();
    for row in &mut first {
        row.status = None;
    }
    let _ = receive(&mut app, News::Rows(first));
    let _ = update(&mut app, Action::Filter);
    type_text(&mut app, "status:404");
    assert!(listed(&app).is_empty());
    let expected: Vec<u64> =
        told.iter().filter(|row| row.status == Some(404)).map(|row| row.id.connection.0).collect();
    assert!(!expected.is_empty());
    let _ = receive(&mut app, News::Rows(told));
    assert_eq!(listed(&app), expected);
}

#[test]
fn attempts_are_counted_as_they_are_listed() {
    let mut app = read(MIXED, (140, 40));
    let screen = drawn(&app);
    assert!(screen.contains("3 of 6 upgrade attempts failed"), "{screen}");
    assert!(screen.contains("attempts 6, seen on 12 connections"), "{screen}");
    let _ = update(&mut app, Action::Failures);
    let screen = drawn(&app);
    assert!(screen.contains("attempts 3 of 6, filter outcome:failed, seen on 12 connections"), "{screen}");
    let _ = update(&mut app, Action::Show(Screen::Capture));
    let screen = drawn(&app);
    assert!(screen.contains("seen on 12 connections, before and after a proxy"), "{screen}");
}

#[test]
fn damage_is_told_on_every_screen() {
    let mut capture = captured(MIXED);
    capture.totals.warnings.push("x.pcap: cut inside of packet 148".to_owned());
    let mut app = finished(capture, "x.pcap", (60, 15));
    for screen in [Screen::Overview, Screen::Flow, Screen::Findings] {
        let _ = update(&mut app, Action::Show(screen));
        assert!(drawn(&app).contains("damaged (3 tells)"), "{}", drawn(&app));
    }
    let _ = update(&mut app, Action::Show(Screen::Capture));
    let _ = update(&mut app, Action::Move(Motion::Last));
    assert!(drawn(&app).contains("cut inside of packet 148"), "{}", drawn(&app));
}
