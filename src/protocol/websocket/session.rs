//! The frames of one session: RFC 6455 sections 5 and 7, as an observer sees them.
//!
//! Headers are read, payloads are skipped by their length; only control frames are looked into, and the server's first
//! message if it is short. Nothing is refused: what RFC 6455 forbids is counted and the frame taken for what it says it is.

mod again;

use std::ops::ControlFlow;

use super::clear_text::is_clear_text;
use super::denial::{is_denial, is_refusal};
use super::extensions::DeflateParameters;
use super::facts::{
    Anomaly, AnomalyFact, CloseFact, FrameLog, FrameMark, FrameRecord, LongFrame, RoleFacts, SessionFacts,
};
use super::header::{FrameHeader, Opcode};
use super::pings::Pings;
use super::resync::Verdict;
use super::side::{Control, Losses, Message, MessagePlace, PartOfHeader, Side, State};
use crate::limits;
use crate::protocol::{Context, Role};
use crate::tcp::Chunk;
use crate::units::{Origin, Timestamp};

/// A session. What a data frame needs comes first.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Session {
    client: Side,
    server: Side,
    /// Whether permessage-deflate was agreed on; `None` if the capture does not show it.
    deflate: Option<bool>,
    close: Option<Box<CloseFact>>,
    pings: Option<Box<Pings>>,
    rare: Option<Box<Rare>>,
}

/// How a session came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With a handshake.
    Handshake {
        /// What was agreed on for permessage-deflate (RFC 7692); none if it was not agreed on.
        deflate: Option<DeflateParameters>,
    },
    /// The capture lacks the answer or all of the handshake, so that nothing is known of extensions.
    Midstream,
}

/// What most sessions do not have.
#[derive(Debug, Default)]
struct Rare {
    anomalies: Vec<AnomalyFact>,
    frames: FrameLog,
    marks: Vec<FrameMark>,
    client_losses: Losses,
    server_losses: Losses,
    early_client_bytes: u64,
    client_longest: Option<LongFrame>,
    server_longest: Option<LongFrame>,
    denied: Option<Origin>,
    refusal: Option<Box<[u8]>>,
}

impl Session {
    /// A session that begins with the next bytes.
    #[must_use]
    pub(crate) fn new(context: &Context, start: Start) -> Self {
        let (message, deflate) = match start {
            Start::Handshake { deflate } => (Message::None, Some(deflate.is_some())),
            Start::Midstream => (Message::Unknown, None),
        };
        let side = || Side { message, ..Side::default() };
        let looks_left = if context.keeps_heads() { limits::FRAME_MARKS } else { 0 };
        let client = Side { looks_left, ..side() };
        // Of a session that began before the capture the first message that is seen is none.
        let looks_left = u8::from(context.keeps_heads() && start != Start::Midstream);
        let server = Side { looks_left, ..side() };
        Self { client, server, deflate, close: None, pings: None, rare: None }
    }

    /// Notes that the client sent `count` bytes before it can have seen the answer.
    pub(crate) fn note_early_client_bytes(&mut self, count: u64) {
        if count > 0 {
            let rare = self.rare.get_or_insert_default();
            rare.early_client_bytes = rare.early_client_bytes.saturating_add(count);
        }
    }

    /// From here on it is not known where this side's next frame begins.
    pub(crate) fn lose(&mut self, by: Role) {
        let side = self.side_mut(by);
        side.state = State::Lost;
        side.message = Message::Unknown;
        if by == Role::Server {
            side.looks_left = 0;
        }
    }

    /// The next bytes of one side.
    #[inline]
    pub(crate) fn data(&mut self, context: &mut Context, by: Role, chunk: Chunk<'_>) {
        let rest = self.side_mut(by).plain_frames(context, by, chunk.bytes);
        if !rest.is_empty() {
            self.any_bytes(context, by, Chunk { bytes: rest, ..chunk });
        }
    }

