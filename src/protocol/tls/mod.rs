//! TLS as far as it shows without its keys: the headers of the first records.
//!
//! Each side is followed until it changes to encryption, and for [`limits::TLS_RECORDS`] records at most; after that
//! no more bytes are wanted. Nothing is kept of them but facts.

mod facts;
mod hello;
mod record;

pub use facts::{ServerFirst, TlsAlert, TlsFacts};

use super::Role;
use super::layer::OpaqueReason;
use super::trail::Trail;
use crate::decode::Half;
use crate::limits;
use crate::tcp::Chunk;
use crate::units::Origin;
use hello::HelloReader;
use record::{Kind, Reading, Record};

/// The first records of a connection.
#[derive(Debug)]
pub(super) struct Tls {
    /// Who the client is; a connection from before the capture shows it with its first record.
    client: Option<Half>,
    reason: OpaqueReason,
    /// The server answers plain HTTP, so that there is no client's side of it.
    answers_http: bool,
    facts: TlsFacts,
    /// [`Half::Lo`] first.
    sides: [Side; 2],
    client_hello: Option<HelloReader>,
    server_hello: Option<HelloReader>,
    trail: Trail,
}

/// Where one half's stream of records stands.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    state: State,
    /// The first bytes of a record, or of what stands in its place.
    part: [u8; record::HEAD_BYTES],
    have: usize,
    /// Where they begin.
    origin: Origin,
    records: u8,
    /// Bytes that went by since nothing more was wanted of this half.
    passed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A record is due.
    #[default]
    Head,
    /// This many bytes of a record are still to be skipped.
    Body(u64),
    /// Nothing more is wanted.
    Done,
}

impl Tls {
    /// A connection that begins with a TLS record. The client is who opened it, if that is known.
    pub(super) fn new(client: Option<Half>, trail: Trail) -> Self {
        let facts = TlsFacts::default();
        Self {
            client,
            reason: OpaqueReason::Tls,
            answers_http: false,
            facts,
            sides: [Side::default(); 2],
            client_hello: None,
            server_hello: None,
            trail,
        }
    }

    /// A server that goes on with what may be a TLS record where an answer to plain HTTP is due. The stream is
    /// opaque for this reason, whatever comes of it.
    pub(super) fn instead_of_http(client: Half, reason: OpaqueReason, trail: Trail) -> Self {
        let mut tls = Self { reason, answers_http: true, ..Self::new(Some(client), trail) };
        tls.side_mut(client).state = State::Done;
        tls
    }

    /// What the stream is called.
    pub(super) const fn reason(&self) -> OpaqueReason {
        self.reason
    }

    /// Who the client is, as far as it shows.
    pub(super) const fn client(&self) -> Option<Half> {
        self.client
    }

    /// Whether these bytes are none of this layer's: the client of plain HTTP goes on.
    pub(super) fn is_foreign(&self, half: Half) -> bool {
        self.answers_http && self.client == Some(half)
    }

    /// The next bytes of a half. Whether more are wanted, of either half.
    pub(super) fn data(&mut self, half: Half, chunk: Chunk<'_>) -> bool {
        let mut rest = chunk.bytes;
        while !rest.is_empty() {
            let side = self.side_mut(half);
            match &mut side.state {
                State::Done => {
                    side.passed = side.passed.saturating_add(rest.len() as u64);
                    break;
                }
                State::Body(remaining) => {
                    let skipped = rest.len().min(usize::try_from(*remaining).unwrap_or(usize::MAX));
                    *remaining = remaining.saturating_sub(skipped as u64);
                    if *remaining == 0 {
                        side.state = State::Head;
                    }
                    let (body, after) = rest.split_at_checked(skipped).unwrap_or_default();
                    self.hello(half, body);
                    rest = after;
                }
                State::Head => {
                    let Some((byte, after)) = rest.split_first() else { break };
                    side.push(*byte, chunk.origin);
                    self.head(half);
                    rest = after;
                }
            }
        }
        let [lo, hi] = &self.sides;
        let both_done = lo.state == State::Done && hi.state == State::Done;
        !both_done && lo.passed.max(hi.passed) <= limits::TLS_WAIT_BYTES
    }

    /// `length` bytes of a half are not in the capture: inside of a record they are skipped.
    pub(super) fn gap(&mut self, half: Half, length: u64) {
        let side = self.side_mut(half);
        match side.state {
            State::Done => {}
            State::Body(remaining) if remaining > length => {
                side.state = State::Body(remaining.saturating_sub(length));
            }
            State::Body(remaining) if remaining == length => side.state = State::Head,
            State::Head | State::Body(_) => {
                side.have = 0;
                side.state = State::Done;
                self.facts.is_cut = true;
            }
        }
    }

