//! The subprotocol of the 101 is none that the client offered, or there is none.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::switching::{self, Fault};
use crate::diagnosis::view::RouteView;
use crate::protocol::{ResponseProblem, Role};
use crate::redact;

/// The subprotocol of the 101 is none that the client offered, or there is none.
pub(super) static RULE: Rule = Rule {
    name: "subprotocol-mismatch",
    code: "WS307",
    severity: Severity::Error,
    summary: "the 101 chooses no subprotocol of those offered, or several",
    page: "\
## What it sees

The request offers subprotocols in `Sec-WebSocket-Protocol`, and the 101 has one that was not offered, several, or none.

## Why it breaks

A client must give up if the value is none of those that it offered (RFC 6455 section 4.1). If there is none, the RFC
lets it go on, but browsers give up too, and so do many libraries. The finding is an error if the client was seen to
leave without a word, else a note.

## How to mend it

Let both sides speak of the same subprotocol. Cases that are met often: `graphql-ws`, the older protocol, against
`graphql-transport-ws`; a token that the client sends as a subprotocol, which the server has to answer with a value of
the list all the same; a gateway function that does not send the chosen value back; a proxy that drops
`Sec-WebSocket-Protocol`. If the client needs none, do not offer any.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    explains: &["refused-by-upstream", "refused-by-proxy", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    for (problem, headline) in [
        (ResponseProblem::SubprotocolRepeated, "chooses several subprotocols"),
        (ResponseProblem::SubprotocolNotOffered, "chooses a subprotocol that the client did not offer"),
    ] {
        if let Some(fault) = switching::fault(route, problem) {
            let finding = fault.finding(&RULE, route, headline);
            return Some(finding.saying(values(route, &fault)));
        }
    }
    let fault = switching::fault(route, ResponseProblem::SubprotocolMissing)?;
    let finding = lost_on_the_way(route, &fault).unwrap_or_else(|| {
        Finding::new(&RULE, fault.blame.clone(), "chooses no subprotocol of those offered")
            .saying(values(route, &fault))
    });
    let finding = finding.shown_by(route.packets());
    Some(if gave_up(route) {
        finding.saying(
            "RFC 6455 lets a client go on without one; this client left without a frame, as browsers do.",
        )
    } else {
        finding.at_most(Severity::Note)
    })
}

/// Where a proxy is seen to keep the offer or the choice to itself.
fn lost_on_the_way(route: &RouteView<'_>, fault: &Fault<'_, '_>) -> Option<Finding> {
    let (before, hop, after) = route.hops().find(|(before, ..)| before.place == fault.leg.place)?;
    let (Some(asked), Some(answered)) = (&after.request, &after.response) else { return None };
    let proxy = Blame::proxy(&hop.proxy);
    if asked.fields.values(FIELD).next().is_none() {
        return Some(
            Finding::new(&RULE, proxy, "forwards the request without Sec-WebSocket-Protocol")
                .saying(values(route, fault))
                .saying("The upstream is offered none, so that it cannot choose.")
                .advising("Look for what removes that field, or sets it to nothing, at the proxy."),
        );
    }
    let is_lost =
        hop.is_proxy() && before.answered(FIELD).is_none() && answered.fields.values(FIELD).next().is_some();
    is_lost.then(|| {
        Finding::new(&RULE, proxy, "passes the 101 on without Sec-WebSocket-Protocol")
            .saying(values(route, fault))
            .saying("The upstream's own answer has it.")
            .advising("Look for what removes that field from answers at the proxy.")
    })
}

/// What was offered and what was chosen.
fn values(route: &RouteView<'_>, fault: &Fault<'_, '_>) -> String {
    let list = |fields: Option<&crate::protocol::Fields<'_>>| {
        let values = fields.map(|fields| fields.list(FIELD)).unwrap_or_default();
        if route.shows_secrets { values.join(", ") } else { redact::subprotocols(&values).join(", ") }
    };
    let offered = list(fault.leg.request.as_ref().map(|request| &request.fields));
    let chosen = list(fault.leg.response.as_ref().map(|response| &response.fields));
    match (offered.is_empty(), chosen.is_empty()) {
        (true, _) => format!("The client offers none, and the 101 has {chosen}."),
        (false, true) => format!("The client offers {offered}, and the 101 has no Sec-WebSocket-Protocol."),
        (false, false) => format!("The client offers {offered}, and the 101 has {chosen}."),
    }
}

