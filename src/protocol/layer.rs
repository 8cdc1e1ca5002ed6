//! How layers hand a connection to one another.
//!
//! A layer asks for a protocol; only the stack knows which layer that is. The layers are resumable: each call
//! takes what there is and returns, whatever the cut.

use super::http::HeldPiece;
use super::trail::Trail;
use super::websocket::Start;

/// What a layer wants to happen after some bytes.
#[derive(Debug)]
pub(super) enum Next {
    /// More bytes.
    Continue,
    /// Another layer is to go on after `consumed` bytes of the chunk.
    Switch {
        /// The protocol that goes on.
        to: Protocol,
        /// How many bytes of the chunk are used up.
        consumed: usize,
    },
}

/// What a connection speaks from some byte on.
#[derive(Debug)]
pub(super) enum Protocol {
    /// To be found out. What the client sent before it was agreed on comes first.
    Probe(Vec<HeldPiece>),
    /// HTTP/1.
    Http,
    /// WebSocket.
    WebSocket(Upgrade),
    /// What begins like TLS. If the server begins so where its answer to plain HTTP is due, the reason why the stream
    /// is not looked into.
    Tls(Option<OpaqueReason>),
    /// Nothing that is looked into.
    Opaque(OpaqueReason),
}

/// What a session takes over from the handshake.
#[derive(Debug)]
pub(super) struct Upgrade {
    /// How it came to be.
    pub start: Start,
    /// What was seen before; the last attempt is the session's.
    pub trail: Trail,
    /// What the client sent before the answer.
    pub held: Vec<HeldPiece>,
    /// A gap hid where the client's request ends, so that nobody knows where its first frame begins.
    pub is_client_lost: bool,
    /// The connection is older than the capture, so that nobody knows where either side's first frame begins.
    pub is_joined: bool,
}

/// Why a stream is not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpaqueReason {
    /// It begins like TLS.
    Tls,
    /// It begins like HTTP/2.
    Http2,
    /// It is something else than HTTP.
    NotHttp,
    /// HTTP that stopped being HTTP.
    Malformed,
    /// A 101 to another protocol than WebSocket.
    OtherUpgrade,
    /// A head was longer than [`crate::limits::HEAD_BYTES`] or had more than [`crate::limits::HEAD_FIELDS`] fields.
    HeadTooLong,
    /// The client sent more than [`crate::limits::HELD_BYTES`] without an answer to its upgrade request.
    HeldTooLong,
    /// More than [`crate::limits::PENDING_REQUESTS`] requests without an answer.
    TooManyRequests,
    /// More than [`crate::limits::ATTEMPTS_OF_CONNECTION`] upgrade attempts.
    TooManyAttempts,
    /// Attempts of all open connections together held [`crate::limits::OPEN_HEAD_BYTES`].
    TooManyHeads,
    /// All connections together buffered more than [`crate::limits::BUFFERED_TOTAL_BYTES`].
    TooMuchBuffered,
}

impl OpaqueReason {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Http2 => "http2",
            Self::NotHttp => "not-http",
            Self::Malformed => "malformed",
            Self::OtherUpgrade => "other-upgrade",
            Self::HeadTooLong => "head-too-long",
            Self::HeldTooLong => "held-too-long",
            Self::TooManyRequests => "too-many-requests",
            Self::TooManyAttempts => "too-many-attempts",
            Self::TooManyHeads => "too-many-heads",
            Self::TooMuchBuffered => "too-much-buffered",
        }
    }
}

impl Next {
    /// Nothing more is to be looked into.
    #[must_use]
    pub(super) const fn opaque(reason: OpaqueReason) -> Self {
        Self::Switch { to: Protocol::Opaque(reason), consumed: usize::MAX }
    }
}
