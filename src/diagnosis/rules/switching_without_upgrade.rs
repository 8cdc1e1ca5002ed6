//! A 101 without `Upgrade: websocket`.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::switching;
use crate::diagnosis::view::RouteView;
use crate::protocol::ResponseProblem;

/// A 101 without `Upgrade: websocket`.
pub(super) static RULE: Rule = Rule {
    name: "switching-without-upgrade",
    code: "WS303",
    severity: Severity::Error,
    summary: "the 101 lacks Upgrade: websocket",
    page: "\
## What it sees

The answer is 101, and no `Upgrade` field in it has the value `websocket`.

## Why it breaks

A client must give up without it (RFC 6455 section 4.1), and a 101 has to say what it switches to (RFC 9110 section
15.2.2). Each proxy makes something else of it, so the client may see an error that points elsewhere (measured):

| proxy | the client gets |
|---|---|
| nginx 1.22, HAProxy 2.6 | the 101, still without `Upgrade` |
| Apache 2.4.71 | 502 with the reason \"Unexpected Upgrade: n/a\" |
| Caddy 2.6.2 | 200 without a body |
| Traefik | 500 |

## How to mend it

Who wrote the 101 has to change: the application, or what stands between it and the place of the capture and takes
hop-by-hop fields out of answers. Frameworks that build the answer from a list of headers lose these two when a filter
copies only end-to-end fields. Leave the handshake to a WebSocket library.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2",
    explains: &[
        "accept-missing",
        "switching-without-connection",
        "html-instead-of-101",
        "empty-200",
        "refused-by-upstream",
        "refused-by-proxy",
        "no-close-frame",
    ],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let fault = switching::fault(route, ResponseProblem::UpgradeMissing)?;
    let finding = fault.finding(&RULE, route, "answers 101 without Upgrade: websocket");
    let sent = fault.leg.answered("upgrade");
    let sent = sent.map(|value| format!("Its Upgrade is {}.", route.quote_field("upgrade", value)));
    Some(finding.saying_also(sent).advising(switching::USE_A_LIBRARY))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(answered: &str, passed_on: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        script.say(&mut upstream, From::Server, answered).say(&mut client, From::Server, passed_on);
        script
    }

    #[test]
    fn the_upstreams_101_leads_over_what_the_proxy_answers() {
        let defective = switching_with(&[("Upgrade", "")]);
        let cases = [
            (defective.clone(), "The proxy 10.77.2.1 passes it on, and the client must refuse it."),
            (answer("200 OK", &[("Server", "Caddy")], ""), {
                "Caddy (10.77.2.1) does not take it for an upgrade and answers 200 to the client."
            }),
            (answer("502 Proxy Error", &[("Server", "Apache/2.4.71 (Debian)")], "<html>"), {
                "Apache 2.4.71 (10.77.2.1) takes it for no answer and says 502 to the client."
            }),
        ];
        for (passed_on, told) in cases {
            let script = through(&defective, &passed_on);
            let expected = "error switching-without-upgrade: the upstream 10.77.2.2:3000 answers 101 without Upgrade: websocket";
            assert_eq!(script.leading(), expected);
            assert_eq!(script.rules(), ["switching-without-upgrade"]);
            assert_eq!(script.finding("switching-without-upgrade").unwrap().detail[0], told);
        }
    }

    #[test]
    fn a_proxy_that_takes_it_out_is_named() {
        let script = through(&switching(), &switching_with(&[("Upgrade", "h2c"), ("Server", "nginx")]));
        assert_eq!(
            script.leading(),
            "error switching-without-upgrade: nginx (10.77.2.1) answers 101 without Upgrade: websocket"
        );
        assert!(through(&switching(), &switching_with(&[("Upgrade", "WebSocket")])).rules().is_empty());
    }
}
