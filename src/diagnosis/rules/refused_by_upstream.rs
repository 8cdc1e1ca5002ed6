//! The application answers with a status other than 101.

use crate::diagnosis::answers::{self, Answer, Maker};
use crate::diagnosis::finding::{Finding, Fix};
use crate::diagnosis::forwarding;
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::statuses;
use crate::diagnosis::view::RouteView;
use crate::protocol::RequestProblem;
use crate::text;

/// The application answers with a status other than 101.
pub(super) static RULE: Rule = Rule {
    name: "refused-by-upstream",
    code: "WS312",
    severity: Severity::Error,
    summary: "the server answers the upgrade request with another status than 101",
    page: "\
## What it sees

The final answer to the upgrade request is not 101, and it comes from the application, or the capture does not show
that a proxy made it up. No other rule knows why. The finding quotes how the body begins, since that often names the
cause, and says what the status usually means.

## Why it breaks

Only a 101 opens a WebSocket (RFC 6455 section 4.1). Browsers tell the page nothing about any other answer: the
socket closes with 1006.

## How to mend it

Look at the request as it reached the application: are `Upgrade: websocket`, `Connection: upgrade` and HTTP/1.1 there,
is the path the right one, and `Host` the name that the client asked for? If all of that is so, the log of the
application at this time knows why it refused. A 426 or 505 to a request that was in order where it was captured means
that a proxy further on took the upgrade out.

If the capture has the client's side only, make one on the proxy, on all interfaces: `tcpdump -i any -w both.pcap`. It
shows whether the proxy changed the request or the answer.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    explains: &[],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer =
        answers::refusal(route).filter(|answer| answer.by != Maker::Proxy && !answers::is_too_late(route))?;
    let software = answer.software(route);
    let finding = Finding::new(&RULE, answer.blame(route), format!("answers {}", answer.status))
        .saying_also(answers::points_to(route, answer.leg))
        .saying_also(answers::body_says(route, answer.leg))
        .saying_also(statuses::meaning(answer.status, answer.by, software).map(str::to_owned))
        .saying_also(may_be_asgi(route, &answer).then(|| ASGI.to_owned()))
        .saying_also(forwarding::hides_tls(answer.leg).filter(|_| answer.status == 403))
        .shown_by(route.packets());
    let finding = if is_changed_behind(&answer) {
        let fixes = recipes::forward_upgrade(&Site::of(route.proxy_behind(answer.leg), answer.leg));
        finding
            .saying(
                "The request has all of the upgrade here, and whoever answers misses some of it: a proxy on \
                 the way there takes it out.",
            )
            .mended_by(fixes)
    } else {
        finding
    };
    let finding = finding.mended_by(lacks_library(&answer));
    Some(match answer.look_behind() {
        Some(advice) => finding.advising(advice),
        None => finding,
    })
}

/// Whether a 403 may be a server of ASGI that refuses for its application: these put no name into it, or their own.
fn may_be_asgi(route: &RouteView<'_>, answer: &Answer<'_, '_>) -> bool {
    let server = answer.leg.answered_text("server").map(str::to_ascii_lowercase);
    let is_named = server.is_none_or(|server| ASGI_SERVERS.iter().any(|name| server.starts_with(name)));
    // A proxy puts its own name there.
    answer.status == 403
        && (is_named || route.proxy_behind(answer.leg).is_some_and(|proxy| proxy.software.is_some()))
}

const ASGI: &str = "Servers of ASGI (uvicorn, Hypercorn, Daphne) also answer so where the application does not accept, as at \
    a path that it does not know.";
const ASGI_SERVERS: [&str; 3] = ["uvicorn", "hypercorn", "daphne"];

/// uvicorn takes an upgrade for an ordinary request if it has no library for WebSockets, and applications serve none at
/// that path. With one it answers 403 for paths that they do not know (measured with 0.54 and Starlette).
fn lacks_library(answer: &Answer<'_, '_>) -> Option<Fix> {
    let is_uvicorn = answer.leg.answered("server") == Some(b"uvicorn");
    let is_asked = answer.leg.request.is_some() && forwarding::asks_rightly(answer.leg);
    (is_uvicorn && is_asked && answer.status == 404).then(|| Fix {
        target: "uvicorn",
        place: "its environment; without a library for WebSockets it answers 404 for all of them".to_owned(),
        text: "pip install 'uvicorn[standard]'   # and no --ws none".to_owned(),
    })
}

/// Whether an answer complains of what is in order on this leg, so that the request was another one further on.
fn is_changed_behind(answer: &Answer<'_, '_>) -> bool {
    let complains = match answer.status {
        426 | 505 => true,
        200 => text::decode(answer.leg.body()).starts_with("Welcome to Hocuspocus"),
        400 => {
            let body = text::decode(answer.leg.body()).to_ascii_lowercase();
            COMPLAINTS.iter().any(|words| body.contains(words)) || is_engine_io_without_upgrade(answer, &body)
        }
        _ => false,
    };
    let is_version = answer.leg.asks_with(RequestProblem::VersionMissing)
        || answer.leg.asks_with(RequestProblem::VersionUnsupported);
    let is_whole = answer.leg.request.is_some() && forwarding::asks_rightly(answer.leg) && !is_version;
    complains && is_whole && answer.by == Maker::Unknown
}