/// Whether the client left at once: it sent no frame, or none but a close frame that complains, and ended the
/// connection first.
fn gave_up(route: &RouteView<'_>) -> bool {
    let leg = &route.first;
    let Some(session) = &leg.attempt.session else { return false };
    let complains = session.close.as_ref().is_some_and(|close| {
        close.by == Role::Client && matches!(close.code, 1002 | 1010) && session.client.frames() == 1
    });
    let left = session.client.frames() == 0 && leg.connection.closed_by() == Some(Role::Client);
    (complains || left) && !leg.is_doubtful()
}

const FIELD: &str = "sec-websocket-protocol";

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn answered(offered: &str, chosen: &str) -> (Script, Talk) {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("Sec-WebSocket-Protocol", offered)]));
        script.say(&mut client, From::Server, switching_with(&[("Sec-WebSocket-Protocol", chosen)]));
        (script, client)
    }

    #[test]
    fn what_was_not_offered_cannot_be_chosen() {
        let cases = [
            ("v1.chat", "v2.chat", "chooses a subprotocol that the client did not offer", {
                "The client offers v1.chat, and the 101 has v2.chat."
            }),
            ("a, b", "a, b", "chooses several subprotocols", "The client offers a, b, and the 101 has a, b."),
            ("", "mqtt", "chooses a subprotocol that the client did not offer", {
                "The client offers none, and the 101 has mqtt."
            }),
        ];
        for (offered, chosen, headline, told) in cases {
            let finding = answered(offered, chosen).0.finding("subprotocol-mismatch").unwrap();
            assert_eq!((finding.severity.name(), finding.headline.as_str()), ("error", headline));
            assert!(finding.detail.iter().any(|sentence| sentence == told), "{:?}", finding.detail);
        }
        assert!(answered("a, b", "b").0.rules().is_empty());
        assert!(answered("", "").0.rules().is_empty());
    }

    #[test]
    fn none_is_an_error_if_the_client_left() {
        let (mut script, mut client) = answered("graphql-transport-ws", "");
        script.close(&mut client, From::Client);
        let expected =
            "error subprotocol-mismatch: the server 10.77.1.1:80 chooses no subprotocol of those offered";
        assert_eq!(script.leading(), expected);

        let (mut script, mut client) = answered("graphql-transport-ws", "");
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        script.close(&mut client, From::Client);
        assert_eq!(script.finding("subprotocol-mismatch").unwrap().severity.name(), "note");
    }

    #[test]
    fn a_proxy_that_loses_it_is_named() {
        for (offered, chosen, headline) in [
            ("", "", "forwards the request without Sec-WebSocket-Protocol"),
            ("mqtt", "mqtt", "passes the 101 on without Sec-WebSocket-Protocol"),
        ] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Sec-WebSocket-Protocol", "mqtt")]));
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut upstream, From::Client, request_with(&[("Sec-WebSocket-Protocol", offered)]));
            script.say(&mut upstream, From::Server, switching_with(&[("Sec-WebSocket-Protocol", chosen)]));
            script.say(&mut client, From::Server, switching());
            script.close(&mut client, From::Client).close(&mut upstream, From::Client);
            assert_eq!(
                script.leading(),
                format!("error subprotocol-mismatch: the proxy 10.77.2.1 {headline}")
            );
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let (script, _) = answered("bearer, abcdefghijklmnopqrstuvwxyz0123456789", "bearer, x");
        let finding = script.finding("subprotocol-mismatch").unwrap();
        assert!(!finding.detail.concat().contains("0123456789"), "{:?}", finding.detail);
    }
}
