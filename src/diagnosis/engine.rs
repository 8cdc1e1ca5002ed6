//! Runs the rules, and makes one verdict of what belongs together.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use super::ends::Ends;
use super::finding::{About, Blame, Finding, Fix};
use super::rule::{Check, Explains, Rule, Selection, Severity};
use super::rules::ALL;
use super::scheme::Servers;
use super::softening;
use super::view::{CaptureView, ConnectionView, LegView, OverTls, RouteView};
use crate::model::{Capture, Outcome};
use crate::numbering::Numbering;
use crate::protocol::Role;
use crate::routes::{self, Lookup, Proxy, Route};
use crate::units::{Endpoint, PacketNumber, Timestamp};

/// What was found in a capture.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The routes.
    pub routes: Vec<Route>,
    /// The findings, the leading one first: by severity, by how many routes they touch, by code.
    pub findings: Vec<Finding>,
    /// Places in `findings` by route, so that many routes can be asked about.
    of_routes: BTreeMap<usize, Vec<usize>>,
}

/// Findings that say the same about the same place, told once.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// The first of them.
    pub example: &'a Finding,
    /// All of them.
    pub findings: Vec<&'a Finding>,
    /// How many routes, or connections without an attempt, they are about.
    pub count: usize,
}

/// Finds the routes of a capture and judges them. Secrets stay in the texts if `shows_secrets` says so.
#[must_use]
pub fn diagnose(capture: &Capture, selection: &Selection, shows_secrets: bool) -> Diagnosis {
    let routes = routes::find(capture);
    let findings = {
        let view = view(capture, &routes, shows_secrets);
        let mut findings = settle(raw_findings(&view, selection));
        softening::soften(&mut findings, &view);
        rank(&mut findings);
        findings
    };
    Diagnosis::new(routes, findings)
}

impl Diagnosis {
    /// Of findings that are in order, the leading one first.
    #[must_use]
    pub fn new(routes: Vec<Route>, findings: Vec<Finding>) -> Self {
        let mut of_routes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, finding) in findings.iter().enumerate() {
            if let About::Routes(routes) = &finding.about {
                for route in routes {
                    of_routes.entry(*route).or_default().push(at);
                }
            }
        }
        Self { routes, findings, of_routes }
    }

    /// Names packets by file, if there are several: see [`PacketNumber::in_file`].
    pub fn name_packets(&mut self, numbering: &Numbering) {
        for packet in self.findings.iter_mut().flat_map(|finding| &mut finding.packets) {
            *packet = numbering.name(*packet);
        }
        for polling in self.routes.iter_mut().filter_map(|route| route.polling.as_mut()) {
            for (packet, _) in [&mut polling.first, &mut polling.last] {
                *packet = numbering.name(*packet);
            }
        }
    }

    /// The findings, those that say the same about the same place as one; the leading one first. Clients are one place, and
    /// so are sentences that differ in what they quote only: a server that fails fails for many.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict<'_>> {
        let mut places: BTreeMap<(&str, Option<&Blame>, &str), usize> = BTreeMap::new();
        let mut verdicts: Vec<Verdict<'_>> = Vec::new();
        for finding in &self.findings {
            let place = *places
                .entry((finding.rule.code, finding.blame.place(), unquoted(&finding.headline)))
                .or_insert(verdicts.len());
            if let Some(verdict) = verdicts.get_mut(place) {
                verdict.findings.push(finding);
                verdict.count = verdict.count.saturating_add(finding.about.count());
            } else {
                let count = finding.about.count();
                verdicts.push(Verdict { example: finding, findings: vec![finding], count });
            }
        }
        // Stable: among equals the order of the findings stays.
        verdicts.sort_by_key(|verdict| (Reverse(verdict.example.severity), Reverse(verdict.count)));
        verdicts
    }

    /// The places of the connections that something is about. Of a route those of all legs, and those that a proxy opened
    /// for it in vain.
    #[must_use]
    pub fn connections(&self, about: &About) -> Vec<usize> {
        match about {
            About::Capture => Vec::new(),
            About::Connections(places) => places.clone(),
            About::Routes(routes) => {
                let routes = routes.iter().filter_map(|route| self.routes.get(*route));
                let of = |route: &Route| -> Vec<usize> {
                    let legs = route.legs.iter().map(|leg| leg.connection);
                    legs.chain(route.tries.iter().copied()).collect()
                };
                routes.flat_map(of).collect()
            }
        }
    }

    /// The findings on a route; the leading one first.
    pub fn on_route(&self, route: usize) -> impl Iterator<Item = &Finding> {
        let places = self.of_routes.get(&route).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|at| self.findings.get(*at))
    }

    /// The highest severity; none if nothing was found.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

