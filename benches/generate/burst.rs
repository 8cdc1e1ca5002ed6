//! What one side sends in one go, before it waits: a few bytes, then filler made as it is sent.
//!
//! A frame of a megabyte is never held in memory; only what is left of it is known.

use crate::conversation::Role;
use crate::frame;
use crate::kit::Kit;
use crate::material::Kind;

/// How a burst becomes segments.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    /// Full segments, the last one shorter.
    Full,
    /// This many segments of random length, as from a sender that flushes in odd places.
    Pieces(u8),
}

/// Bytes of one side, to be cut into segments.
pub(crate) struct Burst {
    /// Who sends.
    pub(crate) by: Role,
    /// Time before the first segment.
    pub(crate) pause_us: u32,
    /// How it is cut.
    pub(crate) cut: Cut,
    /// What goes first: heads, headers, small frames.
    pub(crate) bytes: Vec<u8>,
    sent: usize,
    filler: Option<Filler>,
}

/// Payload that follows the bytes.
struct Filler {
    kind: Kind,
    masking_key: Option<[u8; 4]>,
    sent: u64,
    length: u64,
}

impl Burst {
    /// A burst with nothing in it.
    pub(crate) fn new() -> Self {
        Self { by: Role::Client, pause_us: 0, cut: Cut::Full, bytes: Vec::new(), sent: 0, filler: None }
    }

    /// Makes room for the next burst. A large buffer is given back: most connections are idle.
    pub(crate) fn clear(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.sent = 0;
        self.filler = None;
    }

    /// Says who sends, and after which pause.
    pub(crate) fn begin(&mut self, by: Role, pause_us: u32) {
        self.by = by;
        self.pause_us = pause_us;
        self.cut = Cut::Full;
    }

    /// Appends `length` bytes of filler after the bytes, masked if there is a key.
    pub(crate) fn fill(&mut self, kind: Kind, length: u64, masking_key: Option<[u8; 4]>) {
        self.filler = Some(Filler { kind, masking_key, sent: 0, length });
    }

    /// True once something of it is on the wire.
    pub(crate) fn is_started(&self) -> bool {
        self.sent > 0
    }

    /// True if what is left is payload of a frame whose header is on the wire.
    pub(crate) fn is_inside_payload(&self) -> bool {
        self.sent == self.bytes.len() && self.filler.is_some()
    }

    /// True if nothing is left to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Replaces `segment` by the next segment's payload.
    pub(crate) fn cut_segment(&mut self, segment: &mut Vec<u8>, kit: &mut Kit) {
        segment.clear();
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        let wanted = left.min(match &mut self.cut {
            Cut::Full | Cut::Pieces(0 | 1) => kit.segment_bytes,
            Cut::Pieces(count) => {
                *count -= 1;
                let limit = left.min(kit.segment_bytes);
                let limit = u32::try_from(limit).unwrap_or_default();
                1 + kit.random.below(limit) as usize
            }
        });
        let end = self.bytes.len().min(self.sent + wanted);
        segment.extend_from_slice(self.bytes.get(self.sent..end).unwrap_or_default());
        self.sent = end;
        let missing = wanted - segment.len();
        if missing > 0
            && let Some(filler) = &mut self.filler
        {
            let start = segment.len();
            kit.material.append(segment, filler.kind, missing, &mut kit.random);
            if let (Some(key), Some(fresh)) = (filler.masking_key, segment.get_mut(start..)) {
                frame::mask(fresh, key, filler.sent);
            }
            filler.sent += missing as u64;
        }
    }

    /// Appends text; writing to memory cannot fail.
    pub(crate) fn print(&mut self, text: std::fmt::Arguments<'_>) {
        use std::io::Write;
        self.bytes.write_fmt(text).unwrap_or_default();
    }

    fn left(&self) -> u64 {
        let filler = self.filler.as_ref().map_or(0, |f| f.length - f.sent);
        (self.bytes.len() - self.sent) as u64 + filler
    }
}

/// A larger buffer is not kept between bursts.
const KEPT_BYTES: usize = 256;
