//! A shard: the flows that it owns, and what they come to.

use super::Options;
use crate::capture::PacketMeta;
use crate::decode::{Segment, Skip};
use crate::model::{Capture, Store};
use crate::protocol::{Context, Stack};
use crate::tcp::{Connections, Ended};

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    connections: Connections<Stack>,
    context: Context,
    ended: Vec<Ended<Stack>>,
    store: Store,
}

impl Shard {
    pub(super) fn new(options: Options) -> Self {
        Self {
            connections: Connections::new(options.limits),
            context: Context::new(options.keeps_frames),
            ended: Vec::new(),
            store: Store::new(options.keeps_all),
        }
    }

    /// Counts a packet.
    pub(super) fn count(&mut self, packet: &PacketMeta) {
        let totals = self.store.totals_mut();
        totals.packets = totals.packets.saturating_add(1);
        totals.bytes = totals.bytes.saturating_add(u64::from(packet.original));
        totals.cut_packets = totals.cut_packets.saturating_add(u64::from(packet.captured < packet.original));
        let (first, last) = totals.first_and_last.unwrap_or((packet.time, packet.time));
        totals.first_and_last = Some((first.min(packet.time), last.max(packet.time)));
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

    /// Takes a segment.
    pub(super) fn segment(&mut self, segment: &Segment<'_>) {
        self.connections.segment(segment, &mut self.context, &mut self.ended);
        if !self.ended.is_empty() {
            self.store_ended();
        }
    }

    /// Ends all connections.
    pub(super) fn finish(mut self, warnings: Vec<String>) -> Capture {
        self.connections.finish(&mut self.context, &mut self.ended);
        self.store_ended();
        self.store.totals_mut().warnings = warnings;
        self.store.finish(self.connections.counts(), &self.context)
    }

    fn store_ended(&mut self) {
        for ended in self.ended.drain(..) {
            self.store.add(ended, &mut self.context);
        }
    }
}
