//! What every part of the generator needs at hand: random numbers, material, the counts.

use crate::material::Material;
use crate::random::Random;
use crate::truth::Truth;

/// Passed down to whoever makes traffic.
pub(crate) struct Kit {
    /// The one stream of random numbers.
    pub(crate) random: Random,
    /// Text and bytes to fill payloads with.
    pub(crate) material: Material,
    /// The counts so far.
    pub(crate) truth: Truth,
}

impl Kit {
    /// Everything fresh, fixed by `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let material = Material::new(&mut random);
        Self { random, material, truth: Truth::default() }
    }
}
