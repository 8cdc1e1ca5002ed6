//! A 101 that nobody asked for.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::protocol::RequestProblem;

/// A 101 that nobody asked for.
pub(super) static RULE: Rule = Rule {
    name: "switching-unasked",
    code: "WS305",
    severity: Severity::Error,
    summary: "a request that asks for no upgrade is answered with 101",
    page: "\
## What it sees

The request has no `Upgrade: websocket`, and the answer is 101.

## Why it breaks

A server must not switch to a protocol that the client did not ask for (RFC 9110 section 7.8). The client takes the 101
for the announcement of another answer, which never comes. A proxy that stands between does not begin to tunnel either:
nginx waits for the rest of the answer until `proxy_read_timeout` ends it.

## How to mend it

Either the server switches for every request to a path, without a look at `Upgrade`; then its code has to look. Or
somebody on the way writes `Upgrade` into every request, as `proxy_set_header Upgrade websocket;` does; use
`proxy_set_header Upgrade $http_upgrade;` with the map for `Connection`, so that ordinary requests stay ordinary.
",
    see: "https://www.rfc-editor.org/rfc/rfc9110#section-7.8",
    explains: &[
        "accept-wrong",
        "accept-missing",
        "switching-without-upgrade",
        "switching-without-connection",
        "refused-by-upstream",
        "refused-by-proxy",
    ],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let leg = route
        .legs()
        .filter(|leg| leg.status() == Some(101) && leg.asks_with(RequestProblem::UpgradeMissing))
        .last()?;
    // Behind a proxy that adds the field, the 101 was asked for: then the proxy is the one.
    let behind = route.others.iter().find(|next| next.hop.is_some_and(|hop| hop.from == leg.place));
    let who = if behind.is_some_and(|behind| behind.status() == Some(101)) || leg.hop.is_none() {
        route.answerer(leg)
    } else {
        Blame::Upstream(leg.connection.endpoint(crate::protocol::Role::Server))
    };
    let target = route.quote(leg.target().as_bytes());
    let finding = Finding::new(&RULE, who, "answers 101 to a request that asks for no upgrade")
        .saying(format!(
            "The request for {target} has no Upgrade: websocket, so the client does not expect a WebSocket."
        ))
        .shown_by(route.packets());
    let flows = leg.attempt.session.as_ref().is_some_and(|session| session.client.frames() > 0);
    Some(if flows { finding.at_most(Severity::Warning) } else { finding })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_101_needs_a_request_with_upgrade() {
        let plain = request_with(&[("Upgrade", ""), ("Connection", "keep-alive")]);
        let expected = "error switching-unasked: the server 10.77.1.1:80 answers 101 to a request that asks for no upgrade";
        for (asked, expected) in [(plain, expected), (request(), "")] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, asked).say(&mut client, From::Server, switching());
            assert_eq!(
                script.finding("switching-unasked").map_or_else(String::new, |it| {
                    format!("{} {}: {}", it.severity.name(), it.rule.name, it.sentence())
                }),
                expected
            );
        }
    }
}
