//! What the wire shows of the frames of one session.

use std::collections::VecDeque;

use super::header::Opcode;
use super::messages::Decoded;
use crate::limits;
use crate::protocol::Role;
use crate::units::{Origin, PacketNumber, Span, Timestamp};

/// The facts of one session.
#[derive(Clone, Debug, Default)]
pub struct SessionFacts {
    /// What the client sent.
    pub client: RoleFacts,
    /// What the server sent.
    pub server: RoleFacts,
    /// The first close frame.
    pub close: Option<CloseFact>,
    /// Pings of both sides and their pongs.
    pub pings: PingFacts,
    /// What RFC 6455 does not allow, each kind once a side.
    pub anomalies: Vec<AnomalyFact>,
    /// The frames themselves, if they were asked for.
    pub frames: FrameLog,
    /// The first masked frames of the client, up to [`limits::FRAME_MARKS`], if heads are kept.
    pub marks: Vec<FrameMark>,
    /// Bytes that the client sent before it can have seen the answer to its request.
    pub early_client_bytes: u64,
    /// The longest frame of the client, if it has at least [`limits::LONG_FRAME_BYTES`].
    pub client_longest: Option<LongFrame>,
    /// The same of the server.
    pub server_longest: Option<LongFrame>,
    /// The server's first message, if that lets the client not in: what Hocuspocus says to a token that it refuses.
    pub denied: Option<Origin>,
    /// The server's first message, if it is a text that tells an error or the end: at most 125 bytes.
    pub refusal: Option<Box<[u8]>>,
    /// Its messages, if they were asked for.
    pub decoded: Option<Box<Decoded>>,
}

impl SessionFacts {
    /// What one side sent.
    #[must_use]
    pub const fn role(&self, role: Role) -> &RoleFacts {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    /// The longest frame of one side, if it is long.
    #[must_use]
    pub const fn longest(&self, role: Role) -> Option<LongFrame> {
        match role {
            Role::Client => self.client_longest,
            Role::Server => self.server_longest,
        }
    }
}

/// A long frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongFrame {
    /// The payload's length in bytes, by the header.
    pub length: u64,
    /// The packet in which it begins.
    pub origin: Origin,
}

/// What tells a frame of the client from all others: a fresh masking key must be unpredictable (RFC 6455 section 5.3).
/// A proxy that passes frames on as they are leaves it as it is, so that the same session is recognised on another
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameMark {
    /// The masking key.
    pub masking_key: [u8; 4],
    /// The payload's length in bytes, by the header.
    pub length: u64,
    /// The packet in which the frame begins.
    pub origin: Origin,
}

/// What one side sent: frames by opcode, messages, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleFacts {
    /// Text frames.
    pub text: u64,
    /// Binary frames.
    pub binary: u64,
    /// Continuation frames.
    pub continuation: u64,
    /// Pings.
    pub ping: u64,
    /// Pongs.
    pub pong: u64,
    /// Close frames.
    pub close: u64,
    /// Frames with reserved opcodes.
    pub other: u64,
    /// Messages that were completed.
    pub messages: u64,
    /// Payload bytes of all frames, by their headers.
    pub payload_bytes: u64,
    /// Bytes that belong to no frame that could be found.
    pub undecoded_bytes: u64,
    /// How often the next frame was found again after a gap.
    pub resyncs: u64,
}

impl RoleFacts {
    /// Frames of all kinds.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        let data = self.text.saturating_add(self.binary).saturating_add(self.continuation);
        let control = self.ping.saturating_add(self.pong).saturating_add(self.close);
        data.saturating_add(control).saturating_add(self.other)
    }

    /// Both sides' counts.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            text: self.text.saturating_add(other.text),
            binary: self.binary.saturating_add(other.binary),
            continuation: self.continuation.saturating_add(other.continuation),
            ping: self.ping.saturating_add(other.ping),
            pong: self.pong.saturating_add(other.pong),
            close: self.close.saturating_add(other.close),
            other: self.other.saturating_add(other.other),
            messages: self.messages.saturating_add(other.messages),
            payload_bytes: self.payload_bytes.saturating_add(other.payload_bytes),
            undecoded_bytes: self.undecoded_bytes.saturating_add(other.undecoded_bytes),
            resyncs: self.resyncs.saturating_add(other.resyncs),
        }
    }
}

