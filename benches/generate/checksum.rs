//! The Internet checksum of RFC 1071, summed in big steps so that valid checksums cost little.

/// A one's complement sum in the making.
#[derive(Default)]
pub(crate) struct Checksum {
    sum: u64,
}

impl Checksum {
    /// Adds 16 bits.
    pub(crate) fn half_word(mut self, value: u16) -> Self {
        self.sum += u64::from(value);
        self
    }

    /// Adds 32 bits.
    pub(crate) fn word(mut self, value: u32) -> Self {
        self.sum += u64::from(value);
        self
    }

    /// Adds bytes that start at an even offset; an odd last byte counts as followed by a zero.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        // Native order lets the compiler use wide registers; the sum is turned once at the end.
        let native: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
        self.sum += u64::from(u16::from_be(fold(native)));
        let mut last = [0; 4];
        for (target, source) in last.iter_mut().zip(rest) {
            *target = *source;
        }
        self.word(u32::from_be_bytes(last))
    }

    /// The value for the header's checksum field.
    pub(crate) fn finish(self) -> u16 {
        !fold(self.sum)
    }
}

/// Adds the carries back until 16 bits are left.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (sum & 0xffff) as u16
}
