//! One attempt: what was found about it, its heads on every leg, what flowed, how it ended.

use ratatui::style::Style;
use ratatui::text::Line;

use super::findings::{fixed, told};
use super::heads::{self, Head};
use super::page::Page;
use crate::protocol::{Role, SessionFacts};
use crate::report::count::{count, span};
use crate::report::text::{attempt::began, ending, sentences, session};
use crate::text;
use crate::tui::app::App;
use crate::tui::shown::Shown;
use crate::tui::story::{Story, StoryLeg};
use crate::units::PacketNumber;

/// The lines of the screen.
pub(super) fn page(app: &App, width: usize) -> Vec<Line<'static>> {
    let mut page = Page::new(width, app.theme);
    let Some(story) = app.story() else {
        let words =
            if app.row().is_none() { "no attempt is chosen" } else { "the reader is asked for it ..." };
        page.line(words, app.theme.quiet());
        return page.into_lines();
    };
    summary(app, &story, &mut page);
    findings(&story, &mut page);
    let hops = story.legs.iter().enumerate().filter_map(|(place, leg)| Some((place, leg, leg.hop?)));
    let mut has_hop = false;
    for (place, after, hop) in hops {
        let Some(before) = story.legs.get(hop.from) else { continue };
        has_hop = true;
        let name = hop.name();
        let client = if hop.from == 0 { "client" } else { "from" };
        let titles = [way(before, client, name), way(after, name, "upstream")];
        both(before, after, &titles, app.shown, place, &mut page);
    }
    if let Some(leg) = story.legs.first().filter(|_| !has_hop) {
        alone(leg, app.shown, &mut page);
    }
    for leg in &story.legs {
        flowed(leg, &story, app.shown, &mut page);
    }
    page.into_lines()
}

/// What became of it, between whom, when.
fn summary(app: &App, story: &Story<'_>, page: &mut Page) {
    let (Some(leg), Some(row)) = (story.legs.first(), app.row()) else { return };
    let theme = app.theme;
    let status = row.status.map(|status| format!(" {status}")).unwrap_or_default();
    let after = row.latency.map(|latency| format!(" after {}", span(latency))).unwrap_or_default();
    let words = format!("{} {}{status}{after}", theme.symbol(leg.outcome), leg.outcome.name());
    let target = format!("   {}{}", row.host, row.target);
    let room = page.width().saturating_sub(text::width(&words));
    let target = text::truncate(&target, room, theme.ellipsis()).into_owned();
    page.spans(vec![(words, theme.outcome(leg.outcome)), (target, theme.title())]);
    let clock = app.shown.clock(story.time.0);
    let time = clock.show(began(leg.attempt, leg.connection));
    page.row("at", &format!("{time}, connection {}", leg.connection.id()), Style::new());
    let arrow = theme.glyph(" → ", " -> ");
    page.row("between", &format!("{}{arrow}{}", row.client, row.server.replace(" > ", arrow)), Style::new());
    let matched = story.route.and_then(|route| route.matched_by).map(crate::routes::MatchedBy::name);
    if let Some(matched) = matched {
        let legs = count(story.legs.len() as u64, "leg");
        let matched =
            if matched == "inferred" { matched.to_owned() } else { format!("matched by {matched}") };
        page.row("route", &format!("{legs}, {matched}"), Style::new());
    }
    let polling = story.route.and_then(|route| route.polling.as_deref());
    if let Some(spoken) = session::spoken(leg.attempt, polling) {
        page.row("session", &spoken, Style::new());
    }
    for tried in &story.tries {
        let (server, opened) = (tried.endpoint(Role::Server), tried.tcp.opening.opened);
        let how = format!("{opened:?}").to_lowercase();
        page.row("tried", &format!("{server}, connection {}: {how}", tried.id()), theme.unsure());
    }
}

fn findings(story: &Story<'_>, page: &mut Page) {
    for finding in &story.findings {
        page.title(finding.severity.name(), &format!("{} {}", finding.rule.name, finding.rule.code));
        told(finding.severity, &finding.sentence(), &finding.detail, page);
        let packets: Vec<String> =
            finding.packets.iter().take(PACKETS).map(PacketNumber::to_string).collect();
        if !packets.is_empty() {
            page.row("packets", &packets.join(", "), Style::new());
        }
        for fix in &finding.fixes {
            fixed(fix, page);
        }
        for sentence in &finding.advice {
            page.paragraph("  ", &text::escape(sentence), Style::new());
        }
    }
}

