//! HTTP/1.0, in which there is no upgrade.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::forwarding;
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::{RequestProblem, Role};

/// HTTP/1.0, in which there is no upgrade.
pub(super) static RULE: Rule = Rule {
    name: "http-version-too-low",
    code: "WS203",
    severity: Severity::Error,
    summary: "an upgrade is asked for in HTTP/1.0",
    page: "\
## What it sees

A request with `Upgrade: websocket` and `Connection: upgrade` as they should be, in HTTP/1.0. If it came to a proxy as
HTTP/1.1, the proxy is to blame.

## Why it breaks

A server has to ignore `Upgrade` in HTTP/1.0 (RFC 9110 section 7.8), and a handshake needs HTTP/1.1 (RFC 6455 section
4.1). Strict servers answer 505, 426 or 400, or close the connection, which the client sees as 502. Lenient ones, `ws`
for Node.js among them, accept it: then it works until the library behind the proxy is another one.

## How to mend it

nginx before 1.29.7 speaks HTTP/1.0 to upstreams unless it is told otherwise. Unlike `proxy_set_header`, this line may
stand once in the `http` or `server` block; every location inherits it that does not set another version:

```
proxy_http_version 1.1;
```

Apache speaks HTTP/1.1 unless `SetEnv force-proxy-request-1.0` is set. HAProxy keeps the version of the client: if it
sends HTTP/1.0, look at what stands before it.
",
    see: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_http_version",
    explains: &["WS2", "WS3", "upstream-aborted", "upstream-silent", "no-response"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let wrong = forwarding::first_wrong(route, |leg| {
        leg.asks_with(RequestProblem::HttpVersionTooLow)
            && !leg.asks_with(RequestProblem::UpgradeMissing)
            && !leg.asks_with(RequestProblem::ConnectionTokenMissing)
    })?;
    let leg = wrong.leg;
    let target = route.quote(leg.target().as_bytes());
    let (verb, was) =
        if wrong.before.is_some() { ("forwards", ", which came as HTTP/1.1,") } else { ("sends", "") };
    let finding = Finding::new(&RULE, wrong.author.blame(), format!("{verb} the upgrade in HTTP/1.0"))
        .saying(format!(
            "The request for {target}{was} has the fields of the upgrade, but goes out as HTTP/1.0."
        ))
        .saying_also(wrong.author.reason())
        .saying_also(leg.status().map(|status| answered(leg, status)))
        .shown_by(wrong.before.and_then(LegView::request_packet))
        .shown_by(leg.packets())
        .at_most(forwarding::weight(route, leg, &[]));
    let client_side = wrong.before.unwrap_or(leg);
    Some(match wrong.author.proxy() {
        Some(proxy) => finding.mended_by(recipes::speak_http_1_1(&Site::of(Some(proxy), client_side))),
        None => finding
            .advising("The client has to ask in HTTP/1.1. If it is a proxy, it is the one to configure."),
    })
}

fn answered(leg: &LegView<'_>, status: u16) -> String {
    let server = leg.connection.endpoint(Role::Server);
    if status == 101 {
        format!("{server} accepts it all the same; a strict server answers 505 or 426.")
    } else {
        format!("{server} answers {status}.")
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(asked: &str, reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, asked);
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(&[("HTTP", "1.0"), ("Connection", "upgrade")]));
        script.say(&mut upstream, From::Server, reply);
        let named = reply.replacen("\r\n", "\r\nServer: nginx/1.22.1\r\n", 1);
        script.say(&mut client, From::Server, named);
        script
    }

    #[test]
    fn the_proxy_that_lowers_the_version_is_named() {
        let refused = answer("505 HTTP Version Not Supported", &[], "");
        let script = through(&request(), &refused);
        assert_eq!(
            script.leading(),
            "error http-version-too-low: nginx 1.22.1 (10.77.2.1) forwards the upgrade in HTTP/1.0"
        );
        assert_eq!(script.rules(), ["http-version-too-low"]);
        let finding = script.finding("http-version-too-low").unwrap();
        assert_eq!(finding.fixes[0].text, "proxy_http_version 1.1;");
        assert_eq!(finding.detail[1], "10.77.2.2:3000 answers 505.");
    }

    #[test]
    fn severity_and_blame_follow_what_the_wire_shows() {
        let refused = answer("505 HTTP Version Not Supported", &[], "");
        for (asked, reply, expected) in [
            (
                request(),
                switching(),
                "warning http-version-too-low: nginx 1.22.1 (10.77.2.1) forwards the upgrade in HTTP/1.0",
            ),
            (
                request_with(&[("HTTP", "1.0")]),
                refused,
                "error http-version-too-low: the client 10.77.1.2 sends the upgrade in HTTP/1.0",
            ),
            // Who wants credentials read the request.
            (
                request(),
                answer("401 Unauthorized", &[], ""),
                "warning http-version-too-low: nginx 1.22.1 (10.77.2.1) forwards the upgrade in HTTP/1.0",
            ),
        ] {
            let finding = through(&asked, &reply).finding("http-version-too-low").unwrap();
            assert_eq!(
                format!("{} http-version-too-low: {}", finding.severity.name(), finding.sentence()),
                expected
            );
        }
    }

    #[test]
    fn an_ordinary_version_and_a_stripped_upgrade_are_not_told() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.say(&mut client, From::Server, answer("505 HTTP Version Not Supported", &[], ""));
        assert!(script.finding("http-version-too-low").is_none());
        let mut script = Script::default();
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        let stripped = request_with(&[("HTTP", "1.0"), ("Upgrade", ""), ("Connection", "close")]);
        script.say(&mut upstream, From::Client, stripped);
        script.say(&mut upstream, From::Server, answer("505 HTTP Version Not Supported", &[], ""));
        assert_eq!(script.rules(), ["upgrade-stripped"]);
    }
}
