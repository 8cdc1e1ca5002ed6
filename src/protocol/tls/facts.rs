//! What the wire shows of TLS without its keys.

use crate::protocol::Role;
use crate::units::Origin;

/// The first records of a connection that speaks TLS, or of one whose server answers HTTP in plain text with TLS.
///
/// Only record headers are read (RFC 8446 section 5.1), the type of the first handshake message of each side, and
/// alerts that are not encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// Where the client's first record begins, if it is a `ClientHello`; none for an answer to plain HTTP.
    pub client_hello: Option<Origin>,
    /// What the server's first bytes are.
    pub server: ServerFirst,
    /// The first alert that is not encrypted.
    pub alert: Option<TlsAlert>,
    /// The capture lacks bytes in which there may have been more of this: what is not told may have been sent.
    pub is_cut: bool,
}

/// What the first bytes of a server are where TLS is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerFirst {
    /// Nothing, or the capture lacks them.
    #[default]
    Nothing,
    /// A TLS record, which begins here.
    Tls(Origin),
    /// The status line of an HTTP/1 answer.
    Http {
        /// The status code: three digits.
        status: u16,
        /// Where it begins.
        origin: Origin,
    },
    /// Something else, or too little to tell.
    Other(Origin),
}

/// An alert that is not encrypted (RFC 8446 section 6): it came before its sender changed to encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsAlert {
    /// Who sent it.
    pub by: Role,
    /// Where its record begins.
    pub origin: Origin,
    /// 1 for a warning, 2 if it is fatal; anything else as it was sent.
    pub level: u8,
    /// What it says, by the registry of RFC 8446 section 6: 40 is `handshake_failure`, 70 `protocol_version`.
    pub description: u8,
}
