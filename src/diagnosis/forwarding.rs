//! Who made a request what it is: the client, or a proxy that a hop or the request itself gives away.

use std::net::IpAddr;

use super::finding::Blame;
use super::gates;
use super::redirects;
use super::rule::Severity;
use super::view::{LegView, RouteView};
use crate::limits::ROUTE_CANDIDATES;
use crate::model::{Connection, Outcome};
use crate::protocol::{Attempt, Exchange, RequestProblem, Role};
use crate::routes::{Hop, Part, Proxy, Software};
use crate::text;
use crate::units::{Origin, PacketNumber};

/// Who made a request what it is.
#[derive(Clone, Debug)]
pub(super) enum Author {
    /// A proxy that got it otherwise: the capture has both sides of it.
    Hop(Proxy),
    /// A proxy, by a sign in the request, which is told in words.
    Sender(Proxy, String),
    /// Whoever opened the connection, and nothing tells that it is a proxy.
    Client(IpAddr),
}

/// A request that is wrong, and who made it so.
#[derive(Debug)]
pub(super) struct Wrong<'v, 'a> {
    /// The first leg that has it wrong.
    pub(super) leg: &'v LegView<'a>,
    /// The leg before it, with the request as it should be.
    pub(super) before: Option<&'v LegView<'a>>,
    /// Who made it so.
    pub(super) author: Author,
}

impl Author {
    /// Who is to blame.
    pub(super) fn blame(&self) -> Blame {
        match self {
            Self::Hop(proxy) | Self::Sender(proxy, _) => Blame::proxy(proxy),
            Self::Client(address) => Blame::Client(*address),
        }
    }

    /// The proxy, if it is one.
    pub(super) const fn proxy(&self) -> Option<&Proxy> {
        match self {
            Self::Hop(proxy) | Self::Sender(proxy, _) => Some(proxy),
            Self::Client(_) => None,
        }
    }

    /// A sentence on why the sender is taken for a proxy, where the capture lacks its other side.
    pub(super) fn reason(&self) -> Option<String> {
        let Self::Sender(proxy, sign) = self else { return None };
        Some(format!("{} sent it as a proxy: {sign}.", proxy.address))
    }
}

/// The first leg with a whole request that is wrong, and who made it so. None if all are right, or if the request before
/// a proxy is not in the capture and the one after it does not show whose fault it is.
pub(super) fn first_wrong<'v, 'a>(
    route: &'v RouteView<'a>,
    is_wrong: impl Fn(&LegView<'a>) -> bool,
) -> Option<Wrong<'v, 'a>> {
    let is_asked =
        |leg: &&LegView<'a>| leg.request.is_some() && is_wrong(leg) && !gates::is_question(route, leg);
    let leg = route.legs().find(is_asked)?;
    let before = leg.hop.and_then(|hop| route.legs().nth(hop.from)).filter(|before| before.request.is_some());
    let author = match (leg.hop, before) {
        (Some(hop), Some(_)) => Author::Hop(hop.proxy.clone()),
        (Some(hop), None) => Author::Sender(hop.proxy.clone(), sign(leg)?.1),
        (None, _) => match sender(leg) {
            Author::Client(address) => Author::Client(origin(route, leg).unwrap_or(address)),
            proxy => proxy,
        },
    };
    Some(Wrong { leg, before, author })
}

/// Who sent a leg that came over no hop of the capture.
pub(super) fn sender(leg: &LegView<'_>) -> Author {
    let address = leg.connection.endpoint(Role::Client).address;
    if let Some(proxy) = leg.known_sender {
        return Author::Sender(proxy.clone(), "it hands other requests on to this server".to_owned());
    }
    match sign(leg) {
        Some((software, sign)) => {
            let software = software.or(leg.over_tls.and_then(|over| over.proxy.software));
            Author::Sender(Proxy { address, software, version: None }, sign)
        }
        None => leg.over_tls.map_or(Author::Client(address), |over| {
            let [client, server] = [Role::Client, Role::Server].map(|role| over.connection.endpoint(role));
            let sign =
                format!("the connection over TLS from {client} to {server} goes with it, by its times");
            Author::Sender(over.proxy.clone(), sign)
        }),
    }
}

/// How much a request that is wrong matters: the user's WebSocket failed, and not with an answer that has other causes:
/// the caller's own list, redirects, and what asks for credentials.
pub(super) fn weight(route: &RouteView<'_>, leg: &LegView<'_>, other_causes: &[u16]) -> Severity {
    // What the application says counts, if the capture has it; a proxy makes its own of silence.
    let has_other_cause = route.last().status().is_some_and(|status| {
        matches!(status, 300..=399 | 401 | 403 | 407) || other_causes.contains(&status)
    });
    let is_innocent = has_other_cause || !route.tries.is_empty() || leg.outcome == Outcome::Established;
    if route.has_failed() && !is_innocent { Severity::Error } else { Severity::Warning }
}

/// A request for the same target that waited for its answer when a leg was sent, on its way to another server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting<'a> {
    /// Its connection.
    pub(super) connection: &'a Connection,
    /// The packet of the request.
    pub(super) packet: PacketNumber,
    /// The attempt, if it is one.
    pub(super) attempt: Option<&'a Attempt>,
    /// The exchange, if it is an ordinary request.
    pub(super) exchange: Option<&'a Exchange>,
}

