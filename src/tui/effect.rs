//! What is to be done outside of the state, as data. Whoever owns the terminal does it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::units::PacketNumber;

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// End the program.
    Quit,
    /// Give the terminal back to the shell until it goes on with the program.
    Suspend,
    /// Have the reader hand over the connection of this name.
    Fetch(PacketNumber),
    /// Put a text on the clipboard of whoever sits at the terminal.
    Copy(String),
}

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
