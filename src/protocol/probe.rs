//! Finds out what a connection speaks from its first bytes.

use std::borrow::Cow;

use super::attempt::ForeignAnswer;
use super::http::{may_start_request, may_start_response};
use super::layer::{Next, OpaqueReason, Protocol, Upgrade};
use super::trail::Trail;
use super::websocket::{Evidence, Start, frames_in};
use super::{ProxyProtocol, Role};
use crate::decode::Half;
use crate::limits;
use crate::tcp::{Chunk, Kept};

/// A connection that is not known yet.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// What came before, on the way to a tunnel.
    trail: Trail,
    /// Halves of which the capture lacks bytes, [`Half::Lo`] first.
    lost: [bool; 2],
    /// In a connection from before the capture: segments that look like frames, and how much lies between them.
    candidates: Option<Box<Candidates>>,
    /// What the server said before it was asked, and how many bytes that is.
    greeting: Option<(Box<ForeignAnswer>, usize)>,
    /// What may be the start of a header of the PROXY protocol, or of a request behind a greeting; at most [`limits::PROXY_PROTOCOL_BYTES`].
    started: Vec<(Half, Kept)>,
}

#[derive(Debug, Default)]
struct Candidates {
    found: Vec<(Half, Before)>,
    /// One of these is taken for frames.
    has_frames: bool,
    /// Who the sender of [`Half::Lo`] is, if these are frames.
    lo: Option<Role>,
    looked_at: u32,
}

/// What the first bytes are.
#[derive(Debug)]
pub(super) struct Found {
    /// What is to happen.
    pub(super) next: Next,
    /// Which half is the client's, if that shows.
    pub(super) client: Option<Half>,
    /// What is to be read before the chunk, oldest first.
    pub(super) held: Vec<(Half, Before)>,
    /// A header of the PROXY protocol stood before it.
    pub(super) preface: Option<ProxyProtocol>,
}

/// Something that came before the chunk that tells what it is.
#[derive(Debug)]
pub(super) enum Before {
    /// Bytes that are to be read.
    Bytes(Kept),
    /// So many bytes of a session that are no frame.
    NoFrame(u64),
}

impl Probe {
    /// For what comes through a tunnel after this.
    pub(super) fn after(trail: Trail) -> Self {
        Self { trail, ..Self::default() }
    }

    /// The capture lacks bytes of a half.
    pub(super) fn gap(&mut self, half: Half) {
        let [lo, hi] = &mut self.lost;
        match half {
            Half::Lo => *lo = true,
            Half::Hi => *hi = true,
        }
        if let Some((greeting, _)) = &mut self.greeting {
            greeting.cut();
        }
    }

    /// Whether the capture lacks bytes of a half.
    pub(super) const fn is_lost(&self, half: Half) -> bool {
        let [lo, hi] = self.lost;
        match half {
            Half::Lo => lo,
            Half::Hi => hi,
        }
    }

    /// Whether the server has said something that is no HTTP before it was asked.
    pub(super) const fn was_greeted(&self) -> bool {
        self.greeting.is_some()
    }

    /// What it said.
    pub(super) fn take_greeting(&mut self) -> Option<Box<ForeignAnswer>> {
        self.greeting.take().map(|(greeting, _)| greeting)
    }

    /// What came before.
    pub(super) fn into_trail(self) -> Trail {
        self.trail
    }

