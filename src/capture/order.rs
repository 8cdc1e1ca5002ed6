//! Byte order: both formats are written in that of the machine that captured.

/// The byte order of a file or of a pcapng section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The first `N` 32-bit words of `bytes`; `None` if there are fewer.
    #[inline]
    pub(super) fn words<const N: usize>(self, bytes: &[u8]) -> Option<[u32; N]> {
        let words: &[[u8; 4]; N] = bytes.as_chunks().0.first_chunk()?;
        Some(match self {
            Self::Little => words.map(u32::from_le_bytes),
            Self::Big => words.map(u32::from_be_bytes),
        })
    }

    /// The two 16-bit values, in file order, of what was read as one word.
    #[inline]
    pub(super) fn halves(self, word: u32) -> (u16, u16) {
        let [a, b, c, d] = word.to_le_bytes();
        let (low, high) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        match self {
            Self::Little => (low, high),
            Self::Big => (high, low),
        }
    }

    /// A 64-bit value.
    pub(super) fn long(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_halves_come_in_file_order() {
        let bytes = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08];
        assert_eq!(ByteOrder::Big.words(&bytes), Some([0x0102_0304, 0x0506_0708]));
        assert_eq!(ByteOrder::Little.words(&bytes), Some([0x0403_0201]));
        assert_eq!(ByteOrder::Little.words::<3>(&bytes), None);
        assert_eq!(ByteOrder::Big.halves(0x0102_0304), (0x0102, 0x0304));
        assert_eq!(ByteOrder::Little.halves(0x0403_0201), (0x0201, 0x0403));
        assert_eq!(ByteOrder::Big.long(bytes), 0x0102_0304_0506_0708);
    }
}