    /// The next bytes of one side, which do not begin with plain ones.
    #[inline(never)]
    fn any_bytes(&mut self, context: &mut Context, by: Role, chunk: Chunk<'_>) {
        let mut rest = chunk.bytes;
        let deflate = self.deflate;
        while !rest.is_empty() {
            let after = match &mut self.side_mut(by).state {
                State::Payload(_) => rest,
                State::Header => self.header_in_place(context, by, rest, chunk.origin),
                State::PartOfHeader(_) => self.header_in_pieces(context, by, rest),
                State::Control(_) => self.control_in_pieces(by, rest, chunk.origin.time),
                State::Lost | State::Joined => match self.find_again(by, rest, chunk.origin) {
                    ControlFlow::Continue(header_length) => rest.get(header_length..).unwrap_or_default(),
                    ControlFlow::Break(()) => return,
                },
                State::Trial(trial) => {
                    let (own, verdict) = trial.data(rest, by, deflate);
                    let after = rest.get(own..).unwrap_or_default();
                    self.judge(context, by, verdict, after.len());
                    if verdict == Verdict::None {
                        return;
                    }
                    after
                }
            };
            rest = self.side_mut(by).plain_frames(context, by, after);
        }
    }

    /// Reads what the next bytes of either side will need; see [`crate::tcp::Receiver::warm`].
    #[inline]
    #[must_use]
    pub(crate) fn warm(&self) -> u64 {
        u64::from(self.client.closed).wrapping_add(u64::from(self.server.closed))
    }

    /// The same for what its end will need.
    #[must_use]
    pub(crate) fn warm_all(&self) -> u64 {
        let pings = self.pings.as_ref().map_or(0, |pings| pings.warm());
        pings.wrapping_add(u64::from(self.close.is_some()))
    }

    /// `length` bytes of one side are not in the capture.
    pub(crate) fn gap(&mut self, context: &mut Context, by: Role, length: u64) {
        if by == Role::Server {
            self.server.looks_left = 0;
        }
        let side = self.side_mut(by);
        if let State::Trial(trial) = &mut side.state {
            let verdict = trial.gap(length);
            self.judge(context, by, verdict, 0);
            return;
        }
        let skippable = match &side.state {
            State::Payload(remaining) => Some(*remaining),
            State::Control(control) => {
                side.close_lost |= control.header.opcode == Opcode::CLOSE;
                Some(control.header.length.saturating_sub(control.payload.len() as u64))
            }
            State::Header | State::PartOfHeader(_) | State::Lost | State::Joined | State::Trial(_) => None,
        };
        match skippable.and_then(|remaining| remaining.checked_sub(length)) {
            Some(0) => side.state = State::Header,
            Some(remaining) => side.state = State::Payload(remaining),
            None => self.lose(by),
        }
    }

    /// What was seen.
    #[must_use]
    pub(crate) fn into_facts(mut self) -> SessionFacts {
        let (rare, pings, close) = (self.rare.take(), self.pings.take(), self.close.take());
        let rare = rare.map(|rare| *rare).unwrap_or_default();
        self.facts(rare, pings.map(|pings| *pings), close.map(|close| *close))
    }

    /// What was seen so far.
    pub(crate) fn so_far(&self, with_frames: bool) -> SessionFacts {
        let mut rare = Rare::default();
        if let Some(known) = &self.rare {
            rare = Rare { anomalies: known.anomalies.clone(), marks: known.marks.clone(), ..rare };
            (rare.client_losses, rare.server_losses) = (known.client_losses, known.server_losses);
            rare.early_client_bytes = known.early_client_bytes;
            (rare.client_longest, rare.server_longest) = (known.client_longest, known.server_longest);
            (rare.denied, rare.refusal) = (known.denied, known.refusal.clone());
            if with_frames {
                rare.frames = known.frames.clone();
            }
        }
        self.facts(rare, self.pings.as_deref().cloned(), self.close.as_deref().cloned())
    }

    /// What both sides have sent, the client first, and how many frames were not remembered any more.
    pub(crate) fn counts(&self) -> ([RoleFacts; 2], u64) {
        let nothing = Rare::default();
        let rare = self.rare.as_deref().unwrap_or(&nothing);
        ([Role::Client, Role::Server].map(|role| self.role_facts(rare, role)), rare.frames.forgotten)
    }

