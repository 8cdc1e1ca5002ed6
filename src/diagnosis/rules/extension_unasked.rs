//! The 101 accepts an extension that the client did not offer.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::switching;
use crate::diagnosis::view::RouteView;
use crate::protocol::ResponseProblem;

/// The 101 accepts an extension that the client did not offer.
pub(super) static RULE: Rule = Rule {
    name: "extension-unasked",
    code: "WS308",
    severity: Severity::Error,
    summary: "the 101 accepts an extension that the client did not offer",
    page: "\
## What it sees

`Sec-WebSocket-Extensions` of the 101 names an extension that the same field of the request does not.

## Why it breaks

A client must give up (RFC 6455 section 4.1): it would not understand the frames. With `permessage-deflate` the first
compressed frame has a reserved bit set, which nobody agreed on.

## How to mend it

Compare the requests on both sides of each proxy. If the client's has the extension and the upstream's has not, or the
other way round, a proxy changes the field: let it pass the field on in both directions, or drop it in both. If nobody
changes it, the server accepts what was not offered: update its WebSocket library, or turn compression off.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-9.1",
    explains: &["extension-parameter-invalid", "refused-by-upstream", "refused-by-proxy", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let fault = switching::fault(route, ResponseProblem::ExtensionNotOffered)?;
    let field = "sec-websocket-extensions";
    let accepted = fault.leg.answered(field).map(|value| route.quote_field(field, value)).unwrap_or_default();
    let offered = match fault.leg.asked(field) {
        Some(value) => format!("offers {}", route.quote_field(field, value)),
        None => "offers no extension".to_owned(),
    };
    let finding = fault.finding(&RULE, route, "accepts an extension that was not offered");
    Some(finding.saying(format!("The request {offered}, and the 101 accepts {accepted}.")))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn an_extension_has_to_be_offered() {
        let deflate = "permessage-deflate";
        let cases = [
            ("", deflate, Some("The request offers no extension, and the 101 accepts permessage-deflate.")),
            ("x-a", deflate, Some("The request offers x-a, and the 101 accepts permessage-deflate.")),
            (deflate, deflate, None),
            (deflate, "", None),
            ("", "", None),
        ];
        for (offered, accepted, told) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Sec-WebSocket-Extensions", offered)]));
            script.say(&mut client, From::Server, switching_with(&[("Sec-WebSocket-Extensions", accepted)]));
            let finding = script.finding("extension-unasked");
            assert_eq!(finding.as_ref().and_then(|it| it.detail.last()).map(String::as_str), told);
            assert!(finding.is_none_or(|it| it.severity.name() == "error"
                && it.sentence() == "the server 10.77.1.1:80 accepts an extension that was not offered"));
        }
    }

    #[test]
    fn a_proxy_that_drops_the_offers_answer_is_not_blamed_for_the_upstream() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        let odd = switching_with(&[("Sec-WebSocket-Extensions", "permessage-deflate")]);
        script.say(&mut upstream, From::Server, odd).say(&mut client, From::Server, switching());
        let expected = "warning extension-unasked: the upstream 10.77.2.2:3000 accepts an extension that was not offered";
        assert_eq!(script.leading(), expected);
    }
}
