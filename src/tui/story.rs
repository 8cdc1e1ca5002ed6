//! One attempt with its legs, and what was found about it.

use super::news::Finished;
use super::rows::Row;
use crate::diagnosis::Finding;
use crate::model::{Connection, Outcome};
use crate::protocol::Attempt;
use crate::routes::{Hop, Route};
use crate::units::Timestamp;

/// One attempt with its legs.
#[derive(Debug)]
pub struct Story<'a> {
    /// The legs, the client's own first.
    pub legs: Vec<StoryLeg<'a>>,
    /// Upstream connections that carried no request.
    pub tries: Vec<&'a Connection>,
    /// The route, once it is known.
    pub route: Option<&'a Route>,
    /// What was found about it, the leading finding first.
    pub findings: Vec<&'a Finding>,
    /// When the capture begins and ends.
    pub time: (Timestamp, Timestamp),
}

/// One leg.
#[derive(Clone, Copy, Debug)]
pub struct StoryLeg<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// Its place among those of the connection.
    pub attempt_place: usize,
    /// What became of it.
    pub outcome: Outcome,
    /// The hop that it came over; none for the client's own.
    pub hop: Option<&'a Hop>,
}

impl<'a> Story<'a> {
    /// Of a route.
    #[must_use]
    pub fn of_route(finished: &'a Finished, row: &Row) -> Option<Self> {
        let place = row.route?;
        let route = finished.diagnosis.routes.get(place)?;
        let time = finished.time();
        let connections = &finished.capture.connections;
        let leg = |leg: &'a crate::routes::Leg| {
            let connection = connections.get(leg.connection)?;
            StoryLeg::new(connection, leg.attempt, leg.hop.as_ref(), time.1)
        };
        Some(Self {
            legs: route.legs.iter().filter_map(leg).collect(),
            tries: route.tries.iter().filter_map(|at| connections.get(*at)).collect(),
            route: Some(route),
            findings: finished.diagnosis.on_route(place).collect(),
            time,
        })
    }

    /// Of a connection, while nobody knows its route.
    #[must_use]
    pub fn of_connection(
        connection: &'a Connection,
        attempt: usize,
        time: (Timestamp, Timestamp),
    ) -> Option<Self> {
        let leg = StoryLeg::new(connection, attempt, None, time.1)?;
        Some(Self { legs: vec![leg], tries: Vec::new(), route: None, findings: Vec::new(), time })
    }
}

impl<'a> StoryLeg<'a> {
    fn new(connection: &'a Connection, attempt: usize, hop: Option<&'a Hop>, end: Timestamp) -> Option<Self> {
        let (attempt_place, attempt) = (attempt, connection.attempts.get(attempt)?);
        Some(Self { connection, attempt, attempt_place, outcome: Outcome::of(attempt, connection, end), hop })
    }
}
