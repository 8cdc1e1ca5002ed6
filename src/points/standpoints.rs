//! Where files were captured, from the packets that they have in common: their points, and the clocks of these.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::clocks::{self, Sample};
use super::landmarks::File;
use crate::capture::Standpoint;
use crate::decode::{FlowKey, Half};
use crate::units::{Endpoint, Span, Timestamp, median};

/// A packet that two files have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    pub(super) flows: [FlowKey; 2],
    /// Its half in the first file.
    pub(super) half: Half,
    pub(super) times: [Timestamp; 2],
}

/// Two endpoints, to be sorted by.
pub(super) type Ends = [Endpoint; 2];

pub(super) fn ends(flow: FlowKey) -> Ends {
    [flow.endpoint(Half::Lo), flow.endpoint(Half::Hi)]
}

/// What each two files have in common, by their numbers.
pub(super) type Pairs = BTreeMap<(usize, usize), Vec<Match>>;

/// Files by their points.
pub(super) struct Points {
    /// The point of each file, and the component: points that are tied by common packets.
    of_file: Vec<Option<(u8, usize)>>,
}

impl Points {
    /// Gives files of one host the same point: they have nothing in common with each other, and one begins when the other
    /// has ended.
    pub(super) fn of(files: &[File], pairs: &Pairs) -> Self {
        let mut component: Vec<usize> = (0..files.len()).collect();
        for (one, other) in pairs.keys() {
            let (Some(from), Some(to)) = (component.get(*other).copied(), component.get(*one).copied())
            else {
                continue;
            };
            component.iter_mut().filter(|it| **it == from).for_each(|it| *it = to);
        }
        let is_tied = |file: usize| pairs.keys().any(|(one, other)| *one == file || *other == file);
        let mut of_file: Vec<Option<(u8, usize)>> = vec![None; files.len()];
        let mut points: Vec<(usize, Vec<usize>)> = Vec::new();
        for (number, file) in files.iter().enumerate().filter(|(number, _)| is_tied(*number)) {
            let Some(own) = component.get(number).copied() else { continue };
            let fits = |(component, members): &(usize, Vec<usize>)| {
                let is_apart = |other: &usize| {
                    let pair = (number.min(*other), number.max(*other));
                    !pairs.contains_key(&pair) && is_after(file, files.get(*other))
                };
                *component == own && members.iter().all(is_apart)
            };
            let place = points.iter().position(fits).unwrap_or_else(|| {
                points.push((own, Vec::new()));
                points.len().saturating_sub(1)
            });
            if let (Some((_, members)), Some(slot), Ok(point)) =
                (points.get_mut(place), of_file.get_mut(number), u8::try_from(place))
            {
                members.push(number);
                *slot = Some((point, own));
            }
        }
        Self { of_file }
    }

    /// Where each file was captured. In each component the point that most connections come from is the measure.
    pub(super) fn standpoints(&self, files: &[File], pairs: &Pairs) -> Vec<Standpoint> {
        let point = |file: usize| self.of_file.get(file).copied().flatten();
        let mut between: BTreeMap<(u8, u8), Vec<Match>> = BTreeMap::new();
        let mut clients: BTreeMap<u8, usize> = BTreeMap::new();
        for ((one, other), found) in pairs {
            let (Some((here, _)), Some((there, _))) = (point(*one), point(*other)) else { continue };
            let turned = here > there;
            let both = between.entry((here.min(there), here.max(there))).or_default();
            both.extend(found.iter().map(|it| if turned { it.turned() } else { *it }));
            for (nearer, flows) in [here, there].into_iter().zip(client_sides(found, files, *one)) {
                let count = clients.entry(nearer).or_default();
                *count = count.saturating_add(flows);
            }
        }
        let mut standpoints: BTreeMap<u8, Standpoint> = BTreeMap::new();
        let mut left: BTreeSet<(usize, u8)> =
            self.of_file.iter().flatten().map(|(point, component)| (*component, *point)).collect();
        while let Some((component, _)) = left.first().copied() {
            let mut here: Vec<u8> =
                left.iter().filter(|(own, _)| *own == component).map(|(_, point)| *point).collect();
            left.retain(|(own, _)| *own != component);
            // The first file of two that are alike.
            here.sort_by_key(|point| (Reverse(clients.get(point).copied()), *point));
            let Some(measure) = here.first().copied() else { continue };
            standpoints.insert(measure, Standpoint { point: Some(measure), ..Standpoint::default() });
            // Those that share most come first; each by the clock of one that is known.
            while let Some((known, next)) = best(&between, &standpoints, &here) {
                let clock = standpoints.get(&known).map(|it| it.clock.clone()).unwrap_or_default();
                let found = between.get(&(known.min(next), known.max(next)));
                let mut samples =
                    samples(found.map_or(&[], Vec::as_slice), known > next, |time| clock.correct(time));
                let clock = clocks::estimate(&mut samples).unwrap_or_default();
                standpoints.insert(next, Standpoint { point: Some(next), clock });
            }
        }
        let of_file = self.of_file.iter();
        let mut all: Vec<Standpoint> = of_file
            .map(|file| file.and_then(|(point, _)| standpoints.get(&point).cloned()).unwrap_or_default())
            .collect();
        self.join(files, &mut all);
        // Numbered in the order of the files.
        let mut numbers: BTreeMap<u8, u8> = BTreeMap::new();
        for point in all.iter_mut().filter_map(|standpoint| standpoint.point.as_mut()) {
            let next = u8::try_from(numbers.len()).unwrap_or_default();
            *point = *numbers.entry(*point).or_insert(next);
        }
        all
    }

