//! HTTP or HTML in clear text is sent where a frame is due.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::violations::{self, Says};
use crate::protocol::Anomaly;

/// HTTP or HTML in clear text is sent where a frame is due.
pub(super) static RULE: Rule = Rule {
    name: "http-in-tunnel",
    code: "WS614",
    severity: Severity::Error,
    summary: "HTTP or HTML in clear text is sent where a frame is due",
    page: "\
## What it sees

After the 101, where the next frame should begin, the letters `HTTP/1.`, `GET /`, `POST /` or the start of an HTML
page. What follows on that side is not read as frames before one is found again.

## Why it breaks

The other side takes the letters for a header: `H` is a close frame in fragments with a reserved bit. Browsers say
\"Invalid frame header\" and report code 1006.

## How to mend it

Somebody writes an HTTP answer onto a socket that is a WebSocket already. In Node.js mostly two listeners of the
server's `upgrade` event both answer: one upgrades, the other writes `HTTP/1.1 400 Bad Request` and closes, as `ws`
does for a path that is not its own. Use `noServer: true` and choose by path in one place. In other programs an error
handler or a middleware sends its page though the connection was upgraded.
",
    see: "https://github.com/websockets/ws#multiple-servers-sharing-a-single-https-server",
    explains: &["closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

const SAYS: Says = Says {
    kind: Anomaly::HttpInTunnel,
    headline: "writes HTTP onto an upgraded connection",
    law: "RFC 6455 section 4.2.2: after the 101 the connection carries frames only.",
    origin: "Mostly two listeners of one upgrade event, or an error handler that does not know that the connection was upgraded.",
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    violations::finding(&RULE, route, &SAYS)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn an_http_answer_after_the_101_is_told_once() {
        let (mut script, mut client) = session();
        let page = "HTTP/1.1 400 Bad Request\r\nContent-Length: 5000\r\n\r\n".to_owned() + &"x".repeat(5000);
        script.say(&mut client, From::Server, page);
        script.close(&mut client, From::Client);
        assert_eq!(script.rules(), ["http-in-tunnel"]);
        assert_eq!(
            script.leading(),
            "error http-in-tunnel: the server 10.77.1.1:80 writes HTTP onto an upgraded connection"
        );
    }

    #[test]
    fn frames_behind_it_are_no_sign_of_a_loss() {
        let (mut script, mut client) = session();
        script.say(
            &mut client,
            From::Server,
            "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\nno",
        );
        script.say(&mut client, From::Server, text_frame(From::Server, "{\"sid\":\"abcdefghijkl\"}"));
        script.finish(&mut client, From::Server);
        script
            .say(&mut client, From::Client, close_frame(From::Client, 1002))
            .finish(&mut client, From::Client);
        let finding = script.finding("http-in-tunnel").unwrap();
        assert_eq!(finding.severity.name(), "error");
        assert!(!finding.detail.concat().contains("lacks"), "{:?}", finding.detail);
    }

    #[test]
    fn http_in_a_message_is_not() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Server, text_frame(From::Server, "HTTP/1.1 400 Bad Request"));
        assert_eq!(script.rules(), [""; 0]);
    }
}
