//! Several files that show the same traffic: what they have in common is found out first, and then each packet is told
//! from those that another point of capture has shown.

use super::origin;
use super::shard::Shard;
use crate::capture::{Block, CaptureError, Filter, LinkType, Source};
use crate::decode::{Segment, Skip, Unwrap, Unwrapped, decode};
use crate::limits::SURVEYED_BYTES;
use crate::points::{Survey, Surveyed};
use crate::units::{Origin, PacketNumber};

/// Looks at the files, and has their times corrected if some show the same traffic.
///
/// # Errors
/// If one of them cannot be read.
pub fn survey<S: Source>(source: &mut S) -> Result<Option<Surveyed>, CaptureError> {
    let files = source.previewed();
    if files < 2 {
        return Ok(None);
    }
    let mut survey = Survey::of(files);
    let mut unwrap = Unwrap::default();
    let each = SURVEYED_BYTES / (files as u64);
    let mut seen = (0, 0_u64);
    source.preview(&mut |file, block| {
        seen = if seen.0 == file { seen } else { (file, 0) };
        for packet in &block.packets {
            let captured = block.captured(packet);
            let origin = origin(block, packet, PacketNumber::default());
            unwrapped((packet.link, captured, packet.original, origin), &mut unwrap, |segment| {
                survey.segment(file, segment);
            });
            seen.1 = seen.1.saturating_add(captured.len() as u64);
        }
        seen.1 < each
    })?;
    let surveyed = survey.finish();
    if let Some(surveyed) = &surveyed {
        source.place(surveyed.standpoints.clone());
    }
    Ok(surveyed)
}

/// Reads a capture again as it was read when this was found out.
pub(super) fn again<S: Source>(source: &mut S, shard: &mut Shard, surveyed: Option<&Surveyed>) {
    if let Some(surveyed) = surveyed {
        source.place(surveyed.standpoints.clone());
        shard.compare(surveyed.clone());
    }
}

/// As [`super::read_block`], packet by packet: each is told from what was shown before.
pub(super) fn read_block(
    block: &Block,
    mut filter: Option<&mut Filter>,
    unwrap: &mut Unwrap,
    shard: &mut Shard,
) -> Result<(), CaptureError> {
    let mut number = block.first;
    for (place, packet) in block.packets.iter().enumerate() {
        let point = block.point(place);
        let this = number;
        number = PacketNumber(number.0.saturating_add(1));
        let captured = block.captured(packet);
        if let Some(point) = point {
            shard.captured_at(point, packet.time);
        }
        if let Some(filter) = &mut filter
            && !filter.matches(packet.link, captured)?
        {
            shard.filtered();
            continue;
        }
        let whole = (packet.link, captured, packet.original, origin(block, packet, this));
        let skip = unwrapped(whole, unwrap, |segment| shard.segment_at(segment, point));
        if let Some(reason) = skip {
            shard.skip_several(reason, 1);
        }
    }
    Ok(())
}

/// Takes a packet apart; why it was not, if it is no segment.
fn unwrapped(
    (link, captured, original, origin): (LinkType, &[u8], u32, Origin),
    unwrap: &mut Unwrap,
    mut take: impl FnMut(&Segment<'_>),
) -> Option<Skip> {
    match decode(link, captured, original, origin) {
        Ok(segment) => take(&segment),
        Err(reason) => match unwrap.packet(link, captured, original, origin, reason) {
            Ok(Unwrapped::Segment(segment) | Unwrapped::Whole(segment)) => take(&segment),
            Ok(Unwrapped::Kept) => {}
            Err(reason) => return Some(reason),
        },
    }
    None
}
