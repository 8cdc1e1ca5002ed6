//! The command line: what was typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::report::{Format, TimeStyle};

/// Reads packet captures and tells which WebSocket upgrade attempts there were, which failed, and what flowed.
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
}

/// `wsinspect read`.
#[derive(Debug, clap::Args)]
#[command(after_help = READ_EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag and stands for itself")]
pub struct ReadArgs {
    /// The capture: pcap or pcapng, gzip-compressed or not; `-` is standard input.
    pub file: PathBuf,

    /// Look only at packets that match this BPF filter, as tcpdump understands it.
    #[arg(short, long, value_name = "BPF")]
    pub filter: Option<String>,

    /// How to report [default: text].
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Write the report here instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Report connections without an upgrade attempt too.
    #[arg(long)]
    pub all: bool,

    /// Report each frame on a line of its own (with --format json).
    #[arg(long)]
    pub frames: bool,

    /// How to show times (text).
    #[arg(long, value_enum, default_value_t)]
    pub time: TimeStyle,

    /// Show cookies, authorization fields and tokens instead of redacting them.
    #[arg(long)]
    pub show_secrets: bool,

    /// When to use colour.
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,

    /// Only the line of totals (text); no progress.
    #[arg(short, long)]
    pub quiet: bool,
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

const READ_EXAMPLES: &str = "\
Examples:
  wsinspect read dump.pcap                        which upgrades failed, and how
  wsinspect read -f 'host 10.0.0.7' dump.pcap.gz  of one host only
  wsinspect read --format json dump.pcap | jq .   for programs
  ssh proxy tcpdump -i any -U -w - tcp port 80 | wsinspect read -

Exit status: 0 done, 2 the work could not be done.";
