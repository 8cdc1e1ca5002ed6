//! What flowed after an upgrade, in rows.

use super::page::Page;
use super::sentences;
use crate::model::{Application, Connection, PollingProtocol, SessionEnd, close_meaning};
use crate::protocol::{Attempt, PingFacts, RequestFacts, ResponseFacts, Role, RoleFacts, SessionFacts};
use crate::report::count::{count, number, span};
use crate::report::wire::Wire;
use crate::routes::Polling;
use crate::text;

/// The rows of a session.
pub(super) fn rows(
    session: &SessionFacts,
    attempt: &Attempt,
    connection: &Connection,
    wire: Wire,
    page: &mut Page<'_>,
) {
    if let Some(agreed) = agreed(attempt, wire) {
        page.cut_row("agreed", &agreed);
    }
    if session.client.frames() == 0 && session.server.frames() == 0 {
        page.row("frames", "none in either direction");
    } else {
        let sent = |role: Role| {
            let sent = if is_seen(role, connection) {
                sent(session.role(role))
            } else {
                "not in the capture".to_owned()
            };
            format!("{}: {sent}", role.name())
        };
        page.row("frames", &sent(Role::Client));
        page.row("", &sent(Role::Server));
    }
    // Of one side alone nobody can tell what was answered.
    let both_seen = is_seen(Role::Client, connection) && is_seen(Role::Server, connection);
    if let Some(pings) = pings(&session.pings).filter(|_| both_seen) {
        page.row("pings", &pings);
    }
    if session.early_client_bytes > 0 {
        let bytes = count(session.early_client_bytes, "byte");
        page.row("early", &format!("the client sent {bytes} before it can have seen the answer"));
    }
    for (at, anomaly) in session.anomalies.iter().enumerate() {
        page.bad_row(if at == 0 { "violations" } else { "" }, &sentences::anomaly(anomaly));
    }
    page.row("close", &close(session, attempt, connection, wire));
}

/// What is spoken in an attempt, as far as its target tells, and the session's plain requests beside it.
pub(crate) fn spoken(attempt: &Attempt, polling: Option<&Polling>) -> Option<String> {
    let target = attempt.request.as_ref().map(RequestFacts::head).map_or("", |head| head.target);
    let application = Application::of(None, target).map(Application::name);
    let Some(polling) = polling else {
        // What the subprotocol says already is told where the answer is.
        let is_told = Application::of_attempt(attempt) == Application::of(None, target)
            && attempt
                .response
                .as_ref()
                .is_some_and(|answer| answer.head().fields.values(SUBPROTOCOL).next().is_some());
        return application.filter(|_| !is_told).map(str::to_owned);
    };
    let (name, what) = match polling.protocol {
        PollingProtocol::EngineIo => ("Engine.IO", "polling request"),
        PollingProtocol::SignalR => ("SignalR", "request"),
        PollingProtocol::SockJs => ("SockJS", "request"),
    };
    let name = application.unwrap_or(name);
    let (first, last) = (polling.first.0, polling.last.0);
    let when = match (polling.before, polling.after) {
        (1, 0) if polling.protocol == PollingProtocol::SignalR => {
            return Some(format!("{name}, negotiated before{} ({first})", refused(polling)));
        }
        (before, 0) => format!("{} of the session before it", count(before, what)),
        (0, after) => format!("{} of the session after it", count(after, what)),
        (before, after) => {
            format!("{} of the session before it and {} after", count(before, what), number(after))
        }
    };
    let on = if polling.connections > 1 {
        format!(" on {}", count(polling.connections, "connection"))
    } else {
        String::new()
    };
    let packets = if first == last { first.to_string() } else { format!("{first} to {last}") };
    Some(format!("{name}; {when}{on}{} ({packets})", refused(polling)))
}

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

fn refused(polling: &Polling) -> String {
    if polling.refused == 0 { String::new() } else { format!(", {} refused", number(polling.refused)) }
}

/// What the answer agreed to.
pub(crate) fn agreed(attempt: &Attempt, wire: Wire) -> Option<String> {
    let answer = attempt.response.as_ref().map(ResponseFacts::head)?;
    let asked = attempt.request.as_ref().map(RequestFacts::head).unwrap_or_default();
    let chosen = wire.chosen(&answer.fields, &wire.offered(&asked.fields));
    let subprotocol = chosen.map(|chosen| format!("subprotocol {chosen}"));
    let extensions = answer.fields.list("Sec-WebSocket-Extensions").into_iter().map(str::to_owned);
    let agreed: Vec<String> = subprotocol.into_iter().chain(extensions).collect();
    (!agreed.is_empty()).then(|| text::escape(&agreed.join(", ")).into_owned())
}

/// Whether anything at all that one side sent is in the capture.
pub(crate) const fn is_seen(role: Role, connection: &Connection) -> bool {
    connection.half(role).packets > 0
}

