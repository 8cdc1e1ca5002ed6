//! What the wire shows of TLS without its keys.

use crate::protocol::Role;
use crate::units::Origin;

/// The first records of a connection that speaks TLS, or of one whose server answers HTTP in plain text with TLS.
///
/// Only record headers are read (RFC 8446 section 5.1), the hello of each side, and alerts that are not encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// Where the client's first record begins, if it is a `ClientHello`; none for an answer to plain HTTP.
    pub client_hello: Option<Origin>,
    /// How long that record is, its header included.
    pub client_hello_bytes: u64,
    /// What the server's first bytes are.
    pub server: ServerFirst,
    /// The host that the client asks for (RFC 6066 section 3).
    pub server_name: Option<Box<str>>,
    /// The protocols that it offers (RFC 7301 section 3.1).
    pub protocols_offered: Vec<Box<str>>,
    /// The one that the server chooses, where that is not encrypted: up to TLS 1.2.
    pub protocol: Option<Box<str>>,
    /// The highest version that the client offers, as it stands on the wire: 0x0304 is TLS 1.3.
    pub version_offered: Option<u16>,
    /// The one that the server chooses.
    pub version: Option<u16>,
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

impl TlsAlert {
    /// What its description is called in the registry; none if it is not there.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        Self::name_of(self.description)
    }

    /// What a description is called in the registry; none if it is not there.
    #[must_use]
    pub fn name_of(description: u8) -> Option<&'static str> {
        NAMES.iter().find(|(known, _)| *known == description).map(|(_, name)| *name)
    }
}

/// The registry of alerts (RFC 8446 section 6, RFC 5246 section 7.2, RFC 7507, RFC 7301).
const NAMES: &[(u8, &str)] = &[
    (0, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (22, "record_overflow"),
    (40, "handshake_failure"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (90, "user_canceled"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (112, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (115, "unknown_psk_identity"),
    (116, "certificate_required"),
    (120, "no_application_protocol"),
];
