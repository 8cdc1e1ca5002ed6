//! The long way to TCP: through tunnels, label stacks and rare link layers, and as far as a fragment.
//!
//! The common path is in [`super::decode`]; what it leaves comes here. Each header takes the walk one step further, and
//! a packet has at most [`MAX_STEPS`] of them, so that nothing a packet says can make it go in circles.

use etherparse::{IpNumber, Ipv6ExtensionsSlice};

use super::fragments::{Fragment, FragmentKey};
use super::{FlowKey, Half, LinkProtocol, Skip};
use crate::capture::LinkType;

/// What a walk comes to.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A TCP header, what follows it, and between whom.
    Tcp(Carried<'a>),
    /// A fragment of an IP packet.
    Fragment(Fragment<'a>),
}

/// TCP in an IP packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried<'a> {
    pub(super) hosts: Hosts,
    /// From the TCP header on, as far as it was captured.
    pub(super) bytes: &'a [u8],
    /// How many bytes that is on the wire.
    pub(super) length: usize,
    pub(super) identification: u16,
}

/// Who sends to whom, and the hop limit on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hosts {
    pub(super) addresses: Addresses,
    pub(super) hop_limit: u8,
}

/// Source and destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

impl Addresses {
    /// The connection between two ports of theirs.
    pub(super) fn flow(self, (source, destination): (u16, u16)) -> (FlowKey, Half) {
        match self {
            Self::V4(from, to) => FlowKey::ipv4((from, source), (to, destination)),
            Self::V6(from, to) => FlowKey::ipv6((from, source), (to, destination)),
        }
    }
}

/// Where a walk is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    layer: Layer,
    /// From the first byte of that layer on, as far as it was captured.
    bytes: &'a [u8],
    /// How many bytes that is on the wire.
    length: usize,
}

#[derive(Clone, Copy, Debug)]
enum Layer {
    Link(LinkType),
    EtherType(u16),
    Ppp,
    /// IPv4 or IPv6, whichever the first nibble says.
    Ip,
    /// What an IP packet carries.
    Protocol(u8, Hosts, u16),
}

impl<'a> Walk<'a> {
    /// From the first byte of a captured packet.
    pub(super) fn of_packet(link: LinkType, captured: &'a [u8], original: u32) -> Self {
        let length = (original as usize).max(captured.len());
        Self { layer: Layer::Link(link), bytes: captured, length }
    }

    /// From what an IP packet carries that was put together from fragments.
    pub(super) fn of_fragments(key: &FragmentKey, hop_limit: u8, carried: &'a [u8]) -> Self {
        let hosts = Hosts { addresses: key.addresses, hop_limit };
        let identification = u16::try_from(key.identification).unwrap_or_default();
        let layer = Layer::Protocol(key.protocol, hosts, identification);
        Self { layer, bytes: carried, length: carried.len() }
    }

