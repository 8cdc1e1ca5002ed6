//! Frame headers: RFC 6455 section 5.2.
//!
//! Whatever the bits say is returned; what is wrong with it is told beside it and judged elsewhere.

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The last frame of its message.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as the bits 4, 2 and 1.
    pub rsv: u8,
    /// What kind of frame it is.
    pub opcode: Opcode,
    /// The masking key, if the mask bit is set.
    pub masking_key: Option<[u8; 4]>,
    /// The payload's length in bytes.
    pub length: u64,
    /// Whether the shortest of the three ways to write the length was used, as it must be.
    pub length_is_minimal: bool,
}

/// What kind of frame it is: four bits (RFC 6455 section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A further fragment of a message.
    pub const CONTINUATION: Self = Self(0x0);
    /// A text message, or its first fragment.
    pub const TEXT: Self = Self(0x1);
    /// A binary message, or its first fragment.
    pub const BINARY: Self = Self(0x2);
    /// The closing handshake.
    pub const CLOSE: Self = Self(0x8);
    /// A ping.
    pub const PING: Self = Self(0x9);
    /// A pong.
    pub const PONG: Self = Self(0xA);

    /// Whether it is a control frame: RFC 6455 section 5.5 gives the most significant bit that meaning.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & 0x8 != 0
    }

    /// Whether RFC 6455 gives it a meaning.
    #[must_use]
    pub const fn is_defined(self) -> bool {
        matches!(self.0, 0x0..=0x2 | 0x8..=0xA)
    }
}

impl FrameHeader {
    /// The longest header there is: two bytes, a 64-bit length, a masking key.
    pub const MAX_BYTES: usize = 14;

    /// Reads a header from the front of `bytes`: the header and its own length, or `None` if there are too
    /// few bytes.
    #[must_use]
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        let short = u64::from(second & 0x7f);
        let (length, length_is_minimal, rest) = match short {
            126 => {
                let (long, rest) = rest.split_first_chunk::<2>()?;
                let length = u64::from(u16::from_be_bytes(*long));
                (length, length >= 126, rest)
            }
            127 => {
                let (long, rest) = rest.split_first_chunk::<8>()?;
                let length = u64::from_be_bytes(*long);
                (length, length > u64::from(u16::MAX), rest)
            }
            short => (short, true, rest),
        };
        let (masking_key, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let (key, rest) = rest.split_first_chunk::<4>()?;
            (Some(*key), rest)
        };
        let header = Self {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 0x7,
            opcode: Opcode(first & 0xf),
            masking_key,
            length,
            length_is_minimal,
        };
        Some((header, bytes.len().saturating_sub(rest.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6455 section 5.7.
    #[test]
    fn the_examples_of_the_rfc() {
        let check = |bytes: &[u8], fin, opcode, masking_key, length, header_length| {
            let (header, parsed) = FrameHeader::parse(bytes).unwrap();
            let expected = FrameHeader { fin, rsv: 0, opcode, masking_key, length, length_is_minimal: true };
            assert_eq!((header, parsed), (expected, header_length));
        };
        check(b"\x81\x05Hello", true, Opcode::TEXT, None, 5, 2);
        check(b"\x81\x85\x37\xfa\x21\x3d\x7f", true, Opcode::TEXT, Some([0x37, 0xfa, 0x21, 0x3d]), 5, 6);
        check(b"\x01\x03Hel", false, Opcode::TEXT, None, 3, 2);
        check(b"\x80\x02lo", true, Opcode::CONTINUATION, None, 2, 2);
        check(b"\x89\x05Hello", true, Opcode::PING, None, 5, 2);
        check(b"\x82\x7e\x01\x00", true, Opcode::BINARY, None, 256, 4);
        check(b"\x82\x7f\0\0\0\0\0\x01\0\0", true, Opcode::BINARY, None, 65_536, 10);
    }

    #[test]
    fn every_cut_is_too_short() {
        let longest = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04";
        assert_eq!(longest.len(), FrameHeader::MAX_BYTES);
        for cut in 0..longest.len() {
            assert_eq!(FrameHeader::parse(&longest[..cut]), None);
        }
        let (header, _) = FrameHeader::parse(longest).unwrap();
        assert_eq!((header.rsv, header.opcode.0, header.length), (7, 15, u64::MAX));
    }

    #[test]
    fn a_length_that_could_be_shorter_is_noticed() {
        assert!(!FrameHeader::parse(b"\x82\x7e\0\x7d").unwrap().0.length_is_minimal);
        assert!(!FrameHeader::parse(b"\x82\x7f\0\0\0\0\0\0\xff\xff").unwrap().0.length_is_minimal);
        assert!(FrameHeader::parse(b"\x82\x7e\0\x7e").unwrap().0.length_is_minimal);
    }
}
