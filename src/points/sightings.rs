//! Tells for each packet of several points whether another point has shown it before, and keeps what only one has.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use super::flow::Flow;
use super::passage::Passage;
use super::survey::Surveyed;
use super::transit::{Found, Watch};
use crate::decode::{FlowKey, Half, Segment};
use crate::limits::{
    AWAITED_PACKETS, AWAITED_PACKETS_ALONE, AWAITED_PACKETS_TOTAL, COMPARED_CONNECTIONS, PASSAGES_KEPT,
};
use crate::units::{PacketNumber, Timestamp};

/// Compares what the points show. Packets come by corrected time.
#[derive(Debug, Default)]
pub struct Sightings {
    apart: HashSet<FlowKey, foldhash::fast::RandomState>,
    flows: HashMap<FlowKey, Flow, foldhash::fast::RandomState>,
    /// Since when each point has shown packets, and up to when.
    watch: BTreeMap<u8, (Timestamp, Timestamp)>,
    awaited: usize,
    again: u64,
    /// The point on the side of the lower address, of hosts whose connections two points show.
    sides: BTreeMap<Hosts, [u8; 2]>,
    over: Vec<Over>,
    forgotten: u64,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The first of its kind.
    New,
    /// The first of its kind at this point, of a connection that is another one here: see [`Surveyed::apart`].
    Apart,
    /// Another point has shown it.
    Again,
    /// This point has shown it.
    Copy,
}

/// A connection that is compared no more.
#[derive(Debug)]
struct Over {
    key: FlowKey,
    first: PacketNumber,
    flow: Flow,
}

/// Two hosts and the port of the server.
type Hosts = (IpAddr, IpAddr, u16);

impl Sightings {
    /// By what a survey found.
    #[must_use]
    pub fn new(surveyed: Surveyed) -> Self {
        Self { apart: surveyed.apart, ..Self::default() }
    }

    /// How many packets were seen at another point before.
    #[must_use]
    pub const fn again(&self) -> u64 {
        self.again
    }

    /// Connections of which is not told what one point saw alone, since there were too many.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The connection that a packet belongs to at a point.
    #[must_use]
    pub fn flow_at(&self, flow: FlowKey, point: u8) -> FlowKey {
        if self.apart.contains(&flow) { flow.at_point(point) } else { flow }
    }

    /// Notes that a point captured at a time, whatever packet it was.
    pub fn captured(&mut self, point: u8, time: Timestamp) {
        let (from, to) = self.watch.entry(point).or_insert((time, time));
        (*from, *to) = ((*from).min(time), (*to).max(time));
    }

    /// Takes a packet that a point shows, after [`Self::captured`].
    pub fn take(&mut self, segment: &Segment<'_>, point: u8) -> Seen {
        let now = segment.origin.time;
        if self.apart.contains(&segment.flow) {
            return Seen::Apart;
        }
        if self.flows.get(&segment.flow).is_some_and(|flow| flow.is_reused_by(segment))
            && let Some(flow) = self.flows.remove(&segment.flow)
        {
            self.end(segment.flow, flow);
        }
        if self.flows.len() >= COMPARED_CONNECTIONS && !self.flows.contains_key(&segment.flow) {
            self.end_oldest();
        }
        let flow = self.flows.entry(segment.flow).or_insert_with(|| Flow::new(segment));
        let before = flow.len();
        let found = flow.take(segment, point);
        let is_roomy = flow.is_shared() && self.awaited < AWAITED_PACKETS_TOTAL;
        let most = if is_roomy { AWAITED_PACKETS } else { AWAITED_PACKETS_ALONE };
        flow.let_go(segment.half, now, most, &watch(&self.watch, flow.points()));
        self.awaited = self.awaited.saturating_add(flow.len()).saturating_sub(before);
        match found {
            Found::New => Seen::New,
            Found::Copy => Seen::Copy,
            Found::Again => {
                self.again = self.again.saturating_add(1);
                Seen::Again
            }
        }
    }

    /// What the points show of each connection that two of them saw, or that one did and the other should have: its
    /// endpoints, its first packet, and the facts. To be asked at the end.
    #[must_use]
    pub fn finish(&mut self) -> Vec<(FlowKey, PacketNumber, Passage)> {
        let mut left: Vec<(FlowKey, Flow)> = std::mem::take(&mut self.flows).into_iter().collect();
        left.sort_unstable_by_key(|(_, flow)| flow.first);
        for (key, flow) in left {
            self.end(key, flow);
        }
        let (watched, sides) = (&self.watch, &self.sides);
        let mut all: Vec<(FlowKey, PacketNumber, Passage)> = std::mem::take(&mut self.over)
            .into_iter()
            .filter_map(|Over { key, first, mut flow }| {
                let (points, lo_side) = match *flow.points() {
                    [one, other] => {
                        let known = sides.get(&hosts(&key));
                        let by_hosts =
                            || known.and_then(|[lo, _]| [one, other].iter().position(|it| it == lo));
                        ([one, other], flow.lo_side().or_else(by_hosts).unwrap_or(0))
                    }
                    // Only where other connections of the two hosts pass both points.
                    [only] => {
                        let [lo, hi] = *sides.get(&hosts(&key))?;
                        if only == lo {
                            ([lo, hi], 0)
                        } else if only == hi {
                            ([hi, lo], 1)
                        } else {
                            return None;
                        }
                    }
                    _ => return None,
                };
                let passage = flow.finish(points, lo_side, &watch(watched, &points));
                Some((key, first, passage))
            })
            .collect();
        all.sort_by_key(|(_, first, _)| *first);
        all
    }

    fn end(&mut self, key: FlowKey, flow: Flow) {
        self.awaited = self.awaited.saturating_sub(flow.len());
        if let ([one, other], Some(lo_side)) = (flow.points(), flow.lo_side()) {
            let points = if lo_side == 0 { [*one, *other] } else { [*other, *one] };
            self.sides.entry(hosts(&key)).or_insert(points);
        }
        if self.over.len() < PASSAGES_KEPT {
            self.over.push(Over { key, first: flow.first, flow });
        } else {
            self.forgotten = self.forgotten.saturating_add(1);
        }
    }

    fn end_oldest(&mut self) {
        let mut by_age: Vec<(Timestamp, PacketNumber, FlowKey)> =
            self.flows.iter().map(|(key, flow)| (flow.last, flow.first, *key)).collect();
        by_age.sort_unstable_by_key(|(last, first, _)| (*last, *first));
        for (.., key) in by_age.into_iter().take(COMPARED_CONNECTIONS / 16) {
            if let Some(flow) = self.flows.remove(&key) {
                self.end(key, flow);
            }
        }
    }
}

/// When the points of a connection captured.
fn watch(all: &BTreeMap<u8, (Timestamp, Timestamp)>, points: &[u8]) -> Watch {
    let of = |place: usize| points.get(place).and_then(|point| all.get(point)).copied();
    [of(0), of(1)]
}

/// The hosts of a connection. The server's port is the lower one, as a rule.
fn hosts(key: &FlowKey) -> Hosts {
    let (lo, hi) = (key.endpoint(Half::Lo), key.endpoint(Half::Hi));
    (lo.address, hi.address, lo.port.min(hi.port))
}
