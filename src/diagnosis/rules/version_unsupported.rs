//! `Sec-WebSocket-Version` is missing or not 13.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::forwarding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::{RequestProblem, Role};

/// `Sec-WebSocket-Version` is missing or not 13.
pub(super) static RULE: Rule = Rule {
    name: "version-unsupported",
    code: "WS209",
    severity: Severity::Error,
    summary: "Sec-WebSocket-Version is missing or not 13",
    page: "\
## What it sees

A request with `Upgrade: websocket` whose `Sec-WebSocket-Version` is missing or is not 13, or one with the
`Sec-WebSocket-Key1` and `Sec-WebSocket-Key2` of the drafts before RFC 6455.

## Why it breaks

13 is the one version there is (RFC 6455 section 4.2.1). A server that does not know a version answers 426 and names
those that it knows in `Sec-WebSocket-Version` (sections 4.2.2 and 4.4); some answer 400. A few accept version 8, a
draft that is near to the RFC; the next server will not.

## How to mend it

- Update the client's library. One that sends no version, or 8, or two keys, is from before 2012.
- A client written by hand: `Sec-WebSocket-Version: 13`.
- If the client sends it and it is missing at the server, something filters the field: CloudFront forwards
  `Sec-WebSocket-Key` and `Sec-WebSocket-Version` only if the origin request policy of the behaviour says so.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.4",
    explains: &["WS3", "upstream-aborted", "no-response"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let wrong = forwarding::first_wrong(route, |leg| {
        is_wrong(leg) && !leg.asks_with(RequestProblem::UpgradeMissing) && !forwarding::lacks_handshake(leg)
    })?;
    let leg = wrong.leg;
    let verb = if wrong.before.is_some() { "forwards" } else { "sends" };
    let is_draft = leg.asked("sec-websocket-key1").is_some();
    let what = match leg.asked("sec-websocket-version") {
        _ if is_draft => "the handshake of a draft from before RFC 6455".to_owned(),
        Some(value) => {
            format!("Sec-WebSocket-Version {}", route.quote_field("sec-websocket-version", value))
        }
        None => "no Sec-WebSocket-Version".to_owned(),
    };
    let finding = Finding::new(&RULE, wrong.author.blame(), format!("{verb} {what}"))
        .saying("The version of the WebSocket protocol is 13; there is no other one in use.")
        .saying_also(wrong.author.reason())
        .saying_also(leg.status().map(|status| answered(route, leg, status)))
        .shown_by(wrong.before.and_then(LegView::request_packet))
        .shown_by(leg.packets())
        .at_most(forwarding::weight(route, leg, OTHER_CAUSES));
    Some(if wrong.before.is_some() {
        finding.advising("The proxy has to pass Sec-WebSocket-Version on as it came.")
    } else {
        finding
            .advising("The client has to send Sec-WebSocket-Version: 13. A library that does not is too old.")
    })
}

fn is_wrong(leg: &LegView<'_>) -> bool {
    leg.asks_with(RequestProblem::VersionMissing) || leg.asks_with(RequestProblem::VersionUnsupported)
}

fn answered(route: &RouteView<'_>, leg: &LegView<'_>, status: u16) -> String {
    let server = leg.connection.endpoint(Role::Server);
    let known = leg.answered("sec-websocket-version");
    match (status, known) {
        (101, _) => format!("{server} accepts it all the same; other servers will not."),
        (_, Some(known)) => {
            let known = route.quote_field("sec-websocket-version", known);
            format!("{server} answers {status} and says that it speaks version {known}.")
        }
        // RFC 6455 section 4.2.2, item 4.
        (426, None) => format!("{server} answers 426 and does not say which version it speaks."),
        _ => format!(
            "{server} answers {status}; 426 with the versions that it speaks would tell the client more."
        ),
    }
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
    fn versions_that_no_server_knows() {
        let refused = answer("426 Upgrade Required", &[("Sec-WebSocket-Version", "13")], "");
        for (fields, reply, expected) in [
            (
                &[("Sec-WebSocket-Version", "99")][..],
                &refused,
                "error version-unsupported: the client 10.77.1.2 sends Sec-WebSocket-Version 99",
            ),
            (
                &[("Sec-WebSocket-Version", "")],
                &answer("400 Bad Request", &[], ""),
                "error version-unsupported: the client 10.77.1.2 sends no Sec-WebSocket-Version",
            ),
            (
                &[("Sec-WebSocket-Version", "8")],
                &switching(),
                "warning version-unsupported: the client 10.77.1.2 sends Sec-WebSocket-Version 8",
            ),
            (
                &[("Sec-WebSocket-Version", ""), ("Sec-WebSocket-Key1", "4 @1  46546xW%0l 1 5")],
                &refused,
                "error version-unsupported: the client 10.77.1.2 sends the handshake of a draft from before RFC 6455",
            ),
        ] {
            assert_eq!(direct(fields, reply).leading(), expected);
        }
        let finding =
            direct(&[("Sec-WebSocket-Version", "99")], &refused).finding("version-unsupported").unwrap();
        assert_eq!(finding.detail[1], "10.77.1.1:80 answers 426 and says that it speaks version 13.");
    }

    #[test]
    fn the_right_version_and_a_missing_handshake_are_not_told() {
        let refused = answer("400 Bad Request", &[], "");
        for fields in [&[][..], &[("Sec-WebSocket-Version", ""), ("Sec-WebSocket-Key", "")]] {
            assert!(direct(fields, &refused).finding("version-unsupported").is_none());
        }
    }
}
