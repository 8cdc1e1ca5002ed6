//! How things look: colours as far as the terminal has them, and symbols.
//!
//! A style repeats what a word or a symbol says. Without colours nothing is lost but speed of reading.

use ratatui::style::{Color, Modifier, Style};

use crate::diagnosis::Severity;
use crate::model::Outcome;

/// How many colours there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colors {
    /// None are wanted (`NO_COLOR`); bold, dim and reverse are there.
    None,
    /// The sixteen that the terminal's owner has chosen.
    #[default]
    Sixteen,
    /// The palette of 256.
    Indexed,
    /// All of them.
    True,
}

/// Colours, background and symbols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    /// How many colours there are.
    pub colors: Colors,
    /// The background is light.
    pub is_light: bool,
    /// Only ASCII is drawn.
    pub is_ascii: bool,
}

impl Theme {
    /// What failed.
    #[must_use]
    pub fn bad(self) -> Style {
        self.colored(Color::Red, (160, 203), ((178, 24, 24), (255, 110, 110))).add_modifier(Modifier::BOLD)
    }

    /// What works.
    #[must_use]
    pub fn good(self) -> Style {
        self.colored(Color::Green, (28, 114), ((16, 112, 40), (120, 210, 130)))
    }

    /// What is not known, or fragile.
    #[must_use]
    pub fn unsure(self) -> Style {
        self.colored(Color::Yellow, (130, 221), ((140, 90, 0), (240, 200, 90)))
    }

    /// What is there to be found, not to be read.
    #[must_use]
    pub fn quiet(self) -> Style {
        match self.colors {
            Colors::None | Colors::Sixteen => Style::new().add_modifier(Modifier::DIM),
            Colors::Indexed | Colors::True => {
                self.colored(Color::Reset, (242, 246), ((105, 105, 105), (150, 150, 150)))
            }
        }
    }

    /// Names of things that can be done or chosen.
    #[must_use]
    pub fn accent(self) -> Style {
        self.colored(Color::Cyan, (25, 117), ((0, 90, 150), (120, 190, 255)))
    }

    /// Titles.
    #[must_use]
    pub fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The first and the last line.
    #[must_use]
    pub fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The row under the cursor.
    #[must_use]
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What is searched for.
    #[must_use]
    pub fn found(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The row under the cursor of a list that the keys do not go to.
    #[must_use]
    pub fn remembered(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What a mark of a changed line means: dropped, added, changed.
    #[must_use]
    pub fn mark(self, mark: &str) -> Style {
        match mark {
            "dropped" => self.bad(),
            "added" => self.good(),
            "changed" => self.unsure(),
            _ => Style::new(),
        }
    }

    /// An outcome.
    #[must_use]
    pub fn outcome(self, outcome: Outcome) -> Style {
        match outcome {
            Outcome::Established => self.good(),
            Outcome::Invalid | Outcome::Refused | Outcome::Unanswered => self.bad(),
            Outcome::Midstream | Outcome::Unknown => self.unsure(),
        }
    }

    /// A severity.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Error => self.bad(),
            Severity::Warning => self.unsure(),
            Severity::Note => Style::new(),
        }
    }

    /// The symbol of an outcome, one column wide.
    #[must_use]
    pub const fn symbol(self, outcome: Outcome) -> &'static str {
        match (outcome, self.is_ascii) {
            (Outcome::Established, true) => "+",
            (Outcome::Established, false) => "✓",
            (Outcome::Invalid | Outcome::Refused | Outcome::Unanswered, true) => "x",
            (Outcome::Invalid | Outcome::Refused | Outcome::Unanswered, false) => "✗",
            (Outcome::Midstream, _) => "~",
            (Outcome::Unknown, _) => "?",
        }
    }

    /// One of two texts: the second where only ASCII is drawn.
    #[must_use]
    pub const fn glyph(self, any: &'static str, ascii: &'static str) -> &'static str {
        if self.is_ascii { ascii } else { any }
    }

    /// What stands for the rest of a text that was cut.
    #[must_use]
    pub const fn ellipsis(self) -> &'static str {
        self.glyph("…", "...")
    }

    /// Bars of growing height, the first of them nothing.
    #[must_use]
    pub const fn bars(self) -> &'static [&'static str] {
        if self.is_ascii {
            &[" ", ".", ":", "-", "=", "+", "*", "#"]
        } else {
            &[" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        }
    }

    fn colored(
        self,
        named: Color,
        (light_index, dark_index): (u8, u8),
        (light, dark): ((u8, u8, u8), (u8, u8, u8)),
    ) -> Style {
        let color = match self.colors {
            Colors::None => return Style::new(),
            Colors::Sixteen => named,
            Colors::Indexed => Color::Indexed(if self.is_light { light_index } else { dark_index }),
            Colors::True => {
                let (red, green, blue) = if self.is_light { light } else { dark };
                Color::Rgb(red, green, blue)
            }
        };
        Style::new().fg(color)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_a_colour_where_none_is_wanted() {
        let theme = Theme { colors: Colors::None, ..Theme::default() };
        let styles = [theme.bad(), theme.good(), theme.unsure(), theme.quiet(), theme.accent()];
        assert!(styles.iter().all(|style| style.fg.is_none() && style.bg.is_none()));
    }

    #[test]
    fn outcomes_differ_without_colours() {
        for is_ascii in [false, true] {
            let theme = Theme { is_ascii, ..Theme::default() };
            let [established, refused, unknown] = [Outcome::Established, Outcome::Refused, Outcome::Unknown]
                .map(|outcome| theme.symbol(outcome));
            assert!(established != refused && refused != unknown && established != unknown);
        }
    }
}
