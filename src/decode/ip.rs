//! IPv4 and IPv6: from the network layer to TCP.

use etherparse::{IpNumber, Ipv6ExtensionsSlice};

use super::Skip;

/// What an IP packet carries, as far as it was captured.
pub(super) struct Carried<'a, const N: usize> {
    pub(super) source: [u8; N],
    pub(super) destination: [u8; N],
    /// The TCP header and payload, without link-layer padding.
    pub(super) bytes: &'a [u8],
    /// How many bytes that is on the wire.
    pub(super) length: usize,
    /// Time to live, or hop limit.
    pub(super) hop_limit: u8,
    /// The identification of IPv4; 0 in IPv6, which has none.
    pub(super) identification: u16,
}

/// An IPv4 packet (RFC 791 section 3.1). `original` is the packet's length on the wire from its first IP
/// byte on; it stands in where the total length is 0, as a capture before segmentation offload has it.
pub(super) fn ipv4(packet: &[u8], original: usize) -> Result<Carried<'_, 4>, Skip> {
    let header = packet.first_chunk::<20>().ok_or(Skip::Cut)?;
    if header[0] >> 4 != 4 {
        return Err(Skip::Malformed);
    }
    let header_length = usize::from(header[0] & 0x0f).saturating_mul(4);
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let total = if total == 0 { original } else { total };
    if header_length < 20 || total < header_length {
        return Err(Skip::Malformed);
    }
    // RFC 791: the more-fragments bit or an offset makes it a fragment.
    if u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
        return Err(Skip::Fragment);
    }
    if header[9] != TCP {
        return Err(Skip::NotTcp);
    }
    let bytes = packet.get(header_length..packet.len().min(total)).ok_or(Skip::Cut)?;
    Ok(Carried {
        source: [header[12], header[13], header[14], header[15]],
        destination: [header[16], header[17], header[18], header[19]],
        bytes,
        length: total.saturating_sub(header_length),
        hop_limit: header[8],
        identification: u16::from_be_bytes([header[4], header[5]]),
    })
}

/// An IPv6 packet (RFC 8200 section 3), through its extension headers.
pub(super) fn ipv6(packet: &[u8], original: usize) -> Result<Carried<'_, 16>, Skip> {
    let (header, rest) = packet.split_first_chunk::<40>().ok_or(Skip::Cut)?;
    if header[0] >> 4 != 6 {
        return Err(Skip::Malformed);
    }
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // 0 is a jumbogram (RFC 2675) or a capture before segmentation offload.
    let length = if length == 0 { original.saturating_sub(header.len()) } else { length };
    let rest = rest.get(..rest.len().min(length)).ok_or(Skip::Cut)?;
    let (bytes, length) =
        if header[6] == TCP { (rest, length) } else { past_extensions(header[6], rest, length)? };
    let [_, _, _, _, _, _, _, _, addresses @ ..] = header;
    let (source, destination) = addresses.split_first_chunk::<16>().ok_or(Skip::Malformed)?;
    let destination = destination.first_chunk::<16>().ok_or(Skip::Malformed)?;
    Ok(Carried {
        source: *source,
        destination: *destination,
        bytes,
        length,
        hop_limit: header[7],
        identification: 0,
    })
}

/// Walks extension headers (RFC 8200 section 4) to TCP.
fn past_extensions(first: u8, bytes: &[u8], length: usize) -> Result<(&[u8], usize), Skip> {
    let (extensions, next, rest, stopped) = Ipv6ExtensionsSlice::from_slice_lax(IpNumber(first), bytes);
    if extensions.is_fragmenting_payload() {
        return Err(Skip::Fragment);
    }
    if stopped.is_some() {
        return Err(Skip::Cut);
    }
    if next != IpNumber::TCP {
        return Err(Skip::NotTcp);
    }
    let walked = bytes.len().saturating_sub(rest.len());
    Ok((rest, length.saturating_sub(walked)))
}

pub(super) const TCP: u8 = 6;
