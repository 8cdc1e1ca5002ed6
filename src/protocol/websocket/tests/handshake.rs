//! What RFC 6455 asks of a handshake, one line for each thing that can be wrong, with near misses that are not.

use crate::protocol::attempt::RequestFacts;
use crate::protocol::http::{Relevant, RequestHead, ResponseHead};
use crate::protocol::testing::{ANSWER, REQUEST};
use crate::protocol::websocket::{accept_for, read_request, read_response, read_unasked};
use crate::units::Origin;

/// The fields of a head with one of them changed, added, or, with an empty value, left out.
fn with(head: &str, name: &str, value: &str) -> String {
    let is_other =
        |line: &&str| !line.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase()));
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").filter(is_other).collect();
    let line = format!("{name}: {value}");
    if !value.is_empty() {
        lines.push(&line);
    }
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

/// A request as the HTTP layer keeps it.
fn facts(head: &str, complete: bool) -> RequestFacts {
    let (problems, offer) =
        read_unasked(&RequestHead::parse(head.as_bytes()).unwrap(), head.as_bytes(), complete);
    RequestFacts { origin: Origin::default(), bytes: head.as_bytes().into(), complete, problems, offer }
}

fn of_request(head: &str) -> Vec<&'static str> {
    facts(head, true).problems.iter().map(|problem| problem.name()).collect()
}

fn of_response(request: &str, response: &str) -> Vec<&'static str> {
    let response = ResponseHead::parse(response.as_bytes()).unwrap();
    let (problems, _) = read_response(Some(&facts(request, true)), &Relevant::of(&response.fields), true);
    problems.iter().map(|problem| problem.name()).collect()
}

