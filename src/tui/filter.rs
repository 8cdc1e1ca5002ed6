//! The language of the filter: `status:502 host:plane -client:10.0.0.7 text`.
//!
//! Terms are separated by spaces, and an attempt has to match all of them. A minus before a term turns it round. Text
//! with spaces stands in quotes. Case does not matter.

use std::fmt;

use super::rows::Row;
use crate::model::Outcome;

/// What has to be true of an attempt to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

/// What is wrong with a filter, and with which word of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The word.
    pub word: String,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    is_negated: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// Statuses from the first to the last.
    Status(u16, u16),
    NoStatus,
    Host(String),
    Path(String),
    Client(String),
    Server(String),
    Outcome(Outcome),
    Failed,
    /// Names of rules, or beginnings of their codes.
    Rule(String),
    Text(String),
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// If a word of it means nothing. The words before it are as they were.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let terms: Result<Vec<Term>, FilterError> = words(text).into_iter().map(|word| term(&word)).collect();
        Ok(Self { terms: terms? })
    }

    /// Reads a filter that is still being typed: a last word that may become the name of a field does not count yet.
    ///
    /// # Errors
    /// As those of [`Self::parse`].
    pub fn parse_unfinished(text: &str) -> Result<Self, FilterError> {
        let last = text.rsplit(' ').next().unwrap_or_default();
        let name = last.trim_start_matches(['-', '!']);
        let is_begun = |(field, _): &&(&str, &str)| {
            let typed = name.strip_suffix(':').filter(|typed| typed.len() == field.len()).unwrap_or(name);
            field.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
        };
        match FIELDS.iter().find(is_begun) {
            Some(_) => Self::parse(text.get(..text.len().saturating_sub(last.len())).unwrap_or_default()),
            None => Self::parse(text),
        }
    }

    /// What may follow the word that is being typed, if it is the name of a field.
    #[must_use]
    pub fn hint(text: &str) -> Option<String> {
        let last = text.rsplit(' ').next()?.trim_start_matches(['-', '!']);
        example(last.strip_suffix(':')?)
    }

    /// Whether it lets everything through.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether it lets an attempt through. `rules` says whether one of its findings is of a rule that is meant so.
    pub fn matches(&self, row: &Row, rules: impl Fn(&Row, &str) -> bool) -> bool {
        self.terms.iter().all(|term| term.test.holds(row, &rules) != term.is_negated)
    }
}

impl Test {
    fn holds(&self, row: &Row, rules: impl Fn(&Row, &str) -> bool) -> bool {
        let has = |text: &str, wanted: &str| {
            text.contains(wanted)
                || (!text.is_ascii() || text.bytes().any(|byte| byte.is_ascii_uppercase())) && {
                    text.to_lowercase().contains(wanted)
                }
        };
        match self {
            Self::Status(first, last) => row.status.is_some_and(|status| (*first..=*last).contains(&status)),
            Self::NoStatus => row.status.is_none(),
            Self::Host(wanted) => has(&row.host, wanted),
            Self::Path(wanted) => has(&row.target, wanted),
            Self::Client(wanted) => has(&row.client, wanted),
            Self::Server(wanted) => has(&row.server, wanted),
            Self::Outcome(outcome) => row.outcome == *outcome,
            Self::Failed => row.outcome.is_failure(),
            Self::Rule(wanted) => rules(row, wanted),
            Self::Text(wanted) => row.mentions(wanted) || rules(row, wanted),
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.word, self.reason)
    }
}

/// Words between spaces; quotes keep spaces, and an open one ends with the text.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut is_quoted) = (String::new(), false);
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn term(word: &str) -> Result<Term, FilterError> {
    let (is_negated, rest) = match word.strip_prefix(['-', '!']) {
        Some(rest) if !rest.is_empty() => (true, rest),
        _ => (false, word),
    };
    let error = |reason: String| FilterError { word: word.to_owned(), reason };
    let Some((field, value)) = rest.split_once(':').filter(|(field, _)| is_name(field)) else {
        return Ok(Term { is_negated, test: Test::Text(rest.to_lowercase()) });
    };
    let value = value.to_lowercase();
    if value.is_empty() {
        return Err(error(format!("what {field}? {}", example(field).unwrap_or_else(fields))));
    }
    let test = match field.to_ascii_lowercase().as_str() {
        "status" => status(&value),
        "host" => Ok(Test::Host(value)),
        "path" | "target" => Ok(Test::Path(value)),
        "client" => Ok(Test::Client(value)),
        "server" | "route" => Ok(Test::Server(value)),
        "outcome" => outcome(&value),
        "rule" | "finding" => Ok(Test::Rule(value)),
        _ => Err(fields()),
    };
    test.map(|test| Term { is_negated, test }).map_err(error)
}

