//! Wireshark's programs as a second opinion. Where they are missing, what needs them says so and is passed over.

#![allow(dead_code, reason = "not every test needs both")]
#![allow(clippy::print_stderr, reason = "whoever runs the tests is to see what was not tested")]

use std::io;
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
    match Command::new(program).args(arguments).env("LC_ALL", "C.UTF-8").output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{program} {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Past the capturing of output: a test that passes is not shown what it prints.
            let _ = io::Write::write_all(
                &mut io::stderr(),
                format!("\nNOT TESTED: {program} is missing (apt-get install tshark)\n").as_bytes(),
            );
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}
