//! What people and programs get to read: one output a file.
//!
//! The outputs show what the model and the diagnosis have, and judge nothing themselves. What the network said goes through [`crate::redact`], and on
//! its way to a terminal through [`crate::text`]. No clock, and no time zone but where local times are wanted.

pub(crate) mod count;
pub mod explain;
pub(crate) mod heads;
pub mod interfaces;
mod json;
mod live;
mod markdown;
pub mod metrics;
pub(crate) mod notes;
pub(crate) mod part;
pub(crate) mod points;
pub(crate) mod text;
pub(crate) mod wire;

use std::io;

pub use live::{LiveReport, Started, Status};

use crate::diagnosis::Diagnosis;
use crate::model::Capture;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
    /// For an issue tracker: Markdown.
    #[value(name = "md")]
    Markdown,
}

/// How times are shown to people. In JSON they are always UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TimeStyle {
    /// Seconds since the first packet.
    #[default]
    Relative,
    /// RFC 3339, UTC.
    Utc,
    /// RFC 3339 in the local time zone.
    Local,
}

/// What is wanted of a report.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line and stands for itself")]
pub struct ReportOptions {
    /// Connections without an attempt are reported too.
    pub keeps_all: bool,
    /// Each frame gets a line. JSON only.
    pub frames: bool,
    /// Each message gets a line. JSON only.
    pub messages: bool,
    /// Secrets in heads are shown.
    pub shows_secrets: bool,
    /// How times are shown.
    pub time: TimeStyle,
    /// Only the first line of the text.
    pub quiet: bool,
    /// All findings and many more attempts in the text, however long it gets.
    pub verbose: bool,
    /// Columns of the text. Fewer than [`MIN_WIDTH`] are taken for as many.
    pub width: usize,
}

/// The narrowest text report.
pub const MIN_WIDTH: usize = 60;

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            keeps_all: false,
            frames: false,
            messages: false,
            shows_secrets: false,
            time: TimeStyle::default(),
            quiet: false,
            verbose: false,
            width: 80,
        }
    }
}

/// Writes a report.
///
/// The text has ANSI styles; who does not want them wraps `out` in a writer that strips them.
///
/// # Errors
/// What `out` says.
pub fn write(
    format: Format,
    capture: &Capture,
    diagnosis: &Diagnosis,
    options: &ReportOptions,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    match format {
        Format::Json => json::write(capture, diagnosis, options, out),
        Format::Markdown => markdown::write(capture, diagnosis, options, out),
        Format::Text => text::write(capture, diagnosis, options, out),
    }
}

#[cfg(test)]
mod tests;
