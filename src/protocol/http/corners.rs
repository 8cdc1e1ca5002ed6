//! The corners of RFC 9110 and RFC 9112, one by one: what is odd on the wire and still has to be followed.

use crate::decode::Half;
use crate::protocol::testing::*;
use crate::protocol::{OpaqueReason, RequestProblem, Role, Spoken, StreamFacts};

/// Method, target and status of each exchange.
fn pairs(facts: &StreamFacts) -> Vec<(String, String, Option<u16>)> {
    let pair = |exchange: &crate::protocol::Exchange| {
        let status = exchange.answer.as_ref().map(|answer| answer.status);
        (exchange.method.to_string(), exchange.target.to_string(), status)
    };
    facts.exchanges.iter().map(pair).collect()
}

fn pair(method: &str, target: &str, status: u16) -> (String, String, Option<u16>) {
    (method.to_owned(), target.to_owned(), Some(status))
}

/// An upgrade and a frame each way.
fn upgrade() -> Vec<Event> {
    let frames = [client(frame(0x81, KEY, b"hello")), server(frame(0x81, None, b"hi"))];
    [vec![client(REQUEST), server(ANSWER)], frames.to_vec()].concat()
}

/// The upgrade after these events is established and both frames are read.
fn is_established(facts: &StreamFacts) {
    let attempt = facts.attempts.last().unwrap();
    assert_eq!(attempt.response.as_ref().map(|response| response.status), Some(101), "{facts:?}");
    assert_eq!(attempt.request.as_ref().unwrap().problems, []);
    assert_eq!(attempt.response.as_ref().unwrap().problems, []);
    let session = attempt.session.as_ref().unwrap();
    assert_eq!((session.client.text, session.server.text), (1, 1));
    assert_eq!((session.client.frames(), session.server.frames()), (1, 1));
}

/// What is seen of an upgrade after these events: it is established, at every cut.
fn before_upgrade(events: &[Event]) -> StreamFacts {
    let facts = same_at_every_cut(&[events.to_vec(), upgrade()].concat());
    is_established(&facts);
    facts
}

fn connect() -> Event {
    client("CONNECT chat.example:80 HTTP/1.1\r\nHost: chat.example:80\r\n\r\n")
}

const ESTABLISHED: &str = "HTTP/1.0 200 Connection established\r\nProxy-agent: Apache/2.4\r\n\r\n";

#[test]
fn a_tunnel_is_entered_on_any_2xx_and_has_no_body() {
    // RFC 9112 section 6.3: lengths in the answer mean nothing.
    for answer in [
        ESTABLISHED,
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let facts = before_upgrade(&[connect(), server(answer)]);
        assert_eq!(facts.exchanges.len(), 1);
        assert_eq!(facts.client, Some(Half::Lo));
    }
}

#[test]
fn a_proxy_that_asks_for_credentials_first() {
    let asks = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nno\n";
    let facts = before_upgrade(&[connect(), server(asks), connect(), server(ESTABLISHED)]);
    let expected = [pair("CONNECT", "chat.example:80", 407), pair("CONNECT", "chat.example:80", 200)];
    assert_eq!(pairs(&facts), expected);
}

#[test]
fn tls_in_a_tunnel_is_told_with_the_request_for_it() {
    let hello = [&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0][..], &[0x17, 3, 3, 0, 2, 9, 9]].concat();
    for events in [
        vec![connect(), server(ESTABLISHED), client(&hello)],
        // A client that does not wait for the answer.
        vec![connect(), client(&hello), server(ESTABLISHED)],
        // A capture of one side.
        vec![connect(), client(&hello)],
        // The answer is lost.
        vec![connect(), Event::Lost(Role::Server, 40), client(&hello)],
        vec![connect(), client(&hello), Event::Lost(Role::Server, 40)],
    ] {
        let facts = told(&events);
        assert_eq!(facts.spoken, Spoken::Opaque(OpaqueReason::Tls), "{events:?}");
        assert_eq!((facts.exchanges.len(), facts.attempts.len()), (1, 0));
    }
}

#[test]
fn an_upgrade_in_a_tunnel_whose_answer_is_missing() {
    let rest = upgrade();
    let lost = [vec![connect(), Event::Lost(Role::Server, 40)], rest.clone()].concat();
    is_established(&told(&lost));
    let (sent, answered) = rest.split_at(1);
    let late = [vec![connect()], sent.to_vec(), vec![server(ESTABLISHED)], answered.to_vec()].concat();
    is_established(&told(&late));
    // A capture of one side, with frames to show that it went well.
    let one_side: Vec<Event> = [vec![connect()], rest]
        .concat()
        .into_iter()
        .filter(|event| matches!(event, Event::Sent(Role::Client, _)))
        .collect();
    let facts = told(&one_side);
    let attempt = facts.attempts.first().unwrap();
    assert!(attempt.request.is_some() && attempt.response.is_none());
    assert_eq!(attempt.session.as_ref().unwrap().client.text, 1);
    // Refused after all: what was held back is the next request.
    let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let events = [vec![connect(), client(REQUEST), server(refused)], upgrade().split_off(1)].concat();
    is_established(&same_at_every_cut(&events));
}

