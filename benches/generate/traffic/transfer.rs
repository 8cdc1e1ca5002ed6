//! A WebSocket connection that moves files: large binary frames, each answered by a short text.

use crate::burst::Burst;
use crate::conversation::{Application, Next, Role};
use crate::frame::{self, Opcode};
use crate::handshake::Handshake;
use crate::kit::Kit;
use crate::material::Kind;

/// Handshake, frames one after the other in either direction, closing handshake.
pub(crate) struct Transfer {
    handshake: Handshake,
    stage: Stage,
    frames_left: u32,
}

#[derive(Clone, Copy)]
enum Stage {
    Request,
    Answer,
    Frame,
    Receipt(Role),
    Close,
    CloseAnswer,
    End,
}

impl Transfer {
    /// A connection with this many large frames.
    pub(crate) fn new(frames: u32, kit: &mut Kit) -> Self {
        Self { handshake: Handshake::new(kit), stage: Stage::Request, frames_left: frames }
    }
}

impl Application for Transfer {
    fn next(&mut self, burst: &mut Burst, kit: &mut Kit) -> Next {
        self.stage = match self.stage {
            Stage::Request => {
                self.handshake.request(burst, kit);
                Stage::Answer
            }
            Stage::Answer => {
                self.handshake.accept(burst, kit);
                Stage::Frame
            }
            Stage::Frame => {
                // Three of four go down, as most files do.
                let by = if kit.random.chance(3, 4) { Role::Server } else { Role::Client };
                burst.begin(by, kit.random.magnitude(8, 15));
                let length = u64::from(kit.random.between(64 << 10, 1 << 20));
                let key = frame::header(&mut burst.bytes, by, Opcode::Binary, true, length, kit);
                burst.fill(Kind::Binary, length, key);
                self.frames_left = self.frames_left.saturating_sub(1);
                Stage::Receipt(by.other())
            }
            Stage::Receipt(by) => {
                burst.begin(by, kit.random.magnitude(8, 13));
                let text = br#"{"received":true}"#;
                frame::whole(&mut burst.bytes, by, Opcode::Text, true, text, kit);
                if self.frames_left == 0 { Stage::Close } else { Stage::Frame }
            }
            Stage::Close | Stage::CloseAnswer => {
                let (by, next) = match self.stage {
                    Stage::Close => (Role::Client, Stage::CloseAnswer),
                    _ => (Role::Server, Stage::End),
                };
                burst.begin(by, kit.random.magnitude(8, 13));
                let normal = 1000_u16.to_be_bytes();
                frame::whole(&mut burst.bytes, by, Opcode::Close, true, &normal, kit);
                next
            }
            Stage::End => return Next::Close(Role::Server),
        };
        Next::Send
    }
}
