//! A verdict: who did what, how the wire shows it, and what to change.

use anstyle::Style;

use super::attempt::Scene;
use super::page::{BAD, MARK, PLAIN, Page, QUIET, UNSURE};
use super::time::Clock;
use crate::diagnosis::{About, Finding, Fix, Severity, Verdict};
use crate::model::{Capture, Connection};
use crate::protocol::{Attempt, Role};
use crate::report::count::{count, span};
use crate::report::heads::{HeadRows, compare, is_about_requests};
use crate::routes::{Hop, Route};
use crate::text;
use crate::units::PacketNumber;

/// What all blocks need.
pub(super) struct Case<'a> {
    pub(super) capture: &'a Capture,
    pub(super) routes: &'a [Route],
    pub(super) scene: &'a Scene,
}

/// Writes the block of a verdict; `with_heads` shows the requests before and after the proxy.
pub(super) fn block(verdict: &Verdict<'_>, with_heads: bool, case: &Case<'_>, page: &mut Page<'_>) {
    let finding = verdict.example;
    let (label, style) = severity(finding.severity);
    let sentence = format!("{label}: {}", text::escape(&finding.sentence()));
    let rule = format!("{} {}", finding.rule.name, finding.rule.code);
    // Where there is no room for the rule, the last line of the block says it.
    let taken = text::width(&sentence).saturating_add(text::width(&rule)).saturating_add(2);
    if taken <= page.width() {
        page.ends((&sentence, style), (&rule, QUIET));
    } else {
        page.paragraph("", &sentence, style);
    }
    if verdict.count > 1 {
        let times = times(verdict, case.capture, case.routes, &case.scene.clock);
        page.paragraph(INDENT, &times, PLAIN);
    }
    if !finding.detail.is_empty() {
        page.paragraph(INDENT, &text::escape(&finding.detail.join(" ")), PLAIN);
    }
    let hop = example_hop(finding, case.routes).filter(|_| with_heads && is_about_requests(finding.rule));
    let shown = hop.is_some_and(|(route, place, hop)| heads(route, place, hop, case, page));
    if !shown && !finding.packets.is_empty() {
        page.paragraph(INDENT, &packets(&finding.packets), QUIET);
    }
    for fix in &verdict.fixes() {
        write_fix(fix, page);
    }
    for sentence in &finding.advice {
        page.paragraph(INDENT, &text::escape(sentence), PLAIN);
    }
    if finding.severity > Severity::Note {
        page.paragraph(INDENT, &format!("wsinspect explain {}", finding.rule.name), QUIET);
    }
}

const fn severity(severity: Severity) -> (&'static str, Style) {
    match severity {
        Severity::Error => ("error", BAD),
        Severity::Warning => ("warning", UNSURE),
        Severity::Note => ("note", PLAIN),
    }
}

/// How often and when, where the same was found more than once.
pub(in crate::report) fn times(
    verdict: &Verdict<'_>,
    capture: &Capture,
    routes: &[Route],
    clock: &Clock,
) -> String {
    let things = match verdict.example.about {
        About::Connections(_) => "connection",
        About::Routes(_) | About::Capture => "route",
    };
    let clients = match verdict.clients() {
        0 | 1 => String::new(),
        clients => format!(" of {}", count(clients as u64, "client")),
    };
    let when = verdict
        .period(capture, routes)
        .filter(|(first, last)| first < last)
        .map(|(first, last)| format!(", from {} to {}", clock.show(first), clock.show(last)))
        .unwrap_or_default();
    format!("On {}{clients}{when}; the first one:", count(verdict.count as u64, things))
}

fn packets(packets: &[PacketNumber]) -> String {
    let shown: Vec<String> = packets.iter().take(PACKETS_SHOWN).map(ToString::to_string).collect();
    let more = if packets.len() > PACKETS_SHOWN { " and more" } else { "" };
    let noun = if packets.len() == 1 { "packet" } else { "packets" };
    format!("{noun} {}{more}", shown.join(", "))
}

/// The hop that the finding blames, or else the first one of its example.
fn example_hop<'a>(finding: &Finding, routes: &'a [Route]) -> Option<(&'a Route, usize, &'a Hop)> {
    let About::Routes(places) = &finding.about else { return None };
    let route = routes.get(*places.first()?)?;
    let hops = || route.legs.iter().enumerate().filter_map(|(place, leg)| Some((place, leg.hop.as_ref()?)));
    let blamed = hops().find(|(_, hop)| crate::diagnosis::Blame::proxy(&hop.proxy) == finding.blame);
    let (place, hop) = blamed.or_else(|| hops().next())?;
    Some((route, place, hop))
}

