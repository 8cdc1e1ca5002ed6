//! The layers of one connection. Only the stack knows which layer speaks which protocol.
//!
//! A TLS layer, or HTTP/2 with its streams, is a variant of [`Layer`] that carries a stack of its own.

use super::Exchanges;
use super::attempt::Attempt;
use super::http::{Finished, HeldPiece, Http};
use super::layer::{Next, OpaqueReason, Protocol, Upgrade};
use super::probe::{Before, Probe};
use super::tls::Tls;
use super::trail::Trail;
use super::websocket::{MessageReader, RoleFacts, Session, Start};
use super::{Context, ProxyProtocol, Role, Spoken, StreamFacts};
use crate::decode::Half;
use crate::tcp::{Chunk, Opened, Opening, Receiver};
use crate::units::Origin;

/// What stands above one connection. Its first two cache lines are what a data frame needs: its own fields share one with
/// the client's side of the session, the server's side is in the other.
#[repr(C)]
#[derive(Debug)]
pub struct Stack {
    client: Option<Half>,
    opener: Option<Half>,
    midstream: bool,
    preface: Option<ProxyProtocol>,
    layer: Layer,
}

/// What has the connection now. A session lies here itself, and so where its connection lies: one wait for memory less.
/// The others are a pointer at most.
#[derive(Debug)]
enum Layer {
    /// Nothing was seen yet, or not enough.
    Probe(Option<Box<Probe>>),
    Http(Box<Http>),
    WebSocket(Tunnel),
    /// The same where somebody wants messages.
    Messages(Box<ReadTunnel>),
    Tls(Box<Tls>),
    /// With what came before, if there was anything.
    Opaque(OpaqueReason, Option<Box<Trail>>),
}

/// A session, and what came up to it: the last attempt is its own.
#[repr(C)]
#[derive(Debug)]
struct Tunnel {
    session: Session,
    trail: Trail,
}

/// A session of which the messages are read, too.
#[derive(Debug)]
struct ReadTunnel {
    tunnel: Tunnel,
    messages: MessageReader,
}

/// What is counted of a session that is over; see [`Stack::tally`].
#[derive(Debug)]
pub struct Tally<'a> {
    /// The attempts of its connection, the last of which is its own. None has a session in it.
    pub attempts: &'a [Attempt],
    /// What the client sent.
    pub client: RoleFacts,
    /// What the server sent.
    pub server: RoleFacts,
    /// Frames that were not remembered any more; see [`crate::limits::FRAMES_KEPT`].
    pub forgotten_frames: u64,
}

impl Default for Stack {
    fn default() -> Self {
        Self { layer: Layer::Probe(None), client: None, opener: None, midstream: false, preface: None }
    }
}

impl Receiver for Stack {
    type Context = Context;

    fn open(_: &mut Context, opening: &Opening) -> Self {
        let midstream = opening.opened == Opened::Midstream;
        Self { opener: opening.opener, midstream, ..Self::default() }
    }

    #[inline]
    fn data(&mut self, context: &mut Context, half: Half, chunk: Chunk<'_>) {
        let role = self.role(half);
        if let Layer::WebSocket(tunnel) = &mut self.layer {
            tunnel.session.data(context, role, chunk);
            return;
        }
        self.any_data(context, half, chunk);
    }

    fn gap(&mut self, context: &mut Context, half: Half, length: u64, at: Origin) {
        let before = self.buffered_bytes();
        self.route_gap(context, half, length, at);
        self.account(context, before);
    }

    #[inline]
    fn warm(&self, _: Half) -> u64 {
        match &self.layer {
            Layer::WebSocket(tunnel) => tunnel.session.warm(),
            _ => 0,
        }
    }

