//! What rules see: routes, connections and the capture, with heads read once and the questions that many rules ask.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::model::{Capture, Connection, Outcome};
use crate::protocol::{Attempt, RequestHead, RequestProblem, ResponseHead, ResponseProblem, Role};
use crate::redact;
use crate::routes::{Hop, Proxy, Route, Software};
use crate::text;
use crate::units::{PacketNumber, Span, Timestamp};

use super::finding::Blame;
use super::scheme::Servers;
use super::sessions_by_polling::Requests;

/// The capture and all its routes.
#[derive(Debug)]
pub struct CaptureView<'a> {
    /// The capture.
    pub capture: &'a Capture,
    /// Its routes, in the order of [`crate::routes::find`].
    pub routes: Vec<RouteView<'a>>,
    /// What its servers are seen to do.
    pub servers: Rc<Servers>,
    /// When it ends.
    pub end: Timestamp,
    /// See [`Self::requests`].
    pub(super) requests: OnceCell<Requests<'a>>,
}

impl<'a> CaptureView<'a> {
    /// The places of the routes by the packets of their requests, on all legs.
    pub(super) fn routes_by_request(&self) -> BTreeMap<PacketNumber, usize> {
        let legs = self.routes.iter().flat_map(|route| route.legs().map(|leg| (leg, route.index)));
        legs.filter_map(|(leg, index)| Some((leg.request_packet()?, index))).collect()
    }

    /// The requests of applications whose sessions go over several; read at the first question.
    pub(super) fn requests(&self) -> &Requests<'a> {
        self.requests.get_or_init(|| Requests::of(self))
    }
}

/// One route.
#[derive(Debug)]
pub struct RouteView<'a> {
    /// Its place among the routes.
    pub index: usize,
    /// The client's own leg.
    pub first: LegView<'a>,
    /// The legs that came over a hop, each after the one that it came from.
    pub others: Vec<LegView<'a>>,
    /// Upstream connections that carried no request.
    pub tries: Vec<&'a Connection>,
    /// The route itself.
    pub route: &'a Route,
    /// The capture.
    pub capture: &'a Capture,
    /// What servers of the capture are seen to do.
    pub servers: Rc<Servers>,
    /// When the capture ends.
    pub end: Timestamp,
    /// Secrets are shown.
    pub shows_secrets: bool,
    /// The capture shows that the server of the first leg hands attempts on, in this route or in another: it is a proxy,
    /// and its other side is in the capture too.
    pub is_watched: bool,
}

/// One leg.
#[derive(Debug)]
pub struct LegView<'a> {
    /// Its place among the legs of the route; 0 is the client's own.
    pub place: usize,
    /// The connection.
    pub connection: &'a Connection,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// What became of it.
    pub outcome: Outcome,
    /// The request's head, if it is in the capture in full.
    pub request: Option<RequestHead<'a>>,
    /// The answer's head, if it is in the capture in full.
    pub response: Option<ResponseHead<'a>>,
    /// The hop that it came over; none for the first leg.
    pub hop: Option<&'a Hop>,
    /// The proxy that sends it, if that shows only in other attempts: from the same address to the same server.
    pub known_sender: Option<&'a Proxy>,
    /// The client's connection over TLS, and the proxy that decrypts it and sends this leg.
    pub over_tls: Option<OverTls<'a>>,
}

/// A connection over TLS that goes with a leg by addresses and times.
#[derive(Clone, Copy, Debug)]
pub struct OverTls<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// The proxy behind it.
    pub proxy: &'a Proxy,
}

/// A connection without an attempt.
#[derive(Debug)]
pub struct ConnectionView<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// The capture.
    pub capture: &'a Capture,
    /// Whether it is a try of some route.
    pub is_try: bool,
    /// What servers are seen to do.
    pub servers: &'a Servers,
    /// When the capture ends.
    pub end: Timestamp,
}

