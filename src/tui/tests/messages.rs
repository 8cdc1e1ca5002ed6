//! The messages of a session: asked for, listed, searched, shown, copied, exported.

use super::*;
use crate::protocol::{Opcode, Role};
use crate::units::{PacketNumber, Span, Timestamp};

/// The state with the messages screen of a capture's first attempt, and these messages.
fn shown(messages: Vec<Message>, size: (u16, u16)) -> App {
    let mut app = read("chat/proxy-any.pcap", size);
    let effects = act(&mut app, &[Action::Show(Screen::Messages)]);
    let [Effect::ReadMessages(session, 0)] = effects.as_slice() else { panic!("{effects:?}") };
    let _ = receive(&mut app, News::Messages(session.id(), Ok((messages, None))));
    app
}

fn message(number: u64, by: Role, opcode: Opcode, payload: &[u8]) -> Message {
    Message {
        index: number - 1,
        packet: PacketNumber(18 + number),
        time: Timestamp::from_parts(1_795_460_880, 0),
        by,
        opcode,
        length: payload.len() as u64,
        is_compressed: false,
        payload: payload.into(),
        lacks: None,
        is_cut: false,
    }
}

/// What a GraphQL server and its client might say, with something evil among it.
fn talk(start: Timestamp) -> Vec<Message> {
    let (client, server) = (Role::Client, Role::Server);
    let mut messages = vec![
        message(1, client, Opcode::TEXT, b"{\"type\":\"connection_init\",\"payload\":{}}"),
        message(2, server, Opcode::TEXT, b"{\"type\":\"connection_ack\"}"),
        message(
            3,
            client,
            Opcode::TEXT,
            b"{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription { page(id: 7) { title body } }\",\"variables\":{\"n\":[1,2.50,true,null]}}}",
        ),
        message(4, server, Opcode::PING, b"\x00\x01"),
        message(5, client, Opcode::PONG, b"\x00\x01"),
        message(6, server, Opcode::TEXT, "{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"title\":\"世界 \u{202e}evil\u{1b}[2J \u{5e9}\u{5dc}\u{5d5}\u{5dd}\"}}".as_bytes()),
        message(7, server, Opcode::BINARY, &(0..=255).collect::<Vec<u8>>()),
        message(8, server, Opcode::CLOSE, b"\x03\xe8bye"),
    ];
    for (number, message) in messages.iter_mut().enumerate() {
        let after = i64::try_from(number).unwrap() * 1_500 + 5;
        message.time = start.after(Span::from_millis(after));
    }
    messages[5].is_compressed = true;
    messages[5].length = 40;
    messages[6].lacks = Some("3,840 bytes more not kept".to_owned());
    messages
}

fn start() -> Timestamp {
    captured("chat/proxy-any.pcap").totals.first_and_last.unwrap().0
}

#[test]
fn messages_have_a_list_and_a_payload() {
    for size in screens::SIZES {
        let mut app = shown(talk(start()), size);
        let _ = act(&mut app, &[Action::Move(Motion::Down), Action::Move(Motion::Down)]);
        screens::assert_screen("messages-payload", &app);
        let _ = act(&mut app, &[Action::Move(Motion::Last), Action::Move(Motion::Up), Action::Open]);
        screens::assert_screen("messages-zoomed", &app);
    }
}

#[test]
fn messages_are_asked_for_once_and_again_for_another_attempt() {
    let mut app = read("mixed-backends/proxy-any.pcap", (80, 24));
    let effects = act(&mut app, &[Action::Show(Screen::Messages)]);
    assert!(matches!(effects.as_slice(), [Effect::ReadMessages(_, 0)]), "{effects:?}");
    assert_eq!(act(&mut app, &[Action::Move(Motion::Down), Action::Form]), []);
    let effects = act(&mut app, &[Action::NextAttempt, Action::NextAttempt]);
    assert!(matches!(effects.as_slice(), [Effect::ReadMessages(_, 0)]), "{effects:?}");
}

