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
    /// Its time to live or hop limit; see [`crate::decode::Segment::hop_limit`]. One that differs from that of the half
    /// comes another way, or from somebody else.
    pub hop_limit: u8,
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
    /// Bytes that the capture lacks, for whatever reason.
    pub missing_bytes: u64,
    /// Those of them that its snap length cut off.
    pub missing_cut_bytes: u64,
    /// Those of them that the other side acknowledged (RFC 9293 section 3.4): they reached it, so the capture dropped
    /// them. Of the rest nobody in the capture says that they arrived: the network may have lost them and nobody sent
    /// them again, or the capture lacks the acknowledgment too.
    pub missing_acknowledged_bytes: u64,
    /// Segments that repeat bytes with other contents. The first ones count.
    pub conflicting_overlaps: u32,
    /// Keep-alive probes: at most one byte, just before what is due (RFC 9293 section 3.8.4).
    pub keep_alives: u32,
    /// Segments far outside of what the other side can have been waiting for; ignored.
    pub stray: u32,
    /// A hole was given up because the out-of-order bytes behind it reached their limit.
    pub hole_limit_hit: bool,
    /// The time to live or hop limit of its latest segment that is no RST; none if there is no such segment, or if it
    /// is 0, which nobody may send (RFC 1122 section 3.2.1.7).
    pub hop_limit: Option<u8>,
    /// Segments other than RST that came after a RST of the same half: whoever resets a connection is done with it
    /// (RFC 9293 section 3.5.2), so the RST may be somebody else's. Of a connection without payload up to 255; what
    /// comes later than [`crate::limits::CLOSED_LINGER`], or after the connection was dropped for others, is not told.
    pub after_reset: u32,
    /// Packets that were captured once more, at another interface or from a mirrored port. They are in no other number.
    pub copies: u32,
    /// When its last payload was sent.
    pub last_payload: Option<(PacketNumber, Timestamp)>,
    /// Payload bytes of the segments that are counted as retransmitted.
    pub retransmitted_bytes: u64,
    /// The bytes that it sent again most often, if any.
    pub retries: Option<Retries>,
    /// When it said that it can take no more bytes, if it ever did (RFC 9293 section 3.8.6).
    pub closed_window: Option<ClosedWindow>,
}

/// The same bytes, sent again in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often, beside the first time.
    pub times: u32,
    /// The longest of these segments, in payload bytes.
    pub length: u32,
    /// The packet and time of the first repetition.
    pub first: (PacketNumber, Timestamp),
    /// The same of the last one.
    pub last: (PacketNumber, Timestamp),
    /// The other side sent something between the first and the last.
    pub is_heard: bool,
    /// Packets of the other side after the last.
    pub heard_after: u32,
}

/// A window of 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClosedWindow {
    /// How often it was closed.
    pub times: u32,
    /// The first time: the packet and its time.
    pub first: (PacketNumber, Timestamp),
    /// For how long at most.
    pub longest: Span,
    /// It was so when the connection, or the capture, ended.
    pub is_to_the_end: bool,
}
