//! How large a capture is, against the profile's own size: a number with six decimals.

/// A factor; 1 is the profile's own size.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    millionths: u64,
}

impl Scale {
    /// The profile's own size.
    pub(crate) const ONE: Self = Self { millionths: MILLION };

    /// Reads a decimal number such as `2`, `0.25` or `.002`; digits after the sixth are dropped.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() && decimals.is_empty() {
            return None;
        }
        let digits = whole.chars().chain(decimals.chars().chain("000000".chars()).take(6));
        let millionths = digits.into_iter().try_fold(0_u64, |number, digit| {
            let digit = u64::from(digit.to_digit(10)?);
            number.checked_mul(10)?.checked_add(digit)
        })?;
        (millionths > 0).then_some(Self { millionths })
    }

    /// The scale that makes a file of `megabytes` where the profile's own has `own_megabytes`.
    pub(crate) fn of_size(megabytes: u64, own_megabytes: u64) -> Self {
        let millionths = megabytes.saturating_mul(MILLION) / own_megabytes.max(1);
        Self { millionths: millionths.max(1) }
    }

    /// `count` scaled, at least 1.
    pub(crate) fn of(self, count: u32) -> u32 {
        let scaled = u64::from(count).saturating_mul(self.millionths) / MILLION;
        u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
    }

    /// `count` scaled down, but never up.
    pub(crate) fn of_at_most(self, count: u32) -> u32 {
        self.of(count).min(count)
    }
}

const MILLION: u64 = 1_000_000;
