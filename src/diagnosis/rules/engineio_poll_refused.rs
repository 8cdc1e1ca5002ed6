//! A Socket.IO or Engine.IO server refuses the first request of its clients, which is a plain one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::origin_rejected::belongs;
use crate::diagnosis::finding::{About, Blame, Finding, Fix};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::model::{Connection, PollingProtocol, PollingRequest, path_of_target};
use crate::protocol::{Exchange, ExchangeAnswer, Role};
use crate::redact;
use crate::routes::Software;
use crate::text;
use crate::units::{Endpoint, PacketNumber};

/// A Socket.IO or Engine.IO server refuses the first request of its clients, which is a plain one.
pub(super) static RULE: Rule = Rule {
    name: "engineio-poll-refused",
    code: "WS810",
    severity: Severity::Error,
    summary: "a Socket.IO server refuses the first polling request, so that no WebSocket is tried",
    page: "\
## What it sees

Polling requests of Engine.IO without a session (`EIO=4&transport=polling`, no `sid`) that are answered with 400 or
more, from a client that gets no session later and tries no WebSocket of its own. If the answer speaks of the origin, or
is 403 and the host in `Origin` is not that in `Host`, one such request is enough: the server refuses the origin. Else
an error needs two of one client; one alone is a note.

## Why it breaks

A Socket.IO client begins by polling and asks for a WebSocket only when it has a session. If its first request is
refused, no upgrade is ever tried, and there is nothing else to be seen.

python-socketio and python-engineio answer 400 and `... is not an accepted origin.` By default they accept the origin
that they are asked as: scheme, host and port of the request, as far as `Host`, `X-Forwarded-Host` and
`X-Forwarded-Proto` tell these to them. A proxy that writes another name into `Host`, or ends TLS and does not say so,
makes every origin a foreign one. In Node.js `allowRequest` answers 403 and `{\"code\":4,...}`.

## How to mend it

- The origin: let the proxy hand on `Host` and tell `X-Forwarded-Proto`, or add the page's origin to
  `cors_allowed_origins` (Python), or to what `allowRequest` lets in (Node.js).
- 404: nothing serves that path. Compare the `path` of the client (`/socket.io/`) with that of the server and with the
  locations of the proxy.
- 400 and `Unsupported protocol version`: client and server are of different major versions.
- 502, 503, 504: the proxy gets nothing from the application.
",
    see: "https://python-socketio.readthedocs.io/en/latest/server.html#cross-origin-controls",
    explains: &[],
    check: Check::Sessions(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let first = first_polls(view);
    let refused = refused(view, &first);
    // By client and by who refuses for which reason: each is told once.
    let mut told: BTreeMap<(IpAddr, Endpoint, Reason, u16), Vec<Refused<'_>>> = BTreeMap::new();
    for refused in refused {
        let server = refused.last().server();
        let key = (refused.near.client(), server, refused.reason(), refused.last().answer.status);
        told.entry(key).or_default().push(refused);
    }
    told.into_iter().filter_map(|((client, ..), refused)| finding(client, &refused)).collect()
}

/// A first polling request with its answer.
#[derive(Clone, Copy)]
struct Poll<'a> {
    place: usize,
    connection: &'a Connection,
    exchange: &'a Exchange,
    answer: &'a ExchangeAnswer,
}

impl Poll<'_> {
    fn client(&self) -> IpAddr {
        self.connection.endpoint(Role::Client).address
    }

    fn server(&self) -> Endpoint {
        self.connection.endpoint(Role::Server)
    }

    fn packet(&self) -> PacketNumber {
        self.exchange.request.packet
    }

    /// Whether the host in `Origin` is that in `Host`; none if one of them is not there.
    fn is_own(&self) -> Option<bool> {
        Some(belongs(self.exchange.origin.as_deref()?, self.exchange.host.as_deref()?))
    }

    fn says(&self, words: &str) -> bool {
        text::decode(&self.answer.body_start).to_ascii_lowercase().contains(words)
    }
}

/// Why it is refused, as far as the answer says so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Origin,
    Other,
}

/// A request that is refused, and what the proxy made of it, if that is refused too.
#[derive(Clone, Copy)]
struct Refused<'a> {
    near: Poll<'a>,
    far: Option<Poll<'a>>,
}

