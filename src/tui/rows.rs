//! The rows of the attempts table: what is shown of each attempt, put together once, where the reader works.
//!
//! Texts are redacted and escaped already, so that whoever draws them can do nothing wrong.

use super::shown::Shown;
use crate::diagnosis::{About, Diagnosis};
use crate::model::{Application, Capture, Connection, Outcome, close_meaning};
use crate::protocol::{Attempt, Role, RoleFacts};
use crate::report::text::attempt::began;
use crate::routes::{Hop, Route};
use crate::tcp::EndedBy;
use crate::text;
use crate::units::{PacketNumber, Span, Timestamp};

/// What an attempt is called: its connection's name, and its place on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The connection's first packet.
    pub connection: PacketNumber,
    /// The attempt's place among those of the connection.
    pub attempt: usize,
}

/// An attempt, or a route by its client's own leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is called.
    pub id: AttemptId,
    /// The route's place among the routes, once they are known.
    pub route: Option<usize>,
    /// When it began.
    pub began: Timestamp,
    /// Who asked.
    pub client: Box<str>,
    /// Who was asked, and who was asked behind it.
    pub server: Box<str>,
    /// The host that was asked for.
    pub host: Box<str>,
    /// The target that was asked for.
    pub target: Box<str>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What became of it.
    pub outcome: Outcome,
    /// From the request to the answer.
    pub latency: Option<Span>,
    /// Frames of the client and of the server.
    pub frames: Option<[u64; 2]>,
    /// Payload bytes of these frames.
    pub bytes: [u64; 2],
    /// From the answer to the end of the connection, if frames could flow.
    pub duration: Option<Span>,
    /// How it ended, in a word or two.
    pub close: Box<str>,
    /// What the code of the close frame means, in a few words; empty if there is none.
    pub close_name: &'static str,
    /// The leading finding about it, as a place among the findings.
    pub finding: Option<usize>,
    /// What a search looks at, in small letters.
    haystack: Box<str>,
}

impl Row {
    /// Whether a text in small letters is in any of its names.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        self.haystack.contains(text)
    }
}

/// The rows of a connection while reading goes on.
#[must_use]
pub fn rows_so_far(connection: &Connection, end: Timestamp, shown: Shown) -> Vec<Row> {
    let attempts = connection.attempts.iter().enumerate();
    attempts.map(|(number, attempt)| row(connection, (attempt, number), end, shown)).collect()
}

/// The rows of all routes.
#[must_use]
pub(super) fn rows_of_routes(capture: &Capture, diagnosis: &Diagnosis, shown: Shown) -> Vec<Row> {
    let end = capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    let leading = leading_findings(diagnosis);
    let of = |(index, route): (usize, &Route)| {
        let leg = route.legs.first()?;
        let connection = capture.connections.get(leg.connection)?;
        let attempt = connection.attempts.get(leg.attempt)?;
        let mut row = row(connection, (attempt, leg.attempt), end, shown);
        row.route = Some(index);
        row.server = way(route, capture, connection).into();
        row.finding = leading.get(index).copied().flatten();
        row.haystack = haystack(&row);
        Some(row)
    };
    diagnosis.routes.iter().enumerate().filter_map(of).collect()
}

/// For each route, the first of the verdicts that is about it.
fn leading_findings(diagnosis: &Diagnosis) -> Vec<Option<usize>> {
    let mut leading = vec![None; diagnosis.routes.len()];
    for (place, verdict) in diagnosis.verdicts().iter().enumerate() {
        for finding in &verdict.findings {
            let About::Routes(routes) = &finding.about else { continue };
            for route in routes {
                if let Some(slot @ None) = leading.get_mut(*route) {
                    *slot = Some(place);
                }
            }
        }
    }
    leading
}

