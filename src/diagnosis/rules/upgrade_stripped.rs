//! A proxy drops `Upgrade`.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::forwarding::{self, Author};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::model::Outcome;
use crate::protocol::{RequestProblem, Role};
use crate::routes::Software;

/// A proxy drops `Upgrade`.
pub(super) static RULE: Rule = Rule {
    name: "upgrade-stripped",
    code: "WS201",
    severity: Severity::Error,
    summary: "a proxy forwards the request without Upgrade",
    page: "\
## What it sees

The request before the proxy has `Upgrade: websocket`; the request after it, the same one by its `Sec-WebSocket-Key`,
has not. Usually `Connection: upgrade` is gone too, and with nginx before 1.29.7 the version is HTTP/1.0.

Where the capture has the upstream's side only, the request itself gives the proxy away: it has a `Sec-WebSocket-Key`
and no `Upgrade`, and it is HTTP/1.0 with `Connection: close`, or it carries `X-Forwarded-For`, `Forwarded`, `Via` and
the like, or its `Host` is the upstream's own address.

## Why it breaks

`Upgrade` and `Connection` are hop-by-hop fields: they hold for one connection, and a proxy has to take them out unless
it is told to make new ones (RFC 9110 sections 7.6.1 and 7.8). What is left is an ordinary request. The application
answers as it answers ordinary requests: 200 with a page, 404, 400, 426, or 505 for HTTP/1.0. Some close the connection
without a word, and the client sees a 502 that looks like an application that is down.

## How to mend it

nginx, in the `http` block and in the location that serves the WebSocket:

```
map $http_upgrade $connection_upgrade { default upgrade; '' close; }
```
```
proxy_http_version 1.1;   # needed before 1.29.7
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
proxy_set_header Host $host;
```

A location with any `proxy_set_header` of its own inherits none from outside.

Apache 2.4.47 and later, before broader `ProxyPass` lines: `ProxyPass \"/ws\" \"http://upstream/ws\" upgrade=websocket`.

HAProxy and Caddy pass upgrades on by themselves: look for rules that delete the fields. Envoy needs `upgrade_configs`
with `websocket`.
",
    see: "https://www.rfc-editor.org/rfc/rfc9110#section-7.8",
    explains: &["WS2", "WS3", "upstream-aborted", "upstream-silent", "no-response"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let (author, before, after) = stripped(route)?;
    let proxy = author.proxy()?;
    if route.first.outcome == Outcome::Established || after.outcome == Outcome::Established {
        return None;
    }
    let request = after.request.as_ref()?;
    let version = if after.asks_with(RequestProblem::HttpVersionTooLow) { " as HTTP/1.0," } else { "" };
    let connection = match request.fields.values("connection").next() {
        Some(value) => format!("with Connection: {}", route.quote_field("connection", value)),
        None => "without Connection".to_owned(),
    };
    let (method, target) = (route.quote(request.method.as_bytes()), route.quote(request.target.as_bytes()));
    let forwarded = format!("It forwards {method} {target}{version} without Upgrade and {connection}.");
    let key = "Sec-WebSocket-Key shows that the client asked for a WebSocket.";
    let answered = after.status().map(|status| {
        let upstream = after.connection.endpoint(Role::Server);
        format!("The upstream {upstream} sees an ordinary request and answers {status}.")
    });
    let client_side = before.unwrap_or(after);
    let finding = Finding::new(&RULE, author.blame(), "drops the upgrade")
        .saying(forwarded)
        .saying_also(author.reason())
        .saying_also(before.is_none().then(|| key.to_owned()))
        .saying_also(answered)
        .shown_by(before.and_then(LegView::request_packet))
        .shown_by(after.packets())
        .mended_by(recipes::forward_upgrade(&Site::of(Some(proxy), client_side).sent_as(after)));
    // Only a list can be missed by a condition that wants one word.
    let asks_with_list = client_side.asked("connection").is_some_and(|value| value.contains(&b','));
    Some(match proxy.software {
        Some(Software::Nginx) => finding.advising(recipes::INHERITANCE),
        Some(Software::Apache) if asks_with_list => finding.advising(recipes::ANCHORED_CONDITION),
        // Tried with 1.11.1.
        Some(Software::Tinyproxy) => finding.advising(
            "Tinyproxy has no setting that hands an upgrade on: for WebSockets another proxy has to take its place.",
        ),
        _ => finding,
    })
}

/// The proxy that takes the field out, and the legs before and after it.
fn stripped<'v, 'a>(route: &'v RouteView<'a>) -> Option<(Author, Option<&'v LegView<'a>>, &'v LegView<'a>)> {
    if let Some((before, hop, after)) = forwarding::stripping_hop(route) {
        // What shows in nothing else is no proxy that somebody configured: that is another rule's.
        return (!forwarding::is_invisible(hop))
            .then(|| (Author::Hop(hop.proxy.clone()), Some(before), after));
    }
    let wrong = forwarding::first_wrong(route, |leg| leg.asks_with(RequestProblem::UpgradeMissing))?;
    // Without the other side of the proxy only the key tells that there was an upgrade.
    let is_one_sided = wrong.before.is_none() && wrong.leg.asked("sec-websocket-key").is_some();
    is_one_sided.then_some((wrong.author, None, wrong.leg))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// One attempt over a proxy that sends `forwarded` on; the upstream answers 200.
    fn through(forwarded: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, forwarded);
        let page = answer("200 OK", &[("Server", "nginx/1.22.1"), ("Content-Type", "text/html")], "<html>");
        script.say(&mut upstream, From::Server, answer("200 OK", &[("Content-Type", "text/html")], "<html>"));
        script.say(&mut client, From::Server, page);
        script
    }

    #[test]
    fn the_proxy_that_drops_upgrade_is_named() {
        let stripped = request_with(&[("Upgrade", ""), ("Connection", "close"), ("HTTP", "1.0")]);
        let script = through(&stripped);
        assert_eq!(script.leading(), "error upgrade-stripped: nginx 1.22.1 (10.77.2.1) drops the upgrade");
        assert_eq!(script.rules(), ["upgrade-stripped"]);
        let finding = script.finding("upgrade-stripped").unwrap();
        assert_eq!(
            finding.detail,
            [
                "It forwards GET /ws as HTTP/1.0, without Upgrade and with Connection: close.",
                "The upstream 10.77.2.2:3000 sees an ordinary request and answers 200."
            ]
        );
        assert_eq!(finding.fixes.len(), 2);
    }

    /// The upstream's side of a proxy alone.
    fn upstream_only(forwarded: &str, reply: &str) -> Script {
        let mut script = Script::default();
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, forwarded);
        script.say(&mut upstream, From::Server, reply);
        script.close(&mut upstream, From::Server);
        script
    }

    #[test]
    fn the_upstreams_side_alone_shows_the_proxy() {
        let page = answer("200 OK", &[], "<html>");
        for (fields, expected) in [
            (&[("Connection", "close"), ("HTTP", "1.0")][..], "nginx (10.77.2.1) drops the upgrade"),
            (
                &[("Connection", ""), ("X-Forwarded-For", "10.77.1.2")],
                "the proxy 10.77.2.1 drops the upgrade",
            ),
            (&[("Connection", ""), ("Via", "1.1 edge")], "the proxy 10.77.2.1 drops the upgrade"),
            (&[("Connection", ""), ("Host", "10.77.2.2:3000")], "the proxy 10.77.2.1 drops the upgrade"),
            // The client may have asked for this by itself.
            (&[("Connection", ""), ("Sec-WebSocket-Key", ""), ("Via", "1.1 edge")], ""),
            // Nothing tells who took the field out.
            (&[("Connection", "")], ""),
            (&[("Connection", ""), ("Host", "10.77.2.2:3000"), ("Origin", "http://10.77.2.2:3000")], ""),
        ] {
            let stripped = request_with(&[&[("Upgrade", "")], fields].concat());
            let finding = upstream_only(&stripped, &page).finding("upgrade-stripped");
            assert_eq!(
                finding.map_or_else(String::new, |finding| finding.sentence()),
                expected,
                "{fields:?}"
            );
        }
    }

    #[test]
    fn a_sender_that_another_attempt_shows_is_named() {
        let plain = [("Upgrade", ""), ("Connection", "")];
        let mut script = through(&request_with(&[&plain[..], &[("X-Real-IP", "10.77.1.2")]].concat()));
        let other = [&plain[..], &[("Sec-WebSocket-Key", "bm90IGluIGFueSBib29rIQ==")]].concat();
        // Of this one the capture lacks the client's side, and nothing in it tells of a proxy.
        let mut upstream = script.connect("10.77.2.1:40001", UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(&other));
        script.say(&mut upstream, From::Server, answer("200 OK", &[], "<html>"));
        assert_eq!(script.rules(), ["upgrade-stripped", "upgrade-stripped"]);
        assert_eq!(script.diagnosis().verdicts().len(), 1);
    }

    #[test]
    fn a_port_that_the_client_names_stays() {
        for (host, expected) in [("chat.example.test:8085", "$http_host;"), ("chat.example.test", "$host;")] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Host", host)]));
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            let stripped = [("Upgrade", ""), ("Connection", "close"), ("HTTP", "1.0")];
            script.say(&mut upstream, From::Client, request_with(&stripped));
            script.say(&mut upstream, From::Server, answer("400 Bad Request", &[], ""));
            script.say(&mut client, From::Server, answer("400 Bad Request", &[("Server", "nginx")], ""));
            let finding = script.finding("upgrade-stripped").unwrap();
            assert!(finding.fixes.last().unwrap().text.ends_with(expected), "{host}");
        }
    }

    #[test]
    fn of_two_proxies_the_right_one_is_named() {
        let forwarded = [("X-Forwarded-For", "10.77.1.2")];
        let stripped =
            request_with(&[("Upgrade", ""), ("Connection", "close"), ("HTTP", "1.0"), forwarded[0]]);
        for (second, third, expected) in [
            (request_with(&forwarded), stripped.clone(), "the proxy 10.77.3.1 drops the upgrade"),
            (stripped.clone(), stripped, "the proxy 10.77.2.1 drops the upgrade"),
        ] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            let mut between = script.connect(PROXY_OUT, "10.77.2.2:80");
            script.say(&mut between, From::Client, second);
            let mut upstream = script.connect("10.77.3.1:41000", "10.77.3.2:3000");
            script.say(&mut upstream, From::Client, third);
            let page = answer("404 Not Found", &[], "nothing here");
            for talk in [&mut upstream, &mut between, &mut client] {
                script.say(talk, From::Server, &page);
            }
            assert_eq!(script.finding("upgrade-stripped").unwrap().sentence(), expected);
        }
    }

    #[test]
    fn only_a_question_that_shows_as_one_is_left_out() {
        let stripped = [("Upgrade", ""), ("Connection", "close"), ("HTTP", "1.0"), ("GET", "/auth")];
        let original = ("X-Original-URI", "/ws");
        for (fields, verdict, passed_on, expected) in [
            (&[original][..], "401 Unauthorized", "302 Found", 0),
            (&[], "401 Unauthorized", "302 Found", 0),
            (&[], "204 No Content", "502 Bad Gateway", 0),
            (&[], "404 Not Found", "404 Not Found", 1),
            (&[], "200 OK", "200 OK", 1),
        ] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            let mut gate = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut gate, From::Client, request_with(&[&stripped[..], fields].concat()));
            script.say(&mut gate, From::Server, answer(verdict, &[], ""));
            script.say(&mut client, From::Server, answer(passed_on, &[("Server", "nginx/1.22.1")], ""));
            let told = script.rules().iter().filter(|rule| **rule == "upgrade-stripped").count();
            assert_eq!(told, expected, "{fields:?} {verdict}");
        }
    }

    #[test]
    fn an_upgrade_that_came_to_be_is_not_dropped() {
        let stripped = request_with(&[("Upgrade", ""), ("Connection", "close"), ("HTTP", "1.0")]);
        assert!(upstream_only(&stripped, &switching()).finding("upgrade-stripped").is_none());
    }

    #[test]
    fn a_request_that_came_without_upgrade_is_not_the_proxys_fault() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        let stripped = request_with(&[("Upgrade", ""), ("Connection", "")]);
        script.say(&mut client, From::Client, &stripped);
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, &stripped);
        assert_eq!(script.finding("upgrade-stripped").map(|finding| finding.headline), None);
        assert!(through(&request()).finding("upgrade-stripped").is_none());
    }

    #[test]
    fn a_question_to_a_login_gate_is_no_upgrade() {
        for verdict in ["204 No Content", "401 Unauthorized"] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            let mut gate = script.connect(PROXY_OUT, "10.77.2.2:9000");
            let question = [("GET", "/auth"), ("HTTP", "1.0"), ("Upgrade", ""), ("Connection", "close")];
            script.say(&mut gate, From::Client, request_with(&question));
            script.say(&mut gate, From::Server, answer(verdict, &[], ""));
            let reply = if verdict.starts_with("204") { switching() } else { answer("302 Found", &[], "") };
            script.say(&mut client, From::Server, reply);
            assert!(script.finding("upgrade-stripped").is_none(), "{verdict}");
        }
    }

    #[test]
    fn advice_is_for_the_proxy_that_names_itself() {
        let stripped = |via: &str| request_with(&[("Upgrade", ""), ("Connection", "close"), ("Via", via)]);
        let cases = [
            ("1.1 vm (tinyproxy/1.11.1)", "Tinyproxy 1.11.1", None, 1),
            (
                "1.1 edge (squid/5.7)",
                "Squid 5.7",
                Some("http_upgrade_request_protocols websocket allow all"),
                0,
            ),
            ("1.1 some-gateway", "the proxy", None, 0),
        ];
        for (via, name, fix, advice) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut upstream, From::Client, stripped(via));
            let page = answer("200 OK", &[("Content-Type", "text/html")], "<html>");
            script.say(&mut upstream, From::Server, &page).say(&mut client, From::Server, &page);
            assert!(
                script.leading().starts_with(&format!("error upgrade-stripped: {name} ")),
                "{}",
                script.leading()
            );
            let finding = script.finding("upgrade-stripped").unwrap();
            assert_eq!(finding.advice.len(), advice);
            if name != "the proxy" {
                assert_eq!(finding.fixes.first().map(|fix| fix.text.as_str()), fix);
            }
        }
    }
}
