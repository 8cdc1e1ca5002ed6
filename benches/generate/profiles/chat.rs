//! `chat`: many connections, small frames both ways, split over segments and glued into one.

use super::{Opening, Profile};
use crate::kit::Kit;
use crate::scale::Scale;
use crate::schedule::Plan;
use crate::traffic::messages::Messages;

/// 20,000 connections that share 1,000,000 frames (closing handshakes come on top).
pub(crate) struct Chat {
    connections: u32,
    frames_left: u32,
}

impl Chat {
    /// At a scale.
    pub(crate) fn new(scale: Scale) -> Self {
        Self { connections: scale.of(20_000), frames_left: scale.of(20_000).saturating_mul(50) }
    }
}

impl Profile for Chat {
    fn plan(&self) -> Plan {
        Plan {
            connections: self.connections,
            open: 5_000,
            spread_us: 20_000_000,
            flood_syns: 0,
            flood_port: 0,
        }
    }

    fn open(&mut self, number: u32, kit: &mut Kit) -> Opening {
        let share = self.frames_left / (self.connections - number).max(1);
        let frames = if number + 1 == self.connections {
            self.frames_left
        } else {
            kit.random.between(share / 3, share + share * 2 / 3)
        };
        self.frames_left -= frames.min(self.frames_left);
        Opening { port: 80, application: Box::new(Messages::small(frames, kit)) }
    }
}
