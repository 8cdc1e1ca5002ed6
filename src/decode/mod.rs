//! From a captured packet to a TCP segment.
//!
//! The common path (Ethernet or cooked Linux, IPv4 or IPv6, TCP) is read here byte by byte, since it runs for
//! every packet: it costs a third of what general-purpose slices cost. etherparse walks the rare IPv6
//! extension headers, and in the tests it is the second opinion on everything.
//!
//! This room does no I/O and keeps nothing between packets.

mod ip;
mod link;
mod segment;

pub use segment::{Flags, FlowKey, Half, Segment};

use crate::capture::LinkType;
use crate::units::Origin;
use link::Network;

/// Why a packet yields no TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// The link layer says that it is something else, such as ARP.
    NotIp,
    /// IP, but another protocol, such as UDP.
    NotTcp,
    /// A fragment of an IP packet.
    Fragment,
    /// The capture has too little of it to see the TCP header.
    Cut,
    /// Lengths or versions that contradict each other.
    Malformed,
    /// A link type that is not read.
    UnknownLink(u16),
}

/// Finds the TCP segment in a packet.
///
/// `captured` is what the capture has of the packet, `original` how long it was on the wire.
///
/// # Errors
/// If there is no segment to be found, the reason why.
pub fn decode(link: LinkType, captured: &[u8], original: u32, origin: Origin) -> Result<Segment<'_>, Skip> {
    let (network, packet) = link::network(link, captured)?;
    let link_length = captured.len().saturating_sub(packet.len());
    let original = (original as usize).max(captured.len()).saturating_sub(link_length);
    match network {
        Network::Ipv4 => {
            let carried = ip::ipv4(packet, original)?;
            tcp(carried.bytes, carried.length, carried.hop_limit, origin, |ports| {
                FlowKey::ipv4((carried.source, ports.0), (carried.destination, ports.1))
            })
        }
        Network::Ipv6 => {
            let carried = ip::ipv6(packet, original)?;
            tcp(carried.bytes, carried.length, carried.hop_limit, origin, |ports| {
                FlowKey::ipv6((carried.source, ports.0), (carried.destination, ports.1))
            })
        }
    }
}

/// A TCP header (RFC 9293 section 3.1) and its payload. `length` is what both have on the wire.
fn tcp(
    bytes: &[u8],
    length: usize,
    hop_limit: u8,
    origin: Origin,
    flow: impl FnOnce((u16, u16)) -> (FlowKey, Half),
) -> Result<Segment<'_>, Skip> {
    if length < 20 {
        return Err(Skip::Malformed);
    }
    let header = bytes.first_chunk::<20>().ok_or(Skip::Cut)?;
    let header_length = usize::from(header[12] >> 4).saturating_mul(4);
    if header_length < header.len() || header_length > length {
        return Err(Skip::Malformed);
    }
    let ports = (u16::from_be_bytes([header[0], header[1]]), u16::from_be_bytes([header[2], header[3]]));
    let (flow, half) = flow(ports);
    Ok(Segment {
        flow,
        half,
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: Flags(header[13]),
        hop_limit,
        // Options that a snap length cut leave an empty payload of a known length.
        payload: bytes.get(header_length..).unwrap_or_default(),
        payload_length: u32::try_from(length.saturating_sub(header_length)).unwrap_or(u32::MAX),
        origin,
    })
}

#[cfg(test)]
mod tests;