/// The requests that may have been handed on as this leg though nothing pairs them for sure.
pub(super) fn waiting<'a>(
    route: &RouteView<'a>,
    leg: &LegView<'a>,
) -> impl Iterator<Item = Waiting<'a>> + use<'a> {
    let (server, target) = (leg.connection.endpoint(Role::Server), leg.target());
    let asked = leg.attempt.request.as_ref().map(|request| request.origin);
    let connections = &route.capture.connections;
    // They are in the order of their first packets.
    let until = asked.map_or(0, |asked| connections.partition_point(|it| it.id() < asked.packet));
    let near = connections.get(..until).unwrap_or_default().iter().rev().take(ROUTE_CANDIDATES);
    let waits = move |from: Origin, until: Option<Origin>| {
        asked.is_some_and(|asked| {
            from.time <= asked.time && until.is_none_or(|until| asked.time <= until.time)
        })
    };
    near.filter(move |it| it.endpoint(Role::Server) != server).flat_map(move |connection| {
        let attempts = connection.attempts.iter().filter_map(move |attempt| {
            let request = attempt.request.as_ref()?;
            let answered = attempt.response.as_ref().map(|response| response.origin);
            let is_same = request.head().target == target && waits(request.origin, answered);
            let packet = request.origin.packet;
            is_same.then_some(Waiting { connection, packet, attempt: Some(attempt), exchange: None })
        });
        let exchanges = connection.exchanges.iter().filter_map(move |exchange| {
            let answered = exchange.answer.as_ref().map(|answer| answer.origin);
            let is_same = *exchange.target == *target && waits(exchange.request, answered);
            let packet = exchange.request.packet;
            is_same.then_some(Waiting { connection, packet, attempt: None, exchange: Some(exchange) })
        });
        attempts.chain(exchanges)
    })
}

/// The client that a wrong request came from, if one with the very same faults waited when it was sent.
fn origin<'a>(route: &RouteView<'a>, leg: &LegView<'a>) -> Option<IpAddr> {
    let problems = |attempt: &Attempt| attempt.request.as_ref().map(|request| request.problems.clone());
    let same = |it: &Waiting<'a>| it.attempt.is_some_and(|from| problems(from) == problems(leg.attempt));
    let from = waiting(route, leg).filter(same).last()?;
    Some(from.connection.endpoint(Role::Client).address)
}

/// Whether a request has nothing of the handshake but the name of the protocol.
pub(super) fn lacks_handshake(leg: &LegView<'_>) -> bool {
    let is_handshake =
        |name: &str| name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    leg.request.as_ref().is_some_and(|request| !request.fields.iter().any(|(name, _)| is_handshake(name)))
}

/// Whether a hop shows in nothing but the fields of the upgrade: no product, no forwarding fields, the same version.
pub(super) fn is_invisible(hop: &Hop) -> bool {
    let concerns_upgrade = |part: &Part| match part {
        Part::Header(name) => UPGRADE_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field)),
        Part::Method | Part::Target | Part::HttpVersion => false,
    };
    if hop.is_interception {
        return true;
    }
    hop.proxy.software.is_none()
        && !hop.changes.is_empty()
        && hop.changes.iter().all(|change| concerns_upgrade(&change.part))
}

/// The first hop that takes `Upgrade` out of a request that had all of it.
pub(super) fn stripping_hop<'v, 'a>(
    route: &'v RouteView<'a>,
) -> Option<(&'v LegView<'a>, &'a Hop, &'v LegView<'a>)> {
    route.hops().find(|(before, _, after)| {
        before.request.is_some()
            && after.request.is_some()
            && asks_rightly(before)
            && after.asks_with(RequestProblem::UpgradeMissing)
            && !gates::is_question(route, after)
    })
}

