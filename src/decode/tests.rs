//! Decoding against etherparse, an independent implementation.

use etherparse::{LaxSlicedPacket, PacketBuilder, TransportSlice};
use proptest::prelude::*;

use super::*;

fn decoded(link: LinkType, packet: &[u8]) -> Result<Segment<'_>, Skip> {
    decode(link, packet, u32::try_from(packet.len()).unwrap(), Origin::default())
}

/// An Ethernet packet; `tags` VLAN tags, IPv4 or IPv6.
fn packet(version: u8, tags: u8, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6]);
    let tag = |id: u16| id.try_into().unwrap();
    let ip4 = etherparse::IpHeaders::Ipv4(
        etherparse::Ipv4Header {
            source: [10, 77, 1, 2],
            destination: [10, 77, 1, 1],
            protocol: IP_TCP,
            time_to_live: 63,
            ..Default::default()
        },
        etherparse::Ipv4Extensions::default(),
    );
    let ip6 = etherparse::IpHeaders::Ipv6(
        etherparse::Ipv6Header {
            source: [7; 16],
            destination: [3; 16],
            next_header: IP_TCP,
            hop_limit: 61,
            ..Default::default()
        },
        etherparse::Ipv6Extensions::default(),
    );
    let ip = if version == 4 { ip4 } else { ip6 };
    let mut tcp = etherparse::TcpHeader::new(50_000, 80, 0xdead_beef, 1024);
    (tcp.ack, tcp.psh, tcp.acknowledgment_number) = (true, true, 77);
    let mut bytes = Vec::new();
    match tags {
        0 => builder.ip(ip).tcp_header(tcp).write(&mut bytes, payload).unwrap(),
        1 => builder.single_vlan(tag(1)).ip(ip).tcp_header(tcp).write(&mut bytes, payload).unwrap(),
        _ => builder.double_vlan(tag(1), tag(2)).ip(ip).tcp_header(tcp).write(&mut bytes, payload).unwrap(),
    }
    bytes
}

const IP_TCP: etherparse::IpNumber = etherparse::IpNumber::TCP;

/// What etherparse makes of an Ethernet packet: ports, sequence number, payload.
fn second_opinion(packet: &[u8]) -> Option<(u16, u16, u32, Vec<u8>)> {
    let sliced = LaxSlicedPacket::from_ethernet(packet).ok()?;
    match sliced.transport? {
        TransportSlice::Tcp(tcp) => {
            Some((tcp.source_port(), tcp.destination_port(), tcp.sequence_number(), tcp.payload().to_vec()))
        }
        _ => None,
    }
}

#[test]
fn a_segment_comes_out_of_every_wrapping() {
    for version in [4, 6] {
        for tags in 0..=2 {
            let bytes = packet(version, tags, b"GET / HTTP/1.1");
            let segment = decoded(LinkType::ETHERNET, &bytes).unwrap();
            assert_eq!(segment.payload, b"GET / HTTP/1.1");
            assert_eq!(segment.hop_limit, if version == 4 { 63 } else { 61 });
            assert_eq!((segment.sequence, segment.acknowledgment), (0xdead_beef, 77));
            assert!(segment.flags.has(Flags::ACK) && !segment.flags.has(Flags::SYN.with(Flags::FIN)));
            assert_eq!(segment.flow.endpoint(segment.half).port, 50_000);
            assert_eq!(segment.flow.endpoint(segment.half.other()).port, 80);
        }
    }
}

/// The short way says what the long way says, or nothing: each byte of the headers wrong, and every cut.
#[test]
fn the_short_way_is_that_of_any_packet() {
    let whole = packet(4, 0, b"GET / HTTP/1.1");
    let agrees = |bytes: &[u8]| {
        let length = u32::try_from(whole.len()).unwrap();
        let long = any_packet(LinkType::ETHERNET, bytes, length, Origin::default());
        let short = decode_usual(LinkType::ETHERNET, bytes, Origin::default());
        assert!(
            short.is_none() || format!("{:?}", short.unwrap()) == format!("{:?}", long.unwrap()),
            "{bytes:x?}"
        );
        short.is_some()
    };
    assert!(agrees(&whole) && agrees(&[&whole[..], b"padding"].concat()));
    for at in 0..54 {
        for value in 0..=u8::MAX {
            let mut bytes = whole.clone();
            bytes[at] = value;
            agrees(&bytes);
        }
    }
    for cut in 0..whole.len() {
        assert!(!agrees(&whole[..cut]), "{cut}");
    }
}

