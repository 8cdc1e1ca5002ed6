//! What a proxy made of an answer.

use crate::protocol::Attempt;

/// What a proxy made of the answer that it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFate {
    /// The status and the start of the body went on to the client's side.
    Passed,
    /// The client's side got the same status with another body.
    Changed,
    /// The client's side got another status.
    Replaced,
    /// There was no answer, and the client's side got one.
    MadeUp,
    /// There was an answer, and the client's side got none.
    Dropped,
    /// Neither side shows an answer.
    None,
}

impl AnswerFate {
    /// Of an attempt before and after a proxy.
    #[must_use]
    pub fn of(before: &Attempt, after: &Attempt) -> Self {
        match (&before.response, &after.response) {
            (Some(before), Some(after)) if before.status != after.status => Self::Replaced,
            (Some(before), Some(after)) => {
                // One of them may be cut.
                let length = before.body_start.len().min(after.body_start.len());
                let same = before.body_start.get(..length) == after.body_start.get(..length);
                let empty = before.body_start.is_empty() == after.body_start.is_empty();
                if same && empty { Self::Passed } else { Self::Changed }
            }
            (Some(_), None) => Self::MadeUp,
            (None, Some(_)) => Self::Dropped,
            (None, None) => Self::None,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Changed => "changed",
            Self::Replaced => "replaced",
            Self::MadeUp => "made-up",
            Self::Dropped => "dropped",
            Self::None => "none",
        }
    }
}
