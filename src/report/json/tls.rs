//! What the wire shows of TLS without its keys.

use std::borrow::Cow;

use serde::Serialize;

use super::place::{self, PlaceView};
use crate::numbering::Numbering;
use crate::protocol::{Role, ServerFirst, TlsFacts};

/// TLS on a connection.
#[derive(Serialize)]
pub(super) struct TlsView<'a> {
    version: Option<Cow<'static, str>>,
    version_offered: Option<Cow<'static, str>>,
    sni: Option<&'a str>,
    alpn: Option<&'a str>,
    alpn_offered: Vec<&'a str>,
    decrypted: bool,
    /// What each side speaks: one may speak TLS to another that does not.
    client: &'static str,
    server: Option<&'static str>,
    alert: Option<AlertView<'a>>,
}

#[derive(Serialize)]
struct AlertView<'a> {
    by: &'static str,
    level: u8,
    code: u8,
    name: Option<&'static str>,
    packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_in_file: Option<PlaceView<'a>>,
}

/// Of the facts.
pub(super) fn view<'a>(facts: &'a TlsFacts, numbering: &'a Numbering) -> TlsView<'a> {
    TlsView {
        version: facts.version.map(version),
        version_offered: facts.version_offered.map(version),
        sni: facts.server_name.as_deref(),
        alpn: facts.protocol.as_deref(),
        alpn_offered: facts.protocols_offered.iter().map(|name| &**name).collect(),
        decrypted: false,
        client: if facts.client_hello.is_some() { "tls" } else { "plaintext" },
        server: match facts.server {
            ServerFirst::Nothing => None,
            ServerFirst::Tls(_) => Some("tls"),
            ServerFirst::Http { .. } => Some("http"),
            ServerFirst::Other(_) => Some("other"),
        },
        alert: facts.alert.map(|alert| AlertView {
            by: Role::name(alert.by),
            level: alert.level,
            code: alert.description,
            name: alert.name(),
            packet: alert.origin.packet.0,
            packet_in_file: place::view(alert.origin.packet, numbering),
        }),
    }
}

/// `1.3`; what has no name is told as a number.
pub(crate) fn version(version: u16) -> Cow<'static, str> {
    match version {
        0x0300 => "SSL 3.0".into(),
        0x0301 => "1.0".into(),
        0x0302 => "1.1".into(),
        0x0303 => "1.2".into(),
        0x0304 => "1.3".into(),
        other => format!("{other:#06x}").into(),
    }
}
