//! What is told of a capture that goes on.

use crate::decode::FlowKey;
use crate::diagnosis::{Finding, Rule};
use crate::model::{Connection, Outcome};
use crate::units::{PacketNumber, Span};

/// Something to be told.
#[derive(Debug)]
pub enum Event {
    /// It is decided what becomes of an attempt, as far as its connection shows it.
    Handshake {
        /// The connection as it is now.
        connection: Box<Connection>,
        /// The attempt's place among those of the connection.
        attempt: usize,
        /// What becomes of it.
        outcome: Outcome,
    },
    /// A connection is over.
    Ended(Box<Connection>),
    /// A rule found something.
    Found(Box<Found>),
    /// An attempt was judged, over all connections that it went: once each, as a user counts them. Findings on it that come
    /// by then are told before it.
    Attempted(Box<Attempted>),
}

/// What became of an attempt as its client sees it.
#[derive(Debug)]
pub struct Attempted {
    /// What became of it.
    pub outcome: Outcome,
    /// The status of the answer; none if there was none.
    pub status: Option<u16>,
    /// The host that was asked for, as it was sent; empty if it is not known.
    pub host: Vec<u8>,
    /// The rule of the leading finding on it, if there is one.
    pub rule: Option<&'static Rule>,
    /// From the request to the answer.
    pub latency: Option<Span>,
    /// Its legs: connection, and place among its attempts. The client's side first.
    pub legs: Vec<(PacketNumber, Option<usize>)>,
}

/// What a rule found, and on which attempts.
#[derive(Debug)]
pub struct Found {
    /// What it says. Its places mean nothing without the capture that was judged.
    pub finding: Finding,
    /// The attempts that it is about: connection, and place among its attempts. The client's side first; none if it is
    /// about the capture. Of a connection without an attempt the place is none.
    pub legs: Vec<(PacketNumber, Option<usize>)>,
    /// The connections that it is about, those that a proxy opened in vain among them.
    pub connections: Vec<Involved>,
}

/// A connection that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Involved {
    /// Its name: its first packet.
    pub name: PacketNumber,
    /// Its endpoints.
    pub flow: FlowKey,
    /// Its last packet; none if it goes on.
    pub last: Option<PacketNumber>,
}