#[test]
fn http_1_0_with_and_without_keep_alive() {
    let get = client("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let kept = server("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    let facts = before_upgrade(&[get.clone(), kept.clone(), get.clone(), kept]);
    assert_eq!(pairs(&facts), [pair("GET", "/a", 200), pair("GET", "/a", 200)]);
    // Without a length the body is all that comes, whatever it looks like.
    let until_end = server([b"HTTP/1.0 200 OK\r\n\r\n", ANSWER.as_bytes()].concat());
    let facts = same_at_every_cut(&[get, until_end]);
    assert_eq!((pairs(&facts), facts.attempts.len()), (vec![pair("GET", "/a", 200)], 0));
}

#[test]
fn lines_that_end_in_a_bare_line_feed() {
    let bare = |text: &str| text.replace("\r\n", "\n");
    let mut events = upgrade();
    events[0] = client(bare(REQUEST));
    events[1] = server(bare(ANSWER));
    is_established(&same_at_every_cut(&events));
    // And a mixture: `\n` and `\r\n` before the empty line.
    events[0] = client(REQUEST.replacen("\r\n", "\n", 3));
    is_established(&same_at_every_cut(&events));
    let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n";
    before_upgrade(&[client("GET / HTTP/1.1\nHost: a\n\n"), server(chunked)]);
}

#[test]
fn names_in_any_case_and_values_with_any_space() {
    let request = "GET /ws HTTP/1.1\r\nhost:a\r\nUPGRADE:\t WebSocket \r\ncoNNection:keep-alive ,uPgrade\r\n\
        sec-websocket-KEY:   dGhlIHNhbXBsZSBub25jZQ==\t\r\nSEC-WEBSOCKET-VERSION:13\r\n\r\n";
    let answer = "HTTP/1.1 101 \r\nupgrade:WEBSOCKET\r\nCONNECTION: upgrade\r\n\
        sec-websocket-accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=   \r\n\r\n";
    let mut events = upgrade();
    (events[0], events[1]) = (client(request), server(answer));
    is_established(&same_at_every_cut(&events));
    // A status line without a reason, and not even the space before it (RFC 9112 section 4 asks for the space).
    events[1] = server(answer.replacen("101 ", "101", 1));
    is_established(&same_at_every_cut(&events));
    // RFC 9112 section 5.1: to be removed from answers, and to be refused in requests.
    events[1] = server(answer.replace("upgrade:", "upgrade :"));
    is_established(&same_at_every_cut(&events));
    events[0] = client(request.replace("UPGRADE:", "UPGRADE :"));
    events[1] = server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let facts = same_at_every_cut(&events[..2]);
    let request = facts.attempts[0].request.as_ref().unwrap();
    assert_eq!(request.problems, [RequestProblem::UpgradeMissing]);
    assert!(request.head().fields.iter().any(|(name, _)| name == "UPGRADE "));
    assert_eq!(statuses(&facts), [Some(400)]);
}

#[test]
fn folded_lines() {
    // RFC 9112 section 5.2: a line that begins with white space goes on with the one before it.
    let mut events = upgrade();
    events[0] = client(REQUEST.replace("Connection: Upgrade", "Connection: keep-alive,\r\n Upgrade"));
    events[1] = server(ANSWER.replace("Upgrade: websocket", "Upgrade:\r\n\twebsocket"));
    is_established(&same_at_every_cut(&events));
    let offered = "Sec-WebSocket-Protocol: chat,\r\n  superchat\r\nSec-WebSocket-Version";
    events[0] = client(REQUEST.replace("Sec-WebSocket-Version", offered));
    let chosen = "Upgrade: websocket\r\nSec-WebSocket-Protocol: superchat";
    events[1] = server(ANSWER.replace("Upgrade: websocket", chosen));
    is_established(&same_at_every_cut(&events));
}

#[test]
fn a_request_line_that_servers_refuse_is_still_an_attempt() {
    let refused = server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    for target in ["/ws?name=Ann Lee", "/ws?a=\x01", "/ws?name=%zz", "/ws?ü", "ws://a/ws", "http://a/ws"] {
        let facts = same_at_every_cut(&[client(REQUEST.replace("/ws", target)), refused.clone()]);
        let attempt = only(facts);
        assert_eq!(attempt.request.unwrap().head().target, target);
        assert_eq!(attempt.response.unwrap().status, 400);
    }
}

#[test]
fn fields_that_are_repeated() {
    // RFC 9110 section 5.3: lines of a list are one list.
    let lines = "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket";
    let mut events = upgrade();
    events[0] = client(REQUEST.replace("Upgrade: websocket\r\nConnection: Upgrade", lines));
    is_established(&same_at_every_cut(&events));
    // The same length twice (RFC 9110 section 8.6), and a length beside chunks (RFC 9112 section 6.3).
    for framing in [
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "Content-Length: 2, 2\r\n\r\nok",
        "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let answer = server(format!("HTTP/1.1 200 OK\r\n{framing}"));
        before_upgrade(&[client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), answer]);
    }
    // A final coding that is not chunked: the body goes on until the end.
    let answer =
        [&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"[..], ANSWER.as_bytes()].concat();
    let facts = same_at_every_cut(&[client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), server(answer)]);
    assert_eq!(facts.attempts.len(), 0);
}

