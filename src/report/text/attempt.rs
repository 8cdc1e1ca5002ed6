//! One upgrade attempt: a block of rows.

use anstyle::Style;

use super::ending;
use super::page::{BAD, GOOD, MARK, Page, UNSURE};
use super::time::Clock;
use super::{sentences, session};
use crate::model::{Connection, Outcome};
use crate::protocol::{Attempt, Fields, RequestFacts, ResponseFacts, Role, SessionFacts};
use crate::report::count::{count, span};
use crate::report::wire::Wire;
use crate::routes::Polling;
use crate::text;
use crate::units::Timestamp;

/// What all blocks need.
pub(super) struct Scene {
    /// Shows times.
    pub(super) clock: Clock,
    /// Shows what the wire says.
    pub(super) wire: Wire,
    /// When the capture ends.
    pub(super) capture_end: Timestamp,
}

/// When an attempt began, as far as the capture shows it.
pub(crate) fn began(attempt: &Attempt, connection: &Connection) -> Timestamp {
    let request = attempt.request.as_ref().map(|request| request.origin.time);
    let response = attempt.response.as_ref().map(|response| response.origin.time);
    request.or(response).unwrap_or(connection.tcp.opening.first.time)
}

/// Writes the block; the flag says that the attempt is another leg of the one before.
pub(super) fn block(
    attempt: &Attempt,
    (outcome, is_next_leg): (Outcome, bool),
    connection: &Connection,
    polling: Option<&Polling>,
    scene: &Scene,
    page: &mut Page<'_>,
) {
    head(attempt, (outcome, is_next_leg), connection, scene, page);
    place(attempt, connection, scene, page);
    if let Some(spoken) = session::spoken(attempt, polling).filter(|_| !is_next_leg) {
        page.row("session", &spoken);
    }
    problems(attempt, scene.wire, page);
    if let Some(response) = attempt.response.as_ref().filter(|_| outcome.is_failure()) {
        said(response, scene.wire, page);
    }
    let flowed = |session: &SessionFacts| session.client.frames() > 0 || session.server.frames() > 0;
    if let Some(session) = attempt.session.as_ref().filter(|session| !outcome.is_failure() || flowed(session))
    {
        session::rows(session, attempt, connection, scene.wire, page);
    }
    // What is true of the connection stands below its last attempt.
    if connection.attempts.last().is_some_and(|last| std::ptr::eq(last, attempt)) {
        gaps(connection, page);
        page.row("ended", &ending::sentence(attempt, connection, scene.capture_end));
    }
}

/// Writes the head of the block alone: what became of it, what was asked and what was answered.
pub(super) fn head(
    attempt: &Attempt,
    (outcome, is_next_leg): (Outcome, bool),
    connection: &Connection,
    scene: &Scene,
    page: &mut Page<'_>,
) {
    let answer = answer(attempt, outcome, connection, scene);
    let (label, style) = label(outcome, is_next_leg);
    if !page.head((&label, style), &asked(attempt, scene.wire), &answer) && !answer.is_empty() {
        page.row("answer", &answer);
    }
}

/// A symbol and the outcome's name, behind a branch if it is the next leg.
fn label(outcome: Outcome, is_next_leg: bool) -> (String, Style) {
    let (symbol, style) = match outcome {
        Outcome::Established => ('+', GOOD),
        Outcome::Invalid | Outcome::Refused | Outcome::Unanswered => ('x', BAD),
        Outcome::Midstream => ('~', UNSURE),
        Outcome::Unknown => ('?', UNSURE),
    };
    let branch = if is_next_leg { "`" } else { "" };
    (format!("{branch}{symbol} {}", outcome.name()), style)
}

/// The request line.
pub(super) fn asked(attempt: &Attempt, wire: Wire) -> String {
    let Some(request) = &attempt.request else {
        return if attempt.midstream { "(began before the capture)" } else { "(request not in the capture)" }
            .to_owned();
    };
    let head = request.head();
    let version = if head.version == Some(0) { " HTTP/1.0" } else { "" };
    let target = wire.text(head.target.as_bytes());
    format!("{} {}{version}", text::escape(head.method), text::escape(&target))
}

