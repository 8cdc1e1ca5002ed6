//! From some packet on nothing gets through between two points of capture.

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::model::Connection;
use crate::protocol::Role;

/// From some packet on nothing gets through between two points of capture.
pub(super) static RULE: Rule = Rule {
    name: "path-blocked",
    code: "WS704",
    severity: Severity::Error,
    summary: "two captures show that what one side sends never gets to the other",
    page: "\
## What it sees

Two files show the same traffic, captured at two points. The point on the sender's side has packets, at least two of
them, that the other point never shows, and after them none of that side gets through any more. The other point captured
at that time: it has earlier and later packets. A SYN counts too, where the other point shows more connections between
the same two hosts.

## Why it breaks

Something between the two points drops the packets: a firewall, a NAT or load balancer that has forgotten the connection
after a silence, a security group, a link that is down. The hosts are innocent; each of them only sees that the other
one is silent.

## How to mend it

Look at what is between the two points, first at timeouts for idle connections if the last packet that passed is minutes
older than the first one that did not: pings of the application that come more often than that keep the connection
known. A third capture between the two halves the way that has to be searched.
",
    see: "https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3",
    explains: &[
        "half-open",
        "no-response",
        "client-gave-up",
        "upstream-silent",
        "upstream-unreachable",
        "refused-by-proxy",
        "path-loss",
        "retransmission-storm",
        "ping-unanswered",
        "close-unanswered",
        "no-close-frame",
        "idle-timeout",
    ],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let connections = view.capture.connections.iter().enumerate();
    let with_passage = connections.filter(|(_, connection)| connection.passage.is_some());
    with_passage
        .filter_map(|(place, connection)| {
            let finding =
                [Role::Client, Role::Server].into_iter().find_map(|role| judge(view, connection, role))?;
            Some(finding.about(about(view, place, connection)))
        })
        .collect()
}

/// The route that the connection is a leg or a try of; failing that, the connection.
fn about(view: &CaptureView<'_>, place: usize, connection: &Connection) -> About {
    let is_it = |other: &Connection| other.id() == connection.id();
    let has = |route: &&crate::diagnosis::view::RouteView<'_>| {
        route.legs().any(|leg| is_it(leg.connection)) || route.tries.iter().any(|it| is_it(it))
    };
    match view.routes.iter().find(has) {
        Some(route) => About::Routes(vec![route.index]),
        None => About::Connections(vec![place]),
    }
}

fn judge(view: &CaptureView<'_>, connection: &Connection, role: Role) -> Option<Finding> {
    let (half, points) = connection.passage(role)?;
    let (other, _) = connection.passage(role.other())?;
    // What is sent in a host's name though nothing of it leaves the host is another matter.
    let is_made_up = half.passed == 0 && other.appeared.packets > 0;
    let (first, last) = (half.lost.first?, half.lost.last?);
    if half.lost.to_the_end < LEAST || is_made_up {
        return None;
    }
    let [here, there] = points.map(|point| view.capture.point_name(point));
    let (from, to) = (connection.endpoint(role), connection.endpoint(role.other()));
    let (more, since) = match half.last_passed {
        None => ("nothing", None),
        Some((_, time)) => ("nothing more", Some(first.1.since(time))),
    };
    let sent = match half.lost.opening {
        opening if opening == half.lost.packets => words::count(opening, "SYN"),
        _ => words::count(half.lost.packets, "packet"),
    };
    let silent = since.map(|since| {
        format!(
            "Before, {} passed; the last one {} before the first that did not.",
            words::count(half.passed, "packet"),
            words::span(since)
        )
    });
    Some(
        Finding::new(
            &RULE,
            Blame::Network,
            format!("lets {more} through from {} to {}", from.address, to.address),
        )
        .saying(format!("{here} has {sent} from {from} to {to} that {there} never shows."))
        .saying_also(silent)
        .shown_by(half.last_passed.map(|(packet, _)| packet))
        .shown_by([first.0, last.0])
        .advising(
            "Look at firewalls, address translation and load balancers between the two points, and at their timeouts \
             for idle connections; a third capture in between halves the way to be searched.",
        ),
    )
}

/// One that is lost and nothing after it says little.
const LEAST: u64 = 2;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// A session with some frames, then silence and frames that are sent again, of which the server's side sees none.
    fn blocked(wait_ms: u64, tries: u64) -> (Script, Vec<usize>) {
        let (mut script, mut client) = session();
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        script.wait_ms(wait_ms);
        let from = script.len();
        script.say_alone(&mut client, From::Client, text_frame(From::Client, "still there?"));
        for turn in 1..tries {
            script.wait_ms(200 << turn);
            script.say_again(&mut client, From::Client, text_frame(From::Client, "still there?"));
        }
        let lost = (from..script.len()).collect();
        // Others go on, so that both captures do.
        script.wait_ms(5_000);
        let mut other = script.connect("10.77.1.2:50009", PROXY);
        script.say(&mut other, From::Client, request()).say(&mut other, From::Server, switching());
        (script, lost)
    }

    #[test]
    fn what_never_arrives_is_told() {
        let (script, lost) = blocked(350_000, 4);
        let diagnosis = at_two_points(&script, &lost, 3_000);
        assert_eq!(
            leading(&diagnosis),
            "error path-blocked: the network lets nothing more through from 10.77.1.2 to 10.77.1.1"
        );
        let finding = &diagnosis.findings[0];
        assert_eq!(
            finding.detail,
            [
                "client.pcap has 4 packets from 10.77.1.2:50000 to 10.77.1.1:80 that server.pcap never shows.",
                "Before, 5 packets passed; the last one 5 min 50 s before the first that did not.",
            ]
        );
        assert!(diagnosis.findings.iter().all(|it| it.rule.name != "path-loss"));
    }

    #[test]
    fn a_syn_that_never_arrives_is_told() {
        let (mut script, _) = blocked(10, 1);
        let from = script.len();
        script.unanswered("10.77.1.2:50010", PROXY);
        let lost: Vec<usize> = (from..script.len()).collect();
        script.wait_ms(2_000);
        script.connect("10.77.1.2:50011", PROXY);
        let diagnosis = at_two_points(&script, &lost, -3_000);
        let finding = diagnosis.findings.iter().find(|it| it.rule.name == "path-blocked").unwrap();
        assert_eq!(finding.sentence(), "the network lets nothing through from 10.77.1.2 to 10.77.1.1");
        assert_eq!(
            finding.detail,
            ["client.pcap has 4 SYNs from 10.77.1.2:50010 to 10.77.1.1:80 that server.pcap never shows."]
        );
    }

    #[test]
    fn what_arrives_or_may_have_arrived_is_left_alone() {
        // All of it is there.
        let (script, lost) = blocked(1_000, 4);
        assert!(at_two_points(&script, &[], 3_000).findings.iter().all(|it| it.rule.name != "path-blocked"));
        // The capture at the server ended before.
        let (near, mut far) = points(&script, &lost, 0);
        far.cut_to(lost[0]);
        assert!(two_captures(&near, &far).findings.iter().all(|it| it.rule.name != "path-blocked"));
        // One capture alone cannot tell.
        assert!(script.finding("path-blocked").is_none());
    }
}
