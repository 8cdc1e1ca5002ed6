//! What a live capture counts, for Prometheus and whatever reads the same: `OpenMetrics`, or the older text format.
//!
//! Names and labels are part of the contract. What the network chooses becomes a label of limited variety: beyond
//! [`METRICS_HOSTS`] and [`METRICS_SERIES`] it is counted under [`MORE`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::diagnosis::{Rule, Severity};
use crate::limits::{METRICS_HOST_BYTES, METRICS_HOSTS, METRICS_SERIES};
use crate::model::{Outcome, Totals};
use crate::protocol::RoleFacts;
use crate::units::Span;

/// What attempts and findings come to over time.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    attempts: BTreeMap<Series, u64>,
    hosts: BTreeSet<String>,
    latencies: BTreeMap<&'static str, Histogram>,
    findings: BTreeMap<(&'static str, &'static str), u64>,
    /// Attempts whose host, or whose labels altogether, met their limit.
    over_hosts: u64,
    over_series: u64,
}

/// The labels of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    outcome: &'static str,
    status: String,
    host: String,
    rule: String,
}

/// How long answers took.
#[derive(Clone, Debug, Default)]
struct Histogram {
    /// One for each of [`BUCKETS`], and one for what is longer.
    counts: [u64; BUCKETS.len() + 1],
    nanos: u128,
}

/// What is known of a capture at a moment, beside what [`Metrics`] has.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// What was counted.
    pub totals: Totals,
    /// Connections with a session that goes on.
    pub open_sessions: u64,
    /// Connections that are open.
    pub open_connections: u64,
    /// The interfaces.
    pub interfaces: Vec<InterfaceGauges>,
    /// Packets that may stand before earlier ones of other interfaces.
    pub hurried_packets: u64,
    /// Attempts that had to go before they were judged.
    pub unjudged_attempts: u64,
}

/// What is known of an interface.
#[derive(Clone, Debug, Default)]
pub struct InterfaceGauges {
    /// Its name.
    pub name: String,
    /// Packets that were dropped by the kernel.
    pub dropped_by_kernel: u64,
    /// Packets that were dropped by the interface.
    pub dropped_by_interface: u64,
    /// It is still captured on.
    pub is_up: bool,
}

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// The text format of Prometheus, version 0.0.4.
    Text,
    /// `OpenMetrics`, version 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Metrics {
    /// Counts an attempt. `host` is what the network said.
    pub fn attempt(
        &mut self,
        outcome: Outcome,
        status: Option<u16>,
        host: &[u8],
        rule: Option<&Rule>,
        latency: Option<Span>,
    ) {
        let host = self.host(host);
        let none = || NONE.to_owned();
        let series = Series {
            outcome: outcome.name(),
            status: status.map_or_else(none, |status| status.to_string()),
            host,
            rule: rule.map_or_else(none, |rule| rule.name.to_owned()),
        };
        let is_new = self.attempts.len() >= METRICS_SERIES && !self.attempts.contains_key(&series);
        let series = if is_new {
            self.over_series = self.over_series.saturating_add(1);
            let more = || MORE.to_owned();
            Series { outcome: series.outcome, status: more(), host: more(), rule: more() }
        } else {
            series
        };
        let count = self.attempts.entry(series).or_default();
        *count = count.saturating_add(1);
        if let Some(latency) = latency {
            self.latencies.entry(outcome.name()).or_default().add(latency);
        }
    }

    /// Counts a finding.
    pub fn finding(&mut self, rule: &'static Rule, severity: Severity) {
        let count = self.findings.entry((rule.name, severity.name())).or_default();
        *count = count.saturating_add(1);
    }

    /// As it is counted: in small letters, and one of a limited number.
    fn host(&mut self, host: &[u8]) -> String {
        if host.is_empty() {
            return NONE.to_owned();
        }
        let start = host.get(..METRICS_HOST_BYTES).unwrap_or(host);
        let host = String::from_utf8_lossy(start).to_lowercase();
        if !self.hosts.contains(&host) {
            if self.hosts.len() >= METRICS_HOSTS {
                self.over_hosts = self.over_hosts.saturating_add(1);
                return MORE.to_owned();
            }
            self.hosts.insert(host.clone());
        }
        host
    }

    /// The page.
    #[must_use]
    pub fn page(&self, gauges: &Gauges, exposition: Exposition) -> String {
        let mut page = Page { text: String::new(), exposition };
        self.attempts(&mut page);
        capture(&mut page, gauges);
        frames(&mut page, &gauges.totals);
        self.limits(&mut page, gauges);
        if exposition == Exposition::OpenMetrics {
            page.text.push_str("# EOF\n");
        }
        page.text
    }

    fn attempts(&self, page: &mut Page) {
        let attempts = "Upgrade attempts, each once over all connections that it went, by what became of them, the status \
                        of the answer, the host that was asked for and the rule of the leading finding.";
        page.counter("wsinspect_attempts", attempts);
        for (series, count) in &self.attempts {
            let Series { outcome, status, host, rule } = series;
            let labels = [("outcome", *outcome), ("status", status), ("host", host), ("rule", rule)];
            page.sample("wsinspect_attempts_total", &labels, *count);
        }
        let name = "wsinspect_handshake_duration_seconds";
        page.family(name, "histogram", "From the upgrade request to its answer, as the client sees it.");
        for (outcome, histogram) in &self.latencies {
            histogram.write(name, outcome, page);
        }
        page.counter("wsinspect_findings", "Findings, each told once, by rule and severity.");
        for ((rule, severity), count) in &self.findings {
            page.sample("wsinspect_findings_total", &[("rule", rule), ("severity", severity)], *count);
        }
    }

    fn limits(&self, page: &mut Page, gauges: &Gauges) {
        let tcp = &gauges.totals.tcp;
        let limits = [
            ("connections", tcp.connections_evicted),
            ("connections-without-payload", tcp.embryos_evicted),
            ("idle-connections", tcp.connections_expired),
            ("out-of-order-bytes", tcp.total_limit_hits),
            ("attempts-judged", gauges.unjudged_attempts),
            ("interface-order", gauges.hurried_packets),
            ("metrics-hosts", self.over_hosts),
            ("metrics-series", self.over_series),
        ];
        page.counter("wsinspect_limits_hit", "How often a limit of wsinspect was met, by limit.");
        for (limit, count) in limits {
            page.sample("wsinspect_limits_hit_total", &[("limit", limit)], count);
        }
        let opaque = gauges.totals.opaque.iter();
        page.counter("wsinspect_connections_not_read", "Connections that were not looked into, by reason.");
        for (reason, count) in opaque {
            page.sample("wsinspect_connections_not_read_total", &[("reason", reason.name())], *count);
        }
    }
}