/// A close frame (RFC 6455 section 5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFact {
    /// Who sent it.
    pub by: Role,
    /// The status code; 1005 if the frame carries none (RFC 6455 section 7.1.5).
    pub code: u16,
    /// The reason as it was sent: at most 123 bytes, not necessarily UTF-8.
    pub reason: Box<[u8]>,
    /// The packet.
    pub origin: Origin,
}

impl CloseFact {
    /// RFC 6455 section 7.4: whether a code may stand in a close frame. 1004 is reserved; 1005, 1006 and 1015 are for
    /// endpoints to say to their own programs; below 1000 and from 5000 on nothing is defined, and 1016 to 2999 belong to
    /// the protocol's future.
    #[must_use]
    pub const fn may_be_sent(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// Pings and their pongs, both directions together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PingFacts {
    /// Pings that were answered, or overtaken by an answered later one (RFC 6455 section 5.5.3).
    pub answered: u64,
    /// Pings without a pong.
    pub unanswered: u64,
    /// The shortest and the longest time to a pong.
    pub extremes: Option<(Span, Span)>,
    /// The middle one.
    pub median: Option<Span>,
    /// What the client still waits for in the end.
    pub client_waits: Option<WaitingPings>,
    /// The same of the server.
    pub server_waits: Option<WaitingPings>,
}

impl PingFacts {
    /// The pings of one side that nobody has answered in the end.
    #[must_use]
    pub const fn waits(&self, by: Role) -> Option<WaitingPings> {
        match by {
            Role::Client => self.client_waits,
            Role::Server => self.server_waits,
        }
    }
}

/// Pings of one side without a pong, and none later that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingPings {
    /// How many, up to [`limits::OUTSTANDING_PINGS`].
    pub pings: u64,
    /// The first of them: its packet and time.
    pub oldest: (PacketNumber, Timestamp),
}

/// An anomaly, how often and where first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnomalyFact {
    /// What it is.
    pub kind: Anomaly,
    /// Who sent it.
    pub by: Role,
    /// How many frames.
    pub count: u64,
    /// The first one's packet.
    pub first: Origin,
}

/// What RFC 6455 does not allow in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// A client must mask (section 5.1).
    ClientFrameUnmasked,
    /// A server must not mask (section 5.1).
    ServerFrameMasked,
    /// A reserved bit that no negotiated extension gives a meaning (section 5.2).
    ReservedBitSet,
    /// An opcode that has no meaning (section 5.2).
    ReservedOpcode,
    /// A control frame in fragments (section 5.5).
    ControlFrameFragmented,
    /// A control frame with more than 125 bytes (section 5.5).
    ControlFrameTooLong,
    /// A continuation without a message to continue (section 5.4).
    ContinuationWithoutStart,
    /// A new message inside a fragmented one (section 5.4).
    MessageInterrupted,
    /// A length that could have been written shorter, or one with the most significant bit set (section 5.2).
    LengthNotMinimal,
    /// A close frame with one byte of payload, or with a code that must not be sent (sections 5.5.1 and 7.4).
    CloseMalformed,
    /// A data frame after the close frame of the same side (section 5.5.1).
    DataAfterClose,
    /// Where a frame is due, HTTP or HTML in clear text. What follows on this side is in no frame.
    HttpInTunnel,
}

