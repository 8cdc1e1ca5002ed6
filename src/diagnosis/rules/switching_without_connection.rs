//! A 101 without `Connection: Upgrade`.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::switching;
use crate::diagnosis::view::RouteView;
use crate::protocol::ResponseProblem;

/// A 101 without `Connection: Upgrade`.
pub(super) static RULE: Rule = Rule {
    name: "switching-without-connection",
    code: "WS304",
    severity: Severity::Error,
    summary: "the 101 lacks Connection: Upgrade",
    page: "\
## What it sees

The answer is 101, and no `Connection` field in it has the token `upgrade`.

## Why it breaks

A client must give up without it (RFC 6455 section 4.1). Whether the client notices depends on the proxy (measured):
nginx writes a `Connection: upgrade` of its own into every 101 and so hides the fault, and Apache mends it too; HAProxy
2.6 answers 502, and Caddy 2.6.2 answers 200 without a body. So such an application works behind one proxy and fails
behind another.

## How to mend it

Who wrote the 101 has to change: the application, or what stands between it and the place of the capture and takes
`Connection` out of answers. Leave the handshake to a WebSocket library.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2",
    explains: &["html-instead-of-101", "empty-200", "refused-by-upstream", "refused-by-proxy", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let fault = switching::fault(route, ResponseProblem::ConnectionTokenMissing)?;
    let finding = fault.finding(&RULE, route, "answers 101 without Connection: Upgrade");
    let sent = fault.leg.answered("connection");
    let sent = sent.map(|value| format!("Its Connection is {}.", route.quote_field("connection", value)));
    Some(finding.saying_also(sent).advising(switching::USE_A_LIBRARY))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_proxy_that_mends_it_makes_it_a_warning() {
        let defective = switching_with(&[("Connection", "close")]);
        let refusal = answer("502 Bad Gateway", &[], "<html><body><h1>502 Bad Gateway</h1>");
        let cases = [
            (switching_with(&[("Server", "nginx/1.22.1")]), "warning", {
                "nginx 1.22.1 (10.77.2.1) mends it, so the client does not notice."
            }),
            (refusal, "error", "HAProxy (10.77.2.1) takes it for no answer and says 502 to the client."),
        ];
        for (passed_on, severity, told) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut upstream, From::Client, request());
            script.say(&mut upstream, From::Server, &defective).say(&mut client, From::Server, &passed_on);
            let expected = "switching-without-connection: the upstream 10.77.2.2:3000 answers 101 without Connection: \
                            Upgrade";
            assert_eq!(script.leading(), format!("{severity} {expected}"));
            let finding = script.finding("switching-without-connection").unwrap();
            assert_eq!(finding.detail, [told, "Its Connection is close."]);
        }
    }

    #[test]
    fn a_list_with_the_token_is_in_order() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.say(&mut client, From::Server, switching_with(&[("Connection", "keep-alive, upgrade")]));
        assert!(script.rules().is_empty());
    }
}
