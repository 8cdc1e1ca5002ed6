//! Plaintext and TLS that meet each other.

use super::view::LegView;
use crate::model::{Capture, Connection};
use crate::protocol::{Role, ServerFirst, Spoken, TlsFacts};
use crate::units::{Endpoint, Origin};

/// How a server shows that it expects TLS where it gets HTTP in the clear.
pub(super) enum ExpectsTls {
    /// It says so, in the body of its answer.
    Says(&'static str),
    /// It answers with a TLS record.
    Answers(Origin),
}

/// Whether the server of a leg expects TLS.
pub(super) fn expects_tls(leg: &LegView<'_>) -> Option<ExpectsTls> {
    let says = |words: &str| memchr::memmem::find(leg.body(), words.as_bytes()).is_some();
    if let Some(words) = WORDS.iter().find(|words| leg.status() == Some(400) && says(words)) {
        return Some(ExpectsTls::Says(words));
    }
    match leg.connection.tls.as_deref() {
        Some(TlsFacts { client_hello: None, server: ServerFirst::Tls(origin), .. }) => {
            leg.request.as_ref().map(|_| ExpectsTls::Answers(*origin))
        }
        _ => None,
    }
}

/// What a server that speaks plaintext does with a `ClientHello`.
pub(super) enum RefusesTls {
    /// It answers with HTTP.
    WithStatus(u16, Origin),
    /// It answers with something else.
    WithOther(Origin),
    /// It closes or resets the connection.
    ByClosing(Origin),
}

/// Whether the server of a connection gets a `ClientHello` and shows that it does not speak TLS. One that closes without a
/// word may have other reasons.
pub(super) fn refuses_tls(connection: &Connection) -> Option<RefusesTls> {
    let tls = connection.tls.as_deref().filter(|tls| tls.client_hello.is_some())?;
    let ending = connection.tcp.ending.filter(|_| connection.closed_by() == Some(Role::Server));
    let lacks_bytes = tls.is_cut || connection.half(Role::Server).missing_bytes > 0;
    match tls.server {
        ServerFirst::Tls(_) => None,
        ServerFirst::Http { status, origin } => Some(RefusesTls::WithStatus(status, origin)),
        ServerFirst::Other(origin) => Some(RefusesTls::WithOther(origin)),
        ServerFirst::Nothing => {
            let ending = ending.filter(|_| !lacks_bytes && tls.alert.is_none())?;
            Some(RefusesTls::ByClosing(ending.origin))
        }
    }
}

impl RefusesTls {
    /// The packet that shows it.
    pub(super) const fn origin(&self) -> Origin {
        match self {
            Self::WithStatus(_, origin) | Self::WithOther(origin) | Self::ByClosing(origin) => *origin,
        }
    }

    /// What the server does, as the rest of a sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::WithStatus(status, _) => format!("answers it with HTTP in plaintext, status {status}"),
            Self::WithOther(_) => "answers it with bytes that are not TLS".to_owned(),
            Self::ByClosing(_) => "closes the connection without a word".to_owned(),
        }
    }
}

/// Whether a server is seen to speak plaintext on another connection.
pub(super) fn speaks_plaintext(capture: &Capture, server: Endpoint) -> bool {
    capture.connections.iter().any(|connection| {
        connection.endpoint(Role::Server) == server
            && matches!(connection.spoken, Spoken::Http | Spoken::WebSocket)
            && connection.half(Role::Server).payload_bytes > 0
    })
}

/// Whether the one who opened a connection is seen to serve others: a proxy. Hosts that talk to themselves do not count.
pub(super) fn is_proxys(capture: &Capture, connection: &Connection) -> bool {
    let opener = connection.endpoint(Role::Client).address;
    let server = connection.endpoint(Role::Server).address;
    opener != server
        && capture.connections.iter().any(|other| {
            let has_answered = other.half(Role::Server).payload_bytes > 0;
            other.endpoint(Role::Server).address == opener && has_answered
        })
}

/// What nginx, Apache, programs in Go (Caddy, Traefik) and Tomcat say.
const WORDS: &[&str] = &[
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "Client sent an HTTP request to an HTTPS server",
    "This combination of host and port requires TLS",
];
