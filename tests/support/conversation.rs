//! Conversations made up packet by packet, for captures of any format and link type.

#![allow(dead_code, reason = "not every test needs everything")]

use crate::testing::{PcapFile, PcapngFile};

/// A request that an answer of [`SWITCH`] fits.
pub(crate) const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: chat.example.test\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The example of RFC 6455 section 1.3.
pub(crate) const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// How the network layer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ip {
    V4,
    V6,
    /// With a hop-by-hop header and destination options before TCP.
    V6Extended,
}

/// How the link layer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    Vlan,
    QinQ,
    Sll,
    Sll2,
    Raw,
    Loopback,
    Ppp,
    Pppoe,
    Mpls,
    Gre,
    InIp,
    Vxlan,
    Geneve,
}

/// One TCP connection, as IP packets in the order in which they are sent.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    ip: Ip,
    client_port: u16,
    server_port: u16,
    /// The next sequence numbers of client and server.
    next: [u32; 2],
    pub(crate) packets: Vec<Vec<u8>>,
}

impl Conversation {
    /// A connection to port 80, up to the end of its handshake: three packets.
    pub(crate) fn open(ip: Ip, client_port: u16) -> Self {
        Self::open_to(ip, client_port, 80)
    }

    /// The same, to another port.
    pub(crate) fn open_to(ip: Ip, client_port: u16, server_port: u16) -> Self {
        let mut opened = Self { ip, client_port, server_port, next: [1_000, 5_000], packets: Vec::new() };
        opened.segment(true, SYN, b"").segment(false, SYN | ACK, b"").segment(true, ACK, b"");
        opened
    }

    /// Another connection between the same ports, later: it begins with other sequence numbers.
    pub(crate) fn open_again(&mut self) -> &mut Self {
        self.next = self.next.map(|next| next.wrapping_add(100_000_000));
        self.segment(true, SYN, b"").segment(false, SYN | ACK, b"").segment(true, ACK, b"")
    }

    /// The client says something.
    pub(crate) fn client(&mut self, payload: impl AsRef<[u8]>) -> &mut Self {
        self.segment(true, PSH | ACK, payload.as_ref())
    }

    /// The server says something.
    pub(crate) fn server(&mut self, payload: impl AsRef<[u8]>) -> &mut Self {
        self.segment(false, PSH | ACK, payload.as_ref())
    }

    /// The client closes, and the server does too: three packets.
    pub(crate) fn close(&mut self) -> &mut Self {
        self.segment(true, FIN | ACK, b"").segment(false, FIN | ACK, b"").segment(true, ACK, b"")
    }

