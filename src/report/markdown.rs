//! The report for an issue tracker: Markdown that looks the same on all of them.
//!
//! What the network said stands in code spans and blocks only, so that it can neither be taken for markup nor name people
//! or issues.

use std::io;

use super::count::{count, span};
use super::heads::{compare, is_about_requests};
use super::text::notes;
use super::text::time::Clock;
use super::wire::Wire;
use super::{ReportOptions, TimeStyle, text as plain};
use crate::diagnosis::{About, Diagnosis, Finding, Verdict};
use crate::model::{Capture, Connection, Outcome};
use crate::protocol::{Attempt, Role};
use crate::routes::{CountedOnce, Leg};
use crate::text;
use crate::units::Timestamp;

/// Writes the report.
pub(super) fn write(
    capture: &Capture,
    diagnosis: &Diagnosis,
    options: &ReportOptions,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let wire = Wire { shows_secrets: options.shows_secrets };
    let verdicts = diagnosis.verdicts();
    let counted = CountedOnce::new(capture, &diagnosis.routes);
    let (verdict, extent) = plain::headline(&counted, verdicts.first());
    writeln!(out, "**{}** ({extent})", escape(&verdict))?;
    for verdict in verdicts.iter().take(VERDICTS_SHOWN) {
        write_verdict(verdict, capture, diagnosis, (wire, options.time), out)?;
    }
    write_attempts(capture, diagnosis, wire, out)?;
    let notes = notes::sentences(capture, diagnosis, options.keeps_all);
    if !notes.is_empty() {
        writeln!(out, "\n### About the capture\n")?;
        for note in notes {
            writeln!(out, "- {}", escape(&note))?;
        }
    }
    out.flush()
}

fn write_verdict(
    verdict: &Verdict<'_>,
    capture: &Capture,
    diagnosis: &Diagnosis,
    (wire, time): (Wire, TimeStyle),
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let finding = verdict.example;
    writeln!(out, "\n### {}: {}\n", finding.severity.name(), escape(&finding.sentence()))?;
    if verdict.count > 1 {
        let start = capture.totals.first_and_last.map_or(Timestamp::MIN, |(first, _)| first);
        let clock = Clock::new(time, start);
        writeln!(out, "{}\n", plain::times(verdict, capture, &diagnosis.routes, &clock))?;
    }
    if !finding.detail.is_empty() {
        writeln!(out, "{}\n", escape(&finding.detail.join(" ")))?;
    }
    if finding.packets.is_empty() {
        writeln!(out, "Rule `{}` ({}).", finding.rule.name, finding.rule.code)?;
    } else {
        let packets: Vec<String> =
            finding.packets.iter().take(PACKETS_SHOWN).map(|packet| packet.plain()).collect();
        writeln!(
            out,
            "Packets {}; rule `{}` ({}).",
            packets.join(", "),
            finding.rule.name,
            finding.rule.code
        )?;
    }
    if is_about_requests(finding.rule) {
        write_difference(finding, capture, diagnosis, wire, out)?;
    }
    for fix in &verdict.fixes() {
        let place = if fix.place.is_empty() { String::new() } else { format!(", {}", fix.place) };
        writeln!(out, "\nFix ({}{}):\n", fix.target, escape(&place))?;
        write_block("", fix.text.lines().map(str::to_owned), out)?;
    }
    for sentence in &finding.advice {
        writeln!(out, "\n{}", escape(sentence))?;
    }
    Ok(())
}

/// The requests on both sides of the first hop, as a difference.
fn write_difference(
    finding: &Finding,
    capture: &Capture,
    diagnosis: &Diagnosis,
    wire: Wire,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let About::Routes(routes) = &finding.about else { return Ok(()) };
    let Some(route) = routes.first().and_then(|route| diagnosis.routes.get(*route)) else { return Ok(()) };
    let requests = |leg: &Leg| attempt(capture, leg).and_then(|(_, attempt)| attempt.request.as_ref());
    let hop = route.legs.iter().find_map(|leg| {
        let from = route.legs.get(leg.hop.as_ref()?.from)?;
        Some((requests(from)?, requests(leg)?))
    });
    let Some((before, after)) = hop else { return Ok(()) };
    writeln!(
        out,
        "\nThe request before (-) and after (+) the proxy, packets {} and {}:\n",
        before.origin.packet.plain(),
        after.origin.packet.plain()
    )?;
    let compared = compare(&before.head(), &after.head(), wire);
    let lines = compared.rows.iter().flat_map(|row| match (&row.before, &row.after) {
        (Some(before), Some(after)) if before == after => vec![format!(" {before}")],
        (before, after) => {
            let before = before.as_ref().map(|line| format!("-{line}"));
            before.into_iter().chain(after.as_ref().map(|line| format!("+{line}"))).collect()
        }
    });
    write_block("diff", lines, out)
}

