//! Which attempts are legs of one route.
//!
//! Attempts are taken in the order of their beginnings. Each looks for the one that it came from among those that still
//! wait: first by key, then by accept value, then by frames, and at last by what can be inferred. A leg that comes while
//! the one before it waits is the next hop; one that comes after it failed is another try of the same proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::answer::AnswerFate;
use super::compare::changes;
use super::evidence::Trace;
use super::proxy::Proxy;
use super::{Hop, Leg, Lookup, MatchedBy, Route};
use crate::limits::{FORWARDING_PATIENCE, FRAME_MARKS, ROUTE_CANDIDATES, ROUTE_LEGS};
use crate::model::Capture;
use crate::protocol::FrameMark;
use crate::units::{Endpoint, Span};

/// All routes, in the order of their first legs.
pub(super) fn routes(capture: &Capture, traces: &[Trace<'_>]) -> Vec<Route> {
    let mut parents: Vec<Option<(usize, MatchedBy)>> = vec![None; traces.len()];
    let mut index = Index { common_keys: common_keys(traces), ..Index::default() };
    for (at, trace) in traces.iter().enumerate() {
        let parent = index.parent(trace, traces);
        if let Some(slot) = parents.get_mut(at) {
            *slot = parent;
        }
        index.add(at, trace, parent);
    }
    pair_answers(traces, &mut parents);
    pair_frames(traces, &mut parents);
    assemble(capture, traces, &parents)
}

/// Attempts by what the next leg will have in common with them.
#[derive(Default)]
struct Index<'a> {
    by_key: Lookup<&'a [u8], Vec<usize>>,
    /// By the last segment of the target's path, which most rewrites leave alone.
    by_target: Lookup<&'a str, Vec<usize>>,
    common_keys: BTreeSet<&'a [u8]>,
    /// The latest leg that came from each attempt that was handed on.
    latest_child: Lookup<usize, usize>,
}

impl<'a> Index<'a> {
    fn add(&mut self, at: usize, trace: &Trace<'a>, parent: Option<(usize, MatchedBy)>) {
        if let Some((parent, _)) = parent {
            self.latest_child.insert(parent, at);
        }
        if let Some(key) = trace.key {
            self.by_key.entry(key).or_default().push(at);
        }
        if let Some(request) = &trace.request {
            self.by_target.entry(last_segment(request.target)).or_default().push(at);
        }
    }

    /// The attempt that this one came from.
    fn parent(&self, trace: &Trace<'a>, traces: &[Trace<'_>]) -> Option<(usize, MatchedBy)> {
        let waiting = |candidates: Option<&Vec<usize>>| -> Vec<usize> {
            let latest = candidates.into_iter().flatten().rev().take(ROUTE_CANDIDATES).copied();
            latest.filter(|from| traces.get(*from).is_some_and(|from| may_precede(from, trace))).collect()
        };
        // A proxy hands a request on to one server at a time: who still waits for one does not ask another.
        let is_busy = |from: usize| {
            let child = self.latest_child.get(&from).and_then(|child| traces.get(*child));
            child.is_some_and(|child| child.waits_at(trace.began))
        };
        let is_common = trace.key.is_some_and(|key| self.common_keys.contains(key));
        let mut by_key = waiting(trace.key.and_then(|key| self.by_key.get(key)));
        if is_common || trace.key.is_some_and(|key| SAMPLE_KEYS.contains(&key)) {
            by_key
                .retain(|from| traces.get(*from).is_some_and(|from| !is_one_host_asking_twice(from, trace)));
        }
        let best = |candidates: Vec<usize>, least: u32| {
            candidates
                .into_iter()
                .filter(|from| !is_busy(*from))
                .filter_map(|at| {
                    let from = traces.get(at)?;
                    Some((likeness(from, trace), passes_on(from, trace), at))
                })
                .filter(|(likeness, ..)| *likeness >= least)
                // Of equals the latest: it is the innermost.
                .max()
                .map(|(.., from)| from)
        };
        if let Some(from) = best(by_key, if is_common { COMMON_KEY_AT_LEAST } else { 0 }) {
            return Some((from, MatchedBy::Key));
        }
        let target = trace.request.as_ref().map(|request| last_segment(request.target))?;
        let mut inferred = waiting(self.by_target.get(target));
        inferred.retain(|from| traces.get(*from).is_some_and(|from| may_be_inferred(from, trace)));
        // The key is what survives most proxies: without it more has to agree.
        best(inferred, INFERRED_AT_LEAST).map(|from| (from, MatchedBy::Inferred))
    }
}

