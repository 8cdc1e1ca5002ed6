//! Time, packet numbers and addresses: the small types that every room shares.
//!
//! Time is the capture's own. Nothing here reads a clock.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A moment of the capture: nanoseconds since 1970-01-01T00:00:00Z.
///
/// The range is that of `i64`: from 1677 to 2262. What a file says beyond it is clamped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest moment that can be told.
    pub const MIN: Self = Self(i64::MIN);

    /// The latest moment that can be told.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since 1970.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The moment that comes `span` later, clamped to the range.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// From whole seconds and nanoseconds within the second, clamped to the range.
    #[must_use]
    pub fn from_parts(seconds: i64, nanos: u32) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(i64::from(nanos)))
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; negative if the clock of the capture went back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// A length of time in nanoseconds; negative where a capture's clock went back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

impl Span {
    /// From nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// In milliseconds, as the reports show it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact up to 104 days, and it is shown with three digits")]
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// The middle of sorted spans; of an even number, the mean of the two in the middle. None of none.
#[must_use]
pub fn median(sorted: &[Span]) -> Option<Span> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some(Span(lower.0.midpoint(upper.0)))
}

/// The number of a packet in its file, from 1, as Wireshark and tcpdump count.
///
/// Of several files that are read as one capture it is the number in the order of reading, which tells what came first.
/// For people it is turned into [`PacketNumber::in_file`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketNumber(pub u64);

impl PacketNumber {
    /// Packet `number` of file `file`, both counted from 1, as people look it up. It no longer tells what came first.
    #[must_use]
    pub const fn in_file(file: u16, number: u64) -> Self {
        Self((file as u64) << FILE_SHIFT | number & NUMBER)
    }

    /// The same for a packet of which nobody knows the file any more: its number in the order of reading.
    #[must_use]
    pub const fn in_some_file(number: u64) -> Self {
        Self::in_file(SOME_FILE, number)
    }

    /// The file of [`Self::in_file`], from 1, and the number; none of a plain number.
    #[must_use]
    pub const fn place(self) -> Option<(u16, u64)> {
        match self.0 >> FILE_SHIFT {
            0 => None,
            file => {
                let [low, high, ..] = file.to_le_bytes();
                Some((u16::from_le_bytes([low, high]), self.0 & NUMBER))
            }
        }
    }

    /// As people name it in a table of numbers: `12`, or `2:12` for packet 12 of the second file.
    #[must_use]
    pub fn plain(self) -> String {
        let number = self.0 & NUMBER;
        match self.0 >> FILE_SHIFT {
            0 => number.to_string(),
            file if file == u64::from(SOME_FILE) => format!("?:{number}"),
            file => format!("{file}:{number}"),
        }
    }
}

impl fmt::Display for PacketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.plain())
    }
}

/// The file stands in the upper bits; no capture has so many packets.
const FILE_SHIFT: u32 = 48;
const NUMBER: u64 = (1 << FILE_SHIFT) - 1;
const SOME_FILE: u16 = u16::MAX;

/// Where a piece of evidence comes from: the packet, its time, and where it lies in the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The packet.
    pub packet: PacketNumber,
    /// When it was captured.
    pub time: Timestamp,
    /// Where the packet's bytes start in the (decompressed) capture file.
    pub file_offset: u64,
}

/// An address and a port. Shown as `10.77.1.2:80` or `[fd77::1]:80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_beyond_the_range_are_clamped() {
        assert_eq!(Timestamp::from_parts(i64::MAX, 5).as_nanos(), i64::MAX);
        assert_eq!(Timestamp::MIN.since(Timestamp::from_nanos(1)).as_nanos(), i64::MIN);
    }

    #[test]
    fn the_median_of_an_even_number_is_in_between() {
        let spans = |millis: &[i64]| millis.iter().map(|ms| Span::from_millis(*ms)).collect::<Vec<_>>();
        assert_eq!(median(&spans(&[])), None);
        assert_eq!(median(&spans(&[1, 2, 9])), Some(Span::from_millis(2)));
        assert_eq!(median(&spans(&[1, 2, 4, 9])), Some(Span::from_millis(3)));
    }

    #[test]
    fn packets_of_several_files_are_named_by_file() {
        let names = [PacketNumber(12), PacketNumber::in_file(2, 12), PacketNumber::in_some_file(7)];
        assert_eq!(names.map(|name| name.to_string()), ["#12", "#2:12", "#?:7"]);
    }

    #[test]
    fn endpoints_bracket_ipv6() {
        let endpoint = Endpoint { address: "fd77::1".parse().unwrap(), port: 80 };
        assert_eq!(endpoint.to_string(), "[fd77::1]:80");
    }
}
