//! The `wsinspect` program: the thin edge over the library.

use std::process::ExitCode;

use clap::Parser;
use wsinspect::app;
use wsinspect::cli::Cli;

fn main() -> ExitCode {
    match app::run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(SOMETHING_WAS_FOUND),
        Err(error) => {
            complain(&error);
            ExitCode::from(COULD_NOT_BE_DONE)
        }
    }
}

/// One line: the thing, the reason, the hint.
#[expect(clippy::print_stderr, reason = "this is where errors go")]
fn complain(error: &anyhow::Error) {
    eprintln!("wsinspect: {error:#}");
}

/// The exit status for findings that `--fail-on` asks for.
const SOMETHING_WAS_FOUND: u8 = 1;

/// The exit status for work that could not be done.
const COULD_NOT_BE_DONE: u8 = 2;
