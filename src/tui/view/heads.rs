//! Heads of requests and answers: one, or two beside each other as they were before and after a proxy. What is wrong
//! stands below the line that has it.

use ratatui::style::Style;

use super::page::Page;
use crate::protocol::{Fields, RequestFacts, RequestProblem, ResponseProblem};
use crate::report::count::span;
use crate::report::text::sentences;
use crate::text;
use crate::tui::shown::Shown;
use crate::tui::story::StoryLeg;
use crate::units::PacketNumber;

/// A head, fit to be shown.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Where it stands.
    pub(super) packet: Option<PacketNumber>,
    /// The request line or the status line.
    line: String,
    /// Names and values in the order of the wire.
    fields: Vec<(String, String)>,
    /// The field that has a problem, and what is wrong; no field is the first line.
    problems: Vec<(&'static str, String)>,
    /// The start of the body.
    body: String,
}

/// A line of a head before and after a proxy.
struct Pair {
    before: Option<String>,
    after: Option<String>,
    name: String,
}

impl Head {
    /// The request of a leg; none if the capture lacks it.
    pub(super) fn request(leg: &StoryLeg<'_>, shown: Shown) -> Option<Self> {
        let request = leg.attempt.request.as_ref()?;
        let (head, wire) = (request.head(), shown.wire());
        let version = head.version.map(|minor| format!(" HTTP/1.{minor}")).unwrap_or_default();
        let line = format!("{} {}{version}", head.method, wire.text(head.target.as_bytes()));
        let mut problems: Vec<(&'static str, String)> = Vec::new();
        for problem in &request.problems {
            problems.push((field_of_request(*problem), sentences::request(*problem, &head, wire)));
        }
        if !request.complete {
            problems.push((NO_FIELD, "the head is not in the capture in full".to_owned()));
        }
        Some(Self {
            packet: Some(request.origin.packet),
            line: text::escape(&line).into_owned(),
            fields: fields(&head.fields, &head.fields, shown),
            problems,
            body: String::new(),
        })
    }

    /// The answer of a leg; none if the capture has none.
    pub(super) fn answer(leg: &StoryLeg<'_>, shown: Shown) -> Option<Self> {
        let response = leg.attempt.response.as_ref()?;
        let (head, wire) = (response.head(), shown.wire());
        let asked = leg.attempt.request.as_ref().map(RequestFacts::head).unwrap_or_default();
        let reason = wire.text(head.reason.as_bytes());
        let version = head.version.map(|minor| format!("HTTP/1.{minor} ")).unwrap_or_default();
        let line = format!("{version}{} {reason}", response.status);
        let mut problems: Vec<(&'static str, String)> = Vec::new();
        for problem in &response.problems {
            problems.push((field_of_response(*problem), sentences::response(*problem, &head, &asked, wire)));
        }
        if !response.complete {
            problems.push((NO_FIELD, "the head is not in the capture in full".to_owned()));
        }
        let body = wire.text(&response.body_start);
        let body: Vec<&str> = body.split_whitespace().collect();
        Some(Self {
            packet: Some(response.origin.packet),
            line: text::escape(line.trim_end()).into_owned(),
            fields: fields(&head.fields, &asked.fields, shown),
            problems,
            body: text::escape(&body.join(" ")).into_owned(),
        })
    }

    /// What stands in the place of a head that is not there.
    pub(super) fn missing(self, words: &str) -> Self {
        Self { line: words.to_owned(), ..self }
    }

    fn problems_of(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_here = move |field: &str| {
            !field.is_empty() && field.split('|').any(|one| one.eq_ignore_ascii_case(name))
        };
        let is_first = move |field: &str| field.is_empty() && name.is_empty();
        self.problems
            .iter()
            .filter(move |(field, _)| is_here(field) || is_first(field))
            .map(|(_, what)| what.as_str())
    }

    /// Problems of fields that have no line.
    fn problems_of_others<'a>(&'a self, names: &[&str]) -> Vec<&'a str> {
        let has = |field: &str| {
            field.is_empty()
                || field.split('|').any(|one| names.iter().any(|name| name.eq_ignore_ascii_case(one)))
        };
        self.problems.iter().filter(|(field, _)| !has(field)).map(|(_, what)| what.as_str()).collect()
    }
}

/// One head, line by line.
pub(super) fn single(head: &Head, page: &mut Page) {
    let theme = page.theme();
    put(&head.line, head.problems_of(""), true, page);
    for (name, value) in &head.fields {
        put(&format!("{name}: {value}"), head.problems_of(name), false, page);
    }
    let names: Vec<&str> = head.fields.iter().map(|(name, _)| name.as_str()).collect();
    for problem in head.problems_of_others(&names) {
        wrong(problem, page);
    }
    if !head.body.is_empty() {
        page.paragraph("    ", &head.body, theme.quiet());
    }
}

fn put<'a>(line: &str, problems: impl Iterator<Item = &'a str>, is_first: bool, page: &mut Page) {
    let problems: Vec<&str> = problems.collect();
    let theme = page.theme();
    let style = match (problems.is_empty(), is_first) {
        (false, _) => theme.bad(),
        (true, true) => theme.title(),
        (true, false) => Style::new(),
    };
    page.paragraph("  ", line, style);
    for problem in problems {
        wrong(problem, page);
    }
}