/// The requests on both sides of a hop; whether the capture has them.
fn heads(route: &Route, place: usize, hop: &Hop, case: &Case<'_>, page: &mut Page<'_>) -> bool {
    let leg = |place: usize| -> Option<(&Connection, &Attempt)> {
        let leg = route.legs.get(place)?;
        let connection = case.capture.connections.get(leg.connection)?;
        Some((connection, connection.attempts.get(leg.attempt)?))
    };
    let (Some(before), Some(after)) = (leg(hop.from), leg(place)) else { return false };
    let (Some(asked), Some(handed_on)) = (&before.1.request, &after.1.request) else { return false };
    let compared = compare(&asked.head(), &handed_on.head(), case.scene.wire);
    let proxy = hop.name();
    let before_it = sender(route, hop.from);
    let behind_it = if is_last(route, place) { "upstream" } else { "proxy" };
    let titles = [(before_it, proxy, before.0), (proxy, behind_it, after.0)].map(|(from, to, connection)| {
        let (client, server) = (connection.endpoint(Role::Client), connection.endpoint(Role::Server));
        format!("{from} {} -> {to} {server}", client.address)
    });
    let requests = [asked.origin.packet, handed_on.origin.packet].map(number);
    let answers = [answer(before.1), answer(after.1)];
    if page.width() >= SIDE_BY_SIDE {
        beside(&titles, &requests, &answers, &compared, page);
    } else {
        below(&titles, &requests, &answers, &compared, page);
    }
    if compared.others > 0 {
        let (fields, are) =
            (count(compared.others, "other field"), if compared.others == 1 { "is" } else { "are" });
        page.paragraph(CELL, &format!("({fields} {are} the same)"), QUIET);
    }
    true
}

/// Who sends a leg.
fn sender(route: &Route, place: usize) -> &'static str {
    match route.legs.get(place).and_then(|leg| leg.hop.as_ref()) {
        Some(hop) => hop.name(),
        None => "client",
    }
}

/// Whether nobody is seen to hand a leg on.
fn is_last(route: &Route, place: usize) -> bool {
    !route.legs.iter().filter_map(|leg| leg.hop.as_ref()).any(|hop| hop.from == place)
}

/// The status line, how long it took, and its packet.
fn answer(attempt: &Attempt) -> (String, String) {
    let Some(response) = &attempt.response else { return (String::new(), "no answer".to_owned()) };
    let after = attempt.request.as_ref().map(|request| span(response.origin.time.since(request.origin.time)));
    let reason = response.head().reason.to_owned();
    let text = format!("{} {reason}", response.status);
    let after = after.map(|after| format!(", {after}")).unwrap_or_default();
    (number(response.origin.packet), format!("{}{after}", text::escape(text.trim_end())))
}

/// A packet's number at the right of its column.
fn number(packet: PacketNumber) -> String {
    let column = NUMBER.saturating_sub(1);
    text::pad_start(&packet.to_string(), column).into_owned() + " "
}

/// One head above the other.
fn below(
    titles: &[String; 2],
    requests: &[String; 2],
    answers: &[(String, String); 2],
    compared: &HeadRows,
    page: &mut Page<'_>,
) {
    for (side, ((title, packet), (answer_packet, answer))) in
        titles.iter().zip(requests).zip(answers).enumerate()
    {
        page.cells(&[("", NUMBER), (title, 0)], None);
        let mut packet = packet.as_str();
        for row in &compared.rows {
            let line = if side == 0 { &row.before } else { &row.after };
            let Some(line) = line else { continue };
            page.cells(&[(packet, NUMBER), (&text::escape(line), 0)], row.mark());
            packet = "";
        }
        page.cells(&[(answer_packet, NUMBER), (answer, 0)], None);
    }
}

/// Both heads, line by line.
fn beside(
    titles: &[String; 2],
    requests: &[String; 2],
    answers: &[(String, String); 2],
    compared: &HeadRows,
    page: &mut Page<'_>,
) {
    let column = page.width().saturating_sub(NUMBER.saturating_mul(2)).saturating_sub(MARKS) / 2;
    let cut = |line: &Option<String>| {
        let line = line.as_deref().unwrap_or("-");
        text::truncate(&text::escape(line), column.saturating_sub(2), MARK).into_owned()
    };
    let [before, after] = titles;
    page.cells(&[("", NUMBER), (before, column), ("", NUMBER), (after, 0)], None);
    let [mut left, mut right] = [requests[0].as_str(), requests[1].as_str()];
    for row in &compared.rows {
        page.cells(
            &[(left, NUMBER), (&cut(&row.before), column), (right, NUMBER), (&cut(&row.after), 0)],
            row.mark(),
        );
        (left, right) = ("", "");
    }
    let [(one, first), (other, second)] = answers;
    page.cells(&[(one, NUMBER), (first, column), (other, NUMBER), (second, 0)], None);
}

fn write_fix(fix: &Fix, page: &mut Page<'_>) {
    let place = if fix.place.is_empty() { String::new() } else { format!(", {}", fix.place) };
    page.paragraph(INDENT, &text::escape(&format!("fix ({}{place})", fix.target)), UNSURE);
    for line in fix.text.lines() {
        page.verbatim(FIX_INDENT, &text::escape(line));
    }
}

const INDENT: &str = "  ";
const FIX_INDENT: &str = "    ";
const CELL: &str = "       ";

/// Columns of a packet number.
const NUMBER: usize = 7;

/// Columns of a mark and the space before it.
const MARKS: usize = 9;

/// From so many columns on two heads stand beside each other.
const SIDE_BY_SIDE: usize = 110;

const PACKETS_SHOWN: usize = 8;
