//! `mixed`: web traffic on a lossy path, with some WebSocket connections and much TLS.

use super::{Opening, Profile};
use crate::conversation::{Application, Impairment};
use crate::kit::Kit;
use crate::scale::Scale;
use crate::schedule::Plan;
use crate::traffic::messages::Messages;
use crate::traffic::tls::Tls;
use crate::traffic::web::Web;

/// 13,000 connections: 5 % WebSocket, 40 % TLS-shaped, the rest HTTP/1.1 with several requests a connection.
pub(crate) struct Mixed {
    connections: u32,
}

impl Mixed {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { connections: scale.of(13_000) }
    }
}

impl Profile for Mixed {
    fn plan(&self) -> Plan {
        Plan {
            connections: self.connections,
            open: 2_000,
            spread_us: 5_000_000,
            flood_syns: 0,
            flood_port: 0,
        }
    }

    fn open(&mut self, _number: u32, kit: &mut Kit) -> Opening {
        let (port, application): (u16, Box<dyn Application>) = match kit.random.below(100) {
            0..5 => (80, Box::new(websocket(kit))),
            5..45 => (443, Box::new(Tls::new(kit))),
            _ => (80, Box::new(Web::new(kit))),
        };
        Opening { port, application }
    }

    fn impairment(&self) -> Impairment {
        Impairment {
            retransmitted: 100,
            swapped: 58, // the last segment of a burst has none to be swapped with
            ..Impairment::default()
        }
    }
}

/// An upgrade attempt; one in eight is refused.
fn websocket(kit: &mut Kit) -> Messages {
    if kit.random.chance(1, 8) {
        let status = kit.random.pick(&["400 Bad Request", "404 Not Found", "502 Bad Gateway"]);
        Messages::refused(status, kit)
    } else {
        let frames = kit.random.between(10, 200);
        Messages::large(frames, kit)
    }
}