/// Whether the hop-by-hop part of a request is right. If it is not, a proxy does well not to pass it on.
pub(super) fn asks_rightly(leg: &LegView<'_>) -> bool {
    !leg.asks_with(RequestProblem::UpgradeMissing)
        && !leg.asks_with(RequestProblem::ConnectionTokenMissing)
        && !leg.asks_with(RequestProblem::HttpVersionTooLow)
}

/// Whether a browser made the request: these never get the handshake wrong.
pub(super) fn is_from_browser(leg: &LegView<'_>) -> bool {
    leg.asked("user-agent").is_some_and(|agent| agent.starts_with(b"Mozilla/"))
        && leg.asked("origin").is_some()
}

/// What in a request shows that a proxy sent it: the product, if it shows too, and the sign in words.
fn sign(leg: &LegView<'_>) -> Option<(Option<Software>, String)> {
    let request = leg.request.as_ref()?;
    let connection = request.fields.values("connection").next().unwrap_or_default();
    let is_old = request.version == Some(0);
    if is_old && connection.eq_ignore_ascii_case(b"close") {
        let words = "HTTP/1.0 with Connection: close is what nginx before 1.29.7 writes by itself";
        return Some((Some(Software::Nginx), words.to_owned()));
    }
    let first: Vec<&str> = request.fields.iter().take(2).map(|(name, _)| name).collect();
    if first == ["Host", "Connection"] && connection == b"close" && leg.asked("sec-websocket-key").is_some() {
        let words = "Host and Connection: close before all other fields is how nginx writes a request";
        return Some((Some(Software::Nginx), words.to_owned()));
    }
    if let Some(name) = FORWARDING_FIELDS.iter().find(|name| leg.asked(name).is_some()) {
        // Apache appends its Connection field after those that it passes on.
        let is_last = request.fields.iter().last().is_some_and(|(name, _)| name == "Connection");
        let is_apache =
            is_last && leg.asked("x-forwarded-server").is_some() && leg.asked("x-forwarded-port").is_none();
        return Some((is_apache.then_some(Software::Apache), format!("the request carries {name}")));
    }
    if is_old && is_from_browser(leg) {
        return Some((None, "a browser made the request, and browsers do not speak HTTP/1.0".to_owned()));
    }
    names_server(leg)
        .map(|host| (None, format!("the Host of the request is {host}, the server's own address")))
}

/// The value of `Host` if it is the server's own address, which a person does not type: the origin is another. A page of
/// another port at that address is no other origin in this.
fn names_server(leg: &LegView<'_>) -> Option<String> {
    let host = leg.asked_text("host")?;
    let server = leg.connection.endpoint(Role::Server);
    let is_own = host == server.to_string() || host == server.address.to_string();
    let origin = text::decode(leg.asked("origin")?).into_owned();
    let origin_host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
    (is_own && redirects::name(origin_host) != redirects::name(host)).then(|| host.to_owned())
}

/// That the application cannot know that the client came over TLS, as a sentence: a proxy asks it in the clear and does
/// not say so, though the page came over https from the very host that is asked for.
pub(super) fn hides_tls(leg: &LegView<'_>) -> Option<String> {
    let told = leg.asked_text("x-forwarded-proto");
    let authority = leg.asked_text("origin")?.strip_prefix("https://")?;
    let is_same = redirects::name(authority).eq_ignore_ascii_case(redirects::name(leg.asked_text("host")?));
    let is_told =
        told.is_some_and(|proto| matches!(proto, "https" | "wss")) || leg.asked("forwarded").is_some();
    let is_forwarded = leg.comes_over_proxy() || sender(leg).proxy().is_some();
    let field = if told.is_some() { "says something else" } else { "is missing" };
    (is_same && !is_told && is_forwarded).then(|| {
        format!(
            "The page came over https, and the request reaches the application in the clear while X-Forwarded-Proto {field}: \
             an application that compares the whole origin with its own takes this one for another."
        )
    })
}

const PREFIX: &str = "sec-websocket-";

/// Fields that proxies add, as they are usually written.
const FORWARDING_FIELDS: &[&str] = &[
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Server",
    "X-Forwarded-Port",
    "Forwarded",
    "Via",
    "X-Real-IP",
];

/// Fields that hold for one connection and have to do with the upgrade (RFC 9110 sections 7.6.1 and 7.8).
const UPGRADE_FIELDS: &[&str] = &["Upgrade", "Connection", "Keep-Alive", "Proxy-Connection"];
