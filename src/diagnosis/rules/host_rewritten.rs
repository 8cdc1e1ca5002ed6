//! A proxy replaces `Host`, and the application does not know the name.

use crate::diagnosis::answers::{self, Maker};
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::redirects::{self, Kind};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::protocol::RequestProblem;

/// A proxy replaces `Host`, and the application does not know the name.
pub(super) static RULE: Rule = Rule {
    name: "host-rewritten",
    code: "WS212",
    severity: Severity::Error,
    summary: "a proxy replaces Host, and the upstream does not serve that name",
    page: "\
## What it sees

`Host` is another one after the proxy than before it, usually the address or the configured name of the upstream. The
rest of the request is in order, and the upstream answers 404, 421, 400, or a redirect to another name. A route that
works in spite of another `Host` gives no finding.

## Why it breaks

Servers choose the site by `Host` (RFC 9110 section 7.2). Asked for a name that they do not know, they answer from a
default site, refuse, or redirect to the name that they have. nginx writes `$proxy_host` by itself, and Apache the
upstream's name unless `ProxyPreserveHost` is on.

## How to mend it

nginx, in the location that serves the WebSocket:

```
proxy_set_header Host $host;        # or $http_host, where the port matters
```

Apache: `ProxyPreserveHost On`. HAProxy, Caddy and Traefik keep `Host` unless they are told otherwise: look for
`http-request set-header Host`, `header_up Host` and `passHostHeader: false`.

If the upstream is to be asked by a name of its own, the name has to be one that it serves.
",
    see: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_set_header",
    explains: &["WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer = answers::refusal(route).filter(|answer| answer.by == Maker::Upstream)?;
    let (leg, hop) = (answer.leg, answer.leg.hop?);
    let is_elsewhere = redirects::of(route).is_some_and(|redirect| redirect.kind == Kind::Other);
    let may_be_the_name = match answer.status {
        // JSON comes from code that knows the path, not from a default site.
        400 | 404 => !answers::looks_like_data(leg),
        421 => true,
        _ => is_elsewhere,
    };
    let is_whole = !leg.asks_with(RequestProblem::UpgradeMissing)
        && !leg.asks_with(RequestProblem::ConnectionTokenMissing)
        && !leg.asks_with(RequestProblem::HttpVersionTooLow);
    let before = route.legs().nth(hop.from)?;
    let (was, is) = (before.asked_text("host")?, leg.asked_text("host")?);
    let is_replaced = !redirects::name(was).eq_ignore_ascii_case(redirects::name(is));
    if !may_be_the_name || !is_whole || !is_replaced || before.path() != leg.path() {
        return None;
    }
    let (was, is) = (route.quote_field("host", was.as_bytes()), route.quote_field("host", is.as_bytes()));
    let location = leg.answered("location").filter(|_| is_elsewhere);
    let location = location.map(|value| format!(" with Location: {}", route.quote_field("location", value)));
    let saying = format!(
        "The upstream sees Host: {is} instead of {was} and answers {}{}.",
        answer.status,
        location.unwrap_or_default()
    );
    Some(
        Finding::new(
            &RULE,
            Blame::proxy(&hop.proxy),
            "replaces Host, and the upstream does not serve that name",
        )
        .saying(saying)
        .saying("The rest of the request is in order, so the name is the likely reason.")
        .saying_also(answers::body_says(route, leg))
        .shown_by(route.packets())
        .mended_by(recipes::keep_host(&Site::of(Some(&hop.proxy), before))),
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(forwarded: &[(&str, &str)], reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(forwarded));
        script.say(&mut upstream, From::Server, reply).say(&mut client, From::Server, reply);
        script
    }

    #[test]
    fn a_name_that_the_upstream_does_not_know_is_told() {
        let host = ("Host", "10.77.2.2:3000");
        let lost = answer("404 Not Found", &[], "no such site");
        let moved = answer("301 Moved Permanently", &[("Location", "http://www.example.test/")], "");
        for reply in [&lost, &moved, &answer("421 Misdirected Request", &[], "")] {
            let script = through(&[host], reply);
            let expected = "error host-rewritten: the proxy 10.77.2.1 replaces Host, and the upstream does not serve that name";
            assert_eq!(script.leading(), expected);
            assert_eq!(script.rules(), ["host-rewritten"]);
        }
        let finding = through(&[host], &lost).finding("host-rewritten").unwrap();
        let told = "The upstream sees Host: 10.77.2.2:3000 instead of chat.example.test and answers 404.";
        assert_eq!(finding.detail[0], told);
    }

    #[test]
    fn what_works_or_has_another_cause_is_left_alone() {
        let host = ("Host", "10.77.2.2:3000");
        let lost = answer("404 Not Found", &[], "");
        let cases: [(&[(&str, &str)], String); 6] = [
            (&[host], switching()),
            (&[("Host", "chat.example.test:80")], lost.clone()),
            (&[host, ("GET", "/")], lost.clone()),
            (&[host, ("Upgrade", "")], lost),
            (&[host], answer("400 Bad Request", &[], "{\"code\":1}")),
            (&[host], answer("503 Service Unavailable", &[], "")),
        ];
        for (forwarded, reply) in cases {
            assert!(through(forwarded, &reply).finding("host-rewritten").is_none(), "{forwarded:?} {reply}");
        }
    }
}
