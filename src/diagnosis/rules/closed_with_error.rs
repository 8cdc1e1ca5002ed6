//! A session is closed with a code that says that something is wrong.

use crate::diagnosis::ends::{self, End, With};
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::words;
use crate::model::{Application, CloseKind, CloseMeaning, close_meaning};
use crate::protocol::Role;
use crate::units::Span;

/// A session is closed with a code that says that something is wrong.
pub(super) static RULE: Rule = Rule {
    name: "closed-with-error",
    code: "WS508",
    severity: Severity::Error,
    summary: "a session is closed with a code that says that something is wrong",
    page: "\
## What it sees

The first Close frame of a session has a code that tells an error: 1002, 1003, 1007, 1009 to 1011, 1014 and 3008 are
errors, 1008, 1013, 3000 and 3003 warnings. Codes from 4000 on belong to the application: those of graphql-ws,
Hocuspocus and Plane are known by the subprotocol or the target; others are told only within two seconds of the 101, as
notes, or as warnings where they look like a status of HTTP (4401, 4403). What happened just before is told with it: how
long the session lasted, what the other side sent last, and the reason in the frame.

A code that is in order is a warning where the reason of a server speaks of a timeout (Jetty: 1001 \"Idle timeout
expired\"), and where its first message, a short text, says that it is an error or the end (Action Cable's `disconnect`,
\"Invalid Host/Origin header\" of webpack-dev-server).

If the wire shows why (a frame that breaks RFC 6455, a message that is too big, a ping without an answer), that is told
instead.

## Why it breaks

Whoever closes says why. 1002: a frame broke a rule. 1003: data of a kind that it does not take. 1007: text that is not
UTF-8, or data that cannot be inflated. 1008: the application's policy, mostly credentials or rates. 1009: a message
larger than its limit. 1010: the client wanted an extension. 1011: an exception. 1012 and 1013: restart, overload.
1014: a gateway whose upstream failed. A session that is closed right after the 101 was mostly let in only to be
refused with a reason.

## How to mend it

Look at the log of who closes, at that moment: the code names the place, the log has the reason. For 1008 and the
private codes of access look at the cookies, tokens and Origin of the request.
",
    see: "https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number",
    explains: &["close-unanswered"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let end = close_of(route)?;
    let With::CloseFrame(code) = end.with else { return None };
    let close = ends::session(end.leg)?.close.as_ref()?;
    let refusal = refusal(route, &end);
    let timed_out = end.by == Role::Server && speaks_of_timeout(&close.reason);
    // Which application it is takes reading both heads again, and most sessions end as they should.
    if code < PRIVATE && is_no_error(code, close_meaning(code, None).kind) && !timed_out && refusal.is_none()
    {
        return None;
    }
    let application = application(route);
    let meaning = close_meaning(code, application);
    let severity = match meaning.kind {
        kind if is_no_error(code, kind) && (timed_out || refusal.is_some()) => Severity::Warning,
        kind if is_no_error(code, kind) => return None,
        CloseKind::Normal | CloseKind::Restart | CloseKind::Access => Severity::Warning,
        CloseKind::Fault => Severity::Error,
        // An application may say goodbye as it likes; who was let in only to be told so was refused.
        CloseKind::Unknown if !is_refusal(&end) => return None,
        CloseKind::Unknown if as_status(code).is_some() => Severity::Warning,
        CloseKind::Unknown => Severity::Note,
    };
    let reason = route.quote(&close.reason);
    let reason = if reason.is_empty() { String::new() } else { format!(" with the reason \"{reason}\"") };
    let of = application.map(|application| format!(" in {}", application.name())).unwrap_or_default();
    let who = route.frames_from(end.leg, end.by);
    let headline = if refusal.is_some() && is_no_error(code, meaning.kind) {
        format!("lets a client in and refuses it, with {code} ({})", meaning.name)
    } else {
        format!("closes with {code} ({}){reason}", meaning.name)
    };
    Some(
        Finding::new(&RULE, who.clone(), headline)
            .at_most(severity)
            .saying_also(refusal)
            .saying(before(&end))
            .saying_also(last_of(&end))
            .saying_also(look(code, &meaning, &of).or_else(|| timed_out.then(|| TIMED_OUT.to_owned())))
            .shown_by([end.packet])
            .shown_by(other_last(&end))
            .advising(advice(&who)),
    )
}

/// Whether a reason says that somebody waited in vain, as `Idle timeout expired` of Jetty does.
fn speaks_of_timeout(reason: &[u8]) -> bool {
    let reason = reason.to_ascii_lowercase();
    TIMEOUTS.iter().any(|words| memchr::memmem::find(&reason, words).is_some())
}

/// Whether an end is as it should be, or the other side is only to come again.
const fn is_no_error(code: u16, kind: CloseKind) -> bool {
    matches!(kind, CloseKind::Normal) || (matches!(kind, CloseKind::Restart) && code != TRY_LATER)
}

/// The end of a route's session if it is a Close frame: also where its connection goes on.
fn close_of<'v, 'a>(route: &'v RouteView<'a>) -> Option<End<'v, 'a>> {
    ends::of(route).or_else(|| ends::close_of(route))
}

fn application(route: &RouteView<'_>) -> Option<Application> {
    route.legs().find_map(|leg| Application::of_attempt(leg.attempt))
}

/// What the server said first, if it lets the client in only to refuse it with that.
fn refusal(route: &RouteView<'_>, end: &End<'_, '_>) -> Option<String> {
    let said = ends::session(end.leg)?.refusal.as_ref()?;
    let is_it = end.by == Role::Server && is_refusal(end);
    is_it.then(|| format!("Its first message is {}.", route.quote(said)))
}

/// How long the session lasted.
fn before(end: &End<'_, '_>) -> String {
    let answered = end.leg.attempt.response.as_ref().map(|response| response.origin.time);
    match answered.map(|answered| end.at.since(answered)) {
        Some(lasted) if is_refusal(end) => format!(
            "That is {} after the 101: whoever refuses a client and wants to say why lets it in first.",
            words::span(lasted)
        ),
        Some(lasted) => format!("The session had lasted {}.", words::span(lasted)),
        None => "It was open before the capture began.".to_owned(),
    }
}

/// Whether the session ends right after its 101, before anything to speak of has flowed.
fn is_refusal(end: &End<'_, '_>) -> bool {
    let answered = end.leg.attempt.response.as_ref().map(|response| response.origin.time);
    let messages = |role| ends::session(end.leg).map_or(0, |session| session.role(role).messages);
    answered.is_some_and(|answered| end.at.since(answered) < AT_ONCE)
        && messages(Role::Client).saturating_add(messages(Role::Server)) <= FEW
}

/// What the other side had sent. When it sent the last of it is known if it did not answer the close frame.
fn last_of(end: &End<'_, '_>) -> Option<String> {
    let other = end.by.other();
    let session = ends::session(end.leg)?;
    let sent = session.role(other);
    let frames = sent.frames().saturating_sub(sent.close);
    let latest = end.leg.connection.half(other).last_payload.map(|(_, time)| end.at.since(time));
    let latest = latest
        .filter(|before| *before >= Span::default())
        .map(|before| format!(", the last one {} before", words::span(before)))
        .unwrap_or_default();
    let longest = session
        .longest(other)
        .map(|longest| format!(" The longest of them has {}.", words::count(longest.length, "byte")))
        .unwrap_or_default();
    let frames_sent = words::count(frames, "frame");
    (frames > 0).then(|| format!("The {} had sent {frames_sent}{latest}.{longest}", other.name()))
}

/// The packet of what the other side sent last.
fn other_last(end: &End<'_, '_>) -> Option<crate::units::PacketNumber> {
    let half = end.leg.connection.half(end.by.other());
    half.last_payload.map(|(packet, _)| packet).filter(|packet| *packet < end.packet)
}

fn look(code: u16, meaning: &CloseMeaning, of: &str) -> Option<String> {
    match (meaning.look, meaning.kind, as_status(code)) {
        ("", CloseKind::Unknown, Some((status, name))) => Some(format!(
            "Only the application knows what this code means{of}; many add 4000 to a status of HTTP, and {status} is {name}."
        )),
        ("", CloseKind::Unknown, None) => {
            Some(format!("Only the application knows what this code means{of}."))
        }
        ("", ..) => None,
        (look, ..) => Some(look.to_owned()),
    }
}

/// The status of HTTP that a private code most likely stands for, with its name (RFC 9110 section 15.5).
fn as_status(code: u16) -> Option<(u16, &'static str)> {
    let status = code.checked_sub(4000)?;
    STATUSES.iter().find(|(known, _)| *known == status).copied()
}

fn advice(who: &Blame) -> String {
    format!("Look at the log of {} at that moment.", who.spoken())
}

/// What says so in a reason.
const TIMEOUTS: [&[u8]; 4] = [b"timeout", b"timed out", b"time out", b"idle"];
const TIMED_OUT: &str =
    "Its reason speaks of a timeout of its own: raise that, or let the application send a ping more often.";

/// What servers refuse somebody for whom they have let in.
const STATUSES: [(u16, &str); 6] = [
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (409, "Conflict"),
    (429, "Too Many Requests"),
];

/// A greeting, and perhaps credentials.
const FEW: u64 = 2;

/// From here on codes are of libraries and applications (RFC 6455 section 7.4.2).
const PRIVATE: u16 = 3000;
const TRY_LATER: u16 = 1013;

/// What a server needs to look at credentials.
const AT_ONCE: Span = Span::from_millis(2_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn closed(code: u16, reason: &str) -> Script {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, text_frame(From::Client, "hello")).wait_ms(3_000);
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        script.say(&mut client, From::Server, frame(From::Server, 0x8, &payload));
        script
            .say(&mut client, From::Client, close_frame(From::Client, code))
            .close(&mut client, From::Server);
        script
    }

    #[test]
    fn codes_of_errors_are_told_with_what_came_before() {
        let script = closed(1011, "worker died");
        assert_eq!(
            script.leading(),
            "error closed-with-error: the server 10.77.1.1:80 closes with 1011 (internal error) with the reason \
             \"worker died\""
        );
        let detail = script.finding("closed-with-error").unwrap().detail;
        assert_eq!(detail[0], "The session had lasted 3.0 s.");
        assert_eq!(detail[1], "The client had sent 1 frame.");
        let severity = |code| closed(code, "").finding("closed-with-error").map(|it| it.severity.name());
        assert_eq!(severity(1008), Some("warning"));
        assert_eq!(severity(4321), None, "after some time only the application knows");
    }

    #[test]
    fn who_is_let_in_only_to_be_refused_is_told_by_the_status_of_http() {
        for (code, severity) in [(4401, Some("warning")), (4242, Some("note")), (3999, Some("note"))] {
            let (mut script, mut client) = session();
            script.wait_ms(5).say(&mut client, From::Server, close_frame(From::Server, code));
            script.say(&mut client, From::Client, close_frame(From::Client, code));
            script.close(&mut client, From::Server);
            let found = script.finding("closed-with-error");
            assert_eq!(found.as_ref().map(|it| it.severity.name()), severity, "{code}");
            let says_so = found.unwrap().detail.concat().contains("401 is Unauthorized");
            assert_eq!(says_so, code == 4401);
        }
        assert!(closed(4401, "").finding("closed-with-error").is_none(), "only the application knows");
    }

    #[test]
    fn the_codes_of_an_application_are_known_by_its_subprotocol() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        let subprotocol = [("Sec-WebSocket-Protocol", "graphql-transport-ws")];
        script.say(&mut client, From::Client, request_with(&subprotocol));
        script.say(&mut client, From::Server, switching_with(&subprotocol));
        script.wait_ms(3_000).say(&mut client, From::Server, close_frame(From::Server, 4408));
        let sentence = script.finding("closed-with-error").unwrap().sentence();
        assert!(sentence.ends_with("closes with 4408 (connection initialisation timeout)"), "{sentence}");
    }

    #[test]
    fn a_timeout_that_the_server_speaks_of_is_told() {
        let reason = "java.util.concurrent.TimeoutException: Idle timeout expired: 3000/3000 ms";
        let finding = closed(1001, reason).finding("closed-with-error").unwrap();
        assert_eq!(finding.severity.name(), "warning");
        assert!(finding.detail.concat().contains("timeout of its own"), "{:?}", finding.detail);
        assert!(closed(1001, "server is stopping").finding("closed-with-error").is_none());
    }

    #[test]
    fn a_first_message_that_refuses_is_quoted() {
        let told = |said: &str, pause_ms: u64| {
            let (mut script, mut client) = session();
            script.say(&mut client, From::Server, text_frame(From::Server, said)).wait_ms(pause_ms);
            script.say(&mut client, From::Server, close_frame(From::Server, 1000));
            script.say(&mut client, From::Client, close_frame(From::Client, 1000));
            script.close(&mut client, From::Server);
            script.finding("closed-with-error")
        };
        let disconnect = r#"{"type":"disconnect","reason":"unauthorized","reconnect":false}"#;
        let finding = told(disconnect, 1).unwrap();
        assert_eq!(finding.severity.name(), "warning");
        assert_eq!(finding.headline, "lets a client in and refuses it, with 1000 (normal closure)");
        assert_eq!(finding.detail[0], format!("Its first message is {disconnect}."));
        assert!(told(disconnect, 60_000).is_none(), "much later");
        assert!(told(r#"{"type":"welcome"}"#, 1).is_none());
    }

    #[test]
    fn ordinary_ends_are_left_alone() {
        for code in [1000, 1001, 1012] {
            assert!(closed(code, "").finding("closed-with-error").is_none(), "{code}");
        }
    }
}
