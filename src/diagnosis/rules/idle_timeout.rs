//! A silent session is cut by a timeout.

use crate::diagnosis::ends::{self, End, Ends, With};
use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::recipes;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::timeouts;
use crate::diagnosis::view::{CaptureView, RouteView};
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::routes::Software;
use crate::tcp::EndedBy;
use crate::units::Span;

/// A silent session is cut by a timeout.
pub(super) static RULE: Rule = Rule {
    name: "idle-timeout",
    code: "WS501",
    severity: Severity::Error,
    summary: "a session that was silent for a while is cut without a Close frame",
    page: "\
## What it sees

An established session in which nobody sends anything for some seconds, and then a FIN or a RST without a Close frame.
Keep-alive probes of TCP are not counted as sending: no proxy does. Where the capture has both sides of a proxy and
both end at once, it was the proxy; a side over TLS counts, if its times show that it is one. The silence is a whole
number of seconds, near a known default, or the same in several sessions. A single cut that is near no known default
is an error where both sides of the proxy show it and the silence is exact to a tenth of a second; else it is a
warning. One cut is no proof of a timeout: a process that was stopped just then looks alike.

## Why it breaks

Proxies and load balancers close connections on which nothing moves, since they cannot tell a silent client from one
that is gone. RFC 6455 has pings for that (section 5.5.2), but nobody has to send them. The client gets close event
1006 and connects again, if it was written to: a chat that flickers once a minute is this.

## How to mend it

Send something more often than half of the shortest timeout on the way: a ping of the server's library (`pingInterval`
in Socket.IO, `ping_interval` in Python's websockets, `ws.ping()` on a timer in Node.js), every 20 to 25 s for most.
Browsers cannot send pings from scripts; a small message of the application does as well.

Or raise the timeout, at every hop: the shortest one counts.

- nginx: `proxy_read_timeout 3600s;` in the location (60 s unless set). It counts silence of both directions together.
- HAProxy: `timeout tunnel 1h` in defaults or the backend. Without it `timeout client` and `timeout server` count.
- Apache: `Timeout 3600` (60 s unless set), which is what counts in 2.4 whatever `ProxyTimeout` says.
- Caddy has none unless one is set. AWS load balancer: `idle_timeout.timeout_seconds` (60 s). Envoy:
  `stream_idle_timeout` (5 min) and the route's `idle_timeout`.
",
    see: "https://nginx.org/en/docs/http/websocket.html",
    explains: &["no-close-frame"],
    check: Check::Ends(check),
};

fn check(_: &CaptureView<'_>, ends: &Ends<'_, '_>) -> Vec<Finding> {
    let mut silent: Vec<&End<'_, '_>> =
        ends.alone().filter(|end| end.is_cut() && end.is_after_silence() && !gave_up(end)).collect();
    silent.sort_by(|one, other| one.who.cmp(&other.who).then(one.silence.cmp(&other.silence)));
    let same = |one: &&End<'_, '_>, other: &&End<'_, '_>| {
        one.who == other.who && timeouts::is_near(one.timeout(), other.timeout())
    };
    silent.chunk_by(same).filter_map(judge).collect()
}

/// Whether somebody gave up who had waited for a pong: that is no timeout of silence.
fn gave_up(end: &End<'_, '_>) -> bool {
    let waits = ends::session(end.leg).is_some_and(|session| session.pings.waits(end.by).is_some());
    waits && !end.ends_both_sides()
}

