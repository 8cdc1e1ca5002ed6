//! One side of a session: where its stream of frames stands, and what it has sent.

use super::facts::RoleFacts;
use super::header::{FrameHeader, Opcode};
use super::resync::Trial;
use crate::protocol::{Context, Role};
use crate::units::Origin;

/// Where one side's stream of frames stands, and what it has sent: eight bytes less than a cache line, so that it
/// shares one with the head of the stack. Sessions are touched at random, and waiting for memory is a good part of the
/// work.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) state: State,
    pub(super) payload_bytes: u64,
    /// Frames by opcode; see [`Side::counter`].
    pub(super) frames: [u32; 6],
    pub(super) messages: u32,
    pub(super) message: Message,
    pub(super) closed: bool,
    /// It has sent a close frame of which the capture lacks the payload.
    pub(super) close_lost: bool,
    /// How many more frames of this side are to be looked at: those of the client are marked, and the server's first
    /// message is looked into.
    pub(super) looks_left: u8,
}

/// What the capture's holes left of one side's stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Losses {
    pub(super) undecoded_bytes: u64,
    pub(super) resyncs: u64,
}

/// What is due next.
#[derive(Debug, Default)]
pub(super) enum State {
    /// A header is due.
    #[default]
    Header,
    /// This many bytes of payload are still to be skipped.
    Payload(u64),
    /// Some bytes of a header are there already.
    PartOfHeader(Box<PartOfHeader>),
    /// The payload of a control frame comes in pieces.
    Control(Box<Control>),
    /// Where the next frame begins is not known.
    Lost,
    /// The same, and no frame was seen before, nor a gap: the session is older than the capture.
    Joined,
    /// What was found again may be a frame.
    Trial(Box<Trial>),
}

/// The first bytes of a header.
#[derive(Debug)]
pub(super) struct PartOfHeader {
    pub(super) bytes: [u8; FrameHeader::MAX_BYTES],
    pub(super) have: usize,
    pub(super) origin: Origin,
}

/// Whether a fragmented message is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Message {
    #[default]
    None,
    Open,
    /// The capture does not show it.
    Unknown,
}

impl Message {
    /// The opcodes of data frames that may come next (RFC 6455 section 5.4), a bit each at its place; none if nobody knows.
    #[inline]
    const fn opcodes_due(self) -> u16 {
        match self {
            Self::None => 1 << Opcode::TEXT.0 | 1 << Opcode::BINARY.0,
            Self::Open => 1 << Opcode::CONTINUATION.0,
            Self::Unknown => 0,
        }
    }
}

/// What is wrong with where a data frame stands; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MessagePlace {
    pub(super) is_orphan: bool,
    pub(super) interrupts: bool,
    pub(super) is_after_close: bool,
}

/// A control frame and what is there of its payload.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) header: FrameHeader,
    pub(super) payload: Vec<u8>,
    pub(super) origin: Origin,
}

