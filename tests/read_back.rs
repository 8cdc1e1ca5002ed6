//! Messages read back are those that a reading of the whole capture decodes.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::Write;
use std::path::{Path, PathBuf};

use conversation::{Conversation, Ip, Link, SWITCH, UPGRADE, pcap, server_frame};
// What the shared test support calls `crate::capture`.
use wsinspect::capture::{self, CaptureError, CaptureFile};
use wsinspect::limits::{MESSAGE_BYTES, READ_BACK_BYTES};
use wsinspect::model::{Capture, Connection};
use wsinspect::pipeline::{Options, ReadBackError, ReadBackWanted, analyse, read_back};
use wsinspect::protocol::{Message, MessagesWanted, Opcode, Role, Which};
use wsinspect::units::PacketNumber;

#[path = "support/conversation.rs"]
mod conversation;
#[path = "../src/capture/testing.rs"]
mod testing;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name)
}

fn whole(path: &Path) -> Capture {
    let options = Options { messages: Some(MessagesWanted::default()), ..Options::default() };
    analyse(&mut CaptureFile::open(path).unwrap(), None, options, |_| {}).unwrap()
}

fn decoded(connection: &Connection, attempt: usize) -> Vec<Message> {
    let session = connection.attempts[attempt].session.as_ref();
    session.iter().flat_map(|session| session.decoded.as_ref().unwrap().messages.iter().cloned()).collect()
}

fn again(path: &Path, connection: &Connection, which: Which) -> Vec<Message> {
    let wanted = ReadBackWanted::of(connection, connection.attempts.len() - 1, which);
    let found = read_back(path, None, wanted, || true).unwrap();
    assert_eq!(found.next, None);
    found.messages
}

/// Each attempt's messages, checked to be the same when they are read back.
fn same_again(path: &Path) -> Vec<Vec<Message>> {
    let capture = whole(path);
    let mut found = Vec::new();
    for connection in &capture.connections {
        let Some(attempt) = connection.attempts.len().checked_sub(1) else { continue };
        let messages = decoded(connection, attempt);
        assert_eq!(
            again(path, connection, Which::From(0)),
            messages,
            "{}: {:?}",
            path.display(),
            connection.id()
        );
        found.push(messages);
    }
    found
}

/// What was said: who, what kind, the text or how many bytes.
fn said(messages: &[Message]) -> Vec<String> {
    let line = |it: &Message| {
        let by = it.by.name();
        let what = it.text().map_or_else(|| format!("{} bytes", it.payload.len()), str::to_owned);
        let obstacle = it.obstacle.map_or_else(String::new, |obstacle| format!(" ({})", obstacle.name()));
        format!("{by} {:x} {what}{obstacle}", it.opcode.0)
    };
    messages.iter().map(line).collect()
}

#[test]
fn every_shipped_capture_says_the_same_twice() {
    let mut messages = 0;
    let mut files: Vec<PathBuf> = std::fs::read_dir(shipped(""))
        .unwrap()
        .filter_map(|folder| std::fs::read_dir(folder.unwrap().path()).ok())
        .flatten()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    files.sort();
    assert!(files.len() > 50);
    for file in files {
        messages += same_again(&file).iter().map(Vec::len).sum::<usize>();
    }
    assert!(messages > 500, "{messages}");
}

#[test]
fn all_formats_of_a_capture_say_the_same() {
    let expected = same_again(&shipped("chat/client-eth.pcap"));
    let texts: Vec<_> = expected.iter().map(|messages| said(messages)).collect();
    assert_eq!(texts.len(), 1);
    assert_eq!(
        texts[0][..11],
        [
            "client 1 hello",
            "server 1 hello",
            "client 2 6 bytes",
            "server 2 6 bytes",
            "client 9 16 bytes",
            "server a 16 bytes",
            "client 1 a message in three fragments",
            "server 1 a message in three fragments",
            "client 1 tell me a story",
            "server 9 12 bytes",
            "server 1 Once upon a time.",
        ]
    );
    let told = |name: &str| same_again(&shipped(name)).iter().map(|it| said(it)).collect::<Vec<_>>();
    assert_eq!(told("chat/client-eth.pcap.gz"), texts);
    for name in ["proxy-any.pcap", "proxy-any-nano.pcap", "proxy-any-sll1.pcap", "both-sides.pcapng"] {
        let legs = told(&format!("chat/{name}"));
        // A proxy that passes messages on answers no pings itself; the order of what crosses may differ.
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        assert!(legs.len() >= 2, "{name}");
        for leg in legs {
            assert_eq!(sorted(&leg), sorted(&texts[0]), "{name}");
        }
    }
}

