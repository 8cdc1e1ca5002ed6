//! Writes the blocks of a pcapng file, little-endian, with times in nanoseconds.
//!
//! No I/O here: each function adds one whole block to the bytes that it is given.

use super::blocks::Kind;
use crate::capture::LinkType;
use crate::units::Timestamp;

/// An interface, as the file describes it (draft-ietf-opsawg-pcapng section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`; none if nobody knows it.
    pub name: Option<String>,
    /// The filter in tcpdump's language by which its packets were chosen.
    pub filter: Option<String>,
    /// What its packets start with.
    pub link: LinkType,
    /// The most bytes of a packet that were captured; 0 for no limit.
    pub snap_length: u32,
}

impl Interface {
    /// An interface of which nothing is known but what its packets start with.
    #[must_use]
    pub const fn of(link: LinkType) -> Self {
        Self { name: None, filter: None, link, snap_length: 0 }
    }
}

/// A packet that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// How many bytes it had on the wire; more than `captured` if a snap length cut it.
    pub original: u32,
    /// What was captured of it.
    pub captured: &'a [u8],
    /// What is to be said about it, each a text of its own. What does not fit into 64 KiB is cut off.
    pub comments: &'a [String],
}

/// What an interface counted, from when on and until when (draft-ietf-opsawg-pcapng section 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// When the capture began.
    pub start: Timestamp,
    /// When these numbers were asked for.
    pub end: Timestamp,
    /// Packets that the interface received and the filter let through, dropped ones included.
    pub received: u64,
    /// Packets dropped by the interface or its driver.
    pub dropped_by_interface: u64,
    /// Packets dropped by the system since nobody read them in time.
    pub dropped_by_system: u64,
    /// Packets that reached the program.
    pub delivered: u64,
}

/// The header of a section; what is in a file before everything else.
pub(in crate::capture) fn section(out: &mut Vec<u8>, application: &str) {
    block(out, Kind::SECTION, |out| {
        out.extend(BYTE_ORDER_MARK.to_le_bytes());
        // Version 1.0 (section 4.1).
        out.extend([1, 0, 0, 0]);
        // A length that is not known.
        out.extend([0xFF; 8]);
        option(out, OPTION_APPLICATION, application.as_bytes());
        end_of_options(out);
    });
}

/// The description of an interface whose ticks are nanoseconds, counted from `offset` seconds after 1970.
pub(in crate::capture) fn interface(out: &mut Vec<u8>, interface: &Interface, offset: i64) {
    block(out, Kind::INTERFACE, |out| {
        out.extend(interface.link.0.to_le_bytes());
        out.extend([0; 2]);
        out.extend(interface.snap_length.to_le_bytes());
        if let Some(name) = &interface.name {
            option(out, OPTION_NAME, name.as_bytes());
        }
        if let Some(filter) = &interface.filter {
            // The first byte says that the language is libpcap's.
            option(out, OPTION_FILTER, format!("\0{filter}").as_bytes());
        }
        option(out, OPTION_RESOLUTION, &[9]);
        if offset != 0 {
            option(out, OPTION_OFFSET, &offset.to_le_bytes());
        }
        end_of_options(out);
    });
}

/// A packet, `ticks` after what its interface counts from.
pub(in crate::capture) fn packet(out: &mut Vec<u8>, interface: u32, ticks: u64, packet: &Packet<'_>) {
    block(out, Kind::ENHANCED, |out| {
        let captured = u32::try_from(packet.captured.len()).unwrap_or(u32::MAX);
        out.extend(interface.to_le_bytes());
        out.extend(high_and_low(ticks));
        out.extend(captured.to_le_bytes());
        out.extend(packet.original.max(captured).to_le_bytes());
        out.extend_from_slice(packet.captured);
        pad(out, packet.captured.len());
        for comment in packet.comments {
            option(out, OPTION_COMMENT, comment.as_bytes());
        }
        if !packet.comments.is_empty() {
            end_of_options(out);
        }
    });
}