impl<'a> Refused<'a> {
    fn last(&self) -> Poll<'a> {
        self.far.unwrap_or(self.near)
    }

    fn reason(&self) -> Reason {
        let last = self.last();
        let is_forbidden = last.answer.status == FORBIDDEN && last.is_own() == Some(false);
        if last.exchange.origin.is_some() && (is_forbidden || last.says("origin")) {
            Reason::Origin
        } else {
            Reason::Other
        }
    }
}

/// All that are answered, by their packets.
fn first_polls<'a>(view: &CaptureView<'a>) -> Vec<Poll<'a>> {
    let mut polls = Vec::new();
    for (place, connection) in view.capture.connections.iter().enumerate() {
        for exchange in connection.exchanges.iter().filter(|exchange| exchange.target.contains("EIO=")) {
            let known = PollingRequest::of(&exchange.method, &exchange.target);
            let is_first = known
                .is_some_and(|it| it.protocol == PollingProtocol::EngineIo && it.session.is_empty())
                && exchange.target.contains("transport=polling");
            if let (true, Some(answer)) = (is_first, &exchange.answer) {
                polls.push(Poll { place, connection, exchange, answer });
            }
        }
    }
    polls.sort_by_key(Poll::packet);
    polls
}

/// Those that are refused on the client's side, from clients that get no session later and try no WebSocket.
fn refused<'a>(view: &CaptureView<'a>, polls: &[Poll<'a>]) -> Vec<Refused<'a>> {
    let mut served: BTreeMap<(IpAddr, Endpoint), PacketNumber> = BTreeMap::new();
    for poll in polls.iter().filter(|poll| poll.answer.status == OK) {
        served.insert((poll.client(), poll.server()), poll.packet());
    }
    let tries = view.routes.iter().filter(|route| route.first.target().contains("EIO="));
    let tries: BTreeSet<IpAddr> =
        tries.map(|route| route.first.connection.endpoint(Role::Client).address).collect();
    let is_left_alone = |near: &Poll<'_>| {
        let latest = served.get(&(near.client(), near.server()));
        latest.is_some_and(|latest| *latest > near.packet()) || tries.contains(&near.client())
    };
    let all: Vec<Poll<'_>> = polls.iter().filter(|poll| poll.answer.status >= BAD_REQUEST).copied().collect();
    pairs(&all).into_iter().filter(|pair| !is_left_alone(&pair.near)).collect()
}

/// Refused requests with what proxies made of them, which has the same target and is asked and answered in between.
fn pairs<'a>(all: &[Poll<'a>]) -> Vec<Refused<'a>> {
    let mut by_target: BTreeMap<&str, Vec<Poll<'_>>> = BTreeMap::new();
    for poll in all {
        by_target.entry(&poll.exchange.target).or_default().push(*poll);
    }
    let handed_on = |near: &Poll<'_>| {
        let alike = by_target.get(&*near.exchange.target)?;
        let after = alike.partition_point(|poll| poll.packet() <= near.packet());
        let answered = near.answer.origin.packet;
        let is_within = |far: &&Poll<'_>| far.place != near.place && far.answer.origin.packet < answered;
        alike.get(after..)?.iter().take(LOOKED_AT).find(is_within).copied()
    };
    let pairs: Vec<Refused<'_>> =
        all.iter().map(|near| Refused { near: *near, far: handed_on(near) }).collect();
    let far: BTreeSet<PacketNumber> = pairs.iter().filter_map(|pair| Some(pair.far?.packet())).collect();
    pairs.into_iter().filter(|pair| !far.contains(&pair.near.packet())).collect()
}

