//! The frames of one session: RFC 6455 sections 5 and 7, as an observer sees them.
//!
//! Headers are read, payloads are skipped by their length; only control frames are looked into. Nothing is
//! refused: what RFC 6455 forbids is counted and the frame taken for what it says it is.

use std::ops::ControlFlow;

use super::facts::{Anomaly, AnomalyFact, CloseFact, FrameLog, FrameRecord, RoleFacts, SessionFacts};
use super::header::{FrameHeader, Opcode};
use super::pings::Pings;
use super::resync::{Evidence, frames_in};
use crate::limits;
use crate::protocol::{Context, Role};
use crate::tcp::Chunk;
use crate::units::{Origin, Timestamp};

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    client: Side,
    server: Side,
    /// Whether permessage-deflate was agreed on; `None` if the capture does not show it.
    deflate: Option<bool>,
    close: Option<CloseFact>,
    pings: Option<Box<Pings>>,
    anomalies: Vec<AnomalyFact>,
    frames: Option<Box<FrameLog>>,
    early_client_bytes: u64,
}

/// How a session came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With a handshake.
    Handshake {
        /// permessage-deflate was agreed on (RFC 7692).
        deflate: bool,
    },
    /// The capture lacks the answer or all of the handshake, so that nothing is known of extensions.
    Midstream,
}

/// Where one side's stream of frames stands, and what it has sent. What a data frame needs comes first and stays
/// together: sessions are touched at random, and waiting for memory is a good part of the work.
#[repr(C)]
#[derive(Debug, Default)]
struct Side {
    state: State,
    message: Message,
    closed: bool,
    messages: u64,
    payload_bytes: u64,
    /// Frames by opcode.
    frames: [u32; 16],
    undecoded_bytes: u64,
    resyncs: u64,
}

#[derive(Debug, Default)]
enum State {
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
}

/// The first bytes of a header.
#[derive(Debug)]
struct PartOfHeader {
    bytes: [u8; FrameHeader::MAX_BYTES],
    have: usize,
    origin: Origin,
}

/// Whether a fragmented message is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Message {
    #[default]
    None,
    Open,
    /// The capture does not show it.
    Unknown,
}

/// What is wrong with where a data frame stands; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct MessagePlace {
    is_orphan: bool,
    interrupts: bool,
    is_after_close: bool,
}

/// A control frame and what is there of its payload.
#[derive(Debug)]
struct Control {
    header: FrameHeader,
    payload: Vec<u8>,
    origin: Origin,
}

impl Session {
    /// A session that begins with the next bytes.
    #[must_use]
    pub(crate) fn new(start: Start) -> Self {
        let (message, deflate) = match start {
            Start::Handshake { deflate } => (Message::None, Some(deflate)),
            Start::Midstream => (Message::Unknown, None),
        };
        let side = || Side { message, ..Side::default() };
        Self {
            client: side(),
            server: side(),
            deflate,
            close: None,
            pings: None,
            anomalies: Vec::new(),
            frames: None,
            early_client_bytes: 0,
        }
    }

    /// Notes that the client sent `count` bytes before it can have seen the answer.
    pub(crate) fn note_early_client_bytes(&mut self, count: u64) {
        self.early_client_bytes = self.early_client_bytes.saturating_add(count);
    }

    /// From here on it is not known where this side's next frame begins.
    pub(crate) fn lose(&mut self, by: Role) {
        let side = self.side_mut(by);
        side.state = State::Lost;
        side.message = Message::Unknown;
    }

    /// The next bytes of one side.
    pub(crate) fn data(&mut self, context: &mut Context, by: Role, chunk: Chunk<'_>) {
        let mut rest = chunk.bytes;
        while !rest.is_empty() {
            rest = match &mut self.side_mut(by).state {
                State::Payload(remaining) => {
                    let skipped = rest.len().min(usize::try_from(*remaining).unwrap_or(usize::MAX));
                    *remaining = remaining.saturating_sub(skipped as u64);
                    if *remaining == 0 {
                        self.side_mut(by).state = State::Header;
                    }
                    rest.get(skipped..).unwrap_or_default()
                }
                State::Header => self.header_in_place(context, by, rest, chunk.origin),
                State::PartOfHeader(_) => self.header_in_pieces(context, by, rest),
                State::Control(_) => self.control_in_pieces(by, rest, chunk.origin.time),
                State::Lost => match self.find_again(by, rest) {
                    ControlFlow::Continue(()) => rest,
                    ControlFlow::Break(()) => return,
                },
            };
        }
    }