    /// Looks at the next bytes. `opener` sent the SYN, if that is in the capture.
    pub(super) fn data(&mut self, half: Half, opener: Option<Half>, chunk: Chunk<'_>) -> Found {
        if opener == Some(half.other()) && self.greeting.is_some() {
            return Found { next: self.greet(chunk), client: None, held: Vec::new(), preface: None };
        }
        let joined = self.joined(half, opener, chunk.bytes);
        let (preface, preface_length) = match proxy_protocol(&joined) {
            Preface::Whole(version, length) => (Some(version), length),
            Preface::Started if opener == Some(half) && joined.len() <= limits::PROXY_PROTOCOL_BYTES => {
                self.started.push((half, chunk.keep()));
                return Found { next: Next::Continue, client: None, held: Vec::new(), preface: None };
            }
            Preface::Started | Preface::None => (None, 0),
        };
        let before = joined.len().saturating_sub(chunk.bytes.len());
        let bytes = joined.get(preface_length..).unwrap_or_default();
        // What was taken for the start of a header and is none is read again.
        let started = if before > 0 { std::mem::take(&mut self.started) } else { Vec::new() };
        let started = if preface.is_none() { started } else { Vec::new() };
        let preface_length = preface_length.saturating_sub(before);
        if !started.is_empty() && !may_start_request(bytes) {
            return Found {
                next: Next::opaque(OpaqueReason::NotHttp),
                client: None,
                held: Vec::new(),
                preface,
            };
        }
        if self.greeting.is_some() && !bytes.starts_with(GET) {
            if GET.starts_with(bytes) {
                self.started.extend(started);
                self.started.push((half, chunk.keep()));
                return Found { next: Next::Continue, client: None, held: Vec::new(), preface };
            }
            return Found {
                next: Next::opaque(OpaqueReason::NotHttp),
                client: None,
                held: Vec::new(),
                preface,
            };
        }
        let held = started.into_iter().map(|(half, kept)| (half, Before::Bytes(kept))).collect();
        let found = |next, client| Found { next, client, held, preface };
        if bytes.is_empty() {
            return found(
                Next::Switch { to: Protocol::Probe(Vec::new()), consumed: preface_length },
                Some(half),
            );
        }
        let answers = if opener.is_some() { opener != Some(half) } else { bytes.starts_with(b"HTTP/") };
        if answers && may_start_response(bytes) {
            return found(Next::Switch { to: Protocol::Http, consumed: preface_length }, Some(half.other()));
        }
        if !answers && may_start_request(bytes) {
            return found(Next::Switch { to: Protocol::Http, consumed: preface_length }, Some(half));
        }
        match bytes {
            // RFC 8446 section 5.1: a handshake record, or, in the middle of things, any record.
            [0x16, 0x03, ..] => {
                found(Next::Switch { to: Protocol::Tls(None), consumed: preface_length }, None)
            }
            // In the middle of things a single byte says nothing.
            [0x16] if opener.is_some() => {
                found(Next::Switch { to: Protocol::Tls(None), consumed: preface_length }, None)
            }
            [0x14..=0x17, 0x03, 0x00..=0x04, ..] if opener.is_none() => {
                found(Next::opaque(OpaqueReason::Tls), None)
            }
            _ if opener.is_none() => self.look_for_frames(half, chunk),
            _ if answers && !self.is_lost(half) => found(self.greet(chunk), None),
            _ => found(Next::opaque(OpaqueReason::NotHttp), None),
        }
    }

    /// The next bytes of the opener's half, behind what may be the start of a PROXY protocol header.
    fn joined<'b>(&self, half: Half, opener: Option<Half>, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.started.is_empty() || opener != Some(half) {
            return Cow::Borrowed(bytes);
        }
        let pieces = self.started.iter().map(|(_, kept)| &kept.bytes[..]);
        Cow::Owned(pieces.chain([bytes]).collect::<Vec<_>>().concat())
    }

    /// The server speaks first, and no HTTP. Whoever takes it for a server of HTTP asks all the same.
    fn greet(&mut self, chunk: Chunk<'_>) -> Next {
        let (greeting, length) =
            self.greeting.get_or_insert_with(|| (Box::new(ForeignAnswer::new(&[], chunk.origin)), 0));
        greeting.extend(chunk.bytes);
        *length = length.saturating_add(chunk.bytes.len());
        if *length > limits::GREETING_BYTES { Next::opaque(OpaqueReason::NotHttp) } else { Next::Continue }
    }

    /// Two segments that are filled with frames, and the mask bits of one client and one server, are taken for
    /// a session.
    fn look_for_frames(&mut self, half: Half, chunk: Chunk<'_>) -> Found {
        let candidates = self.candidates.get_or_insert_default();
        candidates.looked_at = candidates.looked_at.saturating_add(1);
        let sender = [Role::Client, Role::Server]
            .into_iter()
            .find(|role| frames_in(chunk.bytes, *role, None) == Evidence::Exact);
        if let Some(sender) = sender {
            let lo = if half == Half::Lo { sender } else { sender.other() };
            if candidates.lo.is_some_and(|known| known != lo) {
                candidates.give_up();
            }
            candidates.lo = Some(lo);
            if candidates.has_frames {
                let upgrade = Upgrade {
                    start: Start::Midstream,
                    trail: std::mem::take(&mut self.trail),
                    held: Vec::new(),
                    is_client_lost: false,
                    is_joined: true,
                };
                return Found {
                    next: Next::Switch { to: Protocol::WebSocket(upgrade), consumed: 0 },
                    client: Some(if lo == Role::Client { Half::Lo } else { Half::Hi }),
                    held: std::mem::take(&mut candidates.found),
                    preface: None,
                };
            }
            candidates.has_frames = true;
            candidates.found.push((half, Before::Bytes(chunk.keep())));
        } else {
            candidates.found.push((half, Before::NoFrame(chunk.bytes.len() as u64)));
        }
        let next = if candidates.looked_at < limits::MIDSTREAM_CHUNKS {
            Next::Continue
        } else {
            Next::opaque(OpaqueReason::NotHttp)
        };
        Found { next, client: None, held: Vec::new(), preface: None }
    }
}