/// Keys that several hosts sent to one server: they are built into a program, and say little.
fn common_keys<'a>(traces: &[Trace<'a>]) -> BTreeSet<&'a [u8]> {
    let mut sent: Lookup<(&[u8], Endpoint), IpAddr> = Lookup::default();
    let mut common = BTreeSet::new();
    for trace in traces {
        let Some(key) = trace.key else { continue };
        if *sent.entry((key, trace.server)).or_insert(trace.client.address) != trace.client.address {
            common.insert(key);
        }
    }
    common
}

/// Whether a proxy can have made the later request of the earlier one: it still waits, and they do not go to the same
/// place, as two clients' requests with a key that is built into a program do.
fn may_precede(from: &Trace<'_>, to: &Trace<'_>) -> bool {
    let soon = to.began.since(from.began) <= FORWARDING_PATIENCE;
    let goes_on = from.server != to.server || is_translated(from, to) || is_intercepted(from, to);
    soon && from.waits_at(to.began) && from.connection != to.connection && goes_on
}

/// Whether it is one connection before and after its addresses were translated: the head is the same to the letter, and
/// so is the client's port, which translation leaves alone unless somebody else has it. Both are seen to open and to ask
/// within a moment, since it is the same packets; a proxy opens when it has been asked.
fn is_translated(from: &Trace<'_>, to: &Trace<'_>) -> bool {
    let head = |trace: &Trace<'_>| trace.facts.request.as_ref().map(|request| request.bytes.clone());
    let is_elsewhere = from.client != to.client || from.server != to.server;
    let is_same_port = from.client.port == to.client.port;
    let is_moment = |apart: Span| apart.as_nanos().unsigned_abs() <= TRANSLATING.as_nanos().unsigned_abs();
    let is_opened_unasked = to.opened <= from.began;
    let at_once = is_moment(to.began.since(from.began)) && is_moment(to.opened.since(from.opened));
    is_same_port
        && at_once
        && is_opened_unasked
        && is_elsewhere
        && from.request.is_some()
        && head(from) == head(to)
}

/// Whether two points of capture show other bytes between the same endpoints: somebody between them took over.
fn is_intercepted(from: &Trace<'_>, to: &Trace<'_>) -> bool {
    let is_same = from.client == to.client && from.server == to.server;
    is_same && from.point.is_some() && to.point.is_some() && from.point != to.point
}

/// Whether a host asks two servers by itself: a proxy asks from where it listens, or from an address of its own.
fn is_one_host_asking_twice(from: &Trace<'_>, to: &Trace<'_>) -> bool {
    from.client.address == to.client.address
        && from.server.address != to.client.address
        && !is_translated(from, to)
        && !is_intercepted(from, to)
}

/// Whether anything but a likeness speaks for a leg. Two clients with one browser ask alike, and one proxy asks two
/// servers for both of them: if their keys differ, more has to tie the legs together.
fn may_be_inferred(from: &Trace<'_>, to: &Trace<'_>) -> bool {
    let has_other_key = from.key.is_some() && to.key.is_some() && from.key != to.key;
    let is_tied =
        from.server.address == to.client.address || same_field(from, to, "cookie") || names_request(from, to);
    !is_one_host_asking_twice(from, to) && (!has_other_key || is_tied)
}

/// How much of two requests agrees that a proxy passes on.
fn likeness(from: &Trace<'_>, to: &Trace<'_>) -> u32 {
    let mut agrees: u32 = 0;
    for name in
        ["origin", "user-agent", "cookie", "sec-websocket-protocol", "sec-websocket-extensions", "host"]
    {
        agrees = agrees.saturating_add(u32::from(same_field(from, to, name)));
    }
    if names_request(from, to) {
        agrees = agrees.saturating_add(STRONG);
    }
    // The proxy's own side is where the next leg starts.
    if from.server.address == to.client.address {
        agrees = agrees.saturating_add(1);
    }
    let target = |trace: &Trace<'_>| trace.request.as_ref().map(|request| request.target.to_owned());
    if target(from) == target(to) {
        agrees = agrees.saturating_add(1);
    }
    if shared_marks(from, to) > 0 || is_translated(from, to) { agrees.saturating_add(STRONG) } else { agrees }
}

fn same_field(from: &Trace<'_>, to: &Trace<'_>, name: &str) -> bool {
    from.field(name).is_some() && from.field(name) == to.field(name)
}

/// Whether the later request names the earlier one among many: by a name of its own, or by whom it is for.
fn names_request(from: &Trace<'_>, to: &Trace<'_>) -> bool {
    let names = ["x-request-id", "traceparent", "cf-ray", "x-amzn-trace-id"];
    names.into_iter().any(|name| same_field(from, to, name)) || tells_whom(from, to)
}

