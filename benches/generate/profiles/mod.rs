//! The profiles: kinds of traffic that cost a reader in different places.

mod bulk;
mod chat;
mod deflate;
mod dropped;
mod ipv6;
mod late;
mod longlived;
mod mixed;
mod synflood;

use crate::conversation::{Application, Impairment};
use crate::kit::Kit;
use crate::packet::Link;
use crate::scale::Scale;
use crate::schedule::Plan;

/// One kind of traffic.
pub(crate) trait Profile {
    /// How many connections, and how close together.
    fn plan(&self) -> Plan;

    /// What is said on the connection with this number.
    fn open(&mut self, number: u32, kit: &mut Kit) -> Opening;

    /// What carries it; by default IPv4 in plain Ethernet.
    fn link(&self) -> Link {
        Link::default()
    }

    /// Whether the connections were open before the capture began.
    fn joins(&self) -> bool {
        false
    }

    /// How badly the path treats it; by default not at all.
    fn impairment(&self) -> Impairment {
        Impairment::default()
    }
}

/// A connection that is about to begin.
pub(crate) struct Opening {
    /// Port of the server.
    pub(crate) port: u16,
    /// What is said.
    pub(crate) application: Box<dyn Application>,
}

/// A profile's name, its size, and how it is made.
pub(crate) struct Entry {
    /// As typed.
    pub(crate) name: &'static str,
    /// About how large its file is at scale 1, in millions of bytes.
    pub(crate) megabytes: u64,
    /// Makes it at a scale.
    pub(crate) make: fn(Scale) -> Box<dyn Profile>,
}

/// All profiles, in the order of the table in the README.
pub(crate) const ALL: [Entry; 9] = [
    Entry { name: "chat", megabytes: 165, make: |scale| Box::new(chat::Chat::new(scale)) },
    Entry { name: "bulk", megabytes: 1260, make: |scale| Box::new(bulk::Bulk::new(scale)) },
    Entry { name: "mixed", megabytes: 1149, make: |scale| Box::new(mixed::Mixed::new(scale)) },
    Entry { name: "synflood", megabytes: 170, make: |scale| Box::new(synflood::SynFlood::new(scale)) },
    Entry { name: "longlived", megabytes: 126, make: |scale| Box::new(longlived::LongLived::new(scale)) },
    Entry { name: "ipv6", megabytes: 97, make: |scale| Box::new(ipv6::Ipv6::new(scale)) },
    Entry { name: "deflate", megabytes: 79, make: |scale| Box::new(deflate::Deflated::new(scale)) },
    Entry { name: "late", megabytes: 72, make: |scale| Box::new(late::Late::new(scale)) },
    Entry { name: "dropped", megabytes: 246, make: |scale| Box::new(dropped::Dropped::new(scale)) },
];
