//! The 101 accepts permessage-deflate with parameters that are no answer to the offer.

use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::switching;
use crate::diagnosis::view::RouteView;
use crate::protocol::ResponseProblem;

/// The 101 accepts permessage-deflate with parameters that are no answer to the offer.
pub(super) static RULE: Rule = Rule {
    name: "extension-parameter-invalid",
    code: "WS309",
    severity: Severity::Error,
    summary: "the 101 accepts permessage-deflate with parameters that do not answer the offer",
    page: "\
## What it sees

The request offers `permessage-deflate`, and the parameters in the 101 are none that RFC 7692 section 7.1 allows as an
answer to it.

## Why it breaks

A client must give up (RFC 7692 section 7.1). The rules that are broken most often:

- `client_max_window_bits` in an answer needs a value, and may be there only if the offer has it (section 7.1.2.2).
- `server_max_window_bits` must not be above the value in the offer (section 7.1.2.1).
- Values are 8 to 15, without quotes or leading zeros. A parameter may be there once.

## How to mend it

Update the WebSocket library of the server, or turn compression off there: `perMessageDeflate: false` in Node's `ws`,
`compression=None` in Python's `websockets`. If a proxy changes `Sec-WebSocket-Extensions` on the way, let it pass the
field on as it is, in both directions.
",
    see: "https://www.rfc-editor.org/rfc/rfc7692#section-7.1",
    explains: &["refused-by-upstream", "refused-by-proxy", "no-close-frame"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let fault = switching::fault(route, ResponseProblem::ExtensionParameterInvalid)?;
    let field = "sec-websocket-extensions";
    let quoted =
        |value: Option<&[u8]>| value.map(|value| route.quote_field(field, value)).unwrap_or_default();
    let (offered, accepted) = (quoted(fault.leg.asked(field)), quoted(fault.leg.answered(field)));
    let finding = fault
        .finding(&RULE, route, "accepts compression with parameters that do not answer the offer")
        .saying(format!("The request offers {offered}, and the 101 accepts {accepted}."));
    Some(finding.advising(
        "Turning compression off at the server mends it at once; an update of its library, for good.",
    ))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn parameters_have_to_answer_the_offer() {
        let cases = [
            (
                "permessage-deflate; client_max_window_bits",
                "permessage-deflate; client_max_window_bits",
                true,
            ),
            ("permessage-deflate", "permessage-deflate; client_max_window_bits=10", true),
            (
                "permessage-deflate; server_max_window_bits=10",
                "permessage-deflate; server_max_window_bits=12",
                true,
            ),
            (
                "permessage-deflate; client_max_window_bits",
                "permessage-deflate; client_max_window_bits=12",
                false,
            ),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate", false),
            ("permessage-deflate", "", false),
        ];
        for (offered, accepted, is_wrong) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Sec-WebSocket-Extensions", offered)]));
            script.say(&mut client, From::Server, switching_with(&[("Sec-WebSocket-Extensions", accepted)]));
            let expected = "error extension-parameter-invalid: the server 10.77.1.1:80 accepts compression with \
                            parameters that do not answer the offer";
            assert_eq!(script.leading(), if is_wrong { expected } else { "" }, "{offered} / {accepted}");
        }
    }
}