/// The status line and how long it took, or why there is none.
pub(super) fn answer(attempt: &Attempt, outcome: Outcome, connection: &Connection, scene: &Scene) -> String {
    let asked = attempt.request.as_ref().map(|request| request.origin.time);
    if let Some(response) = &attempt.response {
        let head = response.head();
        // The reason of a 101 says nothing new.
        let reason = if response.status == 101 { "" } else { head.reason };
        let reason = scene.wire.text(reason.as_bytes());
        let reason = text::escape(&reason);
        let reason = text::truncate(&reason, REASON_COLUMNS, MARK);
        let space = if reason.is_empty() { "" } else { " " };
        let part = if response.complete { "" } else { " (head not in full)" };
        let after = asked.map(|asked| format!(" after {}", span(response.origin.time.since(asked))));
        return format!("{}{space}{reason}{part}{}", response.status, after.unwrap_or_default());
    }
    if let Some(foreign) = &attempt.foreign {
        return if foreign.is_http_2() { "an answer in HTTP/2" } else { "an answer that is not HTTP" }
            .to_owned();
    }
    match outcome {
        Outcome::Midstream => String::new(),
        Outcome::Unanswered => {
            let until = connection.tcp.ending.map_or(scene.capture_end, |ending| ending.origin.time);
            match asked {
                Some(asked) if until >= asked => format!("no answer in {}", span(until.since(asked))),
                Some(_) => "no answer, ended before it".to_owned(),
                None => String::new(),
            }
        }
        _ if connection.half(Role::Server).packets == 0 => {
            "the server's side is not in the capture".to_owned()
        }
        _ if attempt.response_lost => "the answer is not in the capture".to_owned(),
        _ if connection.tcp.evicted => "not followed to its end".to_owned(),
        _ => "no answer yet when the capture ends".to_owned(),
    }
}

/// When, between whom, in which packets.
fn place(attempt: &Attempt, connection: &Connection, scene: &Scene, page: &mut Page<'_>) {
    let time = scene.clock.show(began(attempt, connection));
    let sides = format!("{} -> {}", connection.endpoint(Role::Client), connection.endpoint(Role::Server));
    let request = attempt.request.as_ref().map(|request| request.origin.packet);
    let response = attempt.response.as_ref().map(|response| response.origin.packet);
    let packets = match (request, response) {
        (Some(request), Some(response)) => format!("{request}, {response}"),
        (Some(packet), None) | (None, Some(packet)) => packet.to_string(),
        (None, None) => format!("from {}", connection.id()),
    };
    if time.len() <= RELATIVE_COLUMNS {
        page.row_ends(&time, &sides, &packets);
    } else {
        page.row_ends("at", &time, &packets);
        page.row("between", &sides);
    }
}

fn problems(attempt: &Attempt, wire: Wire, page: &mut Page<'_>) {
    let asked = attempt.request.as_ref().map(RequestFacts::head).unwrap_or_default();
    if let Some(request) = &attempt.request {
        if !request.complete {
            page.row("request", "its head is not in the capture in full");
        }
        for (at, problem) in request.problems.iter().enumerate() {
            let label = if at == 0 && request.complete { "request" } else { "" };
            page.bad_row(label, &sentences::request(*problem, &asked, wire));
        }
    }
    if let Some(response) = &attempt.response {
        let head = response.head();
        for (at, problem) in response.problems.iter().enumerate() {
            let label = if at == 0 { "answer" } else { "" };
            page.bad_row(label, &sentences::response(*problem, &head, &asked, wire));
        }
    }
}

/// What an answer that is no upgrade says about itself.
fn said(response: &ResponseFacts, wire: Wire, page: &mut Page<'_>) {
    let head = response.head();
    for (label, name) in
        [("server", "Server"), ("via", "Via"), ("location", "Location"), ("asks for", "WWW-Authenticate")]
    {
        field(label, name, &head.fields, wire, page);
    }
    let body = wire.text(&response.body_start);
    // Line breaks and indents would take the room that words need.
    let body: Vec<&str> = body.split_whitespace().collect();
    if !body.is_empty() {
        page.cut_row("body", &text::escape(&body.join(" ")));
    }
}

fn field(label: &str, name: &str, fields: &Fields<'_>, wire: Wire, page: &mut Page<'_>) {
    if let Some(value) = wire.first(fields, name) {
        page.cut_row(label, &text::escape(&value));
    }
}

/// What the capture lacks of the connection.
fn gaps(connection: &Connection, page: &mut Page<'_>) {
    let lacks: Vec<String> = [Role::Client, Role::Server]
        .into_iter()
        .map(|role| (connection.half(role), role))
        .filter(|(half, _)| half.missing_bytes > 0)
        .map(|(half, role)| {
            let bytes = format!("{} from the {}", count(half.missing_bytes, "byte"), role.name());
            // Otherwise somebody on the way may have lost them.
            match half.missing_acknowledged_bytes {
                all if all == half.missing_bytes => {
                    format!("{bytes}, which the {} received", role.other().name())
                }
                _ => bytes,
            }
        })
        .collect();
    if !lacks.is_empty() {
        page.row("gaps", &format!("the capture lacks {}", lacks.join(" and ")));
    }
}

/// `999999.123 s` is eleven days.
const RELATIVE_COLUMNS: usize = 12;

const REASON_COLUMNS: usize = 32;
