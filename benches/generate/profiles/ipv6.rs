//! `ipv6`: the conversations of `chat` over IPv6, with a VLAN tag in each frame.

use super::{Opening, Profile};
use crate::kit::Kit;
use crate::packet::Link;
use crate::scale::Scale;
use crate::schedule::Plan;
use crate::traffic::messages::Messages;

/// 10,000 connections with about 50 frames each.
pub(crate) struct Ipv6 {
    connections: u32,
}

impl Ipv6 {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { connections: scale.of(10_000) }
    }
}

impl Profile for Ipv6 {
    fn plan(&self) -> Plan {
        Plan {
            connections: self.connections,
            open: 5_000,
            spread_us: 20_000_000,
            flood_syns: 0,
            flood_port: 0,
        }
    }

    fn open(&mut self, _number: u32, kit: &mut Kit) -> Opening {
        let frames = kit.random.between(17, 83);
        Opening { port: 80, application: Box::new(Messages::small(frames, kit)) }
    }

    fn link(&self) -> Link {
        Link::TaggedIpv6
    }
}
