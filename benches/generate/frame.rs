//! WebSocket frames as bytes: header, masking key, masked payload (RFC 6455 section 5.2).

use crate::conversation::Role;
use crate::kit::Kit;

/// What a frame is, with its number on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    /// Goes on with a fragmented message.
    Continuation = 0x0,
    /// Starts a text message.
    Text = 0x1,
    /// Starts a binary message.
    Binary = 0x2,
    /// Starts the closing handshake.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xa,
}

/// Appends a frame's header and counts the frame; the masking key if `by` is the client.
pub(crate) fn header(
    output: &mut Vec<u8>,
    by: Role,
    opcode: Opcode,
    fin: bool,
    payload_bytes: u64,
    kit: &mut Kit,
) -> Option<[u8; 4]> {
    kit.truth.frame(by, opcode, fin, payload_bytes);
    let mask_bit = match by {
        Role::Client => 0x80,
        Role::Server => 0,
    };
    output.push(opcode as u8 | if fin { 0x80 } else { 0 });
    if let Ok(short @ 0..126) = u8::try_from(payload_bytes) {
        output.push(mask_bit | short);
    } else if let Ok(medium) = u16::try_from(payload_bytes) {
        output.push(mask_bit | 0x7e);
        output.extend_from_slice(&medium.to_be_bytes());
    } else {
        output.push(mask_bit | 0x7f);
        output.extend_from_slice(&payload_bytes.to_be_bytes());
    }
    if by == Role::Server {
        return None;
    }
    let key = kit.random.bytes();
    output.extend_from_slice(&key);
    Some(key)
}

/// Appends a whole frame and counts it.
pub(crate) fn whole(
    output: &mut Vec<u8>,
    by: Role,
    opcode: Opcode,
    fin: bool,
    payload: &[u8],
    kit: &mut Kit,
) {
    let key = header(output, by, opcode, fin, payload.len() as u64, kit);
    let start = output.len();
    output.extend_from_slice(payload);
    if let (Some(key), Some(copied)) = (key, output.get_mut(start..)) {
        mask(copied, key, 0);
    }
}

/// Appends a whole frame with RSV1, which says that the message is compressed (RFC 7692 section 6), and counts it.
pub(crate) fn compressed(
    output: &mut Vec<u8>,
    by: Role,
    opcode: Opcode,
    fin: bool,
    payload: &[u8],
    kit: &mut Kit,
) {
    let start = output.len();
    whole(output, by, opcode, fin, payload, kit);
    if let Some(first) = output.get_mut(start) {
        *first |= 0x40;
    }
}

/// Masks (or unmasks) bytes that start `offset` bytes into the payload.
pub(crate) fn mask(bytes: &mut [u8], mut key: [u8; 4], offset: u64) {
    key.rotate_left((offset & 3) as usize);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    let wide = u32::from_ne_bytes(key);
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}