impl<'a> RouteView<'a> {
    /// All legs, the client's own first.
    pub fn legs(&self) -> impl Iterator<Item = &LegView<'a>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The leg that is farthest from the client: the application's own, if the capture has it.
    #[must_use]
    pub fn last(&self) -> &LegView<'a> {
        self.others.last().unwrap_or(&self.first)
    }

    /// Whether the user's WebSocket surely did not come to be.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.first.outcome.is_failure()
    }

    /// Whether the capture has more than one leg.
    #[must_use]
    pub fn has_hops(&self) -> bool {
        !self.others.is_empty()
    }

    /// The legs that came over a hop, each with the leg before it and the hop.
    pub fn hops(&self) -> impl Iterator<Item = (&LegView<'a>, &'a Hop, &LegView<'a>)> {
        self.others.iter().filter_map(|after| {
            let hop = after.hop?;
            Some((self.legs().nth(hop.from)?, hop, after))
        })
    }

    /// Whether somebody is seen to hand the leg on.
    #[must_use]
    pub fn is_handed_on(&self, leg: &LegView<'a>) -> bool {
        self.hops().any(|(before, _, _)| before.place == leg.place)
    }

    /// The proxy that the leg goes to: the hop behind it, or what its answer says about who answers.
    #[must_use]
    pub fn proxy_behind(&self, leg: &LegView<'a>) -> Option<&'a Proxy> {
        let front = || self.route.front.as_ref().filter(|_| leg.place == 0);
        match self.next(leg) {
            Some((next, hop)) if !hop.is_proxy() => self.proxy_behind(next).or_else(front),
            Some((_, hop)) => Some(&hop.proxy),
            None => front(),
        }
    }

    /// The first leg that came from another one, and the hop between.
    fn next(&self, leg: &LegView<'a>) -> Option<(&LegView<'a>, &'a Hop)> {
        let mut next = self.others.iter().filter_map(|next| Some((next, next.hop?)));
        next.find(|(_, hop)| hop.from == leg.place)
    }

    /// The client's own leg at the server that it reached: behind translations of its addresses.
    #[must_use]
    pub fn reached(&self) -> &LegView<'a> {
        self.behind_translations(&self.first)
    }

    fn behind_translations<'v>(&'v self, leg: &'v LegView<'a>) -> &'v LegView<'a> {
        // Each leg comes after the one that it came from, so this ends.
        match self.next(leg) {
            Some((next, hop)) if !hop.is_proxy() => self.behind_translations(next),
            _ => leg,
        }
    }

    /// Who answers the leg: a proxy if anything says so, else the application behind one, or just a server.
    #[must_use]
    pub fn answerer(&self, leg: &LegView<'a>) -> Blame {
        if let Some(proxy) = self.proxy_behind(leg) {
            return Blame::proxy(proxy);
        }
        let leg = self.behind_translations(leg);
        let endpoint = leg.connection.endpoint(Role::Server);
        if leg.comes_over_proxy() || leg.over_tls.is_some() {
            Blame::Upstream(endpoint)
        } else {
            Blame::Server(endpoint)
        }
    }

    /// Who sends the leg: the proxy before it, or the client.
    #[must_use]
    pub fn sender(&self, leg: &LegView<'a>) -> Blame {
        match (leg.hop, leg.known_sender) {
            (Some(hop), _) if !hop.is_proxy() => {
                self.legs().nth(hop.from).map_or(Blame::Network, |before| self.sender(before))
            }
            (Some(hop), _) => Blame::proxy(&hop.proxy),
            (None, Some(proxy)) => Blame::proxy(proxy),
            (None, None) => leg.over_tls.map_or_else(
                || Blame::Client(leg.connection.endpoint(Role::Client).address),
                |over| Blame::proxy(over.proxy),
            ),
        }
    }

    /// Who makes the frames that one side of a leg sends, as far as the capture shows it. Proxies that tunnel pass frames on
    /// as they are, so that they come from whoever is behind the proxy, which nobody sees.
    #[must_use]
    pub fn frames_from(&self, leg: &LegView<'a>, by: Role) -> Blame {
        if by == Role::Client {
            if let Some(over) = leg.over_tls {
                return Blame::Client(over.connection.endpoint(Role::Client).address);
            }
            return self.sender(leg);
        }
        match self.answerer(leg) {
            Blame::Proxy(..) if !self.is_handed_on(leg) => {
                Blame::Server(self.behind_translations(leg).connection.endpoint(Role::Server))
            }
            who => who,
        }
    }

    /// The software of the first proxy of the route that is known.
    #[must_use]
    pub fn software(&self) -> Option<Software> {
        let hops = self.others.iter().filter_map(|leg| leg.hop).find_map(|hop| hop.proxy.software);
        hops.or_else(|| self.route.front.as_ref()?.software)
    }

    /// The start of an answer's body, or any other text of the wire, in one line and without secrets.
    #[must_use]
    pub fn quote(&self, bytes: &[u8]) -> String {
        let text = text::decode(bytes);
        let words: Vec<&str> = text.split_whitespace().collect();
        let line = words.join(" ");
        if self.shows_secrets { line } else { redact::text(&line).into_owned() }
    }

    /// The value of a field, without secrets.
    #[must_use]
    pub fn quote_field(&self, name: &str, value: &[u8]) -> String {
        let value = text::decode(value);
        if self.shows_secrets { value.into_owned() } else { redact::header(name, &value).into_owned() }
    }

    /// The packets of requests and answers, of all legs.
    #[must_use]
    pub fn packets(&self) -> Vec<PacketNumber> {
        self.legs().flat_map(LegView::packets).collect()
    }
}

