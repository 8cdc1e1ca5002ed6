//! The kinds of blocks, and the fixed fields of those that matter.

use super::clock::Clock;
use super::notes::options;
use crate::capture::LinkType;
use crate::capture::order::ByteOrder;
use crate::limits;

/// A block type (pcapng section 11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(pub(super) u32);

impl Kind {
    /// The same in both byte orders.
    pub(super) const SECTION: Self = Self(0x0A0D_0D0A);
    pub(super) const INTERFACE: Self = Self(1);
    /// The packet block of the first drafts.
    pub(super) const OBSOLETE: Self = Self(2);
    pub(super) const SIMPLE: Self = Self(3);
    pub(super) const NAMES: Self = Self(4);
    pub(super) const STATISTICS: Self = Self(5);
    pub(super) const ENHANCED: Self = Self(6);
    pub(super) const SECRETS: Self = Self(10);
    pub(super) const CUSTOM: Self = Self(0x0000_0BAD);
    pub(super) const CUSTOM_NO_COPY: Self = Self(0x4000_0BAD);

    /// The shortest block of this kind, if this program knows it.
    #[inline]
    pub(super) fn least(self) -> Option<u32> {
        match self {
            Self::ENHANCED | Self::OBSOLETE => Some(PACKET_LEAST),
            Self::SIMPLE | Self::CUSTOM | Self::CUSTOM_NO_COPY => Some(16),
            Self::INTERFACE | Self::SECRETS => Some(20),
            Self::STATISTICS => Some(24),
            Self::SECTION => Some(28),
            Self::NAMES => Some(LEAST),
            _ => None,
        }
    }

    /// Whether a block of this kind may be longer than any buffer, and is then passed over on its word.
    ///
    /// Only kinds of the registry: bytes that are no block at all seldom look like one, and what they
    /// take for a length would pass over the rest of the file.
    pub(super) fn may_be_huge(self) -> bool {
        !matches!(
            self,
            Self::SECTION
                | Self::INTERFACE
                | Self::OBSOLETE
                | Self::SIMPLE
                | Self::STATISTICS
                | Self::ENHANCED
        ) && (self.0 <= 0xFFFF || self == Self::CUSTOM_NO_COPY)
    }
}

/// An interface that a section describes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    /// The most bytes of a packet that are captured; 0 for no limit.
    pub(super) snap_length: u32,
    pub(super) clock: Clock,
}

impl Interface {
    /// From a whole interface description block (pcapng section 4.2). Options that make no sense are
    /// passed over.
    pub(super) fn parse(order: ByteOrder, block: &[u8]) -> Option<Self> {
        let [_kind, _length, link, snap_length] = order.words(block)?;
        let (mut resolution, mut offset) = (6, 0);
        for (code, value) in options(order, block, 16) {
            match (code, value) {
                (OPTION_RESOLUTION, [value, ..]) => resolution = *value,
                (OPTION_OFFSET, _) => {
                    if let Some(value) = value.first_chunk() {
                        offset = order.long(*value).cast_signed();
                    }
                }
                _ => {}
            }
        }
        let clock = Clock::new(resolution, offset);
        Some(Self { link: LinkType(order.halves(link).0), snap_length, clock })
    }
}

/// The byte order of the section that starts with `bytes`; `None` if it does not tell.
pub(super) fn section_order(bytes: &[u8]) -> Option<ByteOrder> {
    match ByteOrder::Big.words(bytes)? {
        [_, _, BYTE_ORDER_MARK] => Some(ByteOrder::Big),
        [_, _, word] if word.swap_bytes() == BYTE_ORDER_MARK => Some(ByteOrder::Little),
        _ => None,
    }
}

/// Whether a block of this kind and length can be whole in a buffer.
#[inline]
pub(super) fn fits(length: u32) -> bool {
    length as usize <= limits::RECORD_BYTES
}

/// The shortest block: type, length, length.
pub(super) const LEAST: u32 = 12;

/// The shortest block with a packet in it: 28 bytes before the packet and the length behind it.
pub(super) const PACKET_LEAST: u32 = 32;

const BYTE_ORDER_MARK: u32 = 0x1A2B_3C4D;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;
