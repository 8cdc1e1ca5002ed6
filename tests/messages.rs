//! `--messages`: what each line says, that lines agree with what was counted, and what is hidden.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use conversation::{Conversation, Ip, Link, SWITCH, UPGRADE, client_frame, client_text, pcap, server_frame};
use program::{Folder, captures, read, read_stdin, run};
use serde_json::{Value, json};
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/program.rs"]
mod program;
#[path = "../src/capture/testing.rs"]
mod testing;

const JSON: [&str; 2] = ["--format", "json"];

fn parsed(report: &str) -> Vec<Value> {
    report.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of the messages of a conversation after a handshake.
fn told(talk: impl FnOnce(&mut Conversation), options: &[&str]) -> Vec<Value> {
    let mut conversation = Conversation::open(Ip::V4, 40_000);
    conversation.client(UPGRADE).server(SWITCH);
    talk(&mut conversation);
    let folder = Folder::with("talk.pcap", &pcap(Link::Ethernet, &conversation.packets));
    let arguments = [&["read", "talk.pcap", "--messages"], &JSON[..], options].concat();
    let lines = parsed(&folder.run(&arguments).report());
    lines.into_iter().filter(|line| line["type"] == "message").collect()
}

#[test]
fn a_line_has_what_the_contract_says() {
    let lines = told(
        |it| {
            it.client(client_text("hello"))
                .server(server_frame(0x02, b"\0\xff"))
                .server(server_frame(0x80, b"!"));
        },
        &[],
    );
    let expected = json!([
        {
            "type": "message", "connection": 1, "attempt": 0, "packet": 6,
            "time": "2023-11-14T22:13:20.005000000Z", "last_packet": 6, "by": "client", "opcode": "text",
            "fragments": 1, "compressed": false, "wire_length": 5, "length": 5, "cut_bytes": 0,
            "problem": null, "not_utf8_at": null, "redacted": false, "text": "hello"
        },
        {
            "type": "message", "connection": 1, "attempt": 0, "packet": 7,
            "time": "2023-11-14T22:13:20.006000000Z", "last_packet": 8, "by": "server", "opcode": "binary",
            "fragments": 2, "compressed": false, "wire_length": 3, "length": 3, "cut_bytes": 0,
            "problem": null, "not_utf8_at": null, "redacted": false, "base64": "AP8h"
        }
    ]);
    assert_eq!(Value::from(lines), expected);
}

#[test]
fn secrets_in_text_are_hidden_unless_they_are_asked_for() {
    let talk = |it: &mut Conversation| {
        it.client(client_text(r#"{"op":"auth","token":"hunter2"}"#)).client(client_text("no secret"));
    };
    let shown =
        |options| told(talk, options).iter().map(|it| (it["text"].clone(), it["redacted"].clone())).collect();
    let hidden: Vec<(Value, Value)> = shown(&[]);
    assert_eq!(hidden[0], (json!(r#"{"op":"auth","token":"[redacted]"}"#), json!(true)));
    assert_eq!(hidden[1], (json!("no secret"), json!(false)));
    let open: Vec<(Value, Value)> = shown(&["--show-secrets"]);
    assert_eq!(open[0], (json!(r#"{"op":"auth","token":"hunter2"}"#), json!(false)));
}

#[test]
fn what_could_not_be_decoded_is_told() {
    let lines = told(
        |it| {
            it.client(client_frame(0x81, b"ab\xff")).client(client_frame(0xc1, b"??"));
            it.server(server_frame(0x80, b"of nothing")).server(server_frame(0x01, b"never ends"));
        },
        &[],
    );
    let told: Vec<Value> = lines
        .iter()
        .map(|it| {
            json!([it["opcode"], it["problem"], it["not_utf8_at"], it["length"], it["base64"].is_null()])
        })
        .collect();
    let expected = json!([
        ["text", null, 2, 3, false],
        ["text", "reserved-bits", null, null, true],
        ["continuation", "continuation-without-start", null, null, false],
        ["text", "unfinished", null, null, true]
    ]);
    assert_eq!(Value::from(told), expected);
}

#[test]
fn messages_are_those_that_were_counted() {
    let mut all = 0;
    for path in captures() {
        let lines = parsed(&read(&path, &[&JSON[..], &["--all", "--messages"]].concat()).report());
        let mut found: BTreeMap<(u64, u64, String), u64> = BTreeMap::new();
        for line in lines.iter().filter(|line| line["type"] == "message") {
            let number = |key: &str| line[key].as_u64().unwrap();
            assert!(line["text"].is_string() != line["base64"].is_string(), "{line}");
            assert!(line["problem"].is_null() == line["length"].is_u64(), "{line}");
            let completed = line["problem"] != "unfinished" && line["problem"] != "interrupted";
            let place = (number("connection"), number("attempt"), line["by"].as_str().unwrap().to_owned());
            *found.entry(place).or_default() += u64::from(completed);
        }
        for connection in lines.iter().filter(|line| line["type"] == "connection") {
            for (attempt, it) in (0..).zip(connection["attempts"].as_array().unwrap()) {
                for role in ["client", "server"].iter().filter(|_| !it["websocket"].is_null()) {
                    let place = (connection["id"].as_u64().unwrap(), attempt, (*role).to_owned());
                    let messages = found.remove(&place).unwrap_or_default();
                    assert_eq!(it["websocket"][role]["messages"], messages, "{} {place:?}", path.display());
                    let decoded = &it["websocket"]["decoded"][role];
                    assert!(decoded["messages"].as_u64().unwrap() >= messages);
                    assert_eq!((&decoded["deflate_failed"], &decoded["not_utf8"]), (&json!(0), &json!(0)));
                    all += messages;
                }
            }
        }
        assert!(found.is_empty(), "{}: messages of no session: {found:?}", path.display());
    }
    assert!(all > 400, "{all}");
}

#[test]
fn lines_are_only_added() {
    for name in ["chat/proxy-any.pcap", "chat-deflate/client-eth.pcap", "midstream/proxy-any.pcap"] {
        let path = Path::new("captures").join(name);
        let without = |mut line: Value| {
            for attempt in line.get_mut("attempts").and_then(Value::as_array_mut).into_iter().flatten() {
                attempt["websocket"].as_object_mut().unwrap().remove("decoded").unwrap();
            }
            line
        };
        let with = parsed(&read(&path, &[&JSON[..], &["--frames", "--messages"]].concat()).report());
        let left: Vec<Value> =
            with.into_iter().filter(|line| line["type"] != "message").map(without).collect();
        assert_eq!(left, parsed(&read(&path, &[&JSON[..], &["--frames"]].concat()).report()));
    }
}

#[test]
fn messages_are_for_programs() {
    for options in
        [&["--messages"][..], &["--messages", "--format", "text"], &["--messages", "--format", "md"]]
    {
        let complaint = run(&[&["read", "captures/chat/client-eth.pcap"], options].concat()).complaint();
        assert_eq!(complaint, "wsinspect: cannot show messages as text (use --format json)");
    }
}

#[test]
fn what_a_receiver_could_not_read_is_looked_into_unasked() {
    let say = |talk: &mut Conversation, text: &[u8], code: u16| {
        talk.client(UPGRADE).server(SWITCH).client(client_frame(0x81, text));
        talk.server(server_frame(0x88, &code.to_be_bytes()));
        talk.client(client_frame(0x88, &code.to_be_bytes())).close();
    };
    let single = |text: &[u8], code| {
        let mut talk = Conversation::open(Ip::V4, 40_000);
        say(&mut talk, text, code);
        pcap(Link::Ethernet, &talk.packets)
    };
    let told = |file: &[u8]| seen(&Folder::with("talk.pcap", file).run(&TALK).report());
    for code in [1002, 1007] {
        assert_eq!(told(&single(b"caf\xe9", code)), [(json!("text-not-utf8"), true)], "{code}");
        assert_eq!(
            told(&single("caf\u{e9}".as_bytes(), code)),
            [(json!("closed-with-error"), true)],
            "{code}"
        );
    }
    assert_eq!(told(&single(b"caf\xe9", 1000)), [(Value::Null, false)], "nobody complained");
    // The same ports before and after, and other ones.
    let mut talk = Conversation::open(Ip::V4, 40_000);
    say(&mut talk, b"caf\xe9", 1000);
    talk.open_again();
    say(&mut talk, b"b\xe4d", 1007);
    talk.open_again();
    say(&mut talk, b"good", 1000);
    let mut other = Conversation::open(Ip::V4, 40_001);
    say(&mut other, b"\xff", 1000);
    let found = told(&pcap(Link::Ethernet, &[talk.packets, other.packets].concat()));
    let nothing = (Value::Null, false);
    assert_eq!(found, [nothing.clone(), (json!("text-not-utf8"), true), nothing.clone(), nothing]);
    // What comes through a pipe is gone.
    let piped = read_stdin(&single(b"caf\xe9", 1007), &JSON).report();
    assert_eq!(seen(&piped), [(json!("closed-with-error"), false)]);
}

/// Of each connection, its first finding, and whether its messages were decoded.
fn seen(report: &str) -> Vec<(Value, bool)> {
    let lines = parsed(report).into_iter().filter(|line| line["type"] == "connection");
    lines
        .map(|line| {
            let decoded = &line["attempts"][0]["websocket"]["decoded"];
            (line["findings"][0]["rule"].clone(), decoded.is_object())
        })
        .collect()
}

const TALK: [&str; 4] = ["read", "talk.pcap", "--format", "json"];