impl<'a> LegView<'a> {
    /// Whether a proxy is seen to have sent it, and not the client itself.
    #[must_use]
    pub fn comes_over_proxy(&self) -> bool {
        self.hop.is_some_and(Hop::is_proxy)
    }

    /// The status of the final answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.attempt.response.as_ref().map(|response| response.status)
    }

    /// Whether the request has a problem; what is not in the capture has none.
    #[must_use]
    pub fn asks_with(&self, problem: RequestProblem) -> bool {
        self.attempt.request.as_ref().is_some_and(|request| request.problems.contains(&problem))
    }

    /// Whether the answer has a problem.
    #[must_use]
    pub fn answers_with(&self, problem: ResponseProblem) -> bool {
        self.attempt.response.as_ref().is_some_and(|response| response.problems.contains(&problem))
    }

    /// The first value of a field of the request.
    #[must_use]
    pub fn asked(&self, name: &str) -> Option<&'a [u8]> {
        self.request.as_ref()?.fields.values(name).next()
    }

    /// The first value of a field of the answer.
    #[must_use]
    pub fn answered(&self, name: &str) -> Option<&'a [u8]> {
        self.response.as_ref()?.fields.values(name).next()
    }

    /// As [`Self::asked`], if it is UTF-8.
    #[must_use]
    pub fn asked_text(&self, name: &str) -> Option<&'a str> {
        self.asked(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// As [`Self::answered`], if it is UTF-8.
    #[must_use]
    pub fn answered_text(&self, name: &str) -> Option<&'a str> {
        self.answered(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The start of the answer's body; empty if there is none.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.attempt.response.as_ref().map_or(&[], |response| &response.body_start)
    }

    /// The request's target; empty if the capture lacks it.
    #[must_use]
    pub fn target(&self) -> &'a str {
        self.request.as_ref().map_or("", |request| request.target)
    }

    /// The target's path, without the query.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.target().split(['?', '#']).next().unwrap_or_default()
    }

    /// The packet of the request.
    #[must_use]
    pub fn request_packet(&self) -> Option<PacketNumber> {
        self.attempt.request.as_ref().map(|request| request.origin.packet)
    }

    /// The packet of the answer.
    #[must_use]
    pub fn response_packet(&self) -> Option<PacketNumber> {
        self.attempt.response.as_ref().map(|response| response.origin.packet)
    }

    /// The packets of the request and the answer.
    #[must_use]
    pub fn packets(&self) -> Vec<PacketNumber> {
        self.request_packet().into_iter().chain(self.response_packet()).collect()
    }

    /// How long the answer took; until the connection or the capture ended if there was none.
    #[must_use]
    pub fn waited(&self, capture_end: Timestamp) -> Option<Span> {
        let asked = self.attempt.request.as_ref()?.origin.time;
        let answered = self.attempt.response.as_ref().map(|response| response.origin.time);
        let ended = self.connection.tcp.ending.map(|ending| ending.origin.time);
        Some(answered.or(ended).unwrap_or(capture_end).since(asked))
    }

    /// Whether the capture may lack something of the connection, so that what is not seen may yet have been there.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        let lacks = |role| self.connection.half(role).missing_bytes > 0;
        self.connection.is_one_sided()
            || self.connection.tcp.evicted
            || lacks(Role::Client)
            || lacks(Role::Server)
            || self.attempt.response_lost
    }
}
