//! Text and random bytes that payloads are cut from, made once.
//!
//! Copying from a pool at a random offset is what lets a gigabyte be written in seconds.

use crate::random::Random;

/// The two pools.
pub(crate) struct Material {
    text: Vec<u8>,
    binary: Vec<u8>,
}

/// Which pool.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Words in UTF-8, no quotes, no line breaks.
    Text,
    /// Random bytes.
    Binary,
}

impl Material {
    /// Fills the pools.
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut text = Vec::with_capacity(POOL_BYTES + 32);
        while text.len() < POOL_BYTES {
            text.extend_from_slice(random.pick(&WORDS).as_bytes());
            text.push(b' ');
        }
        let binary = (0..POOL_BYTES / 8).flat_map(|_| random.bits().to_le_bytes()).collect();
        Self { text, binary }
    }

    /// Appends `length` bytes, from a place that `random` chooses. Text may start or end inside a
    /// character. At most half a pool at once.
    pub(crate) fn append(&self, output: &mut Vec<u8>, kind: Kind, length: usize, random: &mut Random) {
        let pool = match kind {
            Kind::Text => &self.text,
            Kind::Binary => &self.binary,
        };
        let length = length.min(POOL_BYTES / 2);
        let start = (random.word() as usize) & (POOL_BYTES / 2 - 1);
        output.extend_from_slice(pool.get(start..start + length).unwrap_or_default());
    }

    /// Appends `length` bytes of valid UTF-8.
    pub(crate) fn append_words(&self, output: &mut Vec<u8>, length: usize, random: &mut Random) {
        let start = output.len();
        self.append(output, Kind::Text, length, random);
        let Some(mut fresh) = output.get_mut(start..) else {
            return;
        };
        // Bytes of a character that was cut are overwritten, so that the length stays.
        while let Err(error) = str::from_utf8(fresh) {
            let valid = error.valid_up_to();
            let broken = error.error_len().unwrap_or(fresh.len() - valid);
            fresh = fresh.get_mut(valid..).unwrap_or_default();
            for byte in fresh.iter_mut().take(broken) {
                *byte = b'.';
            }
        }
    }
}

/// Half of it is where a copy may start, the other half how long it may be. A power of two.
const POOL_BYTES: usize = 1 << 17;

const WORDS: [&str; 24] = [
    "the",
    "room",
    "is",
    "open",
    "until",
    "seven",
    "please",
    "send",
    "your",
    "notes",
    "before",
    "noon",
    "naïve",
    "Grüße",
    "déjà",
    "вечер",
    "会議",
    "ok",
    "tomorrow",
    "see",
    "attached",
    "build",
    "passed",
    "🙂",
];
