//! Sessions by example: every kind of frame, and what gaps do to them.

use crate::protocol::testing::*;
use crate::protocol::websocket::{Anomaly, Opcode};
use crate::protocol::{Role, SessionFacts};

fn session(answer: &str, events: &[Event]) -> SessionFacts {
    let handshake = [client(REQUEST), server(answer)];
    *only(same_at_every_cut(&[&handshake, events].concat())).session.unwrap()
}

/// What is seen of these events after a handshake; the same at every cut.
fn seen(events: &[Event]) -> SessionFacts {
    session(ANSWER, events)
}

/// The same, where it is not the same at every cut: frames are found again at the start of a segment.
fn seen_in_segments(events: &[Event]) -> SessionFacts {
    *only(told(&[&[client(REQUEST), server(ANSWER)], events].concat())).session.unwrap()
}

fn deflate() -> String {
    ANSWER.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
}

fn anomalies(facts: &SessionFacts) -> Vec<(Anomaly, Role, u64)> {
    facts.anomalies.iter().map(|it| (it.kind, it.by, it.count)).collect()
}

/// A client's frame.
fn masked(first: u8, payload: &[u8]) -> Event {
    client(frame(first, KEY, payload))
}

/// A server's frame.
fn plain(first: u8, payload: &[u8]) -> Event {
    server(frame(first, None, payload))
}

#[test]
fn a_message_in_fragments_with_a_ping_between_them() {
    let facts = seen(&[
        masked(0x01, b"frag"),
        masked(0x89, b"still there?"),
        plain(0x8a, b"still there?"),
        masked(0x00, b"men"),
        masked(0x80, b"ts"),
        plain(0x82, &[7; 300]),
    ]);
    let (c, s) = (facts.client, facts.server);
    assert_eq!((c.text, c.continuation, c.ping, c.messages, c.payload_bytes), (1, 2, 1, 1, 4 + 12 + 3 + 2));
    assert_eq!((s.binary, s.pong, s.messages, s.payload_bytes), (1, 1, 1, 312));
    assert_eq!((facts.pings.answered, facts.pings.unanswered), (1, 0));
    assert_eq!(anomalies(&facts), []);
    let opcodes: Vec<u8> = facts.frames.iter().map(|frame| frame.opcode.0).collect();
    assert_eq!(opcodes, [1, 9, 10, 0, 0, 2]);
}

#[test]
fn a_first_message_of_the_server_that_refuses_is_told() {
    let denial = b"\x06page-1\x02\x01\x11permission-denied";
    let said = masked(0x82, b"\x06page-1\x02\x00\x05token");
    let denied = |events: &[Event]| seen(&[std::slice::from_ref(&said), events].concat()).denied.is_some();
    assert!(denied(&[plain(0x89, b"ping"), plain(0x82, denial), plain(0x81, b"more")]));
    assert!(
        !denied(&[plain(0x82, b"\x06page-1\x02\x02\x0aread-write"), plain(0x82, denial)]),
        "not the first"
    );
    assert!(!denied(&[plain(0x81, denial)]), "a text");
    assert!(!denied(&[plain(0x02, denial), plain(0x80, b"")]), "in fragments");
    let hole = Event::Lost(Role::Server, 9);
    assert!(!denied(&[server([0x82, 9]), hole, plain(0x82, denial)]), "what was first is missing");
}

#[test]
fn the_first_frames_of_the_client_are_marked() {
    let key = |at: u8| Some([at, 2, 3, 4]);
    let frames: Vec<Event> =
        (0..12).map(|at| client(frame(0x82, key(at), &vec![0; usize::from(at)]))).collect();
    let unmasked = [client(frame(0x81, None, b"no key")), server(frame(0x82, key(99), b"a server's"))];
    let facts = seen(&[&unmasked, &frames[..]].concat());
    let marks: Vec<(u8, u64)> = facts.marks.iter().map(|mark| (mark.masking_key[0], mark.length)).collect();
    assert_eq!(marks, (0..8).map(|at| (at, u64::from(at))).collect::<Vec<_>>());
    assert_eq!((facts.marks[0].origin.packet.0, facts.marks[7].origin.packet.0), (5, 12));
    // From the middle of a session, the first ones that the capture has.
    let joined = only(told_midstream(&[plain(0x81, b"hi"), frames[3].clone(), frames[4].clone()]));
    let marks: Vec<u8> = joined.session.unwrap().marks.iter().map(|mark| mark.masking_key[0]).collect();
    assert_eq!(marks, [3, 4]);
}

