//! What every part of the generator needs at hand: random numbers, material, the counts.

use flate2::{Compress, Compression};

use crate::material::Material;
use crate::packet::Link;
use crate::random::Random;
use crate::truth::Truth;

/// Passed down to whoever makes traffic.
pub(crate) struct Kit {
    /// The one stream of random numbers.
    pub(crate) random: Random,
    /// Text and bytes to fill payloads with.
    pub(crate) material: Material,
    /// Bytes of payload in a full segment.
    pub(crate) segment_bytes: usize,
    /// Compresses for all who start each message with an empty window.
    pub(crate) compressor: Compress,
    /// The counts so far.
    pub(crate) truth: Truth,
}

impl Kit {
    /// Everything fresh, fixed by `seed`.
    pub(crate) fn new(seed: u64, link: Link) -> Self {
        let mut random = Random::new(seed);
        let material = Material::new(&mut random);
        Self {
            random,
            material,
            segment_bytes: usize::from(link.maximum_segment_bytes()),
            compressor: Compress::new(Compression::default(), false),
            truth: Truth::default(),
        }
    }
}
