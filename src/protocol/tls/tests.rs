//! Handshakes that fail and handshakes that do not, by example and beside a reader that has all bytes at once.

use proptest::prelude::*;

use super::*;
use crate::protocol::testing::*;
use crate::protocol::{OpaqueReason, Spoken, StreamFacts};

/// A record.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3], &length[..], body].concat()
}

fn hello(kind: u8) -> Vec<u8> {
    record(22, &[&[kind, 0, 0, 40][..], &[7; 40]].concat())
}

fn alert(level: u8, description: u8) -> Vec<u8> {
    record(21, &[level, description])
}

fn is_tls(facts: &StreamFacts) -> TlsFacts {
    assert_eq!(facts.spoken, Spoken::Opaque(OpaqueReason::Tls));
    (**facts.tls.as_ref().unwrap()).clone()
}

/// The packet in which something begins.
fn at(origin: Option<Origin>) -> u64 {
    origin.unwrap().packet.0
}

#[test]
fn a_hello_is_read_at_every_cut_and_over_several_records() {
    let extension =
        |kind: u8, value: &[u8]| [&[0, kind, 0, u8::try_from(value.len()).unwrap()], value].concat();
    let message = |kind: u8, body: &[u8], extensions: &[u8]| {
        let length = u8::try_from(extensions.len()).unwrap();
        let body = [&[3, 3], &[7; 32][..], &[0], body, &[0, length], extensions].concat();
        [&[kind, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat()
    };
    let name = extension(0, b"\0\x14\0\0\x11chat.example.test");
    let offers = extension(16, b"\0\x0c\x02h2\x08http/1.1");
    let asks = message(1, &[0, 2, 0x13, 1, 1, 0], &[name, offers].concat());
    let answers = message(2, &[0x13, 1, 0], &extension(16, b"\0\x09\x08http/1.1"));
    let in_two = |message: &[u8]| [record(22, &message[..50]), record(22, &message[50..])].concat();
    for (asks, answers) in [(record(22, &asks), record(22, &answers)), (in_two(&asks), in_two(&answers))] {
        let facts = is_tls(&same_at_every_cut(&[client(asks), server(answers), client(record(20, &[1]))]));
        assert_eq!(facts.server_name.as_deref(), Some("chat.example.test"));
        assert_eq!(facts.protocols_offered, ["h2".into(), "http/1.1".into()]);
        assert_eq!(facts.protocol.as_deref(), Some("http/1.1"));
        assert_eq!((facts.version_offered, facts.version), (Some(0x0303), Some(0x0303)));
    }
}

#[test]
fn a_handshake_that_the_server_refuses() {
    let facts = is_tls(&same_at_every_cut(&[client(hello(1)), server(alert(2, 40))]));
    assert_eq!(at(facts.client_hello), 1);
    assert!(matches!(facts.server, ServerFirst::Tls(origin) if origin.packet.0 == 2));
    let alert = facts.alert.unwrap();
    assert_eq!((alert.by, alert.level, alert.description), (Role::Server, 2, 40));
    assert_eq!((alert.origin.packet.0, facts.is_cut), (2, false));
}

#[test]
fn a_certificate_that_the_client_refuses() {
    let flight = [hello(2), record(22, &[11; 3000]), record(22, b"\x0e\0\0\0")].concat();
    let events = [client(hello(1)), server(flight), client(alert(2, 48)), server(record(23, &[1; 90]))];
    let facts = told(&events);
    let bytes = in_pieces(&events, Some(Half::Lo), |_, bytes| bytes.chunks(1).collect());
    assert_eq!(format!("{facts:?}"), format!("{bytes:?}"));
    let alert = is_tls(&facts).alert.unwrap();
    assert_eq!((alert.by, alert.description, alert.origin.packet.0), (Role::Client, 48, 3));
}

#[test]
fn what_comes_after_the_change_to_encryption_is_not_looked_at() {
    for encrypted in [record(20, &[1]), record(23, &[9; 50]), record(21, &[5; 26])] {
        let events = [
            client(hello(1)),
            server([hello(2), encrypted, alert(2, 40)].concat()),
            client([record(20, &[1]), alert(2, 40)].concat()),
        ];
        let facts = is_tls(&same_at_every_cut(&events));
        assert!(facts.alert.is_none() && matches!(facts.server, ServerFirst::Tls(_)));
    }
    let many = record(22, &[0; 4]).repeat(usize::from(limits::TLS_RECORDS) - 1);
    let answer = |record: &[u8]| server([&many[..], record, &alert(2, 40)].concat());
    assert!(is_tls(&told(&[client(hello(1)), answer(&[])])).alert.is_some());
    assert!(is_tls(&told(&[client(hello(1)), answer(&record(22, &[0; 4]))])).alert.is_none());
}

#[test]
fn a_server_that_does_not_speak_tls() {
    let bad = server("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>");
    let facts = is_tls(&same_at_every_cut(&[client(hello(1)), bad, client(alert(2, 70))]));
    assert!(matches!(facts.server, ServerFirst::Http { status: 400, origin } if origin.packet.0 == 2));
    assert_eq!(facts.alert.unwrap().by, Role::Client);
    for other in
        [&b"220 mail ready\r\n"[..], b"HTTP/2", b"HTTP/1.1 4x0", b"\x16\x03\x09", b"HTTP/1.1", b"\x15"]
    {
        let facts = is_tls(&same_at_every_cut(&[client(hello(1)), server(other)]));
        assert!(matches!(facts.server, ServerFirst::Other(origin) if origin.packet.0 == 2), "{other:?}");
    }
    let facts = is_tls(&same_at_every_cut(&[client(hello(1))]));
    assert_eq!((facts.server, facts.alert), (ServerFirst::Nothing, None));
}

#[test]
fn plain_http_that_is_answered_with_tls() {
    for (request, attempts) in [(REQUEST, 1), ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0)] {
        for blank in ["", "\r\n"] {
            let answer = [blank.as_bytes(), &alert(2, 10)].concat();
            let facts = same_at_every_cut(&[client(request), server(answer)]);
            assert_eq!(facts.spoken, Spoken::Opaque(OpaqueReason::Malformed));
            assert_eq!((facts.attempts.len(), facts.exchanges.len()), (attempts, 1 - attempts));
            assert!(facts.attempts.iter().all(|attempt| attempt.response.is_none()));
            let tls = facts.tls.unwrap();
            assert!(tls.client_hello.is_none() && matches!(tls.server, ServerFirst::Tls(_)));
            let alert = tls.alert.unwrap();
            assert_eq!((alert.by, alert.description, alert.origin.packet.0), (Role::Server, 10, 2));
        }
        // It begins like a record and is none.
        for answer in [&b"\x15\x03\x09\0"[..], b"\x16", b"HT\x15\x03\x03\0\x02\x02\x0a"] {
            let facts = same_at_every_cut(&[client(request), server(answer)]);
            assert_eq!(facts.tls, None);
        }
    }
    // Whoever goes on in plain text is still read.
    let again = [client(REQUEST), server(&hello(2)[..20]), client("GET / HTTP/1.1\r\n\r\n")];
    let facts = told(&again);
    assert_eq!((facts.spoken, facts.attempts.len(), facts.exchanges.len()), (Spoken::Http, 1, 1));
    assert!(matches!(facts.tls.unwrap().server, ServerFirst::Tls(_)));
}

#[test]
fn tls_in_a_tunnel() {
    let facts = is_tls(&same_at_every_cut(&[
        client("CONNECT a:443 HTTP/1.1\r\n\r\n"),
        server("HTTP/1.1 200 OK\r\n\r\n"),
        client(hello(1)),
        server(alert(2, 80)),
    ]));
    assert_eq!((at(facts.client_hello), facts.alert.unwrap().description), (3, 80));
}

#[test]
fn what_the_capture_lacks_is_skipped_or_told() {
    let lost = |by, length| Event::Lost(by, length);
    // The inside of a record, as a snap length leaves it.
    let events =
        [client(&hello(1)[..20]), lost(Role::Client, 29), client(alert(2, 42)), server(&hello(2)[..20])];
    let facts = is_tls(&told(&events));
    assert_eq!((facts.alert.unwrap().description, facts.is_cut), (42, false));
    // More than that: what is left of that side cannot be read.
    let events = [client(hello(1)), lost(Role::Server, 9), server(alert(2, 40)), client(alert(2, 42))];
    let facts = is_tls(&told(&events));
    assert_eq!(
        (facts.server, facts.alert.unwrap().by, facts.is_cut),
        (ServerFirst::Nothing, Role::Client, true)
    );
}

#[test]
fn a_connection_from_before_the_capture_shows_its_client_by_the_first_message() {
    let joined = told_midstream(&[server(hello(2)), client(alert(2, 48))]);
    assert_eq!(joined.client, Some(Half::Lo));
    let facts = is_tls(&joined);
    assert!(facts.client_hello.is_none() && matches!(facts.server, ServerFirst::Tls(_)));
    assert_eq!(facts.alert.unwrap().by, Role::Client);
    assert_eq!(at(is_tls(&told_midstream(&[client(hello(1))])).client_hello), 1);
    // In the middle of things nothing can be said.
    for bytes in [record(23, &[1; 30]), record(22, &[0xa7; 40]), record(20, &[1])] {
        let facts = told_midstream(&[server(bytes)]);
        assert_eq!((facts.spoken, facts.tls), (Spoken::Opaque(OpaqueReason::Tls), None));
    }
}

#[test]
fn an_encrypted_stream_costs_nothing_once_it_is_known() {
    let feed = |tls: &mut Tls, half, bytes: &[u8]| {
        let origin = Origin::default();
        tls.data(half, Chunk { bytes, origin })
    };
    let mut tls = Tls::new(Some(Half::Lo), Trail::default());
    assert!(feed(&mut tls, Half::Lo, &hello(1)));
    assert!(feed(&mut tls, Half::Hi, &[hello(2), record(20, &[1])].concat()));
    assert!(!feed(&mut tls, Half::Lo, &record(20, &[1])));
    // A capture of one side.
    let mut tls = Tls::new(Some(Half::Lo), Trail::default());
    let block = record(23, &[3; 16_000]);
    let wanted = (0..100).take_while(|_| feed(&mut tls, Half::Hi, &block)).count();
    assert_eq!(wanted, 4);
}

/// Whether the client begins with a `ClientHello`, whether the server answers with a record, and the first alert.
type Naive = (bool, Option<bool>, Option<(Role, [u8; 2])>);

/// What the bytes of both sides say, read at once.
fn naive(from_client: &[u8], from_server: &[u8], client_first: bool) -> Naive {
    let alerts = |bytes: &[u8]| {
        let (mut rest, mut records, mut first) = (bytes, 0, None);
        while let [kind, 3, 0..=4, high, low, body @ ..] = rest {
            let length = usize::from(*high) << 8 | usize::from(*low);
            if !(20..=24).contains(kind) || length > 16_384 + 2_048 {
                break;
            }
            first = first.or(Some((*kind, body.first().copied())));
            match (kind, length, body) {
                (21, 2, [level, description, ..]) => return (first, Some([*level, *description])),
                (22, ..) => {}
                _ => break,
            }
            records += 1;
            if records == 32 || body.len() < length {
                break;
            }
            rest = &body[length..];
        }
        (first, None)
    };
    let (client_record, client_alert) = alerts(from_client);
    let (server_record, server_alert) = alerts(from_server);
    let by_client = client_alert.map(|alert| (Role::Client, alert));
    let by_server = server_alert.map(|alert| (Role::Server, alert));
    let alert = if client_first { by_client.or(by_server) } else { by_server.or(by_client) };
    let server = (!from_server.is_empty()).then_some(server_record.is_some());
    (client_record == Some((22, Some(1))), server, alert)
}

fn records() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 1..60);
    let one = prop_oneof![
        6 => body.clone().prop_map(|body| record(22, &body)),
        1 => (1_u8..3, any::<u8>()).prop_map(|(level, description)| alert(level, description)),
        1 => body.clone().prop_map(|body| record(21, &body)),
        1 => Just(record(20, &[1])),
        1 => body.clone().prop_map(|body| record(23, &body)),
        1 => body,
    ];
    prop::collection::vec(one, 0..40).prop_map(|records| records.concat())
}

