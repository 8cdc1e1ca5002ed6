//! `Sec-WebSocket-Key` is missing, repeated, or no key.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::forwarding::{self, Author};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::model::Outcome;
use crate::protocol::{RequestProblem, Role};

/// `Sec-WebSocket-Key` is missing, repeated, or no key.
pub(super) static RULE: Rule = Rule {
    name: "key-invalid",
    code: "WS208",
    severity: Severity::Error,
    summary: "Sec-WebSocket-Key is missing, repeated, or not 16 bytes in base64",
    page: "\
## What it sees

A request with `Upgrade: websocket` and no `Sec-WebSocket-Key`, or several of them, or one that is not the base64 form
of 16 bytes: 24 characters of which the last two are `=`.

## Why it breaks

The server proves with `Sec-WebSocket-Accept` that it has read the key (RFC 6455 section 4.2.2), so a request needs
exactly one (sections 4.2.1 and 11.3.1). Servers answer 400, or 426 if they take the request for an ordinary one.
HAProxy answers 400 itself, and the application never sees the request.

## How to mend it

- A client that was written by hand, or a script with curl: make 16 random bytes for each connection and send them in
  base64, or use a library. `openssl rand -base64 16` prints a key.
- Something that filters header fields: let `Sec-WebSocket-Key` and `Sec-WebSocket-Version` pass. CloudFront forwards
  them only if the origin request policy of the behaviour says so, AllViewer for example.
- Several keys: a proxy or an interceptor adds one of its own. One is enough.
- HAProxy: the 400 is right. `option accept-unsafe-violations-in-http-request` only shows where it comes from; no
  browser needs it.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1",
    explains: &["version-unsupported", "WS3", "upstream-aborted", "no-response"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let wrong = forwarding::first_wrong(route, |leg| {
        problem(leg).is_some() && !leg.asks_with(RequestProblem::UpgradeMissing)
    })?;
    let leg = wrong.leg;
    let problem = problem(leg)?;
    let verb = if wrong.before.is_some() { "forwards" } else { "sends" };
    let what = match problem {
        RequestProblem::KeyMissing => "no Sec-WebSocket-Key",
        RequestProblem::KeyRepeated => "more than one Sec-WebSocket-Key",
        _ => "a Sec-WebSocket-Key that is none",
    };
    let length = leg.asked("sec-websocket-key").map(<[u8]>::len);
    let exact = match (problem, length) {
        (RequestProblem::KeyInvalid, Some(length)) => format!(
            "It has {length} characters and is not the base64 form of 16 bytes, which is 24 characters long."
        ),
        (RequestProblem::KeyRepeated, _) => "A request has to have one (RFC 6455 section 11.3.1).".to_owned(),
        _ => "Without it a server cannot make the Sec-WebSocket-Accept of its answer.".to_owned(),
    };
    let passed_on = matches!(wrong.author, Author::Sender(..))
        .then(|| "Its own client may have sent it so: the capture does not have that side.".to_owned());
    let is_haproxys = !route.is_handed_on(leg) && is_haproxys_own(leg);
    // Servers seldom decode the key, and a wrong form of it does no harm then.
    let is_harmless = problem == RequestProblem::KeyInvalid && leg.outcome == Outcome::Established;
    let finding = Finding::new(&RULE, wrong.author.blame(), format!("{verb} {what}"))
        .saying(exact)
        .saying_also(wrong.author.reason())
        .saying_also(passed_on)
        .saying_also(
            leg.status().map(|status| format!("{} answers {status}.", leg.connection.endpoint(Role::Server))),
        )
        .saying_also(is_haproxys.then(|| {
            "The answer is the one that HAProxy gives itself; no application has seen the request.".to_owned()
        }))
        .shown_by(wrong.before.and_then(LegView::request_packet))
        .shown_by(leg.packets())
        .at_most(forwarding::weight(route, leg, OTHER_CAUSES))
        .at_most(if is_harmless { Severity::Note } else { Severity::Error });
    Some(match (problem, wrong.before.is_some()) {
        (_, true) => finding.advising("The proxy has to pass Sec-WebSocket-Key on as it came."),
        (RequestProblem::KeyMissing, false) => finding.advising(
            "A client has to send 16 random bytes in base64. If it does, something on the way filters the field.",
        ),
        _ => finding.advising("A client has to send one key: 16 random bytes in base64, new for each connection."),
    })
}

fn problem(leg: &LegView<'_>) -> Option<RequestProblem> {
    [RequestProblem::KeyMissing, RequestProblem::KeyRepeated, RequestProblem::KeyInvalid]
        .into_iter()
        .find(|problem| leg.asks_with(*problem))
}

/// Whether an answer is the page that HAProxy has built in for 400.
fn is_haproxys_own(leg: &LegView<'_>) -> bool {
    leg.status() == Some(400)
        && leg.answered("server").is_none()
        && memchr::memmem::find(leg.body(), b"Your browser sent an invalid request.").is_some()
}

/// Answers that have other causes: the path is not there, or the application behind a proxy.
const OTHER_CAUSES: &[u16] = &[404, 502, 503, 504];

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn direct(fields: &[(&str, &str)], reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(fields));
        script.say(&mut client, From::Server, reply);
        script
    }

    #[test]
    fn each_way_to_get_the_key_wrong_is_told() {
        let refused = answer("400 Bad Request", &[], "no key");
        for (key, expected) in [
            ("", "error key-invalid: the client 10.77.1.2 sends no Sec-WebSocket-Key"),
            ("short", "error key-invalid: the client 10.77.1.2 sends a Sec-WebSocket-Key that is none"),
            (
                "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==",
                "error key-invalid: the client 10.77.1.2 sends more than one Sec-WebSocket-Key",
            ),
        ] {
            let script = direct(&[("Sec-WebSocket-Key", key)], &refused);
            assert_eq!(script.leading(), expected);
        }
        let finding = direct(&[("Sec-WebSocket-Key", "short")], &refused).finding("key-invalid").unwrap();
        assert_eq!(
            finding.detail,
            [
                "It has 5 characters and is not the base64 form of 16 bytes, which is 24 characters long.",
                "10.77.1.1:80 answers 400."
            ]
        );
        assert_eq!(finding.packets.len(), 2);
    }

    #[test]
    fn what_haproxy_answers_itself_is_said() {
        let page =
            "<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n";
        let finding = direct(&[("Sec-WebSocket-Key", "short")], &answer("400 Bad request", &[], page))
            .finding("key-invalid")
            .unwrap();
        assert!(finding.detail[2].contains("HAProxy gives itself"));
    }

    #[test]
    fn a_proxy_that_filters_the_key_is_named() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        let filtered = request_with(&[("Sec-WebSocket-Key", ""), ("X-Forwarded-For", "10.77.1.2")]);
        script.say(&mut upstream, From::Client, filtered);
        for talk in [&mut upstream, &mut client] {
            script.say(talk, From::Server, answer("400 Bad Request", &[], "no key"));
        }
        assert_eq!(
            script.finding("key-invalid").unwrap().sentence(),
            "the proxy 10.77.2.1 forwards no Sec-WebSocket-Key"
        );
    }

    #[test]
    fn a_good_key_and_other_causes_are_not_errors() {
        assert!(direct(&[], &answer("400 Bad Request", &[], "")).finding("key-invalid").is_none());
        let finding = direct(&[("Sec-WebSocket-Key", "short")], &answer("404 Not Found", &[], ""))
            .finding("key-invalid")
            .unwrap();
        assert_eq!(finding.severity.name(), "warning");
    }
}
