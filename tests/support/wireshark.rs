//! Wireshark's programs as a second opinion. Where they are missing, what needs them says so and is passed over.

#![allow(dead_code, reason = "not every test needs both")]

use std::io::{self, Write};
use std::process::Command;

/// What tshark writes; none if it is not installed.
pub(crate) fn tshark(arguments: &[&str]) -> Option<String> {
    output("tshark", arguments)
}

/// What capinfos writes; none if it is not installed.
pub(crate) fn capinfos(arguments: &[&str]) -> Option<String> {
    output("capinfos", arguments)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C.UTF-8").output();
    if output.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        // Past the capturing of output: a test that passes is not shown what it prints.
        let text = format!("\nNOT TESTED: {program} is missing (apt-get install tshark)\n");
        let _ = io::stderr().write_all(text.as_bytes());
        return None;
    }
    let output = output.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    Some(String::from_utf8(output.stdout).unwrap())
}
