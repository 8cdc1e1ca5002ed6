//! A 101 that announces a body.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::switching;
use crate::diagnosis::view::RouteView;
use crate::protocol::{ResponseProblem, Role};

/// A 101 that announces a body.
pub(super) static RULE: Rule = Rule {
    name: "switching-with-body",
    code: "WS306",
    severity: Severity::Error,
    summary: "the 101 announces a body, which it cannot have",
    page: "\
## What it sees

The 101 has a `Content-Length` above 0 or a `Transfer-Encoding`.

## Why it breaks

A 101 ends with its head (RFC 9110 section 15.2). If a body follows all the same, the client reads it as frames and
fails, usually because of reserved bits or an impossible length. If none follows, the fields alone may confuse a proxy,
which waits for bytes that do not come.

## How to mend it

Something treats the 101 as an ordinary answer: middleware that compresses, adds a body or a length, or a handler that
writes JSON after it accepted the WebSocket. Take the WebSocket's path out of it.
",
    see: "https://www.rfc-editor.org/rfc/rfc9110#section-15.2",
    explains: &["refused-by-upstream", "refused-by-proxy", "no-close-frame", "WS6"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let fault = switching::fault(route, ResponseProblem::BodyPresent)?;
    let fields = ["content-length", "transfer-encoding"];
    let announces = fields.into_iter().find_map(|name| Some((name, fault.leg.answered(name)?)));
    let announces = announces.map(|(name, value)| {
        let name = if name == "content-length" { "Content-Length" } else { "Transfer-Encoding" };
        format!("The 101 has {name}: {}.", route.quote_field(name, value))
    });
    let finding = Finding::new(&RULE, fault.blame, "answers 101 and announces a body")
        .saying_also(announces)
        .shown_by(route.packets());
    let Some(session) = &route.first.attempt.session else { return Some(finding.at_most(Severity::Warning)) };
    let is_nonsense =
        session.server.undecoded_bytes > 0 || session.anomalies.iter().any(|it| it.by == Role::Server);
    let gave_up = session.client.frames() == session.client.close
        && route.first.connection.closed_by() == Some(Role::Client);
    Some(if is_nonsense || gave_up {
        finding.saying("What follows its head is no frame, so the client fails.")
    } else {
        finding.at_most(Severity::Warning)
    })
    .map(|finding| finding.advising("Take the WebSocket's path out of what compresses or completes answers."))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn answered(fields: &[(&str, &str)], rest: &[u8]) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.say(&mut client, From::Server, [switching_with(fields).as_bytes(), rest].concat());
        script
    }

    #[test]
    fn a_body_breaks_the_session() {
        let script = answered(&[("Content-Length", "23")], b"{\"upgrade\":\"accepted\"}\n");
        let finding = script.finding("switching-with-body").unwrap();
        assert_eq!(finding.severity.name(), "error");
        assert_eq!(finding.sentence(), "the server 10.77.1.1:80 answers 101 and announces a body");
        assert_eq!(finding.detail[0], "The 101 has Content-Length: 23.");
    }

    #[test]
    fn an_announcement_alone_is_a_warning_and_none_is_fine() {
        let frame = text_frame(From::Server, "hello");
        let announced = answered(&[("Transfer-Encoding", "chunked")], &frame);
        assert_eq!(announced.finding("switching-with-body").unwrap().severity.name(), "warning");
        assert!(answered(&[("Content-Length", "0")], &frame).rules().is_empty());
    }
}
