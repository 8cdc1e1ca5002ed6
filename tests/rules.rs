//! The list of rules and their pages are generated; this test holds them to what stands in the rules' files.
//!
//! `UPDATE_RULES=1 cargo test --test rules` writes both anew.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use wsinspect::diagnosis::{ALL, Rule};

const LIST: &str = "src/diagnosis/rules/mod.rs";
const PAGES: &str = "docs/rules.md";

#[test]
fn the_list_has_every_file_and_is_current() {
    let mut rules: Vec<(String, String)> = fs::read_dir(path("src/diagnosis/rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.file_name().unwrap() != "mod.rs")
        .map(|file| {
            (
                code(&fs::read_to_string(&file).unwrap()),
                file.file_stem().unwrap().to_str().unwrap().to_owned(),
            )
        })
        .collect();
    rules.sort();
    let mut names: Vec<&str> = rules.iter().map(|(_, name)| name.as_str()).collect();
    let mut list =
        "//! All rules, one a file. This list is generated: `UPDATE_RULES=1 cargo test --test rules`.\n\n"
            .to_owned();
    let statics: Vec<String> = names.iter().map(|name| format!("    &{name}::RULE,\n")).collect();
    let statics = statics.concat();
    names.sort_unstable();
    for name in names {
        writeln!(list, "mod {name};").unwrap();
    }
    write!(list, "\nuse super::rule::Rule;\n\n/// All rules, by their codes.\n#[rustfmt::skip]\npub static ALL: &[&Rule] = &[\n{statics}];\n").unwrap();
    current(LIST, &list);
}

#[test]
fn the_pages_are_current() {
    let mut pages = "# Rules\n\nWhat wsinspect can find, by code. `wsinspect explain RULE` prints one page. This file is generated from the\nrules, but for the last part: `UPDATE_RULES=1 cargo test --test rules`.\n\n| code | rule | severity | what it is about |\n|---|---|---|---|\n".to_owned();
    for rule in ALL {
        let Rule { code, name, summary, .. } = rule;
        writeln!(pages, "| {code} | [{name}](#{name}) | {} | {summary} |", rule.severity.name()).unwrap();
    }
    for rule in ALL {
        // The headings of a page stand one deeper here.
        let page = rule.page.replace("\n## ", "\n### ").replacen("## ", "### ", 1);
        write!(
            pages,
            "\n## {}\n\n{}, {}: {}.\n\n{}\nSee <{}>.\n",
            rule.name,
            rule.code,
            rule.severity.name(),
            rule.summary,
            page,
            rule.see
        )
        .unwrap();
    }
    let (_, by_hand) = split(&fs::read_to_string(path(PAGES)).unwrap_or_default());
    current(PAGES, &(pages + "\n" + &by_hand));
}

#[test]
fn each_failure_of_the_catalogue_has_rules_or_a_reason() {
    let (_, by_hand) = split(&fs::read_to_string(path(PAGES)).unwrap());
    let rows: Vec<Vec<&str>> = by_hand
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| failure"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 100, "the table is gone");
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for row in &rows {
        let [failure, rules, remark] = row.as_slice() else { panic!("not three columns: {row:?}") };
        if *rules == "none" {
            assert!(!remark.is_empty(), "{failure} has no rule and no reason");
            continue;
        }
        for link in rules.split(", ") {
            let name = link.trim_start_matches('[').split(']').next().unwrap_or_default();
            assert_eq!(link, format!("[{name}](#{name})"), "the link of {failure}");
            assert!(ALL.iter().any(|rule| rule.name == name), "{failure} names {name}, which is no rule");
            told.insert(name);
        }
    }
    let failures: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(failures.len(), rows.len(), "a failure stands there twice");
    let untold: Vec<&str> = ALL.iter().map(|rule| rule.name).filter(|name| !told.contains(name)).collect();
    assert_eq!(untold, BESIDE, "rules of no failure in the table");
}

/// Rules that tell something else than a failure of the catalogue.
const BESIDE: [&str; 1] = ["capture-midstream"];

/// What is generated, and what is written by hand below it.
fn split(pages: &str) -> (String, String) {
    match pages.find(BY_HAND) {
        Some(at) => {
            let (generated, by_hand) = pages.split_at(at);
            (generated.to_owned(), by_hand.to_owned())
        }
        None => (pages.to_owned(), String::new()),
    }
}

/// Where the part begins that is written by hand.
const BY_HAND: &str = "<!-- From here on this file is written by hand";

#[test]
fn names_and_codes_are_unique_and_well_formed() {
    let names: BTreeSet<&str> = ALL.iter().map(|rule| rule.name).collect();
    let codes: BTreeSet<&str> = ALL.iter().map(|rule| rule.code).collect();
    assert_eq!((names.len(), codes.len()), (ALL.len(), ALL.len()));
    for rule in ALL {
        let is_name =
            rule.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let digits = rule.code.strip_prefix("WS").unwrap_or_default();
        assert!(is_name && digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{rule:?}");
        assert!(
            rule.page.starts_with("## What it sees\n") && rule.page.ends_with('\n'),
            "the page of {}",
            rule.name
        );
        assert!(
            rule.page.contains("\n## Why it breaks\n") && rule.page.contains("\n## How to mend it\n"),
            "the page of {}",
            rule.name
        );
        assert!(
            rule.page.lines().all(|line| line.chars().count() <= 120),
            "a long line in the page of {}",
            rule.name
        );
        assert!(rule.see.starts_with("https://"), "where to read on about {}", rule.name);
        assert!(!rule.summary.ends_with('.') && rule.summary.len() <= 90, "the summary of {}", rule.name);
        for selector in rule.explains {
            assert!(
                ALL.iter().any(|other| other.is_meant_by(selector)),
                "{} explains {selector}, which is no rule",
                rule.name
            );
        }
    }
}

/// The code that a rule's file declares.
fn code(source: &str) -> String {
    let after = source.split_once("\n    code: \"").unwrap().1;
    after.split('"').next().unwrap().to_owned()
}

fn current(file: &str, expected: &str) {
    if std::env::var_os("UPDATE_RULES").is_some() {
        fs::create_dir_all(path(file).parent().unwrap()).unwrap();
        fs::write(path(file), expected).unwrap();
    }
    let found = fs::read_to_string(path(file)).unwrap_or_default();
    assert!(found == expected, "{file} is not current: UPDATE_RULES=1 cargo test --test rules");
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}
