//! An Engine.IO session goes on by polling and never becomes a WebSocket.

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::sessions_by_polling::{Kind, Request, by_session};
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::units::Span;

/// An Engine.IO session goes on by polling and never becomes a WebSocket.
pub(super) static RULE: Rule = Rule {
    name: "engineio-stuck-polling",
    code: "WS802",
    severity: Severity::Warning,
    summary: "a Socket.IO or Engine.IO session goes on by polling after its WebSocket attempt failed",
    page: "\
## What it sees

Polling requests of one session (`transport=polling&sid=`) that go on for five seconds or more after a WebSocket attempt
of the same session failed: a warning. Without any attempt of the session it is a note, if it polls for ten seconds or
more: the client may have been told to use polling only.

## Why it breaks

Socket.IO begins by polling and changes to a WebSocket if that works. If it does not, everything seems to be in order,
and each message costs an HTTP request: slow, and a heavy load for the server and every proxy.

## How to mend it

The finding on the attempt itself says what is wrong with the upgrade: mostly a proxy that does not hand it on. If there
is no attempt, look at `transports` of the client and `allowUpgrades` of the server, and whether the capture has the
port that the attempt went to.
",
    see: "https://socket.io/docs/v4/how-it-works/#upgrade-mechanism",
    explains: &[],
    check: Check::Sessions(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let is_there = view.capture.connections.iter().any(|connection| {
        connection.exchanges.iter().any(|exchange| exchange.target.contains("transport=polling"))
    });
    if !is_there {
        return Vec::new();
    }
    let requests = view.requests();
    let mut failed: Vec<Stuck<'_, '_>> = Vec::new();
    let mut untried: Vec<Stuck<'_, '_>> = Vec::new();
    for session in by_session(&requests.engine_io).into_values() {
        let Some(stuck) = Stuck::of(session) else { continue };
        if stuck.attempt.is_some() { failed.push(stuck) } else { untried.push(stuck) }
    }
    [finding(view, &failed, Severity::Warning), finding(view, &untried, Severity::Note)]
        .into_iter()
        .flatten()
        .collect()
}

/// A session that polls.
struct Stuck<'r, 'a> {
    polls: Vec<&'r Request<'a>>,
    /// The attempt that failed.
    attempt: Option<&'r Request<'a>>,
    lasted: Span,
}

impl<'r, 'a> Stuck<'r, 'a> {
    fn of(session: Vec<&'r Request<'a>>) -> Option<Self> {
        let attempts = || session.iter().filter(|request| request.kind == Kind::WebSocket);
        if attempts().any(|attempt| matches!(attempt.status, None | Some(SWITCHING))) {
            return None;
        }
        let attempt = attempts().next().copied();
        let polls: Vec<&Request<'_>> = session
            .into_iter()
            .filter(|request| request.kind == Kind::Poll && request.status.is_none_or(|status| status == OK))
            .filter(|poll| attempt.is_none_or(|attempt| poll.packet > attempt.packet))
            .collect();
        let lasted = polls.last()?.time.since(polls.first()?.time);
        let least = if attempt.is_some() { AFTER_FAILURE } else { WITHOUT_ATTEMPT };
        (polls.len() >= SEVERAL && lasted >= least).then_some(Self { polls, attempt, lasted })
    }
}

fn finding(view: &CaptureView<'_>, stuck: &[Stuck<'_, '_>], severity: Severity) -> Option<Finding> {
    let first = stuck.first()?;
    let poll = first.polls.first()?;
    let polls: usize = stuck.iter().map(|session| session.polls.len()).sum();
    let longest = stuck.iter().map(|session| session.lasted).max()?;
    let tried = match first.attempt.and_then(|attempt| attempt.status) {
        Some(status) => format!("The WebSocket attempt of the session is answered with {status}."),
        None => "No WebSocket attempt of the session is in the capture.".to_owned(),
    };
    let routes = view.routes_by_request();
    let mut about: Vec<usize> =
        stuck.iter().filter_map(|session| routes.get(&session.attempt?.packet).copied()).collect();
    about.sort_unstable();
    about.dedup();
    let about = if about.is_empty() {
        let mut places: Vec<usize> =
            stuck.iter().filter_map(|session| Some(session.polls.first()?.connection)).collect();
        places.sort_unstable();
        places.dedup();
        About::Connections(places)
    } else {
        About::Routes(about)
    };
    let blame = Blame::Client(poll.client.address);
    Some(
        Finding::new(&RULE, blame, "goes on by polling instead of a WebSocket")
            .at_most(severity)
            .about(about)
            .saying(format!(
                "{} of Engine.IO {} by {}, for up to {}. {tried}",
                words::count(stuck.len() as u64, "session"),
                if stuck.len() == 1 { "goes on" } else { "go on" },
                words::count(polls as u64, "polling request"),
                words::span(longest)
            ))
            .shown_by(first.attempt.map(|attempt| attempt.packet))
            .shown_by(first.polls.iter().take(EXAMPLES).map(|poll| poll.packet)),
    )
}

const SWITCHING: u16 = 101;
const OK: u16 = 200;
const SEVERAL: usize = 2;
const EXAMPLES: usize = 5;
const AFTER_FAILURE: Span = Span::from_millis(5_000);
const WITHOUT_ATTEMPT: Span = Span::from_millis(10_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// A session that polls that often, with an attempt before that is answered so.
    fn session(polls: usize, attempt: Option<&str>) -> Script {
        let mut script = Script::default();
        if let Some(status) = attempt {
            let mut client = script.connect("10.77.1.2:50001", PROXY);
            let target = ("GET", "/socket.io/?EIO=4&transport=websocket&sid=abc");
            script.say(&mut client, From::Client, request_with(&[target]));
            let reply = if status == "101" { switching() } else { answer(status, &[], "no") };
            script.say(&mut client, From::Server, reply);
        }
        let mut client = script.connect(CLIENT, PROXY);
        for _ in 0..polls {
            let poll = "GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: a\r\n\r\n";
            script.say(&mut client, From::Client, poll).wait_ms(4_000);
            script.say(&mut client, From::Server, answer("200 OK", &[], "2"));
        }
        script
    }

    #[test]
    fn a_session_that_polls_on_after_its_attempt_failed_is_told() {
        let script = session(4, Some("400 Bad Request"));
        let finding = script.finding("engineio-stuck-polling").unwrap();
        assert_eq!(finding.sentence(), "the client 10.77.1.2 goes on by polling instead of a WebSocket");
        assert_eq!(finding.severity.name(), "warning");
        assert!(finding.detail[0].ends_with("The WebSocket attempt of the session is answered with 400."));
        assert_eq!(session(4, None).finding("engineio-stuck-polling").unwrap().severity.name(), "note");
    }

    #[test]
    fn polling_before_a_websocket_and_for_a_moment_is_how_it_begins() {
        assert!(session(4, Some("101")).finding("engineio-stuck-polling").is_none());
        assert!(session(2, None).finding("engineio-stuck-polling").is_none());
    }
}
