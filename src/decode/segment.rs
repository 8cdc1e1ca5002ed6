//! A TCP segment, reduced to what reassembly needs.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::units::{Endpoint, Origin};

/// One TCP segment. The payload is borrowed from the block.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The connection that it belongs to, whichever way it goes.
    pub flow: FlowKey,
    /// Which of the connection's two halves it is part of.
    pub half: Half,
    /// The sequence number as it stands in the header (RFC 9293 section 3.1).
    pub sequence: u32,
    /// The acknowledgment number; it means something only with [`Flags::ACK`].
    pub acknowledgment: u32,
    /// The control bits.
    pub flags: Flags,
    /// What is left of the hops that the packet may take: the time to live of IPv4 (RFC 791 section 3.1), the hop
    /// limit of IPv6 (RFC 8200 section 3).
    pub hop_limit: u8,
    /// The identification of the IPv4 packet (RFC 791 section 3.1); 0 if it has none.
    pub identification: u16,
    /// The window as it stands in the header, unscaled (RFC 9293 section 3.1).
    pub window: u16,
    /// The TCP header with its options, as far as it was captured.
    pub header: &'a [u8],
    /// The payload as far as it was captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire; more than `payload` if a snap length cut the packet.
    pub payload_length: u32,
    /// The packet.
    pub origin: Origin,
}

impl Segment<'_> {
    /// Whether its sender takes no more bytes: a window of 0 (RFC 9293 section 3.1). That of a RST says nothing.
    #[inline]
    #[must_use]
    pub const fn closes_window(&self) -> bool {
        self.window == 0 && !self.flags.has(Flags::RST)
    }

    /// How much of the sequence space it takes: the payload, and one each for SYN and FIN.
    #[must_use]
    pub fn sequence_length(&self) -> u32 {
        self.payload_length
            .wrapping_add(u32::from(self.flags.has(Flags::SYN)))
            .wrapping_add(u32::from(self.flags.has(Flags::FIN)))
    }
}

/// The control bits of a TCP header (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// The acknowledgment field is significant.
    pub const ACK: Self = Self(0x10);

    /// Whether any of `other`'s bits is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One direction of a connection, named by its sender: the lower or the higher endpoint.
///
/// Below HTTP nobody knows who is the client; above it, it is `Role` that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Half {
    /// Sent by the endpoint that sorts first.
    Lo,
    /// Sent by the endpoint that sorts last.
    Hi,
}

impl Half {
    /// The other direction.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Lo => Self::Hi,
            Self::Hi => Self::Lo,
        }
    }
}

/// The two endpoints of a connection in a fixed order, so that both directions have one key.
///
/// Five words: for IPv4 address and port of each endpoint share a word and the rest is zero, so that
/// comparing and hashing stay short.
#[derive(Clone, Copy, Debug, Eq)]
pub struct FlowKey {
    words: [u64; 5],
}

impl PartialEq for FlowKey {
    /// Word by word without a branch: what is derived calls the C library for 40 bytes.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl FlowKey {
    /// The key of no connection: no packet has it.
    pub const NONE: Self = Self { words: [u64::MAX; 5] };

    /// The key of a segment between two IPv4 endpoints, and the half it belongs to.
    #[inline]
    #[must_use]
    pub fn ipv4(source: ([u8; 4], u16), destination: ([u8; 4], u16)) -> (Self, Half) {
        let word =
            |(address, port): ([u8; 4], u16)| u64::from(u32::from_be_bytes(address)) << 16 | u64::from(port);
        let (source, destination) = (word(source), word(destination));
        if source <= destination {
            (Self { words: [source, destination, 0, 0, FAMILY_IPV4] }, Half::Lo)
        } else {
            (Self { words: [destination, source, 0, 0, FAMILY_IPV4] }, Half::Hi)
        }
    }

    /// The key of a segment between two IPv6 endpoints, and the half it belongs to.
    #[must_use]
    pub fn ipv6(source: ([u8; 16], u16), destination: ([u8; 16], u16)) -> (Self, Half) {
        let number = |address: [u8; 16]| u128::from_be_bytes(address);
        let (from, to) = ((number(source.0), source.1), (number(destination.0), destination.1));
        let (lo, hi, half) = if from <= to { (from, to, Half::Lo) } else { (to, from, Half::Hi) };
        let ports = u64::from(lo.1) << 16 | u64::from(hi.1);
        let [lo_first, lo_last] = split(lo.0);
        let [hi_first, hi_last] = split(hi.0);
        (Self { words: [lo_first, lo_last, hi_first, hi_last, FAMILY_IPV6 | ports] }, half)
    }

