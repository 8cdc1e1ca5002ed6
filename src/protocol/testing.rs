//! Conversations for tests: what each side sends, whole or in pieces, through a stack.

use super::{Attempt, Context, Role, Stack, StreamFacts};
use crate::decode::Half;
use crate::tcp::{Chunk, Opened, Opening, Receiver};
use crate::units::{Origin, PacketNumber, Timestamp};

/// Something that happens on a connection. The client is [`Half::Lo`].
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Sent(Role, Vec<u8>),
    Lost(Role, u64),
}

/// The client sends bytes.
pub(crate) fn client(bytes: impl AsRef<[u8]>) -> Event {
    Event::Sent(Role::Client, bytes.as_ref().to_vec())
}

/// The server sends bytes.
pub(crate) fn server(bytes: impl AsRef<[u8]>) -> Event {
    Event::Sent(Role::Server, bytes.as_ref().to_vec())
}

/// What is seen of a connection from its SYN on, each event in one segment.
pub(crate) fn told(events: &[Event]) -> StreamFacts {
    in_pieces(events, Some(Half::Lo), |_, bytes| vec![bytes])
}

/// What is seen of a connection that is joined in the middle.
pub(crate) fn told_midstream(events: &[Event]) -> StreamFacts {
    in_pieces(events, None, |_, bytes| vec![bytes])
}

/// The same, and that it is the same with any event in two segments, and with all in segments of a byte.
pub(crate) fn same_at_every_cut(events: &[Event]) -> StreamFacts {
    same_at_every_cut_for(frames_wanted, events)
}

/// The same, for whoever wants something else.
pub(crate) fn same_at_every_cut_for(wanted: fn() -> Context, events: &[Event]) -> StreamFacts {
    let whole = in_pieces_for(wanted(), events, Some(Half::Lo), |_, bytes| vec![bytes]);
    let expected = format!("{whole:?}");
    let bytes = in_pieces_for(wanted(), events, Some(Half::Lo), |_, bytes| bytes.chunks(1).collect());
    assert_eq!(format!("{bytes:?}"), expected, "each byte alone");
    for (cut_event, event) in events.iter().enumerate() {
        let Event::Sent(_, bytes) = event else { continue };
        for cut in 1..bytes.len() {
            let found = in_pieces_for(wanted(), events, Some(Half::Lo), |at, bytes| {
                if at == cut_event { vec![&bytes[..cut], &bytes[cut..]] } else { vec![bytes] }
            });
            assert_eq!(format!("{found:?}"), expected, "event {cut_event} cut at {cut}");
        }
    }
    whole
}

/// Events, each in the pieces that `cut` makes of it. All pieces of an event come in one packet, so that facts can
/// be compared with their packets; each event is a millisecond after the one before it.
pub(crate) fn in_pieces(
    events: &[Event],
    opener: Option<Half>,
    cut: impl for<'a> Fn(usize, &'a [u8]) -> Vec<&'a [u8]>,
) -> StreamFacts {
    in_pieces_for(frames_wanted(), events, opener, cut)
}

/// The same, for whoever wants something else.
pub(crate) fn in_pieces_for(
    mut context: Context,
    events: &[Event],
    opener: Option<Half>,
    cut: impl for<'a> Fn(usize, &'a [u8]) -> Vec<&'a [u8]>,
) -> StreamFacts {
    feed(&mut context, events, opener, cut)
}

/// The same, with what all connections share.
pub(crate) fn feed(
    context: &mut Context,
    events: &[Event],
    opener: Option<Half>,
    cut: impl for<'a> Fn(usize, &'a [u8]) -> Vec<&'a [u8]>,
) -> StreamFacts {
    begun(context, events, opener, cut).finish(context)
}

/// A connection that goes on after these events.
pub(crate) fn begun(
    context: &mut Context,
    events: &[Event],
    opener: Option<Half>,
    cut: impl for<'a> Fn(usize, &'a [u8]) -> Vec<&'a [u8]>,
) -> Stack {
    let opening = Opening {
        first: Origin::default(),
        opened: if opener.is_some() { Opened::Handshake } else { Opened::Midstream },
        opener,
        connect: None,
    };
    let mut stack = Stack::open(context, &opening);
    let half = |role| if role == Role::Client { Half::Lo } else { Half::Hi };
    for (at, event) in events.iter().enumerate() {
        let millis = i64::try_from(at).unwrap();
        let origin = Origin {
            packet: PacketNumber(at as u64 + 1),
            time: Timestamp::from_nanos(millis * 1_000_000),
            file_offset: 0,
        };
        match event {
            Event::Sent(role, bytes) => {
                for bytes in cut(at, bytes) {
                    stack.data(context, half(*role), Chunk { bytes, origin });
                }
            }
            Event::Lost(role, length) => stack.gap(context, half(*role), *length, origin),
        }
    }
    stack
}

/// For somebody who wants heads and frames.
fn frames_wanted() -> Context {
    Context::new(true, true)
}

/// The status of each attempt's answer.
pub(crate) fn statuses(facts: &StreamFacts) -> Vec<Option<u16>> {
    facts.attempts.iter().map(|attempt| attempt.response.as_ref().map(|response| response.status)).collect()
}

/// The only attempt.
pub(crate) fn only(facts: StreamFacts) -> Attempt {
    assert_eq!(facts.attempts.len(), 1, "{facts:?}");
    facts.attempts.into_iter().next().unwrap()
}

/// A frame with its length written in the shortest way.
pub(crate) fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mask = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(mask | u8::try_from(short).unwrap()),
        long @ 126..65536 => {
            bytes.push(mask | 0x7e);
            bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
        longest => {
            bytes.push(mask | 0x7f);
            bytes.extend((longest as u64).to_be_bytes());
        }
    }
    bytes.extend(key.unwrap_or_default().iter().take(if key.is_some() { 4 } else { 0 }));
    bytes.extend(payload.iter().zip(key.unwrap_or_default().iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// An upgrade request that asks for nothing special: RFC 6455 section 1.3's own key.
pub(crate) const REQUEST: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The answer to it.
pub(crate) const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A masking key.
pub(crate) const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);