impl Verdict<'_> {
    /// How many clients are to blame; none if it is somebody else.
    #[must_use]
    pub fn clients(&self) -> usize {
        let address = |finding: &&Finding| match finding.blame {
            Blame::Client(address) => Some(address),
            _ => None,
        };
        self.findings.iter().filter_map(address).collect::<BTreeSet<IpAddr>>().len()
    }

    /// When the first and the last of what it is about began; none if it is about the capture.
    #[must_use]
    pub fn period(&self, capture: &Capture, routes: &[Route]) -> Option<(Timestamp, Timestamp)> {
        let of_connection =
            |place: usize| capture.connections.get(place).map(|connection| connection.tcp.opening.first.time);
        let of_route = |place: usize| {
            let leg = routes.get(place)?.legs.first()?;
            let attempt = capture.connections.get(leg.connection)?.attempts.get(leg.attempt)?;
            let asked = attempt.request.as_ref().map(|request| request.origin.time);
            asked.or_else(|| of_connection(leg.connection))
        };
        let times = || {
            self.findings.iter().flat_map(|finding| match &finding.about {
                About::Routes(places) => places.iter().filter_map(|place| of_route(*place)).collect(),
                About::Connections(places) => {
                    places.iter().filter_map(|place| of_connection(*place)).collect()
                }
                About::Capture => Vec::new(),
            })
        };
        times().min().zip(times().max())
    }

    /// What to change: the same text for the same product once, with all its places.
    #[must_use]
    pub fn fixes(&self) -> Vec<Fix> {
        let mut merged: Vec<(Fix, Vec<&str>)> = Vec::new();
        for fix in self.findings.iter().flat_map(|finding| &finding.fixes) {
            match merged.iter_mut().find(|(known, _)| (known.target, &known.text) == (fix.target, &fix.text))
            {
                Some((_, places)) if places.contains(&fix.place.as_str()) => {}
                Some((_, places)) => places.push(&fix.place),
                None => merged.push((fix.clone(), vec![&fix.place])),
            }
        }
        merged.into_iter().map(|(fix, places)| Fix { place: one_place(&places), ..fix }).collect()
    }
}

/// A headline without what it quotes from the wire, and what follows that.
fn unquoted(headline: &str) -> &str {
    headline.split('"').next().unwrap_or_default()
}

/// Several places in one phrase: what differs between them is their last word.
fn one_place(places: &[&str]) -> String {
    let last = |place: &str| place.rsplit(' ').next().unwrap_or_default().to_owned();
    match places {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, others @ ..] => {
            let shown = others.iter().take(PLACES_SHOWN).map(|place| last(place));
            let more = if others.len() > PLACES_SHOWN { " and others" } else { "" };
            let shown: Vec<String> = shown.collect();
            format!("{first}, {}{more}", shown.join(", "))
        }
    }
}

impl About {
    /// How many routes or connections; a capture counts as one.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Routes(places) | Self::Connections(places) => places.len(),
            Self::Capture => 1,
        }
    }

    /// Whether a route is among them.
    #[must_use]
    pub fn has_route(&self, route: usize) -> bool {
        matches!(self, Self::Routes(routes) if routes.contains(&route))
    }
}

