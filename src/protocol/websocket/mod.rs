//! WebSocket: RFC 6455 and RFC 7692.

mod clear_text;
mod denial;
mod extensions;
mod facts;
mod handshake;
mod header;
mod messages;
mod pings;
mod resync;
mod session;
mod side;

pub use facts::{
    Anomaly, AnomalyFact, CloseFact, FrameLog, FrameMark, FrameRecord, LongFrame, PingFacts, RoleFacts,
    SessionFacts, WaitingPings,
};
pub use handshake::{ACCEPT_BYTES, Accept, RequestProblem, ResponseProblem, accept_for};
pub(super) use handshake::{Offer, agreed_deflate, read_request, read_response, read_unasked};
pub use header::{FrameHeader, Opcode};
pub use messages::{
    Decoded, DecodedFacts, Message, MessageLog, MessagesWanted, NotUtf8, Obstacle, Sightings, Which,
};
pub(super) use messages::{MessageReader, MessageRoom};
pub(super) use resync::{Evidence, frames_in};
pub(super) use session::{Session, Start};

#[cfg(test)]
mod tests;
