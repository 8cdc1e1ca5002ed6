//! What a pcapng file says beside its packets: names and drops of interfaces, comments, keys.

use super::blocks::Kind;
use crate::capture::LinkType;
use crate::capture::facts::{FileFacts, InterfaceFacts, Secrets, start_of};
use crate::capture::order::ByteOrder;
use crate::units::PacketNumber;

/// Collects it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    facts: FileFacts,
    /// Where among the facts the interfaces of the current section begin, and how many the section has.
    section: (usize, usize),
}

impl Notes {
    pub(super) fn facts(&self) -> &FileFacts {
        &self.facts
    }

    /// A section header (pcapng section 4.1).
    pub(super) fn section(&mut self, order: ByteOrder, block: &[u8]) {
        let all = self.facts.interfaces_untold.saturating_add(self.facts.interfaces.len() as u64);
        self.section = (usize::try_from(all).unwrap_or(usize::MAX), 0);
        self.comments(order, block, 24, None);
    }

    /// An interface description (section 4.2).
    pub(super) fn interface(&mut self, order: ByteOrder, block: &[u8], link: LinkType) {
        let mut name = options(order, block, 16).filter(|(code, _)| *code == INTERFACE_NAME);
        let name = name.next().map(|(_, name)| start_of(name)).filter(|name| !name.is_empty());
        self.facts.describe(InterfaceFacts { name, link, dropped: None });
        self.section.1 = self.section.1.saturating_add(1);
        self.comments(order, block, 16, None);
    }

    /// The options of an enhanced packet block (section 4.3), which begin at `from`.
    #[cold]
    pub(super) fn packet(
        &mut self,
        order: ByteOrder,
        block: &[u8],
        from: usize,
        interface: u32,
        number: PacketNumber,
    ) {
        for (code, value) in options(order, block, from) {
            match (code, value.first_chunk()) {
                (COMMENT, _) => self.facts.comment(Some(number), value),
                (PACKET_DROPS, Some(value)) => self.dropped(interface, order.long(*value)),
                _ => {}
            }
        }
    }

    /// Packets that were lost before one of them.
    #[cold]
    pub(super) fn dropped(&mut self, interface: u32, packets: u64) {
        if let Some(interface) = self.of_section(interface) {
            interface.dropped = Some(interface.dropped.unwrap_or_default().saturating_add(packets));
        }
    }

    /// A block that has no packet, or the start of a huge one.
    pub(super) fn other(&mut self, kind: Kind, order: ByteOrder, block: &[u8]) {
        match kind {
            Kind::SECRETS => {
                let secrets = order.words(block).map_or(Secrets::Other, |[_, _, of]| Secrets::of(of));
                self.facts.keys(secrets);
            }
            Kind::STATISTICS => self.statistics(order, block),
            _ => {}
        }
    }

    /// Interface statistics (section 4.6). They count from the start of the capture: the latest hold, and they hold more
    /// than what single packets say.
    fn statistics(&mut self, order: ByteOrder, block: &[u8]) {
        let Some([_kind, _length, interface]) = order.words(block) else { return };
        let drops =
            options(order, block, 20).filter(|(code, _)| matches!(*code, INTERFACE_DROPS | SYSTEM_DROPS));
        let drops: Vec<u64> =
            drops.filter_map(|(_, value)| Some(order.long(*value.first_chunk()?))).collect();
        if let Some(interface) = self.of_section(interface).filter(|_| !drops.is_empty()) {
            interface.dropped = Some(drops.into_iter().fold(0, u64::saturating_add));
        }
    }

    fn of_section(&mut self, interface: u32) -> Option<&mut InterfaceFacts> {
        let (begin, count) = self.section;
        let place = usize::try_from(interface).ok().filter(|place| *place < count)?;
        self.facts.interfaces.get_mut(begin.saturating_add(place))
    }

    fn comments(&mut self, order: ByteOrder, block: &[u8], from: usize, packet: Option<PacketNumber>) {
        for (_, text) in options(order, block, from).filter(|(code, _)| *code == COMMENT) {
            self.facts.comment(packet, text);
        }
    }
}

/// The options of a whole block, which begin at `from` (pcapng section 3.5). They end at nonsense.
pub(super) fn options(order: ByteOrder, block: &[u8], from: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = block.get(from..block.len().saturating_sub(4)).unwrap_or_default();
    std::iter::from_fn(move || {
        let [head] = order.words(rest)?;
        let (code, length) = order.halves(head);
        let (value, behind) = rest.get(4..)?.split_at_checked(usize::from(length))?;
        let padding = usize::from(length).wrapping_neg() & 3;
        rest = behind.get(padding..).unwrap_or_default();
        (code != OPTION_END).then_some((code, value))
    })
}

const OPTION_END: u16 = 0;
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const PACKET_DROPS: u16 = 4;
const INTERFACE_DROPS: u16 = 5;
const SYSTEM_DROPS: u16 = 7;
