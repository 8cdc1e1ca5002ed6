//! What README.md shows is what the program writes.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use program::{outcome, program, root};

#[path = "support/program.rs"]
mod program;

#[test]
fn the_report_in_the_readme_is_the_programs_own() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut shown = 0;
    for example in readme.split("\n$ wsinspect ").skip(1) {
        let (command, rest) = example.split_once('\n').unwrap();
        let (expected, _) = rest.split_once("\n```").unwrap();
        let found = outcome(program().args(command.split_whitespace()));
        assert_eq!(found.stdout.trim_end(), expected, "$ wsinspect {command}");
        shown += 1;
    }
    assert!(shown > 0, "README.md shows no report");
}

/// The screens are held to the program by the snapshots of `src/tui/tests/screens.rs`.
#[test]
fn the_screens_in_the_readme_are_those_of_the_snapshots() {
    let path = root().join("README.md");
    let mut readme = std::fs::read_to_string(&path).unwrap();
    let mut shown = 0;
    for example in readme.clone().split("<!-- screen: ").skip(1) {
        let (name, rest) = example.split_once(" -->\n```\n").unwrap();
        let (screen, _) = rest.split_once("\n```").unwrap();
        let snapshot = root().join(format!("src/tui/tests/snapshots/{name}.snap"));
        let snapshot = std::fs::read_to_string(snapshot).unwrap();
        let expected = snapshot.splitn(3, "---\n").nth(2).unwrap().trim_end_matches('\n');
        if std::env::var_os("UPDATE_README").is_some() {
            readme = readme.replace(screen, expected);
        } else {
            assert_eq!(screen, expected, "{name} (UPDATE_README=1 cargo test --test readme writes it)");
        }
        shown += 1;
    }
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(path, readme).unwrap();
    }
    assert_eq!(shown, 3);
}