/// Text such as `10.0.0.7:80` or `[::1]:80` is no field.
fn is_name(field: &str) -> bool {
    !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn status(value: &str) -> Result<Test, String> {
    let wrong = || "a status is a number such as 502, or 5xx, or none".to_owned();
    if value == "none" {
        return Ok(Test::NoStatus);
    }
    let digits = value.trim_end_matches('x');
    let unknown = value.len().saturating_sub(digits.len());
    if value.len() > 3 || digits.is_empty() {
        return Err(wrong());
    }
    // While it is being typed, 5 is all that begin so.
    let missing = 3usize.saturating_sub(digits.len()).max(unknown);
    let factor = 10u16.pow(u32::try_from(missing).unwrap_or_default());
    let first = digits.parse::<u16>().map_err(|_| wrong())?.saturating_mul(factor);
    Ok(Test::Status(first, first.saturating_add(factor.saturating_sub(1))))
}

fn outcome(value: &str) -> Result<Test, String> {
    if "failed".starts_with(value) {
        return Ok(Test::Failed);
    }
    let found = Outcome::ALL.into_iter().find(|outcome| outcome.name().starts_with(value));
    found.map(Test::Outcome).ok_or_else(|| {
        let names: Vec<&str> = Outcome::ALL.into_iter().map(Outcome::name).collect();
        format!("outcomes are {}, failed", names.join(", "))
    })
}

fn example(field: &str) -> Option<String> {
    let (_, example) = FIELDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(field))?;
    Some(format!("for example {example}"))
}

fn fields() -> String {
    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    format!("fields are {}", names.join(", "))
}

/// The fields, each with an example.
pub(super) const FIELDS: &[(&str, &str)] = &[
    ("status", "status:502 or status:5xx"),
    ("outcome", "outcome:refused or outcome:failed"),
    ("host", "host:plane"),
    ("path", "path:/live"),
    ("client", "client:10.0.0.7"),
    ("server", "server:10.0.0.9:3000"),
    ("rule", "rule:upgrade-stripped or rule:WS2"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        Filter::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn errors_say_what_would_do() {
        assert_eq!(reason("status:abc"), "status:abc: a status is a number such as 502, or 5xx, or none");
        assert_eq!(reason("host:a status:"), "status:: what status? for example status:502 or status:5xx");
        assert_eq!(
            reason("outcome:lost"),
            "outcome:lost: outcomes are established, invalid, refused, unanswered, midstream, unknown, failed"
        );
        assert_eq!(reason("code:5"), "code:5: fields are status, outcome, host, path, client, server, rule");
    }

    #[test]
    fn statuses_are_ranges() {
        let test = |text: &str| Filter::parse(text).unwrap().terms.remove(0).test;
        assert_eq!(test("status:502"), Test::Status(502, 502));
        assert_eq!(test("status:5xx"), Test::Status(500, 599));
        assert_eq!(test("status:50x"), Test::Status(500, 509));
        assert_eq!(test("status:5"), Test::Status(500, 599));
        assert_eq!(test("status:none"), Test::NoStatus);
    }

    #[test]
    fn names_of_fields_do_not_count_while_they_are_typed() {
        let unfinished = |text: &str| Filter::parse_unfinished(text).unwrap();
        for text in ["s", "stat", "-status", "status:", "", "-"] {
            assert!(unfinished(text).is_empty(), "{text}");
        }
        assert_eq!(unfinished("host:a sta"), Filter::parse("host:a").unwrap());
        assert_eq!(unfinished("sta "), Filter::parse("sta").unwrap());
        assert_eq!(unfinished("status:5"), Filter::parse("status:5xx").unwrap());
        assert_eq!(unfinished("statusx"), Filter::parse("statusx").unwrap());
        assert_eq!(Filter::hint("a -host:").unwrap(), "for example host:plane");
    }

    #[test]
    fn words_are_terms() {
        let parsed = Filter::parse("-outcome:est \"two words\" 10.0.0.7:80 -").unwrap();
        let term = |is_negated, test| Term { is_negated, test };
        assert_eq!(
            parsed.terms,
            [
                term(true, Test::Outcome(Outcome::Established)),
                term(false, Test::Text("two words".to_owned())),
                term(false, Test::Text("10.0.0.7:80".to_owned())),
                term(false, Test::Text("-".to_owned())),
            ]
        );
        assert!(Filter::parse("  ").unwrap().is_empty());
    }
}
