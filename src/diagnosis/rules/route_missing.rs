//! No route of the proxy leads to the application that serves the path.

use std::collections::BTreeMap;

use crate::diagnosis::answers::{self, Answer, Maker};
use crate::diagnosis::error_pages;
use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, LegView, RouteView};
use crate::model::Outcome;
use crate::protocol::{RequestProblem, Role};
use crate::units::Endpoint;

/// No route of the proxy leads to the application that serves the path.
pub(super) static RULE: Rule = Rule {
    name: "route-missing",
    code: "WS215",
    severity: Severity::Error,
    summary: "a proxy has no route for the path, or one to an upstream that does not serve it",
    page: "\
## What it sees

One of two things:

- The proxy answers 404, 405 or a web page and asks nobody, although the capture shows whom it asks otherwise, or the
  page is its own error page.
- The upgrade request reaches an upstream in order and unchanged, and that upstream answers 404, 405 or a web page. The
  capture shows that it does serve a WebSocket at another path.

## Why it breaks

Another rule of the proxy takes the request than the one that was meant: a location that is more specific, a regular
expression, another `server` block because of the name or the port, a router with a higher priority, a file server that
comes first. Then the request goes to the wrong upstream, or to none.

## How to mend it

Find the rule that takes the path. nginx: an exact `location = /ws` wins, then the longest prefix, unless a regular
expression matches and that prefix lacks `^~`; `nginx -T` prints all of it. Apache: the first `ProxyPass` that matches.
HAProxy: the first `use_backend` that matches. Caddy: `handle` blocks by how specific their paths are. Traefik: the
longest rule, unless priorities say otherwise.

Remove a location that was copied from a recipe and is not needed: `location /` serves WebSockets as well, if it has the
upgrade fields. If the rules are right, the client asks for the wrong path.
",
    see: "https://nginx.org/en/docs/http/ngx_http_core_module.html#location",
    explains: &["host-rewritten", "html-instead-of-101", "refused-by-upstream", "refused-by-proxy"],
    check: Check::Capture(check),
};

fn check(capture: &CaptureView<'_>) -> Vec<Finding> {
    // The paths at which an upstream is seen to serve a WebSocket.
    let mut served: BTreeMap<Endpoint, Vec<&str>> = BTreeMap::new();
    for leg in capture.routes.iter().flat_map(RouteView::legs) {
        if leg.outcome == Outcome::Established && leg.comes_over_proxy() {
            let paths = served.entry(leg.connection.endpoint(Role::Server)).or_default();
            if paths.len() < PATHS_KEPT && !paths.contains(&leg.path()) {
                paths.push(leg.path());
            }
        }
    }
    let of = |route: &RouteView<'_>| {
        let finding = on_route(route, &served)?;
        Some(finding.shown_by(route.packets()).about(About::Routes(vec![route.index])))
    };
    capture.routes.iter().filter_map(of).collect()
}

fn on_route(route: &RouteView<'_>, served: &BTreeMap<Endpoint, Vec<&str>>) -> Option<Finding> {
    let answer = answers::refusal(route)?;
    let is_page = answer.status == 200 && answers::is_page(answer.leg);
    let is_ws_library = answer.by == Maker::Upstream && is_unhandled_by_ws(answer.leg);
    if !is_page && !is_ws_library && !matches!(answer.status, 404 | 405) {
        return None;
    }
    match answer.by {
        Maker::Proxy if answer.behind.is_none() && route.tries.is_empty() => Some(no_route(route, &answer)),
        Maker::Upstream => wrong_upstream(route, &answer, served),
        Maker::Proxy | Maker::Unknown => None,
    }
}

/// Whether Node's `ws` library has another path than the one that was asked for: it then answers 400 and no more.
fn is_unhandled_by_ws(leg: &LegView<'_>) -> bool {
    let body = leg.attempt.response.as_ref().map(|response| response.body_start.as_slice());
    leg.status() == Some(400) && body == Some(b"Bad Request") && leg.answered("server").is_none()
}

/// The proxy answers itself.
fn no_route(route: &RouteView<'_>, answer: &Answer<'_, '_>) -> Finding {
    let path = recipes::path_of_leg(answer.leg);
    let shown = route.quote(path.as_bytes());
    let is_own = error_pages::own_page(answer.leg).is_some();
    let why = if is_own {
        "and the page is its own"
    } else {
        "and the capture has no request to an upstream for it"
    };
    let site = Site::at(route.proxy_behind(answer.leg), path).known_as(answer.software(route));
    let finding = Finding::new(&RULE, answer.blame(route), format!("has no route to an upstream for {shown}"))
        .saying(format!("It answers {} itself, {why}.", answer.status))
        .saying_also(answers::body_says(route, answer.leg))
        .mended_by(recipes::send_to_upstream(&site))
        .advising("If there is such a route, another one is more specific or comes first; or the client's path is wrong.");
    if is_own {
        finding
    } else {
        finding.advising("If the upstream is on the same host, its loopback interface has to be in the capture too: -i any.")
    }
}