    /// Reads what the next bytes of one side will need; see [`crate::tcp::Receiver::warm`].
    #[inline]
    #[must_use]
    pub(crate) fn warm(&self, by: Role) -> u64 {
        let side = if by == Role::Client { &self.client } else { &self.server };
        let is_header = matches!(side.state, State::Header);
        let [first, ..] = side.frames;
        u64::from(is_header).wrapping_add(u64::from(first))
    }

    /// `length` bytes of one side are not in the capture.
    pub(crate) fn gap(&mut self, by: Role, length: u64) {
        let side = self.side_mut(by);
        let skippable = match &side.state {
            State::Payload(remaining) => Some(*remaining),
            State::Control(control) => {
                Some(control.header.length.saturating_sub(control.payload.len() as u64))
            }
            State::Header | State::PartOfHeader(_) | State::Lost => None,
        };
        match skippable.and_then(|remaining| remaining.checked_sub(length)) {
            Some(0) => side.state = State::Header,
            Some(remaining) => side.state = State::Payload(remaining),
            None => self.lose(by),
        }
    }

    /// What was seen.
    #[must_use]
    pub(crate) fn into_facts(self) -> SessionFacts {
        SessionFacts {
            client: self.client.facts(),
            server: self.server.facts(),
            close: self.close,
            pings: self.pings.map(|pings| pings.facts()).unwrap_or_default(),
            anomalies: self.anomalies,
            frames: self.frames.map(|frames| *frames).unwrap_or_default(),
            early_client_bytes: self.early_client_bytes,
        }
    }

