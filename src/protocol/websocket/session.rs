//! The frames of one session: RFC 6455 sections 5 and 7, as an observer sees them.
//!
//! Headers are read, payloads are skipped by their length; only control frames are looked into. Nothing is
//! refused: what RFC 6455 forbids is counted and the frame taken for what it says it is.

use std::ops::ControlFlow;

use super::facts::{Anomaly, CloseFact, FrameRecord, SessionFacts};
use super::header::{FrameHeader, Opcode};
use super::pings::{Outstanding, RoundTrips};
use super::resync::{Evidence, frames_in};
use crate::limits;
use crate::protocol::{Context, Role};
use crate::tcp::Chunk;
use crate::units::{Origin, Timestamp};

/// A session.
#[derive(Debug)]
pub struct Session {
    client: Decoder,
    server: Decoder,
    facts: SessionFacts,
    trips: RoundTrips,
    /// Whether permessage-deflate was agreed on; `None` if the capture does not show it.
    deflate: Option<bool>,
}

/// How a session came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With a handshake.
    Handshake {
        /// permessage-deflate was agreed on (RFC 7692).
        deflate: bool,
    },
    /// The capture lacks the answer or all of the handshake, so that nothing is known of extensions.
    Midstream,
}

/// Where one side's stream of frames stands.
#[derive(Debug, Default)]
struct Decoder {
    state: State,
    message: Message,
    closed: bool,
    pings: Outstanding,
}

#[derive(Debug)]
enum State {
    /// A header is due; some of its bytes may be there already.
    Header { bytes: [u8; FrameHeader::MAX_BYTES], have: u8, origin: Origin },
    /// This many bytes of payload are still to be skipped.
    Payload(u64),
    /// The payload of a control frame comes in pieces.
    Control(Box<Control>),
    /// Where the next frame begins is not known.
    Lost,
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

/// A control frame and what is there of its payload.
#[derive(Debug)]
struct Control {
    header: FrameHeader,
    payload: Vec<u8>,
    origin: Origin,
}

impl Default for State {
    fn default() -> Self {
        Self::Header { bytes: [0; FrameHeader::MAX_BYTES], have: 0, origin: Origin::default() }
    }
}

impl Session {
    /// A session that begins with the next bytes.
    #[must_use]
    pub fn new(start: Start) -> Self {
        let (message, deflate) = match start {
            Start::Handshake { deflate } => (Message::None, Some(deflate)),
            Start::Midstream => (Message::Unknown, None),
        };
        let decoder = || Decoder { message, ..Decoder::default() };
        Self {
            client: decoder(),
            server: decoder(),
            facts: SessionFacts::default(),
            trips: RoundTrips::default(),
            deflate,
        }
    }

    /// Notes that the client sent `count` bytes before it can have seen the answer.
    pub fn note_early_client_bytes(&mut self, count: u64) {
        self.facts.early_client_bytes = self.facts.early_client_bytes.saturating_add(count);
    }

    /// From here on it is not known where this side's next frame begins.
    pub fn lose(&mut self, by: Role) {
        let decoder = self.decoder_mut(by);
        decoder.state = State::Lost;
        decoder.message = Message::Unknown;
    }

    /// The next bytes of one side.
    pub fn data(&mut self, context: &mut Context, by: Role, chunk: Chunk<'_>) {
        let mut rest = chunk.bytes;
        while !rest.is_empty() {
            rest = match &mut self.decoder_mut(by).state {
                State::Payload(remaining) => {
                    let skipped = rest.len().min(usize::try_from(*remaining).unwrap_or(usize::MAX));
                    *remaining = remaining.saturating_sub(skipped as u64);
                    if *remaining == 0 {
                        self.decoder_mut(by).state = State::default();
                    }
                    rest.get(skipped..).unwrap_or_default()
                }
                State::Header { have: 0, .. } => self.header_in_place(context, by, rest, chunk.origin),
                State::Header { .. } => self.header_in_pieces(context, by, rest),
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
    pub fn warm(&self, by: Role) -> u64 {
        let decoder = if by == Role::Client { &self.client } else { &self.server };
        u64::from(decoder.closed).wrapping_add(self.facts.role(by).text)
    }

    /// `length` bytes of one side are not in the capture.
    pub fn gap(&mut self, by: Role, length: u64) {
        let decoder = self.decoder_mut(by);
        let skippable = match &decoder.state {
            State::Payload(remaining) => Some(*remaining),
            State::Control(control) => {
                Some(control.header.length.saturating_sub(control.payload.len() as u64))
            }
            State::Header { .. } | State::Lost => None,
        };
        match skippable.and_then(|remaining| remaining.checked_sub(length)) {
            Some(0) => decoder.state = State::default(),
            Some(remaining) => decoder.state = State::Payload(remaining),
            None => self.lose(by),
        }
    }

    /// What was seen.
    #[must_use]
    pub fn into_facts(mut self) -> SessionFacts {
        self.facts.pings = self.trips.facts([self.client.pings, self.server.pings]);
        self.facts
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
            let mut buffer = [0; FrameHeader::MAX_BYTES];
            buffer.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            let have = u8::try_from(bytes.len()).unwrap_or_default();
            self.decoder_mut(by).state = State::Header { bytes: buffer, have, origin };
            return &[];
        };
        let rest = bytes.get(header_length..).unwrap_or_default();
        self.count(context, by, &header, origin);
        let whole = usize::try_from(header.length).ok().and_then(|length| rest.split_at_checked(length));
        match whole {
            Some((payload, after)) => {
                if header.opcode.is_control() {
                    self.control(by, &header, payload, origin);
                }
                after
            }
            None => {
                self.expect_payload(by, header, origin);
                rest
            }
        }
    }

    /// A header that began in an earlier chunk.
    fn header_in_pieces<'a>(&mut self, context: &mut Context, by: Role, bytes: &'a [u8]) -> &'a [u8] {
        let State::Header { bytes: buffer, have, origin } = &mut self.decoder_mut(by).state else {
            return &[];
        };
        let Some((next, rest)) = bytes.split_first() else { return &[] };
        if let Some(place) = buffer.get_mut(usize::from(*have)) {
            *place = *next;
        }
        *have = have.saturating_add(1);
        let header = buffer.get(..usize::from(*have)).and_then(FrameHeader::parse);
        let origin = *origin;
        if let Some((header, _)) = header {
            self.count(context, by, &header, origin);
            self.expect_payload(by, header, origin);
        }
        rest
    }

