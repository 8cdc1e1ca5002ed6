//! pcapng: sections of blocks, each with its length at both ends.
//!
//! The format: draft-ietf-opsawg-pcapng. A block is believed when both lengths agree; after damage the
//! next one for which that holds is looked for.

mod blocks;
mod clock;
pub(in crate::capture) mod encode;
mod notes;

use blocks::{Interface, Kind, LEAST, PACKET_LEAST, section_order};
use notes::Notes;

use super::damage::Why;
use super::order::ByteOrder;
use super::parser::{Found, Input, Stop, Verdict};
use crate::capture::{FileFacts, PacketMeta};
use crate::limits;
use crate::units::Timestamp;

/// The shortest section header.
pub(super) const SECTION_HEADER: usize = 28;

/// The length of the section header that starts with these bytes; `None` if that cannot be one.
pub(super) fn section_length(header: &[u8]) -> Option<usize> {
    let [kind, length] = section_order(header)?.words(header)?;
    let sensible = wrong_length(Kind(kind), length).is_none();
    sensible.then_some(length as usize)
}

/// Reads blocks.
#[derive(Debug)]
pub(super) struct Pcapng {
    /// Of the current section.
    order: ByteOrder,
    /// Of the current section, at most [`limits::INTERFACES`].
    interfaces: Vec<Interface>,
    /// When the last packet was captured: simple packets have no time of their own.
    latest: Timestamp,
    /// The huge block that is being passed over.
    huge: Option<Huge>,
    notes: Notes,
}

/// A block that is longer than any buffer.
#[derive(Clone, Copy, Debug)]
struct Huge {
    offset: u64,
    length: u32,
    /// Bytes still to be passed over before the length at its end.
    left: u64,
}

impl Pcapng {
    /// A reader that starts at a section header.
    pub(super) fn new() -> Self {
        Self {
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            latest: Timestamp::from_nanos(0),
            huge: None,
            notes: Notes::default(),
        }
    }

    /// What the file has said of itself so far.
    pub(super) fn facts(&self) -> &FileFacts {
        self.notes.facts()
    }

    /// Reads blocks from `at` on, which moves behind the last whole one.
    pub(super) fn blocks(&mut self, input: Input<'_>, at: &mut usize, found: &mut Found<'_>) -> Stop {
        if let Some(huge) = self.huge.take()
            && let Some(stop) = self.pass_over(huge, input, at)
        {
            return stop;
        }
        loop {
            let rest = input.rest(*at);
            let here = input.offset_of(*at);
            let Some(Start { kind, length, order }) = self.start(rest) else {
                return match rest.len() {
                    0 if input.last => Stop::End,
                    have if input.last => Stop::Lost(here, Why::BlockHeaderCut { have }),
                    _ => Stop::Need(LEAST as usize),
                };
            };
            let Some(order) = order else { return Stop::Lost(here, Why::ByteOrderMark) };
            if let Some(why) = wrong_length(kind, length) {
                return Stop::Lost(here, why);
            }
            if !blocks::fits(length) {
                if kind == Kind::SECRETS {
                    self.notes.other(kind, order, rest);
                }
                let huge = Huge { offset: here, length, left: u64::from(length).saturating_sub(4) };
                if let Some(stop) = self.pass_over(huge, input, at) {
                    return stop;
                }
                continue;
            }
            let Some(block) = rest.get(..length as usize) else {
                return if input.last {
                    Stop::Lost(here, Why::BlockCut { have: rest.len() as u64, of: length })
                } else {
                    Stop::Need(length as usize)
                };
            };
            let end = block.last_chunk::<4>().and_then(|end| order.words(end));
            if let Some([end]) = end
                && end != length
            {
                return Stop::Lost(here, Why::BlockEnds { start: length, end });
            }
            self.block(kind, order, block, *at, input, found);
            *at = at.saturating_add(length as usize);
        }
    }

    /// Whether blocks may go on at `start`: one of a known kind with the same plausible length at both ends.
    pub(super) fn judge(&self, input: Input<'_>, start: usize) -> Verdict {
        let rest = input.rest(start);
        let unclear = |need| if input.last { Verdict::Not } else { Verdict::Unclear(need) };
        let Some(Start { kind, length, order }) = self.start(rest) else {
            return unclear(LEAST as usize);
        };
        let Some(order) = order else { return Verdict::Not };
        if kind.least().is_none_or(|least| length < least)
            || !length.is_multiple_of(4)
            || length as usize > limits::SEARCH_BYTES
        {
            return Verdict::Not;
        }
        let Some(block) = rest.get(..length as usize) else { return unclear(length as usize) };
        match block.last_chunk::<4>().and_then(|end| order.words(end)) {
            Some([end]) if end == length => Verdict::Plausible,
            _ => Verdict::Not,
        }
    }

    /// The first fields of a block; `None` if they are not all there.
    #[inline]
    fn start(&self, rest: &[u8]) -> Option<Start> {
        let [kind, length, _] = self.order.words::<3>(rest)?;
        let kind = Kind(kind);
        if kind != Kind::SECTION {
            return Some(Start { kind, length, order: Some(self.order) });
        }
        let order = section_order(rest);
        let length =
            if order.is_some_and(|order| order != self.order) { length.swap_bytes() } else { length };
        Some(Start { kind, length, order })
    }

