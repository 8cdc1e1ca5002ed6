//! A proxy replaces `Host`, and the application does not know the name.

use crate::diagnosis::answers::{self, Maker};
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::redirects::{self, Kind};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::{RequestFacts, RequestProblem, Role};

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

A 404 is also what a wrong path gets. Where another request for the same name was answered with a success, this rule is
silent; else ask the upstream itself for both names.

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
    if !may_be_the_name
        || !is_whole
        || !is_replaced
        || before.path() != leg.path()
        || is_served(route, leg, is)
    {
        return None;
    }
    let is_sure = answer.status == 421 || is_elsewhere;
    let (was, is) = (route.quote_field("host", was.as_bytes()), route.quote_field("host", is.as_bytes()));
    let location = leg.answered("location").filter(|_| is_elsewhere);
    let location = location.map(|value| format!(" with Location: {}", route.quote_field("location", value)));
    let saying = format!(
        "The upstream sees Host: {is} instead of {was} and answers {}{}.",
        answer.status,
        location.unwrap_or_default()
    );
    let finding = Finding::new(
        &RULE,
        Blame::proxy(&hop.proxy),
        "replaces Host, and the upstream does not serve that name",
    )
    .saying(saying)
    .saying("The rest of the request is in order, so the name is the likely reason.")
    .saying_also(answers::body_says(route, leg))
    .shown_by(route.packets())
    .mended_by(recipes::keep_host(&Site::of(Some(&hop.proxy), before)));
    Some(if is_sure { finding } else { finding.advising(OR_THE_PATH) })
}

/// Whether the upstream is seen to serve that name: it answered another request for it with a success, or switched.
fn is_served(route: &RouteView<'_>, leg: &LegView<'_>, name: &str) -> bool {
    let upstream = leg.connection.endpoint(Role::Server);
    let connections = &route.capture.connections;
    // Around it, so that the work grows with the number of attempts.
    let here = connections.partition_point(|it| it.id() < leg.connection.id());
    let range = here.saturating_sub(NEIGHBOURS)..here.saturating_add(NEIGHBOURS).min(connections.len());
    let near = connections.get(range).unwrap_or_default().iter();
    let is_success = |status: u16| matches!(status, 101 | 200..=299);
    near.filter(|other| other.endpoint(Role::Server) == upstream).any(|other| {
        let by_page = other.exchanges.iter().any(|exchange| {
            let answered = exchange.answer.as_ref().is_some_and(|answer| is_success(answer.status));
            answered && exchange.host.as_deref() == Some(name)
        });
        let by_attempt = other.attempts.iter().any(|attempt| {
            let answered = attempt.response.as_ref().is_some_and(|answer| is_success(answer.status));
            let head = attempt.request.as_ref().map(RequestFacts::head);
            answered && head.is_some_and(|head| head.fields.texts("host").next() == Some(name))
        });
        by_page || by_attempt
    })
}

const OR_THE_PATH: &str = "Ask the upstream itself, once for each of the two names (curl -i -H 'Host: NAME'): if it answers \
    both alike, the name is in order and the path is wrong.";

/// Connections before and after one that are looked at for another one to the same server.
const NEIGHBOURS: usize = 512;

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

    #[test]
    fn a_name_that_serves_others_is_not_the_reason() {
        let host = ("Host", "10.77.2.2:3000");
        let mut script = through(&[host], &answer("404 Not Found", &[], ""));
        assert!(script.finding("host-rewritten").unwrap().advice[0].contains("the path is wrong"));
        let mut other = script.connect("10.77.2.1:41000", UPSTREAM);
        script.say(&mut other, From::Client, "GET /page HTTP/1.1\r\nHost: 10.77.2.2:3000\r\n\r\n");
        script.say(&mut other, From::Server, answer("200 OK", &[], "hello"));
        assert_eq!(script.rules(), ["refused-by-upstream"]);
    }
}
