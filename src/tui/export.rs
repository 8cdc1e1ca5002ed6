//! What can be exported where a person is: a message, the packets, a report. Secrets stay out of reports as they stay
//! out of the screen; packets and messages are what they are.

use super::action::Screen;
use super::app::{App, Choice, MenuEntry};
use super::effect::{Content, Effect, Export, SessionOf};
use super::payload::Form;
use super::story::Story;
use crate::report::{self, Format, ReportOptions, part};
use crate::text;
use crate::units::PacketNumber;

/// Something that can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// The payload of the message under the cursor.
    Message,
    /// The packets of all legs.
    Packets,
    /// What was found about the attempt, for an issue tracker.
    Markdown,
    /// The same for programs.
    Json,
}

/// What can be exported where a person is.
#[must_use]
pub(super) fn entries(app: &App) -> Vec<MenuEntry> {
    let Some(story) = app.story() else { return Vec::new() };
    let mut entries = Vec::new();
    let mut add = |name: String, kind| entries.push(MenuEntry { name, choice: Choice::Export(kind) });
    if app.screen == Screen::Messages && app.messages.current().is_some() {
        add("the payload of this message".to_owned(), ExportKind::Message);
    }
    let connections = story.legs.len().saturating_add(story.tries.len());
    let of = match connections {
        1 => "of its connection".to_owned(),
        many => format!("of its {many} connections"),
    };
    add(format!("the packets {of}, pcapng (with secrets)"), ExportKind::Packets);
    if story.route.is_some() {
        add("a report about it, Markdown".to_owned(), ExportKind::Markdown);
        add("a report about it, JSON".to_owned(), ExportKind::Json);
    }
    entries
}

/// What has to be done to export it.
#[must_use]
pub(super) fn effect(app: &App, kind: ExportKind) -> Option<Effect> {
    let story = app.story()?;
    let name = |what: &str| {
        format!(
            "{}-{}{what}",
            stem(&app.name),
            app.row().map_or_else(String::new, |row| row.id.connection.plain().replace(':', "-"))
        )
    };
    let export = match kind {
        ExportKind::Message => {
            let (messages, message) = (&app.messages, app.messages.current()?);
            let payload = messages.payload()?;
            let extension = match Form::of(message.opcode, payload) {
                Form::Json if payload.starts_with(b"{") || payload.starts_with(b"[") => "json",
                Form::Text | Form::Json => "txt",
                Form::Hex => "bin",
            };
            let content = Content::Bytes(payload.to_vec());
            Export {
                name: name(&format!("-message-{}.{extension}", messages.cursor.saturating_add(1))),
                content,
            }
        }
        ExportKind::Packets => Export { name: name(".pcapng"), content: packets(app.connections(), &story) },
        ExportKind::Markdown => Export { name: name(".md"), content: written(app, Format::Markdown)? },
        ExportKind::Json => Export { name: name(".json"), content: written(app, Format::Json)? },
    };
    Some(Effect::Save(export))
}

/// The packets of all legs, with what was found beside those that show it.
fn packets(connections: Vec<SessionOf>, story: &Story<'_>) -> Content {
    let comment = |finding: &&crate::diagnosis::Finding| {
        let words = format!("wsinspect {}: {}", finding.rule.name, finding.sentence());
        let words = text::escape(&words).into_owned();
        let packets: Vec<PacketNumber> = finding.packets.clone();
        packets.into_iter().map(move |packet| (packet, words.clone()))
    };
    Content::Packets(connections, story.findings.iter().flat_map(comment).collect())
}

/// The report about the attempt under the cursor.
fn written(app: &App, format: Format) -> Option<Content> {
    let finished = app.data.finished.as_ref()?;
    let (capture, diagnosis) = part::of_route(&finished.capture, &finished.diagnosis, app.row()?.route?)?;
    let options = ReportOptions {
        shows_secrets: app.shown.secrets,
        time: app.shown.time,
        frames: true,
        ..ReportOptions::default()
    };
    let mut bytes = Vec::new();
    report::write(format, &capture, &diagnosis, &options, &mut bytes).ok()?;
    Some(Content::Bytes(bytes))
}

/// The name of the capture as the beginning of another name.
fn stem(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let file = file.strip_suffix(".gz").unwrap_or(file);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let plain = |one: char| if one.is_alphanumeric() || matches!(one, '-' | '_' | '.') { one } else { '-' };
    let stem: String = stem.chars().map(plain).take(60).collect();
    let stem = stem.trim_start_matches(['-', '.']);
    if stem.is_empty() { "capture".to_owned() } else { stem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        let cases = [
            ("/tmp/a b/dump.pcap.gz", "dump"),
            ("standard input", "standard-input"),
            ("../..", "capture"),
            ("-rf.pcap", "rf"),
            ("x\\x1b[2J.pcap", "x1b-2J"),
        ];
        for (name, expected) in cases {
            assert_eq!(stem(name), expected);
        }
    }
}
