//! Client and server speak different protocols of GraphQL.

use crate::diagnosis::ends;
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::Role;
use crate::units::PacketNumber;

/// Client and server speak different protocols of GraphQL.
pub(super) static RULE: Rule = Rule {
    name: "graphql-subprotocol",
    code: "WS804",
    severity: Severity::Error,
    summary: "a GraphQL client and its server do not speak the same subprotocol",
    page: "\
## What it sees

A client that offers `graphql-ws` or `graphql-transport-ws` to a server of the other: the 101 chooses the other of the
two, or the server closes with 4406 (subprotocol not acceptable), or it closes with 1002 before it has said anything,
whatever the 101 chose: the library below takes what is offered first. A server that only chooses none is told as
`subprotocol-mismatch`.

## Why it breaks

There are two protocols, and their names mislead. `graphql-transport-ws` is that of the library graphql-ws, which is
the newer one. `graphql-ws` is that of subscriptions-transport-ws, which is no longer kept up. Their messages differ,
so a client of one and a server of the other end the connection at once: a server of the newer library with 4406, one
of the older with 1002.

## How to mend it

Use the same pair on both sides: the library `graphql-ws` for client and server (Apollo: `GraphQLWsLink` with
`useServer`), or keep the old one on both (`WebSocketLink` with `SubscriptionServer`). A gateway that opens the
WebSocket on behalf of the client must hand `Sec-WebSocket-Protocol` on, in both directions.
",
    see: "https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md",
    explains: &["subprotocol-mismatch", "closed-with-error", "close-unanswered", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let leg = route.legs().filter(|leg| is_it(leg)).last()?;
    let offered = names(leg.request.as_ref()?.fields.list(FIELD));
    let chosen = leg.response.as_ref().map(|answer| answer.fields.list(FIELD)).unwrap_or_default();
    let close = close(leg);
    let what = match (names(chosen), close) {
        (known, Some((code, _))) if known.iter().any(|name| offered.contains(name)) => {
            format!("the server agrees, and closes with {code} before it has said anything")
        }
        (known, _) if !known.is_empty() => format!("the server chooses {}", known.join(" and ")),
        (_, Some((code, _))) => format!("the server closes with {code}"),
        (_, None) => return None,
    };
    Some(
        Finding::new(&RULE, server(route, leg), "does not speak the GraphQL protocol that the client offers")
            .saying(format!("The client offers {}, and {what}.", offered.join(" and ")))
            .shown_by(leg.packets())
            .shown_by(close.map(|(_, packet)| packet))
            .advising(
                "graphql-transport-ws is what the library graphql-ws speaks, graphql-ws what the older \
             subscriptions-transport-ws does: use one of them on both sides.",
            ),
    )
}

fn server(route: &RouteView<'_>, leg: &LegView<'_>) -> Blame {
    route.frames_from(leg, Role::Server)
}

fn is_it(leg: &LegView<'_>) -> bool {
    let (Some(request), Some(answer)) = (leg.request.as_ref(), leg.response.as_ref()) else { return false };
    let offered = names(request.fields.list(FIELD));
    let chosen = answer.fields.list(FIELD);
    let is_accepted = chosen.iter().any(|chosen| offered.contains(chosen));
    let is_other = chosen.iter().any(|chosen| NAMES.contains(chosen));
    let is_refused = match close(leg) {
        Some((NOT_ACCEPTABLE, _)) => true,
        Some(_) => is_at_odds(leg),
        None => false,
    };
    answer_is_switching(leg) && !offered.is_empty() && ((is_other && !is_accepted) || is_refused)
}

/// Whether the server broke off before it said anything, over a client that broke no rule of RFC 6455.
fn is_at_odds(leg: &LegView<'_>) -> bool {
    ends::session(leg).is_some_and(|session| {
        let violations = session.anomalies.iter().filter(|anomaly| anomaly.by == Role::Client);
        session.role(Role::Server).messages == 0 && violations.count() == 0
    })
}

fn answer_is_switching(leg: &LegView<'_>) -> bool {
    leg.status() == Some(SWITCHING)
}

/// The code and the packet of a close frame that may say so.
fn close(leg: &LegView<'_>) -> Option<(u16, PacketNumber)> {
    let close = ends::session(leg)?.close.as_ref()?;
    (matches!(close.code, NOT_ACCEPTABLE | PROTOCOL_ERROR) && close.by == Role::Server)
        .then_some((close.code, close.origin.packet))
}

fn names(list: Vec<&str>) -> Vec<&str> {
    list.into_iter().filter(|name| NAMES.contains(name)).collect()
}

const FIELD: &str = "Sec-WebSocket-Protocol";
const NAMES: [&str; 2] = ["graphql-ws", "graphql-transport-ws"];
const SWITCHING: u16 = 101;
const NOT_ACCEPTABLE: u16 = 4406;
const PROTOCOL_ERROR: u16 = 1002;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn attempt(offered: &str, chosen: &str, close: Option<u16>) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("Sec-WebSocket-Protocol", offered)]));
        script.say(&mut client, From::Server, switching_with(&[("Sec-WebSocket-Protocol", chosen)]));
        if let Some(code) = close {
            script.say(&mut client, From::Server, close_frame(From::Server, code));
        }
        script.close(&mut client, From::Client);
        script
    }

    #[test]
    fn two_protocols_that_do_not_meet_are_told() {
        let sentence = "error graphql-subprotocol: the server 10.77.1.1:80 does not speak the GraphQL protocol that the \
                        client offers";
        let chosen = "graphql-transport-ws";
        for (chosen, close) in
            [("", Some(1002)), (chosen, Some(1002)), ("graphql-ws", None), ("", Some(4406))]
        {
            let script = attempt("graphql-transport-ws", chosen, close);
            assert_eq!(script.leading(), sentence, "{chosen} {close:?}");
            assert_eq!(script.rules(), ["graphql-subprotocol"]);
        }
    }

    #[test]
    fn a_protocol_error_in_the_midst_of_talk_is_another_fault() {
        let subprotocol = [("Sec-WebSocket-Protocol", "graphql-transport-ws")];
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&subprotocol));
        script.say(&mut client, From::Server, switching_with(&subprotocol));
        script.say(&mut client, From::Server, text_frame(From::Server, "{\"type\":\"connection_ack\"}"));
        script.say(&mut client, From::Server, close_frame(From::Server, 1002));
        script.close(&mut client, From::Server);
        assert!(script.finding("graphql-subprotocol").is_none());
    }

    #[test]
    fn those_that_do_and_others_are_left_alone() {
        for (offered, chosen) in
            [("graphql-ws", "graphql-ws"), ("graphql-transport-ws, graphql-ws", "graphql-ws"), ("chat", "")]
        {
            assert!(attempt(offered, chosen, None).finding("graphql-subprotocol").is_none(), "{offered}");
        }
    }
}
