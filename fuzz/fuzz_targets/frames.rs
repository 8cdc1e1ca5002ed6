//! Any bytes of both sides after a handshake: without gaps the pieces in which they come make no difference.

#![no_main]

use conversation::{Event, read};
use libfuzzer_sys::fuzz_target;

mod conversation;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fuzz_target!(|input: (Vec<Event<'_>>, u8)| {
    let (events, piece) = input;
    let handshake = [Event::Client(REQUEST), Event::Server(ANSWER)];
    let in_pieces = read(&handshake, &events, usize::from(piece), false);
    let has_gaps = events.iter().any(|event| matches!(event, Event::ClientLost(_) | Event::ServerLost(_)));
    if !has_gaps {
        let whole = read(&handshake, &events, usize::MAX, false);
        let (in_pieces, whole) = (format!("{in_pieces:?}"), format!("{whole:?}"));
        // Behind HTTP where a frame is due the next frame is looked for at the starts of pieces, as after a gap.
        let has_http = [&in_pieces, &whole].into_iter().any(|facts| facts.contains("HttpInTunnel"));
        assert!(has_http || in_pieces == whole, "{in_pieces}\n{whole}");
    }
});