impl Candidates {
    /// What was taken for frames is none.
    fn give_up(&mut self) {
        self.has_frames = false;
        for (_, piece) in &mut self.found {
            if let Before::Bytes(kept) = piece {
                *piece = Before::NoFrame(kept.bytes.len() as u64);
            }
        }
    }
}

/// How an upgrade request begins (RFC 6455 section 4.1).
const GET: &[u8] = b"GET ";

/// What stands before the first request.
enum Preface {
    /// A header of the PROXY protocol, so many bytes long.
    Whole(ProxyProtocol, usize),
    /// The start of one.
    Started,
    /// No such thing.
    None,
}

/// A header of the PROXY protocol (HAProxy's specification, sections 2.1 and 2.2): a load balancer's note on
/// who the client is, before the client's own first byte. Its length comes with it.
fn proxy_protocol(bytes: &[u8]) -> Preface {
    let is_start_of = |whole: &[u8]| bytes.len() < whole.len() && whole.starts_with(bytes);
    if !bytes.is_empty() && (is_start_of(V1_START) || is_start_of(V2_SIGNATURE)) {
        return Preface::Started;
    }
    if bytes.starts_with(V1_START) {
        let line = bytes.get(..MAX_V1_BYTES).unwrap_or(bytes);
        return match memchr::memchr(b'\n', line) {
            Some(end) => Preface::Whole(ProxyProtocol::V1, end.saturating_add(1)),
            None if bytes.len() < MAX_V1_BYTES => Preface::Started,
            None => Preface::None,
        };
    }
    let Some(rest) = bytes.strip_prefix(V2_SIGNATURE) else { return Preface::None };
    let Some((&[_, _, high, low], rest)) = rest.split_first_chunk::<4>() else { return Preface::Started };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > rest.len() {
        return Preface::Started;
    }
    Preface::Whole(ProxyProtocol::V2, V2_SIGNATURE.len().saturating_add(4).saturating_add(length))
}