fn finding(client: IpAddr, refused: &[Refused<'_>]) -> Option<Finding> {
    let example = refused.first()?;
    let (near, last) = (example.near, example.last());
    let status = last.answer.status;
    let reason = example.reason();
    let mut places: Vec<usize> =
        refused.iter().flat_map(|it| [Some(it.near), it.far]).flatten().map(|poll| poll.place).collect();
    places.sort_unstable();
    places.dedup();
    let server =
        if example.far.is_some() { Blame::Upstream(last.server()) } else { Blame::Server(last.server()) };
    let times = words::count(refused.len() as u64, "request");
    let asks = if refused.len() == 1 { "is" } else { "are" };
    let said = format!(
        "{times} of the client {client} for a session {asks} answered with {status}, and no WebSocket is tried."
    );
    let shown = |finding: Finding| {
        let near = refused.iter().take(EXAMPLES).map(|it| it.near.packet());
        let far = refused.iter().take(EXAMPLES).filter_map(|it| Some(it.far?.packet()));
        finding.about(About::Connections(places)).saying_also(quoted(&last)).shown_by(near.chain(far))
    };
    if reason == Reason::Other {
        let finding =
            Finding::new(&RULE, server, format!("answers the first request of Engine.IO with {status}"));
        let finding = if refused.len() < SEVERAL { finding.at_most(Severity::Note) } else { finding };
        return Some(shown(finding.saying(said)).advising(advice(status, &last)));
    }
    let (origin, host) =
        (last.exchange.origin.as_deref()?, last.exchange.host.as_deref().unwrap_or_default());
    let field = |name: &str, value: &str| redact::header(name, value).into_owned();
    if example.far.is_some() && near.is_own() == Some(true) && last.is_own() == Some(false) {
        let was = near.exchange.host.as_deref().unwrap_or_default();
        let software =
            near.answer.server.as_deref().filter(|it| it.starts_with("nginx")).map(|_| Software::Nginx);
        let site = Site::at(None, path_of_target(&near.exchange.target)).known_as(software);
        return Some(
            shown(
                Finding::new(
                    &RULE,
                    Blame::Proxy(last.client(), software, None),
                    "replaces Host, and the upstream refuses the Origin of Engine.IO's first request",
                )
                .saying(said)
                .saying(format!(
                    "The upstream sees Host: {} instead of {} and Origin: {}.",
                    field("host", host),
                    field("host", was),
                    field("origin", origin)
                )),
            )
            .mended_by(recipes::keep_host(&site)),
        );
    }
    let relation = match last.is_own() {
        Some(true) if origin.starts_with("https:") => {
            ", the same host: what it compares may be the scheme, which a proxy tells in X-Forwarded-Proto"
        }
        Some(true) => ", the same host",
        Some(false) => ", another host",
        None => "",
    };
    Some(
        shown(
            Finding::new(&RULE, server, "refuses the Origin of Engine.IO's first request")
                .saying(said)
                .saying(format!(
                    "Origin is {}, and Host is {}{relation}.",
                    field("origin", origin),
                    field("host", host)
                )),
        )
        .mended_by([Fix {
            target: "application",
            place: "its list of allowed origins".to_owned(),
            text: format!("add {} to the allowed origins", field("origin", origin)),
        }]),
    )
}

/// What the answer says, if it is text.
fn quoted(poll: &Poll<'_>) -> Option<String> {
    let body = text::decode(&poll.answer.body_start);
    let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = redact::text(line.trim_matches('"')).into_owned();
    let is_text = !line.is_empty() && !line.starts_with('<');
    let is_text = is_text && line.chars().all(|letter| !letter.is_control() && letter != '\u{fffd}');
    is_text.then(|| format!("The answer says \"{}\".", line.trim_end_matches('.')))
}

fn advice(status: u16, poll: &Poll<'_>) -> &'static str {
    match status {
        _ if poll.says("unsupported protocol version") => {
            "Use a client of the server's major version, or set allowEIO3: true at the server for clients of 2.x."
        }
        401 | FORBIDDEN => {
            "The application lets nobody in without credentials, or by a rule of its own (allowRequest)."
        }
        404 => {
            "Nothing serves this path there: compare the client's path with the server's and the proxy's locations."
        }
        500.. => "Whoever answers gets nothing from the application, or the application fails.",
        _ => "The application's log says why it refuses the request.",
    }
}

const OK: u16 = 200;
const BAD_REQUEST: u16 = 400;
const FORBIDDEN: u16 = 403;
/// One alone may be somebody who tries what is there.
const SEVERAL: usize = 2;
const EXAMPLES: usize = 5;
/// The same target is asked for at the same time by clients without a cache-buster only.
const LOOKED_AT: usize = 8;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const TARGET: &str = "/socket.io/?EIO=4&transport=polling&t=abc";
    const NOT_ACCEPTED: &str = "\"http://chat.example.test is not an accepted origin.\"";

    fn poll(host: &str) -> String {
        format!("GET {TARGET} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://chat.example.test\r\n\r\n")
    }

    fn asked(times: usize, host: &str, reply: &str) -> Script {
        let mut script = Script::default();
        for time in 0..times {
            let mut client = script.connect(&format!("10.77.1.2:5000{time}"), PROXY);
            script.say(&mut client, From::Client, poll(host)).say(&mut client, From::Server, reply);
            script.close(&mut client, From::Client).wait_ms(1_000);
        }
        script
    }

    #[test]
    fn an_origin_that_is_refused_is_told_at_once() {
        let replies = [
            answer("400 Bad Request", &[("Content-Type", "text/plain")], NOT_ACCEPTED),
            answer("403 Forbidden", &[], "{\"code\":4,\"message\":\"origin not allowed\"}"),
        ];
        for reply in replies {
            let script = asked(1, "chat.example.test", &reply);
            let expected = "error engineio-poll-refused: the server 10.77.1.1:80 refuses the Origin of Engine.IO's first request";
            assert_eq!(script.leading(), expected);
            assert_eq!(script.rules(), ["engineio-poll-refused"]);
        }
        let foreign =
            asked(1, "other.test", &answer("403 Forbidden", &[], "{\"code\":4,\"message\":\"Forbidden\"}"));
        assert!(foreign.leading().ends_with("refuses the Origin of Engine.IO's first request"));
    }

    #[test]
    fn what_else_is_refused_needs_a_client_that_tries_again() {
        let missing = answer("404 Not Found", &[], "nothing here");
        let twice = asked(2, "a.test", &missing).finding("engineio-poll-refused").unwrap();
        assert_eq!(
            twice.sentence(),
            "the server 10.77.1.1:80 answers the first request of Engine.IO with 404"
        );
        assert_eq!(twice.severity.name(), "error");
        assert_eq!(
            twice.detail,
            [
                "2 requests of the client 10.77.1.2 for a session are answered with 404, and no WebSocket is tried.",
                "The answer says \"nothing here\"."
            ]
        );
        assert_eq!(
            asked(1, "a.test", &missing).finding("engineio-poll-refused").unwrap().severity.name(),
            "note"
        );
    }

    #[test]
    fn who_gets_a_session_later_or_tries_a_websocket_is_left_alone() {
        let mut script = asked(2, "a.test", &answer("502 Bad Gateway", &[], ""));
        let mut client = script.connect("10.77.1.2:50007", PROXY);
        script.say(&mut client, From::Client, poll("a.test"));
        script.say(&mut client, From::Server, answer("200 OK", &[], "0{\"sid\":\"x\"}"));
        assert!(script.finding("engineio-poll-refused").is_none());
        let mut script = asked(2, "a.test", &answer("404 Not Found", &[], ""));
        let mut client = script.connect("10.77.1.2:50007", PROXY);
        script.say(
            &mut client,
            From::Client,
            request_with(&[("GET", "/socket.io/?EIO=4&transport=websocket")]),
        );
        script.say(&mut client, From::Server, answer("404 Not Found", &[], ""));
        assert!(script.finding("engineio-poll-refused").is_none());
        // What its proxy made of it is left alone too.
        let refused = answer("400 Bad Request", &[], NOT_ACCEPTED);
        let mut polls = script.connect("10.77.1.2:50008", PROXY);
        script.say(&mut polls, From::Client, poll("chat.example.test"));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, poll("a")).say(&mut upstream, From::Server, refused.clone());
        script.say(&mut polls, From::Server, refused);
        assert!(script.finding("engineio-poll-refused").is_none());
    }

    #[test]
    fn a_proxy_that_replaces_host_is_named() {
        let reply = answer("400 Bad Request", &[], NOT_ACCEPTED);
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, poll("chat.example.test"));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, poll("10.77.2.2:3000")).say(
            &mut upstream,
            From::Server,
            reply.clone(),
        );
        script.say(&mut client, From::Server, reply);
        assert_eq!(
            script.leading(),
            "error engineio-poll-refused: the proxy 10.77.2.1 replaces Host, and the upstream refuses the Origin of \
             Engine.IO's first request"
        );
        let finding = script.finding("engineio-poll-refused").unwrap();
        assert!(
            finding.detail[1]
                .starts_with("The upstream sees Host: 10.77.2.2:3000 instead of chat.example.test")
        );
        assert!(finding.fixes[0].text.contains("$http_host"));
        // The same Host on both sides: the application's own matter.
        let mut script = Script::default();
        let reply = answer("400 Bad Request", &[], NOT_ACCEPTED);
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, poll("chat.example.test"));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, poll("chat.example.test"));
        script.say(&mut upstream, From::Server, reply.clone()).say(&mut client, From::Server, reply);
        assert!(
            script.leading().starts_with("error engineio-poll-refused: the upstream 10.77.2.2:3000 refuses")
        );
    }
}
