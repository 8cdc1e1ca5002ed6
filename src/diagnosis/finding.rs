//! What a rule says.

use std::fmt;
use std::net::IpAddr;

use super::rule::{Rule, Severity};
use crate::routes::{Proxy, Software};
use crate::units::{Endpoint, PacketNumber};

/// What a rule found. Its texts are redacted and not escaped.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// How much it matters here: at most as much as the rule says.
    pub severity: Severity,
    /// What it is about.
    pub about: About,
    /// Who is to blame.
    pub blame: Blame,
    /// What was done, as the rest of a sentence that begins with who is to blame: `drops the upgrade`.
    pub headline: String,
    /// Sentences that say more.
    pub detail: Vec<String>,
    /// The packets that show it, in order.
    pub packets: Vec<PacketNumber>,
    /// What to change.
    pub fixes: Vec<Fix>,
    /// What to know about the fixes, in sentences.
    pub advice: Vec<String>,
    /// Rules whose findings on the same route this one explains.
    pub symptoms: Vec<&'static Rule>,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Routes, by their places; the first is the example.
    Routes(Vec<usize>),
    /// Connections without an attempt, by their places in the capture; the first is the example.
    Connections(Vec<usize>),
    /// The capture.
    Capture,
}

/// Who is to blame: the place where something has to change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// The client.
    Client(IpAddr),
    /// A proxy.
    Proxy(IpAddr, Option<Software>, Option<String>),
    /// The application behind a proxy.
    Upstream(Endpoint),
    /// Who answers, where nothing tells a proxy from an application.
    Server(Endpoint),
    /// Something between the hosts.
    Network,
    /// How the capture was made.
    Capture,
}

/// Something to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The software, as people call it: `nginx`.
    pub target: &'static str,
    /// Where in its configuration; empty if there is no such place.
    pub place: String,
    /// What to write there, line by line.
    pub text: String,
}

impl Finding {
    /// A finding of a rule with the rule's own severity; the rest is added with the methods below.
    #[must_use]
    pub fn new(rule: &'static Rule, blame: Blame, headline: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            about: About::Capture,
            blame,
            headline: headline.into(),
            detail: Vec::new(),
            packets: Vec::new(),
            fixes: Vec::new(),
            advice: Vec::new(),
            symptoms: Vec::new(),
        }
    }

    /// Adds a sentence.
    #[must_use]
    pub fn saying(mut self, sentence: impl Into<String>) -> Self {
        self.detail.push(sentence.into());
        self
    }

    /// Adds a sentence, if there is one.
    #[must_use]
    pub fn saying_also(mut self, sentence: Option<String>) -> Self {
        self.detail.extend(sentence);
        self
    }

    /// Adds packets that show it.
    #[must_use]
    pub fn shown_by(mut self, packets: impl IntoIterator<Item = PacketNumber>) -> Self {
        self.packets.extend(packets);
        self.packets.sort_unstable();
        self.packets.dedup();
        self
    }

    /// Adds what to change.
    #[must_use]
    pub fn mended_by(mut self, fixes: impl IntoIterator<Item = Fix>) -> Self {
        self.fixes.extend(fixes);
        self
    }

    /// Adds what to know about the fixes.
    #[must_use]
    pub fn advising(mut self, sentence: impl Into<String>) -> Self {
        self.advice.push(sentence.into());
        self
    }

    /// The same, if there is something.
    #[must_use]
    pub fn advising_also(mut self, sentence: Option<String>) -> Self {
        self.advice.extend(sentence);
        self
    }

    /// Makes it matter less, never more.
    #[must_use]
    pub fn at_most(mut self, severity: Severity) -> Self {
        self.severity = self.severity.min(severity);
        self
    }

    /// What it is about, where the check does not follow from it.
    #[must_use]
    pub fn about(mut self, about: About) -> Self {
        self.about = about;
        self
    }

    /// The finding in full: who did what, and the sentences about it.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.sentence() + ".";
        for sentence in &self.detail {
            message.push(' ');
            message.push_str(sentence);
        }
        message
    }

    /// The finding as one sentence: who, and what was done.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{} {}", self.blame.spoken(), self.headline)
    }
}

impl Blame {
    /// A proxy.
    #[must_use]
    pub fn proxy(proxy: &Proxy) -> Self {
        Self::Proxy(proxy.address, proxy.software, proxy.version.as_ref().map(ToString::to_string))
    }

    /// Where it is, for those who count: all clients are one place.
    #[must_use]
    pub const fn place(&self) -> Option<&Self> {
        match self {
            Self::Client(_) => None,
            other => Some(other),
        }
    }

    /// As a person says it: `nginx 1.22.1 (10.77.2.1)`.
    #[must_use]
    pub fn spoken(&self) -> String {
        match self {
            Self::Client(address) => format!("the client {address}"),
            Self::Proxy(address, None, _) => format!("the proxy {address}"),
            Self::Proxy(address, Some(software), None) => format!("{} ({address})", software.name()),
            Self::Proxy(address, Some(software), Some(version)) => {
                format!("{} {version} ({address})", software.name())
            }
            Self::Upstream(endpoint) => format!("the upstream {endpoint}"),
            Self::Server(endpoint) => format!("the server {endpoint}"),
            Self::Network => "the network".to_owned(),
            Self::Capture => "the capture".to_owned(),
        }
    }
}

/// As programs read it: `proxy 10.77.2.1 (nginx)`.
impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(address) => write!(f, "client {address}"),
            Self::Proxy(address, None, _) => write!(f, "proxy {address}"),
            Self::Proxy(address, Some(software), _) => write!(f, "proxy {address} ({})", software.name()),
            Self::Upstream(endpoint) => write!(f, "upstream {endpoint}"),
            Self::Server(endpoint) => write!(f, "server {endpoint}"),
            Self::Network => f.write_str("network"),
            Self::Capture => f.write_str("capture"),
        }
    }
}