    fn segment(&mut self, by_client: bool, flags: u8, payload: &[u8]) -> &mut Self {
        let (mine, other) = if by_client { (0, 1) } else { (1, 0) };
        let mut ports = [self.client_port, self.server_port];
        if !by_client {
            ports.reverse();
        }
        let acknowledgment = if flags & ACK == 0 { 0 } else { self.next[other] };
        let mut tcp = Vec::new();
        tcp.extend(ports[0].to_be_bytes());
        tcp.extend(ports[1].to_be_bytes());
        tcp.extend(self.next[mine].to_be_bytes());
        tcp.extend(acknowledgment.to_be_bytes());
        tcp.extend([0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        tcp.extend(payload);
        let taken = u32::try_from(payload.len()).unwrap() + u32::from(flags & (SYN | FIN) != 0);
        self.next[mine] = self.next[mine].wrapping_add(taken);
        self.packets.push(self.ip.packet(by_client, TCP, &tcp));
        self
    }
}

impl Ip {
    /// A packet of another protocol than TCP.
    pub(crate) fn udp(self) -> Vec<u8> {
        self.packet(true, 17, &[0x13, 0x88, 0, 53, 0, 9, 0, 0, b'?'])
    }

    /// Two fragments of a packet of [`Ip::packet`], the first with so many bytes, a multiple of eight.
    pub(crate) fn fragments(self, packet: &[u8], at: usize, identification: u16) -> Vec<Vec<u8>> {
        assert!(at.is_multiple_of(8) && self != Self::V6Extended);
        let (header, payload) = packet.split_at(if self == Self::V4 { 20 } else { 40 });
        let pieces = [(0, &payload[..at], true), (at, &payload[at..], false)];
        let fragment = |(offset, payload, more): (usize, &[u8], bool)| {
            let offset = u16::try_from(offset).unwrap();
            let mut header = header.to_vec();
            let extra = if self == Self::V4 {
                let word = (offset / 8) | if more { 0x2000 } else { 0 };
                header[4..6].copy_from_slice(&identification.to_be_bytes());
                header[6..8].copy_from_slice(&word.to_be_bytes());
                Vec::new()
            } else {
                let word = (offset | u16::from(more)).to_be_bytes();
                let id = identification.to_be_bytes();
                vec![std::mem::replace(&mut header[6], FRAGMENT), 0, word[0], word[1], 0, 0, id[0], id[1]]
            };
            let (length_at, before) = if self == Self::V4 { (2, 20) } else { (4, 0) };
            let length = u16::try_from(before + extra.len() + payload.len()).unwrap();
            header[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
            [&header[..], &extra, payload].concat()
        };
        pieces.map(fragment).to_vec()
    }

    /// A packet between the two hosts.
    pub(crate) fn packet(self, by_client: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let length = |headers: usize| u16::try_from(headers + payload.len()).unwrap().to_be_bytes();
        let mut hosts = [2, 1];
        if !by_client {
            hosts.reverse();
        }
        let mut packet = Vec::new();
        if self == Self::V4 {
            packet.extend([0x45, 0]);
            packet.extend(length(20));
            packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
            packet.extend(hosts.iter().flat_map(|host| [10, 77, 1, *host]));
        } else {
            let extended = self == Self::V6Extended;
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length(if extended { 24 } else { 0 }));
            packet.extend([if extended { HOP_BY_HOP } else { protocol }, 64]);
            packet.extend(
                hosts.iter().flat_map(|host| [0xFD, 0x77, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, *host]),
            );
            if extended {
                // A padding option fills each header up to 8 and 16 bytes.
                packet.extend([DESTINATION_OPTIONS, 0, 1, 4, 0, 0, 0, 0]);
                packet.extend([protocol, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            }
        }
        packet.extend(payload);
        packet
    }
}

impl Link {
    pub(crate) const ALL: [Self; 14] = [
        Self::Ethernet,
        Self::Vlan,
        Self::QinQ,
        Self::Sll,
        Self::Sll2,
        Self::Raw,
        Self::Loopback,
        Self::Ppp,
        Self::Pppoe,
        Self::Mpls,
        Self::Gre,
        Self::InIp,
        Self::Vxlan,
        Self::Geneve,
    ];

    /// Its number in capture files.
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Ethernet | Self::Vlan | Self::QinQ | Self::Pppoe | Self::Mpls => 1,
            Self::Ppp => 9,
            Self::Sll => 113,
            Self::Sll2 => 276,
            Self::Raw | Self::Gre | Self::InIp | Self::Vxlan | Self::Geneve => 101,
            Self::Loopback => 0,
        }
    }

    /// An IP packet with this link layer before it.
    pub(crate) fn wrap(self, ip: &[u8]) -> Vec<u8> {
        let kind: [u8; 2] = if ip[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xDD] };
        let ppp: [u8; 2] = if ip[0] >> 4 == 4 { [0, 0x21] } else { [0, 0x57] };
        let ethernet = [&MAC_ADDRESSES[..], &kind].concat();
        let udp = |port: u16, header: &[u8]| {
            let length = u16::try_from(8 + header.len() + ip.len()).unwrap().to_be_bytes();
            let port = port.to_be_bytes();
            [&[0xC0, 0, port[0], port[1], length[0], length[1], 0, 0][..], header].concat()
        };
        // An IPv4 header for a tunnel, and that of the tunnel.
        let tunnel = |protocol: u8, header: &[u8]| {
            let length = u16::try_from(20 + header.len() + ip.len()).unwrap().to_be_bytes();
            let outer =
                [0x45, 0, length[0], length[1], 0, 9, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
            [&outer[..], header].concat()
        };
        let header = match self {
            Self::Ethernet => ethernet,
            Self::Ppp => [&[0xFF, 3], &ppp[..]].concat(),
            Self::Pppoe => {
                let length = u16::try_from(ppp.len() + ip.len()).unwrap().to_be_bytes();
                [&MAC_ADDRESSES[..], &[0x88, 0x64, 0x11, 0, 0, 7], &length, &ppp].concat()
            }
            Self::Mpls => [&MAC_ADDRESSES[..], &[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64]].concat(),
            Self::Gre => tunnel(47, &[&[0, 0], &kind[..]].concat()),
            Self::InIp => tunnel(if ip[0] >> 4 == 4 { 4 } else { 41 }, &[]),
            Self::Vxlan => tunnel(17, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet[..]].concat())),
            Self::Geneve => {
                tunnel(17, &udp(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 7, 0], &ethernet[..]].concat()))
            }
            Self::Vlan => [&MAC_ADDRESSES[..], &[0x81, 0, 0, 7], &kind].concat(),
            Self::QinQ => [&MAC_ADDRESSES[..], &[0x88, 0xA8, 0, 1, 0x81, 0, 0, 7], &kind].concat(),
            Self::Sll => [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], &kind].concat(),
            Self::Sll2 => [&kind[..], &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]].concat(),
            Self::Raw => Vec::new(),
            // In the byte order of an Intel machine; 30 is IPv6 on macOS.
            Self::Loopback => vec![if ip[0] >> 4 == 4 { 2 } else { 30 }, 0, 0, 0],
        };
        [&header, ip].concat()
    }
}