/// Sessions that the same one ended after the same silence.
fn judge(cuts: &[&End<'_, '_>]) -> Option<Finding> {
    let example = cuts.iter().min_by_key(|end| end.route.index)?;
    let is_repeated = cuts.len() > 1;
    let is_timed = cuts.iter().all(|end| end.is_after_timeout());
    // Sessions that end together after about the same silence may have been idle alike when a process stopped.
    let first = cuts.iter().map(|end| end.at).min()?;
    let is_spread = cuts.iter().any(|end| end.at.since(first) > SPREAD);
    let is_by_client = example.is_by_client();
    if !(is_timed || (is_repeated && is_spread)) || (is_by_client && !(is_repeated && is_timed)) {
        return None;
    }
    let proxy = example.proxy();
    let software = proxy.and_then(|proxy| proxy.software);
    let is_known = timeouts::near(example.timeout()).iter().any(|known| known.fits(software));
    let is_proven = is_repeated || is_known;
    // The session broke, and it was this proxy: that much is sure also of a single cut.
    let is_seen = is_timed && example.ends_both_sides() && example.is_on_the_second();
    let is_sure = example.is_whole && (is_proven || is_seen) && !is_by_client;
    let length = words::chosen(example.timeout());
    let mut order: Vec<&&End<'_, '_>> = cuts.iter().collect();
    order.sort_by_key(|end| end.route.index);
    let finding =
        Finding::new(&RULE, example.who.clone(), format!("cuts sessions that are silent for {length}"))
            .at_most(if is_sure { Severity::Error } else { Severity::Warning })
            .about(About::Routes(order.iter().map(|end| end.route.index).collect()))
            .saying(what_happened(example, cuts.len()))
            .saying_also(over_tls(example))
            .saying_also(setting(example, software, is_repeated))
            .saying_also((!is_proven).then(|| ONCE.to_owned()))
            .saying_also(pings(example))
            .shown_by(example.packets());
    Some(if is_by_client || matches!(example.who, Blame::Upstream(_)) {
        finding.advising(format!(
            "Look for an idle timeout of its own, or let it {}.",
            ping_often(example.timeout())
        ))
    } else {
        let fixes = recipes::at_each(order.iter().map(|end| end.site()), recipes::raise_idle_timeout);
        let begins = if fixes.is_empty() { "Raise that timeout, or let" } else { "Or let" };
        finding.mended_by(fixes).advising(format!(
            "{begins} the application {}; then no timeout on the way matters.",
            ping_often(example.timeout())
        ))
    })
    .map(|finding| match chain(example.route) {
        Some(chain) => finding.advising(chain),
        None => finding,
    })
}

/// Who ended what, after which silence, with which bits.
fn what_happened(end: &End<'_, '_>, sessions: usize) -> String {
    let who = words::begin(&end.who.spoken());
    let bit = |how: EndedBy| if how == EndedBy::Reset { "a RST" } else { "a FIN" };
    let how = |role: Role| {
        let over = end.over_tls().map(|over| over.connection);
        let mut connections = over.into_iter().chain(end.route.legs().map(|leg| leg.connection));
        let connection = connections.find(|connection| connection.closed_by() == Some(role))?;
        Some(bit(connection.tcp.ending?.how))
    };
    let bits = match (end.ends_both_sides(), how(Role::Server), how(Role::Client), end.with) {
        (true, Some(client), Some(upstream), _) => {
            format!("{client} to the client's side and {upstream} to the upstream's")
        }
        (.., With::Connection(how)) => bit(how).to_owned(),
        (.., With::CloseFrame(_)) => String::new(),
    };
    let what = if sessions > 1 { format!("{sessions} sessions, each") } else { "a session".to_owned() };
    format!(
        "After {} without a byte in either direction {} ends {what} with {bits}, without a Close frame.",
        words::span(end.silence),
        if who.starts_with("The ") { end.who.spoken() } else { who },
    )
}

/// The client's side of it, where that is encrypted.
fn over_tls(end: &End<'_, '_>) -> Option<String> {
    let over = end.over_tls()?.connection;
    let [client, server] = [Role::Client, Role::Server].map(|role| over.endpoint(role));
    Some(format!("The client's side is {client} to {server}, over TLS: by their times the two go together."))
}

/// The setting behind it, where the wire shows the product, or the length and its repetition speak for one.
fn setting(end: &End<'_, '_>, software: Option<Software>, is_repeated: bool) -> Option<String> {
    let known: Vec<String> = timeouts::near(end.timeout())
        .iter()
        .filter(|known| known.fits(software))
        .take(DEFAULTS_TOLD)
        .map(|known| known.setting.to_owned())
        .collect();
    if !known.is_empty() && (is_repeated || software.is_some()) {
        let length = words::chosen(end.timeout());
        return Some(format!("{length} is the default of {}.", words::list(&known)));
    }
    let setting = match software.filter(|_| end.ends_both_sides())? {
        Software::Nginx => "In nginx this is proxy_read_timeout.",
        Software::Haproxy => {
            "In HAProxy this is timeout tunnel, or without one timeout client or timeout server."
        }
        Software::Apache => "In Apache this is Timeout.",
        Software::Squid => "In Squid this is read_timeout.",
        Software::TrafficServer => "In Traffic Server this is proxy.config.websocket.no_activity_timeout.",
        Software::Tinyproxy => "In Tinyproxy this is Timeout.",
        Software::Varnish => "In Varnish this is pipe_timeout.",
        Software::Lighttpd => "In lighttpd this is server.max-read-idle or server.max-write-idle.",
        _ => return None,
    };
    Some(setting.to_owned())
}

fn pings(end: &End<'_, '_>) -> Option<String> {
    let pings = end.pings();
    (pings > 0)
        .then(|| format!("{} flowed in it, too far apart to keep it open.", words::count(pings, "ping")))
}

