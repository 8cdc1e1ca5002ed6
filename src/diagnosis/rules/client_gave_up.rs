//! A client ends the connection before it has an answer.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::diagnosis::waiting::Unanswered;
use crate::diagnosis::{timeouts, waiting, words};
use crate::protocol::Role;
use crate::units::Span;

/// A client ends the connection before it has an answer.
pub(super) static RULE: Rule = Rule {
    name: "client-gave-up",
    code: "WS406",
    severity: Severity::Error,
    summary: "the client ends the connection before it has an answer",
    page: "\
## What it sees

The client sends its upgrade request and then, before any answer, closes (FIN) or aborts (RST) the connection. Access
logs of nginx call that 499; on the wire there is no status.

## Why it breaks

After a fraction of a second it is usually a person: the page was left, reloaded or closed while it connected. That is
told as a note. After seconds, and most of all after a round number of them, it is a timeout of the client, and the
server had not answered by then. So look for the answer, not at the client. If the capture shows what kept the
server busy, such as an upstream that is silent, that is told instead.

## How to mend it

Capture behind the server too, to see whether it handed the request on and to whom. An upgrade is answered within
milliseconds where nothing is wrong. A longer timeout of the client mends nothing but an application that is slow.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    explains: &["empty-200", "html-instead-of-101", "refused-by-proxy", "refused-by-upstream"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let waits = Unanswered::of(route, &route.first).filter(|waits| waits.is_ended_by(Role::Client))?;
    // Behind a proxy the wait is the upstream's fault, and told as such.
    if waiting::comes_from_proxy(waits.leg) {
        return None;
    }
    let is_short = waits.waited < IMPATIENT;
    let finding = if is_short {
        let client = waits.leg.connection.endpoint(Role::Client);
        Finding::new(&RULE, Blame::Client(client.address), "leaves before it is answered")
            .at_most(Severity::Note)
    } else {
        // Who has not answered is at fault, and that is the innermost one who was asked.
        let asked = waiting::innermost(route).find_map(|waits| waiting::upstream(waits.leg));
        let asked = asked.unwrap_or_else(|| route.answerer(waits.leg));
        Finding::new(&RULE, asked, "has not answered when the client gives up")
    };
    let may_be_node = !matches!(finding.blame, Blame::Proxy(_, Some(_), _));
    let held =
        (!is_short).then(|| if may_be_node { format!("{HELD} {NO_LISTENER}") } else { HELD.to_owned() });
    let known =
        KNOWN.iter().find(|(seconds, _)| timeouts::is_near(waits.waited, Span::from_millis(*seconds)));
    Some(
        finding
            .saying(format!(
                "The client ends the connection with {} {} after {}, before any answer.",
                waits.end_bit(),
                words::span(waits.waited),
                waiting::request_line(route, waits.leg)
            ))
            .saying_also(known.filter(|_| !is_short).map(|(_, whose)| (*whose).to_owned()))
            .shown_by(waits.packets())
            .advising_also(held),
    )
}

/// Round numbers that clients wait.
const KNOWN: &[(i64, &str)] = &[
    (5_000, "5 s is what SignalR clients wait for a transport to connect."),
    (20_000, "20 s is what Socket.IO clients wait to connect."),
];

const HELD: &str = "Who takes a request and says nothing mostly waits itself: for an upstream, a lock, a handler that blocks.";
/// As measured with vite 5.4 and webpack-dev-server 5.2, which leave such a request where it is.
const NO_LISTENER: &str = "In Node.js it may also be that nobody takes it: once a server has a listener of the event \
    'upgrade', an upgrade that no listener handles stays open (vite and webpack-dev-server: ws: true is missing in the entry \
    of their proxy).";

/// Somebody left the page.
const IMPATIENT: Span = Span::from_millis(1_000);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn left_after(millis: u64) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.wait_ms(millis).close(&mut client, From::Client);
        script
    }

    #[test]
    fn the_longer_it_waits_the_less_it_is_the_clients_fault() {
        let client = "client-gave-up: the client 10.77.1.2 leaves before it is answered";
        let server = "client-gave-up: the server 10.77.1.1:80 has not answered when the client gives up";
        for (millis, expected) in [
            (100, format!("note {client}")),
            (2_000, format!("error {server}")),
            (10_000, format!("error {server}")),
        ] {
            assert_eq!(left_after(millis).leading(), expected);
        }
        let detail = left_after(5_000).finding("client-gave-up").unwrap().detail;
        assert_eq!(
            detail,
            [
                "The client ends the connection with a FIN 5.0 s after GET /ws, before any answer.",
                "5 s is what SignalR clients wait for a transport to connect."
            ]
        );
        let advice = |millis| left_after(millis).finding("client-gave-up").unwrap().advice.concat();
        assert!(advice(100).is_empty() && advice(5_000).contains("'upgrade'"));
    }

    #[test]
    fn the_capture_of_an_impatient_client_blames_the_upstream() {
        // Caddy answers when the client is gone.
        for capture in ["client-gave-up", "caddy-client-gave-up"] {
            let upstream =
                "error client-gave-up: the upstream 10.77.2.2:8000 has not answered when the client gives up";
            assert_eq!(leading_of(capture), upstream, "{capture}");
        }
    }

    #[test]
    fn a_client_that_leaves_with_its_answer_is_no_case() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.say(&mut client, From::Server, switching());
        script.close(&mut client, From::Client);
        assert!(script.finding("client-gave-up").is_none());
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.close(&mut client, From::Server);
        assert!(script.finding("client-gave-up").is_none());
    }
}