    /// Walks to TCP, or to a fragment.
    ///
    /// # Errors
    /// If there is neither, the reason why.
    pub(super) fn on(mut self) -> Result<Found<'a>, Skip> {
        for _ in 0..MAX_STEPS {
            self = match self.layer {
                Layer::Link(link) => self.link(link)?,
                Layer::EtherType(kind) => self.ether_type(kind)?,
                Layer::Ppp => self.ppp()?,
                Layer::Ip => match self.ip()? {
                    Ip::Whole(next) => next,
                    Ip::Fragment(fragment) => return Ok(Found::Fragment(fragment)),
                },
                Layer::Protocol(TCP, hosts, identification) => {
                    let Self { bytes, length, .. } = self;
                    return Ok(Found::Tcp(Carried { hosts, bytes, length, identification }));
                }
                Layer::Protocol(protocol, ..) => self.protocol(protocol)?,
            };
        }
        Err(Skip::TooDeep)
    }

    /// The same bytes, seen as another layer.
    const fn as_layer(self, layer: Layer) -> Self {
        Self { layer, ..self }
    }

    /// What stands behind the first `header` bytes.
    fn behind(self, header: usize, layer: Layer) -> Result<Self, Skip> {
        let bytes = self.bytes.get(header..).ok_or(Skip::Cut)?;
        Ok(Self { layer, bytes, length: self.length.saturating_sub(header) })
    }

    /// The first bytes, if they are there.
    fn header<const N: usize>(&self) -> Result<&'a [u8; N], Skip> {
        self.bytes.first_chunk().ok_or(Skip::Cut)
    }

    fn link(self, link: LinkType) -> Result<Self, Skip> {
        match link {
            LinkType::ETHERNET => {
                let header: &[u8; 14] = self.header()?;
                self.behind(14, Layer::EtherType(u16::from_be_bytes([header[12], header[13]])))
            }
            LinkType::LINUX_SLL => {
                let header: &[u8; 16] = self.header()?;
                self.behind(16, Layer::EtherType(u16::from_be_bytes([header[14], header[15]])))
            }
            LinkType::LINUX_SLL2 => {
                let header: &[u8; 20] = self.header()?;
                self.behind(20, Layer::EtherType(u16::from_be_bytes([header[0], header[1]])))
            }
            LinkType::RAW | LinkType::RAW_DLT | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => {
                Ok(self.as_layer(Layer::Ip))
            }
            LinkType::NULL | LinkType::LOOP => {
                let family: &[u8; 4] = self.header()?;
                match u32::from_be_bytes(*family).min(u32::from_le_bytes(*family)) {
                    2 | 10 | 24 | 28 | 30 => self.behind(4, Layer::Ip),
                    _ => Err(Skip::NotIp),
                }
            }
            LinkType::PPP | LinkType::PPP_HDLC => Ok(self.as_layer(Layer::Ppp)),
            // Its first byte is the direction.
            LinkType::PPP_WITH_DIRECTION => self.behind(1, Layer::Ppp),
            LinkType::PPP_ETHER => self.behind(6, Layer::Ppp),
            LinkType::CISCO_HDLC => {
                let header: &[u8; 4] = self.header()?;
                self.behind(4, Layer::EtherType(u16::from_be_bytes([header[2], header[3]])))
            }
            LinkType::PKTAP => {
                // Its length, the kind of record, and the link type of what follows, all in the byte order of Macs.
                let header: &[u8; 12] = self.header()?;
                let word = |at: [u8; 4]| u32::from_le_bytes(at);
                let length = word([header[0], header[1], header[2], header[3]]);
                let inner = word([header[8], header[9], header[10], header[11]]);
                let link = LinkType(u16::try_from(inner).map_err(|_| Skip::Malformed)?);
                if (length as usize) < header.len() || link == LinkType::PKTAP {
                    return Err(Skip::Malformed);
                }
                self.behind(length as usize, Layer::Link(link))
            }
            LinkType(other) => Err(Skip::UnknownLink(other)),
        }
    }

    fn ether_type(self, kind: u16) -> Result<Self, Skip> {
        match kind {
            0x0800 | 0x86DD => Ok(self.as_layer(Layer::Ip)),
            // IEEE 802.1Q, 802.1ad and the older numbers for stacked tags.
            0x8100 | 0x88A8 | 0x9100 | 0x9200 | 0x9300 => {
                let tag: &[u8; 4] = self.header()?;
                self.behind(4, Layer::EtherType(u16::from_be_bytes([tag[2], tag[3]])))
            }
            0x8847 | 0x8848 => self.mpls(),
            // PPPoE (RFC 2516 section 4): version and type, code 0 for a session's data, session, length.
            0x8864 => match self.header::<6>()? {
                [0x11, 0, ..] => self.behind(6, Layer::Ppp),
                _ => Err(Skip::NotIp),
            },
            // Bridged over GRE or Geneve: a whole Ethernet frame.
            0x6558 => Ok(self.as_layer(Layer::Link(LinkType::ETHERNET))),
            0x880B => Ok(self.as_layer(Layer::Ppp)),
            // A length: IEEE 802.3, in which SNAP with no organization has the type (RFC 1042).
            ..=1500 => match self.header::<8>()? {
                [0xAA, 0xAA, 3, 0, 0, 0, high, low] => {
                    self.behind(8, Layer::EtherType(u16::from_be_bytes([*high, *low])))
                }
                frame => Err(Skip::Link(LinkProtocol::of_logical_link(frame))),
            },
            _ => Err(LinkProtocol::of_ether_type(kind).map_or(Skip::NotIp, Skip::Link)),
        }
    }

    /// A stack of labels (RFC 3032 section 2.1), up to the one with the bottom-of-stack bit. What follows says itself
    /// what it is: IP by its version, Ethernet by the control word of a pseudowire (RFC 4448 section 4.6).
    fn mpls(self) -> Result<Self, Skip> {
        let label: &[u8; 4] = self.header()?;
        if label[2] & 1 == 0 {
            return self.behind(4, Layer::EtherType(0x8847));
        }
        match self.bytes.get(4).ok_or(Skip::Cut)? >> 4 {
            4 | 6 => self.behind(4, Layer::Ip),
            0 => self.behind(8, Layer::Link(LinkType::ETHERNET)),
            _ => Err(Skip::NotIp),
        }
    }

    /// PPP (RFC 1661 section 2), with the address and control fields of HDLC or without (RFC 1662 section 3.1), and with
    /// the protocol in one byte or two.
    fn ppp(self) -> Result<Self, Skip> {
        let at = if self.bytes.starts_with(&[0xFF, 3]) { 2 } else { 0 };
        let first = *self.bytes.get(at).ok_or(Skip::Cut)?;
        let (protocol, header) = if first & 1 == 1 {
            (u16::from(first), at.saturating_add(1))
        } else {
            let second = *self.bytes.get(at.saturating_add(1)).ok_or(Skip::Cut)?;
            (u16::from_be_bytes([first, second]), at.saturating_add(2))
        };
        match protocol {
            0x0021 | 0x0057 => self.behind(header, Layer::Ip),
            0x0281 | 0x0283 => self.behind(header, Layer::EtherType(0x8847)),
            // RFC 1661 section 2: protocols of the link itself, and those that configure others on it.
            0x8000..=0xFFFF => Err(Skip::Link(LinkProtocol::PppControl)),
            _ => Err(Skip::NotIp),
        }
    }

    fn ip(self) -> Result<Ip<'a>, Skip> {
        match self.bytes.first().ok_or(Skip::Cut)? >> 4 {
            4 => self.ipv4(),
            6 => self.ipv6(),
            _ => Err(Skip::NotIp),
        }
    }

    /// IPv4 (RFC 791 section 3.1).
    fn ipv4(self) -> Result<Ip<'a>, Skip> {
        let header: &[u8; 20] = self.header()?;
        let header_length = usize::from(header[0] & 0x0F).saturating_mul(4);
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let total = if total == 0 { self.length } else { total };
        if header_length < 20 || total < header_length {
            return Err(Skip::Malformed);
        }
        let bytes = self.bytes.get(header_length..self.bytes.len().min(total)).ok_or(Skip::Cut)?;
        let length = total.saturating_sub(header_length);
        let hosts = Hosts {
            addresses: Addresses::V4(
                [header[12], header[13], header[14], header[15]],
                [header[16], header[17], header[18], header[19]],
            ),
            hop_limit: header[8],
        };
        let identification = u16::from_be_bytes([header[4], header[5]]);
        let place = u16::from_be_bytes([header[6], header[7]]);
        // RFC 791: the more-fragments bit or an offset makes it a fragment.
        let (more, offset) = (place & 0x2000 != 0, place & 0x1FFF);
        if !more && offset == 0 {
            let layer = Layer::Protocol(header[9], hosts, identification);
            return Ok(Ip::Whole(Self { layer, bytes, length }));
        }
        let key = FragmentKey {
            addresses: hosts.addresses,
            protocol: header[9],
            identification: u32::from(identification),
        };
        let offset = u32::from(offset).saturating_mul(8);
        let hop_limit = hosts.hop_limit;
        Fragment::new(key, hop_limit, offset, more, bytes, length).map(Ip::Fragment)
    }

    /// IPv6 (RFC 8200 section 3), through its extension headers.
    fn ipv6(self) -> Result<Ip<'a>, Skip> {
        let (header, rest) = self.bytes.split_first_chunk::<40>().ok_or(Skip::Cut)?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let length = if length == 0 { self.length.saturating_sub(header.len()) } else { length };
        let rest = rest.get(..rest.len().min(length)).ok_or(Skip::Cut)?;
        let [_, _, _, _, _, _, _, _, addresses @ ..] = header;
        let (source, destination) = addresses.split_first_chunk::<16>().ok_or(Skip::Malformed)?;
        let destination = destination.first_chunk::<16>().ok_or(Skip::Malformed)?;
        let hosts = Hosts { addresses: Addresses::V6(*source, *destination), hop_limit: header[7] };
        let (extensions, next, bytes, stopped) =
            Ipv6ExtensionsSlice::from_slice_lax(IpNumber(header[6]), rest);
        if stopped.is_some() && !extensions.is_fragmenting_payload() {
            return Err(Skip::Cut);
        }
        if extensions.is_fragmenting_payload() {
            return fragment6(header[6], rest, length, &hosts).map(Ip::Fragment);
        }
        let length = length.saturating_sub(rest.len().saturating_sub(bytes.len()));
        Ok(Ip::Whole(Self { layer: Layer::Protocol(next.0, hosts, 0), bytes, length }))
    }

    fn protocol(self, protocol: u8) -> Result<Self, Skip> {
        match protocol {
            // IPv4 (RFC 2003) and IPv6 (RFC 4213) in IP.
            4 | 41 => Ok(self.as_layer(Layer::Ip)),
            47 => self.gre(),
            137 => Ok(self.as_layer(Layer::EtherType(0x8847))),
            17 => self.udp(),
            _ => Err(Skip::NotTcp),
        }
    }

    /// GRE (RFC 2784, with the fields of RFC 2890 and of PPTP in RFC 2637), and ERSPAN in it, by which switches mirror.
    fn gre(self) -> Result<Self, Skip> {
        let header: &[u8; 4] = self.header()?;
        let kind = u16::from_be_bytes([header[2], header[3]]);
        let has = |bit: u8| usize::from(header[0] & bit != 0).saturating_mul(4);
        let (checksum, routing, key, sequence) = (has(0x80), has(0x40), has(0x20), has(0x10));
        let is_pptp = header[1] & 7 == 1;
        if routing > 0 || header[1] & 7 > 1 {
            return Err(Skip::NotTcp);
        }
        let acknowledgment = usize::from(is_pptp && header[1] & 0x80 != 0).saturating_mul(4);
        let fields = 4_usize.saturating_add(checksum).saturating_add(key);
        let fields = fields.saturating_add(sequence).saturating_add(acknowledgment);
        match kind {
            // ERSPAN type I has no header of its own, and no sequence number in that of GRE.
            0x88BE if sequence == 0 => self.behind(fields, Layer::Link(LinkType::ETHERNET)),
            0x88BE => self.behind(fields.saturating_add(8), Layer::Link(LinkType::ETHERNET)),
            0x22EB => {
                let last = *self.bytes.get(fields.saturating_add(11)).ok_or(Skip::Cut)?;
                let optional = usize::from(last & 1).saturating_mul(8);
                self.behind(
                    fields.saturating_add(12).saturating_add(optional),
                    Layer::Link(LinkType::ETHERNET),
                )
            }
            _ => self.behind(fields, Layer::EtherType(kind)),
        }
    }

    /// Tunnels over UDP, known by the port that they go to.
    fn udp(self) -> Result<Self, Skip> {
        let header: &[u8; 8] = self.header()?;
        match u16::from_be_bytes([header[2], header[3]]) {
            // VXLAN (RFC 7348 section 5), also on the port that Linux had before there was one.
            4789 | 8472 => match self.bytes.get(8..16).ok_or(Skip::Cut)? {
                [flags, ..] if flags & 0x08 != 0 => self.behind(16, Layer::Link(LinkType::ETHERNET)),
                _ => Err(Skip::NotTcp),
            },
            // Geneve (RFC 8926 section 3.4): version and length of the options, flags, protocol.
            6081 => {
                let geneve: &[u8; 8] =
                    self.bytes.get(8..).and_then(|bytes| bytes.first_chunk()).ok_or(Skip::Cut)?;
                if geneve[0] >> 6 != 0 {
                    return Err(Skip::NotTcp);
                }
                let options = usize::from(geneve[0] & 0x3F).saturating_mul(4);
                let kind = u16::from_be_bytes([geneve[2], geneve[3]]);
                self.behind(options.saturating_add(16), Layer::EtherType(kind))
            }
            _ => Err(Skip::NotTcp),
        }
    }
}

