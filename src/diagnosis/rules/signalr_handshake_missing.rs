//! A `SignalR` client sends nothing after the 101.

use std::collections::BTreeSet;

use crate::diagnosis::ends;
use crate::diagnosis::finding::{About, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::sessions_by_polling::Kind;
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::model::path_of_target;
use crate::protocol::Role;
use crate::units::Span;

/// A `SignalR` client sends nothing after the 101.
pub(super) static RULE: Rule = Rule {
    name: "signalr-handshake-missing",
    code: "WS808",
    severity: Severity::Error,
    summary: "a SignalR session is ended by the server, since no handshake came after the 101",
    page: "\
## What it sees

A WebSocket whose path was negotiated before (`POST .../negotiate` of the same path in the capture), on which the client
sends no message at all, and which the server ends after some seconds.

## Why it breaks

The first message of a SignalR client names the protocol: `{\"protocol\":\"json\",\"version\":1}`. The server waits 15 s for
it (`HandshakeTimeout`) and closes. The client is no SignalR client, or something on the way lets the upgrade pass and
not the frames: some antivirus programs and inspecting firewalls do.

## How to mend it

Look whether the frame leaves the client: capture there. If it does and is not here, something between eats it; try
TLS. If it does not, the client does not speak SignalR on this URL, or is of the older ASP.NET kind.
",
    see: "https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md",
    explains: &["no-close-frame", "closed-with-error", "close-unanswered", "idle-timeout"],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let requests = view.requests();
    let negotiations = requests.signalr.iter().filter(|request| request.kind == Kind::Negotiate);
    let hubs: BTreeSet<&str> = negotiations
        .filter_map(|request| path_of_target(request.target).strip_suffix("/negotiate"))
        .collect();
    if hubs.is_empty() {
        return Vec::new();
    }
    let negotiated = |target: &str| hubs.contains(path_of_target(target).trim_end_matches('/'));
    let mut routes = Vec::new();
    let mut example = None;
    for route in &view.routes {
        let Some(end) = ends::of(route).filter(|end| end.is_whole && !end.is_by_client()) else { continue };
        let Some(session) = ends::session(end.leg) else { continue };
        let Some(answered) = end.leg.attempt.response.as_ref() else { continue };
        let lasted = end.at.since(answered.origin.time);
        if session.role(Role::Client).messages == 0 && lasted >= LEAST && negotiated(route.first.target()) {
            routes.push(route.index);
            example.get_or_insert((end.who.clone(), lasted, end.packets(), route.first.packets()));
        }
    }
    let finding = example.map(|(who, lasted, packets, asked)| {
        Finding::new(&RULE, who, "ends a SignalR session in which the client says nothing")
            .about(About::Routes(routes))
            .saying(format!(
                "The path was negotiated, and no message of the client follows the 101. The session ends after {}; \
                 a SignalR server waits 15 s for the handshake unless set otherwise.",
                words::span(lasted)
            ))
            .shown_by(asked)
            .shown_by(packets)
            .advising("Capture at the client: does its first message leave there?")
    });
    finding.into_iter().collect()
}

const LEAST: Span = Span::from_millis(2_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn session(says: bool) -> Script {
        let mut script = Script::default();
        let mut client = script.connect("10.77.1.2:50001", PROXY);
        let negotiate =
            "POST /hub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        script.say(&mut client, From::Client, negotiate);
        script.say(&mut client, From::Server, answer("200 OK", &[], "{\"connectionToken\":\"x\"}"));
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("GET", "/hub?id=2gFEdJIBTxWqkQtDYFH2fg")]));
        script.say(&mut client, From::Server, switching());
        if says {
            script.say(&mut client, From::Client, text_frame(From::Client, "{\"protocol\":\"json\"}\u{1e}"));
        }
        script.wait_ms(15_000).close(&mut client, From::Server);
        script
    }

    #[test]
    fn a_client_that_says_nothing_is_told() {
        assert_eq!(
            session(false).leading(),
            "error signalr-handshake-missing: the server 10.77.1.1:80 ends a SignalR session in which the client says \
             nothing"
        );
    }

    #[test]
    fn one_that_does_is_not() {
        assert!(session(true).finding("signalr-handshake-missing").is_none());
    }
}
