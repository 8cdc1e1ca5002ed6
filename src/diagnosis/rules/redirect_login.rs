//! The upgrade request is redirected to a login.

use crate::diagnosis::answers::{self, Maker};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::recipes::{self, Gate, Site};
use crate::diagnosis::redirects::{self, Kind};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;

/// The upgrade request is redirected to a login.
pub(super) static RULE: Rule = Rule {
    name: "redirect-login",
    code: "WS217",
    severity: Severity::Error,
    summary: "the upgrade request is redirected to a place to log in",
    page: "\
## What it sees

The answer is a redirect, and `Location` leads to a login: its path or host says so, or it is another host and a cookie
is set. The finding says whether the request had a cookie.

## Why it breaks

WebSocket clients do not follow redirects, and nobody could log in there. Who answers does not know the session of this
request: it has no cookie, or one that is not valid any more. Cookies stay away from a WebSocket if they belong to
another host, if `SameSite` keeps them from requests of other sites, or if `Secure` keeps them from `ws://`.

## How to mend it

If the page itself works, compare its requests with this one: which cookie is missing? Let page and WebSocket have the
same host, or widen the cookie's `Domain`.

If a login gate before the application (oauth2-proxy, Authelia, Authentik) asks, let it answer 401 to upgrade requests,
or take the WebSocket's path out of it and let the application check the session. In nginx:

```
location /live {
    auth_request off;
    ...
}
```
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-10.5",
    explains: &["WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let redirect = redirects::of(route).filter(|redirect| redirect.kind == Kind::Login)?;
    let leg = redirect.answer.leg;
    let location = route.quote_field("location", redirect.location.as_bytes());
    let cookie = match (route.first.asked("cookie").is_some(), leg.asked("cookie").is_some()) {
        (true, true) => "The request has a cookie, so the session is not valid for who answers.",
        (true, false) => "The client sends a cookie, and the proxy does not hand it on.",
        (false, _) => "The request has no cookie.",
    };
    let finding =
        Finding::new(&RULE, redirect.answer.blame(route), "redirects the upgrade request to a login")
            .saying(format!("It answers {} with Location: {location}.", redirect.answer.status))
            .saying_also(answers::gate_says(route))
            .saying(cookie)
            .saying("WebSocket clients do not follow redirects.")
            .shown_by(route.packets());
    Some(if redirect.answer.by == Maker::Upstream {
        finding.advising(
            "If the page itself works, compare its requests with this one: which cookie is missing?",
        )
    } else {
        let fixes = recipes::exempt_from_login(&Site::of(route.proxy_behind(leg), leg), Gate::Service);
        finding
            .mended_by(fixes)
            .advising("Without the gate at this path the application itself has to check who connects.")
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_redirect_to_a_login_is_told() {
        let cases = [
            ("302 Found", "/login?next=%2Fws", true),
            ("303 See Other", "https://sso.example.test/authorize?client_id=a", true),
            ("302 Found", "/elsewhere", false),
            ("403 Forbidden", "/login", false),
        ];
        for (status, location, fires) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Cookie", "sid=1")]));
            let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
            script.say(&mut upstream, From::Client, request());
            let reply = answer(status, &[("Location", location)], "");
            script.say(&mut upstream, From::Server, &reply).say(&mut client, From::Server, &reply);
            let finding = script.finding("redirect-login");
            assert_eq!(finding.is_some(), fires, "{status} {location}");
            let Some(finding) = finding else { continue };
            assert_eq!(script.rules()[0], "redirect-login");
            assert_eq!(
                finding.sentence(),
                "the upstream 10.77.2.2:3000 redirects the upgrade request to a login"
            );
            assert_eq!(finding.detail[1], "The client sends a cookie, and the proxy does not hand it on.");
        }
    }

    #[test]
    fn a_gate_that_is_asked_by_the_proxy_is_no_upstream() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut gate = script.connect(PROXY_OUT, "10.77.2.2:9000");
        let question = [("GET", "/auth"), ("HTTP", "1.0"), ("Upgrade", ""), ("Connection", "close")];
        script.say(&mut gate, From::Client, request_with(&question));
        script.say(&mut gate, From::Server, answer("401 Unauthorized", &[], ""));
        let fields = [("Server", "nginx/1.22.1"), ("Location", "http://chat.example.test/login?next=/ws")];
        script.say(&mut client, From::Server, answer("302 Found", &fields, ""));
        let finding = script.finding("redirect-login").unwrap();
        assert_eq!(finding.sentence(), "nginx 1.22.1 (10.77.2.1) redirects the upgrade request to a login");
        assert_eq!(finding.detail[1], "It asked a login gate, 10.77.2.2:9000, which answered 401.");
        assert!(finding.fixes[1].text.contains("auth_request off"));
    }
}