/// Whether a forwarding field tells whom the request is for.
fn tells_whom(from: &Trace<'_>, to: &Trace<'_>) -> bool {
    let tells_whom = |name: &str| {
        let told = to.field(name).unwrap_or_default();
        // A proxy adds whom it asks for to what the one before it wrote.
        let goes_on = |earlier: &[u8]| {
            let rest = told.strip_prefix(earlier).filter(|_| !earlier.is_empty());
            rest.is_some_and(|rest| matches!(rest.trim_ascii_start().first(), None | Some(b',')))
        };
        names_address(told, from.client.address) || from.field(name).is_some_and(goes_on)
    };
    ["x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip"].into_iter().any(tells_whom)
}

/// Whether the earlier request got the same answer, and later: it may have it from there.
fn passes_on(from: &Trace<'_>, to: &Trace<'_>) -> bool {
    let status = |trace: &Trace<'_>| trace.facts.response.as_ref().map(|response| response.status);
    to.answered().is_some() && from.answered() >= to.answered() && status(from) == status(to)
}

/// Whether a forwarding field has an address among its elements: alone, quoted, with a port, or as `for=` (RFC 7239).
fn names_address(value: &[u8], address: IpAddr) -> bool {
    let is_it = |part: &[u8]| {
        let part = str::from_utf8(part).unwrap_or_default();
        let alone = part.parse::<IpAddr>().ok();
        alone.or_else(|| Some(part.parse::<SocketAddr>().ok()?.ip())) == Some(address)
    };
    let ends_part = |byte: &u8| matches!(byte, b',' | b';' | b'=' | b'"' | b' ' | b'\t');
    let bare =
        |part: &[u8]| is_it(part.strip_prefix(b"[").and_then(|part| part.strip_suffix(b"]")).unwrap_or(part));
    value.split(ends_part).any(|part| is_it(part) || bare(part))
}

/// Pairs answers without requests by their accept values: the proxy passes the answer on, so the later one is nearer to
/// the client.
fn pair_answers(traces: &[Trace<'_>], parents: &mut [Option<(usize, MatchedBy)>]) {
    let mut by_accept: Lookup<&[u8], usize> = Lookup::default();
    for (at, trace) in traces.iter().enumerate() {
        let Some(accept) = trace.accept else { continue };
        let Some(known) = by_accept.insert(accept, at) else { continue };
        let Some(other) = traces.get(known) else { continue };
        let is_elsewhere = other.connection != trace.connection
            && (other.server != trace.server || is_intercepted(other, trace));
        let (Some(here), Some(there)) = (trace.answered(), other.answered()) else { continue };
        let apart = here.since(there).as_nanos().unsigned_abs();
        if is_elsewhere && apart <= PASSING_ON.as_nanos().unsigned_abs() {
            let (child, parent) = if here < there { (at, known) } else { (known, at) };
            adopt(parents, child, parent, MatchedBy::Accept);
        }
    }
}

/// Pairs what is still alone by its frames.
fn pair_frames(traces: &[Trace<'_>], parents: &mut [Option<(usize, MatchedBy)>]) {
    let has_parent_or_child: Vec<bool> = {
        let mut has: Vec<bool> = parents.iter().map(Option::is_some).collect();
        for (parent, _) in parents.iter().flatten() {
            if let Some(slot) = has.get_mut(*parent) {
                *slot = true;
            }
        }
        has
    };
    let alone = (0..traces.len()).filter(|at| has_parent_or_child.get(*at) == Some(&false));
    let mut first_marks: Vec<usize> = alone.collect();
    let mut by_mark: Lookup<([u8; 4], u64), usize> = Lookup::default();
    by_mark.reserve(first_marks.len().saturating_mul(usize::from(FRAME_MARKS)));
    // The client's side sees a frame first. To look for one in a session waits for memory: once for each.
    first_marks.sort_by_cached_key(|at| {
        traces.get(*at).and_then(|trace| marks(trace).first().map(|mark| mark.origin.packet))
    });
    for at in first_marks {
        let Some(trace) = traces.get(at) else { continue };
        let known = marks(trace).iter().find_map(|mark| by_mark.get(&identity(mark)).copied());
        let from = known.filter(|from| {
            traces.get(*from).is_some_and(|from| {
                let needed = marks(from).len().min(marks(trace).len()).min(MARKS_NEEDED);
                let is_elsewhere = from.connection != trace.connection
                    && (from.server != trace.server || is_intercepted(from, trace));
                is_elsewhere && shared_marks(from, trace) >= needed
            })
        });
        if let Some(from) = from {
            adopt(parents, at, from, MatchedBy::Bytes);
        }
        for mark in marks(trace).iter().filter(|mark| mark.masking_key != [0; 4]) {
            by_mark.insert(identity(mark), at);
        }
    }
}

fn adopt(parents: &mut [Option<(usize, MatchedBy)>], child: usize, parent: usize, by: MatchedBy) {
    if let Some(slot) = parents.get_mut(child)
        && slot.is_none()
    {
        *slot = Some((parent, by));
    }
}

fn marks<'a>(trace: &Trace<'a>) -> &'a [FrameMark] {
    trace.facts.session.as_ref().map_or(&[], |session| &session.marks)
}

