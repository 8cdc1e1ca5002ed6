//! The layers of one connection. Only the stack knows which layer speaks which protocol.
//!
//! A TLS layer, or HTTP/2 with its streams, is a variant of [`Layer`] that carries a stack of its own.

use super::attempt::Attempt;
use super::http::{Finished, HeldPiece, Http};
use super::layer::{Next, OpaqueReason, Protocol, Upgrade};
use super::probe::Probe;
use super::websocket::{Session, Start};
use super::{Context, ProxyProtocol, Role, Spoken, StreamFacts};
use crate::decode::Half;
use crate::tcp::{Chunk, Opened, Opening, Receiver};
use crate::units::Origin;

/// What stands above one connection.
#[derive(Debug)]
pub struct Stack {
    layer: Layer,
    client: Option<Half>,
    opener: Option<Half>,
    midstream: bool,
    preface: Option<ProxyProtocol>,
}

/// Each variant is a pointer at most, so that a stack stays small beside the connection's own state.
#[derive(Debug)]
enum Layer {
    /// Nothing was seen yet, or not enough.
    Probe(Option<Box<Probe>>),
    Http(Box<Http>),
    WebSocket(Box<Tunnel>),
    Opaque(OpaqueReason, Option<Box<Earlier>>),
}

/// Attempts that came before a stream became opaque.
#[derive(Debug)]
struct Earlier {
    attempts: Vec<Attempt>,
}

/// A session, and the attempts up to it.
#[derive(Debug)]
struct Tunnel {
    session: Session,
    attempts: Vec<Attempt>,
}

impl Receiver for Stack {
    type Context = Context;

    fn open(_: &mut Context, opening: &Opening) -> Self {
        Self {
            layer: Layer::Probe(None),
            client: None,
            opener: opening.opener,
            midstream: opening.opened == Opened::Midstream,
            preface: None,
        }
    }

    #[inline]
    fn data(&mut self, context: &mut Context, half: Half, chunk: Chunk<'_>) {
        let role = self.role(half);
        if let Layer::WebSocket(tunnel) = &mut self.layer {
            tunnel.session.data(context, role, chunk);
            return;
        }
        let before = self.buffered_bytes();
        self.route(context, half, chunk);
        self.account(context, before);
    }

    fn gap(&mut self, context: &mut Context, half: Half, length: u64, at: Origin) {
        let before = self.buffered_bytes();
        self.route_gap(context, half, length, at);
        self.account(context, before);
    }

    #[inline]
    fn warm(&self, half: Half) -> u64 {
        match &self.layer {
            Layer::WebSocket(tunnel) => tunnel.session.warm(self.role(half)),
            _ => 0,
        }
    }

    fn wants_bytes(&self) -> bool {
        !matches!(self.layer, Layer::Opaque(..)) || self.may_become_http()
    }
}

impl Stack {
    /// What was seen.
    #[must_use]
    pub fn finish(mut self, context: &mut Context) -> StreamFacts {
        context.rebalance(self.buffered_bytes(), 0);
        if let Layer::Http(http) = &mut self.layer {
            match std::mem::take(&mut **http).finish(context) {
                Finished::Attempts(attempts) => **http = Http::after(attempts),
                Finished::Frames(upgrade) => self.begin_session(context, upgrade),
            }
        }
        let spoken = match self.layer {
            Layer::Probe(_) => Spoken::Nothing,
            Layer::Http(_) => Spoken::Http,
            Layer::WebSocket(_) => Spoken::WebSocket,
            Layer::Opaque(reason, _) => Spoken::Opaque(reason),
        };
        StreamFacts {
            client: self.client,
            spoken,
            attempts: self.take_attempts(),
            proxy_protocol: self.preface,
        }
    }

    /// Hands bytes to the layer that is there, and to those that follow it.
    fn route(&mut self, context: &mut Context, half: Half, mut chunk: Chunk<'_>) {
        while !chunk.bytes.is_empty() {
            let role = self.role(half);
            let may_become_http = self.may_become_http();
            let next = match &mut self.layer {
                Layer::WebSocket(tunnel) => return tunnel.session.data(context, role, chunk),
                Layer::Http(http) => http.data(context, role, chunk),
                Layer::Probe(probe) => {
                    let found = probe.get_or_insert_default().data(half, self.opener, chunk);
                    self.client = found.client.or(self.client);
                    self.preface = self.preface.or(found.preface);
                    let consumed = self.follow(context, found.next);
                    for (half, piece) in found.held {
                        self.held(context, half, piece);
                    }
                    match consumed {
                        Some(consumed) => chunk = chunk.without_first(consumed),
                        None => return,
                    }
                    continue;
                }
                Layer::Opaque(..) if may_become_http && chunk.bytes.starts_with(b"GET ") => {
                    self.client = Some(half);
                    Next::Switch { to: Protocol::Http, consumed: 0 }
                }
                Layer::Opaque(..) => return,
            };
            match self.follow(context, next) {
                Some(consumed) => chunk = chunk.without_first(consumed),
                None => return,
            }
        }
    }

