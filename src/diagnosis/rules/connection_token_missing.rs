//! `Upgrade` without its token in `Connection`.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::forwarding::{self, Author};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::RequestProblem;

/// `Upgrade` without its token in `Connection`.
pub(super) static RULE: Rule = Rule {
    name: "connection-token-missing",
    code: "WS202",
    severity: Severity::Error,
    summary: "a request has Upgrade, but its Connection field lacks the token upgrade",
    page: "\
## What it sees

A request with `Upgrade: websocket` whose `Connection` field is missing or lacks the token `upgrade`: it says
`keep-alive` or `close`, or nothing. If the request before a proxy had the token, the proxy is to blame, else who sent
it.

## Why it breaks

`Upgrade` counts only if `Connection` names it (RFC 9110 section 7.8, RFC 6455 section 4.2.1). Servers take the request
for an ordinary one and answer 426, 400, 404, or 200 with a page. Proxies further on drop the field that is left. A
lenient application may accept it all the same; then this is a warning, since the next one will not.

## How to mend it

nginx: `proxy_set_header Connection keep-alive` from an old recipe, or `\"\"` from one for upstream keep-alive, has to
become the value that fits each request. In the `http` block and in the location:

```
map $http_upgrade $connection_upgrade { default upgrade; '' close; }
```
```
proxy_http_version 1.1;   # needed before 1.29.7
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
```

Apache 2.4.47 and later writes both fields itself with `upgrade=websocket` on the `ProxyPass` line. A rewrite condition
that compares the whole field with `Upgrade` fails for Firefox, which sends `keep-alive, Upgrade`: test
`%{HTTP:Upgrade} =websocket [NC]` instead.

A client has to send `Connection: Upgrade`; more tokens may stand beside it.
",
    see: "https://www.rfc-editor.org/rfc/rfc9110#section-7.8",
    explains: &["WS2", "WS3", "upstream-aborted", "upstream-silent", "no-response"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let wrong = forwarding::first_wrong(route, |leg| {
        leg.asks_with(RequestProblem::ConnectionTokenMissing)
            && !leg.asks_with(RequestProblem::UpgradeMissing)
    })?;
    let leg = wrong.leg;
    let is_first_hand = matches!(wrong.author, Author::Client(_));
    if is_first_hand && forwarding::is_from_browser(leg) {
        // A browser does not forget it: it was lost on the way.
        return None;
    }
    let request = leg.request.as_ref()?;
    let sends = match request.fields.values("connection").next() {
        Some(value) => format!("with Connection: {}", route.quote_field("connection", value)),
        None => "without Connection".to_owned(),
    };
    let verb = if wrong.before.is_some() { "forwards" } else { "sends" };
    let target = route.quote(request.target.as_bytes());
    let headline = format!("{verb} Upgrade without the token upgrade in Connection");
    let finding = Finding::new(&RULE, wrong.author.blame(), headline)
        .saying(format!("The request for {target} has Upgrade: websocket, but goes out {sends}."))
        .saying_also(wrong.author.reason())
        .saying_also(wrong.before.and_then(|before| had(route, before)))
        .saying_also(leg.status().map(|status| answered(leg, status)))
        .shown_by(wrong.before.and_then(LegView::request_packet))
        .shown_by(leg.packets())
        .at_most(forwarding::weight(route, leg, &[]));
    let client_side = wrong.before.unwrap_or(leg);
    Some(match wrong.author.proxy() {
        Some(proxy) => {
            finding.mended_by(recipes::forward_upgrade(&Site::of(Some(proxy), client_side).sent_as(leg)))
        }
        None => finding.advising(
            "The client has to send Connection: Upgrade. If it does, look for something on the way that changes it.",
        ),
    })
}

fn had(route: &RouteView<'_>, before: &LegView<'_>) -> Option<String> {
    let value = route.quote_field("connection", before.asked("connection")?);
    Some(format!("It came with Connection: {value}."))
}

fn answered(leg: &LegView<'_>, status: u16) -> String {
    let server = leg.connection.endpoint(crate::protocol::Role::Server);
    if status == 101 {
        format!("{server} accepts it all the same; other servers will not.")
    } else {
        format!("{server} sees an ordinary request and answers {status}.")
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(forwarded: &str, reply: &str, passed_on: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, forwarded);
        script.say(&mut upstream, From::Server, reply);
        script.say(&mut client, From::Server, passed_on);
        script
    }

    fn direct(fields: &[(&str, &str)], reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(fields));
        script.say(&mut client, From::Server, reply);
        script
    }

    #[test]
    fn the_proxy_that_changes_the_token_is_named() {
        let reply = answer("426 Upgrade Required", &[], "no");
        let passed_on = answer("426 Upgrade Required", &[("Server", "nginx/1.22.1")], "no");
        let script = through(&request_with(&[("Connection", "keep-alive")]), &reply, &passed_on);
        assert_eq!(
            script.leading(),
            "error connection-token-missing: nginx 1.22.1 (10.77.2.1) forwards Upgrade without the token upgrade in \
             Connection"
        );
        assert_eq!(script.rules(), ["connection-token-missing"]);
        let finding = script.finding("connection-token-missing").unwrap();
        assert_eq!(
            finding.detail,
            [
                "The request for /ws has Upgrade: websocket, but goes out with Connection: keep-alive.",
                "It came with Connection: Upgrade.",
                "10.77.2.2:3000 sees an ordinary request and answers 426.",
            ]
        );
        assert_eq!((finding.fixes.len(), finding.packets.len()), (2, 3));
    }

    #[test]
    fn the_client_or_the_proxy_that_sends_it_so_is_named() {
        let reply = answer("426 Upgrade Required", &[], "no");
        for (fields, reply, expected) in [
            (
                &[("Connection", "keep-alive")][..],
                &reply,
                "error connection-token-missing: the client 10.77.1.2 sends Upgrade without the token upgrade in \
                 Connection",
            ),
            (
                &[("Connection", ""), ("Via", "1.1 edge")],
                &reply,
                "error connection-token-missing: the proxy 10.77.1.2 sends Upgrade without the token upgrade in \
                 Connection",
            ),
            (
                &[("Connection", "close")],
                &switching(),
                "warning connection-token-missing: the client 10.77.1.2 sends Upgrade without the token upgrade in \
                 Connection",
            ),
        ] {
            assert_eq!(direct(fields, reply).leading(), expected);
        }
    }

    #[test]
    fn a_list_with_the_token_is_right() {
        for value in ["keep-alive, Upgrade", "UPGRADE", "close, upgrade"] {
            let script = direct(&[("Connection", value)], &answer("404 Not Found", &[], ""));
            assert!(script.finding("connection-token-missing").is_none(), "{value}");
        }
    }
}
