//! From streams of bytes to upgrade attempts and the frames that flowed.
//!
//! The layers here take bytes and gaps and keep facts. They do no I/O, read no clock, refuse nothing and judge
//! nothing: what is odd is kept beside what was read.

mod attempt;
mod http;
mod layer;
mod probe;
mod stack;
mod tls;
mod trail;
mod websocket;

pub use attempt::{Attempt, ForeignAnswer, RequestFacts, ResponseFacts};
pub use http::{Exchange, ExchangeAnswer, Exchanges, Fields, HeadError, RequestHead, ResponseHead};
pub use layer::OpaqueReason;
pub use stack::{Stack, Tally};
pub use tls::{ServerFirst, TlsAlert, TlsFacts};
pub use websocket::{
    ACCEPT_BYTES, Accept, Anomaly, AnomalyFact, CloseFact, Decoded, DecodedFacts, FrameHeader, FrameLog,
    FrameMark, FrameRecord, LongFrame, Message, MessageLog, MessagesWanted, NotUtf8, Obstacle, Opcode,
    PingFacts, RequestProblem, ResponseProblem, RoleFacts, SessionFacts, Sightings, WaitingPings, Which,
    accept_for,
};

use crate::decode::Half;
use crate::limits;
use websocket::MessageRoom;

/// Who sends: above HTTP it matters who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Who sent the request.
    Client,
    /// Who answers it.
    Server,
}

impl Role {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// What all connections of a shard share.
#[derive(Debug)]
pub struct Context {
    keeps_heads: bool,
    keeps_frames: bool,
    frame_room: usize,
    exchange_room: usize,
    buffered_bytes: usize,
    /// What attempts of open connections hold.
    open_head_bytes: usize,
    /// How much that may be.
    open_head_limit: usize,
    /// For messages, if somebody wants them.
    messages: Option<Box<MessageRoom>>,
}

impl Context {
    /// Whether somebody wants to see the heads of attempts with what is beside them (round trips of pings are), and each
    /// frame.
    #[must_use]
    pub const fn new(keeps_heads: bool, keeps_frames: bool) -> Self {
        Self {
            keeps_heads,
            keeps_frames,
            frame_room: limits::FRAMES_KEPT_TOTAL,
            exchange_room: limits::EXCHANGES_KEPT_TOTAL,
            buffered_bytes: 0,
            open_head_bytes: 0,
            open_head_limit: limits::OPEN_HEAD_BYTES,
            messages: None,
        }
    }

    /// The same for whoever wants messages, too.
    #[must_use]
    pub fn with_messages(self, wanted: MessagesWanted) -> Self {
        Self { messages: Some(Box::new(MessageRoom::new(wanted))), ..self }
    }

    /// The index of the first message that was wanted and found no room: none that comes later is kept.
    #[must_use]
    pub fn refused_message(&self) -> Option<u64> {
        self.messages.as_ref()?.refused()
    }

    /// So many requests that are no attempts are no longer kept by whoever had them: there is room for others.
    pub const fn make_room_for_exchanges(&mut self, number: usize) {
        let room = self.exchange_room.saturating_add(number);
        self.exchange_room =
            if room < limits::EXCHANGES_KEPT_TOTAL { room } else { limits::EXCHANGES_KEPT_TOTAL };
    }

    /// The same for frames.
    pub const fn make_room_for_frames(&mut self, number: usize) {
        let room = self.frame_room.saturating_add(number);
        self.frame_room = if room < limits::FRAMES_KEPT_TOTAL { room } else { limits::FRAMES_KEPT_TOTAL };
    }

    const fn keeps_heads(&self) -> bool {
        self.keeps_heads
    }

    const fn keeps_frames(&self) -> bool {
        self.keeps_frames
    }

    const fn frame_room(&mut self) -> &mut usize {
        &mut self.frame_room
    }

    const fn exchange_room(&mut self) -> &mut usize {
        &mut self.exchange_room
    }

    /// Whether attempts of open connections hold less than they may.
    const fn has_room_for_heads(&self) -> bool {
        self.open_head_bytes < self.open_head_limit
    }

    /// An attempt of an open connection holds so much more.
    const fn keep_heads(&mut self, bytes: usize) {
        self.open_head_bytes = self.open_head_bytes.saturating_add(bytes);
    }

    /// So much less.
    const fn let_heads_go(&mut self, bytes: usize) {
        self.open_head_bytes = self.open_head_bytes.saturating_sub(bytes);
    }

    /// A connection buffers `after` bytes instead of `before`. Whether all of them are still below their limit.
    const fn rebalance(&mut self, before: usize, after: usize) -> bool {
        self.buffered_bytes = self.buffered_bytes.saturating_sub(before).saturating_add(after);
        self.buffered_bytes <= limits::BUFFERED_TOTAL_BYTES
    }
}

/// The facts of one connection's payload.
#[derive(Clone, Debug, Default)]
pub struct StreamFacts {
    /// Which half is the client's, if the payload shows it.
    pub client: Option<Half>,
    /// What it spoke in the end.
    pub spoken: Spoken,
    /// The upgrade attempts, in order.
    pub attempts: Vec<Attempt>,
    /// The requests that are none, if heads are kept.
    pub exchanges: Exchanges,
    /// Its first TLS records, if it has some and heads are kept.
    pub tls: Option<Box<TlsFacts>>,
    /// A header of the PROXY protocol before the first request.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// What the server said, if that is no HTTP and nobody asked it for anything.
    pub greeting: Option<Box<ForeignAnswer>>,
}

/// What a connection spoke in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spoken {
    /// Nothing, or too little to tell.
    #[default]
    Nothing,
    /// HTTP/1.
    Http,
    /// WebSocket.
    WebSocket,
    /// Something that was not looked into.
    Opaque(OpaqueReason),
}

/// The version of a PROXY protocol header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
