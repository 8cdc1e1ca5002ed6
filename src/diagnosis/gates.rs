//! Questions that a proxy asks a login gate about a request, before it hands the request on or refuses it: `auth_request`
//! of nginx, `forward_auth` of Caddy, `ForwardAuth` of Traefik.

use super::error_pages::own_page;
use super::view::{LegView, RouteView};
use crate::protocol::RequestProblem;
use crate::routes::{AnswerFate, Software};

/// Whether a leg is such a question and not the attempt handed on. It carries the fields of the attempt, the key among
/// them, goes to a path of its own, never asks for an upgrade, and its answer is a yes or a no that the client does not
/// see. Where the capture lacks the answer, it may be one; where it lacks the attempt, an answer without content is, and
/// a request that tells another path than its own as the one that the client wants.
pub(super) fn is_question(route: &RouteView<'_>, leg: &LegView<'_>) -> bool {
    if leg.asks_with(RequestProblem::UpgradeMissing) && tells_another_path(leg) {
        return true;
    }
    let stripped = RequestProblem::UpgradeMissing;
    let Some(hop) = leg.hop else { return leg.asks_with(stripped) && leg.status() == Some(NO_CONTENT) };
    let Some(before) = route.legs().nth(hop.from) else { return false };
    let is_plain = leg.asks_with(stripped) && !before.asks_with(stripped);
    let goes_elsewhere = last_segment(leg.path()) != last_segment(before.path());
    let may_be_verdict =
        leg.status().is_none_or(|said| matches!(said, 200..=299 | 401 | 403)) || is_at_a_loss(before);
    let is_kept_back = hop.answer != AnswerFate::Passed;
    is_plain && goes_elsewhere && may_be_verdict && is_kept_back
}

/// Whether nginx says that something of its own fails: so it does where a gate answers neither yes nor no (measured with
/// 1.22, whose log then speaks of an unexpected status of an auth request).
pub(super) fn is_at_a_loss(leg: &LegView<'_>) -> bool {
    leg.status() == Some(500) && own_page(leg) == Some(Software::Nginx)
}

fn tells_another_path(leg: &LegView<'_>) -> bool {
    let path = leg.path().trim_end_matches('/').as_bytes();
    let is_another = |value: &[u8]| memchr::memmem::find(value, path).is_none();
    !path.is_empty() && ORIGINAL_TARGET.iter().any(|name| leg.asked(name).is_some_and(is_another))
}

fn last_segment(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// What a gate says yes with, and nobody else to a GET (RFC 9110 section 15.3.5).
const NO_CONTENT: u16 = 204;

/// Fields in which gates are told what the client wants.
const ORIGINAL_TARGET: &[&str] = &["x-original-uri", "x-original-url", "x-forwarded-uri"];