    /// A header at the front of `bytes`, the usual case: nothing is copied. Returns what follows it.
    #[inline]
    fn header_in_place<'a>(
        &mut self,
        context: &mut Context,
        by: Role,
        bytes: &'a [u8],
        origin: Origin,
    ) -> &'a [u8] {
        let Some((header, header_length)) = FrameHeader::parse(bytes) else {
            let mut part = PartOfHeader { bytes: [0; FrameHeader::MAX_BYTES], have: bytes.len(), origin };
            part.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            self.side_mut(by).state = State::PartOfHeader(Box::new(part));
            return &[];
        };
        let rest = bytes.get(header_length..).unwrap_or_default();
        self.count(context, by, &header, origin);
        let whole = usize::try_from(header.length).ok().and_then(|length| rest.split_at_checked(length));
        let Some((payload, after)) = whole else {
            self.expect_payload(by, header, origin);
            return rest;
        };
        if header.opcode.is_control() {
            self.control(by, &header, payload, origin);
        }
        after
    }

    /// A header that began in an earlier chunk.
    fn header_in_pieces<'a>(&mut self, context: &mut Context, by: Role, bytes: &'a [u8]) -> &'a [u8] {
        let State::PartOfHeader(part) = &mut self.side_mut(by).state else { return &[] };
        let Some((next, rest)) = bytes.split_first() else { return &[] };
        if let Some(place) = part.bytes.get_mut(part.have) {
            *place = *next;
        }
        part.have = part.have.saturating_add(1);
        let origin = part.origin;
        if let Some((header, _)) = part.bytes.get(..part.have).and_then(FrameHeader::parse) {
            self.count(context, by, &header, origin);
            self.expect_payload(by, header, origin);
        }
        rest
    }

    /// Some bytes of a control frame's payload.
    fn control_in_pieces<'a>(&mut self, by: Role, bytes: &'a [u8], time: Timestamp) -> &'a [u8] {
        let State::Control(control) = &mut self.side_mut(by).state else { return &[] };
        let length = usize::try_from(control.header.length).unwrap_or(usize::MAX);
        let missing = length.saturating_sub(control.payload.len());
        let (now, rest) = bytes.split_at(missing.min(bytes.len()));
        control.payload.extend_from_slice(now);
        if now.len() == missing
            && let State::Control(control) = std::mem::take(&mut self.side_mut(by).state)
        {
            // A ping is sent with its first byte; a pong is there with its last.
            let is_pong = control.header.opcode == Opcode::PONG;
            let origin = if is_pong { Origin { time, ..control.origin } } else { control.origin };
            self.control(by, &control.header, &control.payload, origin);
        }
        rest
    }

    /// Counts a frame.
    #[inline]
    fn count(&mut self, context: &mut Context, by: Role, header: &FrameHeader, origin: Origin) {
        if context.keeps_frames() {
            self.remember(context, by, header, origin);
        }
        let is_control = header.opcode.is_control();
        let side = self.side_mut(by);
        side.count(header);
        let place = if is_control { MessagePlace::default() } else { side.follow_message(header) };
        let is_ordinary = header.rsv == 0
            && header.opcode.is_defined()
            && header.length_is_minimal
            && header.masking_key.is_some() == (by == Role::Client)
            && (!is_control || (header.fin && header.length <= limits::CONTROL_PAYLOAD_BYTES as u64))
            && header.length >> 63 == 0
            && place == MessagePlace::default();
        if !is_ordinary {
            self.inspect(by, header, place, origin);
        }
    }

    fn remember(&mut self, context: &mut Context, by: Role, header: &FrameHeader, origin: Origin) {
        let record = FrameRecord {
            packet: origin.packet,
            time: origin.time,
            length: header.length,
            by,
            opcode: header.opcode,
            fin: header.fin,
            rsv: header.rsv,
            masked: header.masking_key.is_some(),
        };
        self.frames.get_or_insert_default().push(record, context.frame_room());
    }

    /// What a header can say and must not.
    fn inspect(&mut self, by: Role, header: &FrameHeader, place: MessagePlace, origin: Origin) {
        let masked = header.masking_key.is_some();
        // RFC 7692 section 6: RSV1 belongs on the first frame of a compressed message and nowhere else.
        let may_be_compressed =
            self.deflate.unwrap_or(true) && matches!(header.opcode, Opcode::TEXT | Opcode::BINARY);
        let allowed_bits = if may_be_compressed { 0b100 } else { 0 };
        let found = [
            (by == Role::Client && !masked, Anomaly::ClientFrameUnmasked),
            (by == Role::Server && masked, Anomaly::ServerFrameMasked),
            (header.rsv & !allowed_bits != 0, Anomaly::ReservedBitSet),
            (!header.opcode.is_defined(), Anomaly::ReservedOpcode),
            (!header.length_is_minimal || header.length >> 63 != 0, Anomaly::LengthNotMinimal),
            (header.opcode.is_control() && !header.fin, Anomaly::ControlFrameFragmented),
            (
                header.opcode.is_control() && header.length > limits::CONTROL_PAYLOAD_BYTES as u64,
                Anomaly::ControlFrameTooLong,
            ),
            (place.is_orphan, Anomaly::ContinuationWithoutStart),
            (place.interrupts, Anomaly::MessageInterrupted),
            (place.is_after_close, Anomaly::DataAfterClose),
        ];
        for (_, kind) in found.into_iter().filter(|(is_found, _)| *is_found) {
            self.anomaly(kind, by, origin);
        }
    }

    /// Says what is due after a header whose payload is not here as a whole.
    fn expect_payload(&mut self, by: Role, header: FrameHeader, origin: Origin) {
        let readable = header.opcode.is_control() && header.length <= limits::CONTROL_PAYLOAD_BYTES as u64;
        if readable && header.length == 0 {
            self.control(by, &header, &[], origin);
        }
        self.side_mut(by).state = match header.length {
            0 => State::Header,
            _ if readable => State::Control(Box::new(Control { header, payload: Vec::new(), origin })),
            length => State::Payload(length),
        };
    }

    /// A whole control frame; its payload is as it was on the wire.
    fn control(&mut self, by: Role, header: &FrameHeader, payload: &[u8], origin: Origin) {
        let mut plain = [0; limits::CONTROL_PAYLOAD_BYTES];
        let key = header.masking_key.unwrap_or_default();
        let unmasked = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        plain.iter_mut().zip(unmasked).for_each(|(to, byte)| *to = byte);
        let Some(payload) = plain.get(..payload.len()) else { return };
        match header.opcode {
            Opcode::PING => self.pings.get_or_insert_default().ping(by, payload, origin.time),
            Opcode::PONG => self.pings.get_or_insert_default().pong(by, payload, origin.time),
            Opcode::CLOSE => self.close(by, payload, origin),
            _ => {}
        }
    }

    /// RFC 6455 section 5.5.1: nothing, or a code of two bytes and a reason.
    fn close(&mut self, by: Role, payload: &[u8], origin: Origin) {
        let (code, reason) = match payload.split_first_chunk::<2>() {
            Some((code, reason)) => (u16::from_be_bytes(*code), reason),
            None => (NO_CODE, &[][..]),
        };
        let malformed = payload.len() == 1 || (payload.len() >= 2 && !may_be_sent(code));
        if malformed {
            self.anomaly(Anomaly::CloseMalformed, by, origin);
        }
        self.side_mut(by).closed = true;
        if self.close.is_none() {
            self.close = Some(CloseFact { by, code, reason: reason.into(), origin });
        }
    }

    /// Looks for a frame at the start of a segment. Breaks off if there is none.
    fn find_again(&mut self, by: Role, segment: &[u8]) -> ControlFlow<()> {
        let found = frames_in(segment, by, self.deflate) != Evidence::None;
        let side = self.side_mut(by);
        if found {
            side.resyncs = side.resyncs.saturating_add(1);
            side.state = State::Header;
            return ControlFlow::Continue(());
        }
        side.undecoded_bytes = side.undecoded_bytes.saturating_add(segment.len() as u64);
        ControlFlow::Break(())
    }

    /// Counts an anomaly.
    fn anomaly(&mut self, kind: Anomaly, by: Role, at: Origin) {
        match self.anomalies.iter_mut().find(|known| known.kind == kind && known.by == by) {
            Some(known) => known.count = known.count.saturating_add(1),
            None => self.anomalies.push(AnomalyFact { kind, by, count: 1, first: at }),
        }
    }

    #[inline]
    const fn side_mut(&mut self, by: Role) -> &mut Side {
        match by {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }
}