    /// What was seen.
    pub(super) fn into_trail(mut self) -> Trail {
        if let Some(client) = self.client {
            let server = *self.side(client.other());
            if server.have > 0 && server.state != State::Done {
                self.server_first(ServerFirst::Other(server.origin));
            }
        }
        if let Some(hello) = self.client_hello.take() {
            let said = hello.into_facts();
            self.facts.server_name = said.server_name;
            self.facts.protocols_offered = said.protocols;
            self.facts.version_offered = said.version;
        }
        if let Some(hello) = self.server_hello.take() {
            let said = hello.into_facts();
            self.facts.protocol = said.protocols.into_iter().next();
            self.facts.version = said.version;
        }
        let is_tls = matches!(self.facts.server, ServerFirst::Tls(_));
        if is_tls || (self.client.is_some() && !self.answers_http) {
            self.trail.tls = Some(Box::new(self.facts));
        }
        self.trail
    }

    /// Looks at the bytes that are there of a record.
    fn head(&mut self, half: Half) {
        let side = *self.side(half);
        let origin = side.origin;
        let is_first = side.records == 0;
        let is_server = self.client == Some(half.other());
        match record::read(side.part.get(..side.have).unwrap_or_default(), is_first) {
            Reading::More => {}
            Reading::Record(record) => self.record(half, record, is_first, origin),
            Reading::Http(status) => {
                if is_server {
                    self.server_first(ServerFirst::Http { status, origin });
                }
                self.side_mut(half).done();
            }
            Reading::Other => {
                if is_server && is_first {
                    self.server_first(ServerFirst::Other(origin));
                }
                self.side_mut(half).done();
            }
        }
    }

    /// Bytes of a handshake record that are in a hello, if one was begun.
    fn hello(&mut self, half: Half, body: &[u8]) {
        let hello = if self.client == Some(half) { &mut self.client_hello } else { &mut self.server_hello };
        if let Some(hello) = hello {
            hello.read(body);
        }
    }

    fn record(&mut self, half: Half, record: Record, is_first: bool, origin: Origin) {
        if self.client.is_none() {
            self.client = match record.message {
                Some(record::CLIENT_HELLO) => Some(half),
                Some(record::SERVER_HELLO) => Some(half.other()),
                // Nobody can say who is who, and somewhere in the middle it does not matter.
                _ => None,
            };
        }
        let Some(client) = self.client else {
            self.sides.iter_mut().for_each(Side::done);
            return;
        };
        let by = if half == client { Role::Client } else { Role::Server };
        if is_first && by == Role::Server {
            self.server_first(ServerFirst::Tls(origin));
        }
        if is_first && by == Role::Client && record.message == Some(record::CLIENT_HELLO) {
            self.facts.client_hello = Some(origin);
            let read = self.side(half).have as u64;
            self.facts.client_hello_bytes = read.saturating_add(u64::from(record.remaining));
            self.client_hello = Some(HelloReader::new(true));
        }
        if is_first && by == Role::Server && record.message == Some(record::SERVER_HELLO) {
            self.server_hello = Some(HelloReader::new(false));
        }
        if is_first {
            let side = *self.side(half);
            self.hello(half, side.part.get(record::FIELDS..side.have).unwrap_or_default());
        }
        if let Some([level, description]) = record.alert {
            self.facts.alert = Some(TlsAlert { by, origin, level, description });
            self.sides.iter_mut().for_each(Side::done);
            return;
        }
        let side = self.side_mut(half);
        side.have = 0;
        side.records = side.records.saturating_add(1);
        side.state = match record.kind {
            Kind::Handshake if side.records < limits::TLS_RECORDS => match record.remaining {
                0 => State::Head,
                remaining => State::Body(u64::from(remaining)),
            },
            // RFC 8446 section 5: what comes after these, and an alert longer than an alert is, is encrypted.
            _ => State::Done,
        };
    }

    /// Notes the server's first bytes; what is known stays.
    fn server_first(&mut self, first: ServerFirst) {
        if self.facts.server == ServerFirst::Nothing {
            self.facts.server = first;
        }
    }

    const fn side(&self, half: Half) -> &Side {
        let [lo, hi] = &self.sides;
        match half {
            Half::Lo => lo,
            Half::Hi => hi,
        }
    }

    const fn side_mut(&mut self, half: Half) -> &mut Side {
        let [lo, hi] = &mut self.sides;
        match half {
            Half::Lo => lo,
            Half::Hi => hi,
        }
    }
}

impl Side {
    fn push(&mut self, byte: u8, origin: Origin) {
        if self.have == 0 {
            self.origin = origin;
        }
        if let Some(place) = self.part.get_mut(self.have) {
            *place = byte;
            self.have = self.have.saturating_add(1);
        }
    }

    const fn done(&mut self) {
        self.have = 0;
        self.state = State::Done;
    }
}

/// Whether a byte may begin a TLS record where HTTP is due: an alert or a handshake message.
pub(super) const fn may_start_record(byte: u8) -> bool {
    matches!(byte, record::ALERT | record::HANDSHAKE)
}

#[cfg(test)]
mod tests;
