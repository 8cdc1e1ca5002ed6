//! Which files show the same traffic, where each was captured, and by which clock.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::landmarks::{Beginning, File, Landmark};
use super::standpoints::{Ends, Match, Pairs, Points, ends};
use crate::capture::Standpoint;
use crate::decode::{FlowKey, Segment};
use crate::limits::{SURVEYED_FLOWS, SURVEYED_PACKETS};

/// Looks at the packets of several files.
///
/// Of each file those packets are kept whose hashes are least, as many as fit: of two files that show the same traffic
/// they are the same packets, wherever either begins.
#[derive(Debug)]
pub struct Survey {
    files: Vec<File>,
    /// Packets of each that are kept.
    room: usize,
    /// Connections of each of which the beginning is kept.
    room_for_flows: usize,
}

/// What a survey found.
#[derive(Clone, Debug, Default)]
pub struct Surveyed {
    /// Where each file was captured, in their order.
    pub standpoints: Vec<Standpoint>,
    /// Pairs of endpoints between which the points do not show the same bytes: something between them speaks for itself.
    /// What either point shows of them is a connection of its own.
    pub apart: HashSet<FlowKey, foldhash::fast::RandomState>,
}

impl Survey {
    /// Of so many files: they share the room that [`SURVEYED_PACKETS`] and [`SURVEYED_FLOWS`] give.
    #[must_use]
    pub fn of(files: usize) -> Self {
        let each = |all: usize| all.checked_div(files).unwrap_or_default().max(1);
        let (room, room_for_flows) = (each(SURVEYED_PACKETS), each(SURVEYED_FLOWS));
        Self { files: std::iter::repeat_with(File::default).take(files).collect(), room, room_for_flows }
    }

    /// Looks at a segment of a file, each by its number from 0.
    pub fn segment(&mut self, file: usize, segment: &Segment<'_>) {
        let (room, room_for_flows) = (self.room, self.room_for_flows);
        let Some(file) = self.files.get_mut(file) else { return };
        file.segment(segment, room_for_flows);
        if file.packets.len() > room.saturating_mul(2) {
            file.shrink(room);
        }
    }

    /// What was found; none if no two files have packets in common.
    #[must_use]
    pub fn finish(self) -> Option<Surveyed> {
        let mut pairs = self.pairs();
        for pair in self.interceptions() {
            pairs.entry(pair).or_default();
        }
        if pairs.is_empty() {
            return None;
        }
        let standpoints = Points::of(&self.files, &pairs).standpoints(&self.files, &pairs);
        let apart = self.apart(&standpoints, &pairs);
        Some(Surveyed { standpoints, apart })
    }

    /// What each two files have in common, if that is enough to be believed.
    fn pairs(&self) -> Pairs {
        let mut pairs = self.matches(|hash, _| *hash);
        pairs.retain(|_, found| found.len() >= COMMON_PACKETS);
        // Packets whose addresses were translated tell the clocks too, but other numbers may be alike by chance.
        for (files, mut found) in self.matches(|_, landmark| landmark.anywhere) {
            let mut often: BTreeMap<[Ends; 2], usize> = BTreeMap::new();
            for it in &found {
                let count = often.entry(it.flows.map(ends)).or_default();
                *count = count.saturating_add(1);
            }
            found.retain(|it| often.get(&it.flows.map(ends)).is_some_and(|count| *count >= COMMON_PACKETS));
            if !found.is_empty() {
                pairs.entry(files).or_insert(found);
            }
        }
        pairs
    }

    /// The packets that each two files have in common by a hash.
    fn matches(&self, hash: impl Fn(&u64, &Landmark) -> u64) -> Pairs {
        let mut by_hash: BTreeMap<u64, Vec<(usize, &Landmark)>> = BTreeMap::new();
        for (number, file) in self.files.iter().enumerate() {
            for (own, landmark) in file.packets.iter().filter(|(_, landmark)| !landmark.is_ambiguous) {
                by_hash.entry(hash(own, landmark)).or_default().push((number, landmark));
            }
        }
        let mut pairs = Pairs::new();
        for here in by_hash.values() {
            // Files come one after another; two of one file are not told apart.
            let is_alone = |file: usize| here.iter().filter(|(other, _)| *other == file).count() == 1;
            for (place, (one, landmark)) in here.iter().enumerate() {
                for (other, other_landmark) in here.iter().skip(place.saturating_add(1)) {
                    if one == other || !is_alone(*one) || !is_alone(*other) {
                        continue;
                    }
                    if landmark.content.is_like(&other_landmark.content) {
                        pairs.entry((*one, *other)).or_default().push(Match {
                            flows: [landmark.flow, other_landmark.flow],
                            half: landmark.half,
                            times: [landmark.time, other_landmark.time],
                        });
                    }
                }
            }
        }
        pairs
    }

    /// Files that have no packets in common and yet connections between the same endpoints at the same time: somebody
    /// between them ends each connection and opens one of his own.
    fn interceptions(&self) -> Vec<(usize, usize)> {
        let overlap = |one: &File, other: &File| match (one.period, other.period) {
            (Some((from, to)), Some((begin, end))) => begin < to && from < end,
            _ => false,
        };
        let mut found = Vec::new();
        for (number, one) in self.files.iter().enumerate() {
            for (other_number, other) in self.files.iter().enumerate().skip(number.saturating_add(1)) {
                let differs = |(flow, beginning): (&FlowKey, &Beginning)| {
                    other.flows.get(flow).is_some_and(|other| beginning.differs(other))
                };
                if overlap(one, other) && one.flows.iter().any(differs) {
                    found.push((number, other_number));
                }
            }
        }
        found
    }

    /// Connections whose bytes are not the same at two points.
    fn apart(
        &self,
        standpoints: &[Standpoint],
        pairs: &Pairs,
    ) -> HashSet<FlowKey, foldhash::fast::RandomState> {
        let mut apart = HashSet::default();
        let point = |file: usize| standpoints.get(file).and_then(|standpoint| standpoint.point);
        let linked: BTreeSet<[u8; 2]> = pairs
            .keys()
            .filter_map(|(one, other)| Some([point(*one)?, point(*other)?]))
            .flat_map(|[one, other]| [[one, other], [other, one]])
            .collect();
        for (number, one) in self.files.iter().enumerate() {
            for (other_number, other) in self.files.iter().enumerate().skip(number.saturating_add(1)) {
                let (Some(here), Some(there)) = (point(number), point(other_number)) else { continue };
                if !linked.contains(&[here, there]) {
                    continue;
                }
                let differing = one.flows.iter().filter(|(flow, beginning)| {
                    other.flows.get(flow).is_some_and(|other| beginning.differs(other))
                });
                apart.extend(differing.map(|(flow, _)| *flow));
                let changed = one.packets.iter().filter(|(hash, landmark)| {
                    other.packets.get(hash).is_some_and(|other| landmark.is_changed(other))
                });
                apart.extend(changed.map(|(_, landmark)| landmark.flow));
            }
        }
        apart
    }
}

/// Packets that two files must have in common to be of the same traffic.
const COMMON_PACKETS: usize = 3;
