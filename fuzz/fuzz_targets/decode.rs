//! Any bytes as a packet of any link type: what comes out lies in the packet and is no longer than it was on the wire.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsinspect::capture::LinkType;
use wsinspect::decode::decode;
use wsinspect::units::Origin;

fuzz_target!(|input: (u16, u16, &[u8])| {
    let (link, more, captured) = input;
    let original = u32::try_from(captured.len()).unwrap_or(u32::MAX).saturating_add(u32::from(more));
    let links = [0, 1, 12, 14, 101, 108, 113, 228, 229, 276, link];
    let link = LinkType(links[usize::from(link) % links.len()]);
    let Ok(segment) = decode(link, captured, original, Origin::default()) else { return };
    let (packet, payload) = (captured.as_ptr_range(), segment.payload.as_ptr_range());
    assert!(payload.is_empty() || (packet.start <= payload.start && payload.end <= packet.end));
    assert!(segment.payload.len() <= segment.payload_length as usize);
    // IP packets are not longer than 64 KiB, unless offloading left their length out.
    assert!(segment.payload_length <= original.max(65_535 + 40));
});
