//! Any messages of both sides, in any pieces and with gaps.

#![no_main]

use conversation::{Event, read};
use libfuzzer_sys::fuzz_target;

mod conversation;

fuzz_target!(|input: (Vec<Event<'_>>, u16, bool)| {
    let (events, piece, joined) = input;
    read(&[], &events, usize::from(piece), joined);
});
