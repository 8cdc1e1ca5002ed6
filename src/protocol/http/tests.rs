//! Exchanges: which request belongs to which answer, beside a naive list of both.

use proptest::prelude::*;

use crate::decode::Half;
use crate::protocol::testing::*;
use crate::protocol::{Context, Role, Stack, StreamFacts};
use crate::tcp::{Chunk, Opened, Opening, Receiver};
use crate::units::Origin;

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

#[test]
fn an_exchange_is_told_with_what_matters_of_it() {
    let request =
        "GET /a?b HTTP/1.1\r\nHost: x.example\r\nHost: y\r\nConnection: keep-alive, Upgrade\r\n\r\n";
    let answer = "HTTP/1.1 302 Found\r\nServer: nginx\r\nLocation: https://x.example/a\r\n\
        Content-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\n\r\n";
    let facts = same_at_every_cut(&[client(request), server(answer)]);
    let exchange = facts.exchanges.iter().next().unwrap();
    assert_eq!((exchange.request.packet.0, exchange.complete), (1, true));
    assert_eq!((&*exchange.method, &*exchange.target), ("GET", "/a?b"));
    assert_eq!(exchange.host.as_deref(), Some("x.example"));
    assert!(exchange.asks_connection_upgrade && !exchange.response_lost);
    let answer = exchange.answer.as_ref().unwrap();
    assert_eq!((answer.origin.packet.0, answer.status), (2, 302));
    assert_eq!(answer.server.as_deref(), Some("nginx"));
    assert_eq!(answer.location.as_deref(), Some("https://x.example/a"));
    assert_eq!(answer.content_type.as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!((exchange.origin.as_deref(), answer.body_start.len()), (None, 0));
    // What a refusal says.
    let request = "GET /a HTTP/1.1\r\nHost: x.example\r\nOrigin: https://y.example\r\n\r\n";
    let said = "\u{e9}".repeat(99);
    let refusal =
        format!("HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\nc6\r\n{said}\r\n0\r\n\r\n");
    let fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let facts = same_at_every_cut(&[client(request), server(refusal), client(request), server(fine)]);
    let said: Vec<&[u8]> =
        facts.exchanges.iter().map(|it| &*it.answer.as_ref().unwrap().body_start).collect();
    assert_eq!(said, [&"\u{e9}".repeat(64).into_bytes()[..], b""]);
    assert_eq!(facts.exchanges.iter().next().unwrap().origin.as_deref(), Some("https://y.example"));
    // With an Upgrade field, of whatever protocol, nothing was taken away.
    let request = "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let facts = same_at_every_cut(&[client(request)]);
    assert!(!facts.exchanges.iter().next().unwrap().asks_connection_upgrade);
}

#[test]
fn answers_find_their_requests() {
    let requests = [
        "HEAD /a HTTP/1.1\r\n\r\n",
        "POST /b HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET /c HTTP/1.1\r\n\r\n",
    ];
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n.",
        "HTTP/1.1 404 Not Found\r\n\r\nHTTP/1.1 500 a body\r\n\r\n",
    ];
    let expected = [pair("HEAD", "/a", 200), pair("POST", "/b", 201), pair("GET", "/c", 404)];
    let facts = same_at_every_cut(&[client(requests.concat()), server(answers.concat())]);
    assert_eq!(pairs(&facts), expected);
    // An attempt in between is none of them.
    let refusal = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
    let facts = same_at_every_cut(&[
        client(requests[0]),
        server(answers[0]),
        client(REQUEST),
        server(refusal),
        client(requests[1]),
        server(answers[1]),
        client(REQUEST),
        server(ANSWER),
        client(frame(0x81, KEY, b"hello")),
    ]);
    assert_eq!(pairs(&facts), expected[..2]);
    assert_eq!(statuses(&facts), [Some(400), Some(101)]);
}

#[test]
fn what_follows_a_tunnel_or_something_else_stays_with_what_came_before() {
    let get = client("GET /a HTTP/1.1\r\n\r\n");
    let ok = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let connect = client("CONNECT a:80 HTTP/1.1\r\n\r\n");
    let facts = same_at_every_cut(&[
        connect,
        server("HTTP/1.1 200 Established\r\n\r\n"),
        get.clone(),
        ok.clone(),
        server("go away\r\n"),
    ]);
    assert_eq!(pairs(&facts), [pair("CONNECT", "a:80", 200), pair("GET", "/a", 200)]);
    let facts = same_at_every_cut(&[get, ok, server("go away\r\n")]);
    assert_eq!(pairs(&facts), [pair("GET", "/a", 200)]);
}

#[test]
fn an_exchange_that_is_answered_as_an_attempt_is_none() {
    let request = "GET /a HTTP/1.1\r\nConnection: Upgrade\r\n\r\n";
    let facts = same_at_every_cut(&[client(request), server(ANSWER)]);
    assert_eq!((facts.exchanges.len(), statuses(&facts)), (0, vec![Some(101)]));
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n";
    let facts = same_at_every_cut(&[client(request), server(answer)]);
    assert_eq!(pairs(&facts), [pair("GET", "/a", 101)]);
}

