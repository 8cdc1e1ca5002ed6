//! The command line of `wsinspect live` and its units.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::Background;
use crate::diagnosis::{Rule, Severity};
use crate::report::TimeStyle;
use crate::sandbox::Sandbox;

/// `wsinspect live`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag and stands for itself")]
pub struct LiveArgs {
    /// An interface to capture on, again for each further one; `any` is all of them.
    #[arg(short, long = "interface", value_name = "IFACE", required = true)]
    pub interfaces: Vec<String>,

    /// Only packets that match this BPF filter, as tcpdump understands it.
    #[arg(value_name = "FILTER", default_value = "tcp")]
    pub filter: Vec<String>,

    /// How to report [default: on a terminal a UI, otherwise json].
    #[arg(long, value_enum)]
    pub format: Option<LiveFormat>,

    /// Write the report here instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Record the packets here (pcapng).
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// Write the packets of connections with findings here (pcapng), each finding as a comment on packets that show it.
    #[arg(long, value_name = "FILE")]
    pub write_failures: Option<PathBuf>,

    /// Begin another file when one has this size: 100M. Files are numbered.
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "write")]
    pub rotate_size: Option<u64>,

    /// Begin another file when one is so old: 15m. Files are numbered.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "write")]
    pub rotate_time: Option<Duration>,

    /// Keep so many files, and remove the oldest.
    #[arg(long, value_name = "N", requires = "write", value_parser = clap::value_parser!(u32).range(1..))]
    pub rotate_keep: Option<u32>,

    /// Stop after this time: 90, 90s, 15m, 2h.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,

    /// Stop after so many packets.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Stop when this rule finds something, or after so many failed attempts.
    #[arg(long, value_name = "RULE|N", value_parser = stop_when)]
    pub stop_when: Option<StopWhen>,

    /// Serve metrics for Prometheus at this address, or at this port of the loopback: 9099, 10.0.0.7:9099.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub metrics: Option<SocketAddr>,

    /// Bytes of a packet that are captured at most.
    #[arg(short, long, value_name = "BYTES", default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(64..=262_144))]
    pub snaplen: u32,

    /// The kernel's buffer for each interface.
    #[arg(short = 'B', long, value_name = "SIZE", default_value = "16M", value_parser = size)]
    pub buffer_size: u64,

    /// Capture what is not for this machine, too.
    #[arg(short, long)]
    pub promiscuous: bool,

    /// Report the ends of connections without an upgrade attempt too.
    #[arg(long)]
    pub all: bool,

    /// Judge by these rules only: names, codes or beginnings of codes, such as WS4.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub select: Vec<String>,

    /// Leave these rules out.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub ignore: Vec<String>,

    /// Exit with status 1 if there was a finding of this severity or a higher one.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,

    /// How to show times (text).
    #[arg(long, value_enum, default_value_t = TimeStyle::Local)]
    pub time: TimeStyle,

    /// Show cookies, authorization fields and tokens instead of redacting them.
    #[arg(long)]
    pub show_secrets: bool,

    /// The background of the terminal (UI).
    #[arg(long, value_enum, default_value_t)]
    pub theme: Background,

    /// Draw with ASCII only (UI).
    #[arg(long)]
    pub ascii: bool,

    /// The user to become once interfaces and files are open, if root started the program [default: who called sudo,
    /// else nobody].
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// Whether to give up all rights that are not needed.
    #[arg(long, value_enum, default_value_t)]
    pub sandbox: Sandbox,
}

/// How a live capture is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LiveFormat {
    /// For people: a line for each handshake, close and finding.
    Text,
    /// For programs: one object a line.
    Json,
}

/// When a capture ends by itself.
#[derive(Clone, Copy, Debug)]
pub enum StopWhen {
    /// When this rule finds something.
    Found(&'static Rule),
    /// After so many failed attempts, each counted once over all connections that it went.
    Failed(u64),
}

fn stop_when(text: &str) -> Result<StopWhen, String> {
    match (Rule::find(text), text.parse()) {
        (Some(rule), _) => Ok(StopWhen::Found(rule)),
        (None, Ok(number)) if number > 0 => Ok(StopWhen::Failed(number)),
        _ => Err("neither a rule (wsinspect explain lists them) nor a number above 0".to_owned()),
    }
}

/// `9099`, `127.0.0.1:9099`, `[::1]:9099`: of a port alone the loopback.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>();
    let of_loopback = port.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    of_loopback.or_else(|_| text.parse()).map_err(|_| "neither a port nor an address with one".to_owned())
}