    fn role_facts(&self, rare: &Rare, role: Role) -> RoleFacts {
        let reserved = |fact: &&AnomalyFact| fact.kind == Anomaly::ReservedOpcode && fact.by == role;
        let other = rare.anomalies.iter().find(reserved).map_or(0, |fact| fact.count);
        match role {
            Role::Client => self.client.facts(rare.client_losses, other),
            Role::Server => self.server.facts(rare.server_losses, other),
        }
    }

    fn facts(&self, rare: Rare, pings: Option<Pings>, close: Option<CloseFact>) -> SessionFacts {
        SessionFacts {
            client: self.role_facts(&rare, Role::Client),
            server: self.role_facts(&rare, Role::Server),
            close,
            pings: pings.map(Pings::facts).unwrap_or_default(),
            anomalies: rare.anomalies,
            frames: rare.frames,
            marks: rare.marks,
            early_client_bytes: rare.early_client_bytes,
            client_longest: rare.client_longest,
            server_longest: rare.server_longest,
            denied: rare.denied,
            refusal: rare.refusal,
            decoded: None,
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
        if is_clear_text(bytes) {
            self.http_in_tunnel(by, bytes.len() as u64, origin);
            return &[];
        }
        self.count(context, by, &header, origin);
        let whole = usize::try_from(header.length).ok().and_then(|length| rest.split_at_checked(length));
        let Some((payload, after)) = whole else {
            self.expect_payload(context, by, header, origin);
            return rest;
        };
        if self.is_looked_into(context, by, &header) {
            self.look_into(by, &header, payload, origin);
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
            self.expect_payload(context, by, header, origin);
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
            self.look_into(by, &control.header, &control.payload, origin);
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
        let is_looked_at = side.looks_left > 0;
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
        if is_looked_at {
            self.look_at(by, header, origin);
        }
    }

    /// Keeps what tells a frame of the client from all others, and decides whether the server's first message is looked
    /// into: it has to be short, in one frame, and as it was said.
    #[cold]
    fn look_at(&mut self, by: Role, header: &FrameHeader, origin: Origin) {
        if by == Role::Server {
            let is_readable = matches!(header.opcode, Opcode::BINARY | Opcode::TEXT)
                && header.fin
                && header.rsv == 0
                && header.masking_key.is_none()
                && header.length <= limits::CONTROL_PAYLOAD_BYTES as u64;
            if !header.opcode.is_control() && !is_readable {
                self.server.looks_left = 0;
            }
        } else if let Some(masking_key) = header.masking_key {
            self.client.looks_left = self.client.looks_left.saturating_sub(1);
            let marks = &mut self.rare.get_or_insert_default().marks;
            if marks.is_empty() {
                marks.reserve_exact(usize::from(limits::FRAME_MARKS));
            }
            marks.push(FrameMark { masking_key, length: header.length, origin });
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
        self.rare.get_or_insert_default().frames.push(record, context.frame_room());
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

    /// Clear text where a frame is due. Whatever follows, no frame is looked for in it before one is found at the start
    /// of a segment: taking letters for headers would make hundreds of violations of one.
    #[cold]
    fn http_in_tunnel(&mut self, by: Role, length: u64, origin: Origin) {
        self.anomaly(Anomaly::HttpInTunnel, by, origin);
        let rare = self.rare.get_or_insert_default();
        let losses = if by == Role::Client { &mut rare.client_losses } else { &mut rare.server_losses };
        losses.undecoded_bytes = losses.undecoded_bytes.saturating_add(length);
        self.lose(by);
    }

    /// Remembers the longest frame of a side.
    #[cold]
    fn note_long(&mut self, by: Role, length: u64, origin: Origin) {
        let rare = self.rare.get_or_insert_default();
        let longest = if by == Role::Client { &mut rare.client_longest } else { &mut rare.server_longest };
        if longest.is_none_or(|known| known.length < length) {
            *longest = Some(LongFrame { length, origin });
        }
    }

    /// Says what is due after a header whose payload is not here as a whole.
    fn expect_payload(&mut self, context: &Context, by: Role, header: FrameHeader, origin: Origin) {
        let readable = self.is_looked_into(context, by, &header)
            && header.length <= limits::CONTROL_PAYLOAD_BYTES as u64;
        if header.length >= limits::LONG_FRAME_BYTES {
            self.note_long(by, header.length, origin);
        }
        if readable && header.length == 0 {
            self.look_into(by, &header, &[], origin);
        }
        self.side_mut(by).state = match header.length {
            0 => State::Header,
            _ if readable => State::Control(Box::new(Control { header, payload: Vec::new(), origin })),
            length => State::Payload(length),
        };
    }

    /// Whether a frame's payload matters: that of control frames does, and the server's first message, unless totals are all
    /// that is wanted.
    fn is_looked_into(&self, context: &Context, by: Role, header: &FrameHeader) -> bool {
        let is_first_message = by == Role::Server && self.server.looks_left > 0;
        context.keeps_heads() && (header.opcode.is_control() || is_first_message)
    }

    /// A whole control frame, or the server's first message; its payload is as it was on the wire.
    fn look_into(&mut self, by: Role, header: &FrameHeader, payload: &[u8], origin: Origin) {
        let mut plain = [0; limits::CONTROL_PAYLOAD_BYTES];
        let Some(plain) = plain.get_mut(..payload.len()) else { return };
        plain.copy_from_slice(payload);
        let key = header.masking_key.unwrap_or_default();
        for four in plain.chunks_mut(key.len()) {
            four.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        }
        let payload = &*plain;
        match header.opcode {
            Opcode::PING => self.pings.get_or_insert_default().ping(by, payload, origin),
            Opcode::PONG => self.pings.get_or_insert_default().pong(by, payload, origin.time),
            Opcode::CLOSE => self.close(by, payload, origin),
            Opcode::BINARY => {
                self.server.looks_left = 0;
                if is_denial(payload) {
                    self.rare.get_or_insert_default().denied = Some(origin);
                }
            }
            Opcode::TEXT => {
                self.server.looks_left = 0;
                if is_refusal(payload) {
                    self.rare.get_or_insert_default().refusal = Some(payload.into());
                }
            }
            _ => {}
        }
    }

    /// RFC 6455 section 5.5.1: nothing, or a code of two bytes and a reason.
    fn close(&mut self, by: Role, payload: &[u8], origin: Origin) {
        let (code, reason) = match payload.split_first_chunk::<2>() {
            Some((code, reason)) => (u16::from_be_bytes(*code), reason),
            None => (NO_CODE, &[][..]),
        };
        let malformed = payload.len() == 1 || (payload.len() >= 2 && !CloseFact::may_be_sent(code));
        if malformed {
            self.anomaly(Anomaly::CloseMalformed, by, origin);
        }
        self.side_mut(by).closed = true;
        if self.close.is_none() {
            // If the other side closed first and the capture lacks what it said, this is the answer, which repeats the code
            // (RFC 6455 section 5.5.1).
            let is_answer = self.side_mut(by.other()).close_lost;
            let by = if is_answer { by.other() } else { by };
            self.close = Some(Box::new(CloseFact { by, code, reason: reason.into(), origin }));
        }
    }

    /// Counts an anomaly.
    fn anomaly(&mut self, kind: Anomaly, by: Role, at: Origin) {
        let anomalies = &mut self.rare.get_or_insert_default().anomalies;
        match anomalies.iter_mut().find(|known| known.kind == kind && known.by == by) {
            Some(known) => known.count = known.count.saturating_add(1),
            None => anomalies.push(AnomalyFact { kind, by, count: 1, first: at }),
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

/// What an endpoint reports for a close frame without a code (RFC 6455 section 7.1.5).
const NO_CODE: u16 = 1005;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_frame_needs_of_a_side_leaves_eight_bytes_of_a_cache_line() {
        assert_eq!(size_of::<Side>(), 56);
        assert_eq!(std::mem::offset_of!(Session, server), 56);
    }
}