enum Ip<'a> {
    Whole(Walk<'a>),
    Fragment(Fragment<'a>),
}

/// A fragment of IPv6 (RFC 8200 section 4.5), `first` being the kind of the first header of `bytes`.
fn fragment6<'a>(first: u8, bytes: &'a [u8], length: usize, hosts: &Hosts) -> Result<Fragment<'a>, Skip> {
    let (mut next, mut at) = (first, 0_usize);
    for _ in 0..MAX_STEPS {
        let header: &[u8; 8] = bytes.get(at..).and_then(|bytes| bytes.first_chunk()).ok_or(Skip::Cut)?;
        if next != FRAGMENT {
            // Hop-by-hop options, routing and destination options tell their length; others do not come before.
            if !matches!(next, 0 | 43 | 60) {
                return Err(Skip::Fragment);
            }
            next = header[0];
            at = at.saturating_add(usize::from(header[1]).saturating_add(1).saturating_mul(8));
            continue;
        }
        let place = u16::from_be_bytes([header[2], header[3]]);
        let key = FragmentKey {
            addresses: hosts.addresses,
            protocol: header[0],
            identification: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        };
        let at = at.saturating_add(8);
        let carried = bytes.get(at..).unwrap_or_default();
        let (offset, more) = (u32::from(place & 0xFFF8), place & 1 != 0);
        return Fragment::new(key, hosts.hop_limit, offset, more, carried, length.saturating_sub(at));
    }
    Err(Skip::TooDeep)
}

/// Headers of one packet, link layer and tags included, that are looked through. Carriers' tunnels have about ten.
const MAX_STEPS: usize = 32;

const TCP: u8 = 6;
const FRAGMENT: u8 = 44;
