//! Puts fragments of IP packets together again (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Where fragments overlap, the first to come wins. What does not become whole is counted, fragment by fragment.

use std::collections::VecDeque;

use super::Skip;
use super::tunnel::Addresses;
use crate::limits;
use crate::units::Timestamp;

/// What fragments of one packet have in common. A packet of IPv6 says nothing of its protocol but in the first of them;
/// there it is the kind of the header behind the fragment header, which all repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FragmentKey {
    pub(super) addresses: Addresses,
    pub(super) protocol: u8,
    pub(super) identification: u32,
}

/// A fragment of an IP packet, whole as it was on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    key: FragmentKey,
    hop_limit: u8,
    /// Where its bytes stand in what the packet carries.
    offset: usize,
    /// Whether others come behind it.
    more: bool,
    bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// `bytes` is what was captured of the `length` that it carries.
    ///
    /// # Errors
    /// If the capture has only a part of it: then the packet cannot become whole.
    pub(super) fn new(
        key: FragmentKey,
        hop_limit: u8,
        offset: u32,
        more: bool,
        bytes: &'a [u8],
        length: usize,
    ) -> Result<Self, Skip> {
        if bytes.len() < length {
            return Err(Skip::Cut);
        }
        let offset = offset as usize;
        let is_odd = more && !bytes.len().is_multiple_of(8);
        if bytes.is_empty() || is_odd || offset.saturating_add(bytes.len()) > PACKET_BYTES {
            return Err(Skip::Malformed);
        }
        Ok(Self { key, hop_limit, offset, more, bytes })
    }
}

/// Packets of which fragments came and others are awaited.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The one that began first comes first.
    parts: VecDeque<Part>,
    /// Packets that became whole lately: fragments of theirs that come now are copies.
    whole: VecDeque<(FragmentKey, Timestamp)>,
    held_bytes: usize,
    /// Fragments of packets that were given up.
    lost: u64,
}

/// A packet in parts.
#[derive(Debug)]
struct Part {
    key: FragmentKey,
    began: Timestamp,
    /// Of the fragment that begins the packet; 0 before that has come.
    hop_limit: u8,
    bytes: Vec<u8>,
    /// What is there: from, to; in order, and never touching one another.
    there: Vec<(usize, usize)>,
    /// How long it is, once its last fragment has come.
    length: Option<usize>,
    fragments: u64,
}

/// A packet that is whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) key: FragmentKey,
    pub(super) hop_limit: u8,
    pub(super) bytes: Vec<u8>,
}

impl Fragments {
    /// Adds a fragment; the packet, if it is whole now.
    ///
    /// # Errors
    /// If it belongs to a packet that was whole before: [`Skip::FragmentCopy`].
    pub(super) fn add(&mut self, fragment: &Fragment<'_>, now: Timestamp) -> Result<Option<Whole>, Skip> {
        self.give_up(now);
        let is_recent = |time: Timestamp| now.since(time) <= limits::FRAGMENT_COPIES;
        if self.whole.iter().any(|(key, time)| *key == fragment.key && is_recent(*time)) {
            return Err(Skip::FragmentCopy);
        }
        let place = self.parts.iter().position(|part| part.key == fragment.key).unwrap_or_else(|| {
            self.parts.push_back(Part::new(fragment.key, now));
            self.parts.len().saturating_sub(1)
        });
        let Some(part) = self.parts.get_mut(place) else { return Ok(None) };
        let before = part.bytes.len();
        part.add(fragment);
        self.held_bytes = self.held_bytes.saturating_add(part.bytes.len()).saturating_sub(before);
        if part.is_whole() {
            let Some(part) = self.remove(place) else { return Ok(None) };
            if self.whole.len() >= limits::FRAGMENTED_PACKETS {
                self.whole.pop_front();
            }
            self.whole.push_back((part.key, now));
            return Ok(Some(Whole { key: part.key, hop_limit: part.hop_limit, bytes: part.bytes }));
        }
        if part.there.len() > limits::FRAGMENT_HOLES {
            self.lose(place);
        }
        Ok(None)
    }

    /// How many fragments were lost since the last call; `all` if nothing more will come.
    pub(super) fn take_lost(&mut self, all: bool) -> u64 {
        while all && !self.parts.is_empty() {
            self.lose(0);
        }
        std::mem::take(&mut self.lost)
    }

    /// Gives up what has waited too long, and the oldest where there are too many.
    fn give_up(&mut self, now: Timestamp) {
        while let Some(oldest) = self.parts.front() {
            let is_late = now.since(oldest.began) > limits::FRAGMENT_PATIENCE;
            let is_full =
                self.parts.len() >= limits::FRAGMENTED_PACKETS || self.held_bytes > limits::FRAGMENT_BYTES;
            if !is_late && !is_full {
                return;
            }
            self.lose(0);
        }
    }

    fn lose(&mut self, place: usize) {
        if let Some(part) = self.remove(place) {
            self.lost = self.lost.saturating_add(part.fragments);
        }
    }

    fn remove(&mut self, place: usize) -> Option<Part> {
        let part = self.parts.remove(place)?;
        self.held_bytes = self.held_bytes.saturating_sub(part.bytes.len());
        Some(part)
    }
}

impl Part {
    fn new(key: FragmentKey, began: Timestamp) -> Self {
        Self { key, began, hop_limit: 0, bytes: Vec::new(), there: Vec::new(), length: None, fragments: 0 }
    }

    fn add(&mut self, fragment: &Fragment<'_>) {
        self.fragments = self.fragments.saturating_add(1);
        let (start, end) = (fragment.offset, fragment.offset.saturating_add(fragment.bytes.len()));
        if start == 0 && self.hop_limit == 0 {
            self.hop_limit = fragment.hop_limit;
        }
        if !fragment.more {
            self.length = self.length.or(Some(end));
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        // Only what is not there yet is taken.
        let mut at = start;
        for (from, to) in self.there.iter().copied().chain([(end, end)]) {
            let until = from.min(end);
            if at < until {
                let taken = at.saturating_sub(start)..until.saturating_sub(start);
                if let (Some(to), Some(from)) = (self.bytes.get_mut(at..until), fragment.bytes.get(taken)) {
                    to.copy_from_slice(from);
                }
            }
            at = at.max(to);
        }
        self.there.push((start, end));
        self.there.sort_unstable();
        let mut joined: Vec<(usize, usize)> = Vec::with_capacity(self.there.len());
        for (from, to) in self.there.drain(..) {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        self.there = joined;
    }

    fn is_whole(&mut self) -> bool {
        let (Some(length), Some((0, end))) = (self.length, self.there.first().copied()) else { return false };
        if end < length {
            return false;
        }
        // What stands behind the end that the last fragment names is not part of it.
        self.bytes.truncate(length);
        true
    }
}

/// No IP packet is longer.
const PACKET_BYTES: usize = 65_535;
