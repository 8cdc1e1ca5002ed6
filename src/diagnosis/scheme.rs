//! Plaintext and TLS that meet each other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::view::LegView;
use crate::model::{Capture, Connection, Outcome};
use crate::protocol::{Role, ServerFirst, Spoken, TlsFacts};
use crate::units::{Endpoint, Origin, PacketNumber};

/// How a server shows that it expects TLS where it gets HTTP in the clear.
pub(super) enum ExpectsTls {
    /// It says so, in the body of its answer.
    Says(&'static str),
    /// It answers with a TLS record.
    Answers(Origin),
    /// It closes the connection, and is seen to speak TLS on others.
    Closes(Origin),
}

/// Whether the server of a leg expects TLS.
pub(super) fn expects_tls(leg: &LegView<'_>, servers: &Servers) -> Option<ExpectsTls> {
    let says = |words: &str| memchr::memmem::find(leg.body(), words.as_bytes()).is_some();
    if let Some(words) = WORDS.iter().find(|words| leg.status() == Some(400) && says(words)) {
        return Some(ExpectsTls::Says(words));
    }
    match leg.connection.tls.as_deref() {
        Some(TlsFacts { client_hello: None, server: ServerFirst::Tls(origin), .. }) => {
            leg.request.as_ref().map(|_| ExpectsTls::Answers(*origin))
        }
        _ => closes(leg).filter(|_| servers.speaks_tls(leg.connection.endpoint(Role::Server))),
    }
}

/// Where a server closes the connection instead of answering, and nothing of it can be missing.
fn closes(leg: &LegView<'_>) -> Option<ExpectsTls> {
    let ending = leg.connection.tcp.ending.filter(|_| leg.connection.closed_by() == Some(Role::Server))?;
    let says_nothing = leg.connection.half(Role::Server).payload_bytes == 0 && !leg.is_doubtful();
    (says_nothing && leg.outcome == Outcome::Unanswered && leg.request.is_some())
        .then_some(ExpectsTls::Closes(ending.origin))
}

impl ExpectsTls {
    /// What the server does, as the rest of a sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Says(words) => format!("says: {words}."),
            Self::Answers(_) => "answers with a TLS record.".to_owned(),
            Self::Closes(_) => "closes the connection without a word, and speaks TLS on others.".to_owned(),
        }
    }

    /// The packet that shows it.
    pub(super) fn packet(&self, leg: &LegView<'_>) -> Option<PacketNumber> {
        match self {
            Self::Says(_) => leg.response_packet(),
            Self::Answers(origin) | Self::Closes(origin) => Some(origin.packet),
        }
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
            // An alert after the end is the opener's, about just that.
            let was_alerted = |end: Origin| tls.alert.is_some_and(|alert| alert.origin.packet < end.packet);
            let ending = ending.filter(|ending| !lacks_bytes && !was_alerted(ending.origin))?;
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

/// What servers of a capture are seen to do.
#[derive(Debug)]
pub struct Servers {
    /// Hosts that answered somebody.
    answering: BTreeSet<IpAddr>,
    /// Those that answered in plaintext.
    in_plaintext: BTreeSet<Endpoint>,
    /// Those that answered a `ClientHello` with TLS.
    in_tls: BTreeSet<Endpoint>,
    /// Those that answered anything.
    places: BTreeSet<Endpoint>,
}

impl Servers {
    /// Those of a capture.
    pub(super) fn of(capture: &Capture) -> Self {
        let answered = || capture.connections.iter().filter(|it| it.half(Role::Server).payload_bytes > 0);
        let is_plain = |it: &&Connection| matches!(it.spoken, Spoken::Http | Spoken::WebSocket);
        let is_tls = |it: &&Connection| {
            let tls = it.tls.as_deref().filter(|tls| tls.client_hello.is_some());
            tls.is_some_and(|tls| matches!(tls.server, ServerFirst::Tls(_)))
        };
        Self {
            answering: answered().map(|it| it.endpoint(Role::Server).address).collect(),
            in_plaintext: answered().filter(is_plain).map(|it| it.endpoint(Role::Server)).collect(),
            in_tls: answered().filter(is_tls).map(|it| it.endpoint(Role::Server)).collect(),
            places: answered().map(|it| it.endpoint(Role::Server)).collect(),
        }
    }

    /// Whether a server is seen to speak plaintext on another connection.
    pub(super) fn speaks_plaintext(&self, server: Endpoint) -> bool {
        self.in_plaintext.contains(&server)
    }

    /// Whether a server is seen to speak TLS on another connection.
    pub(super) fn speaks_tls(&self, server: Endpoint) -> bool {
        self.in_tls.contains(&server)
    }

    /// Whether a server is seen to say anything, on any connection.
    pub(super) fn says_something(&self, server: Endpoint) -> bool {
        self.places.contains(&server)
    }

    /// Whether the one who opened a connection is seen to serve others: a proxy. Hosts that talk to themselves do not
    /// count.
    pub(super) fn is_proxys(&self, connection: &Connection) -> bool {
        let opener = connection.endpoint(Role::Client).address;
        opener != connection.endpoint(Role::Server).address && self.answering.contains(&opener)
    }
}

/// What nginx, Apache, programs in Go (Caddy, Traefik) and Tomcat say.
const WORDS: &[&str] = &[
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "Client sent an HTTP request to an HTTPS server",
    "This combination of host and port requires TLS",
];
