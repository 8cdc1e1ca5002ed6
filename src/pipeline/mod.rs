//! Drives the rooms: blocks are decoded, segments put in order, streams read, and the store filled.
//!
//! One thread does it all for now. What several would share is cut along `Shard`: a shard owns its flows,
//! and a connection's name is its first packet, so that results do not depend on how many shards there are as
//! long as none of them meets a limit.

mod comparing;
mod export;
mod following;
mod read_back;
mod second_look;
mod shard;

use crate::capture::{Block, CaptureError, Filter, PacketMeta, Source};
use crate::decode::{Segment, Skip, Unwrap, Unwrapped, decode, decode_usual};
use crate::limits::Limits;
use crate::model::{Capture, Keeps};
use crate::protocol::MessagesWanted;
use crate::units::{Origin, PacketNumber};
use shard::Shard;

pub use comparing::survey;
pub use export::{Export, ExportedInterfaces};
pub use following::{Following, Happened};
pub use read_back::{ReadBack, ReadBackError, ReadBackWanted, read_back, read_back_from};
pub use second_look::SecondLook;
pub use shard::{OpenConnection, SoFar};

/// What is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What is to be kept besides the totals.
    pub keeps: Keeps,
    /// Each frame is kept.
    pub keeps_frames: bool,
    /// Messages are decoded, and these are kept.
    pub messages: Option<MessagesWanted>,
    /// The limits.
    pub limits: Limits,
}

/// Reads a capture to its end. `progress` is called after each block.
///
/// # Errors
/// If the capture cannot be read on, or the filter cannot be compiled for its link type. What was read before
/// is lost then; damage inside the capture is no error.
pub fn analyse<S: Source>(
    source: &mut S,
    filter: Option<Filter>,
    options: Options,
    mut progress: impl FnMut(&S),
) -> Result<Capture, CaptureError> {
    analyse_watched(source, filter, options, |source, _| progress(source))
}

/// As [`analyse`], for who wants to show what there is while reading goes on: `watch` is called after each block.
///
/// # Errors
/// As those of [`analyse`].
pub fn analyse_watched<S: Source>(
    source: &mut S,
    mut filter: Option<Filter>,
    options: Options,
    mut watch: impl FnMut(&S, SoFar<'_>),
) -> Result<Capture, CaptureError> {
    let mut shard = Shard::new(options);
    let surveyed = comparing::survey(source)?;
    if let Some(surveyed) = &surveyed {
        shard.compare(surveyed.clone());
    }
    let mut unwrap = Unwrap::default();
    let mut block = Block::default();
    let mut warnings = Vec::new();
    while source.next_block(&mut block)? {
        read_block(&block, filter.as_mut(), &mut unwrap, &mut shard)?;
        shard.skip_several(Skip::Fragment, unwrap.take_lost(false));
        warnings.append(&mut source.take_warnings());
        watch(source, shard.so_far());
    }
    warnings.append(&mut source.take_warnings());
    warnings.extend(filter.as_mut().map(Filter::take_warnings).unwrap_or_default());
    shard.skip_several(Skip::Fragment, unwrap.take_lost(true));
    let mut capture = shard.finish(warnings);
    capture.files = source.files();
    capture.numbering = source.take_numbering();
    capture.surveyed = surveyed;
    Ok(capture)
}

// Apart from its caller, so that the loop has the registers for itself.
#[inline(never)]
fn read_block(
    block: &Block,
    mut filter: Option<&mut Filter>,
    unwrap: &mut Unwrap,
    shard: &mut Shard,
) -> Result<(), CaptureError> {
    shard.count(&block.packets);
    if !block.points.is_empty() {
        return comparing::read_block(block, filter, unwrap, shard);
    }
    let mut number = block.first;
    let mut segments = Vec::with_capacity(BATCH);
    for packet in &block.packets {
        let this = number;
        number = PacketNumber(number.0.saturating_add(1));
        let captured = block.captured(packet);
        if let Some(filter) = &mut filter
            && !filter.matches(packet.link, captured)?
        {
            shard.filtered();
            continue;
        }
        // The two share nothing, so that what is usual is built where it is to lie, and never read back from the stack.
        if let Some(segment) = decode_usual(packet.link, captured, origin(block, packet, this)) {
            segments.push(segment);
        } else {
            unusual(block, packet, this, unwrap, &mut segments, shard);
        }
        if segments.len() == BATCH {
            shard.segments(&segments);
            segments.clear();
        }
    }
    shard.segments(&segments);
    Ok(())
}

/// Where a packet stands.
#[inline]
fn origin(block: &Block, packet: &PacketMeta, number: PacketNumber) -> Origin {
    let file_offset = block.file_offset.saturating_add(u64::from(packet.start));
    Origin { packet: number, time: packet.time, file_offset }
}

/// A packet that takes more than one look.
#[inline(never)]
fn unusual<'block>(
    block: &'block Block,
    packet: &PacketMeta,
    number: PacketNumber,
    unwrap: &mut Unwrap,
    segments: &mut Vec<Segment<'block>>,
    shard: &mut Shard,
) {
    let (captured, origin) = (block.captured(packet), origin(block, packet, number));
    match decode(packet.link, captured, packet.original, origin) {
        Ok(segment) => segments.push(segment),
        Err(reason) => match unwrap.packet(packet.link, captured, packet.original, origin, reason) {
            Ok(Unwrapped::Segment(segment)) => segments.push(segment),
            Ok(Unwrapped::Whole(segment)) => {
                // Its bytes are gone with the next one.
                shard.segments(segments);
                segments.clear();
                shard.segments(&[segment]);
            }
            Ok(Unwrapped::Kept) => {}
            Err(reason) => shard.skip_several(reason, 1),
        },
    }
}

/// The segment of a packet of which only the connection matters; none if it has none, or keeps it for later.
fn segment<'a>(
    block: &'a Block,
    packet: &PacketMeta,
    number: PacketNumber,
    unwrap: &'a mut Unwrap,
) -> Option<Segment<'a>> {
    let (captured, origin) = (block.captured(packet), origin(block, packet, number));
    match decode(packet.link, captured, packet.original, origin) {
        Ok(segment) => Some(segment),
        Err(reason) => match unwrap.packet(packet.link, captured, packet.original, origin, reason) {
            Ok(Unwrapped::Segment(segment) | Unwrapped::Whole(segment)) => Some(segment),
            Ok(Unwrapped::Kept) | Err(_) => None,
        },
    }
}

/// Segments that are looked up before the first of them is worked on: enough to overlap the waits for memory,
/// few enough to stay in the first-level cache.
const BATCH: usize = 128;