fn ping_often(timeout: Span) -> String {
    let half = Span::from_nanos(timeout.as_nanos() / 2);
    format!("send a ping at least every {}", words::chosen(half))
}

/// Everybody on the way who may have a timeout.
fn chain(route: &RouteView<'_>) -> Option<String> {
    let mut hops: Vec<String> = route.hops().map(|(_, hop, _)| Blame::proxy(&hop.proxy).spoken()).collect();
    hops.push(Blame::Upstream(route.last().connection.endpoint(Role::Server)).spoken());
    let client = match route.first.over_tls {
        Some(over) => {
            hops.insert(0, Blame::proxy(over.proxy).spoken());
            over.connection
        }
        None => route.first.connection,
    };
    hops.insert(0, Blame::Client(client.endpoint(Role::Client).address).spoken());
    (hops.len() > 2).then(|| {
        format!("Each of {} may have a timeout of its own, and the shortest one counts.", words::list(&hops))
    })
}

/// Of those that have a default in common, so many are told: the common ones come first.
const DEFAULTS_TOLD: usize = 3;

const ONCE: &str =
    "It is the only such cut in the capture: a process that was stopped just then looks alike.";

/// More than what one stopping process takes.
const SPREAD: Span = Span::from_millis(1_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// A session over nginx, `number` of several.
    fn session(script: &mut Script, number: u16) -> (Talk, Talk) {
        session_over(script, "nginx/1.22.1", number)
    }

    /// A session over a proxy that says what it is, `number` of several.
    fn session_over(script: &mut Script, proxy: &str, number: u16) -> (Talk, Talk) {
        let letter = char::from(b'd' + u8::try_from(number).unwrap());
        let key = KEY.replacen('d', &letter.to_string(), 1);
        let accept = crate::protocol::accept_for(key.as_bytes());
        let request = request_with(&[("Sec-WebSocket-Key", &key)]);
        let answer = switching_with(&[("Sec-WebSocket-Accept", &accept)]);
        let mut client = script.connect(&format!("10.77.1.2:{}", 50_000 + number), PROXY);
        script.say(&mut client, From::Client, &request);
        let mut upstream = script.connect(&format!("10.77.2.1:{}", 40_000 + number), UPSTREAM);
        script.say(&mut upstream, From::Client, &request);
        script.say(&mut upstream, From::Server, &answer);
        let server = answer.replace("Upgrade: websocket", &format!("Server: {proxy}\r\nUpgrade: websocket"));
        script.say(&mut client, From::Server, server);
        (client, upstream)
    }

    /// That many sessions, one after the other, each cut by the proxy after a silence.
    fn cut(silences_ms: &[u64]) -> Script {
        cut_by("nginx/1.22.1", silences_ms)
    }

    /// The same by another proxy.
    fn cut_by(proxy: &str, silences_ms: &[u64]) -> Script {
        let mut script = Script::default();
        for (number, silence_ms) in silences_ms.iter().enumerate() {
            let (mut client, mut upstream) = session_over(&mut script, proxy, u16::try_from(number).unwrap());
            script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
            script.wait_ms(*silence_ms);
            script.close(&mut client, From::Server).close(&mut upstream, From::Client);
        }
        script
    }

    #[test]
    fn what_the_upstream_says_to_a_proxy_that_is_gone_hides_no_cut() {
        let mut script = Script::default();
        let (mut client, mut upstream) = session_over(&mut script, "nginx/1.22.1", 0);
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        script.say(&mut upstream, From::Client, text_frame(From::Client, "hello")).wait_ms(60_005);
        script.finish(&mut client, From::Server).finish(&mut upstream, From::Client);
        // As Tomcat does.
        script.say(&mut upstream, From::Server, close_frame(From::Server, 1002));
        script.reset(&mut upstream, From::Client).finish(&mut client, From::Client);
        let nginx = "error idle-timeout: nginx 1.22.1 (10.77.2.1) cuts sessions that are silent for 60 s";
        assert_eq!(script.leading(), nginx);
        assert_eq!(script.rules(), ["idle-timeout"]);
    }

    #[test]
    fn a_proxy_that_cuts_silent_sessions_is_named() {
        let nginx = "idle-timeout: nginx 1.22.1 (10.77.2.1) cuts sessions that are silent for";
        for (silences, expected) in [
            (&[60_005][..], format!("error {nginx} 60 s")),
            (&[7_005], format!("error {nginx} 7 s")),
            // Exact enough for a warning alone.
            (&[7_130], format!("warning {nginx} 7 s")),
            // A busy machine, and a known default.
            (&[60_400], format!("error {nginx} 60 s")),
            (&[7_005, 7_009], format!("error {nginx} 7 s")),
            // nginx's timers may be a little short.
            (&[6_790], format!("warning {nginx} 7 s")),
            (&[7_305, 7_409], format!("error {nginx} 7.3 s")),
        ] {
            let script = cut(silences);
            assert_eq!(script.leading(), expected, "{silences:?}");
            assert!(!script.rules().contains(&"no-close-frame"), "{silences:?}");
        }
        let finding = cut(&[60_005]).finding("idle-timeout").unwrap();
        assert_eq!(
            finding.detail,
            [
                "After 1 min 0 s without a byte in either direction nginx 1.22.1 (10.77.2.1) ends a session with a \
                 FIN to the client's side and a FIN to the upstream's, without a Close frame.",
                "60 s is the default of nginx's proxy_read_timeout."
            ]
        );
        assert!(finding.fixes[0].text.starts_with("proxy_read_timeout"));
        assert!(finding.advice[0].contains("a ping at least every 30 s"), "{:?}", finding.advice);
    }

    #[test]
    fn an_ordinary_end_is_no_idle_cut() {
        for silences in [&[300][..], &[1_000], &[7_400], &[2_300, 9_600]] {
            assert!(cut(silences).finding("idle-timeout").is_none(), "{silences:?}");
        }
        // Seldom messages, and the last pause is no longer than the others.
        let mut script = Script::default();
        let (mut client, _) = session(&mut script, 0);
        for _ in 0..3 {
            script.wait_ms(10_000).say(&mut client, From::Client, text_frame(From::Client, "tick"));
        }
        script.wait_ms(5_000).close(&mut client, From::Server);
        assert!(script.finding("idle-timeout").is_none());
        // A Close frame.
        let mut script = Script::default();
        let (mut client, _) = session(&mut script, 0);
        script.wait_ms(60_000).say(&mut client, From::Server, close_frame(From::Server, 1000));
        script.close(&mut client, From::Server);
        assert!(script.finding("idle-timeout").is_none());
        // A client that goes away after a minute.
        let mut script = Script::default();
        let (mut client, mut upstream) = session(&mut script, 0);
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        script.wait_ms(60_000).close(&mut client, From::Client).close(&mut upstream, From::Client);
        assert_eq!(script.rules(), ["no-close-frame"]);
    }

    #[test]
    fn sessions_that_fell_silent_and_end_together_are_idle_cuts() {
        let mut script = Script::default();
        let (mut one, _) = session(&mut script, 0);
        let (mut other, _) = session(&mut script, 1);
        script.wait_ms(60_000).close(&mut one, From::Server).close(&mut other, From::Server);
        assert_eq!(script.rules(), ["idle-timeout"]);
    }

    #[test]
    fn a_proxy_that_counts_in_seconds_cuts_at_any_moment_of_the_next_one() {
        let squid = "error idle-timeout: Squid 5.7 (10.77.2.1) cuts sessions that are silent for";
        for (silences, expected) in [
            // As measured with read_timeout 4 seconds.
            (&[4_997, 4_260, 4_607][..], format!("{squid} 4 s")),
            (&[900_700], format!("{squid} 15 min")),
            // Once, after no default: it may have been anything.
            (&[7_003], String::new()),
            (&[7_603], String::new()),
        ] {
            let leading = cut_by("squid/5.7", silences).leading();
            let leading = if leading.contains("idle-timeout") { leading } else { String::new() };
            assert_eq!(leading, expected, "{silences:?}");
        }
    }

    #[test]
    fn the_captures_of_idle_cuts_name_the_proxy() {
        for (capture, expected) in [
            (
                "idle-cut",
                "error idle-timeout: nginx 1.22.1 (10.77.2.1) cuts sessions that are silent for 3 s",
            ),
            (
                "idle-cut-twice",
                "error idle-timeout: nginx 1.22.1 (10.77.2.1) cuts sessions that are silent for 3 s",
            ),
            (
                "haproxy-idle-tunnel",
                "error idle-timeout: HAProxy (10.77.2.1) cuts sessions that are silent for 3 s",
            ),
            (
                "haproxy-idle-client",
                "error idle-timeout: HAProxy (10.77.2.1) cuts sessions that are silent for 3 s",
            ),
            ("apache-idle", "error idle-timeout: Apache (10.77.2.1) cuts sessions that are silent for 4 s"),
            ("idle-pinged", ""),
            ("haproxy-talk", ""),
        ] {
            assert_eq!(leading_of(capture), expected, "{capture}");
        }
    }
}
