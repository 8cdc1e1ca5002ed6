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

    /// Counts the packets of a block, in one pass: there are more of them than the nearest cache holds.
    pub(super) fn count(&mut self, packets: &[PacketMeta]) {
        let Some(first) = packets.first() else { return };
        let (mut bytes, mut cut, mut earliest, mut latest) = (0u64, 0u64, first.time, first.time);
        for packet in packets {
            bytes = bytes.saturating_add(u64::from(packet.original));
            cut = cut.saturating_add(u64::from(packet.captured < packet.original));
            earliest = earliest.min(packet.time);
            latest = latest.max(packet.time);
        }
        let totals = self.store.totals_mut();
        totals.packets = totals.packets.saturating_add(packets.len() as u64);
        totals.bytes = totals.bytes.saturating_add(bytes);
        totals.cut_packets = totals.cut_packets.saturating_add(cut);
        let (start, end) = totals.first_and_last.unwrap_or((earliest, latest));
        totals.first_and_last = Some((start.min(earliest), end.max(latest)));
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
