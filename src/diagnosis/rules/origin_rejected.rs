//! The application refuses the `Origin`.

use crate::diagnosis::answers::{self, Maker};
use crate::diagnosis::finding::{Blame, Finding, Fix};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::{forwarding, redirects};
use crate::protocol::RequestProblem;
use crate::text;

/// The application refuses the `Origin`.
pub(super) static RULE: Rule = Rule {
    name: "origin-rejected",
    code: "WS211",
    severity: Severity::Error,
    summary: "the upstream refuses the request, and its Origin does not belong to the Host that it sees",
    page: "\
## What it sees

The application answers 403, 400 with a word about the origin, or 404 as Action Cable of Rails does. The upgrade itself
is in order. The host in `Origin` is not the one in the `Host` that the application sees, or the answer speaks of the
origin.

## Why it breaks

Browsers let every page open WebSockets to every host, so applications compare `Origin` with the hosts that they know
(RFC 6455 sections 4.2.2 and 10.2), often with `Host`. A proxy that writes another name into `Host` makes every origin a
foreign one; a `Host` without the port does so if the application runs on a port of its own.

## How to mend it

If the proxy changed `Host`, let it hand the client's on. In nginx, where the port matters, `$http_host` keeps it:

```
proxy_set_header Host $http_host;
```

Apache: `ProxyPreserveHost On`. HAProxy, Caddy and Traefik keep it by themselves.

If `Host` arrives as the client wrote it, the page is served from another host than its WebSocket: add the page's origin
to the list of the application (`allowed_origins`, `CORS_ORIGIN`, `check_origin`, and so on). Do not let the proxy drop
`Origin`: that turns the protection off.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-10.2",
    explains: &["host-rewritten", "WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer = answers::refusal(route).filter(|answer| matches!(answer.status, 400 | 403 | 404))?;
    let leg = answer.leg;
    let is_action_cable = answer.status == 404 && is_action_cables(leg);
    let says_origin = text::decode(leg.body()).to_ascii_lowercase().contains("origin");
    let is_whole = !leg.asks_with(RequestProblem::UpgradeMissing)
        && !leg.asks_with(RequestProblem::ConnectionTokenMissing)
        && !leg.asks_with(RequestProblem::HttpVersionTooLow);
    let (origin, host) = (leg.asked_text("origin")?, leg.asked_text("host")?);
    let is_foreign = !belongs(origin, host);
    let is_refused_for_it = match (answer.status, answer.by) {
        (_, Maker::Proxy) => false,
        (404, _) => is_action_cable,
        (403, Maker::Upstream) => is_foreign || says_origin,
        // The client's side alone: whoever answered, the words have to say it.
        _ => says_origin,
    };
    if !is_whole || !is_refused_for_it {
        return None;
    }
    let quoted = |name: &str, value: &str| route.quote_field(name, value.as_bytes());
    let told = answers::body_says(route, leg);
    let before = leg.hop.and_then(|hop| route.legs().nth(hop.from));
    let was_own = before.and_then(|before| before.asked_text("host")).filter(|was| belongs(origin, was));
    if let (Some(was), Some(hop), true) = (was_own, leg.hop, is_foreign) {
        let saying = format!(
            "The upstream sees Host: {} instead of {} and Origin: {}, and answers {}.",
            quoted("host", host),
            quoted("host", was),
            quoted("origin", origin),
            answer.status
        );
        return Some(
            Finding::new(&RULE, Blame::proxy(&hop.proxy), "replaces Host, and the upstream refuses the Origin")
                .saying(saying)
                .saying_also(told)
                .shown_by(route.packets())
                .mended_by(recipes::keep_host(&Site::of(Some(&hop.proxy), before.unwrap_or(leg))))
                .advising("An application that compares Origin with Host takes every origin for a foreign one otherwise."),
        );
    }
    let blame = answer.blame(route);
    let relation = if is_foreign { "which is another host" } else { "which is the same host" };
    let saying = format!(
        "It answers {}. Origin is {}, and Host is {}, {relation}.",
        answer.status,
        quoted("origin", origin),
        quoted("host", host)
    );
    let text = format!("add {} to the allowed origins", quoted("origin", origin));
    let allow = if is_action_cable {
        let text =
            format!("config.action_cable.allowed_request_origins = [\"{}\"]", quoted("origin", origin));
        Fix { target: "Rails", place: "the environment's file in config/environments".to_owned(), text }
    } else {
        Fix { target: "application", place: "its list of allowed origins".to_owned(), text }
    };
    let hides_tls = forwarding::hides_tls(leg);
    let scheme = hides_tls.as_ref().map(|_| {
        let proxy = leg.hop.map(|hop| &hop.proxy);
        recipes::tell_scheme(&Site::of(proxy, before.unwrap_or(leg)), false)
    });
    Some(
        Finding::new(&RULE, blame, "refuses the Origin")
            .saying(saying)
            .saying_also(told)
            .saying_also(is_action_cable.then(|| ACTION_CABLE.to_owned()))
            .saying_also(hides_tls)
            .shown_by(route.packets())
            .mended_by(scheme.into_iter().flatten())
            .mended_by([allow]),
    )
}

/// Whether Action Cable of Rails refuses somebody who speaks its subprotocol: it says so with the status of a path that is not
/// there (measured with 6.1; `respond_to_invalid_request`).
fn is_action_cables(leg: &LegView<'_>) -> bool {
    let offers = leg.request.as_ref().is_some_and(|request| {
        request.fields.list("sec-websocket-protocol").iter().any(|name| name.starts_with("actioncable-v1"))
    });
    offers && leg.body() == b"Page not found"
}

const ACTION_CABLE: &str =
    "That is how Action Cable refuses an origin; a path that Rails does not know gets a page.";

/// Whether an origin (RFC 6454 section 7) has the host and the port of a `Host` field.
pub(super) fn belongs(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let usual = if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
    let port = |authority: &str| -> String {
        let after = authority.rsplit(']').next().unwrap_or_default();
        after.rsplit_once(':').map_or(usual, |(_, port)| port).to_owned()
    };
    redirects::name(authority).eq_ignore_ascii_case(redirects::name(host)) && port(authority) == port(host)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(host: &str, origin: &str, reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("Origin", origin)]));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(&[("Origin", origin), ("Host", host)]));
        script.say(&mut upstream, From::Server, reply).say(&mut client, From::Server, reply);
        script
    }

    #[test]
    fn a_proxy_that_replaces_host_is_named() {
        let refusal = answer("403 Forbidden", &[], "origin not allowed");
        let script = through("10.77.2.2:3000", "http://chat.example.test", &refusal);
        let expected =
            "error origin-rejected: the proxy 10.77.2.1 replaces Host, and the upstream refuses the Origin";
        assert_eq!(script.leading(), expected);
        assert_eq!(script.rules(), ["origin-rejected"]);
        let finding = script.finding("origin-rejected").unwrap();
        assert!(
            finding.detail[0]
                .starts_with("The upstream sees Host: 10.77.2.2:3000 instead of chat.example.test")
        );
        assert!(finding.fixes[0].text.contains("$http_host"));
    }

    #[test]
    fn action_cable_answers_404() {
        let cable = ("Sec-WebSocket-Protocol", "actioncable-v1-json, actioncable-unsupported");
        let asked = |others: &[(&str, &str)], told: &[(&str, &str)], body: &str| {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(others));
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut upstream, From::Client, request_with(&[others, told].concat()));
            let reply = answer("404 Not Found", &[("Content-Type", "text/plain")], body);
            script.say(&mut upstream, From::Server, &reply).say(&mut client, From::Server, &reply);
            script
        };
        let secure = ("Origin", "https://chat.example.test");
        let script = asked(&[cable, secure], &[], "Page not found");
        let upstream = "error origin-rejected: the upstream 10.77.2.2:3000 refuses the Origin";
        assert_eq!((script.leading().as_str(), script.rules().len()), (upstream, 1));
        let finding = script.finding("origin-rejected").unwrap();
        assert!(finding.detail.concat().contains("X-Forwarded-Proto is missing"), "{:?}", finding.detail);
        assert!(finding.fixes[0].text.contains("X-Forwarded-Proto"), "{:?}", finding.fixes);
        assert!(finding.fixes.last().unwrap().text.contains("allowed_request_origins"));

        let told = asked(&[cable, secure], &[("X-Forwarded-Proto", "https")], "Page not found");
        assert!(!told.finding("origin-rejected").unwrap().detail.concat().contains("X-Forwarded"));
        let host = asked(&[cable], &[("Host", "10.77.2.2:3000")], "Page not found");
        assert!(host.leading().ends_with("replaces Host, and the upstream refuses the Origin"));
        assert_eq!(host.rules(), ["origin-rejected"]);
        assert!(asked(&[cable, secure], &[], "<html>").finding("origin-rejected").is_none());
        assert!(asked(&[secure], &[], "Page not found").finding("origin-rejected").is_none());
    }

    #[test]
    fn a_foreign_origin_is_the_applications_matter() {
        let plain = answer("403 Forbidden", &[], "forbidden");
        let wordy = answer("403 Forbidden", &[], "Invalid Origin");
        let own = "http://chat.example.test";
        let cases = [
            ("chat.example.test", "http://evil.test", &plain, true),
            ("chat.example.test", own, &wordy, true),
            ("chat.example.test", own, &plain, false),
            ("chat.example.test:80", own, &plain, false),
            ("chat.example.test", "", &plain, false),
            ("chat.example.test", "http://evil.test", &answer("404 Not Found", &[], ""), false),
        ];
        for (host, origin, reply, fires) in cases {
            let script = through(host, origin, reply);
            let found = script.finding("origin-rejected").map(|it| it.sentence());
            let expected = fires.then(|| "the upstream 10.77.2.2:3000 refuses the Origin".to_owned());
            assert_eq!(found, expected, "{host} {origin}");
        }
    }
}
