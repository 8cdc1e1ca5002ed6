//! The line of a frame.
//!
//! There may be millions of them, so that this one is put together by hand: five times faster than through
//! serde. Nothing in it comes from the network but numbers.

use super::escapes;
use super::place::PlaceView;
use super::time::Clock;
use crate::protocol::{FrameRecord, Opcode};
use crate::units::PacketNumber;

/// Writes the lines of one session's frames.
pub(super) struct FrameLines {
    /// What all lines of the session begin with.
    start: Vec<u8>,
}

impl FrameLines {
    /// For the attempt at place `attempt` of a connection.
    pub(super) fn new(connection: PacketNumber, attempt: usize) -> Self {
        let start =
            format!(r#"{{"type":"frame","connection":{},"attempt":{attempt},"packet":"#, connection.0);
        Self { start: start.into_bytes() }
    }

    /// Appends the line of a frame.
    pub(super) fn push(
        &self,
        frame: &FrameRecord,
        place: Option<PlaceView<'_>>,
        clock: &mut Clock,
        line: &mut Vec<u8>,
    ) {
        line.extend_from_slice(&self.start);
        push_number(frame.packet.0, line);
        if let Some(PlaceView { file, packet }) = place {
            line.extend_from_slice(br#","packet_in_file":{"file":"#);
            escapes::push(&file, line);
            line.extend_from_slice(br#","packet":"#);
            push_number(packet, line);
            line.push(b'}');
        }
        line.extend_from_slice(br#","time":""#);
        line.extend_from_slice(clock.text(frame.time).as_bytes());
        line.extend_from_slice(br#"","by":""#);
        line.extend_from_slice(frame.by.name().as_bytes());
        line.extend_from_slice(br#"","opcode":""#);
        line.extend_from_slice(opcode_name(frame.opcode).as_bytes());
        line.extend_from_slice(br#"","fin":"#);
        line.extend_from_slice(truth(frame.fin));
        line.extend_from_slice(br#","rsv":"#);
        push_number(u64::from(frame.rsv), line);
        line.extend_from_slice(br#","masked":"#);
        line.extend_from_slice(truth(frame.masked));
        line.extend_from_slice(br#","length":"#);
        push_number(frame.length, line);
        line.extend_from_slice(b"}\n");
    }
}

/// RFC 6455 section 11.8; what has no meaning is told as a number.
pub(super) fn opcode_name(opcode: Opcode) -> &'static str {
    OPCODES.get(usize::from(opcode.0)).copied().unwrap_or_default()
}

const fn truth(truth: bool) -> &'static [u8] {
    if truth { b"true" } else { b"false" }
}

fn push_number(mut number: u64, line: &mut Vec<u8>) {
    let mut digits = [b'0'; MAX_DIGITS];
    let mut used = 0_usize;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' | u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        used = used.saturating_add(1);
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(digits.get(MAX_DIGITS.saturating_sub(used)..).unwrap_or_default());
}

/// Of the largest number of 64 bits.
const MAX_DIGITS: usize = 20;

const OPCODES: [&str; 16] = [
    "continuation",
    "text",
    "binary",
    "0x3",
    "0x4",
    "0x5",
    "0x6",
    "0x7",
    "close",
    "ping",
    "pong",
    "0xb",
    "0xc",
    "0xd",
    "0xe",
    "0xf",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Role;
    use crate::units::Timestamp;

    #[test]
    fn a_line_is_json() {
        let frame = FrameRecord {
            packet: PacketNumber(22),
            time: Timestamp::from_nanos(1_000_000_005),
            length: u64::MAX,
            by: Role::Client,
            opcode: Opcode(0x3),
            fin: true,
            rsv: 4,
            masked: false,
        };
        let mut line = Vec::new();
        FrameLines::new(PacketNumber(1), 0).push(&frame, None, &mut Clock::default(), &mut line);
        assert_eq!(
            String::from_utf8(line.clone()).unwrap(),
            "{\"type\":\"frame\",\"connection\":1,\"attempt\":0,\"packet\":22,\
             \"time\":\"1970-01-01T00:00:01.000000005Z\",\"by\":\"client\",\"opcode\":\"0x3\",\"fin\":true,\
             \"rsv\":4,\"masked\":false,\"length\":18446744073709551615}\n"
        );
        serde_json::from_slice::<serde_json::Value>(&line).unwrap();
    }

    #[test]
    fn numbers_have_their_digits() {
        for number in [0, 9, 10, 12_345, u64::MAX] {
            let mut digits = Vec::new();
            push_number(number, &mut digits);
            assert_eq!(String::from_utf8(digits).unwrap(), number.to_string());
        }
    }
}
