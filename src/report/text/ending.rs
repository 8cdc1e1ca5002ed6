//! How a connection ended: by whom, after how much silence, after how long a session.

use crate::limits::LIVE_IDLE;
use crate::model::{Connection, Outcome};
use crate::protocol::Attempt;
use crate::report::count::span;
use crate::tcp::EndedBy;
use crate::units::{Span, Timestamp};

/// The end of the connection of an attempt, in a capture that ends at `capture_end`.
pub(crate) fn sentence(attempt: &Attempt, connection: &Connection, capture_end: Timestamp) -> String {
    let end = connection.tcp.ending.map_or(capture_end, |ending| ending.origin.time);
    let how = match (connection.tcp.ending, connection.closed_by()) {
        (Some(ending), Some(by)) => {
            let bit = match ending.how {
                EndedBy::Fin => "FIN",
                EndedBy::Reset => "RST",
            };
            let silence = connection.last_payload().and_then(|last| silence(end.since(last)));
            format!("{} {bit}{}, {}", by.name(), silence.unwrap_or_default(), ending.origin.packet)
        }
        _ if connection.tcp.evicted && capture_end.since(connection.tcp.last.1) >= LIVE_IDLE => {
            return "not followed to its end: nothing was heard of it for two hours".to_owned();
        }
        _ if connection.tcp.evicted => {
            return "not followed to its end: too many connections were open at once".to_owned();
        }
        _ => {
            let quiet = connection.last_payload().map(|last| end.since(last));
            let quiet = quiet.filter(|quiet| *quiet >= SILENCE);
            let quiet = quiet.map(|quiet| format!(", after {} of silence", span(quiet)));
            format!("still open when the capture ends{}", quiet.unwrap_or_default())
        }
    };
    match duration(attempt, connection, end) {
        Some(duration) => format!("{how}; open for {}", span(duration)),
        None => how,
    }
}

/// From the answer to the end of the connection, if frames could flow.
fn duration(attempt: &Attempt, connection: &Connection, end: Timestamp) -> Option<Span> {
    attempt.session.as_ref()?;
    let outcome = Outcome::of(attempt, connection, end);
    let start = attempt.response.as_ref().map(|response| response.origin.time);
    let lasted = end.since(start?);
    (!outcome.is_failure() && connection.tcp.ending.is_some() && lasted >= Span::default()).then_some(lasted)
}

fn silence(silence: Span) -> Option<String> {
    match silence {
        _ if silence < Span::default() => None,
        _ if silence < SILENCE => Some(format!(" {} after the last payload", span(silence))),
        _ => Some(format!(" after {} of silence", span(silence))),
    }
}

/// Less is no silence, it is a pause.
const SILENCE: Span = Span::from_millis(1_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_pauses_are_no_silence() {
        assert_eq!(silence(Span::from_millis(-1)), None);
        assert_eq!(silence(Span::from_millis(2)).unwrap(), " 2.00 ms after the last payload");
        assert_eq!(silence(Span::from_millis(3_004)).unwrap(), " after 3.0 s of silence");
    }
}
