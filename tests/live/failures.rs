//! `--write-failures` while packets come.

use super::*;

#[test]
fn packets_of_connections_with_findings_are_written() {
    let Some(stage) = Stage::new("failures") else { return };
    let file = stage.path("failures.pcapng");
    let mut live = stage.live(&["-i", "lo", "--write-failures", file.to_str().unwrap()]);
    stage.talk("8080", &["/ws", "/plain", "/ws"]);
    live.until(1, "\"finding\"");
    // They are there before the capture ends.
    for _ in 0..100 {
        if std::fs::metadata(&file).unwrap().len() > 1_000 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let early = report(&file);
    let (lines, status) = live.interrupt();
    assert_eq!(status, 0);
    assert_eq!(parse(&lines).pop().unwrap()["warnings"], Value::Array(Vec::new()));
    let read = report(&file);
    assert_eq!(connections(&early), connections(&read));
    let summary = read.last().unwrap();
    assert_eq!(summary["connections"], 2, "{summary}");
    assert_eq!((&summary["attempts"]["total"], &summary["attempts"]["refused"]), (&2.into(), &2.into()));
    let found = read.iter().flat_map(|line| line["findings"].as_array().into_iter().flatten());
    assert!(found.map(finding).any(|finding| finding.starts_with("upgrade-stripped")));
    let bytes = std::fs::read(&file).unwrap();
    let said = b"error WS201 upgrade-stripped: ";
    assert!(bytes.windows(said.len()).any(|window| window == said), "a comment on a packet");
}

#[test]
fn what_is_open_at_the_end_is_written_too() {
    let Some(stage) = Stage::new("open-failures") else { return };
    let file = stage.path("failures.pcapng");
    let arguments = ["-i", "lo", "--stop-when", "upgrade-stripped", "--write-failures"];
    let live = stage.live(&[&arguments[..], &[file.to_str().unwrap()]].concat());
    stage.talk("8080", &["/plain"]);
    assert_eq!(live.end().1, 0);
    assert_eq!(report(&file).last().unwrap()["connections"], 2);
}