#[test]
fn answers_that_the_capture_lacks_are_told() {
    let get = |target| client(format!("GET {target} HTTP/1.1\r\n\r\n"));
    let facts = told(&[
        get("/a"),
        get("/b"),
        Event::Lost(Role::Server, 60),
        server("HTTP/1.1 204 No Content\r\nServer: a\r\n\r\n"),
        get("/c"),
    ]);
    let lost: Vec<bool> = facts.exchanges.iter().map(|exchange| exchange.response_lost).collect();
    assert_eq!(lost, [true, true, false]);
    // The one that comes belongs to the latest request.
    let statuses: Vec<Option<u16>> = pairs(&facts).into_iter().map(|(.., status)| status).collect();
    assert_eq!(statuses, [None, Some(204), None]);
    // A head that is there in part.
    let facts = same_at_every_cut(&[client("GET /a HTTP/1.1\r\nHost: a\r\nX: ")]);
    let exchange = facts.exchanges.iter().next().unwrap();
    assert_eq!((&*exchange.target, exchange.host.as_deref(), exchange.complete), ("/a", Some("a"), false));
}

#[test]
fn without_heads_no_exchange_is_kept() {
    let opening = Opening {
        first: Origin::default(),
        opened: Opened::Handshake,
        opener: Some(Half::Lo),
        connect: None,
    };
    let mut context = Context::new(false, false);
    let mut stack = Stack::open(&mut context, &opening);
    let chunk = Chunk { bytes: b"GET / HTTP/1.1\r\n\r\n", origin: Origin::default() };
    stack.data(&mut context, Half::Lo, chunk);
    let exchanges = stack.finish(&mut context).exchanges;
    assert_eq!((exchanges.len(), exchanges.forgotten), (0, 0));
}

/// A request and its answers, right by RFC 9112.
#[derive(Clone, Debug)]
struct Written {
    method: &'static str,
    request_body: u8,
    interim: Vec<u16>,
    status: u16,
    chunked: bool,
    length: usize,
}

impl Written {
    fn request(&self, at: usize) -> String {
        let body = "GET / HTTP/1.1\r\n\r\n";
        let (framing, body) = match self.request_body {
            0 => (String::new(), String::new()),
            1 => (format!("Content-Length: {}\r\n", body.len()), body.to_owned()),
            _ => {
                let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
                ("Transfer-Encoding: chunked\r\n".to_owned(), chunk)
            }
        };
        format!("{} /{at} HTTP/1.1\r\nHost: a\r\n{framing}\r\n{body}", self.method)
    }

    fn answers(&self) -> String {
        let interim = self.interim.iter().map(|status| format!("HTTP/1.1 {status} Wait\r\nA: b\r\n\r\n"));
        let body: String = "HTTP/1.1 500 a body\r\n\r\n".chars().cycle().take(self.length).collect();
        let has_body = self.method != "HEAD" && !matches!(self.status, 204 | 304);
        let (framing, body) = match (self.chunked, body.is_empty()) {
            (false, _) => (format!("Content-Length: {}", self.length), body),
            (true, true) => ("Transfer-Encoding: chunked".to_owned(), "0\r\n\r\n".to_owned()),
            (true, false) => {
                let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", self.length);
                ("Transfer-Encoding: chunked".to_owned(), chunk)
            }
        };
        let body = if has_body { body } else { String::new() };
        format!("{}HTTP/1.1 {} Done\r\n{framing}\r\n\r\n{body}", interim.collect::<String>(), self.status)
    }
}

fn written() -> impl Strategy<Value = Written> {
    let method = prop_oneof![Just("GET"), Just("HEAD"), Just("POST"), Just("OPTIONS")];
    let status = prop_oneof![Just(200_u16), Just(204), Just(304), 200_u16..600];
    let interim = prop::collection::vec(prop_oneof![Just(100_u16), Just(103)], 0..3);
    (method, 0_u8..3, interim, status, any::<bool>(), 0_usize..60).prop_map(
        |(method, request_body, interim, status, chunked, length)| Written {
            method,
            request_body,
            interim,
            status,
            chunked,
            length,
        },
    )
}

proptest! {
    #[test]
    fn answers_come_in_the_order_of_requests(
        rounds in prop::collection::vec(prop::collection::vec(written(), 1..4), 1..5),
        piece in 1_usize..90,
    ) {
        let (mut events, mut expected) = (Vec::new(), Vec::new());
        // Each round is pipelined: all of its requests, then all of its answers.
        for round in &rounds {
            let requests = round.iter().enumerate().map(|(at, it)| it.request(expected.len() + at));
            events.push(client(requests.collect::<String>()));
            events.push(server(round.iter().map(Written::answers).collect::<String>()));
            for it in round {
                expected.push(pair(it.method, &format!("/{}", expected.len()), it.status));
            }
        }
        let found = in_pieces(&events, Some(Half::Lo), |_, bytes| bytes.chunks(piece).collect());
        prop_assert_eq!(pairs(&found), expected);
        prop_assert_eq!(found.attempts.len(), 0);
    }
}
