//! HTTP with holes: which answer belongs to which request when some of both are missing. What cannot be known is not
//! said.

use crate::decode::Half;
use crate::protocol::testing::*;
use crate::protocol::{Accept, RequestProblem, Role, StreamFacts};

fn lost(role: Role, length: u64) -> Event {
    Event::Lost(role, length)
}

fn get(target: &str) -> Event {
    client(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

fn answered(facts: &StreamFacts) -> Vec<(String, Option<u16>, bool)> {
    let told = |exchange: &crate::protocol::Exchange| {
        let status = exchange.answer.as_ref().map(|answer| answer.status);
        (exchange.target.to_string(), status, exchange.response_lost)
    };
    facts.exchanges.iter().map(told).collect()
}

#[test]
fn a_101_is_not_laid_to_the_request_before_the_one_that_is_missing() {
    // The answer to the first request and the upgrade request are lost, in either order.
    for gaps in
        [[lost(Role::Server, 40), lost(Role::Client, 200)], [lost(Role::Client, 200), lost(Role::Server, 40)]]
    {
        let events = [vec![get("/a")], gaps.to_vec(), vec![server(ANSWER)]].concat();
        let facts = told(&events);
        let attempt = facts.attempts.first().unwrap();
        assert!(attempt.request.is_none(), "{events:?}");
        let response = attempt.response.as_ref().unwrap();
        assert_eq!(
            (response.status, response.accept, &response.problems[..]),
            (101, Accept::Unchecked, &[][..])
        );
        assert_eq!(answered(&facts), [("/a".to_owned(), None, true)]);
    }
}

#[test]
fn a_101_is_not_laid_to_an_attempt_that_it_does_not_fit() {
    let other = REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAA==");
    let events = [client(other), lost(Role::Server, 40), lost(Role::Client, 200), server(ANSWER)];
    let facts = told(&events);
    let [first, second] = &facts.attempts[..] else { panic!("{facts:?}") };
    assert!(first.response_lost && first.response.is_none());
    assert!(second.request.is_none());
    assert_eq!(second.response.as_ref().unwrap().accept, Accept::Unchecked);
    // One that fits is its own whatever is missing.
    let events = [client(REQUEST), lost(Role::Server, 40), lost(Role::Client, 200), server(ANSWER)];
    let attempt = only(told(&events));
    assert_eq!(attempt.response.unwrap().accept, Accept::Valid);
}

#[test]
fn who_asks_again_has_an_answer_that_the_capture_lacks() {
    let again = [client(REQUEST), lost(Role::Server, 60), client(REQUEST), server(ANSWER)];
    let other_order = [client(REQUEST), client(REQUEST), lost(Role::Server, 60), server(ANSWER)];
    for events in [again, other_order] {
        let facts = told(&events);
        let [first, second] = &facts.attempts[..] else { panic!("{facts:?}") };
        assert!(first.response_lost && first.response.is_none());
        assert_eq!(second.response.as_ref().unwrap().accept, Accept::Valid);
    }
    let facts =
        told(&[get("/a"), lost(Role::Server, 60), get("/b"), server("HTTP/1.1 204 No Content\r\n\r\n")]);
    assert_eq!(answered(&facts), [("/a".to_owned(), None, true), ("/b".to_owned(), Some(204), false)]);
}

#[test]
fn an_answer_lost_before_the_first_request_is_seen_is_remembered() {
    // Both the first request and its answer are missing, and the gap of the server goes on into what is asked next.
    let events =
        [lost(Role::Server, 300), lost(Role::Client, 32), get("/a"), lost(Role::Client, 200), server(ANSWER)];
    let facts = told(&events);
    assert!(facts.attempts.first().unwrap().request.is_none());
    assert_eq!(answered(&facts), [("/a".to_owned(), None, true)]);
}

#[test]
fn frames_after_a_request_whose_end_is_missing_are_looked_for() {
    let (start, rest) = REQUEST.split_at(REQUEST.len() - 20);
    assert_eq!(rest.len(), 20);
    // The hole takes the end of the head and the start of the first frame with it.
    let hello = frame(0x81, KEY, b"hello");
    let facts = told(&[
        client(start),
        lost(Role::Client, 24),
        server(ANSWER),
        client(&hello[4..]),
        client(frame(0x82, KEY, b"again")),
    ]);
    let session = only(facts).session.unwrap();
    assert_eq!((session.client.text, session.client.binary, session.client.frames()), (0, 1, 1));
    assert_eq!((session.client.resyncs, session.anomalies.len()), (1, 0));
    assert_eq!(session.client.undecoded_bytes, hello.len() as u64 - 4);
}

#[test]
fn a_client_alone_is_followed_through_a_lost_answer() {
    let frames = [client(frame(0x81, KEY, b"one")), client(frame(0x81, KEY, b"two"))];
    let facts = told(&[vec![client(REQUEST), lost(Role::Server, 150)], frames.to_vec()].concat());
    let attempt = only(facts);
    assert!(attempt.response_lost && attempt.response.is_none());
    assert_eq!(attempt.session.unwrap().client.text, 2);
    assert_eq!(told(&[client(REQUEST), lost(Role::Server, 150)]).client, Some(Half::Lo));
}

#[test]
fn an_answer_to_a_request_that_is_missing_may_have_no_body() {
    // To HEAD it has none whatever it says, and what follows is the next answer.
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n";
    for framing in ["Content-Length: 300", "Transfer-Encoding: chunked", "Server: a"] {
        let answer = answer.replace("Content-Length: 300", framing);
        let facts = told_midstream(&[server(answer), client(REQUEST), server(ANSWER)]);
        assert_eq!(statuses(&facts), [Some(101)], "{framing}");
    }
    // To anything else it has one.
    let body = "x".repeat(300);
    let facts = told_midstream(&[server(format!("{answer}{body}")), client(REQUEST), server(ANSWER)]);
    assert_eq!(statuses(&facts), [Some(101)]);
    let facts = told_midstream(&[server(answer), server(body), client(REQUEST), server(ANSWER)]);
    assert_eq!(statuses(&facts), [Some(101)]);
}

#[test]
fn the_end_of_a_method_is_no_method_where_its_start_may_be_missing() {
    for start in 1..3 {
        let cut = REQUEST.get(start..).unwrap();
        let attempt = only(told_midstream(&[client(cut), server(ANSWER)]));
        assert!(attempt.request.unwrap().problems.is_empty(), "{cut}");
        let attempt = only(told(&[client(cut), server(ANSWER)]));
        assert_eq!(attempt.request.unwrap().problems, [RequestProblem::MethodNotGet], "{cut}");
    }
}
