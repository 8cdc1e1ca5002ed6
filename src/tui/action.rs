//! What a person can do.

/// Something that a person does. Keys and the mouse become actions by `super::keymap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave the program.
    Quit,
    /// Close what is on top; the overview when nothing is closes the program.
    Close,
    /// Close what is on top; never the program.
    Back,
    /// Go somewhere in the list or on the page.
    Move(Motion),
    /// Look at what is under the cursor.
    Open,
    /// Go to a screen.
    Show(Screen),
    /// The next of the screens of an attempt.
    NextView,
    /// The one before.
    PreviousView,
    /// The other list of the overview.
    OtherPane,
    /// Type a filter; where there are messages, a search.
    Filter,
    /// A character of the filter.
    Type(char),
    /// Take the last character of the filter away.
    Erase,
    /// Take its last word away.
    EraseWord,
    /// Take all of it away.
    EraseAll,
    /// The filter is as it should be.
    Accept,
    /// Show the attempts that failed only, or all of them again.
    Failures,
    /// The next attempt that the filter shows, or that failed.
    Next,
    /// The one before.
    Previous,
    /// Sort by the next column.
    Sort,
    /// Sort the other way round.
    SortBackwards,
    /// Choose columns.
    Columns,
    /// Show or hide the column, copy the text under the cursor.
    Choose,
    /// Keep to the latest attempt, or no longer.
    Follow,
    /// Show nothing new until told otherwise.
    Freeze,
    /// Choose what to copy.
    Copy,
    /// Choose what to export.
    Export,
    /// Show payloads in another form.
    Form,
    /// Read a message that was cut in full.
    Whole,
    /// The next attempt of the list, whatever is searched for.
    NextAttempt,
    /// The one before.
    PreviousAttempt,
    /// Show the times in another way.
    Times,
    /// Show what the keys do, or no longer.
    Help,
    /// Stop the program until the shell goes on with it.
    Suspend,
    /// A click on a cell of the terminal: column and row, from 0.
    Click(u16, u16),
    /// The terminal has another size: columns and rows.
    Resize(u16, u16),
}

/// A way to go in a list or on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are directions")]
pub enum Motion {
    Up,
    Down,
    PageUp,
    PageDown,
    HalfUp,
    HalfDown,
    First,
    Last,
    /// Three lines up, as mouse wheels do.
    WheelUp,
    WheelDown,
}

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// The verdict, the leading findings, the attempts.
    #[default]
    Overview,
    /// One attempt: its heads, and what was found about it.
    Attempt,
    /// One attempt as a ladder of what was sent when.
    Flow,
    /// The frames of one attempt.
    Messages,
    /// The findings, with the pages of their rules.
    Findings,
    /// What was read.
    Capture,
}

impl Screen {
    /// The screens of one attempt, in the order of their tabs.
    pub const OF_ATTEMPT: [Self; 3] = [Self::Attempt, Self::Flow, Self::Messages];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Attempt => "attempt",
            Self::Flow => "flow",
            Self::Messages => "messages",
            Self::Findings => "findings",
            Self::Capture => "capture",
        }
    }
}
