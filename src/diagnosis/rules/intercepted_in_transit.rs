//! Somebody between two points of capture speaks in the name of both hosts.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::model::Outcome;
use crate::protocol::Role;
use crate::routes::{Change, Part};

/// Somebody between two points of capture speaks in the name of both hosts.
pub(super) static RULE: Rule = Rule {
    name: "intercepted-in-transit",
    code: "WS706",
    severity: Severity::Error,
    summary: "two captures show that somebody between the hosts takes a connection over",
    page: "\
## What it sees

Two files show connections between the same addresses and ports at the same time, captured at two points, and the bytes
differ: other sequence numbers, another request, another answer. Or one point shows an answer in the server's name, and
the point at the server has no packet of that connection though it has others of the same client.

It is an error if the client's attempt failed and the server's side shows another end of it, a warning if something was
changed, and a note if bytes are only passed on.

## Why it breaks

A transparent proxy, a virus scanner, a firewall that looks into HTTP, or a WAN accelerator ends the connection and
opens one of its own, with the addresses of both hosts. Neither of them can know. If it does not speak WebSocket, it
drops `Upgrade`, answers by itself, or waits for the end of an answer that has none.

## How to mend it

Except these hosts or this port from the device, or use `wss://`, which it cannot look into without a certificate of its
own. If it is a load balancer of yours that keeps the client's address, it is the one to configure; see
`upgrade-stripped`.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-10.3",
    explains: &["WS3", "no-response", "client-gave-up", "attempts-differ", "path-blocked", "path-loss"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    between(route).or_else(|| made_up(route))
}

/// Both points have a leg.
fn between(route: &RouteView<'_>) -> Option<Finding> {
    let (before, hop, after) = route.hops().find(|(_, hop, _)| hop.is_interception)?;
    let point =
        |leg: &LegView<'_>| route.capture.point_name(leg.connection.tcp.flow.point().unwrap_or_default());
    let (here, there) = (point(before), point(after));
    let answers_differ = before.status() != after.status();
    let severity = match (route.has_failed() && answers_differ, hop.changes.is_empty() && !answers_differ) {
        (true, _) => Severity::Error,
        (false, false) => Severity::Warning,
        (false, true) => Severity::Note,
    };
    let [client, server] = [Role::Client, Role::Server].map(|role| before.connection.endpoint(role));
    let status =
        |leg: &LegView<'_>| leg.status().map_or_else(|| "none".to_owned(), |status| status.to_string());
    let changed: Vec<String> = hop.changes.iter().take(CHANGES_TOLD).map(change).collect();
    Some(
        Finding::new(&RULE, Blame::Network, "takes a connection over in transit")
            .at_most(severity)
            .saying(format!(
                "{here} and {there} show other bytes between {client} and {server}: somebody between the two points \
                 ends the connection and opens one of its own in the names of both."
            ))
            .saying_also((!changed.is_empty()).then(|| format!("Of the request, {}.", words::list(&changed))))
            .saying_also(answers_differ.then(|| {
                format!("The answer is {} in {there} and {} in {here}.", status(after), status(before))
            }))
            .shown_by(before.packets())
            .shown_by(after.packets())
            .advising(ADVICE),
    )
}

fn change(change: &Change) -> String {
    let what = match &change.part {
        Part::Method => "the method".to_owned(),
        Part::Target => "the target".to_owned(),
        Part::HttpVersion => "the version of HTTP".to_owned(),
        Part::Header(name) => name.clone(),
    };
    match (&change.before, &change.after) {
        (_, None) => format!("{what} was dropped"),
        (None, _) => format!("{what} was added"),
        _ => format!("{what} was rewritten"),
    }
}

/// The server's point has nothing of a connection that was answered.
fn made_up(route: &RouteView<'_>) -> Option<Finding> {
    let leg = &route.first;
    let (sent, [here, there]) = leg.connection.passage(Role::Client)?;
    let (answered, _) = leg.connection.passage(Role::Server)?;
    let is_made_up = sent.passed == 0 && answered.passed == 0 && answered.appeared.packets > 0;
    if !is_made_up || sent.lost.packets.saturating_add(sent.uncaptured) == 0 {
        return None;
    }
    let [here, there] = [here, there].map(|point| route.capture.point_name(point));
    let server = leg.connection.endpoint(Role::Server);
    Some(
        Finding::new(&RULE, Blame::Network, format!("answers in the name of {server}"))
            .at_most(if leg.outcome == Outcome::Established { Severity::Warning } else { Severity::Error })
            .saying(format!(
                "{here} has a connection to {server} that is answered, and {there} has no packet of it, though it has \
                 others between these hosts."
            ))
            .shown_by(leg.packets())
            .advising(ADVICE),
    )
}

const ADVICE: &str = "Look for a transparent proxy, a virus scanner or a firewall that looks into HTTP between the two \
    points, and except these hosts from it; wss:// keeps most of them out.";

/// Changes of a request that are told.
const CHANGES_TOLD: usize = 5;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// What the client's point and the server's show where somebody between them has a connection to each.
    fn intercepted(forwarded: &str, answered: &str, passed_on: &str) -> Diagnosis {
        let (mut near, mut far) = (Script::default(), Script::default());
        let mut there = Script::midstream(CLIENT, PROXY);
        (there.client_isn, there.server_isn) = (77_000, 99_000);
        let mut here = near.connect(CLIENT, PROXY);
        far.open(&mut there);
        near.say_alone(&mut here, From::Client, request());
        far.wait_ms(1).say(&mut there, From::Client, forwarded).say(&mut there, From::Server, answered);
        near.wait_ms(5).say(&mut here, From::Server, passed_on);
        two_captures(&near, &far)
    }

    #[test]
    fn a_connection_that_is_taken_over_is_told() {
        let stripped = request_with(&[("Upgrade", ""), ("Connection", "close")]);
        let refused = answer("400 Bad Request", &[], "");
        let blocked = answer("403 Forbidden", &[], "no");
        for (forwarded, answered, passed_on, expected) in [
            // Who takes the upgrade out is told by the rule for that.
            (&stripped, &refused, &refused, {
                "error stripped-in-transit: the network takes the upgrade out of requests in transit"
            }),
            (&request(), &switching(), &blocked, {
                "error intercepted-in-transit: the network takes a connection over in transit"
            }),
            (&request_with(&[("Host", "other.example.test")]), &switching(), &switching(), {
                "warning intercepted-in-transit: the network takes a connection over in transit"
            }),
            (&request(), &switching(), &switching(), {
                "note intercepted-in-transit: the network takes a connection over in transit"
            }),
        ] {
            let diagnosis = intercepted(forwarded, answered, passed_on);
            assert_eq!(leading(&diagnosis), expected);
            assert_eq!(diagnosis.routes.len(), 1, "{:?}", diagnosis.findings);
        }
        let diagnosis = intercepted(&request(), &switching(), &blocked);
        assert_eq!(
            diagnosis.findings[0].detail,
            [
                "client.pcap and server.pcap show other bytes between 10.77.1.2:50000 and 10.77.1.1:80: somebody between \
                 the two points ends the connection and opens one of its own in the names of both.",
                "The answer is 101 in server.pcap and 403 in client.pcap.",
            ]
        );
    }

    #[test]
    fn an_answer_that_the_server_never_gave_is_told() {
        let (mut near, mut client) = session();
        near.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        let mut far = near.clone();
        let mut second = near.connect("10.77.1.2:50010", PROXY);
        near.say(&mut second, From::Client, request());
        near.say(&mut second, From::Server, answer("403 Forbidden", &[], "no"));
        // Time tells who is nearer to the client.
        let mut again = client;
        near.wait_ms(2_000);
        far.wait_until(&near).say(&mut again, From::Client, text_frame(From::Client, "hello")).later_by(30);
        near.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        let diagnosis = two_captures(&near, &far);
        assert_eq!(
            leading(&diagnosis),
            "error intercepted-in-transit: the network answers in the name of 10.77.1.1:80"
        );
    }

    #[test]
    fn what_is_the_same_at_both_points_is_left_alone() {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        for ahead in [-2_000, 0, 2_000] {
            assert_eq!(at_two_points(&script, &[], ahead).findings.len(), 0);
        }
    }
}