    /// Takes in one whole block.
    #[inline]
    fn block(
        &mut self,
        kind: Kind,
        order: ByteOrder,
        block: &[u8],
        at: usize,
        input: Input<'_>,
        found: &mut Found<'_>,
    ) {
        let here = input.offset_of(at);
        match kind {
            Kind::ENHANCED | Kind::OBSOLETE => {
                let Some([_, length, mut interface, high, low, captured, original]) = order.words(block)
                else {
                    return;
                };
                let mut drops = 0;
                if kind == Kind::OBSOLETE {
                    // Sixteen bits of interface, sixteen of drops; all ones if they are not known.
                    let (index, dropped) = order.halves(interface);
                    interface = u32::from(index);
                    drops = if dropped == u16::MAX { 0 } else { dropped };
                }
                let room = length.saturating_sub(PACKET_LEAST);
                let ticks = u64::from(high) << 32 | u64::from(low);
                let packet =
                    Packet { at, header: 28, interface, ticks: Some(ticks), captured, original, room };
                let number = found.next();
                self.packet(&packet, here, found);
                let options = 28_u32.saturating_add(captured).saturating_add(captured.wrapping_neg() & 3);
                if options.saturating_add(4) < length && kind == Kind::ENHANCED {
                    self.notes.packet(order, block, options as usize, interface, number);
                }
                if drops > 0 {
                    self.notes.dropped(interface, u64::from(drops));
                }
            }
            Kind::SIMPLE => {
                let Some([_, length, original]) = order.words(block) else { return };
                let snap_length = match self.interfaces.first() {
                    Some(interface) if interface.snap_length != 0 => interface.snap_length,
                    _ => u32::MAX,
                };
                let captured = original.min(snap_length);
                let room = length.saturating_sub(16);
                let packet = Packet { at, header: 12, interface: 0, ticks: None, captured, original, room };
                self.packet(&packet, here, found);
            }
            Kind::SECTION => {
                self.order = order;
                self.interfaces.clear();
                self.notes.section(order, block);
            }
            Kind::INTERFACE => {
                if self.interfaces.len() < limits::INTERFACES {
                    if let Some(interface) = Interface::parse(order, block) {
                        self.notes.interface(order, block, interface.link);
                        self.interfaces.push(interface);
                    }
                } else {
                    found.tell(here, || {
                        format!(
                            "this is one interface more than {}; its packets are left out",
                            limits::INTERFACES
                        )
                    });
                }
            }
            _ => self.notes.other(kind, order, block),
        }
    }

    /// Takes in the packet of a block.
    #[inline]
    fn packet(&mut self, packet: &Packet, here: u64, found: &mut Found<'_>) {
        let Packet { at, header, interface, ticks, captured, original, room } = *packet;
        let Some(described) = self.interfaces.get(interface as usize) else {
            found.tell(here, || {
                format!(
                    "the packet names interface {interface}, which the section does not describe; it is left out"
                )
            });
            return;
        };
        if captured > room {
            found.tell(here, || {
                format!(
                    "the packet says it has {captured} captured bytes, and its block has room for {room}; it is left out"
                )
            });
            return;
        }
        if let Some(ticks) = ticks {
            self.latest = described.clock.time(ticks);
        }
        found.packets.push(PacketMeta {
            time: self.latest,
            start: u32::try_from(at.saturating_add(header)).unwrap_or(u32::MAX),
            captured,
            original: original.max(captured),
            link: described.link,
        });
    }

    /// Passes over a huge block as far as the input goes; `None` when it is behind `at`.
    fn pass_over(&mut self, mut huge: Huge, input: Input<'_>, at: &mut usize) -> Option<Stop> {
        let step = usize::try_from(huge.left).unwrap_or(usize::MAX).min(input.rest(*at).len());
        *at = at.saturating_add(step);
        huge.left = huge.left.saturating_sub(step as u64);
        let rest = input.rest(*at);
        match self.order.words(rest) {
            Some([end]) if huge.left == 0 => {
                if end != huge.length {
                    let why = Why::BlockEnds { start: huge.length, end };
                    return Some(Stop::Lost(huge.offset, why));
                }
                *at = at.saturating_add(4);
                None
            }
            _ if input.last => {
                let passed = u64::from(huge.length).saturating_sub(4).saturating_sub(huge.left);
                let have = passed.saturating_add(rest.len() as u64);
                Some(Stop::Lost(huge.offset, Why::BlockCut { have, of: huge.length }))
            }
            _ => {
                let need = if huge.left == 0 { 4 } else { 1 };
                self.huge = Some(huge);
                Some(Stop::Need(need))
            }
        }
    }
}

/// How a block starts.
struct Start {
    kind: Kind,
    length: u32,
    /// `None` for a section header that does not tell.
    order: Option<ByteOrder>,
}

/// The packet of a block, as the block tells it.
struct Packet {
    /// Where the block starts in the input.
    at: usize,
    /// Bytes of the block before the packet.
    header: usize,
    interface: u32,
    ticks: Option<u64>,
    captured: u32,
    original: u32,
    /// Bytes that the block has for it.
    room: u32,
}

/// What is wrong with the length of a block, if something is.
#[inline]
fn wrong_length(kind: Kind, length: u32) -> Option<Why> {
    let least = kind.least().unwrap_or(LEAST);
    if length < least {
        Some(Why::BlockShort { says: length, least })
    } else if !length.is_multiple_of(4) {
        Some(Why::BlockOdd { says: length })
    } else if !blocks::fits(length) && !kind.may_be_huge() {
        Some(Why::BlockLength { says: length })
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
