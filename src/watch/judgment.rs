//! What is new in a judgment, and what was told before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attempted, Event, Found, Involved};
use crate::diagnosis::{About, Check, Diagnosis, Finding, Severity};
use crate::limits::{LIVE_CONNECTIONS_TOLD, LIVE_FINDINGS_TOLD};
use crate::model::{Capture, Connection, Outcome};
use crate::protocol::{Attempt, RequestFacts};
use crate::routes::Route;
use crate::units::{PacketNumber, Timestamp};

/// What was judged.
pub(super) struct Judgment<'a> {
    pub(super) capture: &'a Capture,
    pub(super) diagnosis: &'a Diagnosis,
    /// Connections of which something is to be told now.
    pub(super) ready: BTreeSet<PacketNumber>,
    /// Connections of which something is to be told later.
    pub(super) waiting: &'a BTreeSet<PacketNumber>,
    /// Connections that are not over.
    pub(super) open: &'a BTreeSet<PacketNumber>,
}

impl Judgment<'_> {
    /// What is new: findings, and then the attempts that are decided.
    pub(super) fn tell(&self, told: &mut Told, events: &mut Vec<Event>) {
        events.extend(self.findings(told).into_iter().map(|found| Event::Found(Box::new(found))));
        let attempts = self.attempts(told).into_iter();
        events.extend(attempts.map(|attempted| Event::Attempted(Box::new(attempted))));
    }

    fn findings(&self, told: &mut Told) -> Vec<Found> {
        let mut found = Vec::new();
        for finding in &self.diagnosis.findings {
            let legs = self.legs(&finding.about);
            // What a rule sees in the whole capture may come long after the attempt that it is about.
            let is_of_sessions = matches!(finding.rule.check, Check::Sessions(_));
            let may_be_late =
                is_of_sessions || matches!(finding.rule.check, Check::Capture(_) | Check::Ends(_));
            let is_settled = self.is_settled(&legs, may_be_late);
            let mostly = || is_settled || self.is_mostly_settled(&legs, may_be_late);
            let is_new = match &finding.about {
                About::Routes(routes) if routes.len() == 1 => {
                    is_settled && told.add_legs(&legs, finding.rule.code)
                }
                // Who polls may do so for ever.
                About::Connections(_) if is_of_sessions => !self.waits(&legs) && told.is_worse(finding),
                About::Connections(_) => is_settled && told.add_legs(&legs, finding.rule.code),
                About::Routes(_) => mostly() && told.add_other(finding),
                About::Capture => told.add_other(finding),
            };
            if is_new {
                if is_of_sessions {
                    told.add_severity(finding);
                }
                let connections = self.involved(&finding.about);
                found.push(Found { finding: finding.clone(), legs, connections });
            }
        }
        found
    }

    fn involved(&self, about: &About) -> Vec<Involved> {
        let places = self.diagnosis.connections(about).into_iter();
        let connections = places.filter_map(|place| self.capture.connections.get(place));
        let involved = |connection: &Connection| Involved {
            name: connection.id(),
            flow: connection.tcp.flow,
            last: Some(connection.tcp.last.0).filter(|_| !self.open.contains(&connection.id())),
        };
        connections.map(involved).collect()
    }

    /// Attempts that are decided and were not told yet, each over all of its legs.
    fn attempts(&self, told: &mut Told) -> Vec<Attempted> {
        let mut attempts = Vec::new();
        for (place, route) in self.diagnosis.routes.iter().enumerate() {
            let legs = self.legs(&About::Routes(vec![place]));
            let is_due = self.is_ready(&legs) && self.is_decided(route);
            if is_due && told.add_legs(&legs, ATTEMPT) {
                attempts.extend(self.attempted(place, route, legs));
            }
        }
        attempts
    }

    fn attempted(
        &self,
        place: usize,
        route: &Route,
        legs: Vec<(PacketNumber, Option<usize>)>,
    ) -> Option<Attempted> {
        let (connection, attempt) = self.client_leg(route)?;
        let head = attempt.request.as_ref().map(RequestFacts::head);
        let host = head.and_then(|head| head.fields.values("Host").next().map(<[u8]>::to_vec));
        let asked = attempt.request.as_ref().map(|request| request.origin.time);
        let answered = attempt.response.as_ref().map(|response| response.origin.time);
        Some(Attempted {
            outcome: Outcome::of(attempt, connection, self.now()),
            status: attempt.response.as_ref().map(|response| response.status),
            host: host.unwrap_or_default(),
            rule: self.diagnosis.on_route(place).next().map(|finding| finding.rule),
            latency: asked.zip(answered).map(|(asked, answered)| answered.since(asked)),
            legs,
        })
    }

    /// Whether it is known what became of the attempt as its client sees it.
    fn is_decided(&self, route: &Route) -> bool {
        self.client_leg(route).is_some_and(|(connection, attempt)| {
            let is_open = self.open.contains(&connection.id()) && attempt.response.is_none();
            !is_open || Outcome::of(attempt, connection, self.now()).is_failure()
        })
    }

    fn client_leg(&self, route: &Route) -> Option<(&Connection, &Attempt)> {
        let leg = route.legs.first()?;
        let connection = self.capture.connections.get(leg.connection)?;
        Some((connection, connection.attempts.get(leg.attempt)?))
    }

    fn now(&self) -> Timestamp {
        self.capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last)
    }

    /// Whether something of it is to be told now, and nothing later.
    fn is_ready(&self, legs: &[(PacketNumber, Option<usize>)]) -> bool {
        self.has_ready(legs) && !self.waits(legs)
    }

    /// Whether something of it is to be told now.
    fn has_ready(&self, legs: &[(PacketNumber, Option<usize>)]) -> bool {
        legs.iter().any(|(connection, _)| self.ready.contains(connection))
    }

    /// Whether something of it is to be told later.
    fn waits(&self, legs: &[(PacketNumber, Option<usize>)]) -> bool {
        legs.iter().any(|(connection, _)| self.waiting.contains(connection))
    }

    /// The same of what is about several: where attempts come all the time, some of them are always to be told later. So
    /// it is enough if more than half of it is settled.
    fn is_mostly_settled(&self, legs: &[(PacketNumber, Option<usize>)], may_be_late: bool) -> bool {
        let is_settled =
            |leg: &&(PacketNumber, Option<usize>)| !self.waiting.contains(&leg.0) && !self.goes_on(leg);
        let settled = legs.iter().filter(is_settled).count();
        (may_be_late || self.has_ready(legs)) && settled > legs.len() / 2
    }

    /// Whether something of it is to be told now, or was told if it may be late; nothing later; and whether what it is
    /// about is over or failed.
    fn is_settled(&self, legs: &[(PacketNumber, Option<usize>)], may_be_late: bool) -> bool {
        let is_due = self.is_ready(legs) || (may_be_late && !self.waits(legs));
        is_due && !legs.first().is_some_and(|leg| self.goes_on(leg))
    }

    /// Whether this is an attempt on an open connection that did not fail.
    fn goes_on(&self, (name, attempt): &(PacketNumber, Option<usize>)) -> bool {
        if !self.open.contains(name) {
            return false;
        }
        let connections = &self.capture.connections;
        let place = connections.binary_search_by_key(name, Connection::id);
        let connection = place.ok().and_then(|place| connections.get(place));
        let outcome = connection.zip(*attempt).and_then(|(connection, attempt)| {
            Some(Outcome::of(connection.attempts.get(attempt)?, connection, self.now()))
        });
        outcome.is_none_or(|outcome| !outcome.is_failure())
    }

    fn legs(&self, about: &About) -> Vec<(PacketNumber, Option<usize>)> {
        let name = |place: usize| self.capture.connections.get(place).map(Connection::id);
        match about {
            About::Capture => Vec::new(),
            About::Connections(places) => places.iter().filter_map(|at| Some((name(*at)?, None))).collect(),
            About::Routes(routes) => {
                let legs = |route: &Route| -> Vec<(PacketNumber, Option<usize>)> {
                    let legs = route.legs.iter();
                    legs.filter_map(|leg| Some((name(leg.connection)?, Some(leg.attempt)))).collect()
                };
                routes.iter().filter_map(|route| self.diagnosis.routes.get(*route)).flat_map(legs).collect()
            }
        }
    }
}

