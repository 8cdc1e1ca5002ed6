//! The live server of Plane does not let a client in.

use crate::diagnosis::ends::{self, With};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::model::Application;
use crate::protocol::Role;
use crate::units::{Origin, PacketNumber, Timestamp};

/// The live server of Plane does not let a client in.
pub(super) static RULE: Rule = Rule {
    name: "plane-live-auth",
    code: "WS806",
    severity: Severity::Error,
    summary: "a Hocuspocus server, as Plane's live server is, does not let the client in",
    page: "\
## What it sees

An established session whose first message from the server is Hocuspocus' `permission denied`, whatever it is asked
for; the WebSocket may stay open. Or one of Plane's `.../collaboration` that the server closes with 4401 or 4403. A
message that is compressed, in fragments, or not the first one is not looked into.

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
    let refusal = by_message(route).or_else(|| by_close(route))?;
    let is_plane = is_plane(route);
    let who = route.frames_from(refusal.leg, Role::Server);
    let headline = if is_plane {
        "does not let a client into Plane's live server"
    } else {
        "does not let a client into a document of Hocuspocus"
    };
    let answered = refusal.leg.attempt.response.as_ref();
    let after = answered.map(|response| refusal.at.since(response.origin.time));
    let after = after.map(|after| format!(" {} after the 101", words::span(after))).unwrap_or_default();
    let said = match refusal.code {
        Some(code) => format!("It closes with {code}{after}, once the client has said who it is."),
        None => format!(
            "Its first message,{after}, says that permission is denied: the token in the client's first message is not \
             accepted. The WebSocket itself may stay open."
        ),
    };
    let without_cookie = route.first.request.is_some() && route.first.asked("cookie").is_none();
    let advice = if is_plane {
        "Look at the log of the live server: it asks Plane's API (API_BASE_URL) with the cookie of the client. Serve it on \
         the domain of the web application."
    } else {
        "Look at the token that the client sends, and at onAuthenticate of the server: its log has the reason."
    };
    Some(
        Finding::new(&RULE, who, headline)
            .saying(said)
            .saying_also(
                (is_plane && without_cookie).then(|| "The upgrade request carries no cookie.".to_owned()),
            )
            .shown_by(refusal.leg.packets())
            .shown_by([refusal.packet])
            .advising(advice),
    )
}

/// Where somebody is not let in.
struct Refusal<'v, 'a> {
    leg: &'v LegView<'a>,
    packet: PacketNumber,
    at: Timestamp,
    /// The code of the close frame that says so; none if it is a message.
    code: Option<u16>,
}

/// In the first message of the server, on the leg where it was first seen.
fn by_message<'v, 'a>(route: &'v RouteView<'a>) -> Option<Refusal<'v, 'a>> {
    let denials = route.legs().filter_map(|leg| Some((leg, ends::session(leg)?.denied?)));
    let (leg, Origin { packet, time: at, .. }) = denials.min_by_key(|(_, origin)| origin.packet)?;
    Some(Refusal { leg, packet, at, code: None })
}

/// In a close frame of Plane's: of others the code alone is known by its name.
fn by_close<'v, 'a>(route: &'v RouteView<'a>) -> Option<Refusal<'v, 'a>> {
    let end = ends::of(route).or_else(|| ends::close_of(route))?;
    let With::CloseFrame(code @ (UNAUTHORIZED | FORBIDDEN)) = end.with else { return None };
    (end.by == Role::Server && is_plane(route)).then_some(Refusal {
        leg: end.leg,
        packet: end.packet,
        at: end.at,
        code: Some(code),
    })
}

fn is_plane(route: &RouteView<'_>) -> bool {
    route.legs().any(|leg| Application::of_attempt(leg.attempt) == Some(Application::Plane))
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
    fn a_denial_in_a_message_is_told_though_the_session_goes_on() {
        let said = |name: &str, message: &[u8]| {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("GET", name)]));
            script.say(&mut client, From::Server, switching());
            script.say(&mut client, From::Client, frame(From::Client, 0x2, b"\x04page\x02\x00\x01t"));
            script.wait_ms(30).say(&mut client, From::Server, frame(From::Server, 0x2, message));
            script
        };
        let denial = b"\x04page\x02\x01\x11permission-denied";
        let leading = |name| said(name, denial).leading();
        assert!(leading("/live/collaboration").ends_with("does not let a client into Plane's live server"));
        assert!(leading("/documents").ends_with("does not let a client into a document of Hocuspocus"));
        assert!(said("/documents", b"\x04page\x02\x02\x0aread-write").finding("plane-live-auth").is_none());
    }

    #[test]
    fn other_ends_and_other_applications_are_not() {
        assert!(session("/live/collaboration", 1000).finding("plane-live-auth").is_none());
        assert!(session("/ws", 4401).finding("plane-live-auth").is_none());
    }
}
