//! Caddy answers an empty 200.

use crate::diagnosis::answers;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::routes::Software;

/// Caddy answers an empty 200.
pub(super) static RULE: Rule = Rule {
    name: "empty-200",
    code: "WS311",
    severity: Severity::Error,
    summary: "Caddy answers 200 without a body, as it does when the upstream's 101 is defective",
    page: "\
## What it sees

The answer to the upgrade request is 200 with no body, and Caddy wrote it. The capture does not show Caddy's upstream.

## Why it breaks

When an upstream answers 101 without `Upgrade: websocket`, Caddy does not switch, and the client gets an empty 200
(measured with 2.6.2, which does the same for a 101 without `Connection: Upgrade`; newer versions add that field). A
`respond` directive, or a site in which no handler matches the path, gives an empty 200 too.

## How to mend it

Capture between Caddy and the upstream and look at the 101: it needs both fields (RFC 6455 section 4.2.2). What writes
it is the application, or something before it that takes `Upgrade` and `Connection` out of answers.

If nothing goes to the upstream at all, the site has no handler for this path: give it one.

```
handle /ws* {
    reverse_proxy UPSTREAM
}
```
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2",
    explains: &["refused-by-upstream", "refused-by-proxy"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer = answers::refusal(route).filter(|answer| answer.status == 200 && answer.leg.place == 0)?;
    let is_empty = answer.leg.answered("content-length").is_some_and(|length| length == b"0");
    let is_caddys =
        route.proxy_behind(answer.leg).is_some_and(|proxy| proxy.software == Some(Software::Caddy));
    let is_unseen = answer.behind.is_none() && !answer.leg.is_doubtful();
    (is_empty && is_caddys && is_unseen).then(|| {
        Finding::new(&RULE, answer.blame(route), "answers 200 with nothing in it")
            .saying("Caddy answers so when its upstream's 101 lacks Upgrade or Connection, or when no handler has the path.")
            .shown_by(route.packets())
            .advising("Capture between Caddy and the upstream: if there is a 101 with a field missing, mend the upstream.")
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn an_empty_200_of_caddy_is_told() {
        let cases = [
            ("200 OK", "Caddy", "", Some("answers 200 with nothing in it")),
            ("200 OK", "Caddy", "hello", None),
            ("200 OK", "nginx", "", None),
            ("502 Bad Gateway", "Caddy", "", None),
        ];
        for (status, server, body, expected) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            script.say(&mut client, From::Server, answer(status, &[("Server", server)], body));
            let found = script.finding("empty-200").map(|finding| finding.headline);
            assert_eq!(found.as_deref(), expected, "{status} {server}");
        }
    }
}
