//! What the wire shows of a connection below its payload.

use crate::decode::{FlowKey, Half};
use crate::units::{Origin, PacketNumber, Span, Timestamp};

/// The facts of one connection.
#[derive(Clone, Debug)]
pub struct ConnectionFacts {
    /// The two endpoints.
    pub flow: FlowKey,
    /// How it began.
    pub opening: Opening,
    /// The number and time of its last packet.
    pub last: (PacketNumber, Timestamp),
    /// The first FIN or RST; none if the capture ends before.
    pub ending: Option<Ending>,
    /// The two halves, [`Half::Lo`] first.
    pub halves: [HalfFacts; 2],
    /// It was dropped from the table at the limit before it ended: what came later is not in these facts.
    pub evicted: bool,
}

impl ConnectionFacts {
    /// The facts of one half.
    #[must_use]
    pub const fn half(&self, half: Half) -> &HalfFacts {
        let [lo, hi] = &self.halves;
        match half {
            Half::Lo => lo,
            Half::Hi => hi,
        }
    }
}

/// How a connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its first packet. The packet's number is the connection's name.
    pub first: Origin,
    /// What the capture has of the handshake.
    pub opened: Opened,
    /// The half of who sent the SYN.
    pub opener: Option<Half>,
    /// From the first SYN to the acknowledgment of the SYN+ACK, or to the SYN+ACK itself if the client's first
    /// payload came with the acknowledgment; none without the SYN. It is a round trip wherever it was captured.
    pub connect: Option<Span>,
}

/// What the capture has of a connection's opening handshake (RFC 9293 section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A SYN or the answer to one, and nothing that refuses it. A capture of one side may lack the other.
    Handshake,
    /// The connection was there before the capture.
    Midstream,
    /// A SYN, answered by RST.
    Refused,
    /// A SYN without any answer.
    Unanswered,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// By which control bit.
    pub how: EndedBy,
    /// Who sent it.
    pub by: Half,
    /// The packet.
    pub origin: Origin,
}

/// The control bit that ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// FIN: an orderly close.
    Fin,
    /// RST: an abort.
    Reset,
}

/// The facts of one half, named by its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfFacts {
    /// Packets sent.
    pub packets: u64,
    /// Payload bytes of all its segments, retransmitted ones included, as long as they were on the wire.
    pub payload_bytes: u64,
    /// Segments with bytes that had been seen before.
    pub retransmitted: u32,
    /// Segments that came after a later one of this half and filled the hole before it.
    pub out_of_order: u32,
    /// Bytes that the capture lacks: lost by it, or cut off by its snap length.
    pub missing_bytes: u64,
    /// Segments that repeat bytes with other contents. The first ones count.
    pub conflicting_overlaps: u32,
    /// Keep-alive probes: at most one byte, just before what is due (RFC 9293 section 3.8.4).
    pub keep_alives: u32,
    /// Segments far outside of what the other side can have been waiting for; ignored.
    pub stray: u32,
    /// A hole was given up because the out-of-order bytes behind it reached their limit.
    pub hole_limit_hit: bool,
    /// When its last payload was sent.
    pub last_payload: Option<(PacketNumber, Timestamp)>,
}