const V1_START: &[u8] = b"PROXY ";
const MAX_V1_BYTES: usize = 107;
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Origin;

    fn found(half: Half, opener: Option<Half>, bytes: &[u8]) -> Found {
        Probe::default().data(half, opener, Chunk { bytes, origin: Origin::default() })
    }

    fn opaque(found: &Found) -> Option<OpaqueReason> {
        match found.next {
            Next::Switch { to: Protocol::Opaque(reason), .. } => Some(reason),
            Next::Switch { to: Protocol::Tls(_), .. } => Some(OpaqueReason::Tls),
            _ => None,
        }
    }

    #[test]
    fn http_is_known_by_its_first_bytes() {
        let is_http = |found: &Found| matches!(found.next, Next::Switch { to: Protocol::Http, consumed: 0 });
        let request = found(Half::Hi, Some(Half::Hi), b"GE");
        assert!(is_http(&request));
        assert_eq!(request.client, Some(Half::Hi));
        let response = found(Half::Lo, None, b"HTTP/1.1 200 OK");
        assert!(is_http(&response));
        assert_eq!(response.client, Some(Half::Hi));
    }

    #[test]
    fn what_is_not_looked_into() {
        assert_eq!(
            opaque(&found(Half::Lo, Some(Half::Lo), b"\x16\x03\x01\x02\x00")),
            Some(OpaqueReason::Tls)
        );
        assert_eq!(opaque(&found(Half::Lo, None, b"\x17\x03\x03\x02\x00")), Some(OpaqueReason::Tls));
        assert_eq!(opaque(&found(Half::Lo, Some(Half::Lo), b"\x16")), Some(OpaqueReason::Tls));
        assert_eq!(opaque(&found(Half::Lo, None, b"\x16")), None, "it may be anything");
        assert_eq!(opaque(&found(Half::Hi, Some(Half::Lo), b"220 mail")), None, "who asks may not know");
        let long = [b'2'; limits::GREETING_BYTES + 1];
        assert_eq!(opaque(&found(Half::Hi, Some(Half::Lo), &long)), Some(OpaqueReason::NotHttp));
        assert_eq!(opaque(&found(Half::Lo, Some(Half::Lo), b"\x81\x05hello")), Some(OpaqueReason::NotHttp));
    }

    #[test]
    fn a_proxy_protocol_header_is_stepped_over() {
        let v1 = b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\nGET / HTTP/1.1\r\n";
        let v1 = found(Half::Lo, Some(Half::Lo), v1);
        assert!(matches!(v1.next, Next::Switch { to: Protocol::Http, consumed: 38 }));
        assert_eq!(v1.preface, Some(ProxyProtocol::V1));
        let v2 = [V2_SIGNATURE, &[0x21, 0x11, 0, 12], &[0; 12]].concat();
        let v2 = found(Half::Lo, Some(Half::Lo), &v2);
        assert!(matches!(v2.next, Next::Switch { to: Protocol::Probe(_), consumed: 28 }));
        assert_eq!(v2.preface, Some(ProxyProtocol::V2));
    }

    #[test]
    fn a_proxy_protocol_header_may_come_in_pieces_and_a_post_too() {
        let header = b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\nGET / HTTP/1.1\r\n";
        for cut in 1..38 {
            let mut probe = Probe::default();
            let mut data =
                |bytes| probe.data(Half::Lo, Some(Half::Lo), Chunk { bytes, origin: Origin::default() });
            assert!(matches!(data(&header[..cut]).next, Next::Continue), "{cut}");
            let rest = data(&header[cut..]);
            assert!(
                matches!(rest.next, Next::Switch { to: Protocol::Http, consumed } if consumed == 38 - cut)
            );
            assert_eq!((rest.preface, rest.held.len()), (Some(ProxyProtocol::V1), 0));
        }
        let mut probe = Probe::default();
        let mut data =
            |bytes| probe.data(Half::Lo, Some(Half::Lo), Chunk { bytes, origin: Origin::default() });
        assert!(matches!(data(b"P").next, Next::Continue));
        let post = data(b"OST / HTTP/1.1\r\n");
        assert!(matches!(post.next, Next::Switch { to: Protocol::Http, consumed: 0 }));
        assert_eq!((post.preface, post.held.len(), post.client), (None, 1, Some(Half::Lo)));
    }

    #[test]
    fn two_segments_of_frames_make_a_session_from_before_the_capture() {
        let mut probe = Probe::default();
        let chunk = |bytes| Chunk { bytes, origin: Origin::default() };
        let one = probe.data(Half::Lo, None, chunk(&b"\x81\x02hi"[..]));
        assert!(matches!(one.next, Next::Continue));
        let noise = probe.data(Half::Lo, None, chunk(&b"....."[..]));
        assert!(matches!(noise.next, Next::Continue));
        let other = probe.data(Half::Hi, None, chunk(&b"\x8a\x80\x01\x02\x03\x04"[..]));
        assert!(matches!(other.next, Next::Switch { to: Protocol::WebSocket(_), consumed: 0 }));
        assert_eq!((other.client, other.held.len()), (Some(Half::Hi), 2));
    }
}