/// `90`, `90s`, `15m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let number = |digits: &str, unit: u64| {
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|seconds| *seconds > 0)
    };
    let seconds = match text.char_indices().last() {
        Some((at, 's')) => number(text.get(..at).unwrap_or_default(), 1),
        Some((at, 'm')) => number(text.get(..at).unwrap_or_default(), 60),
        Some((at, 'h')) => number(text.get(..at).unwrap_or_default(), 3_600),
        _ => number(text, 1),
    };
    seconds.map(Duration::from_secs).ok_or_else(|| "no time such as 90s, 15m or 2h".to_owned())
}

/// `100000`, `100k`, `16M`, `1G`: powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let number = |digits: &str, unit: u64| {
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|bytes| *bytes > 0)
    };
    let bytes = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => number(text.get(..at).unwrap_or_default(), 1 << 10),
        Some((at, 'M')) => number(text.get(..at).unwrap_or_default(), 1 << 20),
        Some((at, 'G')) => number(text.get(..at).unwrap_or_default(), 1 << 30),
        _ => number(text, 1),
    };
    bytes.ok_or_else(|| "no size such as 500k, 16M or 1G".to_owned())
}

const EXAMPLES: &str = "\
Examples:
  sudo wsinspect live -i eth0 port 80                  what happens, as it happens
  sudo wsinspect live -i any --format json | jq .      for programs
  sudo wsinspect live -i any -w dump.pcapng --rotate-size 100M --rotate-keep 10
  sudo wsinspect live -i any --stop-when upgrade-stripped -w dump.pcapng

It ends with a summary on SIGINT and SIGTERM, and writes one on SIGUSR1.

Exit status: 0 done, and nothing found that --fail-on asks for; 1 something found that it asks for; 2 the work could
not be done, or all interfaces were lost.";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn options_may_stand_behind_the_filter() {
        let typed =
            ["wsinspect", "live", "-i", "lo", "-i", "eth0", "port", "80", "-w", "x.pcapng", "-c", "5"];
        let Ok(Cli { command: Command::Live(args) }) = Cli::try_parse_from(typed) else {
            panic!("it is refused")
        };
        assert_eq!(args.interfaces, ["lo", "eth0"]);
        assert_eq!(args.filter, ["port", "80"]);
        assert_eq!(args.count, Some(5));
    }

    #[test]
    fn a_port_alone_is_one_of_the_loopback() {
        let address = |text| address(text).map(|address| address.to_string()).ok();
        assert_eq!(address("9099").as_deref(), Some("127.0.0.1:9099"));
        assert_eq!(address(":9099").as_deref(), Some("127.0.0.1:9099"));
        assert_eq!(address("0.0.0.0:80").as_deref(), Some("0.0.0.0:80"));
        assert_eq!(address("[::1]:80").as_deref(), Some("[::1]:80"));
        assert_eq!(["", "x", "70000", "localhost:80", "1.2.3.4"].map(address), [const { None }; 5]);
    }

    #[test]
    fn units_are_understood() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs()).ok();
        assert_eq!(["90", "90s", "15m", "2h"].map(seconds), [Some(90), Some(90), Some(900), Some(7200)]);
        assert_eq!(["", "0", "s", "1d", "-1", "99999999999999999999h"].map(seconds), [None; 6]);
        let bytes = |text| size(text).ok();
        assert_eq!(
            ["7", "500k", "16M", "1G"].map(bytes),
            [Some(7), Some(500 << 10), Some(16 << 20), Some(1 << 30)]
        );
        assert_eq!(["", "0", "M", "1T", "99999999999G"].map(bytes), [None; 5]);
        assert!(matches!(stop_when("WS201"), Ok(StopWhen::Found(rule)) if rule.name == "upgrade-stripped"));
        assert!(matches!(stop_when("3"), Ok(StopWhen::Failed(3))));
        assert!(stop_when("0").is_err() && stop_when("no-such-rule").is_err());
    }
}
