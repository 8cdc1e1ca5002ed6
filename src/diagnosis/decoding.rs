//! What only decoded messages show: see [`crate::protocol::Decoded`].

use super::ends;
use super::finding::Finding;
use super::rule::{Rule, Severity};
use super::view::{LegView, RouteView};
use super::words;
use crate::protocol::{DecodedFacts, Role, Sightings};

/// The finding of what some messages of a side are seen to be, if messages are decoded: on the leg nearest to who sends.
/// `law` says what they break, by the leg and the side.
pub(super) fn finding(
    judge: &'static Rule,
    route: &RouteView<'_>,
    seen: impl Fn(&DecodedFacts) -> Sightings,
    headline: &str,
    law: impl Fn(&LegView<'_>, Role) -> String,
    advice: &str,
) -> Option<Finding> {
    let of = |role: Role| {
        let mut legs: Vec<&LegView<'_>> = route.legs().collect();
        if role == Role::Server {
            legs.reverse();
        }
        legs.into_iter().find_map(|leg| {
            let session = ends::session(leg)?;
            let sightings = seen(session.decoded.as_ref()?.role(role));
            Some((leg, session, role, sightings.first?, sightings.count))
        })
    };
    let both = [of(Role::Client), of(Role::Server)];
    let (leg, session, role, first, count) =
        both.into_iter().flatten().min_by_key(|(.., first, _)| first.packet)?;
    let close = session.close.as_ref().filter(|close| close.by != role && close.code == INVALID_PAYLOAD);
    let who = route.frames_from(leg, role);
    let severity = match close {
        _ if leg.is_doubtful() => Severity::Note,
        Some(_) => Severity::Error,
        None => Severity::Warning,
    };
    let (messages, law) = (words::count(count, "message"), law(leg, role));
    Some(
        Finding::new(judge, who, headline)
            .at_most(severity)
            .saying(format!("{messages}, first in packet {}. {law}", first.packet.0))
            .saying_also(close.map(|close| format!("The {} answers with Close 1007.", close.by.name())))
            .shown_by([first.packet])
            .shown_by(close.map(|close| close.origin.packet))
            .advising(advice),
    )
}

/// RFC 6455 section 7.4.1.
const INVALID_PAYLOAD: u16 = 1007;
