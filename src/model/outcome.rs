//! What became of an attempt, and how a session ended. Both follow from facts by definition; nothing is judged.

use crate::limits::UNANSWERED_AFTER;
use crate::model::Connection;
use crate::protocol::{Accept, Attempt, RequestProblem, ResponseFacts, Role, SessionFacts};
use crate::tcp::Opened;
use crate::units::Timestamp;

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Answered with a 101 that RFC 6455 section 4.1 lets a client accept.
    Established,
    /// Answered with a 101 that a client must refuse.
    Invalid,
    /// Answered with another final status.
    Refused,
    /// Not answered: the connection ended, or the capture went on for [`UNANSWERED_AFTER`].
    Unanswered,
    /// Frames without a handshake in the capture.
    Midstream,
    /// The capture does not show enough, or ends while the request still waits.
    Unknown,
}

impl Outcome {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 6] =
        [Self::Established, Self::Invalid, Self::Refused, Self::Unanswered, Self::Midstream, Self::Unknown];

    /// Of an attempt on a connection, in a capture that ends at `capture_end`.
    #[must_use]
    pub fn of(attempt: &Attempt, connection: &Connection, capture_end: Timestamp) -> Self {
        Self::of_answered(attempt).unwrap_or_else(|| Self::without_response(attempt, connection, capture_end))
    }

    /// The same of one that was answered, which is all that there is to know then; none if it was not.
    #[must_use]
    pub fn of_answered(attempt: &Attempt) -> Option<Self> {
        attempt.response.as_ref().map(|response| Self::with_response(attempt, response))
    }

    fn with_response(attempt: &Attempt, response: &ResponseFacts) -> Self {
        if response.status != SWITCHING_PROTOCOLS {
            return Self::Refused;
        }
        // Who sent no key has nothing to check an accept value with, and nobody switches unasked (RFC 9110 section 15.2.2).
        let asked_without_key =
            attempt.request.as_ref().is_some_and(|it| it.problems.contains(&RequestProblem::KeyMissing));
        if asked_without_key || response.problems.iter().any(|problem| problem.is_fatal()) {
            return Self::Invalid;
        }
        let accept_is_valid = response.accept == Accept::Valid;
        let request_is_whole = attempt.request.as_ref().is_some_and(|request| request.complete);
        if response.complete && (accept_is_valid || request_is_whole) {
            Self::Established
        } else {
            Self::Unknown
        }
    }

    /// Whether the outcome depends on how long the capture goes on.
    #[must_use]
    pub fn is_open(attempt: &Attempt, connection: &Connection) -> bool {
        let earliest = Self::of(attempt, connection, Timestamp::MIN);
        earliest == Self::Unknown
            && attempt.response.is_none()
            && !attempt.response_lost
            && !attempt.midstream
    }

    fn without_response(attempt: &Attempt, connection: &Connection, capture_end: Timestamp) -> Self {
        if attempt.midstream {
            return Self::Midstream;
        }
        // Without the answer to the SYN, or a byte of the server, nobody can tell where its bytes begin, and so not whether
        // the first of them are missing: what seems not to be HTTP may be frames behind a 101.
        let opening = &connection.tcp.opening;
        let begins_unseen = match opening.opened {
            Opened::Handshake => opening.connect.is_none(),
            Opened::Midstream => {
                connection.half(Role::Server).payload_bytes == 0 || attempt.foreign.is_some()
            }
            Opened::Refused | Opened::Unanswered => false,
        };
        let answer_may_be_missing = attempt.response_lost
            || connection.tcp.evicted
            || connection.half(Role::Server).packets == 0
            || begins_unseen;
        let Some(request) = attempt.request.as_ref().filter(|_| !answer_may_be_missing) else {
            return Self::Unknown;
        };
        let ended = connection.tcp.ending.is_some();
        let waited_long = capture_end.since(request.origin.time) >= UNANSWERED_AFTER;
        if ended || waited_long { Self::Unanswered } else { Self::Unknown }
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Midstream => "midstream",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the user's WebSocket surely did not come to be.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Invalid | Self::Refused | Self::Unanswered)
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// With the closing handshake: a close frame each way (RFC 6455 section 7.1.4).
    Clean,
    /// The connection ended without it.
    Abnormal,
    /// Not within the capture.
    Open,
}

impl SessionEnd {
    /// Of a session on a connection. Where the capture has one side only it does not show an end.
    #[must_use]
    pub const fn of(session: &SessionFacts, connection: &Connection) -> Self {
        if session.client.close > 0 && session.server.close > 0 {
            Self::Clean
        } else if connection.tcp.ending.is_some() && !connection.is_one_sided() {
            Self::Abnormal
        } else {
            Self::Open
        }
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Abnormal => "abnormal",
            Self::Open => "open",
        }
    }
}

const SWITCHING_PROTOCOLS: u16 = 101;
