//! The live server of Plane does not let a client in.

use crate::diagnosis::ends::{self, With};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::words;
use crate::model::Application;
use crate::protocol::Role;

/// The live server of Plane does not let a client in.
pub(super) static RULE: Rule = Rule {
    name: "plane-live-auth",
    code: "WS806",
    severity: Severity::Error,
    summary: "Plane's live server closes the session: it cannot verify who the client is",
    page: "\
## What it sees

An established session of `.../collaboration` that the server closes with 4401 or 4403.

## Why it breaks

Plane's live server lets everybody connect and asks afterwards: the first message carries a token with the user's id and
the cookie, and the server asks Plane's API with that cookie. It fails if the browser does not send the cookie (another
domain, `SameSite`), if the live server cannot reach the API (`API_BASE_URL`), or if the session has ended.

## How to mend it

Serve the live server on the domain of the web application, so that the cookie goes with the request. Look at the log of
the live server for its question to the API, and at `API_BASE_URL`: it must be reachable from inside its container.
",
    see: "https://developers.plane.so/self-hosting/govern/environment-variables",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let is_plane = route.legs().any(|leg| Application::of_attempt(leg.attempt) == Some(Application::Plane));
    let end = ends::of(route).or_else(|| ends::close_of(route)).filter(|_| is_plane)?;
    let With::CloseFrame(code @ (UNAUTHORIZED | FORBIDDEN)) = end.with else { return None };
    if end.by == Role::Client {
        return None;
    }
    let answered = end.leg.attempt.response.as_ref().map(|response| end.at.since(response.origin.time));
    let after = answered.map(|after| format!(" {} after the 101", words::span(after))).unwrap_or_default();
    let without_cookie = route.first.request.is_some() && route.first.asked("cookie").is_none();
    Some(
        Finding::new(
            &RULE,
            route.frames_from(end.leg, Role::Server),
            "does not let a client into Plane's live server",
        )
        .saying(format!("It closes with {code}{after}, once the client has said who it is."))
        .saying_also(without_cookie.then(|| "The upgrade request carries no cookie.".to_owned()))
        .shown_by(end.leg.packets())
        .shown_by([end.packet])
        .advising(
            "Look at the log of the live server: it asks Plane's API (API_BASE_URL) with the cookie of the client. Serve it \
             on the domain of the web application.",
        ),
    )
}

const UNAUTHORIZED: u16 = 4401;
const FORBIDDEN: u16 = 4403;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn session(target: &str, code: u16) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("GET", target)]));
        script.say(&mut client, From::Server, switching());
        script.say(&mut client, From::Client, frame(From::Client, 0x2, b"\x04page\x02\x00"));
        script.wait_ms(30).say(&mut client, From::Server, close_frame(From::Server, code));
        script
            .say(&mut client, From::Client, close_frame(From::Client, code))
            .close(&mut client, From::Server);
        script
    }

    #[test]
    fn a_client_that_is_not_let_in_is_told() {
        let script = session("/live/collaboration", 4401);
        assert_eq!(
            script.leading(),
            "error plane-live-auth: the server 10.77.1.1:80 does not let a client into Plane's live server"
        );
        assert_eq!(script.rules(), ["plane-live-auth"]);
    }

    #[test]
    fn other_ends_and_other_applications_are_not() {
        assert!(session("/live/collaboration", 1000).finding("plane-live-auth").is_none());
        assert!(session("/ws", 4401).finding("plane-live-auth").is_none());
    }
}