#[test]
fn the_accept_value_of_rfc_6455_section_1_3() {
    assert_eq!(accept_for(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(of_request(REQUEST), [""; 0]);
    assert_eq!(of_response(REQUEST, ANSWER), [""; 0]);
}

#[test]
fn requests() {
    let table: &[(&str, &str, &[&str])] = &[
        ("Upgrade", "", &["upgrade-missing"]),
        ("Upgrade", "WebSocket", &[]),
        ("UPGRADE", "h2c, websocket", &[]),
        ("Upgrade", "h2c ,\twebsocket ,", &[]),
        ("Upgrade", "websockets", &["upgrade-missing"]),
        ("Upgrade", "web socket", &["upgrade-missing"]),
        ("Connection", "", &["connection-token-missing"]),
        ("Connection", "keep-alive, Upgrade", &[]),
        ("connection", "upgrade", &[]),
        ("Connection", "keep-alive", &["connection-token-missing"]),
        ("Connection", "close", &["connection-token-missing"]),
        ("Connection", "keep-alive Upgrade", &["connection-token-missing"]),
        ("Connection", "Upgraded", &["connection-token-missing"]),
        ("Sec-WebSocket-Key", "", &["key-missing"]),
        ("Sec-WebSocket-Key", "  dGhlIHNhbXBsZSBub25jZQ==  ", &[]),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ", &["key-invalid"]),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j", &["key-invalid"]),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSE=", &["key-invalid"]),
        ("Sec-WebSocket-Key", "not base64 at all!", &["key-invalid"]),
        (
            "Sec-WebSocket-Key",
            "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            &["key-repeated"],
        ),
        ("Sec-WebSocket-Version", "", &["version-missing"]),
        ("Sec-WebSocket-Version", "8", &["version-unsupported"]),
        ("Sec-WebSocket-Version", "013", &["version-unsupported"]),
        ("Sec-WebSocket-Version", " 13 ", &[]),
        ("Content-Length", "5", &["body-present"]),
        ("Content-Length", "0", &[]),
        ("Transfer-Encoding", "chunked", &["body-present"]),
        ("Origin", "null", &[]),
    ];
    for (name, value, expected) in table {
        assert_eq!(of_request(&with(REQUEST, name, value)), *expected, "{name}: {value}");
    }
    let line = |line: &str| REQUEST.replacen("GET /ws HTTP/1.1", line, 1);
    assert_eq!(of_request(&line("GET /ws HTTP/1.0")), ["http-version-too-low"]);
    assert_eq!(of_request(&line("POST /ws HTTP/1.1")), ["method-not-get"]);
    assert_eq!(of_request(&line("get /ws HTTP/1.1")), ["method-not-get"], "methods have a case");
    let split = with(&with(REQUEST, "Connection", ""), "Connection", "keep-alive\r\nConnection: Upgrade");
    assert_eq!(of_request(&split), [""; 0], "a list may be in several lines");
}

#[test]
fn all_that_can_be_wrong_with_a_request_is_told_at_once() {
    let found = of_request("POST / HTTP/1.0\r\nSec-WebSocket-Protocol: a\r\nContent-Length: 1\r\n\r\n");
    let expected = [
        "upgrade-missing",
        "connection-token-missing",
        "key-missing",
        "version-missing",
        "http-version-too-low",
        "method-not-get",
        "body-present",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_request_in_part_has_wrong_fields_and_no_missing_ones() {
    let head = "GET / HTTP/1.0\r\nSec-WebSocket-Key: x\r\n\r\n";
    let names: Vec<&str> = facts(head, false).problems.iter().map(|problem| problem.name()).collect();
    assert_eq!(names, ["key-invalid", "http-version-too-low"]);
}

#[test]
fn answers() {
    let request = with(REQUEST, "Sec-WebSocket-Protocol", "chat, superchat");
    let request =
        with(&request, "Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x-other");
    let answer = with(ANSWER, "Sec-WebSocket-Protocol", "chat");
    let table: &[(&str, &str, &[&str])] = &[
        ("Sec-WebSocket-Accept", "", &["accept-missing"]),
        ("Sec-WebSocket-Accept", " s3pPLMBiTxaQ9kYGzzhZRbK+xOo= ", &[]),
        ("Sec-WebSocket-Accept", "S3PPLMBITXAQ9KYGZZHZRBK+XOO=", &["accept-wrong"]),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", &["accept-wrong"]),
        ("Upgrade", "", &["upgrade-missing"]),
        ("Upgrade", "WEBSOCKET", &[]),
        ("Upgrade", "h2c", &["upgrade-missing"]),
        ("Connection", "", &["connection-token-missing"]),
        ("Connection", "upgrade", &[]),
        ("Connection", "keep-alive", &["connection-token-missing"]),
        ("Sec-WebSocket-Protocol", "superchat", &[]),
        ("Sec-WebSocket-Protocol", "Chat", &["subprotocol-not-offered"]),
        ("Sec-WebSocket-Protocol", "other", &["subprotocol-not-offered"]),
        ("Sec-WebSocket-Protocol", "", &["subprotocol-missing"]),
        ("Sec-WebSocket-Protocol", "chat, superchat", &["subprotocol-repeated"]),
        ("Sec-WebSocket-Protocol", "chat\r\nSec-WebSocket-Protocol: superchat", &["subprotocol-repeated"]),
        ("Sec-WebSocket-Extensions", "permessage-deflate", &[]),
        ("Sec-WebSocket-Extensions", "Permessage-Deflate; client_max_window_bits=\"12\"", &[]),
        ("Sec-WebSocket-Extensions", "x-other; a=\"b, c\"; d", &[]),
        ("Sec-WebSocket-Extensions", "x-webkit-deflate-frame", &["extension-not-offered"]),
        (
            "Sec-WebSocket-Extensions",
            "permessage-deflate; client_max_window_bits=\"7\"",
            &["extension-parameter-invalid"],
        ),
        (
            "Sec-WebSocket-Extensions",
            "permessage-deflate, permessage-deflate",
            &["extension-parameter-invalid"],
        ),
        ("Content-Length", "0", &[]),
        ("Content-Length", "12", &["body-present"]),
        ("Transfer-Encoding", "chunked", &["body-present"]),
    ];
    for (name, value, expected) in table {
        assert_eq!(of_response(&request, &with(&answer, name, value)), *expected, "{name}: {value}");
    }
    assert_eq!(of_response(REQUEST, &answer), ["subprotocol-not-offered"]);
}

#[test]
fn what_the_capture_does_not_show_is_no_problem() {
    let problems = |request: Option<(&str, bool)>, response: &str, complete| -> Vec<&'static str> {
        let response = ResponseHead::parse(response.as_bytes()).unwrap();
        let request = request.map(|(head, complete)| facts(head, complete));
        read_response(request.as_ref(), &Relevant::of(&response.fields), complete)
            .0
            .iter()
            .map(|problem| problem.name())
            .collect()
    };
    let bare = "HTTP/1.1 101 x\r\n\r\n";
    let missing = ["accept-missing", "upgrade-missing", "connection-token-missing"];
    assert_eq!(problems(None, bare, true), missing);
    assert_eq!(problems(None, bare, false), [""; 0]);
    let with_protocol = with(ANSWER, "Sec-WebSocket-Protocol", "chat");
    assert_eq!(problems(None, &with_protocol, true), [""; 0]);
    assert_eq!(problems(Some((REQUEST, false)), &with_protocol, true), [""; 0]);
    assert_eq!(problems(Some((REQUEST, true)), &with_protocol, true), ["subprotocol-not-offered"]);
}

#[test]
fn intent() {
    let shows = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        {
            let head = RequestHead::parse(head.as_bytes()).unwrap();
            read_request(head.line(), &Relevant::of(&head.fields), b"", true).is_some()
        }
    };
    assert!(shows("upgrade: h2c, WebSocket\r\n"));
    assert!(shows("sec-websocket-key: x\r\n"));
    assert!(shows("Sec-WebSocket-Key1: x\r\n"));
    assert!(!shows("Upgrade: h2c\r\n"));
    assert!(!shows("Connection: Upgrade\r\n"));
    assert!(!shows("X-Upgrade: websocket\r\nSec-WebSocke: x\r\nSec-Fetch-Mode: websocket\r\n"));
}