impl Side {
    #[inline]
    fn count(&mut self, header: &FrameHeader) {
        if let Some(frames) = self.frames.get_mut(usize::from(header.opcode.0)) {
            *frames = frames.saturating_add(1);
        }
        self.payload_bytes = self.payload_bytes.saturating_add(header.length);
    }

    /// RFC 6455 section 5.4: how data frames make messages.
    #[inline]
    fn follow_message(&mut self, header: &FrameHeader) -> MessagePlace {
        let continues = header.opcode == Opcode::CONTINUATION;
        let is_orphan = continues && self.message == Message::None;
        let interrupts = !continues && self.message == Message::Open;
        self.message = if header.fin { Message::None } else { Message::Open };
        self.messages = self.messages.saturating_add(u64::from(header.fin && !is_orphan));
        MessagePlace { is_orphan, interrupts, is_after_close: self.closed }
    }

    fn facts(&self) -> RoleFacts {
        let frames = |opcode: Opcode| self.frames.get(usize::from(opcode.0)).copied().map_or(0, u64::from);
        let all: u64 = self.frames.iter().copied().map(u64::from).sum();
        let mut facts = RoleFacts {
            text: frames(Opcode::TEXT),
            binary: frames(Opcode::BINARY),
            continuation: frames(Opcode::CONTINUATION),
            ping: frames(Opcode::PING),
            pong: frames(Opcode::PONG),
            close: frames(Opcode::CLOSE),
            other: 0,
            messages: self.messages,
            payload_bytes: self.payload_bytes,
            undecoded_bytes: self.undecoded_bytes,
            resyncs: self.resyncs,
        };
        facts.other = all.saturating_sub(facts.frames());
        facts
    }
}

/// RFC 6455 section 7.4: whether a code may stand in a close frame. 1004 is reserved; 1005, 1006 and 1015 are
/// for endpoints to say to their own programs; below 1000 and from 5000 on nothing is defined, and 1016 to
/// 2999 belong to the protocol's future.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// What an endpoint reports for a close frame without a code (RFC 6455 section 7.1.5).
const NO_CODE: u16 = 1005;
