//! A shard: the flows that it owns, and what they come to.

use std::hint::black_box;

use super::Options;
use crate::capture::{LinkType, PacketMeta};
use crate::decode::{FlowKey, Segment, Skip};
use crate::model::{Capture, Connection, Keeps, Store, Totals};
use crate::points::{Seen, Sightings, Surveyed};
use crate::protocol::{Attempt, Context, Exchanges, Stack, StreamFacts};
use crate::tcp::{Connections, Copies, HalfFacts, Open, Place};
use crate::units::{PacketNumber, Timestamp};

/// What is known while reading goes on.
#[derive(Clone, Copy, Debug)]
pub struct SoFar<'a> {
    shard: &'a Shard,
}

impl<'a> SoFar<'a> {
    /// What was counted. Attempts and what the connection table counts are added at the end.
    #[must_use]
    pub const fn totals(self) -> &'a Totals {
        self.shard.store.totals()
    }

    /// Connections that are over and kept, in the order of their ends: later ones are added behind them.
    #[must_use]
    pub fn ended(self) -> &'a [Connection] {
        self.shard.store.connections()
    }

    /// Connections that are not over yet. To look at all of them costs a few milliseconds where there are 100,000.
    pub fn open(self) -> impl Iterator<Item = OpenConnection<'a>> {
        self.shard.connections.open().map(OpenConnection)
    }
}

/// A connection that is not over yet.
#[derive(Debug)]
pub struct OpenConnection<'a>(Open<'a, Stack>);

impl<'a> OpenConnection<'a> {
    /// Its name: the number of its first packet.
    #[must_use]
    pub const fn id(&self) -> PacketNumber {
        self.0.opening().first.packet
    }

    /// What the segments of its two halves show so far.
    #[must_use]
    pub fn halves(&self) -> [HalfFacts; 2] {
        self.0.facts().halves
    }

    /// Its attempts so far.
    #[must_use]
    pub fn attempts(&self) -> &'a [Attempt] {
        self.0.receiver().attempts()
    }

    /// Its latest packet, and when that was.
    #[must_use]
    pub fn last(&self) -> (PacketNumber, Timestamp) {
        self.0.last()
    }

    /// Its latest packet.
    #[must_use]
    pub const fn last_packet(&self) -> PacketNumber {
        self.0.last_packet()
    }

    /// Its requests that are no attempts, if it carried some.
    #[must_use]
    pub fn exchanges(&self) -> Option<&'a Exchanges> {
        self.0.receiver().exchanges()
    }

    /// Whether a session goes on.
    #[must_use]
    pub const fn has_session(&self) -> bool {
        self.0.receiver().has_session() && !self.0.is_closed()
    }

    /// Whether it is over, and only kept for late packets.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// What is known of it so far, without the frames of a session that goes on.
    #[must_use]
    pub fn to_connection(&self) -> Connection {
        Connection::new(self.0.facts(), self.0.receiver().so_far(false))
    }

    /// The same with these frames, as far as they are kept.
    #[must_use]
    pub fn to_connection_with_frames(&self) -> Connection {
        Connection::new(self.0.facts(), self.0.receiver().so_far(true))
    }
}

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    connections: Connections<Stack>,
    context: Context,
    places: Vec<Place>,
    copies: Copies,
    /// Where several files show the same traffic.
    sightings: Option<Box<Sightings>>,
    store: Store,
}

impl Shard {
    pub(super) fn new(options: Options) -> Self {
        let context = Context::new(options.keeps != Keeps::Totals, options.keeps_frames);
        Self {
            connections: Connections::new(options.limits),
            context: match options.messages {
                Some(wanted) => context.with_messages(wanted),
                None => context,
            },
            places: Vec::new(),
            copies: Copies::default(),
            sightings: None,
            store: Store::new(options.keeps),
        }
    }

