//! The line of a route: the legs of one attempt, and what each proxy on the way made of it.

use std::borrow::Cow;

use serde::Serialize;

use super::finding::{self, FindingView};
use crate::diagnosis::Finding;
use crate::model::{Capture, Connection};
use crate::report::wire::Wire;
use crate::routes::{Change, Hop, Leg, Part, Polling, Proxy, Route};

/// A route.
#[derive(Serialize)]
#[serde(tag = "type", rename = "route")]
pub(super) struct RouteLine<'a> {
    schema: u32,
    legs: Vec<LegView>,
    matched_by: Option<&'static str>,
    hops: Vec<HopView<'a>>,
    tries: Vec<u64>,
    /// The plain requests of the same session, on the client's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    polling: Option<PollingView>,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct PollingView {
    before: u64,
    after: u64,
    refused: u64,
    connections: u64,
    first_packet: u64,
    last_packet: u64,
}

#[derive(Serialize)]
struct LegView {
    connection: u64,
    attempt: usize,
}

#[derive(Serialize)]
struct HopView<'a> {
    from: usize,
    proxy: ProxyView,
    changes: Vec<ChangeView<'a>>,
    answer: &'static str,
    is_translation: bool,
    /// Somebody between two points of capture speaks in the names of both hosts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_interception: bool,
}

#[derive(Serialize)]
pub(super) struct ProxyView {
    address: String,
    software: Option<&'static str>,
    version: Option<String>,
}

#[derive(Serialize)]
struct ChangeView<'a> {
    part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    before: Option<Cow<'a, str>>,
    after: Option<Cow<'a, str>>,
}

/// The line of a route, if it has more than one leg, with what was found about it alone.
pub(super) fn line<'a>(
    route: &'a Route,
    findings: &[&'a Finding],
    capture: &'a Capture,
    wire: Wire,
) -> Option<RouteLine<'a>> {
    let id = |connection: usize| {
        capture.connections.get(connection).map_or(0, |connection: &Connection| connection.id().0)
    };
    let leg = |leg: &Leg| LegView { connection: id(leg.connection), attempt: leg.attempt };
    (route.legs.len() > 1).then(|| RouteLine {
        schema: 1,
        legs: route.legs.iter().map(leg).collect(),
        matched_by: route.matched_by.map(crate::routes::MatchedBy::name),
        hops: route.legs.iter().filter_map(|leg| leg.hop.as_ref()).map(|it| hop(it, wire)).collect(),
        tries: route.tries.iter().map(|connection| id(*connection)).collect(),
        polling: route.polling.as_deref().map(polling),
        findings: findings.iter().map(|finding| finding::view(finding, &capture.numbering)).collect(),
    })
}

const fn polling(polling: &Polling) -> PollingView {
    PollingView {
        before: polling.before,
        after: polling.after,
        refused: polling.refused,
        connections: polling.connections,
        first_packet: polling.first.0.0,
        last_packet: polling.last.0.0,
    }
}

fn hop(hop: &Hop, wire: Wire) -> HopView<'_> {
    HopView {
        from: hop.from,
        proxy: proxy(&hop.proxy),
        changes: hop.changes.iter().map(|it| change(it, wire)).collect(),
        answer: hop.answer.name(),
        is_translation: hop.is_translation,
        is_interception: hop.is_interception,
    }
}

pub(super) fn proxy(proxy: &Proxy) -> ProxyView {
    ProxyView {
        address: proxy.address.to_string(),
        software: proxy.software.map(crate::routes::Software::name),
        version: proxy.version.as_ref().map(ToString::to_string),
    }
}

fn change(change: &Change, wire: Wire) -> ChangeView<'_> {
    let name = if let Part::Header(name) = &change.part { Some(name.as_str()) } else { None };
    ChangeView {
        part: change.part.name(),
        name,
        before: change.before.as_ref().map(|text| shown(name, text, wire)),
        after: change.after.as_ref().map(|text| shown(name, text, wire)),
    }
}

fn shown<'a>(name: Option<&str>, text: &'a str, wire: Wire) -> Cow<'a, str> {
    match name {
        Some(name) => wire.value(name, text.as_bytes()),
        None => wire.text(text.as_bytes()),
    }
}