    /// Some bytes of a control frame's payload.
    fn control_in_pieces<'a>(&mut self, by: Role, bytes: &'a [u8], time: Timestamp) -> &'a [u8] {
        let State::Control(control) = &mut self.decoder_mut(by).state else { return &[] };
        let length = usize::try_from(control.header.length).unwrap_or(usize::MAX);
        let missing = length.saturating_sub(control.payload.len());
        let (now, rest) = bytes.split_at(missing.min(bytes.len()));
        control.payload.extend_from_slice(now);
        if now.len() == missing
            && let State::Control(control) = std::mem::take(&mut self.decoder_mut(by).state)
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
        self.facts.role_mut(by).count(header.opcode, header.length);
        if context.keeps_frames() {
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
            self.facts.frames.push(record, context.frame_room());
        }
        let is_ordinary = header.rsv == 0
            && header.length_is_minimal
            && header.length >> 63 == 0
            && header.masking_key.is_some() == (by == Role::Client)
            && header.opcode.is_defined()
            && (header.fin || !header.opcode.is_control());
        if !is_ordinary {
            self.inspect(by, header, origin);
        }
        if !header.opcode.is_control() {
            self.follow_message(by, header, origin);
        } else if header.length > limits::CONTROL_PAYLOAD_BYTES as u64 {
            self.facts.anomaly(Anomaly::ControlFrameTooLong, by, origin);
        }
    }

    /// What a header can say and must not.
    fn inspect(&mut self, by: Role, header: &FrameHeader, origin: Origin) {
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
        ];
        for (_, kind) in found.into_iter().filter(|(is_found, _)| *is_found) {
            self.facts.anomaly(kind, by, origin);
        }
    }

    /// RFC 6455 section 5.4: how data frames make messages.
    #[inline]
    fn follow_message(&mut self, by: Role, header: &FrameHeader, origin: Origin) {
        let decoder = self.decoder_mut(by);
        let (before, closed) = (decoder.message, decoder.closed);
        decoder.message = if header.fin { Message::None } else { Message::Open };
        let continues = header.opcode == Opcode::CONTINUATION;
        let orphan = continues && before == Message::None;
        if header.fin && !orphan {
            let facts = self.facts.role_mut(by);
            facts.messages = facts.messages.saturating_add(1);
        }
        if orphan {
            self.facts.anomaly(Anomaly::ContinuationWithoutStart, by, origin);
        }
        if !continues && before == Message::Open {
            self.facts.anomaly(Anomaly::MessageInterrupted, by, origin);
        }
        if closed {
            self.facts.anomaly(Anomaly::DataAfterClose, by, origin);
        }
    }

    /// Says what is due after a header whose payload is not here as a whole.
    fn expect_payload(&mut self, by: Role, header: FrameHeader, origin: Origin) {
        let readable = header.opcode.is_control() && header.length <= limits::CONTROL_PAYLOAD_BYTES as u64;
        if readable && header.length == 0 {
            self.control(by, &header, &[], origin);
        }
        self.decoder_mut(by).state = match header.length {
            0 => State::default(),
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
            Opcode::PING => {
                let sender = if by == Role::Client { &mut self.client } else { &mut self.server };
                sender.pings.sent(payload, origin.time, &mut self.trips);
            }
            Opcode::PONG => {
                let pinger = if by == Role::Client { &mut self.server } else { &mut self.client };
                pinger.pings.answered(payload, origin.time, &mut self.trips);
            }
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
            self.facts.anomaly(Anomaly::CloseMalformed, by, origin);
        }
        self.decoder_mut(by).closed = true;
        if self.facts.close.is_none() {
            self.facts.close = Some(CloseFact { by, code, reason: reason.into(), origin });
        }
    }

    /// Looks for a frame at the start of a segment. Breaks off if there is none.
    fn find_again(&mut self, by: Role, segment: &[u8]) -> ControlFlow<()> {
        let found = frames_in(segment, by, self.deflate) != Evidence::None;
        let facts = self.facts.role_mut(by);
        if found {
            facts.resyncs = facts.resyncs.saturating_add(1);
            self.decoder_mut(by).state = State::default();
            return ControlFlow::Continue(());
        }
        facts.undecoded_bytes = facts.undecoded_bytes.saturating_add(segment.len() as u64);
        ControlFlow::Break(())
    }

    #[inline]
    const fn decoder_mut(&mut self, by: Role) -> &mut Decoder {
        match by {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
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
