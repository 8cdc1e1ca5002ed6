//! What is to be done outside of the state, as data. Whoever owns the terminal does it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::news::Finished;
use super::rows::{AttemptId, Row};
use crate::model::Connection;
use crate::units::PacketNumber;

/// Something to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// End the program.
    Quit,
    /// Give the terminal back to the shell until it goes on with the program.
    Suspend,
    /// Have the reader hand over the connection of this name.
    Fetch(PacketNumber),
    /// Read the messages of a session again from the capture, from this index on.
    ReadMessages(SessionOf, u64),
    /// Read one message of a session again, by its index, in full.
    ReadWhole(SessionOf, u64),
    /// Read again what happened below the streams of the legs of an attempt, the client's own first.
    ReadHappenings(Vec<SessionOf>),
    /// Put a text on the clipboard of whoever sits at the terminal.
    Copy(String),
    /// Take these apart where nobody waits for it: 100,000 rows take longer than a frame may.
    Discard(Discarded),
    /// Write a new file beside where the program was started; one that is there stays as it is.
    Save(Export),
}

/// What nobody looks at any more.
#[derive(Debug, Default)]
pub struct Discarded {
    /// Rows.
    pub rows: Vec<Row>,
    /// What there was of a capture that has gone on since.
    pub finished: Option<Box<Finished>>,
}

/// The session of an attempt: the connection, and the attempt's place on it.
#[derive(Clone)]
pub struct SessionOf {
    /// The connection.
    pub connection: Box<Connection>,
    /// The attempt's place among those of the connection.
    pub attempt: usize,
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name, without a directory.
    pub name: String,
    /// What stands in it.
    pub content: Content,
}

/// What stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The packets of these connections as pcapng, and something to say about some of them.
    Packets(Vec<SessionOf>, Vec<(PacketNumber, String)>),
}

impl Discarded {
    /// What there was of a capture.
    #[must_use]
    pub const fn finished(finished: Box<Finished>) -> Self {
        Self { rows: Vec::new(), finished: Some(finished) }
    }
}

impl PartialEq for Discarded {
    /// What there was of a capture is not looked into.
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl Eq for Discarded {}

impl SessionOf {
    /// What the attempt is called.
    #[must_use]
    pub const fn id(&self) -> AttemptId {
        AttemptId { connection: self.connection.id(), attempt: self.attempt }
    }
}

impl fmt::Debug for SessionOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

impl PartialEq for SessionOf {
    /// A connection's name tells it from all others of its capture.
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for SessionOf {}

/// What makes a terminal put a text on its clipboard (OSC 52).
#[must_use]
pub fn clipboard(text: &str) -> String {
    format!("\x1b]52;c;{}\x07", STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_reaches_the_terminal_as_it_is() {
        assert_eq!(clipboard("a\x1b[2J"), "\x1b]52;c;YRtbMko=\x07");
    }
}