#[test]
fn closing() {
    let close = |payload: &[u8]| {
        let facts = seen(&[masked(0x88, payload), plain(0x88, payload)]);
        assert_eq!((facts.client.close, facts.server.close), (1, 1));
        let close = facts.close.clone().unwrap();
        assert_eq!(close.by, Role::Client);
        (close.code, String::from_utf8(close.reason.to_vec()).unwrap(), anomalies(&facts).len())
    };
    assert_eq!(close(b""), (1005, String::new(), 0));
    assert_eq!(close(b"\x03\xe8"), (1000, String::new(), 0));
    assert_eq!(close(b"\x03\xe8bye"), (1000, "bye".to_owned(), 0));
    assert_eq!(close(b"\x0f\xa0own"), (4000, "own".to_owned(), 0));
    assert_eq!(close(&[b"\x03\xe9", "x".repeat(123).as_bytes()].concat()).2, 0);
    // Malformed, by each side once.
    assert_eq!(close(b"\x03"), (1005, String::new(), 2));
    for reserved in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        assert_eq!(close(&reserved.to_be_bytes()), (reserved, String::new(), 2));
    }
}

#[test]
fn data_after_close_is_told_and_control_frames_are_not() {
    let facts =
        seen(&[masked(0x88, b""), masked(0x81, b"late"), masked(0x89, b""), plain(0x81, b"may still come")]);
    assert_eq!(anomalies(&facts), [(Anomaly::DataAfterClose, Role::Client, 1)]);
}

#[test]
fn control_frames_that_are_too_long_or_in_fragments() {
    let facts =
        seen(&[masked(0x89, &[1; 125]), masked(0x89, &[1; 126]), plain(0x0a, b"x"), plain(0x88, &[3; 200])]);
    assert_eq!((facts.client.ping, facts.server.pong, facts.server.close), (2, 1, 1));
    let expected = [
        (Anomaly::ControlFrameTooLong, Role::Client, 1),
        (Anomaly::ControlFrameFragmented, Role::Server, 1),
        (Anomaly::ControlFrameTooLong, Role::Server, 1),
    ];
    assert_eq!(anomalies(&facts), expected);
}

#[test]
fn masks_on_the_wrong_side() {
    let facts =
        seen(&[client(frame(0x81, None, b"bare")), server(frame(0x89, KEY, b"mask")), masked(0x8a, b"mask")]);
    let expected =
        [(Anomaly::ClientFrameUnmasked, Role::Client, 1), (Anomaly::ServerFrameMasked, Role::Server, 1)];
    assert_eq!(anomalies(&facts), expected);
    assert_eq!(facts.pings.answered, 1, "the mask is undone whoever sends it");
}

#[test]
fn reserved_bits_and_opcodes() {
    let bits = |answer: &str, first: u8| {
        anomalies(&session(answer, &[masked(first, b"x")])).iter().map(|(kind, ..)| *kind).collect::<Vec<_>>()
    };
    assert_eq!(bits(ANSWER, 0xc1), [Anomaly::ReservedBitSet]);
    assert_eq!(bits(&deflate(), 0xc1), []);
    assert_eq!(bits(&deflate(), 0xc2), []);
    assert_eq!(bits(&deflate(), 0xa1), [Anomaly::ReservedBitSet]);
    assert_eq!(bits(&deflate(), 0xc9), [Anomaly::ReservedBitSet]);
    assert_eq!(bits(&deflate(), 0xc0), [Anomaly::ReservedBitSet, Anomaly::ContinuationWithoutStart]);
    assert_eq!(bits(ANSWER, 0x83), [Anomaly::ReservedOpcode]);
    assert_eq!(bits(ANSWER, 0x8f), [Anomaly::ReservedOpcode]);
    assert_eq!(seen(&[masked(0x8b, b"x"), masked(0x87, b"x")]).client.other, 2);
}

#[test]
fn messages_that_do_not_fit_together() {
    let facts = seen(&[
        plain(0x80, b"of what?"),
        plain(0x01, b"first"),
        plain(0x82, b"second"),
        plain(0x81, b"third"),
    ]);
    let expected = [
        (Anomaly::ContinuationWithoutStart, Role::Server, 1),
        (Anomaly::MessageInterrupted, Role::Server, 1),
    ];
    assert_eq!(anomalies(&facts), expected);
    assert_eq!(facts.server.messages, 2);
}

#[test]
fn lengths() {
    let with_length = |length: &[u8], payload: usize| server([b"\x82", length, &vec![0; payload]].concat());
    let facts = seen(&[
        with_length(b"\x7e\0\x05", 5),
        with_length(b"\x7f\0\0\0\0\0\0\x01\0", 256),
        with_length(b"\x7e\x01\0", 256),
        plain(0x81, b"next"),
    ]);
    assert_eq!((facts.server.binary, facts.server.text, facts.server.payload_bytes), (3, 1, 521));
    assert_eq!(anomalies(&facts), [(Anomaly::LengthNotMinimal, Role::Server, 2)]);
    // The most significant bit must be zero; whatever follows is payload.
    let facts = seen(&[with_length(b"\x7f\x80\0\0\0\0\0\0\x01", 40), plain(0x81, b"never seen")]);
    assert_eq!((facts.server.binary, facts.server.text), (1, 0));
    assert_eq!(facts.server.payload_bytes, (1 << 63) + 1);
    assert_eq!(anomalies(&facts), [(Anomaly::LengthNotMinimal, Role::Server, 1)]);
    let facts = seen(&[with_length(&[b"\x7f".as_slice(), &[0xff; 8]].concat(), 1), with_length(b"\x01", 1)]);
    assert_eq!(facts.server.payload_bytes, u64::MAX);
}