#[test]
fn answers_to_what_nobody_asks_any_more_are_let_go() {
    let mut app = shown(talk(start()), (80, 24));
    let other = AttemptId { connection: PacketNumber(999), attempt: 0 };
    let _ = receive(&mut app, News::Messages(other, Ok((Vec::new(), None))));
    assert_eq!(app.messages.all().len(), 8);
    let mut app = read("chat/proxy-any.pcap", (80, 24));
    let effects = act(&mut app, &[Action::Show(Screen::Messages)]);
    let [Effect::ReadMessages(session, 0)] = effects.as_slice() else { panic!("{effects:?}") };
    let _ = receive(&mut app, News::Messages(session.id(), Err("a pipe cannot be read again".to_owned())));
    assert!(drawn(&app).contains("no payloads: a pipe cannot be read again"), "{}", drawn(&app));
    assert!(drawn(&app).contains("binary"), "the frames are there");
}

#[test]
fn a_search_goes_to_the_first_match_and_n_to_the_next() {
    let mut app = shown(talk(start()), (80, 24));
    let _ = update(&mut app, Action::Filter);
    type_text(&mut app, "subscr");
    assert_eq!(app.messages.cursor, 2);
    assert!(drawn(&app).contains("/subscr   1 message"), "{}", drawn(&app));
    let _ = act(&mut app, &[Action::EraseAll]);
    type_text(&mut app, "TYPE");
    let _ = act(&mut app, &[Action::Accept, Action::Next]);
    assert_eq!(app.messages.cursor, 5);
    let _ = update(&mut app, Action::Next);
    assert_eq!((app.messages.cursor, app.notice.as_deref()), (5, Some("no further match")));
    let _ = act(&mut app, &[Action::Previous, Action::Previous]);
    assert_eq!(app.messages.cursor, 1);
    let _ = act(&mut app, &[Action::Filter, Action::EraseAll, Action::Type('x'), Action::Back]);
    assert_eq!(app.messages.search, "TYPE", "who cancels has the old search");
}

#[test]
fn payloads_come_in_three_forms() {
    let mut app = shown(talk(start()), (80, 24));
    assert!(drawn(&app).contains("\n  \"type\": \"connection_init\","), "{}", drawn(&app));
    let _ = update(&mut app, Action::Form);
    assert!(drawn(&app).contains("00000000  7b 22 74 79"), "{}", drawn(&app));
    let _ = update(&mut app, Action::Form);
    assert!(drawn(&app).contains("\n{\"type\":\"connection_init\",\"payload\":{}}"), "{}", drawn(&app));
}

#[test]
fn more_messages_are_asked_for_at_the_end_of_the_list() {
    let mut app = read("chat/proxy-any.pcap", (80, 24));
    let effects = act(&mut app, &[Action::Show(Screen::Messages)]);
    let [Effect::ReadMessages(session, 0)] = effects.as_slice() else { panic!("{effects:?}") };
    let all = talk(start());
    let effects = receive(&mut app, News::Messages(session.id(), Ok((all[..4].to_vec(), Some(4)))));
    assert_eq!(effects, []);
    assert!(drawn(&app).contains("more at the end"), "{}", drawn(&app));
    let effects = act(&mut app, &[Action::Move(Motion::Last), Action::Move(Motion::Last)]);
    assert_eq!(effects, [Effect::ReadMessages(session.clone(), 4)], "once");
    let _ = receive(&mut app, News::Messages(session.id(), Ok((all[4..].to_vec(), None))));
    assert_eq!((app.messages.all().len(), app.messages.cursor), (8, 3));
    assert!(!drawn(&app).contains("more"), "{}", drawn(&app));
}

#[test]
fn a_payload_can_be_read_to_its_end() {
    let mut app = shown(talk(start()), (80, 24));
    let _ = act(&mut app, &[Action::Move(Motion::Down), Action::Move(Motion::Down), Action::Open]);
    let _ = act(&mut app, &[Action::Resize(60, 15), Action::Move(Motion::Last)]);
    assert!(drawn(&app).contains("\n      ]\n    }\n  }\n}"), "{}", drawn(&app));
    let _ = update(&mut app, Action::Back);
    assert_eq!((app.screen, app.messages.is_zoomed), (Screen::Messages, false));
}

