//! The command line: what was typed.

mod live;

pub use live::{LiveArgs, LiveFormat, StopWhen};

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::diagnosis::Severity;
use crate::report::{Format, TimeStyle};
use crate::sandbox::Sandbox;
use crate::text;

/// Reads packet captures and tells which WebSocket upgrade attempts there were, which failed, and what the wire
/// says about each.
#[derive(Debug, Parser)]
#[command(name = "wsinspect", version, about, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read a capture: a tcpdump or Wireshark file, or standard input.
    Read(ReadArgs),
    /// Capture on interfaces and tell what happens as it happens.
    Live(LiveArgs),
    /// List what can be captured on, and what right is missing.
    Interfaces,
    /// Explain a rule: what it sees, why that breaks WebSockets, how to mend it. Without one, list them all.
    Explain(ExplainArgs),
    /// Write a shell's completions: source <(wsinspect completions bash)
    Completions(CompletionsArgs),
    /// Write the manual page: wsinspect man | man -l -
    Man,
}

/// `wsinspect completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `wsinspect explain`.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The rule's name or code: upgrade-stripped, WS201.
    pub rule: Option<String>,
}

/// `wsinspect read`.
#[derive(Debug, clap::Args)]
#[command(after_help = READ_EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag and stands for itself")]
pub struct ReadArgs {
    /// The capture: pcap or pcapng, compressed with gzip or zstd or not; `-` is standard input. Several files are one
    /// capture: their packets are merged by time.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Look only at packets that match this BPF filter, as tcpdump understands it.
    #[arg(short, long, value_name = "BPF")]
    pub filter: Option<String>,

    /// How to report [default: on a terminal a UI, otherwise text].
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Write the report here instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Copy the packets of connections with findings here (pcapng), each finding as a comment on the packets that show
    /// it. They are copied as they are, cookies and tokens included.
    #[arg(long, value_name = "FILE")]
    pub write_failures: Option<PathBuf>,

    /// Report connections without an upgrade attempt too.
    #[arg(long)]
    pub all: bool,

    /// Report each frame on a line of its own (with --format json).
    #[arg(long)]
    pub frames: bool,

    /// Report each message decoded, on a line of its own (with --format json): shows what was said, secrets by name and
    /// shape taken out of text.
    #[arg(long)]
    pub messages: bool,

    /// Judge by these rules only: names, codes or beginnings of codes, such as WS4.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub select: Vec<String>,

    /// Leave these rules out.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub ignore: Vec<String>,

    /// Exit with status 1 if there is a finding of this severity or a higher one.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,

    /// How to show times (text).
    #[arg(long, value_enum, default_value_t)]
    pub time: TimeStyle,

    /// Show cookies, authorization fields and tokens instead of redacting them.
    #[arg(long)]
    pub show_secrets: bool,

    /// When to use colour.
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,

    /// Whether to give up all rights that are not needed, once the files are open.
    #[arg(long, value_enum, default_value_t)]
    pub sandbox: Sandbox,

    /// The terminal's background (UI).
    #[arg(long, value_enum, default_value_t)]
    pub theme: Background,

    /// Draw with ASCII only (UI).
    #[arg(long)]
    pub ascii: bool,

    /// Only the line of totals (text), with attempts counted on each connection; no progress.
    #[arg(short, long)]
    pub quiet: bool,

    /// All findings, and many more attempts in full (text).
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The terminal's background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Background {
    /// As the terminal says; without a word from it, the terminal's own sixteen colours.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// What is wrong with what was typed, in one line: the fault, and what would be right.
#[must_use]
pub fn in_one_line(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    // Paragraphs: the fault, maybe a tip, maybe the usage, where to read more.
    let paragraphs: Vec<String> = rendered
        .split("\n\n")
        .map(|paragraph| paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" "))
        .collect();
    let fault = paragraphs.first().map_or("", |fault| fault.strip_prefix("error: ").unwrap_or(fault));
    let starting = |start: &str| paragraphs.iter().find_map(|paragraph| paragraph.strip_prefix(start));
    let hint = match (starting("tip: "), starting("Usage: ")) {
        (Some(tip), _) if tip.contains("similar") => format!(" ({tip})"),
        (_, Some(usage)) => format!(" (usage: {usage})"),
        _ => String::new(),
    };
    text::escape(&format!("{fault}{hint}")).into_owned()
}

const READ_EXAMPLES: &str = "\
Examples:
  wsinspect read dump.pcap                        which upgrades failed, and how
  wsinspect read --format text dump.pcap          as a report on a terminal, too
  wsinspect read -f 'host 10.0.0.7' dump.pcap.gz  of one host only
  wsinspect read ring.pcap*                       files of a ring as one
  wsinspect read --format json dump.pcap | jq .   for programs
  wsinspect read --format md dump.pcap            for an issue tracker
  wsinspect read -q --fail-on error dump.pcap     for a test of a configuration
  ssh proxy tcpdump -i any -U -w - tcp port 80 | wsinspect read -

Exit status: 0 done, and nothing found that --fail-on asks for; 1 something found that it asks for; 2 the work could
not be done.";
