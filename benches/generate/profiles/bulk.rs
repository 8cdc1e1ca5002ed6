//! `bulk`: few connections with large binary frames in full segments.

use super::{Opening, Profile};
use crate::kit::Kit;
use crate::scale::Scale;
use crate::schedule::Plan;
use crate::traffic::transfer::Transfer;

/// 200 connections with about 6 MB each; a larger scale makes more connections, 200 at a time.
pub(crate) struct Bulk {
    connections: u32,
}

impl Bulk {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { connections: scale.of(200) }
    }
}

impl Profile for Bulk {
    fn plan(&self) -> Plan {
        Plan { connections: self.connections, open: 200, spread_us: 500_000, flood_syns: 0, flood_port: 0 }
    }

    fn open(&mut self, _number: u32, kit: &mut Kit) -> Opening {
        Opening { port: 80, application: Box::new(Transfer::new(kit.random.between(6, 15), kit)) }
    }
}
