//! What a report says of connections, in a form in which two reports of the same traffic can be compared.

#![allow(dead_code, reason = "not every test needs everything")]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What is reported of each connection, by its client.
pub(crate) type Told = BTreeMap<String, Value>;

/// The options of such a report.
pub(crate) const OPTIONS: [&str; 5] = ["--all", "--frames", "--messages", "--format", "json"];

/// What is reported, without what the way itself changes: numbers and times of packets, counters of TCP.
pub(crate) fn of(report: &str) -> Told {
    let (mut told, mut clients) = (Told::new(), BTreeMap::new());
    for line in report.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        match line["type"].as_str().unwrap() {
            "connection" => {
                let client = line["client"].as_str().unwrap().to_owned();
                clients.insert(line["id"].as_u64().unwrap(), client.clone());
                let missing = ["client", "server"].map(|side| line["tcp"][side]["missing_bytes"].clone());
                let received =
                    ["client", "server"].map(|side| line["tcp"][side]["missing_acknowledged_bytes"].clone());
                let tcp = json!({
                    "opened": line["tcp"]["opened"], "closed": line["tcp"]["closed"], "by": line["tcp"]["closed_by"],
                });
                let mut attempts = line["attempts"].take();
                without_place(&mut attempts);
                let connection = json!({
                    "server": line["server"], "protocol": line["protocol"], "opaque": line["opaque_reason"],
                    "tcp": tcp, "attempts": attempts, "missing": missing, "received": received,
                    "frames": {"client": [], "server": []}, "messages": {"client": [], "server": []},
                });
                assert!(told.insert(client, connection).is_none(), "a connection twice");
            }
            kind @ ("frame" | "message") => {
                let kind = format!("{kind}s");
                let client = &clients[&line["connection"].as_u64().unwrap()];
                let by = line["by"].as_str().unwrap().to_owned();
                line["connection"].take();
                without_place(&mut line);
                told.get_mut(client).unwrap()[&kind][&by].as_array_mut().unwrap().push(line);
            }
            _ => {}
        }
    }
    told
}

/// Takes out where and when something was.
fn without_place(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_place = |name: &str| {
                ["packet", "last_packet", "time", "min", "median", "max"].contains(&name)
                    || name.ends_with("after_ms")
                    || name.ends_with("packets")
                    || name.ends_with("_in_file")
            };
            *fields = std::mem::take(fields)
                .into_iter()
                .filter(|(name, _)| !is_place(name))
                .collect::<Map<String, Value>>();
            fields.values_mut().for_each(without_place);
        }
        Value::Array(values) => values.iter_mut().for_each(without_place),
        _ => {}
    }
}

/// The places at which two values differ.
pub(crate) fn differences(place: &str, expected: &Value, found: &Value, places: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            for (key, expected) in one {
                differences(&format!("{place}/{key}"), expected, &other[key], places);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (expected, found)) in one.iter().zip(other).enumerate() {
                differences(&format!("{place}/{at}"), expected, found, places);
            }
        }
        _ if expected == found => {}
        _ => places.push(format!("{place}: expected {expected:.300}, found {found:.300}")),
    }
}
