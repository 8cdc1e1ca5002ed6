//! Any bytes as packets of any link type: what comes out lies in the packet and is no longer than it was on the wire,
//! whatever tunnels it comes through. Fragments of several packets are put together.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsinspect::capture::LinkType;
use wsinspect::decode::{Segment, Skip, Unwrap, Unwrapped, decode};
use wsinspect::units::Origin;

fuzz_target!(|packets: Vec<(u16, u16, &[u8])>| {
    let mut unwrap = Unwrap::default();
    let (mut kept, mut copies, mut whole) = (0, 0, 0);
    for (link, more, captured) in packets {
        let original = u32::try_from(captured.len()).unwrap_or(u32::MAX).saturating_add(u32::from(more));
        let links = [0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 204, 228, 229, 258, 276, link];
        let link = LinkType(links[usize::from(link) % links.len()]);
        let reason = match decode(link, captured, original, Origin::default()) {
            Ok(segment) => {
                check(&segment, captured, original);
                continue;
            }
            Err(reason) => reason,
        };
        match unwrap.packet(link, captured, original, Origin::default(), reason) {
            Ok(Unwrapped::Segment(segment)) => check(&segment, captured, original),
            Ok(Unwrapped::Whole(segment)) => {
                assert!(segment.payload_length <= 65_535);
                whole += 1;
            }
            Ok(Unwrapped::Kept) => kept += 1,
            Err(Skip::FragmentCopy) => copies += 1,
            Err(_) => {}
        }
    }
    assert!(unwrap.take_lost(true) <= kept, "{whole} whole, {copies} copies");
});

fn check(segment: &Segment<'_>, captured: &[u8], original: u32) {
    let (packet, payload) = (captured.as_ptr_range(), segment.payload.as_ptr_range());
    assert!(payload.is_empty() || (packet.start <= payload.start && payload.end <= packet.end));
    assert!(segment.payload.len() <= segment.payload_length as usize);
    // IP packets are not longer than 64 KiB, unless offloading left their length out.
    assert!(segment.payload_length <= original.max(65_535 + 40));
}
