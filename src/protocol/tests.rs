//! HTTP on a connection: which attempts are found, whatever the other messages around them and however they are cut.

use super::testing::*;
use super::{
    Accept, Context, OpaqueReason, ProxyProtocol, RequestProblem, ResponseProblem, Role, SessionFacts,
    Spoken, Stack, StreamFacts,
};
use crate::decode::Half;
use crate::limits;
use crate::tcp::{Chunk, Opened, Opening, Receiver};
use crate::units::Origin;

fn hello() -> Vec<u8> {
    frame(0x81, KEY, b"hello")
}

/// One established attempt with one frame each way, whatever came before it.
fn is_established(facts: &StreamFacts) {
    let attempt = facts.attempts.last().unwrap();
    let (request, response) = (attempt.request.as_ref().unwrap(), attempt.response.as_ref().unwrap());
    assert_eq!((request.problems.len(), response.problems.len()), (0, 0), "{attempt:?}");
    assert_eq!((response.status, response.accept), (101, Accept::Valid));
    let session = attempt.session.as_ref().unwrap();
    assert_eq!((session.client.text, session.server.text), (1, 1), "{session:?}");
    assert_eq!((session.client.frames(), session.server.frames()), (1, 1));
    assert_eq!(session.anomalies, []);
    assert_eq!(facts.spoken, Spoken::WebSocket);
}

/// An upgrade after these events.
fn after(events: &[Event]) -> StreamFacts {
    let upgrade = [client(REQUEST), server(ANSWER), client(hello()), server(frame(0x81, None, b"hi"))];
    let facts = same_at_every_cut(&[events, &upgrade].concat());
    is_established(&facts);
    facts
}

#[test]
fn an_upgrade_and_frames() {
    let facts = after(&[]);
    assert_eq!(facts.attempts.len(), 1);
    assert_eq!(facts.client, Some(Half::Lo));
    let attempt = only(facts);
    assert_eq!(attempt.request.unwrap().head().target, "/ws");
    assert!(!attempt.midstream && !attempt.response_lost);
}