#[test]
fn padding_is_no_payload() {
    let mut bytes = packet(4, 0, b"");
    bytes.resize(60, 0);
    assert_eq!(decoded(LinkType::ETHERNET, &bytes).unwrap().payload_length, 0);
}

#[test]
fn a_cut_packet_is_used_as_far_as_it_goes() {
    for version in [4, 6] {
        let whole = packet(version, 0, &[0x5a; 100]);
        let header = whole.len() - 100;
        for cut in 0..whole.len() {
            let segment = decode(
                LinkType::ETHERNET,
                &whole[..cut],
                u32::try_from(whole.len()).unwrap(),
                Origin::default(),
            );
            match segment {
                Ok(segment) => {
                    assert!(cut >= header);
                    assert_eq!(segment.payload.len(), cut - header);
                    assert_eq!(segment.payload_length, 100);
                }
                Err(skip) => {
                    assert!(cut < header, "cut at {cut}");
                    assert_eq!(skip, Skip::Cut);
                }
            }
        }
    }
}

#[test]
fn a_total_length_of_zero_means_as_long_as_the_packet() {
    let mut bytes = packet(4, 0, b"offloaded");
    bytes[16..18].copy_from_slice(&[0, 0]);
    assert_eq!(decoded(LinkType::ETHERNET, &bytes).unwrap().payload, b"offloaded");
}

#[test]
fn extension_headers_are_walked() {
    let mut bytes = packet(6, 0, b"data");
    // A hop-by-hop header of 8 bytes and a destination-options header of 16 between IPv6 and TCP.
    let extensions = [60, 0, 1, 4, 0, 0, 0, 0, 6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[20] = 0;
    let length = u16::from_be_bytes([bytes[18], bytes[19]]) + 24;
    bytes[18..20].copy_from_slice(&length.to_be_bytes());
    bytes.splice(54..54, extensions);
    let segment = decoded(LinkType::ETHERNET, &bytes).unwrap();
    assert_eq!((segment.payload, segment.payload_length), (&b"data"[..], 4));
    for cut in 54..54 + extensions.len() {
        assert!(decoded(LinkType::ETHERNET, &bytes[..cut]).is_err());
    }
}

#[test]
fn what_is_no_tcp_says_why() {
    let mut fragment = packet(4, 0, b"data");
    fragment[20] = 0x20;
    assert_eq!(decoded(LinkType::ETHERNET, &fragment).unwrap_err(), Skip::Fragment);
    let mut udp = packet(4, 0, b"data");
    udp[23] = 17;
    assert_eq!(decoded(LinkType::ETHERNET, &udp).unwrap_err(), Skip::NotTcp);
    let mut short_header = packet(4, 0, b"data");
    short_header[46] = 0x40;
    assert_eq!(decoded(LinkType::ETHERNET, &short_header).unwrap_err(), Skip::Malformed);
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(link in prop_oneof![Just(0u16), Just(1), Just(12), Just(101), Just(108), Just(113), Just(228),
        Just(276)], bytes in prop::collection::vec(any::<u8>(), 0..128)) {
        let _ = decoded(LinkType(link), &bytes);
    }

    #[test]
    fn etherparse_agrees(version in prop_oneof![Just(4u8), Just(6)], tags in 0u8..3,
        payload in prop::collection::vec(any::<u8>(), 0..64), at in 0usize..200, value in any::<u8>(), cut in 0usize..200) {
        let mut bytes = packet(version, tags, &payload);
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len().saturating_sub(cut % 40));
        if let (Ok(ours), Some((source, destination, sequence, payload))) =
            (decoded(LinkType::ETHERNET, &bytes), second_opinion(&bytes)) {
            prop_assert_eq!(ours.flow.endpoint(ours.half).port, source);
            prop_assert_eq!(ours.flow.endpoint(ours.half.other()).port, destination);
            prop_assert_eq!(ours.sequence, sequence);
            prop_assert_eq!(ours.payload, &payload[..]);
        }
    }

    #[test]
    fn nothing_that_etherparse_finds_whole_is_lost(version in prop_oneof![Just(4u8), Just(6)], tags in 0u8..3,
        payload in prop::collection::vec(any::<u8>(), 0..64)) {
        let bytes = packet(version, tags, &payload);
        prop_assert!(second_opinion(&bytes).is_some());
        prop_assert!(decoded(LinkType::ETHERNET, &bytes).is_ok());
    }
}