proptest! {
    #[test]
    fn any_records_in_any_pieces_are_what_a_naive_reader_sees(
        from_client in records(),
        from_server in records(),
        later in records(),
        pieces in prop::collection::vec(1_usize..70, 1..6),
    ) {
        let from_client = [hello(1), from_client].concat();
        let events = [client(&from_client), server(&from_server), client(&later)];
        let events: Vec<Event> = events.into_iter().filter(|event| !matches!(event, Event::Sent(_, bytes) if bytes.is_empty())).collect();
        let found = in_pieces(&events, Some(Half::Lo), |_, bytes| {
            let (mut rest, mut cut) = (bytes, Vec::new());
            for length in pieces.iter().cycle() {
                let (now, after) = rest.split_at(rest.len().min(*length));
                cut.push(now);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            cut
        });
        let facts = is_tls(&found);
        // An alert in the client's first bytes comes before the server's, one in its later bytes after them.
        let (_, _, at_once) = naive(&from_client, &[], true);
        let whole = [&from_client[..], &later].concat();
        let (client_hello, server, alert) = naive(&whole, &from_server, at_once.is_some());
        prop_assert_eq!(facts.client_hello.is_some(), client_hello);
        prop_assert_eq!(facts.alert.map(|alert| (alert.by, [alert.level, alert.description])), alert);
        let found = match facts.server {
            ServerFirst::Nothing => None,
            ServerFirst::Tls(_) => Some(true),
            ServerFirst::Http { .. } | ServerFirst::Other(_) => Some(false),
        };
        // After the client's own alert nothing more is looked at.
        if at_once.is_none() {
            prop_assert_eq!(found, server);
        }
    }
}
