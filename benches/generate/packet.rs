//! Packets on their way to the file: TCP in IP in Ethernet, as records of a classic pcap file.
//!
//! Microseconds, little endian, `LINKTYPE_ETHERNET`. Lengths and checksums are right. Knows nothing
//! of connections: sequence numbers and flags come from the caller.

use std::io::{self, Write};

use crate::checksum::Checksum;
use crate::conversation::Role;

/// FIN, RFC 9293 section 3.1.
pub(crate) const FIN: u8 = 0x01;
/// SYN.
pub(crate) const SYN: u8 = 0x02;
/// PSH.
pub(crate) const PSH: u8 = 0x08;
/// ACK.
pub(crate) const ACK: u8 = 0x10;

/// What carries the segments.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// IPv4 in Ethernet.
    #[default]
    Plain,
    /// IPv6 in Ethernet with a VLAN tag (IEEE 802.1Q).
    TaggedIpv6,
}

impl Link {
    /// Bytes of payload in a full segment: an MTU of 1500 without TCP options.
    pub(crate) fn maximum_segment_bytes(self) -> u16 {
        match self {
            Self::Plain => 1460,
            Self::TaggedIpv6 => 1440,
        }
    }

    /// Type and, with a tag, VLAN of an Ethernet frame.
    fn types(self) -> &'static [u8] {
        match self {
            Self::Plain => &[8, 0],
            Self::TaggedIpv6 => &[0x81, 0, 0, 42, 0x86, 0xdd],
        }
    }

    fn ip_header_bytes(self) -> u16 {
        match self {
            Self::Plain => 20,
            Self::TaggedIpv6 => 40,
        }
    }
}

/// An address and a port.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    /// The IPv4 address as a number, or the last 32 bits of the IPv6 address.
    pub(crate) address: u32,
    /// The TCP port.
    pub(crate) port: u16,
}

/// One TCP segment and where it goes.
pub(crate) struct Segment<'a> {
    /// Who sends it. The capture is taken at the server, so the client's short frames are padded.
    pub(crate) by: Role,
    /// The sender.
    pub(crate) source: Endpoint,
    /// The receiver.
    pub(crate) destination: Endpoint,
    /// Sequence number of the first byte (or of the SYN).
    pub(crate) sequence: u32,
    /// Acknowledgment number; 0 without the ACK flag.
    pub(crate) acknowledgment: u32,
    /// Flags; a SYN gets the usual options.
    pub(crate) flags: u8,
    /// At most [`Link::maximum_segment_bytes`].
    pub(crate) payload: &'a [u8],
}

/// A pcap file that is being written, with the capture's clock.
pub(crate) struct CaptureWriter<W: Write> {
    output: W,
    link: Link,
    buffer: Vec<u8>,
    clock_us: u64,
    identification: u16,
    /// Packets written so far.
    pub(crate) packets: u64,
    /// Sum of their original lengths.
    pub(crate) bytes: u64,
}

