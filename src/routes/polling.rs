//! The plain requests of a session that a WebSocket attempt belongs to, on the client's side: Engine.IO and `SockJS` begin
//! or go on by polling, `SignalR` negotiates first.

use std::collections::BTreeSet;

use super::{Lookup, Route};
use crate::model::{Capture, PollingProtocol, PollingRequest, path_of_target};
use crate::protocol::Role;
use crate::units::{Endpoint, PacketNumber, Timestamp};

/// The plain requests of an attempt's session, from the same client to the same server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polling {
    /// Whose session it is.
    pub protocol: PollingProtocol,
    /// Requests before the attempt.
    pub before: u64,
    /// Requests after it.
    pub after: u64,
    /// Those of them that were answered with 400 or more.
    pub refused: u64,
    /// On how many connections they came.
    pub connections: u64,
    /// The first of them.
    pub first: (PacketNumber, Timestamp),
    /// The last of them.
    pub last: (PacketNumber, Timestamp),
}

/// Finds them for all routes. The work grows with the requests and the routes; what the capture keeps no requests of has
/// none.
pub(super) fn assign(capture: &Capture, routes: &mut [Route]) {
    let mut plain: Vec<(Session<'_>, Plain)> = Vec::new();
    for (place, connection) in capture.connections.iter().enumerate() {
        for exchange in connection.exchanges.iter() {
            let Some(request) = PollingRequest::of(&exchange.method, &exchange.target) else { continue };
            let ends = [Role::Client, Role::Server].map(|role| connection.endpoint(role));
            let Some(session) = Session::of(&request, &exchange.target, ends) else { continue };
            let request = Plain {
                connection: place,
                at: (exchange.request.packet, exchange.request.time),
                is_refused: exchange.answer.as_ref().is_some_and(|answer| answer.status >= 400),
            };
            plain.push((session, request));
        }
    }
    if plain.is_empty() {
        return;
    }
    plain.sort_by_key(|(_, request)| request.at.0);
    let mut sessions: Lookup<Session<'_>, Vec<Plain>> = Lookup::default();
    for (session, request) in plain {
        sessions.entry(session).or_default().push(request);
    }
    for route in routes {
        route.polling = of_route(capture, route, &sessions).map(Box::new);
    }
}

/// What tells a session from all others.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Session<'a> {
    name: &'a str,
    client: std::net::IpAddr,
    server: Endpoint,
}

impl<'a> Session<'a> {
    /// A negotiation of `SignalR` is known by its hub: the name that it gives stands in the answer.
    fn of(request: &PollingRequest<'a>, target: &'a str, [client, server]: [Endpoint; 2]) -> Option<Self> {
        let name = if request.negotiates { hub(target) } else { request.session };
        (!name.is_empty()).then_some(Self { name, client: client.address, server })
    }
}

/// A plain request.
struct Plain {
    connection: usize,
    at: (PacketNumber, Timestamp),
    is_refused: bool,
}

fn of_route<'a>(
    capture: &'a Capture,
    route: &Route,
    sessions: &Lookup<Session<'a>, Vec<Plain>>,
) -> Option<Polling> {
    let leg = route.legs.first()?;
    let connection = capture.connections.get(leg.connection)?;
    let asked = connection.attempts.get(leg.attempt)?.request.as_ref()?;
    let target = asked.head().target;
    let request = PollingRequest::of("GET", target).filter(|request| !request.session.is_empty())?;
    let ends = [Role::Client, Role::Server].map(|role| connection.endpoint(role));
    let session = Session::of(&request, target, ends)?;
    let requests = sessions.get(&session).map_or(&[][..], Vec::as_slice);
    let split = requests.partition_point(|other| other.at.0 < asked.origin.packet);
    // Of the negotiations of a hub the latest one is this session's.
    let hub = Session { name: hub(target), ..session };
    let negotiations = sessions.get(&hub).filter(|_| request.protocol == PollingProtocol::SignalR);
    let negotiation = negotiations.and_then(|all| {
        let earlier = all.partition_point(|other| other.at.0 < asked.origin.packet);
        all.get(earlier.checked_sub(1)?)
    });
    let all = || negotiation.into_iter().chain(requests);
    let number = |requests: usize| u64::try_from(requests).unwrap_or(u64::MAX);
    Some(Polling {
        protocol: request.protocol,
        before: number(split.saturating_add(usize::from(negotiation.is_some()))),
        after: number(requests.len().saturating_sub(split)),
        refused: number(all().filter(|request| request.is_refused).count()),
        connections: number(all().map(|request| request.connection).collect::<BTreeSet<usize>>().len()),
        first: all().map(|request| request.at).min()?,
        last: all().map(|request| request.at).max()?,
    })
}

fn hub(target: &str) -> &str {
    let path = path_of_target(target).trim_end_matches('/');
    path.strip_suffix("/negotiate").unwrap_or(path)
}
