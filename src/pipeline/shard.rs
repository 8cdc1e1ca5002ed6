//! A shard: the flows that it owns, and what they come to.

use std::hint::black_box;

use super::Options;
use crate::capture::PacketMeta;
use crate::decode::{Segment, Skip};
use crate::model::{Capture, Keeps, Store};
use crate::protocol::{Context, Stack};
use crate::tcp::{Connections, Place};

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    connections: Connections<Stack>,
    context: Context,
    places: Vec<Place>,
    store: Store,
}

impl Shard {
    pub(super) fn new(options: Options) -> Self {
        Self {
            connections: Connections::new(options.limits),
            context: Context::new(options.keeps != Keeps::Totals, options.keeps_frames),
            places: Vec::new(),
            store: Store::new(options.keeps),
        }
    }

    /// Counts the packets of a block.
    pub(super) fn count(&mut self, packets: &[PacketMeta]) {
        let totals = self.store.totals_mut();
        totals.packets = totals.packets.saturating_add(packets.len() as u64);
        let bytes: u64 = packets.iter().map(|packet| u64::from(packet.original)).sum();
        totals.bytes = totals.bytes.saturating_add(bytes);
        let cut = packets.iter().filter(|packet| packet.captured < packet.original).count();
        totals.cut_packets = totals.cut_packets.saturating_add(cut as u64);
        let times = packets.iter().map(|packet| packet.time);
        let of_block = times.clone().min().zip(times.max());
        totals.first_and_last = match (totals.first_and_last, of_block) {
            (Some((first, last)), Some((earliest, latest))) => Some((first.min(earliest), last.max(latest))),
            (known, of_block) => known.or(of_block),
        };
    }

    /// Counts a packet that the filter left out.
    pub(super) fn filtered(&mut self) {
        let totals = self.store.totals_mut();
        totals.filtered = totals.filtered.saturating_add(1);
    }

    /// Counts a packet that is no segment.
    pub(super) fn skip(&mut self, reason: Skip) {
        let counter = self.store.totals_mut().skipped.entry(reason).or_default();
        *counter = counter.saturating_add(1);
    }

    /// Takes the next segments, in order.
    pub(super) fn segments(&mut self, segments: &[Segment<'_>]) {
        black_box(self.connections.locate(segments, &mut self.places));
        for (place, segment) in self.places.iter().zip(segments) {
            let store = &mut self.store;
            let mut ended = |connection, context: &mut Context| store.add(connection, context);
            self.connections.segment(*place, segment, &mut self.context, &mut ended);
        }
    }

    /// Ends all connections.
    pub(super) fn finish(mut self, warnings: Vec<String>) -> Capture {
        let store = &mut self.store;
        self.connections.finish(&mut self.context, &mut |connection, context| store.add(connection, context));
        self.store.totals_mut().warnings = warnings;
        self.store.finish(self.connections.counts())
    }
}
