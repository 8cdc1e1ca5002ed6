//! Who made the answer that the client got: the proxy itself, or the application behind it.

use super::error_pages::own_page;
use super::finding::Blame;
use super::forwarding;
use super::gates;
use super::view::{LegView, RouteView};
use crate::model::{Connection, Outcome};
use crate::protocol::{RequestFacts, RequestProblem, Role};
use crate::routes::{Proxy, Software};
use crate::text;

/// The answer that the client got, followed back to where it was made.
pub(super) struct Answer<'r, 'a> {
    /// The leg farthest from the client that has it.
    pub(super) leg: &'r LegView<'a>,
    /// Its status.
    pub(super) status: u16,
    /// Who made it.
    pub(super) by: Maker,
    /// What was asked behind that leg, if the capture has it: the last try.
    pub(super) behind: Option<&'r LegView<'a>>,
}

/// Who made an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    /// The server of the leg is the application, or stands for it.
    Upstream,
    /// The server of the leg is a proxy and answered itself.
    Proxy,
    /// The capture does not show whether a proxy answered or somebody behind it.
    Unknown,
}

impl Answer<'_, '_> {
    /// Who made it, as far as that is known.
    pub(super) fn blame(&self, route: &RouteView<'_>) -> Blame {
        if self.by == Maker::Upstream {
            return Blame::Upstream(self.leg.connection.endpoint(Role::Server));
        }
        match route.answerer(self.leg) {
            Blame::Server(endpoint) | Blame::Upstream(endpoint) if self.by == Maker::Proxy => {
                Blame::Proxy(endpoint.address, self.software(route), None)
            }
            Blame::Proxy(address, None, version) => Blame::Proxy(address, self.software(route), version),
            answerer => answerer,
        }
    }

    /// What the proxy is that the leg goes to: by what is known of it, or by its own error page.
    pub(super) fn software(&self, route: &RouteView<'_>) -> Option<Software> {
        let known = route.proxy_behind(self.leg).and_then(|proxy| proxy.software);
        known.or_else(|| own_page(self.leg))
    }

    /// Where to look next, if the capture does not show who answered.
    pub(super) fn look_behind(&self) -> Option<String> {
        (self.by == Maker::Unknown).then(|| {
            "The capture does not show whether a proxy or the application behind it says so: capture on the proxy, on all \
             interfaces (tcpdump -i any), to see both sides."
                .to_owned()
        })
    }
}

/// The proxy that opened a connection that carried no request: the one that the last leg goes to.
pub(super) fn opener(route: &RouteView<'_>, connection: &Connection) -> Proxy {
    let known = route.proxy_behind(route.last()).cloned();
    let address = connection.endpoint(Role::Client).address;
    known.unwrap_or_else(|| Proxy::called(address, route.last().answered_text("server").unwrap_or_default()))
}

/// Whether the client had left before the answer came.
pub(super) fn is_too_late(route: &RouteView<'_>) -> bool {
    let connection = route.first.connection;
    let left = connection.tcp.ending.filter(|_| connection.closed_by() == Some(Role::Client));
    let answered = route.first.attempt.response.as_ref().map(|response| response.origin.time);
    left.zip(answered).is_some_and(|(left, answered)| left.origin.time < answered)
}

/// Follows the final answer of the client's own leg back. None if there is none, or if it is a 101.
pub(super) fn refusal<'r, 'a>(route: &'r RouteView<'a>) -> Option<Answer<'r, 'a>> {
    let status = route.first.status().filter(|status| *status != 101 && shows_intent(&route.first))?;
    if gates::is_question(route, &route.first) {
        return None;
    }
    let mut leg = &route.first;
    let (mut behind, mut asks_gate) = (None, false);
    // Each leg comes after the one that it came from, so the walk ends.
    for next in &route.others {
        if next.hop.is_none_or(|hop| hop.from != leg.place) {
            continue;
        }
        if gates::is_question(route, next) {
            asks_gate = true;
        } else if next.status() == Some(status) {
            (leg, behind, asks_gate) = (next, None, false);
        } else {
            behind = Some(next);
        }
    }
    let is_unsure = behind.is_some_and(|behind| behind.outcome == Outcome::Unknown);
    let by = if is_unsure {
        Maker::Unknown
    } else if behind.is_some() || asks_gate {
        Maker::Proxy
    } else {
        maker_without_more(route, leg)
    };
    Some(Answer { leg, status, by, behind })
}

