//! The JSON of every shipped capture keeps its contract: which keys there are and of which type, which words may
//! occur, in which order lines come, and that totals agree with the lines. Keys may be added, none may go.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that fails may panic, and says where it was"
)]

use std::collections::BTreeMap;
use std::path::Path;

use program::{captures, read};
use serde_json::Value;

#[path = "support/program.rs"]
mod program;

/// What a value may be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A whole number, not negative.
    Count,
    /// A number of milliseconds, or a rate.
    Number,
    Truth,
    Text,
    /// RFC 3339, UTC, nanoseconds.
    Time,
    /// `ip:port`, IPv6 in brackets.
    Endpoint,
    Object,
    List,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An array of such words.
    Words(&'static [&'static str]),
    /// This number.
    Is(u64),
}

use Kind::{Count, Endpoint, Is, List, Number, Object, Text, Time, Truth, Word, Words};

/// A key, what its value is, and whether it may be null.
type Key = (&'static str, Kind, bool);

const fn always(key: &'static str, kind: Kind) -> Key {
    (key, kind, false)
}

const fn or_null(key: &'static str, kind: Kind) -> Key {
    (key, kind, true)
}

const CONNECTION: &[Key] = &[
    always("schema", Is(1)),
    always("id", Count),
    always("client", Endpoint),
    always("server", Endpoint),
    always("start", Time),
    always("end", Time),
    always("first_packet", Count),
    always("last_packet", Count),
    always("tcp", Object),
    always("tcp/opened", Word(&["handshake", "midstream", "refused", "unanswered"])),
    always("tcp/closed", Word(&["fin", "reset", "open"])),
    or_null("tcp/closed_by", Word(ROLES)),
    or_null("tcp/connect_ms", Number),
    always("tcp/client", Object),
    always("tcp/server", Object),
    or_null("tls", Object),
    always("attempts", List),
    always("findings", List),
];

const HALF: &[Key] = &[
    always("packets", Count),
    always("payload_bytes", Count),
    always("retransmitted", Count),
    always("out_of_order", Count),
    always("missing_bytes", Count),
];

const ATTEMPT: &[Key] = &[
    or_null("request", Object),
    or_null("response", Object),
    always("outcome", Word(OUTCOMES)),
    or_null("websocket", Object),
];

const OVER_TLS: &[Key] = &[
    always("connection", Count),
    always("client", Endpoint),
    always("server", Endpoint),
    always("proxy", Object),
    always("proxy/address", Text),
    or_null("proxy/software", Text),
    or_null("proxy/version", Text),
];

const REQUEST: &[Key] = &[
    always("packet", Count),
    always("time", Time),
    always("method", Text),
    always("target", Text),
    or_null("http_version", Word(&["1.0", "1.1"])),
    or_null("host", Text),
    or_null("origin", Text),
    or_null("key", Text),
    or_null("version", Text),
    always("subprotocols", List),
    always("extensions", List),
    always("headers", List),
    always(
        "problems",
        Words(&[
            "upgrade-missing",
            "connection-token-missing",
            "key-missing",
            "key-invalid",
            "key-repeated",
            "version-missing",
            "version-unsupported",
            "http-version-too-low",
            "method-not-get",
            "body-present",
        ]),
    ),
];

const RESPONSE: &[Key] = &[
    always("packet", Count),
    always("time", Time),
    always("status", Count),
    always("reason", Text),
    or_null("http_version", Word(&["1.0", "1.1"])),
    always("headers", List),
    or_null("after_ms", Number),
    always("accept", Word(&["valid", "wrong", "missing", "unchecked"])),
    always("body_start", Text),
    always(
        "problems",
        Words(&[
            "accept-wrong",
            "accept-missing",
            "upgrade-missing",
            "connection-token-missing",
            "subprotocol-not-offered",
            "subprotocol-missing",
            "subprotocol-repeated",
            "extension-not-offered",
            "extension-parameter-invalid",
            "body-present",
        ]),
    ),
];

const WEBSOCKET: &[Key] = &[
    or_null("subprotocol", Text),
    or_null("application", Text),
    always("extensions", List),
    always("client", Object),
    always("server", Object),
    always("end", Word(&["clean", "abnormal", "open"])),
    or_null("close", Object),
    or_null("ping_ms", Object),
];

const CLOSE: &[Key] =
    &[always("by", Word(ROLES)), always("code", Count), always("name", Text), always("reason", Text)];

const PINGS: &[Key] = &[
    or_null("min", Number),
    or_null("median", Number),
    or_null("max", Number),
    always("answered", Count),
    always("unanswered", Count),
];

const COUNTERS: &[Key] = &[
    always("text", Count),
    always("binary", Count),
    always("continuation", Count),
    always("ping", Count),
    always("pong", Count),
    always("close", Count),
    always("other", Count),
    always("messages", Count),
    always("payload_bytes", Count),
    always("undecoded_bytes", Count),
    always("resyncs", Count),
];

const FRAME: &[Key] = &[
    always("connection", Count),
    always("attempt", Count),
    always("packet", Count),
    always("time", Time),
    always("by", Word(ROLES)),
    always("opcode", Word(OPCODES)),
    always("fin", Truth),
    always("rsv", Count),
    always("masked", Truth),
    always("length", Count),
];

const SUMMARY: &[Key] = &[
    always("schema", Is(1)),
    always("packets", Count),
    always("bytes", Count),
    always("skipped", Object),
    always("connections", Count),
    always("attempts", Object),
    always("attempts/total", Count),
    always("attempts/established", Count),
    always("attempts/invalid", Count),
    always("attempts/refused", Count),
    always("attempts/unanswered", Count),
    always("attempts/midstream", Count),
    always("attempts/unknown", Count),
    or_null("success_rate", Number),
    or_null("latency_ms", Object),
    always("frames", Object),
    always("findings", List),
    always("warnings", List),
];

const ROUTE: &[Key] = &[
    always("schema", Is(1)),
    always("legs", List),
    always("matched_by", Word(&["key", "accept", "bytes", "inferred"])),
    always("hops", List),
    always("tries", List),
    always("findings", List),
];

const LEG: &[Key] = &[always("connection", Count), always("attempt", Count)];

const HOP: &[Key] = &[
    always("from", Count),
    always("proxy", Object),
    always("proxy/address", Text),
    or_null("proxy/software", Text),
    or_null("proxy/version", Text),
    always("changes", List),
    always("answer", Word(&["passed", "changed", "replaced", "made-up", "dropped", "none"])),
];

const CHANGE: &[Key] = &[
    always("part", Word(&["method", "target", "http_version", "header"])),
    or_null("before", Text),
    or_null("after", Text),
];

const FINDING: &[Key] = &[
    always("rule", Text),
    always("code", Text),
    always("severity", Word(&["error", "warning", "note"])),
    always("message", Text),
    always("hop", Text),
    always("packets", List),
    always("fix", List),
    always("advice", List),
    always("explains", List),
    always("see", Text),
];

const FIX: &[Key] = &[always("for", Text), always("place", Text), always("text", Text)];

const LATENCY: &[Key] = &[always("median", Number), always("p95", Number), always("max", Number)];

const ROLES: &[&str] = &["client", "server"];

const OUTCOMES: &[&str] = &["established", "invalid", "refused", "unanswered", "midstream", "unknown"];

const OPCODES: &[&str] = &[
    "continuation",
    "text",
    "binary",
    "0x3",
    "0x4",
    "0x5",
    "0x6",
    "0x7",
    "close",
    "ping",
    "pong",
    "0xb",
    "0xc",
    "0xd",
    "0xe",
    "0xf",
];

#[test]
fn every_key_is_there_and_of_its_type() {
    for_each_capture(|lines| {
        let (last, others) = lines.split_last().unwrap();
        for line in others {
            match line["type"].as_str().unwrap() {
                "connection" => check_connection(line),
                "frame" => check(line, FRAME),
                "route" => check_route(line),
                other => panic!("a line of type {other}"),
            }
        }
        assert_eq!(last["type"], "summary");
        check(last, SUMMARY);
        check(&last["frames"], COUNTERS);
        check_findings(last);
        check_if_there(&last["latency_ms"], LATENCY);
        assert!(last["skipped"].as_object().unwrap().values().all(Value::is_u64), "{last}");
        assert!(last["warnings"].as_array().unwrap().iter().all(Value::is_string), "{last}");
    });
}

#[test]
fn lines_come_in_order() {
    for_each_capture(|lines| {
        let (mut latest, mut attempt, mut packet, mut is_orderly) = (0, 0, 0, true);
        for line in lines {
            if line["type"] == "connection" {
                let id = number(line, "id");
                assert_eq!(id, number(line, "first_packet"));
                assert!(latest < id && id <= number(line, "last_packet"), "{line}");
                (latest, attempt, packet) = (id, 0, 0);
                // What came out of order is told in the order of the stream.
                let late = ["client", "server"].map(|side| number(&line["tcp"][side], "out_of_order"));
                is_orderly = late == [0, 0];
            } else if line["type"] == "frame" {
                let place = (number(line, "connection"), number(line, "attempt"), number(line, "packet"));
                assert_eq!(place.0, latest, "a frame stands behind its connection: {line}");
                assert!(attempt <= place.1, "{line}");
                assert!((attempt, packet) <= (place.1, place.2) || !is_orderly, "{line}");
                (attempt, packet) = (place.1, place.2);
            }
        }
    });
}

#[test]
fn totals_agree_with_the_lines() {
    for_each_capture(|lines| {
        let summary = lines.last().unwrap();
        let connections: Vec<&Value> = lines.iter().filter(|line| line["type"] == "connection").collect();
        let attempts: Vec<&Value> = connections.iter().flat_map(|line| list(line, "attempts")).collect();

        let unopened =
            |line: &&&Value| matches!(line["tcp"]["opened"].as_str().unwrap(), "refused" | "unanswered");
        let opened = connections.len() - connections.iter().filter(unopened).count();
        assert_eq!(number(summary, "connections"), opened as u64);

        assert_eq!(number(&summary["attempts"], "total"), attempts.len() as u64);
        for outcome in OUTCOMES {
            let with_it = attempts.iter().filter(|attempt| attempt["outcome"] == *outcome).count();
            assert_eq!(number(&summary["attempts"], outcome), with_it as u64, "{outcome}");
        }
        let decided = attempts.iter().filter(|attempt| {
            matches!(
                attempt["outcome"].as_str().unwrap(),
                "established" | "invalid" | "refused" | "unanswered"
            )
        });
        let decided = decided.count() as u64;
        let established = number(&summary["attempts"], "established");
        match summary["success_rate"].as_f64() {
            Some(rate) => assert!((rate * as_f64(decided) - as_f64(established)).abs() < 1e-3, "{summary}"),
            None => assert_eq!(decided, 0, "{summary}"),
        }

        for counter in COUNTERS.iter().map(|(key, ..)| key) {
            let sides = attempts.iter().filter_map(|attempt| attempt["websocket"].as_object());
            let sum: u64 =
                sides.map(|it| number(&it["client"], counter) + number(&it["server"], counter)).sum();
            assert_eq!(number(&summary["frames"], counter), sum, "{counter}");
        }
        let missing: u64 = connections
            .iter()
            .flat_map(|line| ROLES.iter().map(|role| number(&line["tcp"][role], "missing_bytes")))
            .sum();
        assert_eq!(number(summary, "missing_bytes"), missing);
    });
}

#[test]
fn frames_are_those_that_were_counted() {
    for_each_capture(|lines| {
        let mut by_place: BTreeMap<(u64, u64, String), BTreeMap<String, u64>> = BTreeMap::new();
        for line in lines.iter().filter(|line| line["type"] == "frame") {
            let by = line["by"].as_str().unwrap().to_owned();
            let opcode = line["opcode"].as_str().unwrap();
            let kind = if opcode.starts_with("0x") { "other" } else { opcode };
            let kinds =
                by_place.entry((number(line, "connection"), number(line, "attempt"), by)).or_default();
            *kinds.entry(kind.to_owned()).or_default() += 1;
            *kinds.entry("payload_bytes".to_owned()).or_default() += number(line, "length");
        }
        for connection in lines.iter().filter(|line| line["type"] == "connection") {
            for (attempt, session) in (0..).zip(list(connection, "attempts")) {
                for role in ROLES.iter().filter(|_| !session["websocket"].is_null()) {
                    let place = (number(connection, "id"), attempt, (*role).to_owned());
                    let found = by_place.remove(&place).unwrap_or_default();
                    let counted = &session["websocket"][role];
                    for key in
                        ["text", "binary", "continuation", "ping", "pong", "close", "other", "payload_bytes"]
                    {
                        let frames = found.get(key).copied().unwrap_or_default();
                        assert_eq!(number(counted, key), frames, "{place:?} {key}");
                    }
                }
            }
        }
        assert!(by_place.is_empty(), "frames of no session: {by_place:?}");
    });
}

/// Without `--all` the same but for connections without an attempt, without `--frames` the same but for frames.
#[test]
fn options_only_leave_lines_out() {
    for path in captures() {
        let all = lines(&path, &["--all", "--frames"]);
        let expected: Vec<&Value> = all.iter().filter(|line| line["type"] != "frame").collect();
        assert_eq!(lines(&path, &["--all"]).iter().collect::<Vec<_>>(), expected);
        // What something was found about is never left out.
        let is_told = |line: &&&Value| {
            line["type"] != "connection"
                || !list(line, "attempts").is_empty()
                || !list(line, "findings").is_empty()
        };
        let expected: Vec<&Value> = expected.iter().filter(is_told).copied().collect();
        assert_eq!(lines(&path, &[]).iter().collect::<Vec<_>>(), expected);
    }
}

fn check_route(line: &Value) {
    check(line, ROUTE);
    check_findings(line);
    assert!(list(line, "legs").len() > 1, "{line}");
    assert_eq!(list(line, "hops").len() + 1, list(line, "legs").len(), "{line}");
    for leg in list(line, "legs") {
        check(leg, LEG);
    }
    for hop in list(line, "hops") {
        check(hop, HOP);
        for change in list(hop, "changes") {
            check(change, CHANGE);
            assert_eq!(change["part"] == "header", change["name"].is_string(), "{change}");
            assert_ne!(change["before"], change["after"], "{change}");
        }
    }
}

fn check_findings(line: &Value) {
    for finding in list(line, "findings") {
        check(finding, FINDING);
        assert!(list(finding, "packets").iter().all(Value::is_u64), "{finding}");
        for fix in list(finding, "fix") {
            check(fix, FIX);
        }
    }
}

fn check_connection(line: &Value) {
    check(line, CONNECTION);
    check_findings(line);
    check(&line["tcp"]["client"], HALF);
    check(&line["tcp"]["server"], HALF);
    for attempt in list(line, "attempts") {
        check(attempt, ATTEMPT);
        check_if_there(&attempt["request"], REQUEST);
        check_if_there(&attempt["response"], RESPONSE);
        check_if_there(&attempt["over_tls"], OVER_TLS);
        for head in [&attempt["request"], &attempt["response"]] {
            for header in head["headers"].as_array().into_iter().flatten() {
                let pair = header.as_array().unwrap();
                assert!(pair.len() == 2 && pair.iter().all(Value::is_string), "{header}");
            }
        }
        let session = &attempt["websocket"];
        check_if_there(session, WEBSOCKET);
        check_if_there(&session["client"], COUNTERS);
        check_if_there(&session["server"], COUNTERS);
        check_if_there(&session["close"], CLOSE);
        check_if_there(&session["ping_ms"], PINGS);
    }
}

fn check_if_there(value: &Value, keys: &[Key]) {
    if !value.is_null() {
        check(value, keys);
    }
}

/// Each key is there, and its value is what it may be.
fn check(value: &Value, keys: &[Key]) {
    for (key, kind, may_be_null) in keys {
        let found = value.pointer(&format!("/{key}")).unwrap_or_else(|| panic!("{key} is missing: {value}"));
        let allowed = if found.is_null() { *may_be_null } else { kind.allows(found) };
        assert!(allowed, "{key} is {found} and not {kind:?}: {value}");
    }
}

impl Kind {
    fn allows(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Count => value.is_u64(),
            Number => value.is_f64(),
            Truth => value.is_boolean(),
            Text => text.is_some(),
            Time => text.is_some_and(is_time),
            Endpoint => text.is_some_and(|text| text.parse::<std::net::SocketAddr>().is_ok()),
            Object => value.is_object(),
            List => value.is_array(),
            Word(words) => text.is_some_and(|text| words.contains(&text)),
            Words(words) => {
                let known = |word: &Value| word.as_str().is_some_and(|word| words.contains(&word));
                value.as_array().is_some_and(|found| found.iter().all(known))
            }
            Is(number) => value.as_u64() == Some(number),
        }
    }
}

fn is_time(text: &str) -> bool {
    let digits = |letter: char| if letter.is_ascii_digit() { '0' } else { letter };
    text.chars().map(digits).eq("0000-00-00T00:00:00.000000000Z".chars())
}

/// What a capture's lines are, with everything that can be asked for.
fn for_each_capture(check: impl Fn(&[Value])) {
    for path in captures() {
        // Shown if the check fails.
        println!("{}", path.display());
        check(&lines(&path, &["--all", "--frames"]));
    }
}

fn lines(path: &Path, options: &[&str]) -> Vec<Value> {
    let report = read(path, &[&["--format", "json"], options].concat()).report();
    assert!(report.ends_with("}\n"));
    report.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} is no number in {value}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is no list in {value}"))
}

fn as_f64(number: u64) -> f64 {
    u32::try_from(number).unwrap().into()
}
