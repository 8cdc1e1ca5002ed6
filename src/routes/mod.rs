//! The same attempt seen on two or more connections: before and after each proxy on its way.
//!
//! A *leg* is one attempt on one connection; the legs of one attempt are a *route*, and between a leg and the one that
//! it came from stands a *hop*, the proxy. Everything here follows from heads, times and addresses; nothing is judged.

mod answer;
mod compare;
mod evidence;
mod once;
mod over_tls;
mod pairing;
mod polling;
mod proxy;
mod tries;

use std::collections::HashMap;

pub use compare::{Change, Part, changes};
pub use once::CountedOnce;
pub use over_tls::OverTls;
pub use polling::Polling;
pub use proxy::{Proxy, Software, Version};

use crate::model::Capture;
use crate::units::Timestamp;

pub use answer::AnswerFate;

/// What is looked up only, and never walked: the hash is seeded, since the keys come from the network.
pub(crate) type Lookup<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// One attempt of a user, on one leg or on several.
#[derive(Clone, Debug)]
pub struct Route {
    /// The legs, the client's side first and each after the one that it came from. At least one.
    pub legs: Vec<Leg>,
    /// How the legs were found to belong together; none if there is only one.
    pub matched_by: Option<MatchedBy>,
    /// Upstream connections that the last proxy opened for this attempt and that carried no request of it, as places in
    /// [`Capture::connections`]: refused, unanswered, or silent.
    pub tries: Vec<usize>,
    /// Who answered the first leg, as far as its answer shows that it is a proxy.
    pub front: Option<Proxy>,
    /// The client's connection over TLS before the first leg, if times and addresses tell which it is.
    pub over_tls: Option<OverTls>,
    /// The plain requests of the same session, if it is one of a protocol that has such.
    pub polling: Option<Box<Polling>>,
}

/// One attempt on one connection.
#[derive(Clone, Debug)]
pub struct Leg {
    /// The connection's place in [`Capture::connections`].
    pub connection: usize,
    /// The attempt's place among those of the connection.
    pub attempt: usize,
    /// How it came from another leg; none for the client's own.
    pub hop: Option<Hop>,
}

/// What a proxy made of an attempt.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The leg on the client's side of the proxy, as a place in [`Route::legs`].
    pub from: usize,
    /// The proxy.
    pub proxy: Proxy,
    /// What differs between the two requests, in the order of the wire.
    pub changes: Vec<Change>,
    /// What the proxy made of the answer.
    pub answer: AnswerFate,
    /// Nobody read the request here: it is one connection, seen before and after its addresses were translated, as where
    /// a container publishes a port.
    pub is_translation: bool,
    /// Two points of capture show other bytes between the same endpoints: somebody between them ends the connection and
    /// opens one of its own in the names of both hosts.
    pub is_interception: bool,
}

impl Hop {
    /// What people call it: the product, if the wire shows one.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.is_interception { "middlebox" } else { self.proxy.software.map_or("proxy", Software::name) }
    }

    /// Whether a proxy with an address of its own stands there.
    #[must_use]
    pub const fn is_proxy(&self) -> bool {
        !self.is_translation && !self.is_interception
    }
}

/// How legs were found to belong together, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchedBy {
    /// The same `Sec-WebSocket-Key`.
    Key,
    /// The same `Sec-WebSocket-Accept`, where the capture has answers only.
    Accept,
    /// The same frames, masking keys included: proxies pass them on as they are.
    Bytes,
    /// Target, forwarding fields and time.
    Inferred,
}

impl MatchedBy {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Accept => "accept",
            Self::Bytes => "bytes",
            Self::Inferred => "inferred",
        }
    }
}

/// Finds the routes of a capture, in the order of their first legs. Every attempt that was kept is a leg of one of them.
///
/// The work grows with the number of attempts: candidates are looked up by key, accept value, frames or target, and of
/// many only the latest are compared.
#[must_use]
pub fn find(capture: &Capture) -> Vec<Route> {
    let capture_end = capture.totals.first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    let traces = evidence::traces(capture, capture_end);
    let mut routes = pairing::routes(capture, &traces);
    tries::assign(capture, &traces, &mut routes);
    polling::assign(capture, &mut routes);
    over_tls::assign(capture, &mut routes);
    for route in &mut routes {
        proxy::name_proxies(capture, route);
    }
    proxy::share_names(capture, &mut routes);
    routes
}
