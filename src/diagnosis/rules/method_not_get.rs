//! An upgrade that is asked for with another method than GET, or with a body.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::forwarding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::{RequestProblem, Role};

/// An upgrade that is asked for with another method than GET, or with a body.
pub(super) static RULE: Rule = Rule {
    name: "method-not-get",
    code: "WS210",
    severity: Severity::Error,
    summary: "an upgrade is asked for with another method than GET, or with a body",
    page: "\
## What it sees

A request with the fields of the handshake whose method is not `GET`, or a `GET` that announces a body with
`Content-Length` or `Transfer-Encoding`.

## Why it breaks

The handshake is a `GET` (RFC 6455 section 4.1). Servers answer 405, 400, 404 or 426 to other methods. A body means
nothing here; some servers read it as the first frames, some proxies refuse it.

## How to mend it

The client has to send `GET` without a body. What a client of the application's own has to say belongs into the query, a
cookie, or the first message. If the client sends `GET` and the application gets another method, look for a rewrite in
the proxy: `proxy_method` in nginx, `http-request set-method` in HAProxy, `method` in Caddy.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    explains: &["WS3", "upstream-aborted", "no-response"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let is_upgrade = |leg: &LegView<'_>| !leg.asks_with(RequestProblem::UpgradeMissing);
    let method =
        forwarding::first_wrong(route, |leg| leg.asks_with(RequestProblem::MethodNotGet) && is_upgrade(leg));
    let is_method = method.is_some();
    let body = || {
        forwarding::first_wrong(route, |leg| leg.asks_with(RequestProblem::BodyPresent) && is_upgrade(leg))
    };
    let wrong = method.or_else(body)?;
    let leg = wrong.leg;
    let verb = if wrong.before.is_some() { "forwards" } else { "sends" };
    let asked = leg.request.as_ref()?.method;
    let what =
        if is_method { format!("the upgrade as {}", route.quote(asked.as_bytes())) } else { BODY.to_owned() };
    // Many servers take a body for nothing, or for what it is.
    let limit = match (is_method, route.has_failed()) {
        (true, _) => forwarding::weight(route, leg, OTHER_CAUSES),
        (false, true) => Severity::Warning,
        (false, false) => Severity::Note,
    };
    let rule = if is_method { "The handshake is a GET." } else { "The handshake is a GET without a body." };
    let finding = Finding::new(&RULE, wrong.author.blame(), format!("{verb} {what}"))
        .saying(rule)
        .saying_also(wrong.author.reason())
        .saying_also(
            leg.status().map(|status| format!("{} answers {status}.", leg.connection.endpoint(Role::Server))),
        )
        .shown_by(wrong.before.and_then(LegView::request_packet))
        .shown_by(leg.packets())
        .at_most(limit);
    Some(if wrong.before.is_some() {
        finding.advising(
            "Look for what changes requests in the proxy: proxy_method in nginx, set-method in HAProxy.",
        )
    } else {
        finding.advising("The client has to send GET, and no body.")
    })
}

const BODY: &str = "a body with the upgrade";

/// Answers that have other causes: credentials, or the application behind a proxy.
const OTHER_CAUSES: &[u16] = &[502, 503, 504];

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn direct(asked: &str, reply: &str) -> String {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, asked);
        script.say(&mut client, From::Server, reply);
        let finding = script.finding("method-not-get");
        finding.map_or_else(String::new, |it| format!("{}: {}", it.severity.name(), it.sentence()))
    }

    #[test]
    fn methods_and_bodies() {
        let post = request().replacen("GET", "POST", 1);
        let with_body = request_with(&[("Content-Length", "2")]) + "{}";
        let refused = answer("405 Method Not Allowed", &[], "");
        for (asked, reply, expected) in [
            (&post, &refused, "error: the client 10.77.1.2 sends the upgrade as POST"),
            (
                &post,
                &answer("502 Bad Gateway", &[], ""),
                "warning: the client 10.77.1.2 sends the upgrade as POST",
            ),
            (
                &with_body,
                &answer("400 Bad Request", &[], ""),
                "warning: the client 10.77.1.2 sends a body with the upgrade",
            ),
            (&with_body, &switching(), "note: the client 10.77.1.2 sends a body with the upgrade"),
            (&request(), &refused, ""),
            (&request_with(&[("Content-Length", "0")]), &refused, ""),
        ] {
            assert_eq!(direct(asked, reply), expected);
        }
    }

    #[test]
    fn a_proxy_that_changes_the_method_is_named() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request().replacen("GET", "POST", 1));
        for talk in [&mut upstream, &mut client] {
            script.say(talk, From::Server, answer("405 Method Not Allowed", &[], ""));
        }
        let finding = script.finding("method-not-get").unwrap();
        assert_eq!(finding.sentence(), "the proxy 10.77.2.1 forwards the upgrade as POST");
    }
}
