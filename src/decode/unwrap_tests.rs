//! Tunnels beside plain packets, and fragments beside whole ones.

use proptest::prelude::*;

use super::*;
use crate::units::{PacketNumber, Timestamp};

/// A plain IPv4 packet with TCP.
fn ip4(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(40 + payload.len()).unwrap().to_be_bytes();
    let mut packet =
        vec![0x45, 0, length[0], length[1], 0x12, 0x34, 0x40, 0, 63, 6, 0, 0, 10, 77, 1, 2, 10, 77, 1, 1];
    packet.extend(tcp_of(payload));
    packet
}

/// A plain IPv6 packet with TCP.
fn ip6(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], 6, 61];
    packet.extend([7; 16]);
    packet.extend([3; 16]);
    packet.extend(tcp_of(payload));
    packet
}

fn tcp_of(payload: &[u8]) -> Vec<u8> {
    let header = [0xC3, 0x50, 0, 80, 0xDE, 0xAD, 0xBE, 0xEF, 0, 0, 0, 77, 0x50, 0x18, 1, 2, 0, 0, 0, 0];
    [&header, payload].concat()
}

/// An IPv4 packet with something in it.
fn outer4(protocol: u8, carried: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + carried.len()).unwrap().to_be_bytes();
    let header =
        [0x45, 0, length[0], length[1], 0x77, 0x77, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    [&header, carried].concat()
}

fn outer6(protocol: u8, carried: &[u8]) -> Vec<u8> {
    let length = u16::try_from(carried.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], protocol, 64];
    packet.extend([9; 32]);
    packet.extend(carried);
    packet
}

fn udp(port: u16, carried: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + carried.len()).unwrap().to_be_bytes();
    let port = port.to_be_bytes();
    [&[0xC0, 1, port[0], port[1], length[0], length[1], 0, 0], carried].concat()
}

fn ether(kind: u16, carried: &[u8]) -> Vec<u8> {
    [&[2; 12], &kind.to_be_bytes()[..], carried].concat()
}

fn ip_kind(ip: &[u8]) -> u16 {
    if ip[0] >> 4 == 4 { 0x0800 } else { 0x86DD }
}

/// Every wrapping, by name, of an IP packet.
fn wrapped(ip: &[u8]) -> Vec<(&'static str, LinkType, Vec<u8>)> {
    let kind = ip_kind(ip);
    let ethernet = ether(kind, ip);
    let is4 = kind == 0x0800;
    let ppp = if is4 { [0, 0x21] } else { [0, 0x57] };
    let in_ip = if is4 { 4 } else { 41 };
    let vxlan = udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet[..]].concat());
    let geneve = udp(6081, &[&[1, 0, 0x65, 0x58, 0, 0, 7, 0, 9, 9, 9, 9], &ethernet[..]].concat());
    let gre = |flags: [u8; 2], kind: u16, fields: &[u8], carried: &[u8]| {
        [&flags[..], &kind.to_be_bytes(), fields, carried].concat()
    };
    let tap = [&108_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), &1_u32.to_le_bytes(), &[0; 96], &ethernet]
        .concat();
    let qinq = [&[0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3][..], &kind.to_be_bytes(), ip].concat();
    vec![
        ("ppp", LinkType::PPP, [&ppp, ip].concat()),
        ("ppp with hdlc", LinkType::PPP, [&[0xFF, 3], &ppp[..], ip].concat()),
        ("ppp, short protocol", LinkType::PPP, [&ppp[1..], ip].concat()),
        ("ppp hdlc", LinkType::PPP_HDLC, [&[0xFF, 3], &ppp[..], ip].concat()),
        ("ppp ether", LinkType::PPP_ETHER, [&[0x11, 0, 0, 1, 0, 9], &ppp[..], ip].concat()),
        ("ppp with direction", LinkType::PPP_WITH_DIRECTION, [&[1, 0xFF, 3], &ppp[..], ip].concat()),
        ("cisco hdlc", LinkType::CISCO_HDLC, [&[0xF, 0], &kind.to_be_bytes()[..], ip].concat()),
        ("pktap", LinkType::PKTAP, tap),
        ("pppoe", LinkType::ETHERNET, ether(0x8864, &[&[0x11, 0, 0, 1, 0, 9], &ppp[..], ip].concat())),
        ("snap", LinkType::ETHERNET, {
            ether(1400, &[&[0xAA, 0xAA, 3, 0, 0, 0], &kind.to_be_bytes()[..], ip].concat())
        }),
        ("four tags", LinkType::ETHERNET, ether(0x88A8, &qinq)),
        ("mpls", LinkType::ETHERNET, ether(0x8847, &[&[0, 1, 0, 64, 0, 2, 1, 64], ip].concat())),
        ("mpls pseudowire", LinkType::ETHERNET, {
            ether(0x8847, &[&[0, 2, 1, 64, 0, 0, 0, 0], &ethernet[..]].concat())
        }),
        ("in ipv4", LinkType::ETHERNET, ether(0x0800, &outer4(in_ip, ip))),
        ("in ipv6", LinkType::ETHERNET, ether(0x86DD, &outer6(in_ip, ip))),
        ("gre", LinkType::RAW, outer4(47, &gre([0, 0], kind, &[], ip))),
        ("gre, all fields", LinkType::RAW, outer4(47, &gre([0xB0, 0], kind, &[5; 12], ip))),
        ("gre over ipv6", LinkType::RAW, outer6(47, &gre([0x20, 0], kind, &[5; 4], ip))),
        ("gre tap", LinkType::RAW, outer4(47, &gre([0, 0], 0x6558, &[], &ethernet))),
        ("pptp", LinkType::RAW, {
            outer4(47, &gre([0x30, 0x81], 0x880B, &[5; 12], &[&[0xFF, 3], &ppp[..], ip].concat()))
        }),
        ("erspan 1", LinkType::RAW, outer4(47, &gre([0, 0], 0x88BE, &[], &ethernet))),
        ("erspan 2", LinkType::RAW, outer4(47, &gre([0x10, 0], 0x88BE, &[5; 12], &ethernet))),
        ("erspan 3", LinkType::RAW, outer4(47, &gre([0x10, 0], 0x22EB, &[4; 16], &ethernet))),
        ("vxlan", LinkType::ETHERNET, ether(0x0800, &outer4(17, &vxlan))),
        ("vxlan over ipv6", LinkType::LINUX_SLL2, {
            [&[0x86, 0xDD], &[0; 18][..], &outer6(17, &vxlan)].concat()
        }),
        ("geneve", LinkType::LINUX_SLL, [&[0; 14][..], &[8, 0], &outer4(17, &geneve)].concat()),
        ("vxlan in vxlan", LinkType::RAW, {
            let inner = ether(0x0800, &outer4(17, &vxlan));
            outer4(17, &udp(8472, &[&[8, 0, 0, 0, 0, 0, 7, 0], &inner[..]].concat()))
        }),
    ]
}

