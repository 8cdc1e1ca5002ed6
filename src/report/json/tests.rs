//! The JSON report over the shipped captures.

use serde_json::Value;

use crate::report::tests::{analysed, captures, judged};
use crate::report::{Format, ReportOptions, part, write};

#[test]
fn every_capture_comes_out_as_its_truth_says() {
    let options = ReportOptions::default();
    for (name, expected) in captures() {
        let lines = lines(&name, &options);
        let attempts: Vec<(&Value, &Value)> = lines
            .iter()
            .flat_map(|line| {
                line["attempts"].as_array().into_iter().flatten().map(move |attempt| (line, attempt))
            })
            .collect();
        let claimed = expected["attempts"].as_array();
        assert!(claimed.is_none_or(|claimed| claimed.len() == attempts.len()), "{name}");
        assert_eq!(lines.last().unwrap()["packets"], expected["packets"], "{name}");
        for ((connection, attempt), claim) in attempts.iter().zip(claimed.into_iter().flatten()) {
            check(&name, connection, attempt, claim);
        }
    }
}

#[test]
fn frames_come_after_their_connection() {
    let options = ReportOptions { frames: true, ..ReportOptions::default() };
    let lines = lines("chat/client-eth.pcap", &options);
    let types: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!((types[0], types[1], types[types.len() - 1]), ("connection", "frame", "summary"));
    let frames: Vec<&Value> = lines.iter().filter(|line| line["type"] == "frame").collect();
    let close = frames.iter().find(|frame| frame["opcode"] == "close").unwrap();
    assert_eq!((close["by"].as_str(), close["masked"].as_bool()), (Some("client"), Some(true)));
    let counted: u64 = ["text", "binary", "continuation", "ping", "pong", "close", "other"]
        .iter()
        .map(|kind| lines.last().unwrap()["frames"][kind].as_u64().unwrap())
        .sum();
    assert_eq!(frames.len() as u64, counted);
}

#[test]
fn lines_keep_the_contract() {
    let lines = lines("nginx-nothing-configured/proxy-any.pcap", &ReportOptions::default());
    let connection = &lines[0];
    for field in [
        "schema",
        "id",
        "client",
        "server",
        "start",
        "end",
        "first_packet",
        "last_packet",
        "tcp",
        "tls",
        "attempts",
        "findings",
    ] {
        assert!(connection.get(field).is_some(), "{field}");
    }
    let summary = lines.last().unwrap();
    assert_eq!(summary["attempts"]["total"], 4);
    assert_eq!(summary["attempts"]["refused"], 4);
    assert_eq!(summary["success_rate"], 0.0);
    assert_eq!(summary["latency_ms"], Value::Null);
    assert_eq!(summary["findings"], Value::Array(Vec::new()));
}

#[test]
fn what_came_over_tls_is_told_in_the_whole_and_in_a_part() {
    let capture = analysed("tls-idle-cut/proxy-any.pcap");
    let diagnosis = judged(&capture);
    let over_tls = |capture: &_, diagnosis: &_| -> Vec<Value> {
        let mut written = Vec::new();
        write(Format::Json, capture, diagnosis, &ReportOptions::default(), &mut written).unwrap();
        let lines = String::from_utf8(written).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| Some(line["attempts"].get(0)?["over_tls"].clone())).collect()
    };
    let whole = over_tls(&capture, &diagnosis);
    let connections: Vec<u64> = whole.iter().map(|over| over["connection"].as_u64().unwrap()).collect();
    assert_eq!(connections, [3, 40]);
    assert_eq!(whole[1]["server"], "10.77.1.1:443");
    for (place, over) in whole.iter().enumerate() {
        let (capture, diagnosis) = part::of_route(&capture, &diagnosis, place).unwrap();
        assert_eq!(over_tls(&capture, &diagnosis), std::slice::from_ref(over));
    }
}

#[test]
fn an_empty_capture_has_a_summary() {
    let mut written = Vec::new();
    let options = ReportOptions::default();
    let capture = crate::model::Capture::default();
    write(Format::Json, &capture, &judged(&capture), &options, &mut written).unwrap();
    let summary: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!((summary["type"].as_str(), summary["success_rate"].as_f64()), (Some("summary"), None));
}

fn check(name: &str, connection: &Value, attempt: &Value, claim: &Value) {
    let client = connection["client"].as_str().unwrap();
    assert!(client.contains(claim["client"].as_str().unwrap()), "{name}: {client}");
    assert_eq!(connection["server"], claim["server"], "{name}");
    let pairs = [
        ("target", &attempt["request"]["target"]),
        ("http_version", &attempt["request"]["http_version"]),
        ("request_problems", &attempt["request"]["problems"]),
        ("status", &attempt["response"]["status"]),
        ("response_problems", &attempt["response"]["problems"]),
        ("accept", &attempt["response"]["accept"]),
        ("outcome", &attempt["outcome"]),
    ];
    for (key, value) in pairs {
        // A claim of no problems holds too where there is no request.
        let empty = claim.get(key).and_then(Value::as_array).is_some_and(Vec::is_empty);
        if let Some(claimed) = claim.get(key).filter(|_| !(empty && value.is_null())) {
            assert_eq!(value, claimed, "{name}: {key} of {attempt}");
        }
    }
    let Some(session) = claim.get("websocket") else { return };
    contains(&attempt["websocket"], session, name);
}

/// Whether a value has all that a claim says.
fn contains(value: &Value, claim: &Value, name: &str) {
    match claim {
        Value::Object(members) => {
            for (key, claim) in members {
                contains(&value[key], claim, &format!("{name}: {key}"));
            }
        }
        _ => assert_eq!(value, claim, "{name}"),
    }
}

fn lines(name: &str, options: &ReportOptions) -> Vec<Value> {
    let mut written = Vec::new();
    let capture = analysed(name);
    write(Format::Json, &capture, &judged(&capture), options, &mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
