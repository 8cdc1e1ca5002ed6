//! Reads the frames of a session for their payloads: unmasks, puts messages together, inflates.
//!
//! It walks the frames as [`Session`](super::super::session::Session) does, beside it: whoever wants no messages does
//! not pay for them with so much as a branch.

use std::ops::ControlFlow;

use super::assembly::Assembly;
use super::deflate::{Broken, End, Inflater, Unknown};
use super::mask::unmask;
use super::{Decoded, DecodedFacts, Message, MessageLog, MessageRoom, Obstacle};
use crate::protocol::Role;
use crate::protocol::websocket::clear_text::is_clear_text;
use crate::protocol::websocket::extensions::DeflateParameters;
use crate::protocol::websocket::header::{FrameHeader, Opcode};
use crate::protocol::websocket::resync::{Evidence, Trial, frames_in, may_begin_frame};
use crate::protocol::websocket::session::Start;
use crate::tcp::Chunk;
use crate::units::Origin;

/// The messages of one session.
#[derive(Debug)]
pub(crate) struct MessageReader {
    client: Side,
    server: Side,
    /// Whether permessage-deflate was agreed on; `None` if the capture does not show it.
    deflate: Option<bool>,
    messages: MessageLog,
    next_index: u64,
}

/// One side's stream of frames.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says of something else whether it is so")]
struct Side {
    step: Step,
    /// The message that is open.
    message: Option<Box<Assembly>>,
    /// Whether a message was open before what the capture shows is not known.
    start_is_unknown: bool,
    /// What is read may be no frame: see [`Trial`].
    on_trial: bool,
    takes_over: bool,
    /// The window that was agreed on; none if nothing was said.
    window_bits: Option<u8>,
    /// Why the window is not known before the first compressed message.
    unknown: Option<Unknown>,
    inflater: Option<Box<Inflater>>,
    /// A limit was met.
    is_stopped: bool,
    facts: DecodedFacts,
}

#[derive(Debug, Default)]
enum Step {
    /// A header is due.
    #[default]
    Header,
    /// Some bytes of a header are there already.
    PartOfHeader(Box<PartOfHeader>),
    /// Payload is due.
    Payload(Box<Payload>),
    /// Where the next frame begins is not known.
    Lost,
}

#[derive(Debug)]
struct PartOfHeader {
    bytes: [u8; FrameHeader::MAX_BYTES],
    have: usize,
    origin: Origin,
}

/// The payload of a frame while it comes.
#[derive(Debug)]
struct Payload {
    key: Option<[u8; 4]>,
    position: u64,
    left: u64,
    fin: bool,
    /// The frame, if it is a control frame. Others belong to the message that is open.
    control: Option<Assembly>,
}

impl MessageReader {
    /// The messages of a session that begins with the next bytes.
    pub(crate) fn new(start: Start) -> Self {
        let (deflate, parameters, is_joined) = match start {
            Start::Handshake { deflate } => (Some(deflate.is_some()), deflate.unwrap_or_default(), false),
            Start::Midstream => (None, DeflateParameters::default(), true),
        };
        let side = |resets: bool, window_bits| Side {
            start_is_unknown: is_joined,
            takes_over: !resets,
            window_bits,
            unknown: is_joined.then_some(Unknown::Capture),
            ..Side::default()
        };
        Self {
            client: side(parameters.client_no_context_takeover, parameters.client_window_bits),
            server: side(parameters.server_no_context_takeover, parameters.server_window_bits),
            deflate,
            messages: MessageLog::default(),
            next_index: 0,
        }
    }

    /// The next bytes of one side.
    pub(crate) fn data(&mut self, room: &mut MessageRoom, by: Role, chunk: Chunk<'_>) {
        let mut rest = chunk.bytes;
        while !rest.is_empty() {
            rest = match &mut self.side_mut(by).step {
                Step::Header => self.header_in_place(room, by, rest, chunk.origin),
                Step::PartOfHeader(_) => self.header_in_pieces(room, by, rest),
                Step::Payload(_) => {
                    let after = self.payload(room, by, rest, chunk.origin);
                    if self.is_refuted(by, after) {
                        return self.lose(room, by);
                    }
                    self.end_if_over(room, by);
                    after
                }
                Step::Lost => match self.find_again(by, rest, chunk.origin) {
                    ControlFlow::Continue(()) => rest,
                    ControlFlow::Break(()) => return,
                },
            };
        }
    }

