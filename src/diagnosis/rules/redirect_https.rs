//! The upgrade request is redirected to the same place over TLS.

use crate::diagnosis::finding::{Blame, Finding, Fix};
use crate::diagnosis::redirects::{self, Kind};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::protocol::Role;

/// The upgrade request is redirected to the same place over TLS.
pub(super) static RULE: Rule = Rule {
    name: "redirect-https",
    code: "WS218",
    severity: Severity::Error,
    summary: "the upgrade request came in the clear and is redirected to https",
    page: "\
## What it sees

The request came without TLS, and the answer redirects to `https` or `wss` at the same host.

## Why it breaks

WebSocket clients do not follow redirects: RFC 6455 section 4.1 lets them, the rules for browsers forbid it.

## How to mend it

Let the client use `wss://` from the start. In a page, take the scheme from where the page came from:

```
const scheme = location.protocol === \"https:\" ? \"wss:\" : \"ws:\";
new WebSocket(`${scheme}//${location.host}/ws`);
```

If the client does use `wss://` (the `Origin` of the request says `https`), TLS ends before the place of the capture,
and who redirects does not know: let it look at `X-Forwarded-Proto` and not at its own listener, or redirect where TLS
ends.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-3",
    explains: &["WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let redirect = redirects::of(route).filter(|redirect| redirect.kind == Kind::Https)?;
    let location = route.quote_field("location", redirect.location.as_bytes());
    let told = format!("It answers {} with Location: {location}.", redirect.answer.status);
    // A page that came over TLS cannot open a WebSocket without it (mixed content).
    let is_encrypted_before =
        route.first.asked_text("origin").is_some_and(|origin| origin.starts_with("https://"));
    let finding = if is_encrypted_before {
        Finding::new(&RULE, redirect.answer.blame(route), "redirects to https a client that uses it")
            .saying(told)
            .saying("The Origin says that the page came over https, so TLS ends before this connection.")
            .advising("Let who redirects look at X-Forwarded-Proto, and let who ends TLS set it; or redirect there.")
    } else {
        let client = route.first.connection.endpoint(Role::Client).address;
        let text = url(route, redirect.location);
        Finding::new(&RULE, Blame::Client(client), "uses ws:// where only wss:// is served")
            .saying(told.replacen("It answers", "The server answers", 1))
            .saying("WebSocket clients do not follow redirects.")
            .mended_by([Fix { target: "client", place: "its URL".to_owned(), text }])
    };
    Some(finding.shown_by(route.packets()))
}

/// What the client has to ask for.
fn url(route: &RouteView<'_>, location: &str) -> String {
    let rest = location.split_once("://").map_or(location, |(_, rest)| rest);
    format!("wss://{}", route.quote(rest.as_bytes()))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_client_without_tls_is_told_to_use_it() {
        let told = "error redirect-https: the client 10.77.1.2 uses ws:// where only wss:// is served";
        let behind = "error redirect-https: nginx (10.77.1.1) redirects to https a client that uses it";
        let cases = [
            ("http://chat.example.test", "https://chat.example.test/ws", told),
            ("", "https://chat.example.test:8443/ws", told),
            ("https://chat.example.test", "https://chat.example.test/ws", behind),
        ];
        for (origin, location, expected) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Origin", origin)]));
            let fields = [("Server", "nginx"), ("Location", location)];
            script.say(&mut client, From::Server, answer("301 Moved Permanently", &fields, ""));
            assert_eq!(script.leading(), expected);
            assert_eq!(script.rules(), ["redirect-https"]);
        }
    }

    #[test]
    fn another_host_is_another_matter() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let fields = [("Location", "https://other.example.test/ws")];
        script.say(&mut client, From::Server, answer("301 Moved Permanently", &fields, ""));
        assert_eq!(script.rules(), ["refused-by-upstream"]);
        let finding = script.finding("refused-by-upstream").unwrap();
        assert_eq!(finding.detail[0], "It points to https://other.example.test/ws.");
    }
}