/// The heads before and after a proxy.
fn both(
    before: &StoryLeg<'_>,
    after: &StoryLeg<'_>,
    [left, right]: &[String; 2],
    shown: Shown,
    place: usize,
    page: &mut Page,
) {
    let name = if place > 1 { format!("request, hop {place}") } else { "request".to_owned() };
    let missing = |what: &str| Head::default().missing(what);
    let [asked, handed_on] = [before, after].map(|leg| Head::request(leg, shown));
    page.title(&name, "before and after the proxy");
    let (asked, handed_on) = (
        asked.unwrap_or_else(|| missing("(not in the capture)")),
        handed_on.unwrap_or_else(|| missing("(not in the capture)")),
    );
    heads::pair([left, right], [&asked, &handed_on], false, page);
    let [answered, passed] = [before, after].map(|leg| Head::answer(leg, shown));
    if answered.is_none() && passed.is_none() {
        page.title("answer", "none on either side");
        return;
    }
    page.title("answer", "as the client got it, as the upstream gave it");
    let [first, second] = [before, after].map(|leg| heads::after(leg));
    let answered = answered.unwrap_or_else(|| missing("(no answer)"));
    let passed = passed.unwrap_or_else(|| missing("(no answer)"));
    heads::pair([&first, &second], [&answered, &passed], true, page);
}

/// The heads of the only leg.
fn alone(leg: &StoryLeg<'_>, shown: Shown, page: &mut Page) {
    let packet = |head: &Head| head.packet.map(|packet| packet.to_string()).unwrap_or_default();
    match Head::request(leg, shown) {
        Some(head) => {
            page.title("request", &packet(&head));
            heads::single(&head, page);
        }
        None => page.title("request", "not in the capture"),
    }
    match Head::answer(leg, shown) {
        Some(head) => {
            page.title("answer", &format!("{} {}", packet(&head), heads::after(leg)));
            heads::single(&head, page);
        }
        None => page.title("answer", "none in the capture"),
    }
}

/// What was sent after the handshake, and how the connection ended.
fn flowed(leg: &StoryLeg<'_>, story: &Story<'_>, shown: Shown, page: &mut Page) {
    let theme = page.theme();
    let server = leg.connection.endpoint(Role::Server);
    page.title(if leg.attempt.session.is_some() { "session" } else { "end" }, &format!("on {server}"));
    if let Some(facts) = &leg.attempt.session {
        sent(facts, leg, shown, page);
    }
    for role in [Role::Client, Role::Server] {
        let half = leg.connection.half(role);
        let told = [
            (u64::from(half.retransmitted), "retransmission"),
            (u64::from(half.out_of_order), "segment out of order"),
            (half.missing_bytes, "byte missing"),
        ];
        let told: Vec<String> = told.into_iter().filter(|(number, _)| *number > 0).map(tcp).collect();
        if !told.is_empty() {
            page.row(role.name(), &told.join(", "), theme.unsure());
        }
    }
    page.row("ended", &ending::sentence(leg.attempt, leg.connection, story.time.1), Style::new());
}

fn tcp((number, what): (u64, &str)) -> String {
    match what.split_once(' ') {
        Some((thing, rest)) => format!("{} {rest}", count(number, thing)),
        None => count(number, what),
    }
}

fn sent(facts: &SessionFacts, leg: &StoryLeg<'_>, shown: Shown, page: &mut Page) {
    let theme = page.theme();
    if let Some(agreed) = session::agreed(leg.attempt, shown.wire()) {
        page.row("agreed", &agreed, Style::new());
    }
    for role in [Role::Client, Role::Server] {
        let sent = if leg.connection.half(role).packets == 0 {
            "not in the capture".to_owned()
        } else {
            session::sent(facts.role(role))
        };
        page.row(&format!("{} sent", role.name()), &sent, Style::new());
    }
    if let Some(pings) = session::pings(&facts.pings) {
        page.row("pings", &pings, Style::new());
    }
    for anomaly in &facts.anomalies {
        page.row("violation", &sentences::anomaly(anomaly), theme.bad());
    }
    page.row("close", &session::close(facts, leg.attempt, leg.connection, shown.wire()), Style::new());
}

fn way(leg: &StoryLeg<'_>, from: &str, to: &str) -> String {
    let (client, server) =
        (leg.connection.endpoint(Role::Client).address, leg.connection.endpoint(Role::Server));
    format!("{from} {client} > {to} {server}")
}

const PACKETS: usize = 12;
