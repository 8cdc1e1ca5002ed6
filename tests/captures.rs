//! Every shipped capture says what its `expected.json` says. What is left out there is not claimed.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wsinspect::diagnosis::{Finding, Selection, Severity, diagnose};
use wsinspect::model::{Capture, Keeps, Totals};
use wsinspect::pipeline::Options;

#[path = "support/facts.rs"]
mod facts;

#[test]
fn every_capture_shows_what_is_expected_of_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut wrong = Vec::new();
    let mut files = 0;
    let mut scenarios: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scenarios.sort();
    for scenario in scenarios.iter().filter(|path| path.join("expected.json").is_file()) {
        let expected: Value =
            serde_json::from_str(&fs::read_to_string(scenario.join("expected.json")).unwrap()).unwrap();
        for (file, expected) in expected["files"].as_object().unwrap() {
            files += 1;
            let name = format!("{}/{file}", scenario.file_name().unwrap().display());
            let mut source = facts::open(fs::read(scenario.join(file)).unwrap()).unwrap();
            let capture = facts::read_from(&mut source, Options::default());
            let end = facts::end(&capture);
            let attempts: Vec<Value> = capture
                .connections
                .iter()
                .flat_map(|connection| facts::of_connection(connection, end))
                .collect();
            let leading = leading(&capture, &expected["leading"]);
            let found = json!({"packets": capture.totals.packets, "attempts": attempts, "leading": leading});
            wrong.extend(differences(&name, expected, &found));
        }
    }
    assert!(files >= 50, "only {files} capture files were found in {}", folder.display());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn totals_are_the_same_whatever_is_kept_beside_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut files = 0;
    for scenario in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(entries) = fs::read_dir(&scenario) else { continue };
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|it| it == "pcap" || it == "pcapng")) {
            files += 1;
            let totals = |keeps| {
                let mut source = facts::open(fs::read(&path).unwrap()).unwrap();
                let totals = facts::read_from(&mut source, Options { keeps, ..Options::default() }).totals;
                // Only what is kept can be forgotten.
                format!("{:?}", Totals { forgotten_bystanders: 0, ..totals })
            };
            assert_eq!(totals(Keeps::Totals), totals(Keeps::Connections), "{}", path.display());
        }
    }
    assert!(files >= 50, "only {files} capture files were found in {}", folder.display());
}

/// The leading finding, unless it is a mere note: nothing else may be found on a healthy capture. Who is to blame is told
/// as precisely as `expected` does: without the software's name.
fn leading(capture: &Capture, expected: &Value) -> Value {
    let diagnosis = diagnose(capture, &Selection::default(), false);
    let Some(finding) = diagnosis.findings.first().filter(|finding| finding.severity > Severity::Note) else {
        // Some scenarios have a note as their point.
        let note = diagnosis.findings.iter().find(|finding| expected["rule"] == finding.rule.name);
        return note.map_or(Value::Null, as_value);
    };
    as_value(finding)
}

fn as_value(finding: &Finding) -> Value {
    let hop = finding.blame.to_string();
    let hop = hop.split(" (").next().unwrap_or_default();
    json!({"rule": finding.rule.name, "hop": hop})
}

/// Where `found` lacks what is `expected`, one line for each place.
fn differences(place: &str, expected: &Value, found: &Value) -> Vec<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .flat_map(|(key, expected)| {
                let place = format!("{place} {key}");
                match found.get(key) {
                    Some(found) => differences(&place, expected, found),
                    None => vec![format!("{place}: this test does not know such a key")],
                }
            })
            .collect(),
        (Value::Array(expected), Value::Array(found))
            if expected.len() == found.len() && expected.iter().all(Value::is_object) =>
        {
            let pairs = expected.iter().zip(found).enumerate();
            pairs
                .flat_map(|(at, (expected, found))| differences(&format!("{place}[{at}]"), expected, found))
                .collect()
        }
        _ if expected == found => Vec::new(),
        _ => vec![format!("{place}: expected {expected}, found {found}")],
    }
}

#[test]
fn differences_are_found_and_named() {
    let found = json!({"a": [{"b": 1, "c": null, "d": [1, 2]}], "e": {"f": "x"}});
    assert_eq!(differences("file", &json!({"a": [{"b": 1}], "e": {}}), &found), [""; 0]);
    let expected = json!({"a": [{"b": 2, "c": 0, "d": [2, 1]}], "e": {"g": 1}});
    let lines = [
        "file a[0] b: expected 2, found 1",
        "file a[0] c: expected 0, found null",
        "file a[0] d: expected [2,1], found [1,2]",
        "file e g: this test does not know such a key",
    ];
    assert_eq!(differences("file", &expected, &found), lines);
    assert_eq!(differences("file", &json!({"a": []}), &found).len(), 1);
}