fn wrong(problem: &str, page: &mut Page) {
    let theme = page.theme();
    page.paragraph(theme.glyph("  ✗ ", "  x "), problem, theme.bad());
}

/// Two heads: as the client's side has it and as the upstream's side has it. The proxy changed an answer on its way to
/// the left.
pub(super) fn pair(titles: [&str; 2], heads: [&Head; 2], is_answer: bool, page: &mut Page) {
    let pairs = pairs(heads);
    if page.width() >= SIDE_BY_SIDE {
        beside(titles, heads, &pairs, is_answer, page);
    } else {
        below(titles, heads, &pairs, is_answer, page);
    }
}

fn pairs([left, right]: [&Head; 2]) -> Vec<Pair> {
    let mut pairs =
        vec![Pair { before: Some(left.line.clone()), after: Some(right.line.clone()), name: String::new() }];
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in left.fields.iter().chain(&right.fields) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    let line = |head: &Head, name: &str| {
        let is_it = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        let written = head.fields.iter().find(is_it).map(|(known, _)| known)?;
        let values: Vec<&str> = head.fields.iter().filter(is_it).map(|(_, value)| value.as_str()).collect();
        Some(format!("{written}: {}", values.join(", ")))
    };
    let pair =
        |name: &&str| Pair { before: line(left, name), after: line(right, name), name: (*name).to_owned() };
    pairs.extend(names.iter().map(pair));
    pairs
}

impl Pair {
    /// What the proxy did with the line, in a word. It hands requests to the right and answers to the left.
    fn mark(&self, is_answer: bool) -> &'static str {
        let (from, to) = if is_answer { (&self.after, &self.before) } else { (&self.before, &self.after) };
        match (from, to) {
            (None, Some(_)) => "added",
            (Some(_), None) => "dropped",
            (Some(from), Some(to)) if !is_same(from, to, &self.name) => "changed",
            _ => "",
        }
    }
}

/// The case of a name means nothing (RFC 9110 section 5.1).
fn is_same(one: &str, other: &str, name: &str) -> bool {
    one.get(name.len()..) == other.get(name.len()..) && (!name.is_empty() || one == other)
}

fn below(titles: [&str; 2], heads: [&Head; 2], pairs: &[Pair], is_answer: bool, page: &mut Page) {
    let theme = page.theme();
    let room = page.width().saturating_sub(MARK);
    // What a proxy made of it is marked where it went to.
    let marked = usize::from(!is_answer);
    for (side, (title, head)) in titles.into_iter().zip(heads).enumerate() {
        page.spans(vec![
            (number(head.packet), theme.quiet()),
            (cut(title, page.width().saturating_sub(NUMBER), page), theme.accent()),
        ]);
        for pair in pairs {
            let (line, other) =
                if side == 0 { (&pair.before, &pair.after) } else { (&pair.after, &pair.before) };
            let mark = if side == marked { pair.mark(is_answer) } else { "" };
            let shown = match (line, other) {
                (Some(line), _) => format!("  {line}"),
                (None, Some(other)) if !mark.is_empty() => format!("- {other}"),
                _ => {
                    head.problems_of(&pair.name).for_each(|problem| wrong(problem, page));
                    continue;
                }
            };
            let style = if side == marked { theme.mark(mark) } else { Style::new() };
            let shown = cut(&shown, room, page);
            page.spans(vec![
                (text::pad(&shown, room).into_owned(), style),
                (format!(" {mark}"), theme.mark(mark)),
            ]);
            head.problems_of(&pair.name).for_each(|problem| wrong(problem, page));
        }
        head.problems_of_others(&names_of(pairs)).into_iter().for_each(|problem| wrong(problem, page));
        if !head.body.is_empty() {
            page.line(&format!("    {}", head.body), theme.quiet());
        }
    }
}

fn beside(titles: [&str; 2], heads: [&Head; 2], pairs: &[Pair], is_answer: bool, page: &mut Page) {
    let theme = page.theme();
    let bar = theme.glyph("│ ", "| ");
    let room = page.width().saturating_sub(MARK).saturating_sub(2) / 2;
    let two = |left: (String, Style), right: (String, Style), mark: &str, page: &mut Page| {
        let left_text = text::pad(&cut(&left.0, room.saturating_sub(1), page), room).into_owned();
        let right_text = text::pad(&cut(&right.0, room, page), room).into_owned();
        page.spans(vec![
            (left_text, left.1),
            (bar.to_owned(), theme.quiet()),
            (right_text, right.1),
            (format!(" {mark}"), theme.mark(mark)),
        ]);
    };
    let title = |title: &str, head: &Head| (format!("{}{title}", number(head.packet)), theme.accent());
    let [left_title, right_title] = titles;
    let [left, right] = heads;
    two(title(left_title, left), title(right_title, right), "", page);
    for pair in pairs {
        let mark = pair.mark(is_answer);
        let side = |line: &Option<String>, is_marked: bool| {
            let style = match (line, is_marked && !mark.is_empty()) {
                (None, _) => theme.quiet(),
                (Some(_), true) => theme.mark(mark),
                (Some(_), false) if pair.name.is_empty() => theme.title(),
                (Some(_), false) => Style::new(),
            };
            (line.clone().unwrap_or_else(|| "-".to_owned()), style)
        };
        two(side(&pair.before, is_answer), side(&pair.after, !is_answer), mark, page);
        let [lefts, rights] = [left, right].map(|head| head.problems_of(&pair.name).collect::<Vec<&str>>());
        problems(&lefts, &rights, room, page);
    }
    let [lefts, rights] = [left, right].map(|head| head.problems_of_others(&names_of(pairs)));
    problems(&lefts, &rights, room, page);
    if !left.body.is_empty() || !right.body.is_empty() {
        two((left.body.clone(), theme.quiet()), (right.body.clone(), theme.quiet()), "", page);
    }
}

