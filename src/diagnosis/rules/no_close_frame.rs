//! A session ends without a close frame from anybody.

use crate::diagnosis::ends::{self, With};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::words;
use crate::protocol::Role;
use crate::tcp::EndedBy;
use crate::units::Span;

/// A session ends without a close frame from anybody.
pub(super) static RULE: Rule = Rule {
    name: "no-close-frame",
    code: "WS506",
    severity: Severity::Warning,
    summary: "a session ends with FIN or RST and without a Close frame",
    page: "\
## What it sees

The TCP connection of an established session ends with FIN or RST, and neither side has sent a Close frame. If a
client does that it is a note: tabs are closed, programs are killed, telephones lose their network. So it is if a
proxy does whose own client the capture does not show. If another proxy or a server does, it is a warning.

## Why it breaks

RFC 6455 section 7.1.1 asks both sides to send Close before the connection is closed. Without it the other side cannot
tell an end on purpose from a failure: browsers report code 1006 and `wasClean: false`, and most clients connect
again. What is behind it may be a process that crashed or was killed, a proxy that stopped or ran into a timeout, or
an application that closes the socket below the WebSocket library.

## How to mend it

Look at the log of who closed first, at that moment. An application should close through its library
(`ws.close(1000)`), also when it is stopped: most libraries leave that to the program. If it happens again after the
same silence it is `idle-timeout`, if it happens to many at once `proxy-reload`; both are told instead where the
capture shows them.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1",
    explains: &[],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let end = ends::of(route).filter(|end| end.is_whole)?;
    let With::Connection(how) = end.with else { return None };
    let (headline, bit) = match how {
        EndedBy::Fin => ("closes the connection without a Close frame", "FIN"),
        EndedBy::Reset => ("resets the connection without a Close frame", "RST"),
    };
    // A proxy whose own client the capture does not show may only have followed it.
    let is_followed = end.by == Role::Client && end.leg.connection.id() == end.route.first.connection.id();
    let severity = if end.is_by_client() || is_followed { Severity::Note } else { Severity::Warning };
    let late = route.legs().find_map(|leg| {
        let close = ends::session(leg)?.close.as_ref()?;
        ends::is_late(leg, close).then_some(close)
    });
    let after = match end.frames_before() {
        0 => format!("{} after the 101 and before any frame", words::span(end.silence)),
        frames if end.silence == Span::default() => format!("after {}", words::count(frames, "frame")),
        frames => format!("{} after the last of {}", words::span(end.silence), words::count(frames, "frame")),
    };
    Some(
        Finding::new(&RULE, end.who.clone(), headline)
            .at_most(severity)
            .saying(format!("The {bit} comes {after}; the other side sees close code 1006."))
            .saying_also(late.map(|close| {
                format!("The {} sends Close {} only when that has come.", close.by.name(), close.code)
            }))
            .shown_by(end.packets()),
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn session() -> (Script, Talk) {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request()).say(&mut client, From::Server, switching());
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        (script, client)
    }

    #[test]
    fn who_ends_a_session_without_a_word_is_named() {
        let (mut script, mut client) = session();
        script.wait_ms(200).reset(&mut client, From::Server);
        assert_eq!(
            script.leading(),
            "warning no-close-frame: the server 10.77.1.1:80 resets the connection without a Close frame"
        );
        let detail = script.finding("no-close-frame").unwrap().detail;
        assert_eq!(
            detail,
            ["The RST comes 200 ms after the last of 1 frame; the other side sees close code 1006."]
        );
        let (mut script, mut client) = session();
        script.close(&mut client, From::Client);
        assert_eq!(
            script.leading(),
            "note no-close-frame: the client 10.77.1.2 closes the connection without a Close frame"
        );
    }

    #[test]
    fn a_proxy_whose_client_is_not_there_may_have_followed_it() {
        let mut script = Script::default();
        // Another attempt shows that it is one.
        let other = request_with(&[("Sec-WebSocket-Key", "MAZh2tg+QykGCdHVG70tAA==")]);
        let (mut client, mut upstream) =
            (script.connect(CLIENT, PROXY), script.connect("10.77.2.1:40001", UPSTREAM));
        script.say(&mut client, From::Client, &other).say(&mut upstream, From::Client, &other);
        let refusal = answer("404 Not Found", &[], "no");
        script.say(&mut upstream, From::Server, &refusal).say(&mut client, From::Server, &refusal);
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        script.say(&mut upstream, From::Server, switching());
        script.say(&mut upstream, From::Client, text_frame(From::Client, "hello"));
        script.close(&mut upstream, From::Client);
        let found = script.finding("no-close-frame").unwrap();
        assert_eq!(
            (found.severity.name(), found.sentence().as_str()),
            ("note", "the proxy 10.77.2.1 closes the connection without a Close frame")
        );
    }

    #[test]
    fn a_close_frame_to_somebody_who_is_gone_is_no_end() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, text_frame(From::Server, "hi")).wait_ms(40_000);
        script.finish(&mut client, From::Client).say(
            &mut client,
            From::Server,
            close_frame(From::Server, 1002),
        );
        script.reset(&mut client, From::Client);
        assert_eq!(
            script.leading(),
            "note no-close-frame: the client 10.77.1.2 closes the connection without a Close frame"
        );
        assert_eq!(script.rules(), ["no-close-frame"]);
        let detail = script.finding("no-close-frame").unwrap().detail;
        assert_eq!(
            detail,
            [
                "The FIN comes after 2 frames; the other side sees close code 1006.",
                "The server sends Close 1002 only when that has come."
            ]
        );
    }

    #[test]
    fn what_ends_in_order_or_not_at_all_is_left_alone() {
        let (script, _) = session();
        assert_eq!(script.rules(), [""; 0], "the capture stops");
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, close_frame(From::Server, 1000));
        script
            .say(&mut client, From::Client, close_frame(From::Client, 1000))
            .close(&mut client, From::Server);
        assert!(script.finding("no-close-frame").is_none());
        let (mut script, mut client) = session();
        client.loses(5);
        script
            .say(&mut client, From::Server, text_frame(From::Server, "hi"))
            .close(&mut client, From::Server);
        assert!(script.finding("no-close-frame").is_none(), "the capture lacks bytes");
    }

    #[test]
    fn the_captures_of_clients_that_vanish_give_notes() {
        for capture in ["client-vanished", "client-reset"] {
            let leading = leading_of(capture);
            assert!(
                leading.starts_with("note no-close-frame: the client 10.77.1.2 "),
                "{capture}: {leading}"
            );
        }
        assert_eq!(leading_of("nginx-all-correct"), "");
    }
}