/// Engine.IO answers code 3 to a request for its WebSocket that is no upgrade (`TRANSPORT_MISMATCH` and
/// `TRANSPORT_HANDSHAKE_ERROR` in its `verify`).
fn is_engine_io_without_upgrade(answer: &Answer<'_, '_>, body: &str) -> bool {
    let target = answer.leg.target();
    body.contains("\"code\":3,") && target.contains("EIO=") && target.contains("transport=websocket")
}

/// What servers say to a request that is no upgrade. The last two are of `SockJS`.
const COMPLAINTS: [&str; 6] = [
    "connection header",
    "upgrade header",
    "http version",
    "http/1.0",
    "not a valid websocket request",
    "can \"upgrade\" only to \"websocket\"",
];

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn the_upstream_that_refuses_is_named_and_quoted() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        let refusal = answer("429 Too Many Requests", &[], "slow down, token=abc");
        script.say(&mut upstream, From::Server, &refusal).say(&mut client, From::Server, &refusal);
        assert_eq!(script.leading(), "error refused-by-upstream: the upstream 10.77.2.2:3000 answers 429");
        let finding = script.finding("refused-by-upstream").unwrap();
        assert_eq!(finding.detail[0], "The answer says \"slow down, token=[redacted]\".");
        assert!(finding.detail[1].starts_with("429 means too many requests"), "{:?}", finding.detail);
        assert!(finding.advice.is_empty());
        assert_eq!(finding.packets.len(), 4);
    }

    #[test]
    fn uvicorn_without_a_library_is_told_what_it_lacks() {
        for (status, server, is_told) in [
            ("404 Not Found", "uvicorn", true),
            ("403 Forbidden", "uvicorn", false),
            ("404 Not Found", "gunicorn", false),
        ] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, UPSTREAM);
            script.say(&mut client, From::Client, request());
            script.say(&mut client, From::Server, answer(status, &[("Server", server)], "Not Found"));
            let finding = script.finding("refused-by-upstream").unwrap();
            assert_eq!(finding.fixes.iter().any(|fix| fix.target == "uvicorn"), is_told, "{status} {server}");
        }
    }

    #[test]
    fn on_the_clients_side_alone_nobody_knows_who_refuses() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let refusal =
            answer("426 Upgrade Required", &[("Server", "nginx/1.22.1")], "missing Connection header");
        script.say(&mut client, From::Server, refusal);
        assert_eq!(script.leading(), "error refused-by-upstream: nginx 1.22.1 (10.77.1.1) answers 426");
        let finding = script.finding("refused-by-upstream").unwrap();
        assert!(finding.advice[0].contains("capture on the proxy"));
        assert!(
            finding.detail[2].ends_with("a proxy on the way there takes it out."),
            "{:?}",
            finding.detail
        );
        assert!(finding.fixes[1].text.contains("proxy_set_header Upgrade $http_upgrade;"));
    }

    #[test]
    fn answers_of_applications_to_what_is_no_upgrade_are_known() {
        let is_told = |target: &str, status: &str, body: &str| {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("GET", target)]));
            script.say(&mut client, From::Server, answer(status, &[("Server", "nginx/1.22.1")], body));
            let detail = script.finding("refused-by-upstream").unwrap().detail;
            detail.iter().any(|sentence| sentence.ends_with("takes it out."))
        };
        let code = "{\"code\":3,\"message\":\"Bad request\"}";
        assert!(is_told("/socket.io/?EIO=4&transport=websocket&sid=x", "400 Bad Request", code));
        assert!(!is_told("/socket.io/?EIO=4&transport=polling&sid=x", "400 Bad Request", code));
        assert!(is_told("/echo/123/abcd/websocket", "400 Bad Request", "Not a valid websocket request"));
        assert!(is_told("/collaboration", "200 OK", "Welcome to Hocuspocus!"));
        assert!(!is_told("/collaboration", "200 OK", "hello"));
    }

    #[test]
    fn a_head_that_is_cut_has_to_show_the_upgrade() {
        let key = format!("GET /auth HTTP/1.1\r\nSec-WebSocket-Key: {KEY}\r\n");
        for (head, fires) in [(key.clone(), false), (format!("{key}Upgrade: websocket\r\n"), true)] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, head);
            client.client_loses(400);
            script.say(&mut client, From::Server, answer("429 Too Many Requests", &[], ""));
            assert_eq!(script.finding("refused-by-upstream").is_some(), fires);
        }
    }

    #[test]
    fn a_101_and_no_answer_are_no_refusals() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        assert!(script.finding("refused-by-upstream").is_none());
        script.say(&mut client, From::Server, switching());
        assert!(script.finding("refused-by-upstream").is_none());
    }
}