/// What is wrong on either side, wrapped in its column.
fn problems(left: &[&str], right: &[&str], room: usize, page: &mut Page) {
    let theme = page.theme();
    let sign = theme.glyph("✗ ", "x ");
    let column = |problems: &[&str]| -> Vec<String> {
        let wrap = |problem: &&str| {
            let lines = crate::report::text::page::wrapped(problem, room.saturating_sub(3));
            let mark = |at: usize| if at == 0 { sign } else { "  " };
            lines.into_iter().enumerate().map(|(at, line)| format!("{}{line}", mark(at))).collect::<Vec<_>>()
        };
        problems.iter().flat_map(wrap).collect()
    };
    let (left, right) = (column(left), column(right));
    for at in 0..left.len().max(right.len()) {
        let of = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
        page.spans(vec![
            (text::pad(&of(&left), room).into_owned(), theme.bad()),
            (theme.glyph("│ ", "| ").to_owned(), theme.quiet()),
            (of(&right), theme.bad()),
        ]);
    }
}

fn names_of(pairs: &[Pair]) -> Vec<&str> {
    pairs.iter().map(|pair| pair.name.as_str()).collect()
}

fn cut(line: &str, room: usize, page: &Page) -> String {
    text::truncate(line, room, page.theme().ellipsis()).into_owned()
}

fn number(packet: Option<PacketNumber>) -> String {
    packet.map(|packet| format!("{packet} ")).unwrap_or_default()
}

/// Names and values, redacted and escaped.
fn fields(fields: &Fields<'_>, asked: &Fields<'_>, shown: Shown) -> Vec<(String, String)> {
    let wire = shown.wire();
    let headers = wire.headers(fields, &wire.offered(asked));
    headers
        .into_iter()
        .map(|(name, value)| (text::escape(name).into_owned(), text::escape(&value).into_owned()))
        .collect()
}

/// The field that a problem is about; several ones with a bar between them.
const fn field_of_request(problem: RequestProblem) -> &'static str {
    match problem {
        RequestProblem::UpgradeMissing => "Upgrade",
        RequestProblem::ConnectionTokenMissing => "Connection",
        RequestProblem::KeyMissing | RequestProblem::KeyInvalid | RequestProblem::KeyRepeated => {
            "Sec-WebSocket-Key"
        }
        RequestProblem::VersionMissing | RequestProblem::VersionUnsupported => "Sec-WebSocket-Version",
        RequestProblem::HttpVersionTooLow | RequestProblem::MethodNotGet => "",
        RequestProblem::BodyPresent => "Content-Length|Transfer-Encoding",
    }
}

const fn field_of_response(problem: ResponseProblem) -> &'static str {
    match problem {
        ResponseProblem::AcceptWrong | ResponseProblem::AcceptMissing => "Sec-WebSocket-Accept",
        ResponseProblem::UpgradeMissing => "Upgrade",
        ResponseProblem::ConnectionTokenMissing => "Connection",
        ResponseProblem::SubprotocolNotOffered
        | ResponseProblem::SubprotocolMissing
        | ResponseProblem::SubprotocolRepeated => "Sec-WebSocket-Protocol",
        ResponseProblem::ExtensionNotOffered | ResponseProblem::ExtensionParameterInvalid => {
            "Sec-WebSocket-Extensions"
        }
        ResponseProblem::BodyPresent => "Content-Length|Transfer-Encoding",
    }
}

/// Answer and request time, as the title of an answer has it.
pub(super) fn after(leg: &StoryLeg<'_>) -> String {
    let asked = leg.attempt.request.as_ref().map(|request| request.origin.time);
    let answered = leg.attempt.response.as_ref().map(|response| response.origin.time);
    asked
        .zip(answered)
        .map(|(asked, answered)| format!("after {}", span(answered.since(asked))))
        .unwrap_or_default()
}

/// What no line has.
const NO_FIELD: &str = "-";

/// Columns of a mark and the space before it.
const MARK: usize = 8;

/// Columns that a packet's number may take in a title.
const NUMBER: usize = 10;

/// From so many columns on two heads stand beside each other.
const SIDE_BY_SIDE: usize = 100;