#[test]
fn a_gap_inside_a_payload_is_skipped_by_its_length() {
    let start = || server([b"\x82\x7e\x03\xe8".as_slice(), &[5; 100]].concat());
    let gap = |length| Event::Lost(Role::Server, length);
    let hi = || plain(0x81, b"hi");
    for events in [
        vec![start(), gap(899), server([5]), hi()],
        vec![start(), gap(900), hi()],
        vec![start(), gap(400), server([5; 100]), gap(400), hi()],
    ] {
        let facts = seen(&events);
        assert_eq!((facts.server.binary, facts.server.text, facts.server.resyncs), (1, 1, 0));
        assert_eq!((facts.server.payload_bytes, facts.server.undecoded_bytes), (1002, 0));
    }
}

#[test]
fn who_closed_first_is_told_though_what_it_said_is_lost() {
    let answer = || plain(0x88, &[3, 0xe8]);
    let lost = Event::Lost(Role::Client, 2);
    let close = seen(&[client([0x88, 0x82, 1, 2, 3, 4]), lost, answer()]).close.unwrap();
    assert_eq!((close.by, close.code), (Role::Client, 1000));
    let close = seen(&[answer()]).close.unwrap();
    assert_eq!((close.by, close.code), (Role::Server, 1000));
}

#[test]
fn after_a_gap_over_a_header_frames_are_found_at_the_start_of_a_segment() {
    let events = [
        server([b"\x82\x7e\x03\xe8".as_slice(), &[5; 100]].concat()),
        Event::Lost(Role::Server, 901),
        server(b"\x05\x05\x05"),
        plain(0x81, b"hi"),
        plain(0x81, b"hi"),
        masked(0x81, b"the other side is in step"),
    ];
    let facts = seen_in_segments(&events);
    assert_eq!((facts.server.binary, facts.server.text), (1, 2));
    assert_eq!((facts.server.resyncs, facts.server.undecoded_bytes), (1, 3));
    assert_eq!((facts.client.text, facts.client.resyncs), (1, 0));
    // Within a message nobody knows whether it goes on.
    let facts = seen_in_segments(&[
        plain(0x01, b"a"),
        Event::Lost(Role::Server, 9),
        plain(0x80, b"b"),
        plain(0x81, b"c"),
    ]);
    assert_eq!(anomalies(&facts), []);
}

#[test]
fn zeros_after_a_gap_are_no_frames() {
    // What pictures and memory are full of, in segments, of which the capture lacks the first with the header.
    for (first, key) in [(0x82, None), (0x82, Some([0x82, 0x82, 0x37, 0xfa]))] {
        let whole = frame(first, key, &[0; 4_000]);
        let by = if key.is_some() { Role::Client } else { Role::Server };
        let mut events = vec![Event::Lost(by, 1_400)];
        events.extend(whole[1_400..].chunks(1_400).map(|segment| Event::Sent(by, segment.to_vec())));
        events.push(if key.is_some() { masked(0x81, b"hi") } else { plain(0x81, b"hi") });
        let facts = seen_in_segments(&events);
        let side = facts.role(by);
        assert_eq!((side.frames(), side.text, side.resyncs), (1, 1, 1), "{key:?}");
        assert_eq!(side.undecoded_bytes, whole.len() as u64 - 1_400);
    }
}

#[test]
fn a_gap_inside_a_control_frame() {
    let ping = frame(0x89, None, b"are you there?");
    let events = [
        server(&ping[..6]),
        Event::Lost(Role::Server, 10),
        plain(0x81, b"hi"),
        masked(0x8a, b"are you there?"),
    ];
    let facts = seen(&events);
    assert_eq!((facts.server.ping, facts.server.text, facts.server.resyncs), (1, 1, 0));
    assert_eq!(facts.pings.answered, 0, "what it carried is not known");
    let close = frame(0x88, None, b"\x03\xe8bye");
    let facts = seen(&[server(&close[..4]), Event::Lost(Role::Server, 3)]);
    assert_eq!((facts.server.close, facts.close.is_some()), (1, false));
}

#[test]
fn a_header_cut_by_the_end_is_no_frame() {
    let frame = frame(0x81, KEY, &[1; 300]);
    for cut in 1..8 {
        assert_eq!(seen(&[client(&frame[..cut])]).client.frames(), 0);
    }
    let facts = seen(&[client(&frame[..8])]);
    assert_eq!((facts.client.text, facts.client.payload_bytes), (1, 300));
    assert_eq!(facts.frames.iter().next().unwrap().opcode, Opcode::TEXT);
}