    /// `length` bytes of one side are not in the capture.
    pub(crate) fn gap(&mut self, room: &mut MessageRoom, by: Role, length: u64, at: Origin) {
        let side = self.side_mut(by);
        let Step::Payload(payload) = &mut side.step else { return self.lose(room, by) };
        let Some(left) = payload.left.checked_sub(length) else { return self.lose(room, by) };
        payload.left = left;
        payload.position = payload.position.saturating_add(length);
        if let Some(assembly) = payload.control.as_mut() {
            assembly.hinder(Obstacle::MissingBytes);
            assembly.last = at;
        } else if let Some(assembly) = &mut side.message {
            if assembly.compressed
                && let Some(inflater) = &mut side.inflater
            {
                inflater.lose(Unknown::Capture);
            }
            assembly.hinder(Obstacle::MissingBytes);
            assembly.last = at;
        }
        if left == 0 {
            side.on_trial = false;
            self.end_frame(room, by);
        }
    }

    /// From here on it is not known where this side's next frame begins.
    pub(crate) fn lose(&mut self, room: &mut MessageRoom, by: Role) {
        let side = self.side_mut(by);
        let step = std::mem::replace(&mut side.step, Step::Lost);
        side.start_is_unknown = true;
        // Nobody knows whether a compressed message was among what is lost.
        side.unknown = Some(Unknown::Capture);
        if let Some(inflater) = &mut side.inflater {
            inflater.lose(Unknown::Capture);
        }
        let message = side.message.take();
        if std::mem::take(&mut side.on_trial) {
            return;
        }
        if let Step::Payload(payload) = step
            && let Some(control) = payload.control
        {
            self.give_up(room, by, control, Obstacle::MissingBytes);
        }
        if let Some(message) = message {
            self.give_up(room, by, *message, Obstacle::MissingBytes);
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, room: &mut MessageRoom) {
        for by in [Role::Client, Role::Server] {
            let side = self.side_mut(by);
            let (step, message) = (std::mem::take(&mut side.step), side.message.take());
            let on_trial = side.on_trial;
            if side.inflater.take().is_some() {
                room.give_back_inflater();
            }
            if on_trial {
                continue;
            }
            if let Step::Payload(payload) = step
                && let Some(control) = payload.control
            {
                self.give_up(room, by, control, Obstacle::Unfinished);
            }
            if let Some(message) = message {
                self.give_up(room, by, *message, Obstacle::Unfinished);
            }
        }
    }

    /// What was seen.
    pub(crate) fn into_decoded(self) -> Decoded {
        Decoded { messages: self.messages, client: self.client.facts, server: self.server.facts }
    }

    fn header_in_place<'a>(
        &mut self,
        room: &mut MessageRoom,
        by: Role,
        bytes: &'a [u8],
        origin: Origin,
    ) -> &'a [u8] {
        let Some((header, length)) = FrameHeader::parse(bytes) else {
            let mut part = PartOfHeader { bytes: [0; FrameHeader::MAX_BYTES], have: bytes.len(), origin };
            part.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            self.side_mut(by).step = Step::PartOfHeader(Box::new(part));
            return &[];
        };
        if is_clear_text(bytes) {
            self.lose(room, by);
            return &[];
        }
        self.begin_frame(room, by, &header, origin);
        bytes.get(length..).unwrap_or_default()
    }

    fn header_in_pieces<'a>(&mut self, room: &mut MessageRoom, by: Role, bytes: &'a [u8]) -> &'a [u8] {
        let Step::PartOfHeader(part) = &mut self.side_mut(by).step else { return &[] };
        let Some((next, rest)) = bytes.split_first() else { return &[] };
        if let Some(place) = part.bytes.get_mut(part.have) {
            *place = *next;
        }
        part.have = part.have.saturating_add(1);
        let origin = part.origin;
        if let Some((header, _)) = part.bytes.get(..part.have).and_then(FrameHeader::parse) {
            self.begin_frame(room, by, &header, origin);
        }
        rest
    }

    fn begin_frame(&mut self, room: &mut MessageRoom, by: Role, header: &FrameHeader, origin: Origin) {
        let mut control = None;
        if header.opcode.is_control() {
            let mut assembly = Assembly::new(header.opcode, false, None, origin);
            assembly.fragments = 1;
            assembly.wire_length = header.length;
            control = Some(assembly);
        } else {
            self.begin_data_frame(room, by, header, origin);
        }
        self.side_mut(by).step = Step::Payload(Box::new(Payload {
            key: header.masking_key,
            position: 0,
            left: header.length,
            fin: header.fin,
            control,
        }));
        if header.length == 0 {
            self.end_frame(room, by);
        }
    }

    /// RFC 6455 section 5.4: how data frames make messages.
    fn begin_data_frame(&mut self, room: &mut MessageRoom, by: Role, header: &FrameHeader, origin: Origin) {
        let starts = header.opcode != Opcode::CONTINUATION;
        if starts && let Some(open) = self.side_mut(by).message.take() {
            let side = self.side_mut(by);
            if open.compressed
                && let Some(inflater) = &mut side.inflater
            {
                inflater.lose(Unknown::EarlierMessage);
            }
            self.give_up(room, by, *open, Obstacle::Interrupted);
        }
        let is_deflate_possible = self.deflate != Some(false);
        let side = self.side_mut(by);
        if side.message.is_none() {
            // RFC 7692 section 6: RSV1 on the first frame of a compressed message.
            let may_be_compressed =
                matches!(header.opcode, Opcode::TEXT | Opcode::BINARY) && is_deflate_possible;
            let compressed = may_be_compressed && header.rsv & RSV1 != 0;
            let unexplained = header.rsv & !if compressed { RSV1 } else { 0 };
            let obstacle = match (starts, side.start_is_unknown) {
                (false, true) => Some(Obstacle::StartMissing),
                (false, false) => Some(Obstacle::ContinuationWithoutStart),
                (true, _) if unexplained != 0 => Some(Obstacle::ReservedBits),
                (true, _) => None,
            };
            let mut message = Assembly::new(header.opcode, compressed, obstacle, origin);
            if compressed {
                side.begin_inflating(&mut message, room);
            }
            side.message = Some(Box::new(message));
        }
        side.start_is_unknown = false;
        if let Some(message) = &mut side.message {
            message.fragments = message.fragments.saturating_add(1);
            message.wire_length = message.wire_length.saturating_add(header.length);
            message.last = origin;
        }
    }

    /// Some bytes of a frame's payload.
    fn payload<'a>(&mut self, room: &mut MessageRoom, by: Role, bytes: &'a [u8], origin: Origin) -> &'a [u8] {
        let side = self.side_mut(by);
        let Step::Payload(payload) = &mut side.step else { return &[] };
        let length = bytes.len().min(usize::try_from(payload.left).unwrap_or(usize::MAX));
        let (now, rest) = bytes.split_at_checked(length).unwrap_or_default();
        let mut scratch = std::mem::take(&mut room.plain);
        let plain = match payload.key {
            Some(key) => {
                unmask(key, payload.position, now, &mut scratch);
                &scratch
            }
            None => now,
        };
        payload.position = payload.position.saturating_add(length as u64);
        payload.left = payload.left.saturating_sub(length as u64);
        if let Some(control) = &mut payload.control {
            control.last = origin;
            if control.is_readable() {
                control.push(plain, origin, room);
            }
        } else if let Some(message) = &mut side.message {
            message.last = origin;
            let inflater = side.inflater.as_mut().filter(|_| message.compressed);
            match inflater {
                _ if !message.is_readable() => {}
                None => message.push(plain, origin, room),
                Some(inflater) => {
                    let pushed = inflater.push(plain, &mut |bytes| message.push(bytes, origin, room));
                    side.is_stopped |= hinder(message, pushed.err());
                }
            }
        }
        room.plain = scratch;
        rest
    }

    /// Whether what was taken for a frame is over and followed by none.
    fn is_refuted(&self, by: Role, after: &[u8]) -> bool {
        let side = self.side(by);
        side.on_trial && side.is_frame_over() && !may_begin_frame(after, by, self.deflate)
    }

    /// Ends the frame whose payload is there.
    fn end_if_over(&mut self, room: &mut MessageRoom, by: Role) {
        let side = self.side_mut(by);
        if side.is_frame_over() {
            side.on_trial = false;
            self.end_frame(room, by);
        }
    }

    /// The frame whose payload was due is complete.
    fn end_frame(&mut self, room: &mut MessageRoom, by: Role) {
        let side = self.side_mut(by);
        let Step::Payload(payload) = std::mem::take(&mut side.step) else { return };
        if let Some(control) = payload.control {
            self.emit(room, by, control);
            return;
        }
        if !payload.fin {
            return;
        }
        let Some(mut message) = side.message.take() else { return };
        if message.compressed
            && message.is_readable()
            && let Some(inflater) = &mut side.inflater
        {
            let at = message.last;
            let ended = inflater.end(&mut |bytes| message.push(bytes, at, room));
            side.is_stopped |= match ended {
                Ok(End::Whole) => false,
                Ok(End::BeyondWindow) => {
                    message.hinder(Obstacle::BeyondWindow);
                    false
                }
                Ok(End::InsideBlock) => {
                    message.hinder(Obstacle::DeflateUnfinished);
                    false
                }
                Ok(End::RatioTooHigh) => {
                    message.hinder(Obstacle::RatioTooHigh);
                    true
                }
                Err(broken) => hinder(&mut message, Some(broken)),
            };
        }
        if side.is_stopped && side.inflater.take().is_some() {
            room.give_back_inflater();
        }
        self.emit(room, by, *message);
    }

    /// A message that is not completed.
    fn give_up(&mut self, room: &mut MessageRoom, by: Role, mut assembly: Assembly, why: Obstacle) {
        assembly.hinder(why);
        self.emit(room, by, assembly);
    }

    fn emit(&mut self, room: &mut MessageRoom, by: Role, assembly: Assembly) {
        let message = assembly.finish(by, self.next_index);
        self.next_index = self.next_index.saturating_add(1);
        self.side_mut(by).facts.count(&message);
        self.messages.push(message, room);
    }

    /// Looks for a frame at the start of a segment. Breaks off if there is none.
    fn find_again(&mut self, by: Role, segment: &[u8], origin: Origin) -> ControlFlow<()> {
        if frames_in(segment, by, self.deflate) == Evidence::None {
            return ControlFlow::Break(());
        }
        let side = self.side_mut(by);
        side.on_trial = Trial::begin(segment, origin).is_some();
        side.step = Step::Header;
        ControlFlow::Continue(())
    }

    const fn side(&self, by: Role) -> &Side {
        match by {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    const fn side_mut(&mut self, by: Role) -> &mut Side {
        match by {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }
}

impl Side {
    /// Whether all of a frame's payload came by.
    fn is_frame_over(&self) -> bool {
        matches!(&self.step, Step::Payload(payload) if payload.left == 0)
    }

    /// A compressed message begins.
    fn begin_inflating(&mut self, message: &mut Assembly, room: &mut MessageRoom) {
        if message.obstacle.is_some() {
            // What is in it is not known, and later messages may refer to it.
            self.unknown = Some(Unknown::EarlierMessage);
            if let Some(inflater) = &mut self.inflater {
                inflater.lose(Unknown::EarlierMessage);
            }
            return;
        }
        if self.is_stopped {
            message.hinder(Obstacle::NoLongerInflated);
            return;
        }
        if self.inflater.is_none() {
            if !room.take_inflater() {
                self.is_stopped = true;
                message.hinder(Obstacle::TooManyInflaters);
                return;
            }
            self.inflater = Some(Box::new(Inflater::new(self.takes_over, self.window_bits, self.unknown)));
        }
        if let Some(inflater) = &mut self.inflater {
            inflater.begin();
        }
    }
}

/// Notes why a message cannot be inflated. Whether nothing of its side is to be inflated after it.
fn hinder(message: &mut Assembly, broken: Option<Broken>) -> bool {
    let Some(broken) = broken else { return false };
    message.hinder(match broken {
        Broken::Corrupt => Obstacle::DeflateFailed,
        Broken::Refers(Unknown::Capture) => Obstacle::WindowMissing,
        Broken::Refers(Unknown::EarlierMessage) => Obstacle::EarlierDeflateFailed,
        Broken::TooLong => Obstacle::InflatedTooLong,
        Broken::TooManyFinalBlocks => Obstacle::TooManyFinalBlocks,
    });
    matches!(broken, Broken::TooLong | Broken::TooManyFinalBlocks)
}

impl DecodedFacts {
    fn count(&mut self, message: &Message) {
        if !message.is_control() {
            self.messages = self.messages.saturating_add(1);
        }
        self.compressed = self.compressed.saturating_add(u64::from(message.compressed));
        self.cut = self.cut.saturating_add(u64::from(message.cut_bytes() > 0));
        if let Some(not_utf8) = message.not_utf8 {
            self.not_utf8.add(not_utf8.origin);
        }
        match message.obstacle {
            Some(Obstacle::DeflateFailed | Obstacle::DeflateUnfinished) => {
                self.deflate_failed.add(message.first);
            }
            Some(Obstacle::BeyondWindow) => self.beyond_window.add(message.first),
            Some(obstacle) if obstacle.is_of_capture() => self.lacking.add(message.first),
            Some(obstacle) if obstacle.is_of_limit() => self.limited.add(message.first),
            _ => {}
        }
    }
}

/// RSV1 among the three reserved bits.
const RSV1: u8 = 0b100;
