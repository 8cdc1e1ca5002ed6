//! `longlived`: very many connections that stay open and only prove that they live.

use super::{Opening, Profile};
use crate::kit::Kit;
use crate::scale::Scale;
use crate::schedule::Plan;
use crate::traffic::heartbeat::Heartbeat;

/// 50,000 connections with six pings each, none of them closed.
pub(crate) struct LongLived {
    connections: u32,
}

impl LongLived {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { connections: scale.of(50_000) }
    }
}

impl Profile for LongLived {
    fn plan(&self) -> Plan {
        Plan {
            connections: self.connections,
            open: self.connections,
            spread_us: 25_000_000,
            flood_syns: 0,
            flood_port: 0,
        }
    }

    fn open(&mut self, _number: u32, kit: &mut Kit) -> Opening {
        Opening { port: 80, application: Box::new(Heartbeat::new(6, kit)) }
    }
}
