//! Compression was agreed on one side of a proxy and not on the other.

use crate::diagnosis::ends;
use crate::diagnosis::finding::{Blame, Finding, Fix};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::diagnosis::words;
use crate::protocol::{Anomaly, Role};

/// Compression was agreed on one side of a proxy and not on the other.
pub(super) static RULE: Rule = Rule {
    name: "deflate-broken-by-proxy",
    code: "WS511",
    severity: Severity::Error,
    summary: "a proxy lets compression be agreed on with one side only and passes compressed frames on",
    page: "\
## What it sees

Where both sides of a proxy are in the capture: the 101 of one side agrees to permessage-deflate and that of the other
does not, and compressed frames (RSV1) arrive where nothing was agreed on. Where only the client's side is there: the
answer comes from IIS, permessage-deflate was agreed on, and IIS ends the session without one frame from the
application; that is a warning.

## Why it breaks

The proxy changed or dropped `Sec-WebSocket-Extensions` in one of the two heads, and passes the frames on as they are.
The side that agreed compresses, the other sees a reserved bit and fails the connection (RFC 6455 section 5.2, RFC 7692
section 6). IIS with Application Request Routing ends the WebSocket itself and cannot do compression.

## How to mend it

Pass `Sec-WebSocket-Extensions` on unchanged in both directions, or take it out of the request, so that nobody agrees
to anything. Or turn compression off at the server: `perMessageDeflate: false` in ws, `compression=None` in Python's
websockets, `--ws-per-message-deflate false` for Uvicorn. In IIS with ARR set the server variable
`HTTP_SEC_WEBSOCKET_EXTENSIONS` to nothing.
",
    see: "https://www.rfc-editor.org/rfc/rfc7692#section-5",
    explains: &["reserved-bit-set", "closed-with-error", "no-close-frame", "close-unanswered"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    between(route).or_else(|| iis(route))
}

/// Both sides of a proxy, which do not agree on the same.
fn between(route: &RouteView<'_>) -> Option<Finding> {
    route.hops().find_map(|(before, hop, after)| {
        let (client_side, server_side) = (agreed(before)?, agreed(after)?);
        let (without, other) = match (client_side, server_side) {
            (true, false) => (after, before),
            (false, true) => (before, after),
            _ => return None,
        };
        let session = ends::session(without)?;
        let fact = session.anomalies.iter().find(|fact| fact.kind == Anomaly::ReservedBitSet)?;
        let side = |leg: &LegView<'_>| if leg.place == before.place { "client" } else { "upstream" };
        let fix = Fix {
            target: "server",
            place: "whichever library answers the upgrade".to_owned(),
            text: "perMessageDeflate: false        (ws, Node.js)\ncompression=None                (websockets, Python)"
                .to_owned(),
        };
        Some(
            Finding::new(
                &RULE,
                Blame::proxy(&hop.proxy),
                format!("lets only the {}'s side agree to compression", side(other)),
            )
            .saying(format!(
                "The 101 on the {}'s side agrees to permessage-deflate, that on the {}'s side does not, and {} with \
                 RSV1 {} there.",
                side(other),
                side(without),
                words::count(fact.count, "frame"),
                if fact.count == 1 { "arrives" } else { "arrive" },
            ))
            .shown_by(before.response_packet().into_iter().chain(after.response_packet()))
            .shown_by([fact.first.packet])
            .mended_by([fix])
            .advising("Or let the proxy pass Sec-WebSocket-Extensions on unchanged, in the request and in the answer."),
        )
    })
}

/// IIS in front, which ends what it agreed to.
fn iis(route: &RouteView<'_>) -> Option<Finding> {
    let leg = &route.first;
    let is_iis = leg.answered_text("server").is_some_and(|server| server.starts_with("Microsoft-IIS"));
    if !is_iis || route.has_hops() || agreed(leg) != Some(true) {
        return None;
    }
    let end = ends::of(route).filter(|end| end.is_whole && end.is_cut() && end.by == Role::Server)?;
    let session = ends::session(leg)?;
    (session.role(Role::Server).frames() == 0).then(|| {
        Finding::new(&RULE, end.who.clone(), "agrees to compression and ends the session before its first frame")
            .at_most(Severity::Warning)
            .saying(
                "IIS with Application Request Routing ends the WebSocket itself and cannot pass compressed frames on.",
            )
            .shown_by(leg.packets())
            .shown_by([end.packet])
            .advising("Set the server variable HTTP_SEC_WEBSOCKET_EXTENSIONS to nothing, or turn compression off behind it.")
    })
}

/// Whether the answer of a leg agrees to compression; none if the capture lacks it.
fn agreed(leg: &LegView<'_>) -> Option<bool> {
    let head = leg.response.as_ref()?;
    let names = head.fields.list("Sec-WebSocket-Extensions");
    Some(names.iter().any(|name| name.trim_start().starts_with("permessage-deflate")))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const DEFLATE: (&str, &str) = ("Sec-WebSocket-Extensions", "permessage-deflate");

    fn handshake(client_side: &[(&str, &str)]) -> (Script, Talk, Talk) {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[DEFLATE]));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(&[DEFLATE]));
        script.say(&mut upstream, From::Server, switching_with(&[DEFLATE]));
        script.say(&mut client, From::Server, switching_with(client_side));
        script.say(&mut upstream, From::Server, [0xc1, 0x02, 0x01, 0x02]);
        script.say(&mut client, From::Server, [0xc1, 0x02, 0x01, 0x02]);
        script.say(&mut client, From::Client, close_frame(From::Client, 1002));
        (script, client, upstream)
    }

    #[test]
    fn a_proxy_that_drops_the_agreement_is_named() {
        let (script, ..) = handshake(&[]);
        assert_eq!(
            script.leading(),
            "error deflate-broken-by-proxy: the proxy 10.77.2.1 lets only the upstream's side agree to compression"
        );
        assert_eq!(script.rules(), ["deflate-broken-by-proxy"]);
    }

    #[test]
    fn a_proxy_that_passes_it_on_is_not() {
        let (script, ..) = handshake(&[DEFLATE]);
        assert!(script.finding("deflate-broken-by-proxy").is_none());
    }

    #[test]
    fn iis_that_ends_what_it_agreed_to_is_named() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[DEFLATE]));
        script.say(&mut client, From::Server, switching_with(&[DEFLATE, ("Server", "Microsoft-IIS/10.0")]));
        script.close(&mut client, From::Server);
        assert_eq!(script.finding("deflate-broken-by-proxy").unwrap().severity.name(), "warning");
    }
}