/// The proxy asks an upstream that serves other paths.
fn wrong_upstream(
    route: &RouteView<'_>,
    answer: &Answer<'_, '_>,
    served: &BTreeMap<Endpoint, Vec<&str>>,
) -> Option<Finding> {
    let leg: &LegView<'_> = answer.leg;
    let hop = leg.hop?;
    let before = route.legs().nth(hop.from)?;
    let upstream = leg.connection.endpoint(Role::Server);
    let paths = served.get(&upstream)?;
    let has_problem = [
        RequestProblem::UpgradeMissing,
        RequestProblem::ConnectionTokenMissing,
        RequestProblem::HttpVersionTooLow,
        RequestProblem::MethodNotGet,
    ];
    let is_whole = leg.request.is_some() && !has_problem.into_iter().any(|problem| leg.asks_with(problem));
    let path = leg.path();
    // Where the same path worked, it is not the route that is wrong.
    if !is_whole || before.path() != path || paths.contains(&path) || answers::looks_like_data(leg) {
        return None;
    }
    let example = paths.first()?;
    let quoted = |path: &str| route.quote(path.as_bytes());
    let headline = format!("sends {} to an upstream that does not serve it", quoted(path));
    Some(
        Finding::new(&RULE, Blame::proxy(&hop.proxy), headline)
            .saying(format!("The upstream {upstream} gets the upgrade request in order and answers {}.", answer.status))
            .saying(format!("It does serve a WebSocket at {}.", quoted(example)))
            .saying_also(answers::body_says(route, leg))
            .mended_by(recipes::send_to_upstream(&Site::of(Some(&hop.proxy), leg)))
            .advising(
                "Look for a rule of the proxy that is more specific than the one that was meant, and remove it if it is not \
                 needed; if the rules are right, the client asks for the wrong path.",
            ),
    )
}

/// Paths of one upstream that are remembered.
const PATHS_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// One attempt for a path over the proxy, both legs with the same answer; without one the proxy asks nobody.
    fn attempt(script: &mut Script, port: u16, path: &str, passed_on: &str, answered: Option<&str>) {
        let key = format!("dGhlIHNhbXBsZSBu{port:05}Q==");
        let asked = request_with(&[("GET", path), ("Sec-WebSocket-Key", &key)]);
        let mut client = script.connect(&format!("10.77.1.2:{port}"), PROXY);
        script.say(&mut client, From::Client, &asked);
        if let Some(answered) = answered {
            let mut upstream = script.connect(&format!("10.77.2.1:{port}"), UPSTREAM);
            script.say(&mut upstream, From::Client, &asked).say(&mut upstream, From::Server, answered);
            // Sessions go on.
            if passed_on != answered || !answered.contains(" 101 ") {
                script.close(&mut upstream, From::Server);
            }
        }
        script.say(&mut client, From::Server, passed_on);
        if !passed_on.contains(" 101 ") {
            script.close(&mut client, From::Server);
        }
    }

    /// A 101 for the key of [`attempt`].
    fn accepted(port: u16) -> String {
        let key = format!("dGhlIHNhbXBsZSBu{port:05}Q==");
        switching_with(&[("Sec-WebSocket-Accept", &crate::protocol::accept_for(key.as_bytes()))])
    }

    #[test]
    fn a_path_that_goes_nowhere_is_told() {
        let lost = answer("404 Not Found", &[], "nothing here");
        let mut script = Script::default();
        attempt(&mut script, 50001, "/ws", &accepted(50001), Some(&accepted(50001)));
        attempt(&mut script, 50002, "/live", &lost, None);
        assert_eq!(script.rules(), ["route-missing"]);
        let expected = "error route-missing: the proxy 10.77.1.1 has no route to an upstream for /live";
        assert_eq!(script.leading(), expected);
        let told = "It answers 404 itself, and the capture has no request to an upstream for it.";
        assert_eq!(script.finding("route-missing").unwrap().detail[0], told);
    }

    #[test]
    fn a_page_that_the_proxy_does_not_write_may_be_that_of_an_upstream_elsewhere() {
        let mut script = Script::default();
        attempt(&mut script, 50001, "/ws", &accepted(50001), Some(&accepted(50001)));
        let lost = answer("404 Not Found", &[("Server", "nginx")], "nothing here");
        attempt(&mut script, 50002, "/live", &lost, None);
        assert_eq!(script.rules(), ["refused-by-upstream"]);
    }

    #[test]
    fn a_path_at_the_wrong_upstream_is_told() {
        let lost = answer("404 Not Found", &[], "nothing here");
        let mut script = Script::default();
        attempt(&mut script, 50001, "/api/live", &accepted(50001), Some(&accepted(50001)));
        attempt(&mut script, 50002, "/ws", &lost, Some(&lost));
        let expected =
            "error route-missing: the proxy 10.77.2.1 sends /ws to an upstream that does not serve it";
        assert_eq!(script.leading(), expected);
        assert_eq!(script.rules(), ["route-missing"]);
        let finding = script.finding("route-missing").unwrap();
        assert_eq!(finding.detail[1], "It does serve a WebSocket at /api/live.");
    }

    #[test]
    fn without_evidence_it_is_only_a_refusal() {
        let lost = answer("404 Not Found", &[], "nothing here");
        let mut alone = Script::default();
        attempt(&mut alone, 50002, "/ws", &lost, None);
        assert_eq!(alone.rules(), ["refused-by-upstream"]);
        let mut upstream = Script::default();
        attempt(&mut upstream, 50002, "/ws", &lost, Some(&lost));
        assert_eq!(upstream.rules(), ["refused-by-upstream"]);
        let mut works_sometimes = Script::default();
        attempt(&mut works_sometimes, 50001, "/ws", &accepted(50001), Some(&accepted(50001)));
        attempt(&mut works_sometimes, 50002, "/ws", &lost, Some(&lost));
        assert!(works_sometimes.finding("route-missing").is_none());
    }
}
