//! `deflate`: the conversations of `chat` with permessage-deflate.

use super::{Opening, Profile};
use crate::kit::Kit;
use crate::scale::Scale;
use crate::schedule::Plan;
use crate::traffic::messages::Messages;

/// 10,000 connections with about 50 frames each; one in ten keeps its compression windows.
pub(crate) struct Deflated {
    connections: u32,
}

impl Deflated {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { connections: scale.of(10_000) }
    }
}

impl Profile for Deflated {
    fn plan(&self) -> Plan {
        Plan {
            connections: self.connections,
            open: 2_000,
            spread_us: 10_000_000,
            flood_syns: 0,
            flood_port: 0,
        }
    }

    fn open(&mut self, number: u32, kit: &mut Kit) -> Opening {
        let frames = kit.random.between(17, 83);
        // Two windows are a quarter of a megabyte each.
        let forgets = !number.is_multiple_of(10);
        Opening { port: 80, application: Box::new(Messages::deflated(frames, forgets, kit)) }
    }
}
