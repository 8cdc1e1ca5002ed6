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
