//! `synflood`: SYNs that nobody answers, with a few real connections among them.

use super::{Opening, Profile};
use crate::kit::Kit;
use crate::scale::Scale;
use crate::schedule::{FLOOD_GAP_US, Plan};
use crate::traffic::messages::Messages;

/// 2,000,000 SYNs among 1,000 connections; a scale above 1 makes more SYNs only.
pub(crate) struct SynFlood {
    syns: u32,
    connections: u32,
}

impl SynFlood {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { syns: scale.of(2_000_000), connections: scale.of_at_most(1_000) }
    }
}

impl Profile for SynFlood {
    fn plan(&self) -> Plan {
        Plan {
            connections: self.connections,
            open: self.connections,
            spread_us: u64::from(self.syns) * u64::from(FLOOD_GAP_US),
            flood_syns: self.syns,
            flood_port: 80,
        }
    }

    fn open(&mut self, _number: u32, kit: &mut Kit) -> Opening {
        let frames = kit.random.between(10, 60);
        Opening { port: 80, application: Box::new(Messages::small(frames, kit)) }
    }
}
