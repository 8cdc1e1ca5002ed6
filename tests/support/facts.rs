//! What the library makes of a capture, as values that can be compared: names and shape are those of
//! `captures/*/expected.json`, which are those of the JSON report.

#![allow(dead_code, reason = "not every test needs everything")]

use std::io::Cursor;

use serde_json::{Map, Value, json};
use wsinspect::capture::{CaptureError, CaptureFile};
use wsinspect::model::{Capture, Connection, Outcome, SessionEnd};
use wsinspect::pipeline::{Options, analyse};
use wsinspect::protocol::{Accept, Attempt, Role, RoleFacts, SessionFacts};
use wsinspect::units::Timestamp;

/// Opens a capture that is in memory.
pub(crate) fn open(file: Vec<u8>) -> Result<CaptureFile, CaptureError> {
    CaptureFile::from_reader("test", Box::new(Cursor::new(file)))
}

/// Reads a capture to its end.
pub(crate) fn read_from(source: &mut CaptureFile, options: Options) -> Capture {
    analyse(source, None, options, |_| {}).unwrap()
}

/// The attempts of one connection, in a capture that ends at `end`.
pub(crate) fn of_connection(connection: &Connection, end: Timestamp) -> Vec<Value> {
    connection.attempts.iter().map(|it| attempt(it, connection, end)).collect()
}

/// When a capture ends.
pub(crate) fn end(capture: &Capture) -> Timestamp {
    capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last)
}

fn attempt(attempt: &Attempt, connection: &Connection, end: Timestamp) -> Value {
    let request = attempt.request.as_ref();
    let response = attempt.response.as_ref();
    let head = request.map(|request| request.head());
    let accept = response.map(|response| match response.accept {
        Accept::Valid => "valid",
        Accept::Wrong => "wrong",
        Accept::Missing => "missing",
        Accept::Unchecked => "unchecked",
    });
    let request_problems =
        request.map(|it| it.problems.iter().map(|problem| problem.name()).collect::<Vec<_>>());
    let response_problems =
        response.map(|it| it.problems.iter().map(|problem| problem.name()).collect::<Vec<_>>());
    // What is not in the capture has no problems.
    json!({
        "client": connection.endpoint(Role::Client).address.to_string(),
        "server": connection.endpoint(Role::Server).to_string(),
        "target": head.as_ref().map(|head| head.target).filter(|target| !target.is_empty()),
        "http_version": head.and_then(|head| head.version).map(|minor| format!("1.{minor}")),
        "status": response.map(|response| response.status),
        "outcome": Outcome::of(attempt, connection, end).name(),
        "accept": accept,
        "request_problems": request_problems.unwrap_or_default(),
        "response_problems": response_problems.unwrap_or_default(),
        "body_start": response.map(|response| String::from_utf8_lossy(&response.body_start)),
        "websocket": attempt.session.as_ref().map(|session| websocket(session, connection)),
    })
}

fn websocket(session: &SessionFacts, connection: &Connection) -> Value {
    let close = session.close.as_ref().map(|close| {
        json!({"by": close.by.name(), "code": close.code, "reason": String::from_utf8_lossy(&close.reason)})
    });
    let mut anomalies: Vec<String> = session
        .anomalies
        .iter()
        .map(|it| format!("{} by {}: {}", it.kind.name(), it.by.name(), it.count))
        .collect();
    anomalies.sort();
    json!({
        "client": role(&session.client),
        "server": role(&session.server),
        "end": SessionEnd::of(session, connection).name(),
        "close": close,
        "anomalies": anomalies,
        "pings": {"answered": session.pings.answered, "unanswered": session.pings.unanswered},
    })
}

fn role(facts: &RoleFacts) -> Value {
    let counts = [
        ("text", facts.text),
        ("binary", facts.binary),
        ("continuation", facts.continuation),
        ("ping", facts.ping),
        ("pong", facts.pong),
        ("close", facts.close),
        ("other", facts.other),
        ("messages", facts.messages),
        ("payload_bytes", facts.payload_bytes),
        ("undecoded_bytes", facts.undecoded_bytes),
        ("resyncs", facts.resyncs),
    ];
    Value::Object(
        counts.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect::<Map<_, _>>(),
    )
}
