//! A WebSocket connection on which people talk: short messages both ways, some of them fragmented,
//! pings between, several frames in one segment and one frame in several.

use crate::burst::{Burst, Cut};
use crate::conversation::{Application, Next, Role};
use crate::deflate::Deflate;
use crate::frame::{self, Opcode};
use crate::handshake::Handshake;
use crate::kit::Kit;
use crate::material::Kind;

/// Handshake, frames, closing handshake; or a handshake that is refused.
pub(crate) struct Messages {
    handshake: Handshake,
    refusal: Option<&'static str>,
    stage: Stage,
    frames_left: u32,
    large: bool,
    /// A ping that waits for this side's pong, and its payload.
    pong: Option<(Role, [u8; 4])>,
    close: Option<u16>,
    deflate: Option<Deflate>,
    /// So many of the next bursts fit into one segment.
    whole_bursts: u8,
}

#[derive(Clone, Copy)]
enum Stage {
    Request,
    Answer,
    Talk,
    CloseAnswer(Role),
    End,
}

impl Messages {
    /// `frames` frames of a few hundred bytes at most.
    pub(crate) fn small(frames: u32, kit: &mut Kit) -> Self {
        Self {
            handshake: Handshake::new(kit),
            refusal: None,
            stage: Stage::Request,
            frames_left: frames,
            large: false,
            pong: None,
            close: kit.random.pick(&[Some(1000), Some(1000), Some(1001), Some(1001), Some(1001), None]),
            deflate: None,
            whole_bursts: 0,
        }
    }

    /// The same as [`Messages::small`] with permessage-deflate; one message in eight is sent as it is.
    pub(crate) fn deflated(frames: u32, forgets: bool, kit: &mut Kit) -> Self {
        let small = Self::small(frames, kit);
        Self {
            handshake: small.handshake.with_deflate(forgets),
            deflate: Some(Deflate::new(forgets)),
            ..small
        }
    }

    /// The same as [`Messages::small`] after the handshake. The first two segments hold whole frames: what comes before
    /// the first whole ones, no reader can count.
    pub(crate) fn joined(frames: u32, kit: &mut Kit) -> Self {
        kit.truth.midstream += 1;
        Self { stage: Stage::Talk, whole_bursts: 2, ..Self::small(frames, kit) }
    }

    /// `frames` frames, some of them of several kilobytes.
    pub(crate) fn large(frames: u32, kit: &mut Kit) -> Self {
        Self { large: true, ..Self::small(frames, kit) }
    }

    /// An attempt that gets `status` instead of 101.
    pub(crate) fn refused(status: &'static str, kit: &mut Kit) -> Self {
        Self { refusal: Some(status), ..Self::small(0, kit) }
    }

    /// Fills a burst with a pong that is owed and one to six frames or fragmented messages.
    fn talk(&mut self, burst: &mut Burst, kit: &mut Kit) {
        let by = match self.pong {
            Some((by, _)) => by,
            None if kit.random.chance(2, 5) => Role::Client,
            None => Role::Server,
        };
        burst.begin(by, kit.random.magnitude(14, 20));
        if let Some((_, payload)) = self.pong.take() {
            burst.pause_us = kit.random.magnitude(9, 14);
            frame::whole(&mut burst.bytes, by, Opcode::Pong, true, &payload, kit);
        }
        if self.whole_bursts > 0 {
            self.whole_bursts -= 1;
            return self.append(1, burst, kit);
        }
        self.glue(burst, kit);
        if kit.random.chance(3, 10) {
            burst.cut = Cut::Pieces(kit.random.pick(&[2, 2, 3, 4]));
        }
    }

    /// Appends frames to what the burst holds already.
    fn glue(&mut self, burst: &mut Burst, kit: &mut Kit) {
        let wanted = if kit.random.chance(3, 5) { 1 } else { kit.random.between(2, 6) };
        self.append(wanted, burst, kit);
    }

    /// Appends this many frames or fragmented messages, if so many are left.
    fn append(&mut self, wanted: u32, burst: &mut Burst, kit: &mut Kit) {
        for _ in 0..wanted {
            match self.frames_left {
                0 => return,
                2.. if self.pong.is_none() && kit.random.chance(1, 25) => self.ping(burst, kit),
                2.. if kit.random.chance(1, 25) => self.fragments(burst, kit),
                _ => {
                    self.frames_left -= 1;
                    let opcode = kit.random.pick(&KINDS);
                    let compressed = self.compresses(kit);
                    self.data(burst, opcode, true, compressed, kit);
                }
            }
        }
    }