#[test]
fn a_switch_to_another_protocol_is_no_websocket() {
    let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0; 9]].concat();
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\
        Connection: Upgrade, HTTP2-Settings\r\n\r\n";
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let switched = same_at_every_cut(&[client(request), server(answer), client(&preface), server([0; 9])]);
    assert_eq!(switched.spoken, Spoken::Opaque(OpaqueReason::OtherUpgrade));
    assert_eq!((pairs(&switched), switched.attempts.len()), (vec![pair("GET", "/a", 101)], 0));
    // A server that ignores it goes on with HTTP/1.1 (RFC 9110 section 7.8).
    let facts = before_upgrade(&[client(request), server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]);
    assert_eq!(pairs(&facts), [pair("GET", "/a", 200)]);
}

#[test]
fn engine_io_polls_on_the_connection_that_is_upgraded() {
    let target = "/socket.io/?EIO=4&transport=polling";
    let poll = |sid: &str| client(format!("GET {target}{sid} HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"));
    let answer = |body: &str| {
        let length = body.len();
        server(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    };
    let post = format!("POST {target}&sid=x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40");
    let open = r#"0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#;
    let facts =
        before_upgrade(&[poll(""), answer(open), client(post), answer("ok"), poll("&sid=x"), answer("6")]);
    let target = |rest: &str| format!("{target}{rest}");
    let expected = [
        pair("GET", &target(""), 200),
        pair("POST", &target("&sid=x"), 200),
        pair("GET", &target("&sid=x"), 200),
    ];
    assert_eq!(pairs(&facts), expected);
}

#[test]
fn what_answers_have_no_body() {
    let request = |method: &str| client(format!("{method} /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    let chunked = "Transfer-Encoding: chunked";
    for (method, answer) in [
        ("HEAD", format!("200 OK\r\n{chunked}\r\n\r\n")),
        ("HEAD", "404 Not Found\r\n\r\n".to_owned()),
        ("GET", format!("304 Not Modified\r\n{chunked}\r\n\r\n")),
        ("GET", format!("204 No Content\r\n{chunked}\r\n\r\n")),
        ("GET", "205 Reset Content\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("GET", "100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ("HEAD", "103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_owned()),
    ] {
        before_upgrade(&[request(method), server(format!("HTTP/1.1 {answer}"))]);
    }
}

#[test]
fn empty_lines_around_messages() {
    // RFC 9112 section 2.2: some clients send an empty line after a body.
    let post = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab\r\n";
    before_upgrade(&[client(post), server("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\r\n")]);
}

#[test]
fn an_answer_without_a_request_and_an_attempt_after_it() {
    // A server that tells why it closes, or a capture that begins between a request and its answer.
    let timeout = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let facts = same_at_every_cut(&[server(timeout)]);
    assert_eq!((facts.spoken, facts.client), (Spoken::Http, Some(Half::Lo)));
    let late = [vec![server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")], upgrade()].concat();
    let facts = told_midstream(&late);
    is_established(&facts);
    assert_eq!(statuses(&facts), [Some(101)]);
}

#[test]
fn pipelined_requests_around_an_upgrade_that_is_refused() {
    let get = |at: u8| format!("GET /{at} HTTP/1.1\r\nHost: a\r\n\r\n");
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.";
    let requests = [&get(1), REQUEST, &get(2), REQUEST].concat();
    let refused = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let answers = [ok, refused, ok, ANSWER].concat();
    let facts = same_at_every_cut(&[client(requests), server(answers)]);
    assert_eq!(statuses(&facts), [Some(404), Some(101)]);
    assert_eq!(pairs(&facts), [pair("GET", "/1", 200), pair("GET", "/2", 200)]);
}
