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
    /// What is to be said about whatever packet of a connection is copied next.
    next_comments: HashMap<FlowKey, Vec<String>>,
    /// Nothing is wanted after this packet.
    last: PacketNumber,
}

/// The interfaces that are described in a file.
#[derive(Debug, Default)]
pub struct ExportedInterfaces(BTreeMap<LinkType, InterfaceId>);

impl Export {
    /// Adds the packets of a connection. A route needs those of all its legs.
    pub fn add(&mut self, connection: &Connection) {
        // Of what differs from point to point, all that was between the endpoints.
        self.add_packets(connection.tcp.flow.anywhere(), connection.id(), connection.tcp.last.0);
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

    /// Says something about the first packet between two endpoints that is copied from now on: where the packet that it is
    /// about was copied before.
    pub fn comment_next(&mut self, flow: FlowKey, text: String) {
        self.next_comments.entry(flow).or_default().push(text);
    }

    /// Whether something was said about no packet that was copied so far: about this one, or, as
    /// [`Self::comment_next`], about this connection.
    #[must_use]
    pub fn is_left(&self, packet: PacketNumber, flow: &FlowKey, text: &str) -> bool {
        let of_packet = self.comments.get(&packet).into_iter().flatten();
        let of_flow = self.next_comments.get(flow).into_iter().flatten();
        of_packet.chain(of_flow).any(|left| left == text)
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
        &mut self,
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
        &mut self,
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
                let wanted = self.wanted(&mut unwrap, number, packet, captured);
                if wanted != Wanted::Not {
                    let interface = *interfaces
                        .0
                        .entry(packet.link)
                        .or_insert_with(|| out.interface(interface(packet.link, &source.files())));
                    let comments = self.take_comments(number, &wanted);
                    let (time, original) = (packet.time, packet.original);
                    out.packet(interface, &Packet { time, original, captured, comments: &comments })?;
                    copied = copied.saturating_add(1);
                }
            }
            progress(source);
        }
        out.flush()?;
        Ok(copied)
    }

    fn wanted(
        &self,
        unwrap: &mut Unwrap,
        number: PacketNumber,
        packet: &PacketMeta,
        captured: &[u8],
    ) -> Wanted {
        let origin = Origin { packet: number, time: packet.time, file_offset: 0 };
        match decode(packet.link, captured, packet.original, origin) {
            Ok(segment) => self.wanted_of(segment.flow, number),
            Err(reason) => match unwrap.packet(packet.link, captured, packet.original, origin, reason) {
                Ok(Unwrapped::Segment(segment)) => self.wanted_of(segment.flow, number),
                // Nobody knows yet whose fragment it is; without it the others are worth nothing.
                Ok(Unwrapped::Whole(_) | Unwrapped::Kept) | Err(Skip::FragmentCopy)
                    if !self.is_empty() && number <= self.last =>
                {
                    Wanted::Fragment
                }
                Ok(_) | Err(_) => Wanted::Not,
            },
        }
    }

    fn wanted_of(&self, flow: FlowKey, number: PacketNumber) -> Wanted {
        let connections = self.wanted.get(&flow);
        // Two points of capture may show two at the same time.
        let latest = connections.map(|connections| connections.range(..=number).rev().take(AT_A_TIME));
        let is_wanted = latest.is_some_and(|mut latest| latest.any(|(_, last)| number <= *last));
        if is_wanted { Wanted::Of(flow) } else { Wanted::Not }
    }

    /// What is to be said about a packet. It is not said again.
    fn take_comments(&mut self, number: PacketNumber, wanted: &Wanted) -> Vec<String> {
        let mut comments = self.comments.remove(&number).unwrap_or_default();
        if let Wanted::Of(flow) = wanted {
            comments.extend(self.next_comments.remove(flow).unwrap_or_default());
        }
        comments
    }
}

/// Whether a packet is to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Not,
    Of(FlowKey),
    Fragment,
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

/// Connections between the same endpoints that points of capture may show at one time.
const AT_A_TIME: usize = 4;

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