    /// Two hosts that both write rings have pairs of files with packets in common, and nothing that ties these pairs: the
    /// points of a later pair are those of an earlier one if clocks and times allow it.
    fn join(&self, files: &[File], standpoints: &mut [Standpoint]) {
        let mut components: Vec<usize> = self.of_file.iter().flatten().map(|(_, own)| *own).collect();
        components.dedup();
        let mut seen: Vec<usize> = Vec::new();
        for component in components {
            if seen.contains(&component) {
                continue;
            }
            let known = seen.clone();
            seen.push(component);
            let joined = known
                .into_iter()
                .find_map(|earlier| self.counterparts(files, standpoints, component, earlier));
            for (file, point) in joined.into_iter().flatten() {
                if let Some(standpoint) = standpoints.get_mut(file) {
                    standpoint.point = Some(point);
                }
            }
        }
    }

    /// For each file of a component the point of an earlier one that it belongs to; none if they do not fit.
    fn counterparts(
        &self,
        files: &[File],
        standpoints: &[Standpoint],
        component: usize,
        earlier: usize,
    ) -> Option<Vec<(usize, u8)>> {
        let members = |wanted: usize| {
            let of_file = self.of_file.iter().enumerate();
            of_file.filter(move |(_, file)| file.is_some_and(|(_, own)| own == wanted)).map(|(file, _)| file)
        };
        let mut taken: BTreeMap<u8, u8> = BTreeMap::new();
        let mut found = Vec::new();
        for file in members(component) {
            let here = standpoints.get(file)?;
            let fits = |other: &usize| {
                let Some(there) = standpoints.get(*other) else { return false };
                let apart = here.clock.ahead.as_nanos().abs_diff(there.clock.ahead.as_nanos());
                here.clock.is_measure() == there.clock.is_measure()
                    && apart <= SAME_CLOCK.as_nanos().unsigned_abs()
            };
            let point = members(earlier).find(fits).and_then(|other| standpoints.get(other)?.point)?;
            let is_free = files.iter().zip(standpoints).enumerate().all(|(other, (it, standpoint))| {
                let is_own =
                    self.of_file.get(other).copied().flatten().is_some_and(|(_, own)| own == component);
                standpoint.point != Some(point) || is_own || is_after(it, files.get(file))
            });
            if !is_free || *taken.entry(point).or_insert(here.point?) != here.point? {
                return None;
            }
            found.push((file, point));
        }
        Some(found)
    }
}

/// Whether one file ends before the other begins.
fn is_after(one: &File, other: Option<&File>) -> bool {
    match (one.period, other.and_then(|other| other.period)) {
        (Some((begin, end)), Some((first, last))) => begin >= last || end <= first,
        _ => true,
    }
}

/// The packets of one connection: their half, when the second point saw them, and how much later that was.
type Passing = Vec<(Half, Timestamp, Span)>;

