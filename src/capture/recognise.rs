//! Tells by the first bytes what a file is.

use super::order::ByteOrder;

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The classic format.
    Pcap {
        /// Of its headers.
        order: ByteOrder,
        /// Whether times have nanoseconds; otherwise microseconds.
        nanoseconds: bool,
    },
    /// The next generation.
    Pcapng,
    /// Something compressed with gzip.
    Gzip,
}

/// What cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// What it is: `it is compressed with zstd`.
    pub(super) what: &'static str,
    /// What to do.
    pub(super) hint: &'static str,
}

/// Recognises a file by its first bytes, of which four must be there.
pub(super) fn recognise(head: &[u8]) -> Result<Kind, Foreign> {
    let Some(magic) = head.first_chunk::<4>() else {
        return Err(if head.is_empty() { EMPTY } else { TINY });
    };
    match magic {
        [0xA1, 0xB2, 0xC3, 0xD4] => Ok(Kind::Pcap { order: ByteOrder::Big, nanoseconds: false }),
        [0xD4, 0xC3, 0xB2, 0xA1] => Ok(Kind::Pcap { order: ByteOrder::Little, nanoseconds: false }),
        [0xA1, 0xB2, 0x3C, 0x4D] => Ok(Kind::Pcap { order: ByteOrder::Big, nanoseconds: true }),
        [0x4D, 0x3C, 0xB2, 0xA1] => Ok(Kind::Pcap { order: ByteOrder::Little, nanoseconds: true }),
        [0x0A, 0x0D, 0x0D, 0x0A] => Ok(Kind::Pcapng),
        [0x1F, 0x8B, ..] => Ok(Kind::Gzip),
        _ => Err(foreign(head)),
    }
}

fn foreign(head: &[u8]) -> Foreign {
    if let Some((_, foreign)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
        *foreign
    } else if is_text(head) {
        TEXT
    } else {
        UNKNOWN
    }
}

/// Whether this is the beginning of a text: UTF-8 without control characters other than white space.
fn is_text(head: &[u8]) -> bool {
    let head = head.get(..TEXT_LOOKED_AT).unwrap_or(head);
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character that is cut at the end is no objection.
        Err(error) if error.error_len().is_none() => head
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
        Err(_) => return false,
    };
    !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace())
}

const TEXT_LOOKED_AT: usize = 512;

const EMPTY: Foreign = Foreign { what: "it is empty", hint: CAPTURE };

const TINY: Foreign = Foreign { what: "it ends inside its first four bytes", hint: CAPTURE };

const TEXT: Foreign = Foreign { what: "it is text, not a capture", hint: CAPTURE };

const UNKNOWN: Foreign = Foreign { what: "it is neither pcap nor pcapng", hint: CAPTURE };

const CAPTURE: &str = "write a capture with: tcpdump -w FILE";

const CONVERT: &str = "convert it with: editcap -F pcapng FILE NEW";

/// What else lies about beside captures.
const MAGICS: [(&[u8], Foreign); 10] = [
    (
        &[0x28, 0xB5, 0x2F, 0xFD],
        Foreign { what: "it is compressed with zstd", hint: "unpack it first: zstd -d FILE" },
    ),
    (
        &[0x04, 0x22, 0x4D, 0x18],
        Foreign { what: "it is compressed with lz4", hint: "unpack it first: lz4 -d FILE" },
    ),
    (
        &[0xFD, b'7', b'z', b'X', b'Z', 0],
        Foreign { what: "it is compressed with xz", hint: "unpack it first: xz -d FILE" },
    ),
    (b"BZh", Foreign { what: "it is compressed with bzip2", hint: "unpack it first: bzip2 -d FILE" }),
    (b"PK\x03\x04", Foreign { what: "it is a zip archive", hint: "unpack it first: unzip FILE" }),
    (&[0xA1, 0xB2, 0xCD, 0x34], Foreign { what: "it is in Kuznetzov's modified pcap format", hint: CONVERT }),
    (&[0x34, 0xCD, 0xB2, 0xA1], Foreign { what: "it is in Kuznetzov's modified pcap format", hint: CONVERT }),
    (b"snoop\0\0\0", Foreign { what: "it is in the snoop format", hint: CONVERT }),
    (b"GMBU", Foreign { what: "it is in the format of Microsoft Network Monitor", hint: CONVERT }),
    (b"RTSS", Foreign { what: "it is in the format of Microsoft Network Monitor", hint: CONVERT }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magic_is_told_apart() {
        let pcap = |order, nanoseconds| Ok(Kind::Pcap { order, nanoseconds });
        assert_eq!(recognise(&[0xA1, 0xB2, 0xC3, 0xD4]), pcap(ByteOrder::Big, false));
        assert_eq!(recognise(&[0xD4, 0xC3, 0xB2, 0xA1]), pcap(ByteOrder::Little, false));
        assert_eq!(recognise(&[0xA1, 0xB2, 0x3C, 0x4D]), pcap(ByteOrder::Big, true));
        assert_eq!(recognise(&[0x4D, 0x3C, 0xB2, 0xA1]), pcap(ByteOrder::Little, true));
        assert_eq!(recognise(&[0x0A, 0x0D, 0x0D, 0x0A]), Ok(Kind::Pcapng));
        assert_eq!(recognise(&[0x1F, 0x8B, 8, 0]), Ok(Kind::Gzip));
    }

    #[test]
    fn what_is_no_capture_is_named() {
        let what = |head: &[u8]| recognise(head).unwrap_err().what;
        assert_eq!(what(b""), "it is empty");
        assert_eq!(what(b"\xD4\xC3\xB2"), "it ends inside its first four bytes");
        assert_eq!(what(b"\x28\xB5\x2F\xFD\x24"), "it is compressed with zstd");
        assert_eq!(what(b"\x34\xCD\xB2\xA1"), "it is in Kuznetzov's modified pcap format");
        assert_eq!(what(b"snoop\0\0\0\0\0\0\x02"), "it is in the snoop format");
        assert_eq!(
            what(b"12:00:01.5 IP 10.77.1.2.59070 > 10.77.1.1.80: Flags [S]\n"),
            "it is text, not a capture"
        );
        assert_eq!(what("caf\u{e9}".as_bytes()), "it is text, not a capture");
        assert_eq!(what(&"caf\u{e9}".as_bytes()[..4]), "it is text, not a capture");
        assert_eq!(what(b"\x7FELF\x02\x01"), "it is neither pcap nor pcapng");
    }
}
