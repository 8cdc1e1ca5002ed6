//! Any bytes of both sides, decoded: after a handshake with and without permessage-deflate, or from the middle of a
//! session. Without gaps the pieces in which they come make no difference.

#![no_main]

use conversation::{Event, read_for};
use libfuzzer_sys::fuzz_target;
use wsinspect::protocol::{Context, MessagesWanted};

mod conversation;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const EXTENSIONS: [&str; 4] = [
    "",
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=9\r\n",
];

fuzz_target!(|input: (Vec<Event<'_>>, u8, u8)| {
    let (events, piece, extension) = input;
    let context = || Context::new(true, true).with_messages(MessagesWanted::default());
    let Some(extension) = EXTENSIONS.get(usize::from(extension)) else {
        read_for(context(), &[], &events, usize::from(piece), true);
        return;
    };
    let answer = [ANSWER, extension, "\r\n"].concat();
    let handshake = [Event::Client(REQUEST), Event::Server(answer.as_bytes())];
    let in_pieces = read_for(context(), &handshake, &events, usize::from(piece), false);
    let has_gaps = events.iter().any(|event| matches!(event, Event::ClientLost(_) | Event::ServerLost(_)));
    if !has_gaps {
        let whole = read_for(context(), &handshake, &events, usize::MAX, false);
        let (in_pieces, whole) = (format!("{in_pieces:?}"), format!("{whole:?}"));
        // See the target `frames`.
        let has_http = [&in_pieces, &whole].into_iter().any(|facts| facts.contains("HttpInTunnel"));
        assert!(has_http || in_pieces == whole, "{in_pieces}\n{whole}");
    }
});