impl<W: Write> CaptureWriter<W> {
    /// Starts a file with its 24-byte header.
    pub(crate) fn new(output: W, link: Link) -> Self {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + 2048);
        buffer.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
        buffer.extend_from_slice(&2_u16.to_le_bytes());
        buffer.extend_from_slice(&4_u16.to_le_bytes());
        buffer.extend_from_slice(&[0; 8]); // time zone and accuracy: always 0
        buffer.extend_from_slice(&262_144_u32.to_le_bytes());
        buffer.extend_from_slice(&1_u32.to_le_bytes()); // LINKTYPE_ETHERNET
        Self { output, link, buffer, clock_us: 0, identification: 0, packets: 0, bytes: 0 }
    }

    /// Sets the time of the next packet, in microseconds since the epoch.
    ///
    /// Two packets never share a time: a clock that would stand still goes on by one microsecond.
    pub(crate) fn set_clock(&mut self, time_us: u64) {
        self.clock_us = time_us.max(self.clock_us + 1);
    }

    /// Appends one packet.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn write(&mut self, segment: &Segment<'_>) -> io::Result<()> {
        let options = syn_options(self.link);
        let options: &[u8] = if segment.flags & SYN == 0 { &[] } else { &options };
        let tcp_bytes =
            u16::try_from(20 + options.len() + segment.payload.len()).map_err(io::Error::other)?;
        let ip_bytes = self.link.ip_header_bytes() + tcp_bytes;
        let types = self.link.types();
        let frame_bytes =
            u32::from(ip_bytes) + ADDRESSES_BYTES + u32::try_from(types.len()).map_err(io::Error::other)?;
        let padded_bytes = match segment.by {
            Role::Client => frame_bytes.max(ETHERNET_MINIMUM_BYTES),
            Role::Server => frame_bytes,
        };
        self.record_header(padded_bytes);
        self.buffer.extend_from_slice(match segment.by {
            Role::Client => &FROM_CLIENT,
            Role::Server => &FROM_SERVER,
        });
        self.buffer.extend_from_slice(types);
        match self.link {
            Link::Plain => self.ipv4_header(segment, ip_bytes),
            Link::TaggedIpv6 => self.ipv6_header(segment, tcp_bytes),
        }
        self.tcp_header(segment, options, tcp_bytes);
        self.buffer.extend_from_slice(segment.payload);
        for _ in frame_bytes..padded_bytes {
            self.buffer.push(0);
        }
        self.packets += 1;
        self.bytes += u64::from(padded_bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.output.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is still held back.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        self.output.flush()
    }

    fn record_header(&mut self, length: u32) {
        let seconds = ((self.clock_us / 1_000_000) & 0xffff_ffff) as u32;
        let microseconds = (self.clock_us % 1_000_000) as u32;
        for field in [seconds, microseconds, length, length] {
            self.buffer.extend_from_slice(&field.to_le_bytes());
        }
    }

    fn ipv4_header(&mut self, segment: &Segment<'_>, length: u16) {
        self.identification = self.identification.wrapping_add(1);
        let lifetime_and_protocol = match segment.by {
            Role::Client => 0x3506, // 53 hops left, TCP
            Role::Server => 0x4006,
        };
        let checksum = Checksum::default()
            .half_word(VERSION_AND_LENGTH)
            .half_word(length)
            .half_word(self.identification)
            .half_word(DO_NOT_FRAGMENT)
            .half_word(lifetime_and_protocol)
            .word(segment.source.address)
            .word(segment.destination.address)
            .finish();
        for field in [
            VERSION_AND_LENGTH,
            length,
            self.identification,
            DO_NOT_FRAGMENT,
            lifetime_and_protocol,
            checksum,
        ] {
            self.buffer.extend_from_slice(&field.to_be_bytes());
        }
        for address in [segment.source.address, segment.destination.address] {
            self.buffer.extend_from_slice(&address.to_be_bytes());
        }
    }

    fn ipv6_header(&mut self, segment: &Segment<'_>, payload_bytes: u16) {
        let hops = match segment.by {
            Role::Client => 53,
            Role::Server => 64,
        };
        self.buffer.extend_from_slice(&[0x60, 0, 0, 0]);
        self.buffer.extend_from_slice(&payload_bytes.to_be_bytes());
        self.buffer.extend_from_slice(&[6, hops]);
        for address in [segment.source.address, segment.destination.address] {
            self.buffer.extend_from_slice(&IPV6_PREFIX);
            self.buffer.extend_from_slice(&address.to_be_bytes());
        }
    }

    fn tcp_header(&mut self, segment: &Segment<'_>, options: &[u8], length: u16) {
        let words = if options.is_empty() { 5 } else { 8 };
        let offset_and_flags = (words << 12) | u16::from(segment.flags);
        let window = if options.is_empty() { 502 } else { 64_240 };
        // Both pseudo headers come to the same sum but for the prefix (RFC 9293 section 3.1, RFC 8200 section 8.1).
        let prefixes = match self.link {
            Link::Plain => Checksum::default(),
            Link::TaggedIpv6 => Checksum::default().bytes(&IPV6_PREFIX).bytes(&IPV6_PREFIX),
        };
        let checksum = prefixes
            .word(segment.source.address)
            .word(segment.destination.address)
            .half_word(6)
            .half_word(length)
            .half_word(segment.source.port)
            .half_word(segment.destination.port)
            .word(segment.sequence)
            .word(segment.acknowledgment)
            .half_word(offset_and_flags)
            .half_word(window)
            .bytes(options)
            .bytes(segment.payload)
            .finish();
        for port in [segment.source.port, segment.destination.port] {
            self.buffer.extend_from_slice(&port.to_be_bytes());
        }
        for number in [segment.sequence, segment.acknowledgment] {
            self.buffer.extend_from_slice(&number.to_be_bytes());
        }
        for field in [offset_and_flags, window, checksum, 0] {
            self.buffer.extend_from_slice(&field.to_be_bytes());
        }
        self.buffer.extend_from_slice(options);
    }
}

/// What is gathered before it goes to the file in one call.
const BUFFER_BYTES: usize = 1 << 20;

/// A shorter frame is padded by the card that sends it.
const ETHERNET_MINIMUM_BYTES: u32 = 60;

const VERSION_AND_LENGTH: u16 = 0x4500;
const DO_NOT_FRAGMENT: u16 = 0x4000;

/// Two Ethernet addresses.
const ADDRESSES_BYTES: u32 = 12;

/// Destination and source of a frame that the router in front of the server hands over.
const FROM_CLIENT: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
/// The same, the other way.
const FROM_SERVER: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

/// Of the documentation prefix, RFC 3849.
const IPV6_PREFIX: [u8; 12] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0];

/// Maximum segment size, window scale 7, selective acknowledgment permitted.
fn syn_options(link: Link) -> [u8; 12] {
    let [high, low] = link.maximum_segment_bytes().to_be_bytes();
    [2, 4, high, low, 1, 3, 3, 7, 1, 1, 4, 2]
}