/// A point whose clock is known and one whose clock is not, with the most packets in common.
fn best(
    between: &BTreeMap<(u8, u8), Vec<Match>>,
    known: &BTreeMap<u8, Standpoint>,
    points: &[u8],
) -> Option<(u8, u8)> {
    let is_next =
        |from: u8, to: u8| points.contains(&to) && known.contains_key(&from) && !known.contains_key(&to);
    let both = between
        .iter()
        .flat_map(|((one, other), found)| [(*one, *other, found.len()), (*other, *one, found.len())]);
    let next = both.filter(|(from, to, _)| is_next(*from, *to));
    next.max_by_key(|(from, to, found)| (*found, Reverse((*from, *to)))).map(|(from, to, _)| (from, to))
}

/// The differences of times, and which way the packets went.
fn samples(found: &[Match], is_turned: bool, correct: impl Fn(Timestamp) -> Timestamp) -> Vec<Sample> {
    let mut by_flow: BTreeMap<[Ends; 2], Passing> = BTreeMap::new();
    for it in found {
        let it = if is_turned { it.turned() } else { *it };
        let [measure, other] = it.times;
        let later = other.since(correct(measure));
        by_flow.entry(it.flows.map(ends)).or_default().push((it.half, other, later));
    }
    let mut all = Vec::new();
    for flow in by_flow.values() {
        // Packets from the measure are seen later at the other point than those to it are.
        let Some(outward) = outward(flow) else { continue };
        all.extend(flow.iter().map(|(half, at, later)| Sample {
            at: *at,
            later: later.as_nanos(),
            is_outward: *half == outward,
        }));
    }
    if all.is_empty() {
        // Nothing went both ways.
        let each = by_flow.values().flatten();
        all.extend(each.map(|(_, at, later)| Sample { at: *at, later: later.as_nanos(), is_outward: true }));
    }
    all
}

/// The half that goes from the first point to the second; none if there is nothing of the other one.
fn outward(flow: &[(Half, Timestamp, Span)]) -> Option<Half> {
    let of = |half: Half| {
        let mut later: Vec<Span> =
            flow.iter().filter(|(own, ..)| *own == half).map(|(.., later)| *later).collect();
        later.sort_unstable();
        median(&later)
    };
    let (lo, hi) = (of(Half::Lo)?, of(Half::Hi)?);
    Some(if lo >= hi { Half::Lo } else { Half::Hi })
}

/// On which side of how many connections the first point is the clients', and on which the second.
fn client_sides(found: &[Match], files: &[File], file: usize) -> [usize; 2] {
    let mut by_flow: BTreeMap<Ends, (FlowKey, Passing)> = BTreeMap::new();
    for it in found {
        let ([here, there], [flow, _]) = (it.times, it.flows);
        let (_, flow) = by_flow.entry(ends(flow)).or_insert_with(|| (flow, Passing::new()));
        flow.push((it.half, there, there.since(here)));
    }
    let mut sides = [0_usize; 2];
    for (key, flow) in by_flow.values() {
        let opener = files.get(file).and_then(|file| file.flows.get(key)).and_then(|it| it.opener);
        let port = |half| key.endpoint(half).port;
        let higher = if port(Half::Lo) > port(Half::Hi) { Half::Lo } else { Half::Hi };
        let [first, second] = &mut sides;
        match outward(flow) {
            Some(outward) if outward == opener.unwrap_or(higher) => *first = first.saturating_add(1),
            Some(_) => *second = second.saturating_add(1),
            None => {}
        }
    }
    sides
}

impl Match {
    /// The same with the other file first.
    fn turned(self) -> Self {
        let ([one, other], [here, there]) = (self.flows, self.times);
        // Where addresses were translated the halves may have other names.
        let half = if one == other || keeps_order(one, other) { self.half } else { self.half.other() };
        Self { flows: [other, one], half, times: [there, here] }
    }
}

/// Whether the half of one sender has the same name in two connections that are one: an endpoint that is in both, or its
/// port, stands at the same place.
fn keeps_order(one: FlowKey, other: FlowKey) -> bool {
    let [lo, hi] = ends(one);
    let [other_lo, other_hi] = ends(other);
    lo == other_lo
        || hi == other_hi
        || (lo != other_hi && hi != other_lo && (lo.port == other_lo.port || hi.port == other_hi.port))
}

/// By how much the clocks of one host may differ from file to file.
const SAME_CLOCK: Span = Span::from_millis(100);