/// What an interface counted; times are told as [`packet`] tells them.
pub(in crate::capture) fn statistics(out: &mut Vec<u8>, interface: u32, statistics: &Statistics) {
    let ticks = |time: Timestamp| u64::try_from(time.as_nanos()).unwrap_or(0);
    block(out, Kind::STATISTICS, |out| {
        out.extend(interface.to_le_bytes());
        out.extend(high_and_low(ticks(statistics.end)));
        option(out, OPTION_START, &high_and_low(ticks(statistics.start)));
        option(out, OPTION_END_TIME, &high_and_low(ticks(statistics.end)));
        let counters = [
            (OPTION_RECEIVED, statistics.received),
            (OPTION_INTERFACE_DROPS, statistics.dropped_by_interface),
            (OPTION_SYSTEM_DROPS, statistics.dropped_by_system),
            (OPTION_DELIVERED, statistics.delivered),
        ];
        for (code, counter) in counters {
            option(out, code, &counter.to_le_bytes());
        }
        end_of_options(out);
    });
}

/// A block: its kind, its length, its body, its length again (section 3.1). Every body ends on four bytes.
fn block(out: &mut Vec<u8>, kind: Kind, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.0.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let length = u32::try_from(out.len().saturating_sub(start).saturating_add(4)).unwrap_or(u32::MAX);
    let place = start.saturating_add(4)..start.saturating_add(8);
    if let Some(place) = out.get_mut(place) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    out.extend(length.to_le_bytes());
}

/// An option (section 3.5). Text that is too long for one is cut off before a character.
fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let (length, value) = match u16::try_from(value.len()) {
        Ok(length) => (length, value),
        Err(_) => cut(value),
    };
    out.extend(code.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend_from_slice(value);
    pad(out, value.len());
}

fn cut(value: &[u8]) -> (u16, &[u8]) {
    let is_start = |length: &u16| value.get(usize::from(*length)).is_some_and(|byte| byte & 0xC0 != 0x80);
    let length = (0..=u16::MAX).rev().take(4).find(is_start).unwrap_or(u16::MAX);
    (length, value.get(..usize::from(length)).unwrap_or_default())
}

fn end_of_options(out: &mut Vec<u8>) {
    out.extend([0; 4]);
}

/// Zeros behind so many bytes, up to a multiple of four.
fn pad(out: &mut Vec<u8>, length: usize) {
    out.resize(out.len().saturating_add(length.wrapping_neg() & 3), 0);
}

/// Times are two words, the high one first whatever the byte order.
fn high_and_low(ticks: u64) -> [u8; 8] {
    ticks.rotate_left(32).to_le_bytes()
}

const BYTE_ORDER_MARK: u32 = 0x1A2B_3C4D;

const OPTION_COMMENT: u16 = 1;

// Of a section.
const OPTION_APPLICATION: u16 = 4;

// Of an interface.
const OPTION_NAME: u16 = 2;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_FILTER: u16 = 11;
const OPTION_OFFSET: u16 = 14;

// Of statistics.
const OPTION_START: u16 = 2;
const OPTION_END_TIME: u16 = 3;
const OPTION_RECEIVED: u16 = 4;
const OPTION_INTERFACE_DROPS: u16 = 5;
const OPTION_SYSTEM_DROPS: u16 = 7;
const OPTION_DELIVERED: u16 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_what_the_draft_says() {
        let mut out = Vec::new();
        let comments = ["héllo".to_owned()];
        let time = Timestamp::from_nanos(0);
        let written = Packet { time, original: 9, captured: b"abcde", comments: &comments };
        packet(&mut out, 3, 0x0102_0304_0506_0708, &written);
        let expected = [
            &[6, 0, 0, 0, 56, 0, 0, 0, 3, 0, 0, 0][..],
            &[4, 3, 2, 1, 8, 7, 6, 5, 5, 0, 0, 0, 9, 0, 0, 0],
            b"abcde\0\0\0",
            &[1, 0, 6, 0],
            "héllo\0\0".as_bytes(),
            &[0, 0, 0, 0, 56, 0, 0, 0],
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn long_texts_are_cut_before_a_character() {
        for (text, kept) in [("é".repeat(40_000), 65_534), ("x".repeat(70_000), 65_535)] {
            let (length, value) = cut(text.as_bytes());
            assert_eq!((usize::from(length), value.len()), (kept, kept));
            assert!(std::str::from_utf8(value).is_ok());
        }
    }
}
