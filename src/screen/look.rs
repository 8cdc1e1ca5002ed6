//! What the terminal is, as far as its environment says.

use std::env;
use std::io::{self, IsTerminal};

use crate::cli::{Background, Color};
use crate::tui::{Colors, Theme};

/// Whether standard output is a terminal that screens can be drawn on.
#[must_use]
pub fn is_terminal() -> bool {
    let is_dumb = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    !is_dumb && io::stdout().is_terminal()
}

/// As many colours as the terminal says it has. Those that depend on the background are used if that is known.
///
/// The terminal is not asked for its background (OSC 11), though many would tell: the answer comes among the keys that
/// somebody types, after nobody knows how long, or never. What comes late over a slow line would be taken for keys, and
/// what is waited for would hold up the first frame.
#[must_use]
pub fn theme(background: Background, color: Color, is_ascii: bool) -> Theme {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let is_light = match background {
        Background::Light => Some(true),
        Background::Dark => Some(false),
        // `15;0`: the last number is the background's.
        Background::Auto => match variable("COLORFGBG").rsplit(';').next().map(str::parse::<u8>) {
            Some(Ok(color)) => Some(matches!(color, 7 | 9..=15)),
            _ => None,
        },
    };
    let is_unwanted = !variable("NO_COLOR").is_empty() && color == Color::Auto;
    let colors = match (color, is_light) {
        (Color::Never, _) => Colors::None,
        _ if is_unwanted => Colors::None,
        (_, None) => Colors::Sixteen,
        _ if matches!(variable("COLORTERM").as_str(), "truecolor" | "24bit") => Colors::True,
        _ if variable("TERM").contains("256color") => Colors::Indexed,
        _ => Colors::Sixteen,
    };
    Theme { colors, is_light: is_light.unwrap_or_default(), is_ascii }
}