fn identity(mark: &FrameMark) -> ([u8; 4], u64) {
    (mark.masking_key, mark.length)
}

/// Frames that both sessions have among their first ones. Clients that always mask with one key, or with none, do not
/// count as having any.
fn shared_marks(one: &Trace<'_>, other: &Trace<'_>) -> usize {
    let mut keys: Vec<[u8; 4]> = marks(one)
        .iter()
        .filter(|mark| mark.masking_key != [0; 4])
        .filter(|mark| marks(other).iter().any(|known| identity(known) == identity(mark)))
        .map(|mark| mark.masking_key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

/// Puts the legs together: parents before their children, by time.
fn assemble(capture: &Capture, traces: &[Trace<'_>], parents: &[Option<(usize, MatchedBy)>]) -> Vec<Route> {
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, parent) in parents.iter().enumerate() {
        if let Some((parent, _)) = parent {
            children.entry(*parent).or_default().push(at);
        }
    }
    let roots = parents.iter().enumerate().filter(|(_, parent)| parent.is_none()).map(|(at, _)| at);
    let mut routes = Vec::new();
    for root in roots {
        let mut route = Route {
            legs: Vec::new(),
            matched_by: None,
            tries: Vec::new(),
            front: None,
            over_tls: None,
            polling: None,
        };
        let mut open = vec![(root, None)];
        while let Some((at, from)) = open.pop() {
            let place = route.legs.len();
            let Some(trace) = traces.get(at).filter(|_| place < ROUTE_LEGS) else { continue };
            let by = parents.get(at).copied().flatten().map(|(_, by)| by);
            // The least sure of the ways is that of the route.
            route.matched_by = route.matched_by.max(by);
            let hop = from
                .and_then(|(from, parent): (usize, usize)| hop(capture, from, traces.get(parent)?, trace));
            route.legs.push(Leg { connection: trace.connection, attempt: trace.attempt, hop });
            let next = children.get(&at).into_iter().flatten().rev();
            open.extend(next.map(|child| (*child, Some((place, at)))));
        }
        routes.push(route);
    }
    routes
}

fn hop(capture: &Capture, from: usize, before: &Trace<'_>, after: &Trace<'_>) -> Option<Hop> {
    let connection = capture.connections.get(after.connection)?;
    let changes = match (&before.request, &after.request) {
        (Some(before), Some(after)) => changes(before, after),
        _ => Vec::new(),
    };
    let is_translation = is_translated(before, after);
    let address = if is_translation {
        before.server.address
    } else {
        connection.endpoint(crate::protocol::Role::Client).address
    };
    let answer = AnswerFate::of(before.facts, after.facts);
    let is_interception = is_intercepted(before, after);
    Some(Hop { from, proxy: Proxy::at(address), changes, answer, is_translation, is_interception })
}

/// The last segment of a target's path, without the query.
fn last_segment(target: &str) -> &str {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// What names one request among many.
const STRONG: u32 = 4;

/// The keys of RFC 6455 section 1.3 and of widely copied pages.
const SAMPLE_KEYS: &[&[u8]] = &[b"dGhlIHNhbXBsZSBub25jZQ==", b"x3JJHMbDL1EzLkh9GBhXDw=="];

/// One strong sign, or target, address, and three fields.
const INFERRED_AT_LEAST: u32 = 5;

/// Target, and two fields; or one strong sign.
const COMMON_KEY_AT_LEAST: u32 = 3;

/// Two masking keys of 32 random bits each.
const MARKS_NEEDED: usize = 2;

/// How long a host takes to send a packet on.
const TRANSLATING: Span = Span::from_millis(1);

/// How long a proxy takes to pass an answer on.
const PASSING_ON: Span = Span::from_millis(5_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_whole() {
        let cases = [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.10", "10.0.0.1", false),
            ("110.0.0.1, 10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1:5000", "10.0.0.1", true),
            ("for=\"[fd77::1]:5000\";proto=http", "fd77::1", true),
            ("for=\"[fd77::1]\"", "fd77::1", true),
            ("fd77::11", "fd77::1", false),
            ("", "10.0.0.1", false),
        ];
        for (value, address, expected) in cases {
            assert_eq!(names_address(value.as_bytes(), address.parse().unwrap()), expected, "{value}");
        }
    }
}
