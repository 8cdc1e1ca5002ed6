//! The pages of the rules.

use std::io::{self, Write};

use crate::diagnosis::{ALL, Rule};
use crate::text::pad;

/// Writes the page of a rule.
///
/// # Errors
/// What `out` says.
pub fn page(rule: &Rule, mut out: impl Write) -> io::Result<()> {
    let Rule { name, code, summary, page, see, .. } = rule;
    let (first, rest) = summary.split_at_checked(1).unwrap_or((summary, ""));
    let first = first.to_ascii_uppercase();
    write!(out, "# {name} ({code}, {})\n\n{first}{rest}.\n\n{page}\nSee {see}\n", rule.severity.name())?;
    out.flush()
}

/// Writes the list of all rules.
///
/// # Errors
/// What `out` says.
pub fn list(mut out: impl Write) -> io::Result<()> {
    let names = ALL.iter().map(|rule| rule.name.len()).max().unwrap_or_default();
    for rule in ALL {
        let (name, severity) = (pad(rule.name, names), pad(rule.severity.name(), "warning".len()));
        writeln!(out, "{}  {name}  {severity}  {}", rule.code, rule.summary)?;
    }
    writeln!(out, "\nwsinspect explain RULE prints the page of one.")?;
    out.flush()
}
