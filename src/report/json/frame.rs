//! The line of a frame.
//!
//! There may be millions of them, so that this one is put together by hand: ten times faster than through
//! serde. Nothing in it comes from the network but numbers.

use super::place::PlaceView;
use super::time::Clock;
use super::{digits, escapes};
use crate::protocol::{FrameRecord, Opcode, Role};
use crate::units::PacketNumber;

/// Writes the lines of frames, session by session.
pub(super) struct FrameLines {
    /// What all lines of the session begin with.
    start: Vec<u8>,
    /// What stands between the time and the length, by [`kind`]; empty as long as nobody asked for it.
    kinds: Vec<Vec<u8>>,
}

impl FrameLines {
    /// To write some; the first session is to be named before.
    pub(super) fn new() -> Self {
        Self { start: Vec::new(), kinds: vec![Vec::new(); KINDS] }
    }

    /// From here on those of the attempt at place `attempt` of a connection.
    pub(super) fn begin(&mut self, connection: PacketNumber, attempt: usize) {
        let start =
            format!(r#"{{"type":"frame","connection":{},"attempt":{attempt},"packet":"#, connection.0);
        self.start = start.into_bytes();
    }

    /// Appends the line of a frame.
    pub(super) fn push(
        &mut self,
        frame: &FrameRecord,
        place: Option<PlaceView<'_>>,
        clock: &mut Clock,
        line: &mut Vec<u8>,
    ) {
        line.extend_from_slice(&self.start);
        digits::push(frame.packet.0, line);
        if let Some(PlaceView { file, packet }) = place {
            line.extend_from_slice(br#","packet_in_file":{"file":"#);
            escapes::push(&file, line);
            line.extend_from_slice(br#","packet":"#);
            digits::push(packet, line);
            line.push(b'}');
        }
        line.extend_from_slice(br#","time":""#);
        line.extend_from_slice(clock.text(frame.time).as_bytes());
        if let Some(text) = self.kinds.get_mut(kind(frame)) {
            if text.is_empty() {
                *text = between_time_and_length(frame);
            }
            line.extend_from_slice(text);
        }
        digits::push(frame.length, line);
        line.extend_from_slice(b"}\n");
    }
}

/// A number for all that a frame has beside packet, time and length: there are so many [`KINDS`].
fn kind(frame: &FrameRecord) -> usize {
    let FrameRecord { by, opcode, fin, rsv, masked, .. } = *frame;
    let flags = usize::from(by == Role::Client) << 2 | usize::from(fin) << 1 | usize::from(masked);
    flags << 7 | usize::from(rsv & 0x7) << 4 | usize::from(opcode.0 & 0xf)
}

fn between_time_and_length(frame: &FrameRecord) -> Vec<u8> {
    let FrameRecord { by, opcode, fin, rsv, masked, .. } = *frame;
    let (by, opcode) = (by.name(), opcode_name(opcode));
    format!(r#"","by":"{by}","opcode":"{opcode}","fin":{fin},"rsv":{rsv},"masked":{masked},"length":"#)
        .into_bytes()
}

/// RFC 6455 section 11.8; what has no meaning is told as a number.
pub(super) fn opcode_name(opcode: Opcode) -> &'static str {
    OPCODES.get(usize::from(opcode.0)).copied().unwrap_or_default()
}

/// Who sent it, its opcode, whether it is the last, three reserved bits, whether it is masked.
const KINDS: usize = 2 * 16 * 2 * 8 * 2;

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
    use serde::Serialize;

    use super::*;
    use crate::report::json::time::TimeText;
    use crate::units::Timestamp;

    /// The line as serde makes it.
    #[derive(Serialize)]
    #[serde(tag = "type", rename = "frame")]
    struct FrameLine<'a> {
        connection: u64,
        attempt: usize,
        packet: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        packet_in_file: Option<PlaceView<'a>>,
        time: TimeText,
        by: &'static str,
        opcode: &'static str,
        fin: bool,
        rsv: u8,
        masked: bool,
        length: u64,
    }

    /// Frames of all kinds, in an order in which neighbours differ in one thing or in several.
    fn frames() -> impl Iterator<Item = FrameRecord> {
        let numbers = [0, 1, 9, 10, 125, 126, 999, 1_000, 65_535, 1_000_000, u64::from(u32::MAX), u64::MAX];
        let times = [0, 1, -1, 1_795_459_723_636_962_000, 1_795_459_723_999_999_999, i64::MAX, i64::MIN];
        (0..6_000_u64).map(move |n| {
            let pick = |of: u64| usize::try_from(n / of).unwrap();
            FrameRecord {
                packet: PacketNumber(numbers[pick(3) % numbers.len()]),
                time: Timestamp::from_nanos(times[pick(5) % times.len()]),
                length: numbers[pick(1) % numbers.len()],
                by: if n % 7 < 3 { Role::Client } else { Role::Server },
                opcode: Opcode(u8::try_from(n / 11 % 16).unwrap()),
                fin: n / 13 % 2 == 0,
                rsv: u8::try_from(n / 29 % 8).unwrap(),
                masked: n / 17 % 2 == 0,
            }
        })
    }

    #[test]
    fn a_line_is_what_serde_makes_of_it() {
        let (mut clock, mut other) = (Clock::default(), Clock::default());
        let mut lines = FrameLines::new();
        lines.begin(PacketNumber(u64::MAX), 3);
        let names = ["a.pcap", "/tmp/Grüße \"quoted\"\u{1b}[2J\u{202e}.pcap"];
        for (n, frame) in frames().enumerate() {
            let place = names.get(n % 3).map(|file| PlaceView { file, packet: frame.packet.0 / 2 });
            let mut line = b"before\n".to_vec();
            lines.push(&frame, place, &mut clock, &mut line);
            let mut expected = b"before\n".to_vec();
            let frame = FrameLine {
                connection: u64::MAX,
                attempt: 3,
                packet: frame.packet.0,
                packet_in_file: place,
                time: other.text(frame.time),
                by: frame.by.name(),
                opcode: opcode_name(frame.opcode),
                fin: frame.fin,
                rsv: frame.rsv,
                masked: frame.masked,
                length: frame.length,
            };
            escapes::push(&frame, &mut expected);
            expected.push(b'\n');
            assert_eq!(String::from_utf8(line).unwrap(), String::from_utf8(expected).unwrap());
        }
    }
}