impl Side {
    /// Takes what is plain at the front of `bytes` and returns what is left: payload that is only skipped, and frames of
    /// which nothing need be told, since they are as they must be. Those are text or binary data, in fragments or not, and
    /// whole pings and pongs if nobody asks for round trips. They are the bulk of all bytes, and this the way of most chunks.
    #[inline]
    pub(super) fn plain_frames<'a>(&mut self, context: &Context, by: Role, bytes: &'a [u8]) -> &'a [u8] {
        let mut bytes = match &mut self.state {
            State::Header => bytes,
            State::Payload(remaining) => {
                let after = usize::try_from(*remaining).ok().and_then(|remaining| bytes.get(remaining..));
                let Some(after) = after else {
                    *remaining = remaining.saturating_sub(bytes.len() as u64);
                    return &[];
                };
                self.state = State::Header;
                after
            }
            _ => return bytes,
        };
        if self.closed || self.looks_left > 0 || context.keeps_frames() {
            return bytes;
        }
        let (mask_bit, key_length) = if by == Role::Client { (0x80, 4) } else { (0, 0) };
        let control = if context.keeps_heads() { 0 } else { PINGS_AND_PONGS };
        while let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() {
            let (fin, opcode) = (first & 0x80 > 0, first & 0xf);
            let plain = self.message.opcodes_due() | if fin { control } else { 0 };
            if first & 0x70 > 0 || plain >> opcode & 1 == 0 {
                break;
            }
            let is_data = opcode < 0x8;
            let (length, rest) = match (second ^ mask_bit, rest) {
                (length @ ..=125, rest) => (u16::from(length), rest),
                (126, [high, low, rest @ ..]) if is_data && (*high > 0 || *low >= 126) => {
                    (u16::from_be_bytes([*high, *low]), rest)
                }
                _ => break,
            };
            let Some(payload) = rest.get(key_length..) else { break };
            let after = payload.get(usize::from(length)..);
            if after.is_none() && !is_data {
                break;
            }
            if let Some(frames) = self.frames.get_mut(Self::counter(Opcode(opcode))) {
                *frames = frames.saturating_add(1);
            }
            if is_data {
                self.message = if fin { Message::None } else { Message::Open };
                self.messages = self.messages.saturating_add(u32::from(fin));
            }
            self.payload_bytes = self.payload_bytes.saturating_add(u64::from(length));
            let Some(after) = after else {
                self.state = State::Payload(u64::from(length).saturating_sub(payload.len() as u64));
                return &[];
            };
            bytes = after;
        }
        bytes
    }

    #[inline]
    pub(super) fn count(&mut self, header: &FrameHeader) {
        if let Some(frames) = self.frames.get_mut(Self::counter(header.opcode)) {
            *frames = frames.saturating_add(1);
        }
        self.payload_bytes = self.payload_bytes.saturating_add(header.length);
    }

    /// RFC 6455 section 5.4: how data frames make messages.
    #[inline]
    pub(super) fn follow_message(&mut self, header: &FrameHeader) -> MessagePlace {
        let continues = header.opcode == Opcode::CONTINUATION;
        let is_orphan = continues && self.message == Message::None;
        let interrupts = !continues && self.message == Message::Open;
        self.message = if header.fin { Message::None } else { Message::Open };
        self.messages = self.messages.saturating_add(u32::from(header.fin && !is_orphan));
        MessagePlace { is_orphan, interrupts, is_after_close: self.closed }
    }

    /// Which of the counters is that of an opcode. Those without a meaning have none: they are anomalies, and those
    /// are counted anyway.
    #[inline]
    pub(super) fn counter(opcode: Opcode) -> usize {
        const NONE: u8 = u8::MAX;
        const COUNTERS: [u8; 16] =
            [0, 1, 2, NONE, NONE, NONE, NONE, NONE, 3, 4, 5, NONE, NONE, NONE, NONE, NONE];
        COUNTERS.get(usize::from(opcode.0)).copied().map_or(usize::MAX, usize::from)
    }

    /// Bytes of a frame that is not there yet, and of which nobody knows whether it is one.
    fn on_trial(&self) -> u64 {
        if let State::Trial(trial) = &self.state { trial.passed() } else { 0 }
    }

    pub(super) fn facts(&self, losses: Losses, other: u64) -> RoleFacts {
        let frames = |opcode| self.frames.get(Self::counter(opcode)).copied().map_or(0, u64::from);
        RoleFacts {
            text: frames(Opcode::TEXT),
            binary: frames(Opcode::BINARY),
            continuation: frames(Opcode::CONTINUATION),
            ping: frames(Opcode::PING),
            pong: frames(Opcode::PONG),
            close: frames(Opcode::CLOSE),
            other,
            messages: u64::from(self.messages),
            payload_bytes: self.payload_bytes,
            undecoded_bytes: losses.undecoded_bytes.saturating_add(self.on_trial()),
            resyncs: losses.resyncs,
        }
    }
}

/// A bit each at the place of its opcode.
const PINGS_AND_PONGS: u16 = 1 << Opcode::PING.0 | 1 << Opcode::PONG.0;