    /// Whether the endpoints have IPv6 addresses.
    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        let [.., last] = self.words;
        last & FAMILY == FAMILY_IPV6
    }

    /// The key of what a point of capture shows between the same endpoints, where that is a connection of its own:
    /// somebody between the points speaks for himself.
    #[must_use]
    pub const fn at_point(self, point: u8) -> Self {
        let [first, second, third, fourth, last] = self.words;
        Self { words: [first, second, third, fourth, last | (point as u64 + 1) << POINT_SHIFT] }
    }

    /// The key without the point.
    #[must_use]
    pub const fn anywhere(self) -> Self {
        let [first, second, third, fourth, last] = self.words;
        Self { words: [first, second, third, fourth, last & ((1 << POINT_SHIFT) - 1)] }
    }

    /// The point of capture that alone shows it, if [`Self::at_point`] made it.
    #[must_use]
    pub const fn point(&self) -> Option<u8> {
        let [.., last] = self.words;
        match low_u16(last >> POINT_SHIFT).to_le_bytes() {
            [0, 0] => None,
            [point, _] => Some(point.wrapping_sub(1)),
        }
    }

    /// The endpoint that sends a half.
    #[must_use]
    pub fn endpoint(&self, half: Half) -> Endpoint {
        let [first, second, third, fourth, last] = self.words;
        if !self.is_ipv6() {
            let word = if half == Half::Lo { first } else { second };
            let address = Ipv4Addr::from_bits(low_u32(word >> 16));
            return Endpoint { address: IpAddr::V4(address), port: low_u16(word) };
        }
        let (address, port) = match half {
            Half::Lo => ((first, second), low_u16(last >> 16)),
            Half::Hi => ((third, fourth), low_u16(last)),
        };
        let address = Ipv6Addr::from_bits(u128::from(address.0) << 64 | u128::from(address.1));
        Endpoint { address: IpAddr::V6(address), port }
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, second, third, fourth, last] = self.words;
        let both = |low: u64, high: u64| u128::from(low) | u128::from(high) << 64;
        state.write_u128(both(first, second));
        if last != FAMILY_IPV4 {
            state.write_u128(both(third, fourth));
            state.write_u64(last);
        }
    }
}

/// Stands in the last word beside zero ports, which no IPv6 key can be mistaken for.
const FAMILY_IPV4: u64 = 4 << 32;
const FAMILY_IPV6: u64 = 6 << 32;
const FAMILY: u64 = 0xFFFF << 32;
/// Above the family, 0 if a connection is the same wherever it is seen.
const POINT_SHIFT: u32 = 48;

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn low_u32(word: u64) -> u32 {
    word as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
const fn low_u16(word: u64) -> u16 {
    word as u16
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn split(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_share_a_key_and_differ_in_half() {
        let (a, b) = (([10, 0, 0, 1], 80), ([10, 0, 0, 1], 50_000));
        let (there, half) = FlowKey::ipv4(a, b);
        let (back, other) = FlowKey::ipv4(b, a);
        assert_eq!(there, back);
        assert_eq!((half, other), (Half::Lo, Half::Hi));
        assert_eq!(there.endpoint(Half::Lo).to_string(), "10.0.0.1:80");
        assert_eq!(there.endpoint(Half::Hi).to_string(), "10.0.0.1:50000");
    }

    #[test]
    fn ipv6_endpoints_come_back() {
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
        let (key, half) = FlowKey::ipv6((address("fd77::2"), 443), (address("fd77::1"), 65535));
        assert_eq!(half, Half::Hi);
        assert_eq!(key.endpoint(Half::Lo).to_string(), "[fd77::1]:65535");
        assert_eq!(key.endpoint(Half::Hi).to_string(), "[fd77::2]:443");
    }

    #[test]
    fn a_connection_of_one_point_has_the_same_endpoints() {
        let (four, _) = FlowKey::ipv4(([10, 0, 0, 1], 80), ([10, 0, 0, 2], 50_000));
        let (six, _) = FlowKey::ipv6(([1; 16], 80), ([2; 16], 50_000));
        for key in [four, six] {
            let (here, there) = (key.at_point(0), key.at_point(250));
            assert!(key != here && here != there);
            assert_eq!((key.point(), here.point(), there.point()), (None, Some(0), Some(250)));
            assert!(key.anywhere() == key && there.anywhere() == key);
            for half in [Half::Lo, Half::Hi] {
                assert_eq!(
                    (here.endpoint(half), there.endpoint(half)),
                    (key.endpoint(half), key.endpoint(half))
                );
            }
            assert_eq!(there.is_ipv6(), key.is_ipv6());
        }
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_another_flow() {
        let mapped = |last: u8| Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped().octets();
        let (four, _) = FlowKey::ipv4(([10, 0, 0, 1], 1), ([10, 0, 0, 2], 2));
        let (six, _) = FlowKey::ipv6((mapped(1), 1), (mapped(2), 2));
        assert_ne!(four, six);
    }
}
