//! Copies the packets of some connections from their capture into a file of their own.

use std::collections::{BTreeMap, HashMap};

use crate::capture::{
    Block, CaptureError, FileFacts, Interface, InterfaceId, LinkType, Packet, PacketMeta, PcapngOutput,
    Source,
};
use crate::decode::{FlowKey, Skip, Unwrap, Unwrapped, decode};
use crate::model::Connection;
use crate::units::{Origin, PacketNumber};

/// Which packets are to be copied, and what is to be said about them.
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// For each pair of endpoints the first packets of their connections, with the last ones: ports are used again.
    wanted: HashMap<FlowKey, BTreeMap<PacketNumber, PacketNumber>>,
    comments: BTreeMap<PacketNumber, Vec<String>>,
    /// Nothing is wanted after this packet.
    last: PacketNumber,
}

/// The interfaces that are described in a file.
#[derive(Debug, Default)]
pub struct ExportedInterfaces(BTreeMap<LinkType, InterfaceId>);

impl Export {
    /// Adds the packets of a connection. A route needs those of all its legs.
    pub fn add(&mut self, connection: &Connection) {
        self.add_packets(connection.tcp.flow, connection.id(), connection.tcp.last.0);
    }

    /// Adds the packets between two endpoints from one packet to another.
    pub fn add_packets(&mut self, flow: FlowKey, first: PacketNumber, last: PacketNumber) {
        self.last = self.last.max(last);
        self.wanted.entry(flow).or_default().insert(first, last);
    }

    /// Says something about a packet, if it is copied. The text is for people: it must have been redacted and escaped.
    pub fn comment(&mut self, packet: PacketNumber, text: String) {
        self.comments.entry(packet).or_default().push(text);
    }

    /// Whether there is nothing to be copied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Reads a capture from its beginning and copies what is wanted, with times and link types as they are. Returns
    /// how many packets that were. `progress` is called after each block.
    ///
    /// # Errors
    /// If the capture cannot be read again, or the file cannot be written.
    pub fn copy<S: Source>(
        &self,
        source: &mut S,
        out: &mut PcapngOutput,
        progress: impl FnMut(&S),
    ) -> Result<u64, CaptureError> {
        self.copy_more(source, out, &mut ExportedInterfaces::default(), progress)
    }

    /// The same for a file to which something was copied before, with these interfaces.
    ///
    /// # Errors
    /// As those of [`Self::copy`].
    pub fn copy_more<S: Source>(
        &self,
        source: &mut S,
        out: &mut PcapngOutput,
        interfaces: &mut ExportedInterfaces,
        mut progress: impl FnMut(&S),
    ) -> Result<u64, CaptureError> {
        let mut unwrap = Unwrap::default();
        let mut block = Block::default();
        let mut copied = 0u64;
        while source.next_block(&mut block)? && block.first <= self.last {
            let numbers = (block.first.0..).map(PacketNumber);
            for (number, packet) in numbers.zip(&block.packets) {
                let captured = block.captured(packet);
                if self.wants(&mut unwrap, number, packet, captured) {
                    let interface = *interfaces
                        .0
                        .entry(packet.link)
                        .or_insert_with(|| out.interface(interface(packet.link, &source.files())));
                    self.write(number, packet, captured, interface, out)?;
                    copied = copied.saturating_add(1);
                }
            }
            progress(source);
        }
        out.flush()?;
        Ok(copied)
    }

    fn wants(&self, unwrap: &mut Unwrap, number: PacketNumber, packet: &PacketMeta, captured: &[u8]) -> bool {
        let origin = Origin { packet: number, time: packet.time, file_offset: 0 };
        match decode(packet.link, captured, packet.original, origin) {
            Ok(segment) => self.wants_of(&segment.flow, number),
            Err(reason) => match unwrap.packet(packet.link, captured, packet.original, origin, reason) {
                Ok(Unwrapped::Segment(segment)) => self.wants_of(&segment.flow, number),
                // Nobody knows yet whose fragment it is; without it the others are worth nothing.
                Ok(Unwrapped::Whole(_) | Unwrapped::Kept) | Err(Skip::FragmentCopy) => {
                    !self.is_empty() && number <= self.last
                }
                Err(_) => false,
            },
        }
    }

    fn wants_of(&self, flow: &FlowKey, number: PacketNumber) -> bool {
        let connections = self.wanted.get(flow);
        let latest = connections.and_then(|connections| connections.range(..=number).next_back());
        latest.is_some_and(|(_, last)| number <= *last)
    }

    fn write(
        &self,
        number: PacketNumber,
        packet: &PacketMeta,
        captured: &[u8],
        interface: InterfaceId,
        out: &mut PcapngOutput,
    ) -> Result<(), CaptureError> {
        let comments = self.comments.get(&number).map(Vec::as_slice).unwrap_or_default();
        let packet = Packet { time: packet.time, original: packet.original, captured, comments };
        out.packet(interface, &packet)
    }
}

/// The interface for packets of a link type. Which one a packet came through is not kept: it has a name if all that are
/// of this type have the same.
fn interface(link: LinkType, files: &[FileFacts]) -> Interface {
    let mut names = files
        .iter()
        .flat_map(|file| &file.interfaces)
        .filter(|interface| interface.link == link)
        .map(|interface| interface.name.as_ref());
    let name = names.next().flatten().filter(|name| names.all(|other| other == Some(*name)));
    Interface { name: name.cloned(), ..Interface::of(link) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::InterfaceFacts;

    #[test]
    fn an_interface_has_the_name_that_all_of_its_type_have() {
        let facts = |name: Option<&str>, link| InterfaceFacts {
            name: name.map(str::to_owned),
            link: LinkType(link),
            dropped: None,
        };
        let named = |interfaces: Vec<InterfaceFacts>| {
            let files = [FileFacts { interfaces, ..FileFacts::default() }];
            interface(LinkType::ETHERNET, &files).name
        };
        assert_eq!(named(vec![]), None);
        assert_eq!(named(vec![facts(Some("eth0"), 1), facts(Some("any"), 113)]), Some("eth0".to_owned()));
        assert_eq!(named(vec![facts(Some("eth0"), 1), facts(Some("eth0"), 1)]), Some("eth0".to_owned()));
        assert_eq!(named(vec![facts(Some("eth0"), 1), facts(Some("eth1"), 1)]), None);
        assert_eq!(named(vec![facts(Some("eth0"), 1), facts(None, 1)]), None);
    }
}