    /// Counts the packets of a block, in one pass: there are more of them than the nearest cache holds.
    pub(super) fn count(&mut self, packets: &[PacketMeta]) {
        let Some(first) = packets.first() else { return };
        // What `-i any` writes: a packet that passes a bridge is captured at each of its interfaces.
        if matches!(first.link, LinkType::LINUX_SLL | LinkType::LINUX_SLL2) {
            self.copies.expect();
        }
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

    /// Counts packets that are no segments.
    pub(super) fn skip_several(&mut self, reason: Skip, packets: u64) {
        if packets > 0 {
            let counter = self.store.totals_mut().skipped.entry(reason).or_default();
            *counter = counter.saturating_add(packets);
        }
    }

    /// Takes the next segments, in order.
    pub(super) fn segments(&mut self, segments: &[Segment<'_>]) {
        black_box(self.connections.locate(segments, &mut self.places));
        let looks_for_copies = self.copies.watches(segments.len());
        for (place, segment) in self.places.iter().zip(segments) {
            if looks_for_copies && self.copies.is_copy(segment) {
                self.connections.copy(segment);
                continue;
            }
            let store = &mut self.store;
            let mut ended = |connection, context: &mut Context| store.add(connection, context);
            self.connections.segment(*place, segment, &mut self.context, &mut ended);
        }
    }

    /// Tells packets from those that another point of capture has shown, from now on.
    pub(super) fn compare(&mut self, surveyed: Surveyed) {
        self.sightings = Some(Box::new(Sightings::new(surveyed)));
    }

    /// Notes that a point of capture has a packet, whatever it is.
    pub(super) fn captured_at(&mut self, point: u8, time: Timestamp) {
        if let Some(sightings) = &mut self.sightings {
            sightings.captured(point, time);
        }
    }

    /// The connection that a segment belongs to at a point of capture.
    pub(super) fn flow_at(&self, segment: &Segment<'_>, point: Option<u8>) -> FlowKey {
        let here = self.sightings.as_ref().zip(point);
        here.map_or(segment.flow, |(sightings, point)| sightings.flow_at(segment.flow, point))
    }

    /// Takes the next segment, which a point of capture shows, if there is one.
    pub(super) fn segment_at(&mut self, segment: &Segment<'_>, point: Option<u8>) {
        let Some((sightings, point)) = self.sightings.as_mut().zip(point) else {
            self.segments(std::slice::from_ref(segment));
            return;
        };
        let seen = sightings.take(segment, point);
        match seen {
            Seen::New => self.segments(std::slice::from_ref(segment)),
            Seen::Apart => {
                self.segments(&[Segment { flow: segment.flow.at_point(point), ..*segment }]);
            }
            Seen::Again => {}
            Seen::Copy => {
                self.connections.copy(segment);
                self.copies.count();
            }
        }
    }

    /// See [`Context::refused_message`].
    pub(super) fn refused_message(&self) -> Option<u64> {
        self.context.refused_message()
    }

    /// Lets connections of a capture that goes on end; see [`Connections::let_go`].
    pub(super) fn let_go(&mut self, now: Timestamp, closed: Timestamp, heard: Timestamp) {
        let store = &mut self.store;
        let mut ended = |connection, context: &mut Context| store.add(connection, context);
        self.connections.let_go(now, closed, heard, &mut self.context, &mut ended);
    }

    /// See [`Connections::clock_stepped`].
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        self.connections.clock_stepped(now);
    }

    /// Takes out what is over.
    pub(super) fn take_ended(&mut self, now: Timestamp) -> Vec<Connection> {
        self.store.take_ended(now)
    }

    /// Nobody keeps so many of the requests any more that were no attempts.
    pub(super) const fn make_room_for_exchanges(&mut self, number: usize) {
        self.context.make_room_for_exchanges(number);
    }

    /// Packets that were captured more than once.
    pub(super) const fn copies(&self) -> u64 {
        self.copies.found()
    }

    /// Whoever has this connection now limits the frames that it keeps by itself.
    pub(super) fn forget_frames(&mut self, connection: &Connection) {
        let sessions = connection.attempts.iter().filter_map(|attempt| attempt.session.as_ref());
        self.context.make_room_for_frames(sessions.map(|session| session.frames.len()).sum());
    }

    /// The totals as if everything ended now.
    pub(super) fn totals_now(&self, now: Timestamp) -> Totals {
        let open = self.so_far().open().map(|open| open.to_connection());
        let mut totals = self.store.totals_now(open, now, self.connections.counts());
        totals.copies = self.copies.found();
        totals
    }

    /// What is known of connections without payload.
    pub(super) fn unopened(&self) -> impl Iterator<Item = Connection> {
        self.connections.unopened().map(|facts| Connection::new(facts, StreamFacts::default()))
    }

    /// Ends all connections of a capture that went on, and takes them out.
    pub(super) fn end(&mut self, now: Timestamp) -> Vec<Connection> {
        let store = &mut self.store;
        let mut ended = |connection, context: &mut Context| store.add(connection, context);
        self.connections.finish(&mut self.context, &mut ended);
        store.take_ended(now)
    }

    /// What is known before the end.
    pub(super) const fn so_far(&self) -> SoFar<'_> {
        SoFar { shard: self }
    }

    /// Ends all connections.
    pub(super) fn finish(mut self, warnings: Vec<String>) -> Capture {
        let store = &mut self.store;
        self.connections.finish(&mut self.context, &mut |connection, context| store.add(connection, context));
        self.store.totals_mut().warnings = warnings;
        self.store.totals_mut().copies = self.copies.found();
        let Some(sightings) = &mut self.sightings else {
            return self.store.finish(self.connections.counts());
        };
        let passages = sightings.finish();
        let totals = self.store.totals_mut();
        totals.seen_again = sightings.again();
        totals.forgotten_passages = sightings.forgotten();
        let mut capture = self.store.finish(self.connections.counts());
        capture.lay_passages(passages);
        capture
    }
}