fn capture(page: &mut Page, gauges: &Gauges) {
    let totals = &gauges.totals;
    page.family("wsinspect_open_sessions", "gauge", "Connections on which a WebSocket session goes on.");
    page.sample("wsinspect_open_sessions", &[], gauges.open_sessions);
    page.family("wsinspect_open_connections", "gauge", "TCP connections that are open.");
    page.sample("wsinspect_open_connections", &[], gauges.open_connections);
    let simple = [
        ("wsinspect_connections", "TCP connections.", totals.tcp.connections),
        ("wsinspect_connections_refused", "SYNs that were answered by RST.", totals.tcp.refused),
        ("wsinspect_connections_unanswered", "SYNs that nobody answered.", totals.tcp.unanswered),
        ("wsinspect_packets", "Packets that were captured.", totals.packets),
        ("wsinspect_packet_bytes", "Bytes of these packets, as they were on the wire.", totals.bytes),
        ("wsinspect_missing_bytes", "Bytes of streams that the capture lacks.", totals.missing_bytes),
    ];
    for (name, help, value) in simple {
        page.counter(name, help);
        page.sample(&format!("{name}_total"), &[], value);
    }
    page.counter(
        "wsinspect_dropped_packets",
        "Packets that were dropped before they could be read, by whom.",
    );
    for interface in &gauges.interfaces {
        let by = [("kernel", interface.dropped_by_kernel), ("interface", interface.dropped_by_interface)];
        for (by, count) in by {
            page.sample(
                "wsinspect_dropped_packets_total",
                &[("interface", &interface.name), ("by", by)],
                count,
            );
        }
    }
    page.family("wsinspect_interface_up", "gauge", "Whether an interface is still captured on.");
    for interface in &gauges.interfaces {
        let up = u64::from(interface.is_up);
        page.sample("wsinspect_interface_up", &[("interface", &interface.name)], up);
    }
    page.family("wsinspect_build_info", "gauge", "The version of wsinspect.");
    page.sample("wsinspect_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn frames(page: &mut Page, totals: &Totals) {
    let (all, client) = (&totals.frames, &totals.client_frames);
    page.counter(
        "wsinspect_frames",
        "Frames by opcode and by who sent them, on each connection: twice behind a proxy of which both sides are captured.",
    );
    for ((opcode, all), (_, client)) in by_opcode(all).into_iter().zip(by_opcode(client)) {
        for (direction, count) in [("client", client), ("server", all.saturating_sub(client))] {
            page.sample("wsinspect_frames_total", &[("opcode", opcode), ("direction", direction)], count);
        }
    }
    page.counter("wsinspect_frame_payload_bytes", "Payload bytes of these frames.");
    let server = all.payload_bytes.saturating_sub(client.payload_bytes);
    for (direction, bytes) in [("client", client.payload_bytes), ("server", server)] {
        page.sample("wsinspect_frame_payload_bytes_total", &[("direction", direction)], bytes);
    }
}

fn by_opcode(facts: &RoleFacts) -> [(&'static str, u64); 7] {
    [
        ("text", facts.text),
        ("binary", facts.binary),
        ("continuation", facts.continuation),
        ("ping", facts.ping),
        ("pong", facts.pong),
        ("close", facts.close),
        ("reserved", facts.other),
    ]
}

impl Histogram {
    fn add(&mut self, latency: Span) {
        let nanos = latency.as_nanos();
        let place = BUCKETS.iter().position(|(_, limit)| nanos <= *limit).unwrap_or(BUCKETS.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(1);
        }
        self.nanos = self.nanos.saturating_add(u128::try_from(nanos).unwrap_or_default());
    }

    fn write(&self, name: &str, outcome: &str, page: &mut Page) {
        let mut sum = 0u64;
        let names = BUCKETS.iter().map(|(name, _)| *name).chain(["+Inf"]);
        for (le, count) in names.zip(self.counts) {
            sum = sum.saturating_add(count);
            page.sample(&format!("{name}_bucket"), &[("outcome", outcome), ("le", le)], sum);
        }
        let (seconds, nanos) = (self.nanos / 1_000_000_000, self.nanos % 1_000_000_000);
        page.sample(&format!("{name}_sum"), &[("outcome", outcome)], format!("{seconds}.{nanos:09}"));
        page.sample(&format!("{name}_count"), &[("outcome", outcome)], sum);
    }
}

/// The page while it is written.
struct Page {
    text: String,
    exposition: Exposition,
}

impl Page {
    fn counter(&mut self, name: &str, help: &str) {
        match self.exposition {
            Exposition::Text => self.family(&format!("{name}_total"), "counter", help),
            Exposition::OpenMetrics => self.family(name, "counter", help),
        }
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (place, (label, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(value));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }
}

/// A label's value as both formats have it. Other control characters than line feeds mean nothing to whoever reads it.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            other if other.is_control() => escaped.push('?'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Stands for what is beyond a limit.
pub const MORE: &str = "(more)";

/// Stands for what is not there.
const NONE: &str = "none";

/// Upper ends of the times that are told apart, in seconds and in nanoseconds.
const BUCKETS: [(&str, i64); 14] = [
    ("0.0005", 500_000),
    ("0.001", 1_000_000),
    ("0.0025", 2_500_000),
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.025", 25_000_000),
    ("0.05", 50_000_000),
    ("0.1", 100_000_000),
    ("0.25", 250_000_000),
    ("0.5", 500_000_000),
    ("1.0", 1_000_000_000),
    ("2.5", 2_500_000_000),
    ("10.0", 10_000_000_000),
    ("60.0", 60_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> (Metrics, Gauges) {
        let mut metrics = Metrics::default();
        let stripped = Rule::find("upgrade-stripped").unwrap();
        let millis = |millis| Some(Span::from_millis(millis));
        metrics.attempt(Outcome::Established, Some(101), b"Chat.Example.Test", None, millis(3));
        metrics.attempt(Outcome::Established, Some(101), b"chat.example.test", None, millis(40));
        metrics.attempt(Outcome::Refused, Some(404), b"a\"b\\c\nd\x1b\xff", Some(stripped), millis(100_000));
        metrics.attempt(Outcome::Unanswered, None, b"", None, None);
        metrics.finding(stripped, Severity::Error);
        let interface = InterfaceGauges {
            name: "eth0".to_owned(),
            dropped_by_kernel: 7,
            dropped_by_interface: 1,
            is_up: true,
        };
        let mut gauges = Gauges { open_sessions: 3, interfaces: vec![interface], ..Gauges::default() };
        gauges.totals.frames = RoleFacts { text: 10, ping: 2, payload_bytes: 500, ..RoleFacts::default() };
        gauges.totals.client_frames = RoleFacts { text: 4, payload_bytes: 100, ..RoleFacts::default() };
        (metrics, gauges)
    }

    #[test]
    fn the_page_has_everything() {
        let (metrics, gauges) = filled();
        let page =
            |exposition| metrics.page(&gauges, exposition).replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!("metrics-text", page(Exposition::Text));
        insta::assert_snapshot!("metrics-open", page(Exposition::OpenMetrics));
    }

    #[test]
    fn labels_have_a_limited_variety() {
        let mut metrics = Metrics::default();
        for number in 0..METRICS_HOSTS + 50 {
            metrics.attempt(Outcome::Refused, Some(404), format!("host{number}").as_bytes(), None, None);
        }
        let page = metrics.page(&Gauges::default(), Exposition::Text);
        assert!(page.contains(
            "wsinspect_attempts_total{outcome=\"refused\",status=\"404\",host=\"(more)\",rule=\"none\"} 50\n"
        ));
        assert!(page.contains("wsinspect_limits_hit_total{limit=\"metrics-hosts\"} 50\n"));
        for number in 0..METRICS_SERIES {
            let status = u16::try_from(number % 900 + 100).unwrap();
            metrics.attempt(
                Outcome::Refused,
                Some(status),
                format!("host{}", number % 7).as_bytes(),
                None,
                None,
            );
        }
        assert!(metrics.attempts.len() <= METRICS_SERIES + Outcome::ALL.len());
        assert_eq!(metrics.attempts.values().sum::<u64>(), (METRICS_HOSTS + 50 + METRICS_SERIES) as u64);
        assert!(metrics.over_series > 0);
        let long = [b'x'; METRICS_HOST_BYTES * 3];
        let mut metrics = Metrics::default();
        metrics.attempt(Outcome::Refused, None, &long, None, None);
        assert!(metrics.attempts.keys().all(|series| series.host.len() == METRICS_HOST_BYTES));
    }
}
