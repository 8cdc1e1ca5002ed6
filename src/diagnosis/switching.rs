//! What is wrong with a 101, followed back to who wrote it.

use super::finding::{Blame, Finding};
use super::rule::{Rule, Severity};
use super::view::{LegView, RouteView};
use super::words;
use crate::model::Outcome;
use crate::protocol::{ResponseProblem, Role};

/// A defective 101.
pub(super) struct Fault<'r, 'a> {
    /// The leg farthest from the client that shows it.
    pub(super) leg: &'r LegView<'a>,
    /// Who wrote it.
    pub(super) blame: Blame,
    /// Behind the leg the 101 is in order: the proxy between made it defective.
    pub(super) is_proxys: bool,
}

/// Finds the 101 that has a problem first, seen from the application.
pub(super) fn fault<'r, 'a>(route: &'r RouteView<'a>, problem: ResponseProblem) -> Option<Fault<'r, 'a>> {
    let leg = route.legs().filter(|leg| leg.status() == Some(101) && leg.answers_with(problem)).last()?;
    let behind = route.others.iter().rfind(|next| next.hop.is_some_and(|hop| hop.from == leg.place));
    let is_proxys = behind.is_some_and(|behind| behind.status() == Some(101));
    let endpoint = leg.connection.endpoint(Role::Server);
    let blame = if is_proxys {
        route.answerer(leg)
    } else if leg.comes_over_proxy() || super::answers::looks_forwarded(leg) {
        Blame::Upstream(endpoint)
    } else {
        // Proxies pass a 101 on: what the Server field names need not have written it.
        Blame::Server(endpoint)
    };
    Some(Fault { leg, blame, is_proxys })
}

impl Fault<'_, '_> {
    /// A finding with how much it matters: an error if the client's WebSocket failed, else a warning.
    pub(super) fn finding(&self, rule: &'static Rule, route: &RouteView<'_>, headline: &str) -> Finding {
        let finding = Finding::new(rule, self.blame.clone(), headline)
            .saying_also(self.passed_on(route))
            .shown_by(route.packets());
        let flows = route.first.attempt.session.as_ref().is_some_and(|session| session.client.frames() > 0);
        if route.has_failed() && !flows { finding } else { finding.at_most(Severity::Warning) }
    }

    /// What became of it on its way to the client.
    fn passed_on(&self, route: &RouteView<'_>) -> Option<String> {
        if self.leg.place == 0 {
            let is_alone = !self.is_proxys && route.route.front.is_some();
            return is_alone.then(|| {
                "Proxies pass a 101 on as it is, so the application behind this address wrote it; the capture has no leg \
                 behind it."
                    .to_owned()
            });
        }
        let proxy = words::begin(&route.answerer(&route.first).spoken());
        match (route.first.status()?, route.first.outcome) {
            (101, Outcome::Established) => Some(format!("{proxy} mends it, so the client does not notice.")),
            (101, _) => Some(format!("{proxy} passes it on, and the client must refuse it.")),
            (200, _) => {
                Some(format!("{proxy} does not take it for an upgrade and answers 200 to the client."))
            }
            (status, _) => Some(format!("{proxy} takes it for no answer and says {status} to the client.")),
        }
    }
}

/// What to do about a server that writes a defective 101.
pub(super) const USE_A_LIBRARY: &str = "Leave the handshake to a WebSocket library of the application, and let no \
    middleware or filter touch its 101.";