/// A capture in the pcap format: microseconds, one packet a millisecond, from 2023-11-14T22:13:20Z on.
pub(crate) fn pcap(link: Link, packets: &[Vec<u8>]) -> Vec<u8> {
    pcap_with(false, false, link, packets)
}

/// The same with another magic number.
pub(crate) fn pcap_with(big: bool, nanoseconds: bool, link: Link, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = PcapFile::new(big, nanoseconds, 262_144, u32::from(link.number()));
    for (number, packet) in (0..).zip(packets) {
        let unit = if nanoseconds { 1_000_000 } else { 1_000 };
        file.packet(START + number / 1_000, number % 1_000 * unit, &link.wrap(packet));
    }
    file.bytes
}

/// The same packets at the same times in the pcapng format.
pub(crate) fn pcapng(big: bool, link: Link, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = PcapngFile::new(big);
    file.section().interface(link.number(), 0, &[]);
    for (number, packet) in (0..).zip(packets) {
        file.enhanced(0, ticks(number), &link.wrap(packet));
    }
    file.bytes
}

/// When packet `number`, counted from 0, was captured, in the microseconds of pcapng.
pub(crate) fn ticks(number: u64) -> u64 {
    u64::from(START) * 1_000_000 + number * 1_000
}

/// A text frame of the client with a short text, masked.
pub(crate) fn client_text(text: &str) -> Vec<u8> {
    client_frame(0x81, text.as_bytes())
}

/// A frame of the client with a short payload, masked.
pub(crate) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = vec![first, 0x80 | short(payload)];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame of the server with a short payload.
pub(crate) fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, short(payload)], payload].concat()
}

fn short(payload: &[u8]) -> u8 {
    u8::try_from(payload.len()).ok().filter(|length| *length < 126).unwrap()
}

/// 2023-11-14T22:13:20Z.
pub(crate) const START: u32 = 1_700_000_000;

const MAC_ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

const TCP: u8 = 6;
const HOP_BY_HOP: u8 = 0;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
