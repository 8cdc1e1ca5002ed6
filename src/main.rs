//! The `wsinspect` program: the thin edge over the library.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use wsinspect::app;
use wsinspect::cli::{Cli, in_one_line};

/// Connections lie all over the memory: in the large pages that it asks for, each is found in fewer steps.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    match app::run(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(SOMETHING_WAS_FOUND),
        Err(error) => complain(&format!("{error:#}")),
    }
}

/// The help that was asked for, or what is wrong with what was typed.
fn not_understood(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Whoever closes the pipe has seen enough.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(COULD_NOT_BE_DONE) } else { ExitCode::SUCCESS }
        }
        _ => complain(&in_one_line(error)),
    }
}

/// One line: the thing, the reason, the hint.
#[expect(clippy::print_stderr, reason = "this is where errors go")]
fn complain(error: &str) -> ExitCode {
    eprintln!("wsinspect: {error}");
    ExitCode::from(COULD_NOT_BE_DONE)
}

/// The exit status for findings that `--fail-on` asks for.
const SOMETHING_WAS_FOUND: u8 = 1;

/// The exit status for work that could not be done.
const COULD_NOT_BE_DONE: u8 = 2;
