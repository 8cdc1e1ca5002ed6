//! `dropped`: large frames, of which the capture missed some segments that the receiver got.

use super::{Opening, Profile};
use crate::conversation::Impairment;
use crate::kit::Kit;
use crate::scale::Scale;
use crate::schedule::Plan;
use crate::traffic::transfer::Transfer;

/// 40 connections with about 6 MB each; one segment in a hundred inside a payload is missing.
pub(crate) struct Dropped {
    connections: u32,
}

impl Dropped {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { connections: scale.of(40) }
    }
}

impl Profile for Dropped {
    fn plan(&self) -> Plan {
        Plan { connections: self.connections, open: 40, spread_us: 500_000, flood_syns: 0, flood_port: 0 }
    }

    fn open(&mut self, _number: u32, kit: &mut Kit) -> Opening {
        Opening { port: 80, application: Box::new(Transfer::new(kit.random.between(6, 15), kit)) }
    }

    fn impairment(&self) -> Impairment {
        Impairment { uncaptured: 100, ..Impairment::default() }
    }
}
