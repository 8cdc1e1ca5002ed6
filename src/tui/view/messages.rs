//! The messages of one attempt: who sent what, how much, when; and below, the payload of the one under the cursor.
//! Until they are read again from the capture, its frames as far as they are kept.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Hit;
use super::ladder::opcode;
use super::page::rule;
use crate::protocol::{FrameLog, FrameRecord, Role};
use crate::report::count::{count, number};
use crate::report::text::time::Clock;
use crate::text;
use crate::tui::app::App;
use crate::tui::application::label;
use crate::tui::messages::{Message, Reading, close_frame, name};
use crate::tui::payload::{Form, preview};
use crate::tui::story::Story;
use crate::units::{PacketNumber, Timestamp};

/// Where what stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Areas {
    title: Rect,
    heading: Rect,
    /// The messages.
    pub(super) list: Rect,
    payload_title: Rect,
    /// The payload of the one under the cursor.
    pub(super) payload: Rect,
}

/// Divides the screen: a list as long as it needs to be, and a payload.
pub(super) fn areas(app: &App, body: Rect) -> Areas {
    let messages = app.messages.all().len();
    let room = usize::from(body.height).saturating_sub(HEADING).saturating_sub(1);
    let list = if app.messages.is_zoomed { 0 } else { messages.min(room.saturating_mul(3) / 5).max(1) };
    let mut y = body.y;
    let mut next = |lines: usize| {
        let lines = u16::try_from(lines).unwrap_or(u16::MAX);
        let area = Rect::new(body.x, y, body.width, lines).intersection(body);
        y = y.saturating_add(lines);
        area
    };
    if messages == 0 {
        let (title, heading, list) = (next(1), next(1), next(room.saturating_add(1)));
        return Areas { title, heading, list, ..Areas::default() };
    }
    let heading = usize::from(!app.messages.is_zoomed);
    Areas {
        title: next(heading),
        heading: next(heading),
        list: next(list),
        payload_title: next(1),
        payload: next(usize::from(body.height)),
    }
}

/// How many messages, frames or lines of a payload are shown at once.
pub(super) fn height(app: &App, body: Rect) -> usize {
    let areas = areas(app, body);
    if app.messages.is_zoomed { areas.payload.height.into() } else { areas.list.height.into() }
}

/// How many there are.
pub(super) fn lines(app: &App) -> usize {
    match app.messages.all().len() {
        0 => app.story().as_ref().and_then(log).map_or(0, FrameLog::len),
        _ if app.messages.is_zoomed => app.messages.laid.lines.len(),
        messages => messages,
    }
}

/// What is at a place of the terminal.
pub(super) fn hit(app: &App, body: Rect, at: Position) -> Option<Hit> {
    let list = areas(app, body).list;
    let place = app.messages.offset.saturating_add(usize::from(at.y.checked_sub(list.y)?));
    (list.contains(at) && place < app.messages.all().len()).then_some(Hit::Message(place))
}

/// Draws the screen.
pub(super) fn draw(app: &App, body: Rect, frame: &mut Frame<'_>) {
    let areas = areas(app, body);
    let Some(story) = app.story() else {
        let words =
            if app.row().is_none() { "no attempt is chosen" } else { "the reader is asked for it ..." };
        frame.render_widget(Paragraph::new(Line::styled(words, app.theme.quiet())), body);
        return;
    };
    let clock = app.shown.clock(story.time.0);
    let log = log(&story);
    if app.messages.all().is_empty() {
        frames(app, log, &clock, areas, body, frame);
        return;
    }
    let cells = Cells::new(app, &clock, story.time, body.width.into());
    frame.render_widget(Paragraph::new(title(app, body.width.into())), areas.title);
    frame.render_widget(Paragraph::new(Line::styled(cells.heading(), app.theme.quiet())), areas.heading);
    let shown =
        app.messages.all().iter().enumerate().skip(app.messages.offset).take(areas.list.height.into());
    let lines: Vec<Line<'static>> =
        shown.map(|(at, message)| cells.message(at, message, &clock, app)).collect();
    frame.render_widget(Paragraph::new(lines), areas.list);
    frame.render_widget(Paragraph::new(payload_title(app, body.width.into())), areas.payload_title);
    payload(app, areas.payload, frame);
}

/// How many messages there are, what they speak, and what is missing.
fn title(app: &App, width: usize) -> Line<'static> {
    let messages = app.messages.all();
    let control = messages.iter().filter(|message| message.opcode.is_control()).count();
    let data = count(messages.len().saturating_sub(control) as u64, "message");
    let control =
        if control == 0 { String::new() } else { format!(", {}", count(control as u64, "control frame")) };
    let speaks =
        app.messages.application.map(|application| format!(" of {}", application.name())).unwrap_or_default();
    let notes = match (app.messages.next, app.messages.is_asked) {
        (None, _) => "",
        (Some(_), true) => "reading more ...",
        (Some(_), false) => "more at the end",
    };
    rule(&format!("{data}{speaks}{control}"), notes, width, app.theme)
}

