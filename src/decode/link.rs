//! Link layers: from the first byte of a packet to its network layer.
//!
//! A new link type is one arm of [`network`] and one small function with its test.

use super::Skip;
use crate::capture::LinkType;

/// What the link layer says comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Ipv4,
    Ipv6,
}

/// Finds the network layer: its kind, and the bytes from its first one on.
pub(super) fn network(link: LinkType, packet: &[u8]) -> Result<(Network, &[u8]), Skip> {
    match link {
        LinkType::ETHERNET => ethernet(packet),
        LinkType::LINUX_SLL2 => linux_sll2(packet),
        LinkType::LINUX_SLL => linux_sll(packet),
        LinkType::RAW | LinkType::RAW_DLT | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => {
            raw(packet)
        }
        LinkType::NULL | LinkType::LOOP => loopback(packet),
        LinkType(other) => Err(Skip::UnknownLink(other)),
    }
}

/// Ethernet II (IEEE 802.3): destination, source, type. A length instead of a type is no IP.
fn ethernet(packet: &[u8]) -> Result<(Network, &[u8]), Skip> {
    let (header, rest) = packet.split_first_chunk::<14>().ok_or(Skip::Cut)?;
    ether_type([header[12], header[13]], rest)
}

/// Linux cooked capture: packet type, ARPHRD type, address length, address, protocol.
fn linux_sll(packet: &[u8]) -> Result<(Network, &[u8]), Skip> {
    let (header, rest) = packet.split_first_chunk::<16>().ok_or(Skip::Cut)?;
    ether_type([header[14], header[15]], rest)
}

/// Linux cooked capture, version 2: protocol, reserved, interface index, ARPHRD type, packet type,
/// address length, address.
fn linux_sll2(packet: &[u8]) -> Result<(Network, &[u8]), Skip> {
    let (header, rest) = packet.split_first_chunk::<20>().ok_or(Skip::Cut)?;
    ether_type([header[0], header[1]], rest)
}

/// Raw IP: the version is the first nibble.
fn raw(packet: &[u8]) -> Result<(Network, &[u8]), Skip> {
    match packet.first().ok_or(Skip::Cut)? >> 4 {
        4 => Ok((Network::Ipv4, packet)),
        6 => Ok((Network::Ipv6, packet)),
        _ => Err(Skip::NotIp),
    }
}

/// BSD loopback: an address family in the byte order of whoever captured, so both orders are tried.
/// The systems agree on 2 for IPv4 and on nothing for IPv6.
fn loopback(packet: &[u8]) -> Result<(Network, &[u8]), Skip> {
    let (header, rest) = packet.split_first_chunk::<4>().ok_or(Skip::Cut)?;
    let family = u32::from_be_bytes(*header).min(u32::from_le_bytes(*header));
    match family {
        2 => Ok((Network::Ipv4, rest)),
        10 | 24 | 28 | 30 => Ok((Network::Ipv6, rest)),
        _ => Err(Skip::NotIp),
    }
}

/// An `EtherType`, through any VLAN tags (IEEE 802.1Q, 802.1ad and the older `QinQ` numbers).
fn ether_type(mut kind: [u8; 2], mut rest: &[u8]) -> Result<(Network, &[u8]), Skip> {
    for _ in 0..=MAX_VLAN_TAGS {
        match u16::from_be_bytes(kind) {
            0x0800 => return Ok((Network::Ipv4, rest)),
            0x86dd => return Ok((Network::Ipv6, rest)),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                let (tag, inner) = rest.split_first_chunk::<4>().ok_or(Skip::Cut)?;
                kind = [tag[2], tag[3]];
                rest = inner;
            }
            _ => return Err(Skip::NotIp),
        }
    }
    Err(Skip::NotIp)
}

/// Two are what `QinQ` needs; more are seen in carriers' networks and in attacks.
const MAX_VLAN_TAGS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(link: LinkType, header: &[u8], expected: Result<Network, Skip>) {
        let packet = [header, &[0x45, 1, 2, 3]].concat();
        let found = network(link, &packet);
        assert_eq!(found.map(|(kind, _)| kind), expected, "{link:?} {header:02x?}");
        if let Ok((_, rest)) = found {
            assert_eq!(rest, [0x45, 1, 2, 3]);
        }
        for cut in 0..header.len() {
            assert!(network(link, &packet[..cut]).is_err(), "{link:?} cut at {cut}");
        }
    }

    #[test]
    fn each_link_type_leads_to_the_network_layer() {
        let addresses = [0u8; 12];
        check(LinkType::ETHERNET, &[&addresses[..], &[8, 0]].concat(), Ok(Network::Ipv4));
        check(LinkType::ETHERNET, &[&addresses[..], &[0x86, 0xdd]].concat(), Ok(Network::Ipv6));
        check(LinkType::ETHERNET, &[&addresses[..], &[0x81, 0, 0, 7, 8, 0]].concat(), Ok(Network::Ipv4));
        let qinq = [&addresses[..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x86, 0xdd]].concat();
        check(LinkType::ETHERNET, &qinq, Ok(Network::Ipv6));
        check(LinkType::LINUX_SLL, &[&[0u8; 14][..], &[8, 0]].concat(), Ok(Network::Ipv4));
        check(LinkType::LINUX_SLL2, &[&[8, 0][..], &[0u8; 18]].concat(), Ok(Network::Ipv4));
        check(LinkType::NULL, &[2, 0, 0, 0], Ok(Network::Ipv4));
        check(LinkType::NULL, &[0, 0, 0, 30], Ok(Network::Ipv6));
        check(LinkType::LOOP, &[0, 0, 0, 24], Ok(Network::Ipv6));
        check(LinkType::RAW, &[], Ok(Network::Ipv4));
    }

    #[test]
    fn what_is_no_ip_is_said_to_be_none() {
        let arp = [&[0u8; 12][..], &[8, 6, 0, 0, 0, 0]].concat();
        assert_eq!(network(LinkType::ETHERNET, &arp), Err(Skip::NotIp));
        assert_eq!(network(LinkType(147), &arp), Err(Skip::UnknownLink(147)));
        let endless_tags = [&[0u8; 12][..], &[0x81, 0, 0, 0].repeat(40)].concat();
        assert_eq!(network(LinkType::ETHERNET, &endless_tags), Err(Skip::NotIp));
    }
}
