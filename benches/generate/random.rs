//! Random numbers that are the same in every run: splitmix64 from a seed.
//!
//! No entropy of the system is read here, so that one seed and one scale give one capture.

/// A stream of random numbers, fixed by its seed.
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// Starts the stream that belongs to `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next 32 random bits.
    pub(crate) fn word(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// A number from 0 to `limit` - 1; 0 if `limit` is 0.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(limit)) >> 32) as u32
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A number whose magnitude is spread evenly: from 2^`low` to 2^(`high` + 1) - 1.
    ///
    /// Sizes and pauses of real traffic have such a long tail. `high` is 30 at most.
    pub(crate) fn magnitude(&mut self, low: u32, high: u32) -> u32 {
        let power = 1_u32 << self.between(low, high);
        power + self.below(power)
    }

    /// True `share` times out of `whole`.
    pub(crate) fn chance(&mut self, share: u32, whole: u32) -> bool {
        self.below(whole) < share
    }

    /// One of `choices`, each as likely as the others.
    #[expect(
        clippy::indexing_slicing,
        reason = "the arrays given here are constants with at least one element"
    )]
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, choices: &[T; N]) -> T {
        let count = u32::try_from(N).unwrap_or(u32::MAX);
        choices[self.below(count) as usize]
    }

    /// `N` random bytes, as for a masking key or a TLS random.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            for (target, source) in chunk.iter_mut().zip(self.bits().to_le_bytes()) {
                *target = source;
            }
        }
        bytes
    }
}
