//! `Sec-WebSocket-Accept` does not belong to the key.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::switching;
use crate::diagnosis::view::RouteView;
use crate::protocol::{ResponseProblem, accept_for};

/// `Sec-WebSocket-Accept` does not belong to the key.
pub(super) static RULE: Rule = Rule {
    name: "accept-wrong",
    code: "WS301",
    severity: Severity::Error,
    summary: "the 101 has a Sec-WebSocket-Accept that does not belong to the key",
    page: "\
## What it sees

The answer is 101, and its `Sec-WebSocket-Accept` is not the base64 form of the SHA-1 of the key of the same connection
and the fixed identifier of RFC 6455 section 4.2.2.

## Why it breaks

The value proves that the server understood this very request. Clients must give up without it (RFC 6455 section 4.1).
It is wrong when the answer belongs to another request: a cached or fixed answer, a proxy that opens a connection with
a key of its own and passes the accept value of that one on, two upgrade handlers on one socket, or code that computes
it by hand.

## How to mend it

Look at the legs: if the value is right between proxy and upstream and wrong at the client, the proxy is at fault,
usually IIS or a gateway that ends the WebSocket itself. Proxies that hand upgrades on (nginx, HAProxy, Apache, Caddy,
Traefik) do not touch the value, so with these it is the application. Leave the handshake to a WebSocket library, attach
one upgrade handler only, and let no cache stand before it.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2",
    explains: &["refused-by-upstream", "refused-by-proxy", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let fault = switching::fault(route, ResponseProblem::AcceptWrong)?;
    let key = fault.leg.asked("sec-websocket-key")?;
    let sent = fault.leg.answered_text("sec-websocket-accept")?;
    let is_sample = sent == SAMPLE;
    let finding = fault
        .finding(&RULE, route, "answers with an accept value that does not belong to the key")
        .saying(format!(
            "The key asks for {}, and the 101 has {}.",
            accept_for(key),
            route.quote(sent.as_bytes())
        ));
    Some(if is_sample {
        finding.saying("That is the sample value of RFC 6455: the answer is fixed and not computed.")
    } else {
        finding
    })
    .map(|finding| finding.advising(switching::USE_A_LIBRARY))
}

/// RFC 6455 section 1.3.
const SAMPLE: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// One attempt over a proxy: what the upstream answers, and what the client gets.
    fn through(answered: &str, passed_on: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        script.say(&mut upstream, From::Server, answered).say(&mut client, From::Server, passed_on);
        script
    }

    #[test]
    fn the_first_who_has_it_wrong_is_named() {
        let wrong = switching_with(&[("Sec-WebSocket-Accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")]);
        let headline = "answers with an accept value that does not belong to the key";
        let cases = [
            (&wrong, &wrong, format!("error accept-wrong: the upstream 10.77.2.2:3000 {headline}")),
            (&switching(), &wrong, format!("error accept-wrong: the proxy 10.77.2.1 {headline}")),
            (&wrong, &switching(), format!("warning accept-wrong: the upstream 10.77.2.2:3000 {headline}")),
        ];
        for (answered, passed_on, expected) in cases {
            assert_eq!(through(answered, passed_on).leading(), expected);
        }
        assert!(through(&switching(), &switching()).finding("accept-wrong").is_none());
        let finding = through(&wrong, &wrong).finding("accept-wrong").unwrap();
        assert_eq!(finding.detail[0], "The proxy 10.77.2.1 passes it on, and the client must refuse it.");
        assert!(
            finding.detail[1].contains(ACCEPT) && finding.detail[1].contains("AAAA"),
            "{:?}",
            finding.detail
        );
    }

    #[test]
    fn a_client_that_goes_on_makes_it_a_warning() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(
            &mut client,
            From::Client,
            request_with(&[("Sec-WebSocket-Key", "MAZh2tg+QykGCdHVG70tAA==")]),
        );
        script.say(&mut client, From::Server, switching());
        script.say(&mut client, From::Client, text_frame(From::Client, "hello"));
        let finding = script.finding("accept-wrong").unwrap();
        assert_eq!(finding.severity.name(), "warning");
        assert_eq!(finding.blame.spoken(), "the server 10.77.1.1:80");
        assert!(
            finding.detail.iter().any(|sentence| sentence.contains("sample value")),
            "{:?}",
            finding.detail
        );
    }
}