fn view<'a>(capture: &'a Capture, routes: &'a [Route], shows_secrets: bool) -> CaptureView<'a> {
    let end = capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    let forwarders = forwarders(capture, routes);
    let senders = senders(capture, routes);
    let servers = Rc::new(Servers::of(capture));
    let leg = |(place, leg): (usize, &'a routes::Leg)| {
        let connection = capture.connections.get(leg.connection)?;
        let attempt = connection.attempts.get(leg.attempt)?;
        let request = attempt.request.as_ref().filter(|request| request.complete);
        let response = attempt.response.as_ref().filter(|response| response.complete);
        Some(LegView {
            place,
            connection,
            attempt,
            outcome: Outcome::of(attempt, connection, end),
            request: request.map(crate::protocol::RequestFacts::head),
            response: response.map(crate::protocol::ResponseFacts::head),
            hop: leg.hop.as_ref(),
            known_sender: None,
            over_tls: None,
        })
    };
    let route = |(index, route): (usize, &'a Route)| {
        let mut legs = route.legs.iter().enumerate().filter_map(leg);
        let first = legs.next()?;
        let others: Vec<LegView<'a>> = legs.collect();
        let tries = route.tries.iter().filter_map(|at| capture.connections.get(*at)).collect();
        let mut view = RouteView {
            index,
            first,
            others,
            tries,
            route,
            capture,
            servers: Rc::clone(&servers),
            end,
            shows_secrets,
            is_watched: false,
        };
        view.is_watched = forwarders.contains(&view.reached().connection.endpoint(Role::Server));
        let first = view.first.connection;
        view.first.known_sender =
            senders.get(&(first.endpoint(Role::Client).address, first.endpoint(Role::Server))).copied();
        view.first.over_tls = route.over_tls.as_ref().and_then(|over| {
            let connection = capture.connections.get(over.connection)?;
            Some(OverTls { connection, proxy: &over.proxy })
        });
        Some(view)
    };
    let mut routes: Vec<RouteView<'a>> = routes.iter().enumerate().filter_map(route).collect();
    // What is there twice under one key may be one attempt, captured in two places.
    let mut keys: Lookup<&[u8], usize> = Lookup::default();
    for key in routes.iter().filter_map(|route| route.first.asked("sec-websocket-key")) {
        let count = keys.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    for route in &mut routes {
        let key = route.first.asked("sec-websocket-key");
        route.is_watched &= key.and_then(|key| keys.get(key)).is_none_or(|count| *count == 1);
    }
    CaptureView { capture, routes, servers, end, requests: OnceCell::new() }
}

/// The places that are seen to hand attempts on: proxies whose other side the capture has too. Connections that they
/// open for other purposes do not count: their upstreams may be where nothing was captured.
fn forwarders(capture: &Capture, routes: &[Route]) -> BTreeSet<Endpoint> {
    let of = |route: &Route| -> Vec<Endpoint> {
        let hops = route.legs.iter().filter_map(|leg| leg.hop.as_ref());
        let from = hops.filter(|hop| hop.is_proxy()).map(|hop| hop.from);
        let server = |leg: usize| {
            let connection = capture.connections.get(route.legs.get(leg)?.connection)?;
            Some(connection.endpoint(Role::Server))
        };
        from.filter_map(server).collect()
    };
    routes.iter().flat_map(of).collect()
}

/// The proxies that are seen to hand attempts on, by their own address and the server that they ask. Hosts that talk to
/// themselves do not count: whoever asks there has the same address.
fn senders<'a>(capture: &Capture, routes: &'a [Route]) -> BTreeMap<(IpAddr, Endpoint), &'a Proxy> {
    let legs = routes.iter().flat_map(|route| &route.legs);
    let of = |leg: &'a routes::Leg| {
        let hop = leg.hop.as_ref().filter(|hop| hop.is_proxy())?;
        let server = capture.connections.get(leg.connection)?.endpoint(Role::Server);
        (hop.proxy.address != server.address).then_some(((hop.proxy.address, server), &hop.proxy))
    };
    legs.filter_map(of).collect()
}

/// What all wanted rules say: the findings of each rule after those of the one before it.
fn raw_findings(view: &CaptureView<'_>, selection: &Selection) -> Vec<Finding> {
    let mut wanted: Vec<(&Rule, Vec<Finding>)> =
        ALL.iter().filter(|rule| selection.has(rule)).map(|rule| (*rule, Vec::new())).collect();
    // Read at the first question.
    let ends = OnceCell::new();
    for (rule, found) in &mut wanted {
        match rule.check {
            Check::Capture(check) | Check::Sessions(check) => *found = check(view),
            Check::Ends(check) => *found = check(view, ends.get_or_init(|| Ends::of_all(view))),
            Check::Route(_) | Check::Connection(_) => {}
        }
    }
    // Each route meets all rules before the next one does: it is in the cache then.
    for route in &view.routes {
        for (rule, found) in &mut wanted {
            if let Check::Route(check) = rule.check
                && let Some(finding) = check(route)
            {
                found.push(finding.about(About::Routes(vec![route.index])));
            }
        }
    }
    let mut is_try = vec![false; view.capture.connections.len()];
    for at in view.routes.iter().flat_map(|route| &route.route.tries) {
        if let Some(slot) = is_try.get_mut(*at) {
            *slot = true;
        }
    }
    let connections = view.capture.connections.iter().zip(is_try).enumerate();
    for (at, (connection, is_try)) in connections.filter(|(_, (it, _))| it.attempts.is_empty()) {
        let sees = ConnectionView {
            connection,
            capture: view.capture,
            is_try,
            servers: &view.servers,
            end: view.end,
        };
        for (rule, found) in &mut wanted {
            if let Check::Connection(check) = rule.check
                && let Some(finding) = check(&sees)
            {
                found.push(finding.about(About::Connections(vec![at])));
            }
        }
    }
    wanted.into_iter().flat_map(|(_, found)| found).collect()
}