    /// Appends a ping and reserves a frame for its pong.
    fn ping(&mut self, burst: &mut Burst, kit: &mut Kit) {
        self.frames_left -= 2;
        let payload = kit.random.bytes();
        self.pong = Some((burst.by.other(), payload));
        frame::whole(&mut burst.bytes, burst.by, Opcode::Ping, true, &payload, kit);
    }

    /// Appends a message in two to four fragments, perhaps with a ping between them.
    fn fragments(&mut self, burst: &mut Burst, kit: &mut Kit) {
        let count = kit.random.between(2, 4).min(self.frames_left);
        self.frames_left -= count;
        let opcode = kit.random.pick(&KINDS);
        let compressed = self.compresses(kit);
        self.data(burst, opcode, false, compressed, kit);
        if self.pong.is_none() && self.frames_left >= 2 && kit.random.chance(1, 4) {
            self.ping(burst, kit);
        }
        for rest in (0..count - 1).rev() {
            self.data(burst, Opcode::Continuation, rest == 0, compressed, kit);
        }
    }

    /// Whether the next message is compressed.
    fn compresses(&self, kit: &mut Kit) -> bool {
        self.deflate.is_some() && kit.random.chance(7, 8)
    }

    /// Appends one data frame, of a message that is compressed or not.
    fn data(&mut self, burst: &mut Burst, opcode: Opcode, fin: bool, compressed: bool, kit: &mut Kit) {
        let length = if self.large && kit.random.chance(1, 10) {
            kit.random.magnitude(9, 13)
        } else {
            kit.random.magnitude(2, 7)
        };
        let mut payload = Vec::with_capacity(length as usize);
        if opcode == Opcode::Binary {
            kit.material.append(&mut payload, Kind::Binary, length as usize, &mut kit.random);
        } else if opcode == Opcode::Text && fin && length > 40 {
            payload.extend_from_slice(br#"{"type":"message","text":""#);
            kit.material.append_words(&mut payload, length as usize - 28, &mut kit.random);
            payload.extend_from_slice(br#""}"#);
        } else {
            // A continuation of a binary message may be text as well.
            kit.material.append_words(&mut payload, length as usize, &mut kit.random);
        }
        let first = opcode != Opcode::Continuation;
        if let Some(deflate) = self.deflate.as_mut().filter(|_| compressed) {
            let plain_bytes = payload.len() as u64;
            payload = deflate.fragment(burst.by, first, fin, &payload, kit);
            let append = if first { frame::compressed } else { frame::whole };
            append(&mut burst.bytes, burst.by, opcode, fin, &payload, kit);
            kit.truth.compressed(plain_bytes, payload.len() as u64);
            return;
        }
        frame::whole(&mut burst.bytes, burst.by, opcode, fin, &payload, kit);
    }

    /// Fills a burst with a close frame.
    fn close(&self, by: Role, burst: &mut Burst, kit: &mut Kit) {
        burst.begin(by, kit.random.magnitude(9, 15));
        let mut payload = Vec::new();
        if let Some(code) = self.close {
            payload.extend_from_slice(&code.to_be_bytes());
            if code == 1001 {
                payload.extend_from_slice(b"going away");
            }
        }
        frame::whole(&mut burst.bytes, by, Opcode::Close, true, &payload, kit);
    }
}

impl Application for Messages {
    fn next(&mut self, burst: &mut Burst, kit: &mut Kit) -> Next {
        self.stage = match self.stage {
            Stage::Request => {
                self.handshake.request(burst, kit);
                Stage::Answer
            }
            Stage::Answer => {
                if let Some(status) = self.refusal {
                    Handshake::refuse(status, burst, kit);
                    Stage::End
                } else {
                    self.handshake.accept(burst, kit);
                    if kit.random.chance(1, 10) {
                        self.glue(burst, kit); // frames right behind the 101
                    }
                    Stage::Talk
                }
            }
            Stage::Talk if self.frames_left == 0 && self.pong.is_none() => {
                let by = kit.random.pick(&[Role::Client, Role::Client, Role::Server]);
                self.close(by, burst, kit);
                Stage::CloseAnswer(by.other())
            }
            Stage::Talk => {
                self.talk(burst, kit);
                Stage::Talk
            }
            Stage::CloseAnswer(by) => {
                self.close(by, burst, kit);
                Stage::End
            }
            Stage::End => return Next::Close(Role::Server),
        };
        Next::Send
    }
}

/// Seven of eight messages are text.
const KINDS: [Opcode; 8] = [
    Opcode::Text,
    Opcode::Text,
    Opcode::Text,
    Opcode::Text,
    Opcode::Text,
    Opcode::Text,
    Opcode::Text,
    Opcode::Binary,
];
