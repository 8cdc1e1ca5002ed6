//! `late`: conversations that were under way when the capture began: frames without a handshake.

use super::{Opening, Profile};
use crate::kit::Kit;
use crate::scale::Scale;
use crate::schedule::Plan;
use crate::traffic::messages::Messages;

/// 10,000 connections with about 50 frames each, all of them seen from a frame's first byte on.
pub(crate) struct Late {
    connections: u32,
}

impl Late {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { connections: scale.of(10_000) }
    }
}

impl Profile for Late {
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
        Opening { port: 80, application: Box::new(Messages::joined(frames, kit)) }
    }

    fn joins(&self) -> bool {
        true
    }
}