/// Takes findings away that another one on the same route, or the same connection without an attempt, explains, and notes
/// them as its symptoms.
fn settle(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut at_place: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        for place in places(&finding.about) {
            at_place.entry(place).or_default().push(at);
        }
    }
    // For each finding, by place, who explains it in the end.
    let mut explained: BTreeMap<usize, Vec<(Place, usize)>> = BTreeMap::new();
    for (place, here) in &at_place {
        let causes: BTreeMap<usize, usize> = here
            .iter()
            .filter_map(|symptom| Some((*symptom, cause_of(&findings, here, *symptom)?)))
            .collect();
        let roots = causes.keys().map(|symptom| (*symptom, root(&causes, *symptom)));
        for (symptom, root) in roots.filter(|(symptom, root)| symptom != root) {
            explained.entry(symptom).or_default().push((*place, root));
        }
    }
    for (symptom, causes) in &explained {
        let Some(rule) = findings.get(*symptom).map(|finding| finding.rule) else { continue };
        let gone: BTreeSet<Place> = causes.iter().map(|(place, _)| *place).collect();
        match findings.get_mut(*symptom).map(|finding| &mut finding.about) {
            Some(About::Routes(routes)) => routes.retain(|route| !gone.contains(&Place::Route(*route))),
            Some(About::Connections(places)) => {
                places.retain(|place| !gone.contains(&Place::Connection(*place)));
            }
            _ => {}
        }
        for cause in causes.iter().map(|(_, cause)| *cause).collect::<BTreeSet<usize>>() {
            if let Some(cause) = findings.get_mut(cause)
                && !cause.symptoms.iter().any(|known| known.code == rule.code)
            {
                cause.symptoms.push(rule);
            }
        }
    }
    findings.retain(|finding| finding.about == About::Capture || finding.about.count() > 0);
    findings
}

/// What several findings can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Route(usize),
    Connection(usize),
}

fn places(about: &About) -> Vec<Place> {
    match about {
        About::Routes(routes) => routes.iter().copied().map(Place::Route).collect(),
        About::Connections(places) => places.iter().copied().map(Place::Connection).collect(),
        About::Capture => Vec::new(),
    }
}

/// Of the findings on a route that explain one of them, the worst.
fn cause_of(findings: &[Finding], here: &[usize], symptom: usize) -> Option<usize> {
    let causes = here.iter().copied().filter(|cause| explains(findings, *cause, symptom));
    causes.min_by_key(|cause| {
        findings.get(*cause).map(|finding| (Reverse(finding.severity), finding.rule.code))
    })
}

/// The cause that nothing else explains. Should causes go round in a circle, the first of them stands for all.
fn root(causes: &BTreeMap<usize, usize>, symptom: usize) -> usize {
    let mut seen = vec![symptom];
    let mut at = symptom;
    while let Some(cause) = causes.get(&at) {
        if seen.contains(cause) {
            return seen.into_iter().min().unwrap_or(symptom);
        }
        seen.push(*cause);
        at = *cause;
    }
    at
}

/// Whether one finding explains another one: its rule says so, and the other one's does not say so more surely of it.
/// Of two that explain each other alike, the one with the lower code does.
fn explains(findings: &[Finding], cause: usize, symptom: usize) -> bool {
    let (Some(cause), Some(symptom)) = (findings.get(cause), findings.get(symptom)) else { return false };
    let (here, there) = (cause.rule.explains(symptom.rule), symptom.rule.explains(cause.rule));
    let is_surer = here > there || (here == there && cause.rule.code < symptom.rule.code);
    // What is named explains whatever it weighs; a family only what weighs no more.
    let is_heavy_enough = here == Explains::ByName || cause.severity >= symptom.severity;
    here > Explains::Not && is_surer && is_heavy_enough
}

/// The leading finding first.
fn rank(findings: &mut [Finding]) {
    let first = |finding: &Finding| finding.packets.first().copied().unwrap_or(PacketNumber(u64::MAX));
    findings.sort_by_key(|finding| {
        let about = Reverse(finding.about.count());
        (Reverse(finding.severity), about, finding.rule.code, first(finding))
    });
}

/// Places of one fix that are named beside the first.
const PLACES_SHOWN: usize = 4;