#[test]
fn compressed_messages_are_inflated_by_what_their_side_agreed_on() {
    for name in ["client-eth.pcap", "proxy-any.pcap"] {
        for messages in same_again(&shipped(&format!("chat-deflate/{name}"))) {
            let data: Vec<&Message> = messages.iter().filter(|it| !it.is_control()).collect();
            assert!(data.iter().all(|it| it.obstacle.is_none() && it.cut_bytes() == 0));
            let client: Vec<&&Message> = data.iter().filter(|it| it.by == Role::Client).collect();
            let server: Vec<&&Message> = data.iter().filter(|it| it.by == Role::Server).collect();
            // The server sends back what it gets, but for the story.
            for (sent, returned) in client.iter().zip(&server).take(5) {
                assert_eq!((sent.opcode, &sent.payload), (returned.opcode, &returned.payload));
            }
            assert!(data.iter().any(|it| !it.compressed), "some is sent as it is");
            let again =
                client.iter().filter(|it| it.text().is_some_and(|text| text.contains("again and again")));
            let lengths: Vec<_> = again.map(|it| (it.compressed, it.length, it.wire_length < 100)).collect();
            assert_eq!(lengths, [(true, Some(2048), true); 2]);
            let binary = client.iter().find(|it| it.opcode == Opcode::BINARY).unwrap();
            assert_eq!((binary.text(), binary.length), (None, Some(2048)));
        }
    }
}

/// All four settings of RFC 7692 section 7.1.1: what a side repeats costs it less only where it may look back.
#[test]
fn a_side_that_agreed_to_forget_compresses_each_message_by_itself() {
    let settings = [
        ("chat-deflate", false, false),
        ("deflate-client-forgets", true, false),
        ("deflate-server-forgets", false, true),
        ("deflate-both-forget", true, true),
    ];
    for (name, client_forgets, server_forgets) in settings {
        for file in ["client-eth.pcap", "proxy-any.pcap"] {
            for messages in same_again(&shipped(&format!("{name}/{file}"))) {
                assert!(
                    messages.iter().all(|it| it.obstacle.is_none() && it.cut_bytes() == 0),
                    "{name}/{file}"
                );
                for (role, forgets) in [(Role::Client, client_forgets), (Role::Server, server_forgets)] {
                    let repeated: Vec<&Message> = messages
                        .iter()
                        .filter(|it| it.by == role)
                        .filter(|it| it.text().is_some_and(|text| text.contains("again and again")))
                        .collect();
                    let [first, second] = repeated[..] else { unreachable!("{name}/{file}: said twice") };
                    assert!(first.compressed && second.compressed, "{name}/{file}");
                    assert_eq!(first.payload, second.payload, "{name}/{file}");
                    assert_eq!(first.wire_length == second.wire_length, forgets, "{name}/{file} {role:?}");
                }
            }
        }
    }
}

#[test]
fn a_capture_that_begins_late_or_is_cut_shows_what_it_has() {
    for messages in same_again(&shipped("midstream/proxy-any.pcap")) {
        assert_eq!(said(&messages)[0], "client 1 one");
        assert!(messages.iter().all(|it| it.obstacle.is_none()));
    }
    for messages in same_again(&shipped("snaplen-cut/proxy-any.pcap")) {
        assert_eq!(said(&messages)[..2], ["client 1 hello", "server 1 hello"]);
    }
}

#[test]
fn a_range_of_indices_or_packets() {
    let path = shipped("chat-deflate/proxy-any.pcap");
    let capture = whole(&path);
    let connection = &capture.connections[0];
    let all = decoded(connection, 0);
    for index in 0..=all.len() {
        assert_eq!(again(&path, connection, Which::From(index as u64)), all[index..], "from {index}");
    }
    let (from, to) = (all[3].first.packet, all[5].last.packet);
    let between = again(&path, connection, Which::Packets(from, to));
    let expected: Vec<Message> =
        all.iter().filter(|it| it.last.packet >= from && it.first.packet <= to).cloned().collect();
    assert!((3..all.len()).contains(&expected.len()));
    assert_eq!(between, expected);
    assert_eq!(again(&path, connection, Which::Packets(PacketNumber(0), PacketNumber(0))), []);
    // An attempt that is not there has no messages.
    let wanted = ReadBackWanted::of(connection, 7, Which::From(0));
    assert!(read_back(&path, None, wanted, || true).unwrap().messages.is_empty());
}

