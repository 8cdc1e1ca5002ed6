//! What people and programs get to see of every shipped capture, under review: the texts as they stand on a
//! screen of 80 columns, the JSON line by line, and the help.
//!
//! After a change that is meant: `INSTA_UPDATE=always cargo test --test golden`, then read the difference.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fmt::Write as _;
use std::path::Path;

use insta::{assert_snapshot, glob};
use program::{captures, read, run};

#[path = "support/program.rs"]
mod program;

#[test]
fn texts() {
    shown("text").bind(|| {
        glob!("../captures", "*/*.pcap*", |path| {
            let text = report(path, &[]);
            assert_fits(path, &text);
            assert_snapshot!("text", text);
        });
    });
}

#[test]
fn json() {
    shown("json").bind(|| {
        glob!("../captures", "*/*.pcap*", |path| {
            assert_snapshot!("json", report(path, &["--format", "json", "--all", "--frames"]));
        });
    });
}

#[test]
fn texts_with_options() {
    shown("options").bind(|| {
        let with = |file: &str, options: &[&str]| {
            let path = Path::new("captures").join(file);
            let text = report(&path, options);
            assert_fits(&path, &text);
            text
        };
        assert_snapshot!("time-utc", with("chat/proxy-any.pcap", &["--time", "utc"]));
        assert_snapshot!("all-beside-an-attempt", with("page-html-200/client-eth.pcap", &["--all"]));
        assert_snapshot!("all-refused-connection", with("upstream-down-502/proxy-any.pcap", &["--all"]));
        assert_snapshot!(
            "filter-one-connection",
            with("nginx-headers-only/proxy-any.pcap", &["-f", "tcp port 3000"])
        );
        assert_snapshot!("filter-nothing", with("chat/client-eth.pcap", &["-f", "udp"]));
    });
}

/// The report for an issue tracker, and the text where there is room for two heads beside each other.
#[test]
fn other_shapes() {
    shown("shapes").bind(|| {
        for name in ["nginx-nothing-configured", "haproxy-upstream-refused", "chat"] {
            let path = Path::new("captures").join(name).join("proxy-any.pcap");
            assert_snapshot!(format!("md-{name}"), report(&path, &["--format", "md"]));
        }
    });
}

#[test]
fn rules() {
    shown("rules").bind(|| {
        assert_snapshot!("list", run(&["explain"]).report());
        assert_snapshot!("one", run(&["explain", "upgrade-stripped"]).report());
    });
}

/// The totals of each capture: one line, or two where they are too wide for one.
#[test]
fn verdicts() {
    let mut table = String::new();
    for path in captures() {
        let name = path.strip_prefix("captures").unwrap().display();
        let line = report(&path, &["-q"]);
        assert_eq!(line.lines().count(), 1, "{name}");
        write!(table, "{name}\n{line}").unwrap();
    }
    shown("options").bind(|| assert_snapshot!("verdicts", table));
}

#[test]
fn help() {
    shown("help").bind(|| {
        assert_snapshot!("help", run(&["--help"]).report());
        assert_snapshot!("explain-help", run(&["explain", "--help"]).report());
        assert_snapshot!("read-help", run(&["read", "--help"]).report());
        assert_snapshot!("read-help-short", run(&["read", "-h"]).report());
        assert_snapshot!("live-help", run(&["live", "--help"]).report());
        assert_snapshot!("completions-help", run(&["completions", "--help"]).report());
        assert_snapshot!("man", run(&["man"]).report());
    });
}

/// The report of one of the captures.
fn report(path: &Path, options: &[&str]) -> String {
    read(path.strip_prefix(program::root()).unwrap_or(path), options).report()
}

/// No line is wider than the page, none ends with a space, and all are plain ASCII but for what the wire says.
fn assert_fits(path: &Path, text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{}: wider than 80 columns: {line}", path.display());
        assert!(!line.ends_with(' '), "{}: ends with a space: {line:?}", path.display());
        assert!(!line.contains('\x1b'), "{}: styled: {line:?}", path.display());
    }
    assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{}: {text}", path.display());
}

/// Snapshots in a folder of their own, with nothing in them but what is seen.
fn shown(folder: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new("snapshots").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
