//! What a capture file says of itself, beside its packets.

use std::collections::BTreeMap;

use super::block::LinkType;
use super::clock::Standpoint;
use crate::limits;
use crate::units::PacketNumber;

/// What a file says of itself, which only pcapng files do, and what its packets show of where it was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// The path as it was given, or `standard input`.
    pub name: String,
    /// Packets of the file.
    pub packets: u64,
    /// The interfaces that it describes, at most [`limits::FILE_FACTS`].
    pub interfaces: Vec<InterfaceFacts>,
    /// Interfaces past that limit.
    pub interfaces_untold: u64,
    /// What people wrote into it, at most [`limits::FILE_FACTS`].
    pub comments: Vec<Comment>,
    /// Comments past that limit.
    pub comments_untold: u64,
    /// Blocks with keys of encrypted connections, by what they are for. They are not used.
    pub secrets: BTreeMap<Secrets, u64>,
    /// Where it was captured, beside the others.
    pub standpoint: Standpoint,
}

/// An interface of a pcapng section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// What the system calls it: `eth0`. At most [`limits::FILE_TEXT_BYTES`].
    pub name: Option<String>,
    /// Its link type.
    pub link: LinkType,
    /// Packets that it, or the system, dropped for want of room while it captured; none if the file does not say.
    pub dropped: Option<u64>,
}

/// What the keys of a block are for (pcapng section 4.7, and what Wireshark writes beside it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their names are in `name`")]
pub enum Secrets {
    Tls,
    Ssh,
    WireGuard,
    ZigBee,
    OpcUa,
    Other,
}

impl Secrets {
    /// By the number in the block.
    pub(super) const fn of(number: u32) -> Self {
        match &number.to_be_bytes() {
            b"TLSK" => Self::Tls,
            b"SSHK" => Self::Ssh,
            b"WGKL" => Self::WireGuard,
            b"ZNWK" | b"ZAPS" => Self::ZigBee,
            b"UAKL" => Self::OpcUa,
            _ => Self::Other,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Ssh => "SSH",
            Self::WireGuard => "WireGuard",
            Self::ZigBee => "ZigBee",
            Self::OpcUa => "OPC UA",
            Self::Other => "other",
        }
    }
}

/// What somebody wrote into a capture, at most [`limits::FILE_TEXT_BYTES`] of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The packet in this file that it is about; none if it is about all or about an interface.
    pub packet: Option<PacketNumber>,
    /// The text.
    pub text: String,
}

impl FileFacts {
    /// Whether there is nothing to be told.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_plain = |interface: &InterfaceFacts| interface.name.is_none() && interface.dropped.is_none();
        self.interfaces.iter().all(is_plain) && self.comments.is_empty() && self.secrets.is_empty()
    }

    /// Packets that were dropped while it was captured, as far as the file says so.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.interfaces.iter().filter_map(|interface| interface.dropped).fold(0, u64::saturating_add)
    }

    pub(super) fn keys(&mut self, secrets: Secrets) {
        let blocks = self.secrets.entry(secrets).or_default();
        *blocks = blocks.saturating_add(1);
    }

    pub(super) fn describe(&mut self, interface: InterfaceFacts) {
        if self.interfaces.len() < limits::FILE_FACTS {
            self.interfaces.push(interface);
        } else {
            self.interfaces_untold = self.interfaces_untold.saturating_add(1);
        }
    }

    pub(super) fn comment(&mut self, packet: Option<PacketNumber>, text: &[u8]) {
        if self.comments.len() < limits::FILE_FACTS {
            self.comments.push(Comment { packet, text: start_of(text) });
        } else {
            self.comments_untold = self.comments_untold.saturating_add(1);
        }
    }
}

/// As much of a text as is told.
pub(super) fn start_of(text: &[u8]) -> String {
    let start = text.get(..limits::FILE_TEXT_BYTES).unwrap_or(text);
    String::from_utf8_lossy(start).trim_end_matches('\0').to_owned()
}
