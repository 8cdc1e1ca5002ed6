//! Sequence numbers: 32 bits that wrap (RFC 9293 section 3.4).

/// A TCP sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceNumber(pub u32);

impl SequenceNumber {
    /// How far this lies ahead of `other`; negative if behind. Right as long as the two are less than
    /// 2 GiB apart, which RFC 9293's window guarantees for live segments.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "serial-number arithmetic: the sign is the answer")]
    pub const fn ahead_of(self, other: Self) -> i64 {
        self.0.wrapping_sub(other.0) as i32 as i64
    }

    /// The number `length` bytes further on.
    #[must_use]
    pub const fn advanced(self, length: u32) -> Self {
        Self(self.0.wrapping_add(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_survives_the_wrap() {
        let before = SequenceNumber(u32::MAX - 4);
        let after = before.advanced(10);
        assert_eq!(after.0, 5);
        assert_eq!(after.ahead_of(before), 10);
        assert_eq!(before.ahead_of(after), -10);
    }
}