/// What the short and the long way together make of a packet.
fn seen(unwrap: &mut Unwrap, link: LinkType, bytes: &[u8], original: usize) -> Result<Option<Seen>, Skip> {
    seen_at(unwrap, link, bytes, original, Timestamp::from_nanos(0))
}

fn seen_at(
    unwrap: &mut Unwrap,
    link: LinkType,
    bytes: &[u8],
    original: usize,
    time: Timestamp,
) -> Result<Option<Seen>, Skip> {
    let origin = Origin { packet: PacketNumber(1), time, file_offset: 0 };
    let original = u32::try_from(original).unwrap();
    let reason = match decode(link, bytes, original, origin) {
        Ok(segment) => return Ok(Some(Seen::of(&segment))),
        Err(reason) => reason,
    };
    Ok(match unwrap.packet(link, bytes, original, origin, reason)? {
        Unwrapped::Segment(segment) | Unwrapped::Whole(segment) => Some(Seen::of(&segment)),
        Unwrapped::Kept => None,
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    sides: (String, String),
    numbers: (u32, u32, u8),
    hop_limit: u8,
    length: u32,
    payload: Vec<u8>,
}

impl Seen {
    fn of(segment: &Segment<'_>) -> Self {
        let endpoint = |half| segment.flow.endpoint(half).to_string();
        Self {
            sides: (endpoint(segment.half), endpoint(segment.half.other())),
            numbers: (segment.sequence, segment.acknowledgment, segment.flags.0),
            hop_limit: segment.hop_limit,
            length: segment.payload_length,
            payload: segment.payload.to_vec(),
        }
    }
}

fn plain(ip: &[u8]) -> Seen {
    seen(&mut Unwrap::default(), LinkType::RAW, ip, ip.len()).unwrap().unwrap()
}

#[test]
fn every_wrapping_has_the_same_segment_in_it() {
    for ip in [ip4(b"GET / HTTP/1.1"), ip6(b"GET / HTTP/1.1")] {
        let expected = plain(&ip);
        for (name, link, packet) in wrapped(&ip) {
            let mut unwrap = Unwrap::default();
            assert_eq!(seen(&mut unwrap, link, &packet, packet.len()).unwrap().unwrap(), expected, "{name}");
            for cut in 0..packet.len() {
                match seen(&mut unwrap, link, &packet[..cut], packet.len()) {
                    Ok(Some(found)) => {
                        assert!(cut >= packet.len() - 14, "{name} cut at {cut}");
                        assert_eq!(
                            (found.length, &found.sides),
                            (14, &expected.sides),
                            "{name} cut at {cut}"
                        );
                        assert_eq!(found.payload, b"GET / HTTP/1.1"[..14 - (packet.len() - cut)]);
                    }
                    other => {
                        assert!(other.is_err() && cut < packet.len() - 14, "{name} cut at {cut}: {other:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_something_else_is_said_to_be() {
    let mut unwrap = Unwrap::default();
    let mut skip = |link, bytes: &[u8]| seen(&mut unwrap, link, bytes, bytes.len()).unwrap_err();
    assert_eq!(skip(LinkType::ETHERNET, &ether(0x0806, &[0; 28])), Skip::Link(LinkProtocol::Arp));
    let discovery = ether(0x8863, &[0x11, 9, 0, 0, 0, 0]);
    assert_eq!(skip(LinkType::ETHERNET, &discovery), Skip::Link(LinkProtocol::PppoeDiscovery));
    let tagged = ether(0x8100, &[&[0, 7, 0x88, 0xCC][..], &[0; 20]].concat());
    assert_eq!(skip(LinkType::ETHERNET, &tagged), Skip::Link(LinkProtocol::Lldp));
    let spanning_tree = ether(38, &[&[0x42, 0x42, 3][..], &[0; 35]].concat());
    assert_eq!(skip(LinkType::ETHERNET, &spanning_tree), Skip::Link(LinkProtocol::SpanningTree));
    assert_eq!(skip(LinkType::ETHERNET, &ether(20, &[0xE0; 20])), Skip::Link(LinkProtocol::LogicalLink));
    assert_eq!(skip(LinkType::ETHERNET, &ether(0x88B5, &[0; 20])), Skip::NotIp);
    assert_eq!(
        skip(LinkType::ETHERNET, &ether(0x8864, &[0x11, 0, 0, 1, 0, 4, 0xC0, 0x21, 9, 9])),
        Skip::Link(LinkProtocol::PppControl)
    );
    assert_eq!(skip(LinkType::RAW, &outer4(17, &udp(53, b"question"))), Skip::NotTcp);
    assert_eq!(skip(LinkType::RAW, &outer4(17, &udp(4789, b"\0o vxlan"))), Skip::NotTcp);
    assert_eq!(skip(LinkType::RAW, &outer4(50, b"encrypted")), Skip::NotTcp);
    assert_eq!(skip(LinkType(105), b"beacon"), Skip::UnknownLink(105));
    let endless = |times: usize| (0..times).fold(ip4(b"x"), |packet, _| outer4(4, &packet));
    assert_eq!(skip(LinkType::RAW, &endless(40)), Skip::TooDeep);
    assert_eq!(seen(&mut unwrap, LinkType::RAW, &endless(10), 241).unwrap().unwrap(), plain(&ip4(b"x")));
}

/// Fragments of a packet, cut at these places, which are multiples of eight.
fn fragments(ip: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let is4 = ip[0] >> 4 == 4;
    let (header, carried) = ip.split_at(if is4 { 20 } else { 40 });
    let mut edges = vec![0];
    edges.extend(cuts.iter().copied().filter(|cut| *cut < carried.len()));
    edges.push(carried.len());
    let fragment = |edge: &[usize]| fragment(header, carried, edge[0], edge[1]);
    edges.windows(2).map(fragment).collect()
}

fn fragment(header: &[u8], carried: &[u8], from: usize, to: usize) -> Vec<u8> {
    let more = u16::from(to < carried.len());
    let mut packet = header.to_vec();
    if header.len() == 20 {
        let place = (u16::try_from(from / 8).unwrap() | more << 13).to_be_bytes();
        packet[2..4].copy_from_slice(&u16::try_from(20 + to - from).unwrap().to_be_bytes());
        packet[6..8].copy_from_slice(&place);
    } else {
        let place = (u16::try_from(from).unwrap() | more).to_be_bytes();
        packet[4..6].copy_from_slice(&u16::try_from(8 + to - from).unwrap().to_be_bytes());
        let protocol = std::mem::replace(&mut packet[6], 44);
        packet.extend([protocol, 0, place[0], place[1], 0, 1, 2, 3]);
    }
    packet.extend(&carried[from..to]);
    packet
}

#[test]
fn fragments_in_tunnels_and_tunnels_in_fragments_are_put_together() {
    let payload: Vec<u8> = (0..=255).cycle().take(3000).collect();
    for ip in [ip4(&payload), ip6(&payload)] {
        let expected = plain(&ip);
        for (name, link, packet) in wrapped(&ip) {
            // The tunnel's own packet in fragments, where it is IP that can be seen at once.
            if link != LinkType::RAW {
                continue;
            }
            let mut unwrap = Unwrap::default();
            let mut found: Vec<Seen> = Vec::new();
            for part in fragments(&packet, &[1400, 2800]) {
                found.extend(seen(&mut unwrap, link, &part, part.len()).unwrap());
            }
            assert_eq!(found, [plain(&ip)], "{name}");
            assert_eq!(unwrap.take_lost(true), 0);
        }
        let mut unwrap = Unwrap::default();
        let mut found = Vec::new();
        for part in fragments(&ip, &[8, 16, 1480]) {
            for (.., link, packet) in wrapped(&part).into_iter().take(1) {
                found.extend(seen(&mut unwrap, link, &packet, packet.len()).unwrap());
            }
        }
        assert_eq!(found, [expected]);
    }
}

#[test]
fn fragments_that_do_not_become_whole_are_counted() {
    let payload = [5; 3000];
    let parts = fragments(&ip4(&payload), &[1400, 2800]);
    let mut unwrap = Unwrap::default();
    let mut add = |part: &[u8], seconds: i64| {
        seen_at(&mut unwrap, LinkType::RAW, part, part.len(), Timestamp::from_parts(seconds, 0))
    };
    assert_eq!(add(&parts[0], 0), Ok(None));
    assert_eq!(add(&parts[2], 29), Ok(None));
    // Too late for the first two.
    assert_eq!(add(&parts[1], 31), Ok(None));
    assert_eq!(unwrap.take_lost(false), 2);
    assert_eq!(unwrap.take_lost(true), 1);
    assert_eq!(unwrap.take_lost(true), 0);
    let cut = &parts[0][..1000];
    assert_eq!(seen(&mut unwrap, LinkType::RAW, cut, parts[0].len()), Err(Skip::Cut));
}

#[test]
fn copies_of_fragments_are_no_packet_of_their_own() {
    let parts = fragments(&ip4(&[5; 3000]), &[1400, 2800]);
    let mut unwrap = Unwrap::default();
    let mut found = Vec::new();
    for part in parts.iter().flat_map(|part| [part, part]) {
        found.push(seen(&mut unwrap, LinkType::RAW, part, part.len()));
    }
    assert_eq!(found.iter().filter(|found| matches!(found, Ok(Some(_)))).count(), 1);
    assert_eq!(found.last().unwrap(), &Err(Skip::FragmentCopy));
    assert_eq!(unwrap.take_lost(true), 0);
}

#[test]
fn a_flood_of_fragments_stays_within_its_limits() {
    let mut unwrap = Unwrap::default();
    let mut kept = 0;
    for number in 0..5_000_u16 {
        let mut packet = ip4(&[0; 3000]);
        packet[4..6].copy_from_slice(&number.to_be_bytes());
        let parts = fragments(&packet, &[1400]);
        kept += u64::from(seen(&mut unwrap, LinkType::RAW, &parts[0], parts[0].len()) == Ok(None));
    }
    let given_up = unwrap.take_lost(false);
    assert!(given_up >= 5_000 - crate::limits::FRAGMENTED_PACKETS as u64);
    assert_eq!(given_up + unwrap.take_lost(true), kept);
}

proptest! {
    #[test]
    fn fragments_in_any_order_and_overlapping_are_the_packet(
        six in any::<bool>(),
        payload in prop::collection::vec(any::<u8>(), 100..2000),
        cuts in prop::collection::btree_set(1_usize..250, 1..12),
        overlaps in prop::collection::vec((0_usize..250, 0_usize..250), 0..6),
        order in any::<prop::sample::Index>(),
    ) {
        let ip = if six { ip6(&payload) } else { ip4(&payload) };
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut * 8).collect();
        let mut parts = fragments(&ip, &cuts);
        // Beside a packet that is in one piece the others would be another packet.
        prop_assume!(parts.len() > 1);
        let (header, carried) = ip.split_at(if six { 40 } else { 20 });
        for (from, to) in overlaps {
            let (from, to) = (from.min(to) * 8, (from.max(to) * 8 + 8).min(carried.len()));
            if from < to && (from, to) != (0, carried.len()) {
                parts.push(fragment(header, carried, from, to));
            }
        }
        let turn = order.index(parts.len());
        parts.rotate_left(turn);
        let mut unwrap = Unwrap::default();
        let mut found = Vec::new();
        for part in &parts {
            match seen(&mut unwrap, LinkType::RAW, part, part.len()) {
                Ok(seen) => found.extend(seen),
                Err(skip) => prop_assert_eq!(skip, Skip::FragmentCopy),
            }
        }
        prop_assert_eq!(found, [plain(&ip)]);
    }

    #[test]
    fn any_bytes_through_any_wrapping_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
    ) {
        let wrappings = wrapped(&ip4(&bytes));
        let (_, link, packet) = &wrappings[which.index(wrappings.len())];
        let mut packet = packet.clone();
        let at = at.index(packet.len());
        for (to, from) in packet[at..].iter_mut().zip(&bytes) {
            *to = *from;
        }
        let _ = seen(&mut Unwrap::default(), *link, &packet, packet.len());
    }
}
