//! Any bytes of both sides after a `ClientHello`: without gaps the pieces in which they come make no difference.

#![no_main]

use conversation::{Event, read};
use libfuzzer_sys::fuzz_target;

mod conversation;

const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\0\x04\x01\0\0\0";

fuzz_target!(|input: (Vec<Event<'_>>, u8)| {
    let (events, piece) = input;
    let hello = [Event::Client(CLIENT_HELLO)];
    let in_pieces = read(&hello, &events, usize::from(piece), false);
    let has_gaps = events.iter().any(|event| matches!(event, Event::ClientLost(_) | Event::ServerLost(_)));
    if !has_gaps {
        let whole = read(&hello, &events, usize::MAX, false);
        assert_eq!(format!("{in_pieces:?}"), format!("{whole:?}"));
    }
});