/// What the payload is that is shown.
fn payload_title(app: &App, width: usize) -> Line<'static> {
    let Some(message) = app.messages.current() else { return Line::default() };
    let (laid, messages) = (&app.messages.laid, &app.messages);
    let whole = messages.payload().map_or(0, <[u8]>::len) as u64;
    let size = if message.is_compressed {
        format!("{}, {} compressed", count(whole, "byte"), number(message.length))
    } else {
        count(message.length, "byte")
    };
    let by = message.by.name();
    let form = laid.key.map_or(Form::Text, |(_, _, form, _)| form).name();
    let lacks = match &message.lacks {
        Some(lacks) if message.is_cut => format!(", {} (w reads all)", text::escape(lacks)),
        Some(lacks) => format!(", {}", text::escape(lacks)),
        _ if laid.left_out > 0 => format!(", {} more (e exports all)", count(laid.left_out as u64, "byte")),
        _ => String::new(),
    };
    let title = format!("{} of the {by} {}, {size}{lacks}", name(message.opcode), message.packet);
    rule(&title, &format!("as {form}"), width, app.theme)
}

fn payload(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let lines = &app.messages.laid.lines;
    let height = usize::from(area.height);
    let first = if app.messages.is_zoomed { app.scroll.min(lines.len().saturating_sub(height)) } else { 0 };
    let search = app.messages.search.to_lowercase();
    let shown = lines.iter().skip(first).take(height).map(|line| marked(line, &search, app));
    frame.render_widget(Paragraph::new(shown.collect::<Vec<Line<'static>>>()), area);
}

/// A line with what is searched for.
fn marked(line: &str, search: &str, app: &App) -> Line<'static> {
    let lower = line.to_lowercase();
    // Where letters change their length, places in one are none in the other.
    if search.is_empty() || lower.len() != line.len() {
        return Line::raw(line.to_owned());
    }
    let mut spans = Vec::new();
    let mut from = 0usize;
    for (at, _) in lower.match_indices(search) {
        let end = at.saturating_add(search.len());
        let (Some(before), Some(found)) = (line.get(from..at), line.get(at..end)) else { break };
        spans.push(Span::raw(before.to_owned()));
        spans.push(Span::styled(found.to_owned(), app.theme.found()));
        from = end;
    }
    spans.push(Span::raw(line.get(from..).unwrap_or_default().to_owned()));
    Line::from(spans)
}

/// How wide the columns are.
struct Cells {
    /// Only the arrow, where there is little room.
    from: usize,
    time: usize,
    packet: usize,
    /// The widest label of a message in its application.
    label: usize,
    preview: usize,
}

impl Cells {
    fn new(app: &App, clock: &Clock, (start, end): (Timestamp, Timestamp), width: usize) -> Self {
        let time = clock.show(start).len().max(clock.show(end).len());
        let packet = app.data.progress.packets.to_string().len().saturating_add(1).max(6);
        let label = match (app.messages.application, width) {
            (None, _) | (_, ..70) => 0,
            (_, ..100) => 14,
            _ => 18,
        };
        let from = if width < 70 { 1 } else { FROM };
        let fixed = [time, packet, from, KIND, BYTES, MARK, label, usize::from(label > 0)];
        let gaps = 2usize;
        let used = fixed.iter().fold(gaps.saturating_mul(5), |sum, cell| sum.saturating_add(*cell));
        Self { from, time, packet, label, preview: width.saturating_sub(used) }
    }

    fn heading(&self) -> String {
        let label =
            if self.label > 0 { format!("{:<width$} ", "is", width = self.label) } else { String::new() };
        format!(
            "{:>time$}  {:>packet$}  {:from$} {:KIND$} {:>BYTES$} {:MARK$} {label}payload",
            "time",
            "packet",
            if self.from == FROM { "from" } else { "" },
            "kind",
            "bytes",
            "",
            time = self.time,
            packet = self.packet,
            from = self.from,
        )
    }

    /// The cells that messages and frames have.
    fn start(
        &self,
        time: &str,
        packet: PacketNumber,
        by: Role,
        kind: &str,
        length: u64,
        app: &App,
    ) -> String {
        let arrow = match (by, self.from == FROM) {
            (Role::Client, true) => app.theme.glyph("client →", "client >"),
            (Role::Server, true) => app.theme.glyph("← server", "< server"),
            (Role::Client, false) => app.theme.glyph("→", ">"),
            (Role::Server, false) => app.theme.glyph("←", "<"),
        };
        format!(
            "{}  {}  {} {} {} ",
            text::pad_start(time, self.time),
            text::pad_start(&packet.to_string(), self.packet),
            text::pad(arrow, self.from),
            text::pad(kind, KIND),
            text::pad_start(&number(length), BYTES),
        )
    }

    fn message(&self, at: usize, message: &Message, clock: &Clock, app: &App) -> Line<'static> {
        let theme = app.theme;
        let kind = name(message.opcode);
        let start =
            self.start(&clock.show(message.time), message.packet, message.by, kind, message.length, app);
        let mark = if message.is_compressed { "z " } else { "  " };
        let label =
            app.messages.application.and_then(|application| label(application, message)).unwrap_or_default();
        let label = match self.label {
            0 => String::new(),
            width => format!("{} ", text::pad(&text::truncate(&label, width, theme.ellipsis()), width)),
        };
        let said = close_frame(message.opcode, &message.payload);
        let payload = said.as_ref().map_or(&*message.payload, |said| said.as_bytes());
        let preview = preview(payload, self.preview, theme.ellipsis());
        let is_match = !app.messages.search.is_empty() && message.mentions(&app.messages.search);
        let base = match (at == app.messages.cursor, message.opcode.is_control()) {
            (true, _) => theme.selected(),
            (false, true) => theme.quiet(),
            (false, false) => Style::new(),
        };
        let shown = if is_match { base.patch(theme.accent()) } else { base };
        Line::from(vec![
            Span::styled(format!("{start}{mark}"), base),
            Span::styled(label, base.patch(theme.accent())),
            Span::styled(text::pad(&preview, self.preview).into_owned(), shown),
        ])
    }

    fn frame(&self, record: &FrameRecord, clock: &Clock, app: &App) -> Line<'static> {
        let start = self.start(
            &clock.show(record.time),
            record.packet,
            record.by,
            &opcode(record),
            record.length,
            app,
        );
        let style = if record.opcode.is_control() { app.theme.quiet() } else { Style::new() };
        Line::from(vec![Span::styled(start, style), Span::styled(marks(record), app.theme.quiet())])
    }
}