    fn warm_all(&self) -> u64 {
        let Layer::WebSocket(tunnel) = &self.layer else { return 0 };
        let attempt = tunnel.trail.attempts.last().map_or(0, Attempt::warm);
        tunnel.session.warm_all().wrapping_add(attempt)
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
                Finished::Http(trail) => **http = Http::after(trail),
                Finished::Frames(upgrade) => self.begin_session(context, upgrade),
                Finished::Tunnel(trail, held) => {
                    **http = Http::after(trail);
                    self.begin_tunnel(context, held);
                    return self.finish(context);
                }
            }
        }
        if let (Layer::Messages(read), Some(room)) = (&mut self.layer, &mut context.messages) {
            read.messages.finish(room);
        }
        let spoken = match self.layer {
            Layer::Probe(Some(ref probe)) if probe.was_greeted() => Spoken::Opaque(OpaqueReason::NotHttp),
            Layer::Probe(_) => Spoken::Nothing,
            Layer::Http(_) => Spoken::Http,
            Layer::WebSocket(_) | Layer::Messages(_) => Spoken::WebSocket,
            Layer::Tls(ref tls) => Spoken::Opaque(tls.reason()),
            Layer::Opaque(reason, _) => Spoken::Opaque(reason),
        };
        let greeting = match &mut self.layer {
            Layer::Probe(Some(probe)) => probe.take_greeting(),
            _ => None,
        };
        let trail = self.take_trail();
        context.let_heads_go(trail.head_bytes());
        let Trail { attempts, exchanges, tls } = trail;
        let client = self.client;
        StreamFacts {
            client,
            spoken,
            attempts,
            exchanges: exchanges.map(|exchanges| *exchanges).unwrap_or_default(),
            tls,
            proxy_protocol: self.preface,
            greeting,
        }
    }

    /// What a session that is over comes to where nobody asks for more than numbers: what [`Self::finish`] would tell, at a
    /// fraction of the cost. None if the connection came to something else, or if not all of its attempts were answered,
    /// so that more has to be known to count them. Use it instead of [`Self::finish`], not beside it.
    #[must_use]
    pub fn tally(&self, context: &mut Context) -> Option<Tally<'_>> {
        let Layer::WebSocket(Tunnel { session, trail }) = &self.layer else { return None };
        let is_told_by_answer = |attempt: &Attempt| attempt.response.is_some() && attempt.session.is_none();
        if !trail.attempts.iter().all(is_told_by_answer) {
            return None;
        }
        context.let_heads_go(trail.head_bytes());
        let ([client, server], forgotten_frames) = session.counts();
        Some(Tally { attempts: &trail.attempts, client, server, forgotten_frames })
    }

    /// Takes bytes that are not those of a session.
    // Apart from its caller, which has the registers for itself then.
    #[inline(never)]
    fn any_data(&mut self, context: &mut Context, half: Half, chunk: Chunk<'_>) {
        let before = self.buffered_bytes();
        self.route(context, half, chunk);
        self.account(context, before);
    }

    /// Hands bytes to the layer that is there, and to those that follow it.
    fn route(&mut self, context: &mut Context, half: Half, mut chunk: Chunk<'_>) {
        while !chunk.bytes.is_empty() {
            let role = self.role(half);
            let may_become_http = self.may_become_http();
            let next = match &mut self.layer {
                Layer::WebSocket(tunnel) => return tunnel.session.data(context, role, chunk),
                Layer::Messages(read) => return read.data(context, role, chunk),
                Layer::Http(http) => http.data(context, role, chunk),
                Layer::Probe(probe) => {
                    // Most often the first bytes say all, and nothing of the probe need stay.
                    let mut fresh = Probe::default();
                    let found = probe.as_deref_mut().unwrap_or(&mut fresh).data(half, self.opener, chunk);
                    if probe.is_none() && matches!(found.next, Next::Continue) {
                        *probe = Some(Box::new(fresh));
                    }
                    self.client = found.client.or(self.client);
                    self.preface = self.preface.or(found.preface);
                    let consumed = self.follow(context, found.next);
                    for (half, before) in found.held {
                        match before {
                            Before::Bytes(kept) => self.route(context, half, kept.as_chunk()),
                            Before::NoFrame(length) => self.pass_over(context, self.role(half), length),
                        }
                    }
                    match consumed {
                        Some(consumed) => chunk = chunk.without_first(consumed),
                        None => return,
                    }
                    continue;
                }
                Layer::Tls(tls) if tls.is_foreign(half) => {
                    Next::Switch { to: Protocol::Opaque(tls.reason()), consumed: 0 }
                }
                Layer::Tls(tls) => {
                    if tls.data(half, chunk) {
                        return;
                    }
                    Next::opaque(tls.reason())
                }
                Layer::Opaque(..) if may_become_http && chunk.bytes.starts_with(b"GET ") => {
                    self.client = Some(half);
                    Next::Switch { to: Protocol::Http, consumed: 0 }
                }
                Layer::Opaque(_, trail) => {
                    if role == Role::Server
                        && let Some(foreign) = trail.as_deref_mut().and_then(Trail::foreign_answer)
                    {
                        foreign.extend(chunk.bytes);
                    }
                    return;
                }
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
            Layer::WebSocket(tunnel) => tunnel.session.gap(context, role, length),
            Layer::Messages(read) => read.gap(context, role, length, at),
            Layer::Http(http) => {
                let next = http.gap(context, role, length, at);
                self.follow(context, next);
                // The end of the answer's head was in the gap, and nobody knows how many frames with it.
                self.lose(context, role);
            }
            Layer::Tls(tls) => tls.gap(half, length),
            Layer::Probe(probe) => probe.get_or_insert_default().gap(half),
            Layer::Opaque(_, trail) => {
                if role == Role::Server
                    && let Some(foreign) = trail.as_deref_mut().and_then(Trail::foreign_answer)
                {
                    foreign.cut();
                }
            }
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
            Protocol::Probe(held) => self.begin_tunnel(context, held),
            Protocol::Http => self.begin_http(),
            Protocol::Tls(instead) if context.keeps_heads() => {
                let (trail, client) = (self.take_trail(), self.client.or(self.opener));
                self.layer = Layer::Tls(Box::new(match instead {
                    None => Tls::new(client, trail),
                    Some(reason) => Tls::instead_of_http(client.unwrap_or(Half::Lo), reason, trail),
                }));
            }
            Protocol::Tls(instead) => {
                return self.follow(context, Next::opaque(instead.unwrap_or(OpaqueReason::Tls)));
            }
            Protocol::Opaque(reason) => {
                let trail = self.take_trail();
                self.layer = Layer::Opaque(reason, (!trail.is_empty()).then(|| Box::new(trail)));
            }
            Protocol::WebSocket(upgrade) => self.begin_session(context, upgrade),
        }
        Some(consumed)
    }

    /// Goes on with what comes through a tunnel, or after a preface.
    fn begin_tunnel(&mut self, context: &mut Context, held: Vec<HeldPiece>) {
        let client = self.client.or(self.opener).unwrap_or(Half::Lo);
        self.layer = Layer::Probe(Some(Box::new(Probe::after(self.take_trail()))));
        for piece in held {
            self.held(context, client, piece);
        }
    }

    fn begin_http(&mut self) {
        let is_lost = |half| matches!(&self.layer, Layer::Probe(Some(probe)) if probe.is_lost(half));
        let lost = [Half::Lo, Half::Hi].map(|half| is_lost(half).then(|| self.role(half)));
        let greeting = match &mut self.layer {
            Layer::Probe(Some(probe)) => probe.take_greeting(),
            _ => None,
        };
        let mut http = Box::new(Http::after(self.take_trail()));
        http.begin_greeted(greeting);
        lost.into_iter().flatten().for_each(|role| http.begin_lost(role));
        if self.midstream {
            http.begin_midstream();
        }
        self.layer = Layer::Http(http);
    }

    fn begin_session(&mut self, context: &mut Context, upgrade: Upgrade) {
        let Upgrade { start, mut trail, held, is_client_lost, is_joined } = upgrade;
        if trail.attempts.is_empty() {
            trail.attempts.push(Attempt { midstream: true, ..Attempt::default() });
        } else if start == Start::Midstream
            && let Some(attempt) = trail.attempts.last_mut()
        {
            attempt.response_lost |= attempt.response.is_none();
        }
        let early = held.iter().map(|piece| match piece {
            HeldPiece::Data(kept) => kept.bytes.len() as u64,
            HeldPiece::Gap(length, _) => *length,
        });
        let mut session = Session::new(context, start);
        if matches!(start, Start::Handshake { .. }) {
            session.note_early_client_bytes(early.sum());
        }
        let tunnel = Tunnel { session, trail };
        self.layer = match context.messages {
            None => Layer::WebSocket(tunnel),
            Some(_) => Layer::Messages(Box::new(ReadTunnel { tunnel, messages: MessageReader::new(start) })),
        };
        if is_client_lost {
            self.lose(context, Role::Client);
        }
        if is_joined {
            self.pass_over(context, Role::Client, 0);
            self.pass_over(context, Role::Server, 0);
        }
        let client = self.client.unwrap_or(Half::Lo);
        for piece in held {
            self.held(context, client, piece);
        }
    }

    /// From here on it is not known where a frame of this side begins.
    fn lose(&mut self, context: &mut Context, role: Role) {
        match &mut self.layer {
            Layer::WebSocket(tunnel) => tunnel.session.lose(role),
            Layer::Messages(read) => read.lose(context, role),
            _ => {}
        }
    }

    /// Counts bytes of a session that are no frames: from here on it is not known where a frame of this side begins.
    fn pass_over(&mut self, context: &mut Context, role: Role, length: u64) {
        match &mut self.layer {
            Layer::WebSocket(tunnel) => tunnel.session.pass_over(role, length),
            Layer::Messages(read) => read.pass_over(context, role, length),
            _ => {}
        }
    }

    /// Reads what was held back.
    fn held(&mut self, context: &mut Context, half: Half, piece: HeldPiece) {
        match piece {
            HeldPiece::Data(kept) => self.route(context, half, kept.as_chunk()),
            HeldPiece::Gap(length, at) => self.route_gap(context, half, length, at),
        }
    }

    /// The attempts so far: of the last one the session is not there yet, and its answer may not be.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        self.trail().map_or(&[], |trail| &trail.attempts)
    }

    /// The requests so far that are no attempts, if there are some and heads are kept.
    #[must_use]
    pub fn exchanges(&self) -> Option<&Exchanges> {
        self.trail()?.exchanges.as_deref()
    }

    /// Whether frames flow, or could.
    #[must_use]
    pub const fn has_session(&self) -> bool {
        matches!(self.layer, Layer::WebSocket(_) | Layer::Messages(_))
    }

    /// The attempts and other requests so far, and who is the client. A session that goes on is there with its frames, as
    /// far as these are kept, or without them.
    #[must_use]
    pub fn so_far(&self, with_frames: bool) -> StreamFacts {
        let mut attempts = self.attempts().to_vec();
        let session = match &self.layer {
            Layer::WebSocket(tunnel) => Some(&tunnel.session),
            Layer::Messages(read) => Some(&read.tunnel.session),
            _ => None,
        };
        if let (Some(attempt), Some(session)) = (attempts.last_mut(), session) {
            attempt.session = Some(Box::new(session.so_far(with_frames)));
        }
        let exchanges = self.exchanges().cloned().unwrap_or_default();
        StreamFacts { client: self.client, attempts, exchanges, ..StreamFacts::default() }
    }

    fn trail(&self) -> Option<&Trail> {
        match &self.layer {
            Layer::Http(http) => Some(http.trail()),
            Layer::WebSocket(tunnel) => Some(&tunnel.trail),
            Layer::Messages(read) => Some(&read.tunnel.trail),
            Layer::Opaque(_, trail) => trail.as_deref(),
            Layer::Probe(_) | Layer::Tls(_) => None,
        }
    }

    fn take_trail(&mut self) -> Trail {
        match std::mem::replace(&mut self.layer, Layer::Probe(None)) {
            Layer::Probe(probe) => probe.map(|probe| probe.into_trail()).unwrap_or_default(),
            Layer::Http(http) => http.into_trail(),
            Layer::WebSocket(tunnel) => tunnel.into_trail(),
            Layer::Messages(read) => read.into_trail(),
            Layer::Tls(tls) => {
                self.client = self.client.or(tls.client());
                tls.into_trail()
            }
            Layer::Opaque(_, trail) => trail.map(|trail| *trail).unwrap_or_default(),
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
    fn into_trail(self) -> Trail {
        let mut trail = self.trail;
        if let Some(attempt) = trail.attempts.last_mut() {
            attempt.session = Some(Box::new(self.session.into_facts()));
        }
        trail
    }
}

impl ReadTunnel {
    fn data(&mut self, context: &mut Context, role: Role, chunk: Chunk<'_>) {
        self.tunnel.session.data(context, role, chunk);
        if let Some(room) = &mut context.messages {
            self.messages.data(room, role, chunk);
        }
    }

    fn gap(&mut self, context: &mut Context, role: Role, length: u64, at: Origin) {
        self.tunnel.session.gap(context, role, length);
        if let Some(room) = &mut context.messages {
            self.messages.gap(room, role, length, at);
        }
    }

    fn lose(&mut self, context: &mut Context, role: Role) {
        self.tunnel.session.lose(role);
        if let Some(room) = &mut context.messages {
            self.messages.lose(room, role);
        }
    }

    fn pass_over(&mut self, context: &mut Context, role: Role, length: u64) {
        self.tunnel.session.pass_over(role, length);
        if let Some(room) = &mut context.messages {
            self.messages.lose(room, role);
        }
    }

    fn into_trail(self) -> Trail {
        let decoded = Box::new(self.messages.into_decoded());
        let mut trail = self.tunnel.into_trail();
        if let Some(session) = trail.attempts.last_mut().and_then(|attempt| attempt.session.as_mut()) {
            session.decoded = Some(decoded);
        }
        trail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lies_behind_the_eight_bytes_of_the_stack_itself() {
        assert_eq!(std::mem::offset_of!(Stack, layer), 8);
        assert_eq!(
            size_of::<Layer>(),
            size_of::<Tunnel>(),
            "its kind is told by bytes that a session leaves free"
        );
        assert_eq!(size_of::<Stack>(), 192);
    }
}
