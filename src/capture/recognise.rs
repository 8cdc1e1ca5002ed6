//! Tells by the first bytes what a file is.

use super::input::Compression;
use super::order::ByteOrder;
use super::pcap::Variant;

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The classic format.
    Pcap {
        /// Of its headers.
        order: ByteOrder,
        /// Which of its variants.
        variant: Variant,
    },
    /// The next generation.
    Pcapng,
    /// Something compressed.
    Compressed(Compression),
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
    let pcap = |order| {
        let [magic] = ByteOrder::words(order, magic)?;
        let (_, variant) = PCAP_MAGICS.iter().find(|(known, _)| *known == magic)?;
        Some(Kind::Pcap { order, variant: *variant })
    };
    if let Some(kind) = pcap(ByteOrder::Little).or_else(|| pcap(ByteOrder::Big)) {
        return Ok(kind);
    }
    match magic {
        [0x0A, 0x0D, 0x0D, 0x0A] => Ok(Kind::Pcapng),
        [0x1F, 0x8B, ..] => Ok(Kind::Compressed(Compression::Gzip)),
        // RFC 8878 section 3.1: a frame, or one to be skipped before it.
        [0x28, 0xB5, 0x2F, 0xFD] | [0x50..=0x5F, 0x2A, 0x4D, 0x18] => Ok(Kind::Compressed(Compression::Zstd)),
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
const MAGICS: [(&[u8], Foreign); 13] = [
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
    (&[0xA1, 0xB2, 0x34, 0xCD], Foreign { what: MESQUITA, hint: CONVERT }),
    (&[0xCD, 0x34, 0xB2, 0xA1], Foreign { what: MESQUITA, hint: CONVERT }),
    (&[0xA1, 0x2B, 0x3C, 0x4D], Foreign { what: NAVTEL, hint: CONVERT }),
    (&[0x4D, 0x3C, 0x2B, 0xA1], Foreign { what: NAVTEL, hint: CONVERT }),
    (b"snoop\0\0\0", Foreign { what: "it is in the snoop format", hint: CONVERT }),
    (b"GMBU", Foreign { what: "it is in the format of Microsoft Network Monitor", hint: CONVERT }),
    (b"RTSS", Foreign { what: "it is in the format of Microsoft Network Monitor", hint: CONVERT }),
    (b"XCP\0", Foreign { what: "it is in the format of NetXRay", hint: CONVERT }),
    (b"TRSNIFF data", Foreign { what: "it is in the format of the DOS Sniffer", hint: CONVERT }),
];

/// The classic format and those that differ in little, as libpcap and wiretap know them.
const PCAP_MAGICS: [(u32, Variant); 5] = [
    (0xA1B2_C3D4, Variant::Microseconds),
    (0xA1B2_3C4D, Variant::Nanoseconds),
    (0xA1B2_CD34, Variant::Kuznetzov),
    (0x1C00_01AC, Variant::Ixia),
    (0x1C00_01AB, Variant::Ixia),
];

const MESQUITA: &str = "it is in Mesquita's modified pcap format";

const NAVTEL: &str = "it is in Navtel's modified pcap format";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magic_is_told_apart() {
        let pcap = |order, variant| Ok(Kind::Pcap { order, variant });
        assert_eq!(recognise(&[0xA1, 0xB2, 0xC3, 0xD4]), pcap(ByteOrder::Big, Variant::Microseconds));
        assert_eq!(recognise(&[0xD4, 0xC3, 0xB2, 0xA1]), pcap(ByteOrder::Little, Variant::Microseconds));
        assert_eq!(recognise(&[0xA1, 0xB2, 0x3C, 0x4D]), pcap(ByteOrder::Big, Variant::Nanoseconds));
        assert_eq!(recognise(&[0x4D, 0x3C, 0xB2, 0xA1]), pcap(ByteOrder::Little, Variant::Nanoseconds));
        assert_eq!(recognise(&[0xA1, 0xB2, 0xCD, 0x34]), pcap(ByteOrder::Big, Variant::Kuznetzov));
        assert_eq!(recognise(&[0x34, 0xCD, 0xB2, 0xA1]), pcap(ByteOrder::Little, Variant::Kuznetzov));
        assert_eq!(recognise(&[0xAC, 0x01, 0x00, 0x1C]), pcap(ByteOrder::Little, Variant::Ixia));
        assert_eq!(recognise(&[0x0A, 0x0D, 0x0D, 0x0A]), Ok(Kind::Pcapng));
        assert_eq!(recognise(&[0x1F, 0x8B, 8, 0]), Ok(Kind::Compressed(Compression::Gzip)));
        assert_eq!(recognise(&[0x28, 0xB5, 0x2F, 0xFD]), Ok(Kind::Compressed(Compression::Zstd)));
        assert_eq!(recognise(&[0x5A, 0x2A, 0x4D, 0x18]), Ok(Kind::Compressed(Compression::Zstd)));
    }

    #[test]
    fn what_is_no_capture_is_named() {
        let what = |head: &[u8]| recognise(head).unwrap_err().what;
        assert_eq!(what(b""), "it is empty");
        assert_eq!(what(b"\xD4\xC3\xB2"), "it ends inside its first four bytes");
        assert_eq!(what(b"\xCD\x34\xB2\xA1"), "it is in Mesquita's modified pcap format");
        assert_eq!(what(b"snoop\0\0\0\0\0\0\x02"), "it is in the snoop format");
        assert_eq!(
            what(b"12:00:01.5 IP 10.77.1.2.59070 > 10.77.1.1.80: Flags [S]\n"),
            "it is text, not a capture"
        );
        assert_eq!(what("caf\u{e9}".as_bytes()), "it is text, not a capture");
        assert_eq!(what(&"caf\u{e9}".as_bytes()[..4]), "it is text, not a capture");
        assert_eq!(what(b"\x7FELF\x02\x01"), "it is neither pcap nor pcapng");
        assert_eq!(what(b"\x00\x01\x02\x03"), "it is neither pcap nor pcapng");
    }
}