/// The frames, while there are no messages.
fn frames(app: &App, log: Option<&FrameLog>, clock: &Clock, areas: Areas, body: Rect, frame: &mut Frame<'_>) {
    let theme = app.theme;
    let Some(log) = log.filter(|log| !log.is_empty()) else {
        let words = "no frame flowed";
        frame.render_widget(Paragraph::new(Line::styled(words, theme.quiet())), body);
        return;
    };
    let kept = count(log.len() as u64, "frame");
    let state = match (&app.messages.state, log.forgotten) {
        (Reading::Failed(reason), _) => format!("no payloads: {}", text::escape(reason)),
        (Reading::Going, _) => "reading the messages ...".to_owned(),
        (_, 0) => String::new(),
        (_, more) => format!("{} not kept", number(more)),
    };
    let cells = Cells::new(app, clock, app.data.time(), body.width.into());
    frame.render_widget(Paragraph::new(wide_rule(&kept, &state, body.width.into(), app)), areas.title);
    let heading = cells.heading();
    let heading = heading.trim_end_matches("payload").trim_end();
    frame.render_widget(Paragraph::new(Line::styled(heading.to_owned(), theme.quiet())), areas.heading);
    let height = usize::from(areas.list.height);
    let first = app.scroll.min(log.len().saturating_sub(height));
    let lines = log.iter().skip(first).take(height).map(|record| cells.frame(record, clock, app));
    frame.render_widget(Paragraph::new(lines.collect::<Vec<Line<'static>>>()), areas.list);
}

/// A title of which the right half says more.
fn wide_rule(title: &str, right: &str, width: usize, app: &App) -> Line<'static> {
    if text::width(right) <= width / 2 {
        return rule(title, right, width, app.theme);
    }
    let words = format!("{title}; {right}");
    rule(&words, "", width, app.theme)
}

/// What is special about a frame.
fn marks(frame: &FrameRecord) -> String {
    let mut marks: Vec<&str> = Vec::new();
    if frame.rsv & 4 != 0 {
        marks.push("compressed");
    }
    if frame.masked != (frame.by == Role::Client) {
        marks.push(if frame.masked { "masked" } else { "unmasked" });
    }
    if !frame.fin {
        marks.push("goes on");
    }
    marks.join(", ")
}

fn log<'a>(story: &'a Story<'a>) -> Option<&'a FrameLog> {
    let session = story.legs.iter().find_map(|leg| leg.attempt.session.as_ref())?;
    Some(&session.frames)
}

const HEADING: usize = 2;

/// Columns of who sent it.
const FROM: usize = 8;

/// Columns of what it is.
const KIND: usize = 7;

/// Columns of how much it is.
const BYTES: usize = 9;

/// Columns of a mark and the space behind it.
const MARK: usize = 1;