#[test]
fn an_upgrade_after_other_requests_on_the_connection() {
    let get = |target| client(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let facts = after(&[
        get("/"),
        server("HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\nHTTP/1.1 101 no, a body\r\n\r\n"),
        get("/b"),
        server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\nA: b\r\n\r\n"),
        get("/c"),
        server("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"),
        get("/d"),
        server("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
        client("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
        server("HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n"),
        client("POST /p HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        server("HTTP/1.1 100 Continue\r\n\r\n"),
        server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        client("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n"),
        server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    ]);
    assert_eq!(facts.attempts.len(), 1);
}

#[test]
fn pipelined_requests_of_which_the_last_is_an_upgrade() {
    let requests = ["GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", REQUEST].concat();
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.",
        ANSWER,
    ];
    let answers = [answers.concat().into_bytes(), frame(0x81, None, b"at once")].concat();
    let facts = same_at_every_cut(&[client(requests), server(answers), client(hello())]);
    is_established(&facts);
    assert_eq!(facts.attempts.len(), 1);
}

#[test]
fn interim_answers_before_the_101() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let answer = [interim.as_bytes(), ANSWER.as_bytes(), &frame(0x81, None, b"x")].concat();
    let facts = same_at_every_cut(&[client(REQUEST), server(answer), client(hello())]);
    is_established(&facts);
    assert_eq!(only(facts).interim, [100, 103]);
    // Without a final answer, and before the next request's.
    assert_eq!(only(same_at_every_cut(&[client(REQUEST), server(interim)])).interim, [100, 103]);
    let refusal = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let answers = [interim, refusal, "HTTP/1.1 102 Processing\r\n\r\n", ANSWER].concat();
    let facts = same_at_every_cut(&[client([REQUEST, REQUEST].concat()), server(answers)]);
    let statuses: Vec<&[u16]> = facts.attempts.iter().map(|attempt| &attempt.interim[..]).collect();
    assert_eq!(statuses, [&[100, 103][..], &[102]]);
    let many = "HTTP/1.1 102 Processing\r\n\r\n".repeat(20);
    assert_eq!(only(told(&[client(REQUEST), server(many)])).interim, [102; limits::INTERIM_ANSWERS]);
}

#[test]
fn an_upgrade_in_a_tunnel() {
    let facts = after(&[
        client("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
        server("HTTP/1.1 200 Connection established\r\n\r\n"),
    ]);
    assert_eq!(facts.attempts.len(), 1);
    let refused = [
        client("CONNECT a:80 HTTP/1.1\r\n\r\n"),
        server("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"),
    ];
    assert_eq!(after(&refused).attempts.len(), 1);
}

#[test]
fn what_the_client_sends_before_the_answer_is_read_after_it() {
    let facts = same_at_every_cut(&[
        client([REQUEST.as_bytes(), &hello()].concat()),
        server([ANSWER.as_bytes(), &frame(0x81, None, b"x")].concat()),
    ]);
    is_established(&facts);
    assert_eq!(only(facts).session.unwrap().early_client_bytes, hello().len() as u64);
}

#[test]
fn a_refused_attempt_and_another_one() {
    let refusal = "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\n\r\nnope";
    assert_eq!(statuses(&after(&[client(REQUEST), server(refusal)])), [Some(426), Some(101)]);
    // The second one does not wait for the answer to the first.
    let facts = same_at_every_cut(&[
        client([REQUEST, REQUEST].concat()),
        server([refusal, ANSWER].concat()),
        client(hello()),
        server(frame(0x81, None, b"x")),
    ]);
    is_established(&facts);
    assert_eq!(statuses(&facts), [Some(426), Some(101)]);
    assert_eq!(facts.attempts[0].response.as_ref().unwrap().body_start, b"nope");
}

#[test]
fn the_start_of_a_body_is_kept_without_its_coding() {
    let body: String = ('a'..='z').cycle().take(500).collect();
    let expected = &body.as_bytes()[..limits::BODY_START_BYTES];
    let parts = body.as_bytes().chunks(70).map(|part| str::from_utf8(part).unwrap());
    let chunks: Vec<String> = parts.map(|part| format!("{:x};x=y\r\n{part}\r\n", part.len())).collect();
    let chunks = chunks.concat();
    for answer in [
        format!("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 500\r\n\r\n{body}"),
        format!("HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
        format!("HTTP/1.0 502 Bad Gateway\r\n\r\n{body}"),
    ] {
        let attempt = only(same_at_every_cut(&[client(REQUEST), server(answer)]));
        assert_eq!(attempt.response.unwrap().body_start, expected);
    }
}

#[test]
fn a_101_that_nobody_asked_for() {
    let plain = "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n";
    let attempt = only(same_at_every_cut(&[client(plain), server(ANSWER), server(frame(0x81, None, b"x"))]));
    let request = attempt.request.unwrap();
    assert_eq!(request.head().target, "/plain");
    assert!(request.problems.contains(&RequestProblem::UpgradeMissing));
    assert_eq!(attempt.session.unwrap().server.text, 1);
    // One-sided: only the answer is there.
    let attempt = only(same_at_every_cut(&[server(ANSWER), server(frame(0x81, None, b"x"))]));
    assert!(attempt.request.is_none());
    assert_eq!(attempt.response.unwrap().accept, Accept::Unchecked);
    assert_eq!(attempt.session.unwrap().server.text, 1);
}

#[test]
fn an_upgrade_to_something_else() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n";
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n";
    let facts = same_at_every_cut(&[client(request), server(answer), server([0; 9])]);
    assert_eq!(facts.spoken, Spoken::Opaque(OpaqueReason::OtherUpgrade));
    assert_eq!(facts.attempts.len(), 0);
    // To a client that asked for WebSocket it is an answer all the same, and a wrong one.
    let attempt = only(same_at_every_cut(&[client(REQUEST), server(answer)]));
    let response = attempt.response.unwrap();
    assert_eq!(response.problems, [ResponseProblem::AcceptMissing, ResponseProblem::UpgradeMissing]);
}

#[test]
fn requests_and_answers_alone() {
    let attempt = only(same_at_every_cut(&[client(REQUEST)]));
    assert!(attempt.request.is_some() && attempt.response.is_none() && attempt.session.is_none());
    let facts = same_at_every_cut(&[server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")]);
    assert_eq!((facts.spoken, facts.attempts.len()), (Spoken::Http, 0));
    // A request that the capture has in part: whole lines count, missing ones are no problem.
    let cut = REQUEST.find("Sec-WebSocket-Version").unwrap();
    let attempt = only(same_at_every_cut(&[client(&REQUEST.as_bytes()[..cut + 5])]));
    let request = attempt.request.unwrap();
    assert!(!request.complete);
    assert_eq!(request.problems, []);
}

#[test]
fn what_is_not_looked_into_says_why() {
    let spoken = |events: &[Event]| same_at_every_cut(events).spoken;
    let opaque = Spoken::Opaque;
    assert_eq!(spoken(&[client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]), opaque(OpaqueReason::Http2));
    assert_eq!(spoken(&[client("\0\0\0\x54SMB")]), opaque(OpaqueReason::NotHttp));
    assert_eq!(spoken(&[server("220 mail ready\r\n"), client("EHLO a\r\n")]), opaque(OpaqueReason::NotHttp));
    // It may be a request up to the first small letter.
    let ssh = [client("SSH-2.0-OpenSSH\r\n")];
    let in_bytes = in_pieces(&ssh, Some(Half::Lo), |_, bytes| bytes.chunks(1).collect());
    assert_eq!(
        (told(&ssh).spoken, in_bytes.spoken),
        (opaque(OpaqueReason::NotHttp), opaque(OpaqueReason::NotHttp))
    );
    assert_eq!(spoken(&[client(REQUEST), server("go away\r\n")]), opaque(OpaqueReason::Malformed));
    let attempts = same_at_every_cut(&[client(REQUEST), server("go away\r\n")]).attempts;
    assert_eq!(attempts.len(), 1, "the attempt stays");
    assert_eq!(told(&[client(b"\x16\x03\x01\x02\x00\x01")]).spoken, opaque(OpaqueReason::Tls));
}

#[test]
fn a_proxy_protocol_header_stands_before_the_request() {
    // Both versions are sent in one segment (section 2 of HAProxy's specification), so that is not cut.
    let v1 = b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\n".to_vec();
    let v2 = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec(), vec![1; 12]].concat();
    for (header, version) in [(v1, ProxyProtocol::V1), (v2, ProxyProtocol::V2)] {
        let answer = server([ANSWER.as_bytes(), &frame(0x81, None, b"x")].concat());
        let together = [header.clone(), REQUEST.as_bytes().to_vec()].concat();
        for request in [vec![client(together)], vec![client(header), client(REQUEST)]] {
            let facts = told(&[request, vec![answer.clone(), client(hello())]].concat());
            is_established(&facts);
            assert_eq!(facts.proxy_protocol, Some(version));
        }
    }
}

/// A request of exactly so many bytes.
fn request_of(length: usize) -> String {
    let (start, rest) = REQUEST.split_at(REQUEST.len() - 2);
    let padding = length - REQUEST.len() - "X: \r\n".len();
    format!("{start}X: {}\r\n{rest}", "x".repeat(padding))
}

/// A request with so many fields.
fn request_with(fields: usize) -> String {
    let (start, rest) = REQUEST.split_at(REQUEST.len() - 2);
    format!("{start}{}{rest}", "X: y\r\n".repeat(fields - 5))
}

#[test]
fn heads_stop_at_their_limits() {
    let in_segments = |events: &[Event]| {
        let whole = format!("{:?}", told(events));
        for length in [1000, 1460, 65_535] {
            let found = in_pieces(events, Some(Half::Lo), |_, bytes| bytes.chunks(length).collect());
            assert_eq!(format!("{found:?}"), whole, "in segments of {length}");
        }
        told(events)
    };
    let answer = server(ANSWER);
    let established = |request: String| {
        let facts = in_segments(&[client(request), answer.clone()]);
        assert_eq!((facts.spoken, statuses(&facts)), (Spoken::WebSocket, vec![Some(101)]));
    };
    let too_long = |request: String| {
        let facts = in_segments(&[client(request), answer.clone()]);
        assert_eq!(facts.spoken, Spoken::Opaque(OpaqueReason::HeadTooLong));
    };
    established(request_of(limits::HEAD_BYTES));
    too_long(request_of(limits::HEAD_BYTES + 1));
    established(request_with(limits::HEAD_FIELDS));
    too_long(request_with(limits::HEAD_FIELDS + 1));
}

#[test]
fn requests_without_answers_stop_at_their_limit() {
    let requests = |count| client("GET / HTTP/1.1\r\n\r\n".repeat(count));
    assert_eq!(told(&[requests(limits::PENDING_REQUESTS)]).spoken, Spoken::Http);
    let facts = told(&[requests(limits::PENDING_REQUESTS + 1)]);
    assert_eq!(facts.spoken, Spoken::Opaque(OpaqueReason::TooManyRequests));
}

#[test]
fn what_is_held_stops_at_its_limit() {
    let noise = |length: usize| client(vec![b'.'; length]);
    let facts = told(&[client(REQUEST), noise(limits::HELD_BYTES), server(ANSWER)]);
    assert_eq!(facts.spoken, Spoken::WebSocket);
    let facts = told(&[client(REQUEST), noise(limits::HELD_BYTES), noise(1), server(ANSWER)]);
    assert_eq!(facts.spoken, Spoken::Opaque(OpaqueReason::HeldTooLong));
    assert_eq!(facts.attempts.len(), 1, "the attempt stays");
    // Frames, and no word from the server: the capture has one side only.
    let frames = client(frame(0x82, KEY, &[0; 1000]).repeat(300));
    let facts = told(&[client(REQUEST), frames]);
    assert_eq!(facts.spoken, Spoken::WebSocket);
    assert_eq!(only(facts).session.unwrap().client.binary, 300);
}

#[test]
fn what_all_connections_leave_unfinished_stops_at_its_limit() {
    let mut context = Context::new(true, true);
    let opening = Opening {
        first: Origin::default(),
        opened: Opened::Handshake,
        opener: Some(Half::Lo),
        connect: None,
    };
    let head = format!("GET /{}", "x".repeat(60_000)).into_bytes();
    let unfinished = |context: &mut Context| {
        let mut stack = Stack::open(context, &opening);
        stack.data(context, Half::Lo, Chunk { bytes: &head, origin: Origin::default() });
        stack
    };
    let room = limits::BUFFERED_TOTAL_BYTES / head.len();
    let mut stacks: Vec<Stack> = (0..room).map(|_| unfinished(&mut context)).collect();
    let spoken = |stack: Stack, context: &mut Context| stack.finish(context).spoken;
    let one_more = unfinished(&mut context);
    assert_eq!(spoken(one_more, &mut context), Spoken::Opaque(OpaqueReason::TooMuchBuffered));
    assert_eq!(spoken(stacks.pop().unwrap(), &mut context), Spoken::Http);
    let next = unfinished(&mut context);
    assert_eq!(spoken(next, &mut context), Spoken::Http);
}

#[test]
fn heads_of_open_connections_stop_at_their_limit() {
    // One context after the other: with heads that are kept, and without.
    for keeps_heads in [true, false] {
        let mut context = Context { open_head_limit: 100_000, ..Context::new(keeps_heads, false) };
        let opening = Opening {
            first: Origin::default(),
            opened: Opened::Handshake,
            opener: Some(Half::Lo),
            connect: None,
        };
        let ask = REQUEST.replacen("GET /", &format!("GET /{}", "x".repeat(4_000)), 1);
        let asked = |context: &mut Context| {
            let mut stack = Stack::open(context, &opening);
            stack.data(context, Half::Lo, Chunk { bytes: ask.as_bytes(), origin: Origin::default() });
            stack
        };
        let answer = |stack: &mut Stack, context: &mut Context| {
            stack.data(context, Half::Hi, Chunk { bytes: ANSWER.as_bytes(), origin: Origin::default() });
        };
        let mut open: Vec<Stack> = (0..15).map(|_| asked(&mut context)).collect();
        for stack in &mut open {
            answer(stack, &mut context);
        }
        assert!(context.open_head_bytes > 5_000, "{}", context.open_head_bytes);
        while context.has_room_for_heads() {
            open.push(asked(&mut context));
            assert!(open.len() < 1_000);
        }
        // Another one is not looked into, and neither is an answer to one that is.
        let one_more = asked(&mut context).finish(&mut context);
        assert_eq!(one_more.spoken, Spoken::Opaque(OpaqueReason::TooManyHeads));
        assert!(one_more.attempts.is_empty());
        let mut last = open.pop().unwrap();
        answer(&mut last, &mut context);
        let last = last.finish(&mut context);
        assert_eq!(last.spoken, Spoken::Opaque(OpaqueReason::TooManyHeads));
        assert!(last.attempts[0].response.is_none() && last.attempts[0].response_lost);
        // With those that end there is room again.
        for stack in open {
            let _ = stack.finish(&mut context);
        }
        assert_eq!(context.open_head_bytes, 0);
        assert_eq!(asked(&mut context).finish(&mut context).attempts.len(), 1);
    }
}

#[test]
fn lost_bytes_hide_what_they_hide_and_no_more() {
    let hi = || server(frame(0x81, None, b"hi"));
    // In a body: the next head is found.
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nstart";
    let facts = after(&[client("GET / HTTP/1.1\r\n\r\n"), server(long), Event::Lost(Role::Server, 995)]);
    assert_eq!(facts.attempts.len(), 1);
    // The whole answer: frames say what it was.
    let facts = told(&[client(REQUEST), Event::Lost(Role::Server, 129), hi(), client(hello())]);
    let attempt = only(facts);
    assert!(attempt.response.is_none() && attempt.response_lost);
    let session = attempt.session.unwrap();
    assert_eq!((session.client.text, session.server.text), (1, 1));
    // The end of the answer's head: its status is known.
    let facts = told(&[
        client(REQUEST),
        server(&ANSWER.as_bytes()[..60]),
        Event::Lost(Role::Server, 69),
        hi(),
        client(hello()),
    ]);
    let attempt = only(facts);
    let response = attempt.response.unwrap();
    assert_eq!((response.status, response.complete, response.problems.len()), (101, false, 0));
    assert_eq!(attempt.session.unwrap().server.text, 1);
}

#[test]
fn frames_are_found_in_a_connection_from_before_the_capture() {
    let facts = told_midstream(&[server(frame(0x81, None, b"hi")), client(hello())]);
    assert_eq!(facts.spoken, Spoken::WebSocket);
    let attempt = only(facts);
    assert!(attempt.midstream && attempt.request.is_none());
    let session = attempt.session.unwrap();
    assert_eq!((session.client.text, session.server.text), (1, 1));
}

/// Both sides of a session that is joined in the middle.
fn joined(events: &[Event]) -> SessionFacts {
    let facts = told_midstream(events);
    assert_eq!(facts.spoken, Spoken::WebSocket);
    *only(facts).session.unwrap()
}

#[test]
fn what_is_no_frame_in_a_connection_from_before_the_capture_is_counted() {
    let (hi, tail) = (|| server(frame(0x81, None, b"hi")), |length| server(vec![5; length]));
    let cases = [
        // Before the first frame, between the first two, and around them.
        vec![tail(100), hi(), client(hello())],
        vec![hi(), tail(100), client(hello())],
        vec![tail(20), tail(20), hi(), tail(20), client(hello()), tail(40)],
        vec![tail(100), client(hello()), hi()],
    ];
    for events in cases {
        let session = joined(&events);
        assert_eq!((session.client.frames(), session.client.undecoded_bytes), (1, 0), "{events:?}");
        assert_eq!((session.server.frames(), session.server.undecoded_bytes), (1, 100), "{events:?}");
        assert_eq!(session.anomalies, [], "{events:?}");
    }
    // Two that contradict each other about who is who: the earlier one is no frame.
    let session = joined(&[client(frame(0x81, None, b"hi")), client(hello()), hi()]);
    assert_eq!((session.client.frames(), session.client.undecoded_bytes), (1, 4));
}

#[test]
fn a_frame_that_began_before_the_capture_is_no_violation() {
    let long = frame(0x82, None, &[0xb7; 9_000]);
    let segments: Vec<Event> = long[2_000..].chunks(1_000).map(server).collect();
    let hellos = [client(hello()), client(hello())];
    for before in 0..=4 {
        let (before, after) = segments.split_at(before);
        let next = [server(frame(0x82, None, &[0xb7; 300])), server(frame(0x81, None, b"hi"))];
        let session = joined(&[before, &hellos, after, &next].concat());
        assert_eq!((session.client.text, session.client.resyncs), (2, 0));
        assert_eq!((session.server.binary, session.server.text, session.server.resyncs), (1, 1, 0));
        assert_eq!(session.server.undecoded_bytes, long.len() as u64 - 2_000);
        assert_eq!(session.anomalies, []);
    }
    // Of one that is still on its way nobody knows whether it is one.
    let session = joined(&[&hellos[..], &[server(&long[..5_000])]].concat());
    assert_eq!((session.server.frames(), session.server.undecoded_bytes), (0, 5_000));
}

#[test]
fn what_a_server_sends_instead_of_an_answer_is_kept() {
    let settings = &b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"[..];
    let cases = [
        // In one piece, in two, before the request, around it; an answer that begins like one.
        (vec![client(REQUEST), server(settings)], settings.to_vec(), 2),
        (vec![client(REQUEST), server("-ERR"), server(" unknown\r\n")], b"-ERR unknown\r\n".to_vec(), 2),
        (vec![server(settings), client(REQUEST)], settings.to_vec(), 1),
        (vec![server("220 a\r\n"), client(REQUEST), server("500\r\n")], b"220 a\r\n500\r\n".to_vec(), 1),
        (vec![client(REQUEST), server("HTTP9 no")], b"HTTP9 no".to_vec(), 2),
        (vec![client(REQUEST), server("HTTP/1.1 x\r\n\r\nno")], b"HTTP/1.1 x\r\n\r\nno".to_vec(), 2),
    ];
    for (events, start, packet) in cases {
        let attempt = only(same_at_every_cut(&events));
        let foreign = attempt.foreign.unwrap();
        assert_eq!((&foreign.start, foreign.origin.packet.0), (&start, packet));
        assert_eq!(foreign.is_http_2(), start == settings);
        assert!(attempt.response.is_none());
    }
    let long = only(told(&[client(REQUEST), server([b'x'; 700])])).foreign.unwrap();
    assert_eq!(long.start.len(), limits::FOREIGN_ANSWER_BYTES);
    let cut = [client(REQUEST), server("abc"), Event::Lost(Role::Server, 5), server("def")];
    assert_eq!(only(told(&cut)).foreign.unwrap().start, b"abc");
}

#[test]
fn only_what_is_sent_instead_of_an_answer_is_foreign() {
    let answered = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
    for events in [
        vec![client(REQUEST), server(answered)],
        vec![client(REQUEST), server([answered, "rest"].concat())],
        vec![client(REQUEST), server(ANSWER), server("abc")],
        vec![client(REQUEST), Event::Lost(Role::Server, 5), server("abc")],
        vec![client(REQUEST), server("\x15\x03\x01\0\x02\x02\x46")],
    ] {
        assert_eq!(only(told(&events)).foreign, None, "{events:?}");
    }
    // Who was greeted asks for something else.
    for asked in ["EHLO a\r\n", "GE", "POST / HTTP/1.1\r\n\r\n"] {
        let facts = same_at_every_cut(&[server("220 mail\r\n"), client(asked)]);
        assert_eq!(
            (facts.attempts.len(), facts.spoken),
            (0, Spoken::Opaque(OpaqueReason::NotHttp)),
            "{asked}"
        );
    }
    let greeted = same_at_every_cut(&[server("220 mail\r\n")]);
    assert_eq!(greeted.spoken, Spoken::Opaque(OpaqueReason::NotHttp));
}