/// Whether what the capture has of the request shows that it was to be an upgrade. Of a head that is cut the part that is
/// there has to: it may as well be a question to a login gate, which carries the key too.
fn shows_intent(leg: &LegView<'_>) -> bool {
    let upgrades = |request: &RequestFacts| request.head().fields.has_token("upgrade", "websocket");
    leg.request.is_some() || leg.attempt.request.as_ref().is_some_and(upgrades)
}

/// Who made an answer behind which nothing is seen.
fn maker_without_more(route: &RouteView<'_>, leg: &LegView<'_>) -> Maker {
    // What was opened while the attempt waited may be for something else, unless the answer is about an upstream.
    let tried = !route.tries.is_empty() && leg.status() >= Some(500);
    if leg.comes_over_proxy() || looks_forwarded(leg) {
        return if tried { Maker::Proxy } else { Maker::Upstream };
    }
    let totals = &route.capture.totals;
    let lacks_something = leg.is_doubtful() || totals.missing_bytes > 0 || totals.forgotten_attempts > 0;
    let would_show_more = route.is_watched && !lacks_something && !is_foreign_error(route, leg);
    if tried || would_show_more || own_page(leg).is_some() { Maker::Proxy } else { Maker::Unknown }
}

/// Whether an error has a body that the proxy does not write by itself: an upstream that the capture lacks may have.
fn is_foreign_error(route: &RouteView<'_>, leg: &LegView<'_>) -> bool {
    let software = route.proxy_behind(leg).and_then(|proxy| proxy.software);
    let has_pages = matches!(software, Some(Software::Nginx | Software::Apache | Software::Haproxy));
    has_pages && leg.status() >= Some(400) && !leg.body().is_empty() && own_page(leg).is_none()
}

/// Whether a request shows that a proxy sent it, so that its leg is the upstream's side.
pub(super) fn looks_forwarded(leg: &LegView<'_>) -> bool {
    // Who makes a key asks for the upgrade as well: somebody took that out.
    let is_stripped =
        leg.asks_with(RequestProblem::UpgradeMissing) && !leg.asks_with(RequestProblem::KeyMissing);
    forwarding::sender(leg).proxy().is_some() || is_stripped
}

/// Whether an answer is a web page.
pub(super) fn is_page(leg: &LegView<'_>) -> bool {
    let is_html = leg.answered_text("content-type").is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
    });
    let start = text::decode(leg.body());
    let start = start.trim_start().to_ascii_lowercase();
    is_html || start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// Whether an answer is JSON: it comes from code that the request did reach.
pub(super) fn looks_like_data(leg: &LegView<'_>) -> bool {
    leg.body().trim_ascii_start().starts_with(b"{")
}

/// A sentence that quotes how an answer's body begins: the title of a page, or the first words. None where that says
/// nothing, as in a proxy's own error page or a compressed one.
pub(super) fn body_says(route: &RouteView<'_>, leg: &LegView<'_>) -> Option<String> {
    let is_coded = leg.answered("content-encoding").is_some_and(|coding| coding != b"identity");
    // Envoy's pages say why.
    let is_usual_page = own_page(leg).is_some_and(|software| software != Software::Envoy);
    if leg.body().is_empty() || is_coded || is_usual_page {
        return None;
    }
    let body = route.quote(leg.body());
    if is_page(leg) {
        let title = body.split_once("<title>")?.1.split('<').next().unwrap_or_default().trim().to_owned();
        return (!title.is_empty()).then(|| format!("The page calls itself \"{title}\"."));
    }
    let is_text = body.chars().all(|letter| !letter.is_control() && letter != '\u{fffd}');
    let mut start: String = body.chars().take(QUOTED_CHARACTERS).collect();
    if start.len() < body.len() {
        start.push_str("...");
    } else {
        start.truncate(start.trim_end_matches('.').len());
    }
    is_text.then(|| format!("The answer says \"{start}\"."))
}

/// A sentence on the login gate that the proxy asked before it answered; none if it asked none.
pub(super) fn gate_says(route: &RouteView<'_>) -> Option<String> {
    let gate = route.others.iter().rfind(|leg| gates::is_question(route, leg))?;
    let (place, verdict) = (gate.connection.endpoint(Role::Server), gate.status()?);
    Some(format!("It asked a login gate, {place}, which answered {verdict}."))
}

/// A sentence on where a redirect points; none if the answer is none.
pub(super) fn points_to(route: &RouteView<'_>, leg: &LegView<'_>) -> Option<String> {
    let location = leg.answered("location").filter(|_| matches!(leg.status(), Some(300..=399)))?;
    Some(format!("It points to {}.", route.quote_field("location", location)))
}

/// How much of a body a sentence quotes.
const QUOTED_CHARACTERS: usize = 120;
