//! What travels beside IP on a link, by its `EtherType`: nobody needs to wonder what was skipped.

/// A protocol of the link layer that is no IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkProtocol {
    /// Asks which host has an address (RFC 826).
    Arp,
    /// Asks which address a host has (RFC 903).
    ReverseArp,
    /// Says who is at the other end of a cable (IEEE 802.1AB).
    Lldp,
    /// Keeps bridges from making loops (IEEE 802.1D).
    SpanningTree,
    /// Something else in an IEEE 802.2 frame.
    LogicalLink,
    /// Logs a host on to a network (IEEE 802.1X).
    Eapol,
    /// Encrypted Ethernet (IEEE 802.1AE).
    Macsec,
    /// Bundles links, or manages one (IEEE 802.3 annex 57A: LACP, OAM).
    Slow,
    /// Clocks (IEEE 1588).
    Ptp,
    /// Looks for access concentrators (RFC 2516 section 5).
    PppoeDiscovery,
    /// Tests whether a link is a loop.
    Loopback,
    /// Configures a PPP link (RFC 1661 section 5).
    PppControl,
}

impl LinkProtocol {
    /// That of an `EtherType`, if it is one of them.
    pub(super) const fn of_ether_type(kind: u16) -> Option<Self> {
        Some(match kind {
            0x0806 => Self::Arp,
            0x8035 => Self::ReverseArp,
            0x88CC => Self::Lldp,
            0x888E => Self::Eapol,
            0x88E5 => Self::Macsec,
            0x8809 => Self::Slow,
            0x88F7 => Self::Ptp,
            0x8863 => Self::PppoeDiscovery,
            0x9000 => Self::Loopback,
            _ => return None,
        })
    }

    /// That of an IEEE 802.2 frame, which begins with the two service access points.
    pub(super) const fn of_logical_link(frame: &[u8]) -> Self {
        match frame {
            [0x42, 0x42, ..] => Self::SpanningTree,
            _ => Self::LogicalLink,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arp => "ARP",
            Self::ReverseArp => "RARP",
            Self::Lldp => "LLDP",
            Self::SpanningTree => "STP",
            Self::LogicalLink => "IEEE 802.2",
            Self::Eapol => "EAPOL",
            Self::Macsec => "MACsec (encrypted)",
            Self::Slow => "LACP or OAM",
            Self::Ptp => "PTP",
            Self::PppoeDiscovery => "PPPoE discovery",
            Self::Loopback => "loopback test",
            Self::PppControl => "PPP control",
        }
    }
}