#[test]
fn what_is_not_there_any_more_is_told() {
    let path = shipped("chat/proxy-any.pcap");
    let capture = whole(&path);
    let wanted = ReadBackWanted::of(&capture.connections[1], 0, Which::From(0));
    let told = |path: &Path| read_back(path, None, wanted, || true).unwrap_err();
    assert!(matches!(told(Path::new("-")), ReadBackError::Capture(CaptureError::Gone { .. })));
    assert!(matches!(told(Path::new("/dev/null")), ReadBackError::Capture(CaptureError::Gone { .. })));
    assert!(matches!(told(Path::new("no-such-file")), ReadBackError::Capture(CaptureError::Open { .. })));
    let stopped = read_back(&path, None, wanted, || false).unwrap_err();
    assert!(matches!(stopped, ReadBackError::Stopped));
    // Another capture of the same name, an empty one, one that is cut before the connection.
    let bytes = std::fs::read(&path).unwrap();
    let cut = usize::try_from(wanted.first.file_offset).unwrap();
    let other = std::fs::read(shipped("idle-cut/proxy-any.pcap")).unwrap();
    for contents in [&other[..], &bytes[..24], &bytes[..cut], &bytes[..cut + 20]] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(contents).unwrap();
        let error = told(file.path());
        assert!(matches!(error, ReadBackError::Changed { .. }), "{error}");
        assert!(error.to_string().ends_with("again: the file has changed (read it anew)"), "{error}");
    }
}

#[test]
fn nothing_before_the_connection_is_read() {
    // What comes before it is made unreadable: a plain file is read from the connection's first packet on.
    let path = shipped("chat/proxy-any.pcap");
    let capture = whole(&path);
    let connection = &capture.connections[1];
    let mut bytes = std::fs::read(&path).unwrap();
    let start = usize::try_from(connection.tcp.opening.first.file_offset).unwrap();
    bytes[24..start - 16].fill(0xff);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    assert_eq!(again(file.path(), connection, Which::From(0)), decoded(connection, 0));
}

/// A text message of the server of so many bytes, in segments.
fn long_message(talk: &mut Conversation, bytes: usize) {
    let frame = [&[0x81, 127], &(bytes as u64).to_be_bytes()[..], &vec![b'x'; bytes]].concat();
    for segment in frame.chunks(40_000) {
        talk.server(segment);
    }
}

#[test]
fn one_message_is_read_back_in_full() {
    let mut talk = Conversation::open(Ip::V4, 40_000);
    talk.client(UPGRADE).server(SWITCH).server(server_frame(0x81, b"short"));
    long_message(&mut talk, 2 * MESSAGE_BYTES);
    long_message(&mut talk, READ_BACK_BYTES + 1);
    talk.server(server_frame(0x81, b"last")).close();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pcap(Link::Ethernet, &talk.packets)).unwrap();
    let capture = whole(file.path());
    let connection = &capture.connections[0];
    let listed: Vec<usize> = decoded(connection, 0).iter().map(|it| it.payload.len()).collect();
    assert_eq!(listed, [5, MESSAGE_BYTES, MESSAGE_BYTES, 4]);
    let one = |index| {
        let wanted = ReadBackWanted::one(connection, 0, index);
        let read = read_back(file.path(), None, wanted, || true).unwrap().messages;
        read.iter().map(|it| (it.index, it.payload.len(), it.cut_bytes())).collect::<Vec<_>>()
    };
    assert_eq!(one(0), [(0, 5, 0)]);
    assert_eq!(one(1), [(1, 2 * MESSAGE_BYTES, 0)]);
    assert_eq!(one(2), [(2, READ_BACK_BYTES, 1)]);
    assert_eq!(one(3), [(3, 4, 0)]);
    assert_eq!(one(4), []);
}
