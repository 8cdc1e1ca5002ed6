//! What frames break of RFC 6455: where on a route it is seen first, who sent it, and what became of it.

use super::ends;
use super::finding::{Blame, Finding};
use super::rule::{Rule, Severity};
use super::view::{LegView, RouteView};
use super::words;
use crate::protocol::{Anomaly, AnomalyFact, Role, SessionFacts};
use crate::tcp::EndedBy;

/// What a rule says of one kind of violation.
pub(super) struct Says {
    /// The kind.
    pub(super) kind: Anomaly,
    /// What its sender does, as a headline.
    pub(super) headline: &'static str,
    /// What the RFC says, with its section.
    pub(super) law: &'static str,
    /// Where it comes from most often.
    pub(super) origin: &'static str,
}

/// The finding of a kind, if it is the first that its sender did wrong. All that follows from the same sender is told
/// with it: a stream that is out of step breaks every rule sooner or later.
pub(super) fn finding(rule: &'static Rule, route: &RouteView<'_>, says: &Says) -> Option<Finding> {
    // A dozen rules ask this of every route, and most sessions break none.
    let breaks = |leg: &LegView<'_>| leg.attempt.session.as_ref().is_some_and(|it| !it.anomalies.is_empty());
    if !route.legs().any(breaks) {
        return None;
    }
    let first = |role| First::of(route, role).filter(|first| first.fact.kind == says.kind);
    let both = [first(Role::Client), first(Role::Server)];
    let first = both.into_iter().flatten().min_by_key(|first| first.fact.first.packet)?;
    let reaction = first.reaction();
    let severity = match reaction {
        _ if !first.is_sure() => Severity::Note,
        Some(_) => Severity::Error,
        None if first.is_overlooked() => Severity::Note,
        None => Severity::Warning,
    };
    let packet = first.fact.first.packet.0;
    let frames = match first.fact.count {
        1 => format!("One such frame, in packet {packet}."),
        count => format!("{count} such frames, the first in packet {packet}."),
    };
    let advice = if matches!(first.who, Blame::Proxy(..)) { OF_A_PROXY } else { says.origin };
    let after = first.others();
    Some(
        Finding::new(rule, first.who.clone(), says.headline)
            .at_most(severity)
            .saying(format!("{frames} {}", says.law))
            .saying_also((!after.is_empty()).then(|| {
                format!(
                    "The same side then breaks other rules too ({}), which may be the same fault.",
                    words::list(&after)
                )
            }))
            .saying_also(reaction)
            .saying_also((!first.is_sure()).then(|| UNSURE.to_owned()))
            .shown_by([first.fact.first.packet])
            .shown_by(first.session.close.iter().map(|close| close.origin.packet))
            .advising(advice),
    )
}

/// The first thing that one side of a route's session did wrong.
struct First<'v, 'a> {
    leg: &'v LegView<'a>,
    session: &'a SessionFacts,
    fact: AnomalyFact,
    who: Blame,
}

impl<'v, 'a> First<'v, 'a> {
    /// On the leg that is nearest to the sender: what is not there was made by a proxy.
    fn of(route: &'v RouteView<'a>, role: Role) -> Option<Self> {
        let mut legs: Vec<&'v LegView<'a>> = route.legs().collect();
        if role == Role::Server {
            legs.reverse();
        }
        legs.into_iter().find_map(|leg| {
            let session = ends::session(leg)?;
            let of_side = session.anomalies.iter().filter(|fact| fact.by == role);
            let fact = *of_side.min_by_key(|fact| (fact.first.packet, weight(fact.kind)))?;
            Some(Self { leg, session, fact, who: route.frames_from(leg, role) })
        })
    }

    /// Whether the capture shows all of the stream, so that nothing is taken for a header that is none.
    fn is_sure(&self) -> bool {
        // Behind HTTP frames are looked for again, though the capture lacks nothing.
        let own = if self.fact.kind == Anomaly::HttpInTunnel { self.fact.count } else { 0 };
        let is_in_step = self.session.role(self.fact.by).resyncs <= own;
        !self.leg.is_doubtful() && !self.leg.attempt.midstream && is_in_step
    }

    /// What the other side did about it, if it ended the session.
    fn reaction(&self) -> Option<String> {
        let other = self.fact.by.other();
        let is_later = |packet| packet >= self.fact.first.packet;
        if let Some(close) = self.session.close.as_ref().filter(|close| is_later(close.origin.packet)) {
            let is_refusal =
                close.by == other && matches!(close.code, 1002 | 1003 | 1007 | 1008 | 1009 | 1010);
            return is_refusal.then(|| format!("The {} answers with Close {}.", other.name(), close.code));
        }
        // A side that has answered a Close frame ends the connection as it should.
        if self.session.role(other).close > 0 {
            return None;
        }
        let ending = self.leg.connection.tcp.ending.filter(|ending| is_later(ending.origin.packet))?;
        let bit = if ending.how == EndedBy::Reset { "a RST" } else { "a FIN" };
        (self.leg.connection.closed_by() == Some(other))
            .then(|| format!("The {} ends the connection with {bit}, without a Close frame.", other.name()))
    }

    /// Whether it comes after a goodbye that the other side returned as if nothing was wrong.
    fn is_overlooked(&self) -> bool {
        let other = self.fact.by.other();
        self.fact.kind == Anomaly::DataAfterClose && self.session.role(other).close > 0
    }

    /// What else the same side did wrong.
    fn others(&self) -> Vec<String> {
        let of_side = |fact: &&AnomalyFact| fact.by == self.fact.by && fact.kind != self.fact.kind;
        self.session.anomalies.iter().filter(of_side).map(|fact| fact.kind.name().to_owned()).collect()
    }
}

/// Of what one frame does wrong, what says most comes first.
const fn weight(kind: Anomaly) -> u8 {
    match kind {
        Anomaly::HttpInTunnel => 0,
        Anomaly::DataAfterClose => 1,
        Anomaly::ReservedOpcode => 2,
        Anomaly::ReservedBitSet => 3,
        Anomaly::ClientFrameUnmasked | Anomaly::ServerFrameMasked => 4,
        Anomaly::ControlFrameTooLong => 5,
        Anomaly::ControlFrameFragmented => 6,
        Anomaly::CloseMalformed => 7,
        Anomaly::ContinuationWithoutStart => 8,
        Anomaly::MessageInterrupted => 9,
        Anomaly::LengthNotMinimal => 10,
    }
}

const OF_A_PROXY: &str = "The frame is not on the other side of the proxy, which makes it itself: look for a newer release of the proxy.";
const UNSURE: &str =
    "The capture lacks a part of the stream, so that this may be a misreading of what follows it.";
