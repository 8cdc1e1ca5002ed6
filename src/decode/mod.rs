//! From a captured packet to a TCP segment.
//!
//! The common path (Ethernet or cooked Linux, IPv4 or IPv6, TCP) is read here byte by byte, since it runs for
//! every packet: it costs a third of what general-purpose slices cost. etherparse walks the rare IPv6
//! extension headers, and in the tests it is the second opinion on everything.
//!
//! Tunnels, rare link layers and fragments take the long way (`Unwrap`), and only what the short one leaves.
//!
//! This room does no I/O, and keeps nothing between packets but fragments.

mod fragments;
mod ip;
mod link;
mod link_protocol;
mod segment;
mod tunnel;
mod unwrap;

pub use link_protocol::LinkProtocol;
pub use segment::{Flags, FlowKey, Half, Segment};
pub use unwrap::{Unwrap, Unwrapped};

use crate::capture::LinkType;
use crate::units::Origin;
use link::Network;

/// Why a packet yields no TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// The link layer says that it is something else. [`decode`] says no more than that.
    NotIp,
    /// The link layer says that it is this.
    Link(LinkProtocol),
    /// IP, but another protocol, such as UDP.
    NotTcp,
    /// A fragment of an IP packet that did not become whole. [`decode`] says so of each fragment, since it keeps none.
    Fragment,
    /// A fragment of an IP packet that was whole already.
    FragmentCopy,
    /// Headers in headers without end.
    TooDeep,
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
    decode_usual(link, captured, origin).map_or_else(|| any_packet(link, captured, original, origin), Ok)
}

/// The segment in a packet that is what most packets are: Ethernet, IPv4 without options and in one piece, TCP, captured
/// as a whole. Everything stands at its place there, which one look can tell. Whatever else it is, [`decode`] says.
#[inline]
#[must_use]
pub fn decode_usual(link: LinkType, captured: &[u8], origin: Origin) -> Option<Segment<'_>> {
    if link != LinkType::ETHERNET {
        return None;
    }
    let header = captured.first_chunk::<54>()?;
    let word = |at: [u8; 2]| usize::from(u16::from_be_bytes(at));
    let is_ipv4 = word([header[12], header[13]]) == 0x0800 && header[14] == 0x45;
    // RFC 791 section 3.1: the more-fragments bit or an offset makes it a fragment.
    let is_fragment = word([header[20], header[21]]) & 0x3fff != 0;
    if !is_ipv4 || is_fragment || header[23] != ip::TCP {
        return None;
    }
    let header_length = usize::from(header[46] >> 4).saturating_mul(4);
    let start = header_length.saturating_add(34);
    let end = word([header[16], header[17]]).saturating_add(14);
    let payload = captured.get(start..end).filter(|_| header_length >= 20)?;
    let source =
        ([header[26], header[27], header[28], header[29]], u16::from_be_bytes([header[34], header[35]]));
    let destination =
        ([header[30], header[31], header[32], header[33]], u16::from_be_bytes([header[36], header[37]]));
    let (flow, half) = FlowKey::ipv4(source, destination);
    Some(Segment {
        flow,
        half,
        sequence: u32::from_be_bytes([header[38], header[39], header[40], header[41]]),
        acknowledgment: u32::from_be_bytes([header[42], header[43], header[44], header[45]]),
        flags: Flags(header[47]),
        hop_limit: header[22],
        identification: u16::from_be_bytes([header[18], header[19]]),
        window: u16::from_be_bytes([header[48], header[49]]),
        header: captured.get(34..start).unwrap_or_default(),
        payload,
        payload_length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        origin,
    })
}

/// The segment in any packet.
#[inline(never)]
fn any_packet(link: LinkType, captured: &[u8], original: u32, origin: Origin) -> Result<Segment<'_>, Skip> {
    let (network, packet) = link::network(link, captured)?;
    let link_length = captured.len().saturating_sub(packet.len());
    let original = (original as usize).max(captured.len()).saturating_sub(link_length);
    match network {
        Network::Ipv4 => {
            let carried = ip::ipv4(packet, original)?;
            let about = (carried.hop_limit, carried.identification, origin);
            tcp(carried.bytes, carried.length, about, |ports| {
                FlowKey::ipv4((carried.source, ports.0), (carried.destination, ports.1))
            })
        }
        Network::Ipv6 => {
            let carried = ip::ipv6(packet, original)?;
            let about = (carried.hop_limit, carried.identification, origin);
            tcp(carried.bytes, carried.length, about, |ports| {
                FlowKey::ipv6((carried.source, ports.0), (carried.destination, ports.1))
            })
        }
    }
}

/// A TCP header (RFC 9293 section 3.1) and its payload. `length` is what both have on the wire.
#[inline]
fn tcp(
    bytes: &[u8],
    length: usize,
    (hop_limit, identification, origin): (u8, u16, Origin),
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
        identification,
        window: u16::from_be_bytes([header[14], header[15]]),
        header: bytes.get(..header_length).unwrap_or(bytes),
        // Options that a snap length cut leave an empty payload of a known length.
        payload: bytes.get(header_length..).unwrap_or_default(),
        payload_length: u32::try_from(length.saturating_sub(header_length)).unwrap_or(u32::MAX),
        origin,
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod unwrap_tests;