/// What one side sent.
pub(crate) fn sent(facts: &RoleFacts) -> String {
    let kinds = [
        (facts.text, "text", "text"),
        (facts.binary, "binary", "binary"),
        (facts.continuation, "continuation", "continuation"),
        (facts.ping, "ping", "pings"),
        (facts.pong, "pong", "pongs"),
        (facts.close, "close", "close"),
        (facts.other, "reserved", "reserved"),
    ];
    let mut parts: Vec<String> = kinds
        .into_iter()
        .filter(|(frames, ..)| *frames > 0)
        .map(|(frames, one, many)| format!("{} {}", number(frames), if frames == 1 { one } else { many }))
        .collect();
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    } else {
        parts.push(count(facts.payload_bytes, "byte"));
    }
    if facts.undecoded_bytes > 0 {
        parts.push(format!("and {} in no frame that could be found", count(facts.undecoded_bytes, "byte")));
    }
    if facts.resyncs > 0 {
        parts.push(format!("frames found again after {}", count(facts.resyncs, "gap")));
    }
    parts.join(", ")
}

pub(crate) fn pings(facts: &PingFacts) -> Option<String> {
    let all = facts.answered.saturating_add(facts.unanswered);
    if all == 0 {
        return None;
    }
    let words = match (facts.answered, facts.unanswered) {
        (_, 0) => format!("{} answered", number(all)),
        (0, _) => format!("none of {} answered", number(all)),
        (answered, _) => format!("{} of {} answered", number(answered), number(all)),
    };
    let times = facts.median.zip(facts.extremes).map(|(median, (shortest, longest))| {
        let spread = format!(" (median; {} to {})", span(shortest), span(longest));
        format!(" after {}{}", span(median), if shortest == longest { "" } else { &spread })
    });
    Some(words + &times.unwrap_or_default())
}

/// The closing handshake, or that there was none.
pub(crate) fn close(
    session: &SessionFacts,
    attempt: &Attempt,
    connection: &Connection,
    wire: Wire,
) -> String {
    let Some(close) = &session.close else {
        return match SessionEnd::of(session, connection) {
            SessionEnd::Open => "none within the capture".to_owned(),
            SessionEnd::Clean | SessionEnd::Abnormal => "no close frame from either side".to_owned(),
        };
    };
    let code = match close.code {
        1005 => "no code".to_owned(),
        code => {
            format!("{code} ({})", close_meaning(code, Application::of_attempt(attempt)).name)
        }
    };
    let reason = match &*close.reason {
        [] => String::new(),
        reason => format!(" \"{}\"", text::escape(&wire.text(reason))),
    };
    let other = close.by.other();
    let answered = match session.role(other).close {
        0 if connection.is_ended_before(other, close.origin.packet) => {
            format!(", after the end by the {}", other.name())
        }
        0 if is_seen(other, connection) => format!(", not answered by the {}", other.name()),
        _ => String::new(),
    };
    format!("{code}{reason} by the {}, {}{answered}", close.by.name(), close.origin.packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[test]
    fn frames_are_told_by_kind() {
        let some = RoleFacts {
            text: 1_200,
            ping: 1,
            pong: 2,
            close: 1,
            payload_bytes: 5_000,
            ..RoleFacts::default()
        };
        let cases = [
            (RoleFacts::default(), "nothing"),
            (some, "1,200 text, 1 ping, 2 pongs, 1 close, 5,000 bytes"),
            (RoleFacts { other: 1, undecoded_bytes: 1, resyncs: 2, ..RoleFacts::default() }, {
                "1 reserved, 0 bytes, and 1 byte in no frame that could be found, frames found again after 2 gaps"
            }),
        ];
        for (facts, expected) in cases {
            assert_eq!(sent(&facts), expected);
        }
    }

    #[test]
    fn pings_are_told_with_their_times() {
        let millis = Span::from_millis;
        let facts = |answered, unanswered, times: Option<(i64, i64, i64)>| PingFacts {
            answered,
            unanswered,
            extremes: times.map(|(shortest, _, longest)| (millis(shortest), millis(longest))),
            median: times.map(|(_, median, _)| millis(median)),
            ..PingFacts::default()
        };
        let cases = [
            (facts(0, 0, None), None),
            (facts(0, 2, None), Some("none of 2 answered")),
            (facts(1, 0, Some((5, 5, 5))), Some("1 answered after 5.00 ms")),
            (
                facts(9, 1, Some((1, 2, 900))),
                Some("9 of 10 answered after 2.00 ms (median; 1.00 ms to 900 ms)"),
            ),
        ];
        for (facts, expected) in cases {
            assert_eq!(pings(&facts).as_deref(), expected);
        }
    }
}
