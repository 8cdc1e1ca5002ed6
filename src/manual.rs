//! The manual page, one for the whole program, from the command line's own definition.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

/// Writes the page in the language of `man`: the program, then each of its commands with its options.
///
/// # Errors
/// What `out` says.
pub fn write(program: Command, mut out: impl Write) -> io::Result<()> {
    let page = Man::new(program.clone()).manual("User Commands");
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    let mut built = program;
    built.build();
    for command in built.get_subcommands().filter(|command| command.get_name() != "help") {
        write_command(command, &mut out)?;
    }
    page.render_version_section(&mut out)?;
    out.flush()
}

fn write_command(command: &Command, out: &mut impl Write) -> io::Result<()> {
    let page = Man::new(command.clone());
    let mut sections = Vec::new();
    page.render_synopsis_section(&mut sections)?;
    page.render_description_section(&mut sections)?;
    page.render_options_section(&mut sections)?;
    write_examples(command, &mut sections)?;
    writeln!(out, ".SH {}", command.get_name().to_ascii_uppercase())?;
    // What is a section of a command's own page is a part of its section here.
    for line in String::from_utf8_lossy(&sections).lines() {
        match line.strip_prefix(".SH ") {
            Some(heading) => writeln!(out, ".SS {heading}")?,
            None => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

/// What stands below the options in the help, its lines as they are there.
fn write_examples(command: &Command, out: &mut impl Write) -> io::Result<()> {
    let Some(text) = command.get_after_help() else { return Ok(()) };
    let text = text.to_string();
    let (heading, text) = text.split_once(":\n").unwrap_or(("Notes", &text));
    let mut page = Roff::new();
    page.control("SH", [heading.to_ascii_uppercase().as_str()]).control("nf", []);
    for line in text.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []).to_writer(out)
}