impl Anomaly {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientFrameUnmasked => "client-frame-unmasked",
            Self::ServerFrameMasked => "server-frame-masked",
            Self::ReservedBitSet => "reserved-bit-set",
            Self::ReservedOpcode => "reserved-opcode",
            Self::ControlFrameFragmented => "control-frame-fragmented",
            Self::ControlFrameTooLong => "control-frame-too-long",
            Self::ContinuationWithoutStart => "continuation-without-start",
            Self::MessageInterrupted => "message-interrupted",
            Self::LengthNotMinimal => "length-not-minimal",
            Self::CloseMalformed => "close-malformed",
            Self::DataAfterClose => "data-after-close",
            Self::HttpInTunnel => "http-in-tunnel",
        }
    }
}

/// One frame, as remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRecord {
    /// The packet in which it begins.
    pub packet: PacketNumber,
    /// That packet's time.
    pub time: Timestamp,
    /// The payload's length in bytes.
    pub length: u64,
    /// Who sent it.
    pub by: Role,
    /// What kind it is.
    pub opcode: Opcode,
    /// The last frame of its message.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as the bits 4, 2 and 1.
    pub rsv: u8,
    /// The mask bit.
    pub masked: bool,
}

/// The frames of a session: the first ones and the latest ones.
#[derive(Clone, Debug, Default)]
pub struct FrameLog {
    first: Vec<FrameRecord>,
    latest: VecDeque<FrameRecord>,
    /// Frames between the first and the latest ones, or beyond the limit of all sessions, that are not kept.
    pub forgotten: u64,
}

impl FrameLog {
    /// The frames that are kept, in order.
    pub fn iter(&self) -> impl Iterator<Item = &FrameRecord> {
        self.first.iter().chain(&self.latest)
    }

    /// The frames that are kept, in order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut FrameRecord> {
        self.first.iter_mut().chain(&mut self.latest)
    }

    /// How many frames are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len().saturating_add(self.latest.len())
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.latest.is_empty()
    }

    /// Remembers a frame. `room` is how many more frames all sessions together may keep.
    pub(super) fn push(&mut self, frame: FrameRecord, room: &mut usize) {
        let full = *room == 0 || self.len() >= limits::FRAMES_KEPT;
        if full {
            self.forgotten = self.forgotten.saturating_add(1);
            if self.latest.pop_front().is_none() {
                return;
            }
        } else {
            *room = room.saturating_sub(1);
        }
        if self.first.is_empty() {
            self.first.reserve_exact(FEW);
        }
        if self.first.len() < limits::FRAMES_KEPT_FIRST {
            self.first.push(frame);
        } else {
            self.latest.push_back(frame);
        }
    }
}

/// What a session that sends frames at all sends at least, so that its log need not grow step by step.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64) -> FrameRecord {
        FrameRecord {
            packet: PacketNumber(number),
            time: Timestamp::default(),
            length: 0,
            by: Role::Client,
            opcode: Opcode::TEXT,
            fin: true,
            rsv: 0,
            masked: true,
        }
    }

    #[test]
    fn the_first_and_the_latest_frames_stay() {
        let (mut log, mut room) = (FrameLog::default(), usize::MAX);
        (1..=20_000).for_each(|number| log.push(frame(number), &mut room));
        let kept: Vec<u64> = log.iter().map(|frame| frame.packet.0).collect();
        assert_eq!(kept.len(), limits::FRAMES_KEPT);
        assert_eq!((kept[0], kept[999], kept[1000], kept[9_999]), (1, 1000, 11_001, 20_000));
        assert_eq!(log.forgotten, 10_000);
    }

    #[test]
    fn all_sessions_share_the_room() {
        let mut room = 1_500;
        let (mut one, mut other) = (FrameLog::default(), FrameLog::default());
        (1..=1_400).for_each(|number| one.push(frame(number), &mut room));
        (1..=200).for_each(|number| other.push(frame(number), &mut room));
        assert_eq!((one.len(), other.len(), other.forgotten, room), (1_400, 100, 100, 0));
    }
}
