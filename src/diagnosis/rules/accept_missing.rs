//! A 101 without `Sec-WebSocket-Accept`.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::switching;
use crate::diagnosis::view::RouteView;
use crate::protocol::ResponseProblem;

/// A 101 without `Sec-WebSocket-Accept`.
pub(super) static RULE: Rule = Rule {
    name: "accept-missing",
    code: "WS302",
    severity: Severity::Error,
    summary: "the 101 lacks Sec-WebSocket-Accept",
    page: "\
## What it sees

The answer is 101, and it has no `Sec-WebSocket-Accept`.

## Why it breaks

A client must give up without it (RFC 6455 section 4.1). Proxies differ (measured): nginx 1.22, Apache 2.4 and Caddy 2.6
pass such a 101 on, HAProxy 2.6 answers 502 instead.

## How to mend it

The application did not make this handshake with a WebSocket library, or something after it takes the field out: a
filter of headers, a cache, a gateway that translates from HTTP/2. Look at the leg next to the application first. If
the field is there and missing at the client, look for rules that remove headers in the proxy, such as
`proxy_hide_header` or `http-response del-header`.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2",
    explains: &["switching-without-connection", "empty-200", "refused-by-upstream", "refused-by-proxy", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let fault = switching::fault(route, ResponseProblem::AcceptMissing)?;
    let finding = fault.finding(&RULE, route, "answers 101 without Sec-WebSocket-Accept");
    Some(finding.advising(switching::USE_A_LIBRARY))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(passed_on: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        script.say(&mut upstream, From::Server, switching_with(&[("Sec-WebSocket-Accept", "")]));
        script.say(&mut client, From::Server, passed_on);
        script
    }

    #[test]
    fn the_upstream_is_named_whatever_the_proxy_makes_of_it() {
        let missing = switching_with(&[("Sec-WebSocket-Accept", "")]);
        for passed_on in [missing, answer("502 Bad Gateway", &[], "<html><body><h1>502 Bad Gateway</h1>")] {
            let script = through(&passed_on);
            let expected =
                "error accept-missing: the upstream 10.77.2.2:3000 answers 101 without Sec-WebSocket-Accept";
            assert_eq!(script.leading(), expected);
            assert_eq!(script.rules(), ["accept-missing"]);
        }
        assert!(through(&switching()).finding("accept-missing").unwrap().severity.name() == "warning");
    }

    #[test]
    fn a_head_that_is_cut_is_not_judged() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.say(&mut client, From::Server, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n");
        assert!(script.finding("accept-missing").is_none());
    }
}