#[test]
fn nothing_of_a_payload_reaches_the_terminal_as_it_is() {
    let mut evil = talk(start());
    let all: String = (0..0x300).chain(0x2000..0x2100).filter_map(char::from_u32).collect();
    evil.push(message(9, Role::Server, Opcode::TEXT, all.as_bytes()));
    let bytes: Vec<u8> = (0..=255).collect();
    evil.push(message(10, Role::Server, Opcode::TEXT, &bytes));
    let count = evil.len();
    for size in screens::SIZES {
        let mut app = shown(evil.clone(), size);
        for _ in 0..count {
            for _ in 0..3 {
                let _ = act(&mut app, &[Action::Form]);
                let drawn = drawn(&app);
                assert!(!drawn.chars().any(|one| one != '\n' && crate::text::is_unsafe(one)), "{drawn:?}");
            }
            let _ = update(&mut app, Action::Move(Motion::Down));
        }
    }
}

#[test]
fn a_message_can_be_copied_and_exported() {
    let mut app = shown(talk(start()), (80, 24));
    let effects = act(&mut app, &[Action::Copy, Action::Choose]);
    assert_eq!(effects, [Effect::Copy("{\"type\":\"connection_init\",\"payload\":{}}".to_owned())]);
    let effects = act(&mut app, &[Action::Export, Action::Choose]);
    let [Effect::Save(export)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(export.name, "proxy-any-3-message-1.json");
    assert_eq!(export.content, Content::Bytes(b"{\"type\":\"connection_init\",\"payload\":{}}".to_vec()));
    let _ = receive(&mut app, News::Saved(Ok(export.name.clone())));
    assert!(drawn(&app).contains("written: proxy-any-3-message-1.json"));
}

#[test]
fn an_attempt_can_be_exported_as_packets_and_as_reports() {
    let mut app = read("nginx-nothing-configured/proxy-any.pcap", (80, 24));
    let _ = update(&mut app, Action::Export);
    let names: Vec<&str> = app.menu.as_ref().unwrap().entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(
        names,
        [
            "the packets of its 2 connections, pcapng (with secrets)",
            "a report about it, Markdown",
            "a report about it, JSON"
        ]
    );
    let effects = update(&mut app, Action::Choose);
    let [Effect::Save(Export { name, content: Content::Packets(legs, comments) })] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!((name.as_str(), legs.len()), ("proxy-any-3.pcapng", 2));
    assert!(comments.iter().any(|(packet, words)| packet.0 == 13 && words.contains("drops the upgrade")));
    let effects = act(&mut app, &[Action::Export, Action::Move(Motion::Down), Action::Choose]);
    let [Effect::Save(Export { name, content: Content::Bytes(bytes) })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(name, "proxy-any-3.md");
    assert!(text.starts_with("**the only upgrade attempt failed"), "{text}");
    assert!(text.contains("/ws/events") && !text.contains("/api/live"), "{text}");
    assert!(text.contains("-Upgrade: websocket"), "{text}");
    let effects = act(&mut app, &[Action::Export, Action::Move(Motion::Last), Action::Choose]);
    let [Effect::Save(Export { content: Content::Bytes(bytes), .. })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let lines = String::from_utf8(bytes.clone()).unwrap();
    let kinds: Vec<&str> = lines.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(kinds, ["connection", "connection", "route", "summary"]);
    assert!(lines.contains("[redacted]") && !lines.contains("/api/live"), "{lines}");
}

#[test]
fn a_message_that_was_cut_is_read_in_full_if_asked_for() {
    let mut messages = talk(start());
    messages[1].lacks = Some("4 bytes more not kept".to_owned());
    messages[1].is_cut = true;
    let whole = Message {
        payload: b"all of it".as_slice().into(),
        lacks: None,
        is_cut: false,
        ..messages[1].clone()
    };
    let mut app = shown(messages, (80, 24));
    assert_eq!(act(&mut app, &[Action::Whole]), []);
    assert!(drawn(&app).contains("no more of this message can be had"));
    let effects = act(&mut app, &[Action::Move(Motion::Down), Action::Whole]);
    let [Effect::ReadWhole(session, 1)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(drawn(&app).contains("(w reads all)"), "{}", drawn(&app));
    let _ = receive(&mut app, News::Whole(session.id(), Ok(whole)));
    assert!(drawn(&app).contains("all of it"), "{}", drawn(&app));
    assert_eq!(app.messages.payload(), Some(b"all of it".as_slice()));
    let _ = act(&mut app, &[Action::Move(Motion::Up)]);
    assert!(!drawn(&app).contains("all of it"));
}
