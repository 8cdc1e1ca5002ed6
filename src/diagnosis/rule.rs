//! What a rule is, and which ones are wanted.

use super::ends::Ends;
use super::finding::Finding;
use super::rules::ALL;
use super::view::{CaptureView, ConnectionView, RouteView};

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, a contract: `upgrade-stripped`.
    pub name: &'static str,
    /// Its code, stable for ever: `WS201`. The first digit is the family.
    pub code: &'static str,
    /// How much its findings matter; a finding may be softer.
    pub severity: Severity,
    /// What it is about, in one line without a full stop.
    pub summary: &'static str,
    /// What it sees, why that breaks WebSockets, and how to mend it, in Markdown without the heading.
    pub page: &'static str,
    /// The best place to read on.
    pub see: &'static str,
    /// Rules whose findings on the same route are symptoms of this one's: names or beginnings of codes.
    pub explains: &'static [&'static str],
    /// How it looks at the facts.
    pub check: Check,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Each route.
    Route(fn(&RouteView<'_>) -> Option<Finding>),
    /// Each connection without an attempt.
    Connection(fn(&ConnectionView<'_>) -> Option<Finding>),
    /// All of them together.
    Capture(fn(&CaptureView<'_>) -> Vec<Finding>),
    /// The same, for sessions that go over several requests and connections, and perhaps never end.
    Sessions(fn(&CaptureView<'_>) -> Vec<Finding>),
    /// How all sessions ended, compared with each other.
    Ends(fn(&CaptureView<'_>, &Ends<'_, '_>) -> Vec<Finding>),
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It works, but it is fragile or against an RFC.
    Warning,
    /// The user's WebSocket failed or broke because of it.
    Error,
}

impl Severity {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Rule {
    /// The rule with this name or code.
    #[must_use]
    pub fn find(name_or_code: &str) -> Option<&'static Self> {
        let is_it = |rule: &&&Self| rule.name == name_or_code || rule.code.eq_ignore_ascii_case(name_or_code);
        ALL.iter().find(is_it).copied()
    }

    /// Whether a name, or the beginning of a code, means this rule.
    #[must_use]
    pub fn is_meant_by(&self, selector: &str) -> bool {
        let starts =
            |start: &str| self.code.get(..start.len()).is_some_and(|code| code.eq_ignore_ascii_case(start));
        self.name == selector || (selector.len() >= FAMILY_PREFIX.len() && starts(selector))
    }

    /// How surely this rule's finding explains that of another one on the same route: by name, by family, or not.
    pub(super) fn explains(&self, other: &Self) -> Explains {
        if self.explains.contains(&other.name) {
            Explains::ByName
        } else if self.name != other.name && self.explains.iter().any(|selector| other.is_meant_by(selector))
        {
            Explains::ByFamily
        } else {
            Explains::Not
        }
    }
}

/// How a rule explains another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Explains {
    Not,
    ByFamily,
    ByName,
}

/// Which rules are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Names or beginnings of codes; all rules if there are none.
    select: Vec<String>,
    /// Names or beginnings of codes.
    ignore: Vec<String>,
}

/// A selector that means no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown rule {0} (wsinspect explain lists them)")]
pub struct UnknownRule(pub String);

impl Selection {
    /// The rules that `select` means, or all of them, without those that `ignore` means.
    ///
    /// # Errors
    /// If a selector means no rule.
    pub fn new(select: &[String], ignore: &[String]) -> Result<Self, UnknownRule> {
        let unknown = |selector: &&String| !ALL.iter().any(|rule| rule.is_meant_by(selector));
        match select.iter().chain(ignore).find(unknown) {
            Some(selector) => Err(UnknownRule(selector.clone())),
            None => Ok(Self { select: select.to_vec(), ignore: ignore.to_vec() }),
        }
    }

    /// Whether a rule is wanted.
    #[must_use]
    pub fn has(&self, rule: &Rule) -> bool {
        let means = |selectors: &[String]| selectors.iter().any(|selector| rule.is_meant_by(selector));
        (self.select.is_empty() || means(&self.select)) && !means(&self.ignore)
    }
}

/// What all codes begin with.
const FAMILY_PREFIX: &str = "WS";
