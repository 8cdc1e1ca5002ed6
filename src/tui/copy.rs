//! What can be copied: values, fixes, heads, and commands that repeat the handshake. Secrets stay out of it as they
//! stay out of the screen.

use super::action::Screen;
use super::app::{App, Choice, MenuEntry, Pane};
use super::news::FindingRow;
use super::shown::Shown;
use super::story::StoryLeg;
use crate::protocol::{Fields, Role};
use crate::text;

/// What can be copied where a person is, the likeliest first.
#[must_use]
pub(super) fn entries(app: &App) -> Vec<MenuEntry> {
    let of_findings =
        matches!((app.screen, app.pane), (Screen::Findings, _) | (Screen::Overview, Pane::Findings));
    let finding = if of_findings { Some(app.finding) } else { app.row().and_then(|row| row.finding) };
    let finding = finding.and_then(|finding| app.findings().get(finding));
    let mut entries: Vec<MenuEntry> = finding.map(of_finding).unwrap_or_default();
    if of_findings {
        return entries;
    }
    if let (Screen::Messages, Some(payload)) = (app.screen, app.messages.payload()) {
        let payload = payload.get(..COPIED_BYTES.min(payload.len())).unwrap_or_default();
        entries.insert(0, entry("the message", &text::decode(payload)));
    }
    let story = app.story();
    for (place, leg) in story.iter().flat_map(|story| &story.legs).enumerate() {
        let side = if place == 0 { "" } else { " behind the proxy" };
        entries.extend(of_leg(leg, side, app.shown));
    }
    if let Some(row) = app.row() {
        entries.push(entry("the client's address", &row.client));
        entries.push(entry("the server's address", &row.server));
        entries.push(entry("the target", &row.target));
    }
    entries
}

fn entry(name: &str, text: &str) -> MenuEntry {
    MenuEntry { name: name.to_owned(), choice: Choice::Copy(text.to_owned()) }
}

fn of_finding(finding: &FindingRow) -> Vec<MenuEntry> {
    let mut entries = Vec::new();
    for fix in &finding.fixes {
        let place = if fix.place.is_empty() { String::new() } else { format!(", {}", fix.place) };
        entries.push(entry(&format!("the fix ({}{})", fix.target, text::escape(&place)), &fix.text));
    }
    let sentences: Vec<&str> =
        std::iter::once(&finding.sentence).chain(&finding.detail).map(String::as_str).collect();
    entries.push(entry("the finding", &text::escape(&sentences.join(". "))));
    entries
}

fn of_leg(leg: &StoryLeg<'_>, side: &str, shown: Shown) -> Vec<MenuEntry> {
    let mut entries = Vec::new();
    if leg.attempt.request.is_some() {
        if side.is_empty() {
            entries.push(entry("a curl command that asks again", &curl(leg, shown)));
            entries.push(entry("a websocat command", &websocat(leg, shown)));
        }
        entries.push(entry(&format!("the request's head{side}"), &request(leg, shown)));
    }
    if leg.attempt.response.is_some() {
        entries.push(entry(&format!("the answer's head{side}"), &response(leg, shown)));
    }
    entries
}

/// The head of the request, line by line.
fn request(leg: &StoryLeg<'_>, shown: Shown) -> String {
    let Some(request) = &leg.attempt.request else { return String::new() };
    let head = request.head();
    let version = head.version.map(|minor| format!(" HTTP/1.{minor}")).unwrap_or_default();
    let target = shown.wire().text(head.target.as_bytes());
    lines(&format!("{} {target}{version}", head.method), &head.fields, shown)
}

fn response(leg: &StoryLeg<'_>, shown: Shown) -> String {
    let Some(response) = &leg.attempt.response else { return String::new() };
    let head = response.head();
    let reason = shown.wire().text(head.reason.as_bytes());
    let first = format!("HTTP/1.{} {} {reason}", head.version.unwrap_or(1), response.status);
    lines(first.trim_end(), &head.fields, shown)
}

fn lines(first: &str, fields: &Fields<'_>, shown: Shown) -> String {
    let mut lines = format!("{}\n", text::escape(first));
    for (name, value) in shown.wire().headers(fields, &shown.wire().offered(fields)) {
        lines.push_str(&[&*text::escape(name), ": ", &*text::escape(&value), "\n"].concat());
    }
    lines
}

/// Asks the same server the same again, with the same fields.
fn curl(leg: &StoryLeg<'_>, shown: Shown) -> String {
    let Some(request) = &leg.attempt.request else { return String::new() };
    let head = request.head();
    let version = if head.version == Some(0) { "--http1.0" } else { "--http1.1" };
    let mut parts = vec![format!("curl -i -N -m 10 {version}")];
    if head.method != "GET" {
        parts.push(format!("-X {}", quoted(head.method)));
    }
    for (name, value) in shown.wire().headers(&head.fields, &shown.wire().offered(&head.fields)) {
        parts.push(format!("-H {}", quoted(&format!("{name}: {value}"))));
    }
    let url = format!(
        "http://{}{}",
        leg.connection.endpoint(Role::Server),
        shown.wire().text(head.target.as_bytes())
    );
    parts.push(quoted(&url));
    parts.join(" \\\n  ")
}

/// Opens a WebSocket at the same place; the tool makes the handshake itself.
fn websocat(leg: &StoryLeg<'_>, shown: Shown) -> String {
    let Some(request) = &leg.attempt.request else { return String::new() };
    let head = request.head();
    let mut parts = vec!["websocat".to_owned()];
    for (name, value) in shown.wire().headers(&head.fields, &shown.wire().offered(&head.fields)) {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "sec-websocket-protocol" => parts.push(format!("--protocol {}", quoted(&value))),
            "upgrade" | "connection" => {}
            _ if lower.starts_with("sec-websocket-") => {}
            _ => parts.push(format!("-H {}", quoted(&format!("{name}: {value}")))),
        }
    }
    let url = format!(
        "ws://{}{}",
        leg.connection.endpoint(Role::Server),
        shown.wire().text(head.target.as_bytes())
    );
    parts.push(quoted(&url));
    parts.join(" \\\n  ")
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text::escape(text).replace('\'', "'\\''"))
}

/// Terminals take about so much (xterm, tmux: 100,000 characters in base64); more of a message has to be exported.
const COPIED_BYTES: usize = 72 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_obey_is_quoted() {
        assert_eq!(quoted("a'; rm -rf $HOME\n"), "'a'\\''; rm -rf $HOME\\n'");
    }
}
