//! A block: a stretch of the capture with the records in it.

use std::ops::Range;

use crate::units::{PacketNumber, Timestamp};

/// A stretch of the capture file and the packets that lie in it.
///
/// The packets' bytes are not copied: each [`PacketMeta`] names its range. The reader fills the same
/// block again and again, so that it stays in the processor's cache; who must keep bytes copies them.
#[derive(Debug, Default)]
pub struct Block {
    /// The bytes, record headers included. What lies before the first record and behind the last has no
    /// meaning: the reader leaves there what was in the block before.
    pub bytes: Vec<u8>,
    /// The packets, in file order.
    pub packets: Vec<PacketMeta>,
    /// The point of capture of each packet, where several files show the same traffic; [`Block::NO_POINT`] for packets of
    /// files that do not. Empty if there is nothing to be told.
    pub points: Vec<u8>,
    /// The number of the first packet of `packets`.
    pub first: PacketNumber,
    /// Where `bytes` starts in the (decompressed) file: a packet is at this and its `start`.
    pub file_offset: u64,
}

impl Block {
    /// No point of capture.
    pub const NO_POINT: u8 = u8::MAX;

    /// The point of capture of the packet at a place; none if there is nothing to be told.
    #[must_use]
    pub fn point(&self, place: usize) -> Option<u8> {
        self.points.get(place).copied().filter(|point| *point != Self::NO_POINT)
    }

    /// The captured bytes of a packet of this block; empty if the range is not in it.
    #[must_use]
    pub fn captured(&self, packet: &PacketMeta) -> &[u8] {
        self.bytes.get(packet.range()).unwrap_or_default()
    }
}

/// One packet of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketMeta {
    /// When it was captured.
    pub time: Timestamp,
    /// Where its bytes start in the block.
    pub start: u32,
    /// How many bytes were captured.
    pub captured: u32,
    /// How many bytes the packet had on the wire; more than `captured` if a snap length cut it.
    pub original: u32,
    /// What its first byte is the start of.
    pub link: LinkType,
}

impl PacketMeta {
    /// The range of its bytes in the block.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start.saturating_add(self.captured as usize)
    }
}

/// A link-layer type as files number it (the tcpdump project's link-type registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a four-byte address family in the byte order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with the header of HDLC or without.
    pub const PPP: Self = Self(9);
    /// Raw IP, as some files number it that copied the DLT value of their system.
    pub const RAW_DLT: Self = Self(12);
    /// Raw IP, as OpenBSD's DLT value numbers it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP with the header of HDLC.
    pub const PPP_HDLC: Self = Self(50);
    /// PPP behind the header of `PPPoE`.
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP: the first nibble is the version.
    pub const RAW: Self = Self(101);
    /// Cisco's HDLC.
    pub const CISCO_HDLC: Self = Self(104);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// PPP behind a byte that tells the direction.
    pub const PPP_WITH_DIRECTION: Self = Self(204);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// What macOS writes with `-i any`: a header that tells the interface and its link type, and a packet of that.
    pub const PKTAP: Self = Self(258);
    /// Linux cooked capture, version 2: what `tcpdump -i any` writes.
    pub const LINUX_SLL2: Self = Self(276);

    /// Whether it is that of wireless frames as they are in the air: 802.11, plain, with radiotap, Prism or AVS headers,
    /// or with PPI's.
    #[must_use]
    pub const fn is_wireless(self) -> bool {
        matches!(self.0, 105 | 119 | 127 | 163 | 192)
    }
}