/// Findings and attempts that were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By connection, on which of its attempts which rule; [`ATTEMPT`] if the attempt itself was told.
    pub(super) legs: BTreeMap<PacketNumber, BTreeSet<(Option<usize>, &'static str)>>,
    /// On several routes, or on the capture: rule and sentence.
    others: BTreeSet<(&'static str, String)>,
    /// On sessions that go over several requests: how bad it was at worst.
    sessions: BTreeMap<(&'static str, String), Severity>,
}

impl Told {
    /// Whether nothing was told of these attempts by this rule.
    fn add_legs(&mut self, legs: &[(PacketNumber, Option<usize>)], code: &'static str) -> bool {
        let mut is_new = true;
        if self.legs.len() >= LIVE_CONNECTIONS_TOLD {
            self.legs.pop_first();
        }
        for (connection, attempt) in legs {
            is_new &= self.legs.entry(*connection).or_default().insert((*attempt, code));
        }
        is_new
    }

    fn add_other(&mut self, finding: &Finding) -> bool {
        if self.others.len() >= LIVE_FINDINGS_TOLD {
            self.others.clear();
        }
        self.others.insert((finding.rule.code, finding.sentence()))
    }

    /// Whether nothing as bad was told by this rule in these words. A session goes on over one connection after the
    /// other, and what it began with is forgotten one day.
    fn is_worse(&self, finding: &Finding) -> bool {
        let told = self.sessions.get(&(finding.rule.code, finding.sentence()));
        told.is_none_or(|told| *told < finding.severity)
    }

    fn add_severity(&mut self, finding: &Finding) {
        if self.sessions.len() >= LIVE_FINDINGS_TOLD {
            self.sessions.clear();
        }
        let worst = self.sessions.entry((finding.rule.code, finding.sentence())).or_insert(finding.severity);
        *worst = finding.severity.max(*worst);
    }

    /// Nothing more is told of this connection.
    pub(super) fn forget(&mut self, connection: PacketNumber) {
        self.legs.remove(&connection);
    }
}

/// Stands for the attempt itself among the rules that were told.
const ATTEMPT: &str = "";