/// A table of the attempts: each route's legs below one another.
fn write_attempts(
    capture: &Capture,
    diagnosis: &Diagnosis,
    wire: Wire,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if diagnosis.routes.is_empty() {
        return Ok(());
    }
    let end = capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    writeln!(
        out,
        "\n### Attempts\n\n| packet | client | server | request | answer | outcome |\n|--:|---|---|---|---|---|"
    )?;
    for route in diagnosis.routes.iter().take(ROUTES_SHOWN) {
        for (place, leg) in route.legs.iter().enumerate() {
            let Some((connection, attempt)) = attempt(capture, leg) else { continue };
            writeln!(out, "{}", row(connection, attempt, place, end, wire))?;
        }
    }
    if let Some(more @ 1..) = diagnosis.routes.len().checked_sub(ROUTES_SHOWN) {
        writeln!(out, "\nand {} (`--format json` lists all)", count(more as u64, "more attempt"))?;
    }
    Ok(())
}

fn row(connection: &Connection, attempt: &Attempt, place: usize, end: Timestamp, wire: Wire) -> String {
    let packet = attempt.request.as_ref().map_or(connection.id(), |request| request.origin.packet);
    let request = attempt.request.as_ref().map_or_else(String::new, |request| {
        let head = request.head();
        code(&format!("{} {}", head.method, wire.text(head.target.as_bytes())))
    });
    let answer = attempt.response.as_ref().map_or_else(String::new, |response| {
        let asked = attempt.request.as_ref().map(|request| request.origin.time);
        let after = asked.map(|asked| format!(", {}", span(response.origin.time.since(asked))));
        format!("{}{}", response.status, after.unwrap_or_default())
    });
    let branch = if place > 0 { "↳ " } else { "" };
    let outcome = Outcome::of(attempt, connection, end).name();
    let (client, server) = (connection.endpoint(Role::Client), connection.endpoint(Role::Server));
    format!("| {} | {branch}{client} | {server} | {request} | {answer} | {outcome} |", packet.plain())
}

fn attempt<'a>(capture: &'a Capture, leg: &Leg) -> Option<(&'a Connection, &'a Attempt)> {
    let connection = capture.connections.get(leg.connection)?;
    Some((connection, connection.attempts.get(leg.attempt)?))
}

/// A code block, with a fence that none of its lines has.
fn write_block(
    language: &str,
    lines: impl Iterator<Item = String>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let lines: Vec<String> = lines.map(|line| text::escape(&line).into_owned()).collect();
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or_default();
    let fence = "`".repeat(longest.saturating_add(1).max(3));
    writeln!(out, "{fence}{language}")?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{fence}")
}

/// A code span that fits into a table's cell.
fn code(content: &str) -> String {
    let content = text::escape(content).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&content).saturating_add(1));
    let space = if content.starts_with('`') || content.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{content}{space}{fence}")
}

/// How many backticks stand in a row.
fn longest_run(line: &str) -> usize {
    line.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

/// A sentence in which nothing is markup, a mention or a reference.
fn escape(sentence: &str) -> String {
    let sentence = text::escape(sentence);
    let mut escaped = String::with_capacity(sentence.len());
    for character in sentence.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' => escaped.extend(['\\', character]),
            // An invisible joiner keeps a mention or a number from becoming a link.
            '@' | '#' => escaped.extend([character, '\u{2060}']),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// More causes are not read one by one.
const VERDICTS_SHOWN: usize = 20;

const ROUTES_SHOWN: usize = 50;

const PACKETS_SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_network_says_is_no_markup() {
        assert_eq!(escape("GET /a_b <x> @you #1"), "GET /a\\_b \\<x\\> @\u{2060}you #\u{2060}1");
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("``a"), "``` ``a ```");
        let mut block = Vec::new();
        write_block("", ["```".to_owned(), "\u{1b}[2J".to_owned()].into_iter(), &mut block).unwrap();
        assert_eq!(String::from_utf8(block).unwrap(), "````\n```\n\\x1b[2J\n````\n");
    }
}
