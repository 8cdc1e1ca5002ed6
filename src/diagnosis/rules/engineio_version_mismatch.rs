//! Client and server speak different versions of Engine.IO.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::model::query_field;
use crate::protocol::Role;

/// Client and server speak different versions of Engine.IO.
pub(super) static RULE: Rule = Rule {
    name: "engineio-version-mismatch",
    code: "WS807",
    severity: Severity::Error,
    summary: "a Socket.IO or Engine.IO server refuses the version of the client's protocol",
    page: "\
## What it sees

A WebSocket attempt of Engine.IO (`EIO=` in the target) that is answered with 400 and `Unsupported protocol version`,
code 5.

## Why it breaks

`EIO=3` is what clients of Socket.IO 1 and 2 speak, `EIO=4` what those of 3 and 4 do. A server of version 3 or 4 refuses
the older ones, unless `allowEIO3` is set.

## How to mend it

Use a client of the same major version as the server: 2.x with 2.x, 3.x and 4.x with 3.x and 4.x. Or set
`allowEIO3: true` at the server while old clients are around.
",
    see: "https://socket.io/docs/v4/client-installation/#version-compatibility",
    explains: &["refused-by-upstream", "refused-by-proxy", "engineio-stuck-polling"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let leg = route.legs().filter(|leg| is_it(leg)).last()?;
    let (_, query) = leg.target().split_once('?')?;
    let version = query_field(query, "EIO")?;
    let version = if version.bytes().all(|byte| byte.is_ascii_digit()) { version } else { "?" };
    let server = route.frames_from(leg, Role::Server);
    Some(
        Finding::new(
            &RULE,
            Blame::Client(route.first.connection.endpoint(Role::Client).address),
            format!("speaks version {version} of Engine.IO, which the server does not"),
        )
        .saying(format!("{} answers 400 and \"Unsupported protocol version\".", crate::diagnosis::words::begin(&server.spoken())))
        .shown_by(leg.packets())
        .advising("Use a client of the server's major version, or set allowEIO3: true at the server for clients of 2.x."),
    )
}

fn is_it(leg: &LegView<'_>) -> bool {
    let says = |words: &[u8]| memchr::memmem::find(leg.body(), words).is_some();
    leg.status() == Some(BAD_REQUEST)
        && leg.target().contains("EIO=")
        && (says(b"Unsupported protocol version") || says(b"\"code\":5,"))
}

const BAD_REQUEST: u16 = 400;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn attempt(body: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        let target = ("GET", "/socket.io/?EIO=3&transport=websocket");
        script.say(&mut client, From::Client, request_with(&[target]));
        script.say(&mut client, From::Server, answer("400 Bad Request", &[], body));
        script
    }

    #[test]
    fn a_version_that_the_server_refuses_is_told() {
        assert_eq!(
            attempt("Unsupported protocol version").leading(),
            "error engineio-version-mismatch: the client 10.77.1.2 speaks version 3 of Engine.IO, which the server does \
             not"
        );
    }

    #[test]
    fn other_refusals_are_not() {
        assert!(attempt("Bad request").finding("engineio-version-mismatch").is_none());
    }
}
