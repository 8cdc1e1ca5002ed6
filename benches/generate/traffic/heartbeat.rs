//! A WebSocket connection on which nothing flows but pings and pongs.

use crate::burst::Burst;
use crate::conversation::{Application, Next, Role};
use crate::frame::{self, Opcode};
use crate::handshake::Handshake;
use crate::kit::Kit;

/// Handshake, then pings of the server at a steady interval; never closed.
pub(crate) struct Heartbeat {
    handshake: Handshake,
    stage: Stage,
    pings_left: u32,
    payload: [u8; 4],
}

enum Stage {
    Request,
    Answer,
    Ping,
    Pong,
}

impl Heartbeat {
    /// A connection on which `pings` pings are sent and answered.
    pub(crate) fn new(pings: u32, kit: &mut Kit) -> Self {
        Self { handshake: Handshake::new(kit), stage: Stage::Request, pings_left: pings, payload: [0; 4] }
    }
}

impl Application for Heartbeat {
    fn next(&mut self, burst: &mut Burst, kit: &mut Kit) -> Next {
        match self.stage {
            Stage::Request => {
                self.handshake.request(burst, kit);
                self.stage = Stage::Answer;
            }
            Stage::Answer => {
                self.handshake.accept(burst, kit);
                self.stage = Stage::Ping;
            }
            Stage::Ping => {
                if self.pings_left == 0 {
                    return Next::StayOpen;
                }
                self.pings_left -= 1;
                self.payload = kit.random.bytes();
                burst.begin(Role::Server, kit.random.between(PING_EVERY_US, PING_EVERY_US + 50_000));
                frame::whole(&mut burst.bytes, Role::Server, Opcode::Ping, true, &self.payload, kit);
                self.stage = Stage::Pong;
            }
            Stage::Pong => {
                burst.begin(Role::Client, kit.random.magnitude(9, 14));
                frame::whole(&mut burst.bytes, Role::Client, Opcode::Pong, true, &self.payload, kit);
                self.stage = Stage::Ping;
            }
        }
        Next::Send
    }
}

/// The interval of many servers' defaults.
const PING_EVERY_US: u32 = 25_000_000;
