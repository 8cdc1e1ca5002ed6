//! Arrows point one way: each room of `src/` uses rooms before it in [`ROOMS`] and no others, and only the edge
//! and the capture room touch the outside.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

use std::fs;
use std::path::{Path, PathBuf};

use paths::{Named, named};

#[path = "support/paths.rs"]
mod paths;

/// The rooms; each may use those before it. The last ones, from [`EDGE`] on, may use everything.
const ROOMS: &[&str] = &[
    "units",
    "limits",
    "numbering",
    "text",
    "redact",
    "capture",
    "decode",
    "points",
    "tcp",
    "protocol",
    "model",
    "pipeline",
    "routes",
    "diagnosis",
    "watch",
    "report",
    "tui",
    "sandbox",
    "cli",
    "config",
    "manual",
    "progress",
    "doubts",
    "failures",
    "live",
    "screen",
    "app",
    "main",
    "lib",
];
const EDGE: &str = "sandbox";

/// What an arrow may not do though the order allows it: reports and screens show what the model has, whoever filled it.
const FORBIDDEN: &[(&str, &str)] = &[
    ("report", "pipeline"),
    ("routes", "pipeline"),
    ("diagnosis", "pipeline"),
    ("report", "watch"),
    ("tui", "pipeline"),
    ("tui", "capture"),
];

/// Rooms that may touch the outside, beside the edge.
const OUTSIDE: &[&str] = &["capture"];

/// Paths of the standard library that are files, sockets, threads, processes and clocks.
const EFFECTS: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os::unix::net",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "std::time::*",
    "std::net::*",
];

const LONGEST_FILE: usize = 600;

/// What is wrong with a file, one line for each thing. `file` is its path below `src/`.
fn violations(file: &str, source: &str) -> Vec<String> {
    let module: Vec<&str> = file.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    let room = module[0];
    let Some(place) = place(room) else {
        return vec![format!(
            "src/{file}: the room `{room}` has no place in the list of rooms (tests/arrows.rs)"
        )];
    };
    let is_edge = place >= self::place(EDGE).unwrap();
    // Tests drive the rooms before theirs, and read captures.
    let is_test = module.iter().any(|part| matches!(*part, "tests" | "testing"));
    let what_is_wrong = |Named { path, .. }: &Named| -> Option<String> {
        let text = path.join("::");
        let effect =
            EFFECTS.iter().find(|effect| text == **effect || text.starts_with(&format!("{effect}::")));
        if let (Some(effect), false) = (effect, is_edge || is_test || OUTSIDE.contains(&room)) {
            return Some(format!("`{room}` touches the outside: {effect}"));
        }
        if path[0] != "crate" || path[1] == room || is_edge {
            return None;
        }
        let used = self::place(&path[1]);
        let forbidden = FORBIDDEN.contains(&(room, path[1].as_str())) && !is_test;
        let allowed = used.is_some_and(|used| used < place) && !forbidden;
        (!allowed).then(|| format!("`{room}` may not use {text}"))
    };
    let found = named(source, &module);
    let wrong = found.iter().filter_map(|named| Some((named.line, what_is_wrong(named)?)));
    wrong.map(|(line, what)| format!("src/{file}:{line}: {what}")).collect()
}

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

fn rust_files(below: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn rooms_use_the_rooms_before_them() {
    let src = root().join("src");
    let files = rust_files(&src);
    assert!(files.len() > 20, "the files of src/ were not found: {files:?}");
    let found: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let file = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
            violations(&file, &fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(found.is_empty(), "{} arrows point the wrong way:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let folders = ["src", "tests", "benches", "fuzz"].map(|folder| root().join(folder));
    let files = folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| rust_files(folder));
    let long: Vec<String> = files
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST_FILE} lines:\n{}", long.join("\n"));
}

#[test]
fn the_checker_finds_arrows_that_point_the_wrong_way() {
    let wrong = |file: &str, source: &str, expected: &[&str]| {
        assert_eq!(violations(file, source), expected, "{file}: {source}");
    };
    wrong(
        "tcp/flow.rs",
        "use crate::protocol::Stack;",
        &["src/tcp/flow.rs:1: `tcp` may not use crate::protocol::Stack"],
    );
    wrong(
        "decode/mod.rs",
        "\nuse crate::{units::Origin, tcp::{Chunk, Kept}};",
        &[
            "src/decode/mod.rs:2: `decode` may not use crate::tcp::Chunk",
            "src/decode/mod.rs:2: `decode` may not use crate::tcp::Kept",
        ],
    );
    wrong("text.rs", "fn f() { super::tcp::f() }", &["src/text.rs:1: `text` may not use crate::tcp::f"]);
    wrong("model/store.rs", "use crate::*;", &["src/model/store.rs:1: `model` may not use crate::*"]);
    wrong(
        "report/json.rs",
        "use crate::pipeline::analyse;",
        &["src/report/json.rs:1: `report` may not use crate::pipeline::analyse"],
    );
    wrong(
        "kitchen/sink.rs",
        "",
        &["src/kitchen/sink.rs: the room `kitchen` has no place in the list of rooms (tests/arrows.rs)"],
    );
}

#[test]
fn the_checker_finds_what_touches_the_outside() {
    let effect = |source: &str| violations("protocol/stack.rs", source).len();
    let found = [
        "use std::fs;",
        "use std::fs::File;",
        "use std::{io, thread};",
        "fn f() { std::time::Instant::now(); }",
        "use std::net::{IpAddr, TcpStream};",
        "use std::time::*;",
    ];
    assert_eq!(found.map(effect), [1; 6]);
    assert_eq!(effect("use std::net::IpAddr; use std::time::Duration; use std::fmt; // std::fs"), 0);
    assert_eq!(violations("capture/live.rs", "use std::thread; use std::fs::File;"), [""; 0]);
    assert_eq!(violations("app.rs", "use std::time::Instant; use crate::report::text;"), [""; 0]);
}

#[test]
fn the_checker_allows_what_is_in_order() {
    let source = "use super::Chunk; use crate::decode::Half; use crate::{limits, units::Span};\n\
                  mod tests { use super::super::facts; use super::*; use crate::tcp::Flow; }";
    assert_eq!(violations("tcp/flow.rs", source), [""; 0]);
    assert_eq!(violations("report/tests.rs", "use crate::pipeline::analyse; use std::fs;"), [""; 0]);
    assert_eq!(violations("tcp/tests.rs", "use crate::protocol::Stack;").len(), 1);
}