    fn route_gap(&mut self, context: &mut Context, half: Half, length: u64, at: Origin) {
        let role = self.role(half);
        match &mut self.layer {
            Layer::WebSocket(tunnel) => tunnel.session.gap(role, length),
            Layer::Http(http) => {
                let next = http.gap(context, role, length, at);
                self.follow(context, next);
                // The end of the answer's head was in the gap, and nobody knows how many frames with it.
                if let Layer::WebSocket(tunnel) = &mut self.layer {
                    tunnel.session.lose(role);
                }
            }
            Layer::Probe(_) | Layer::Opaque(..) => {}
        }
    }

    /// What is held in buffers for heads and answers that are not there yet.
    fn buffered_bytes(&self) -> usize {
        match &self.layer {
            Layer::Http(http) => http.buffered_bytes(),
            _ => 0,
        }
    }

    /// Keeps what all connections buffer below its limit; `before` is what this one did.
    fn account(&mut self, context: &mut Context, before: usize) {
        let after = self.buffered_bytes();
        if before == after || context.rebalance(before, after) {
            return;
        }
        self.follow(context, Next::opaque(OpaqueReason::TooMuchBuffered));
        context.rebalance(after, 0);
    }

    /// Does what a layer asked for. `None` if it wants no more than further bytes, else how many are used.
    fn follow(&mut self, context: &mut Context, next: Next) -> Option<usize> {
        let Next::Switch { to, consumed } = next else { return None };
        match to {
            Protocol::Probe => self.layer = Layer::Probe(Some(Box::new(Probe::after(self.take_attempts())))),
            Protocol::Http => self.layer = Layer::Http(Box::new(Http::after(self.take_attempts()))),
            Protocol::Opaque(reason) => {
                let attempts = self.take_attempts();
                self.layer =
                    Layer::Opaque(reason, (!attempts.is_empty()).then(|| Box::new(Earlier { attempts })));
            }
            Protocol::WebSocket(upgrade) => self.begin_session(context, *upgrade),
        }
        Some(consumed)
    }

    fn begin_session(&mut self, context: &mut Context, upgrade: Upgrade) {
        let Upgrade { start, mut attempts, held } = upgrade;
        if attempts.is_empty() {
            attempts.push(Attempt { midstream: true, ..Attempt::default() });
        } else if start == Start::Midstream
            && let Some(attempt) = attempts.last_mut()
        {
            attempt.response_lost |= attempt.response.is_none();
        }
        let early = held.iter().map(|piece| match piece {
            HeldPiece::Data(kept) => kept.bytes.len() as u64,
            HeldPiece::Gap(length, _) => *length,
        });
        let mut session = Session::new(start);
        if matches!(start, Start::Handshake { .. }) {
            session.note_early_client_bytes(early.sum());
        }
        self.layer = Layer::WebSocket(Box::new(Tunnel { session, attempts }));
        let client = self.client.unwrap_or(Half::Lo);
        for piece in held {
            self.held(context, client, piece);
        }
    }

    /// Reads what was held back.
    fn held(&mut self, context: &mut Context, half: Half, piece: HeldPiece) {
        match piece {
            HeldPiece::Data(kept) => self.route(context, half, kept.as_chunk()),
            HeldPiece::Gap(length, at) => self.route_gap(context, half, length, at),
        }
    }

    fn take_attempts(&mut self) -> Vec<Attempt> {
        match std::mem::replace(&mut self.layer, Layer::Probe(None)) {
            Layer::Probe(probe) => probe.map(|probe| probe.into_attempts()).unwrap_or_default(),
            Layer::Http(http) => http.into_attempts(),
            Layer::WebSocket(tunnel) => tunnel.into_attempts(),
            Layer::Opaque(_, earlier) => earlier.map(|earlier| earlier.attempts).unwrap_or_default(),
        }
    }

    /// Whether HTTP may begin in the middle of a stream: one that was joined in the middle of a body, or one
    /// that a broken message made unreadable.
    fn may_become_http(&self) -> bool {
        match &self.layer {
            Layer::Opaque(OpaqueReason::NotHttp, _) => self.midstream,
            Layer::Opaque(OpaqueReason::Malformed, _) => true,
            _ => false,
        }
    }

    fn role(&self, half: Half) -> Role {
        if self.client.unwrap_or(Half::Lo) == half { Role::Client } else { Role::Server }
    }
}

impl Tunnel {
    fn into_attempts(self) -> Vec<Attempt> {
        let mut attempts = self.attempts;
        if let Some(attempt) = attempts.last_mut() {
            attempt.session = Some(Box::new(self.session.into_facts()));
        }
        attempts
    }
}