fn row(connection: &Connection, (attempt, number): (&Attempt, usize), end: Timestamp, shown: Shown) -> Row {
    let outcome = Outcome::of(attempt, connection, end);
    let head = attempt.request.as_ref().map(crate::protocol::RequestFacts::head);
    let target = head.as_ref().map_or_else(
        || if attempt.midstream { "(before the capture)" } else { "(not in the capture)" }.to_owned(),
        |head| text::escape(&shown.wire().text(head.target.as_bytes())).into_owned(),
    );
    let host = head.as_ref().and_then(|head| shown.wire().first(&head.fields, "Host"));
    let asked = attempt.request.as_ref().map(|request| request.origin.time);
    let answered = attempt.response.as_ref().map(|response| response.origin.time);
    let sent = |count: fn(&RoleFacts) -> u64| {
        attempt.session.as_ref().map(|session| [count(&session.client), count(&session.server)])
    };
    let mut row = Row {
        id: AttemptId { connection: connection.id(), attempt: number },
        route: None,
        began: began(attempt, connection),
        client: connection.endpoint(Role::Client).to_string().into(),
        server: connection.endpoint(Role::Server).to_string().into(),
        host: host.map(|host| text::escape(&host).into_owned()).unwrap_or_default().into(),
        target: target.into(),
        status: attempt.response.as_ref().map(|response| response.status),
        outcome,
        latency: asked.zip(answered).map(|(asked, answered)| answered.since(asked)),
        frames: sent(RoleFacts::frames),
        bytes: sent(|facts| facts.payload_bytes).unwrap_or_default(),
        duration: duration(attempt, connection, end),
        close: close(attempt, connection).into(),
        close_name: close_name(attempt),
        finding: None,
        haystack: Box::default(),
    };
    row.haystack = haystack(&row);
    row
}

fn haystack(row: &Row) -> Box<str> {
    let (outcome, close) = (row.outcome.name(), &*row.close);
    let all = [&*row.target, &*row.host, &*row.client, &*row.server, outcome, close, row.close_name];
    all.join("\n").to_lowercase().into()
}

/// Who was asked on each leg: `10.77.1.1:80 > nginx > 10.77.2.2:3000`.
fn way(route: &Route, capture: &Capture, first: &Connection) -> String {
    let mut way = first.endpoint(Role::Server).to_string();
    for leg in route.legs.iter().skip(1) {
        let Some(connection) = capture.connections.get(leg.connection) else { continue };
        let name = leg.hop.as_ref().map_or("proxy", Hop::name);
        way = format!("{way} > {name} > {}", connection.endpoint(Role::Server));
    }
    let proxy = route.front.as_ref().and_then(|proxy| proxy.software);
    match (route.legs.len(), proxy, route.tries.first().and_then(|at| capture.connections.get(*at))) {
        (1, _, Some(tried)) => format!("{way} > {}", tried.endpoint(Role::Server)),
        (1, Some(software), None) => format!("{way} {}", software.name()),
        _ => way,
    }
}

fn duration(attempt: &Attempt, connection: &Connection, end: Timestamp) -> Option<Span> {
    attempt.session.as_ref()?;
    let start =
        attempt.response.as_ref().map_or(connection.tcp.opening.first.time, |answer| answer.origin.time);
    let until = connection.tcp.ending.map_or(end, |ending| ending.origin.time);
    Some(until.since(start)).filter(|lasted| *lasted >= Span::default())
}

/// What the close frame's code means; empty if there is none.
fn close_name(attempt: &Attempt) -> &'static str {
    let close = attempt.session.as_ref().and_then(|session| session.close.as_ref());
    let meaning = |code| close_meaning(code, Application::of_attempt(attempt)).name;
    close.map_or("", |close| meaning(close.code))
}

/// The close frame's code and sender, or the first FIN or RST, or that it is still open.
fn close(attempt: &Attempt, connection: &Connection) -> String {
    let frame = attempt.session.as_ref().and_then(|session| session.close.as_ref());
    if let Some(close) = frame {
        return format!("{} {}", close.code, close.by.name());
    }
    match (connection.tcp.ending, connection.closed_by()) {
        (Some(ending), Some(by)) => {
            let bit = if ending.how == EndedBy::Fin { "FIN" } else { "RST" };
            format!("{bit} {}", by.name())
        }
        _ => "open".to_owned(),
    }
}
