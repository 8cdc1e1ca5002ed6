//! The upgrade request lacks credentials.

use crate::diagnosis::answers::{self, Maker};
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::gates;
use crate::diagnosis::recipes::{self, Gate, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;

/// The upgrade request lacks credentials.
pub(super) static RULE: Rule = Rule {
    name: "auth-missing",
    code: "WS219",
    severity: Severity::Error,
    summary: "the upgrade request is refused for its credentials: 401 or 407",
    page: "\
## What it sees

The answer is 401 or 407. `WWW-Authenticate` says what is asked for, and the legs show who asks: the proxy or the
application.

## Why it breaks

A browser cannot ask for a password for a WebSocket, and a page cannot add an `Authorization` field to it. Browsers
differ in whether they send along a password that was given for the page. Cookies are sent, if they belong to the host.

## How to mend it

- The proxy asks (`auth_basic`, `auth_request`): give the WebSocket's path a location without it, and let the
  application check who connects.

```
location /live {
    auth_basic off;
    ...
}
```

- The application asks for a token: send it in a cookie, in the first message, or in a query parameter that lives for
  this one use. Query strings land in logs.
- The client sends `Authorization` or a query and the upstream does not get it: let the proxy hand it on.
",
    see: "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2",
    explains: &["path-rewritten", "host-rewritten", "WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer = answers::refusal(route).filter(|answer| matches!(answer.status, 401 | 407))?;
    let leg = answer.leg;
    let (ask, credentials) = match answer.status {
        407 => ("proxy-authenticate", "proxy-authorization"),
        _ => ("www-authenticate", "authorization"),
    };
    let asks = leg.answered(ask).map(|value| {
        let name = if answer.status == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        format!("It answers {} with {name}: {}.", answer.status, route.quote_field(ask, value))
    });
    let asks = asks.unwrap_or_else(|| format!("It answers {}.", answer.status));
    let sent = route.first.asked(credentials).is_some();
    let arrived = leg.asked(credentials).is_some();
    let query_lost =
        route.first.target().contains('?') && !leg.target().contains('?') && leg.request.is_some();
    if let Some(hop) = leg.hop.filter(|_| (sent && !arrived) || query_lost) {
        let (headline, told) = if query_lost {
            ("drops the query of the target", "The client's target has a query, which may carry the token.")
        } else {
            (
                "drops the client's credentials",
                "The client sends Authorization, and the upstream does not get it.",
            )
        };
        return Some(
            Finding::new(&RULE, Blame::proxy(&hop.proxy), headline)
                .saying(told)
                .saying(format!("The upstream answers {}.", answer.status))
                .shown_by(route.packets()),
        );
    }
    let headline = if sent { "does not accept the credentials" } else { "asks for credentials" };
    let has = match (sent, leg.asked("cookie").is_some()) {
        (true, _) => "The request has credentials, and they are not accepted.",
        (false, true) => {
            "The request has a cookie and no Authorization, which a page cannot add to a WebSocket."
        }
        (false, false) => {
            "The request has no Authorization, which a page cannot add to a WebSocket, and no cookie."
        }
    };
    let finding = Finding::new(&RULE, answer.blame(route), headline)
        .saying(asks)
        .saying_also(answers::gate_says(route))
        .saying(has)
        .saying_also(answers::body_says(route, leg))
        .shown_by(route.packets());
    let finding = match answer.by {
        Maker::Proxy if !sent => {
            let site = Site::of(route.proxy_behind(leg), leg).known_as(answer.software(route));
            let fixes = recipes::exempt_from_login(&site, gate(route));
            finding.mended_by(fixes).advising("Then the application itself has to check who connects.")
        }
        Maker::Upstream if !sent => finding.advising(
            "Send a token in a cookie, in the first message, or in a query parameter that lives for this one use.",
        ),
        _ => finding,
    };
    Some(match answer.look_behind() {
        Some(advice) => finding.advising(advice),
        None => finding,
    })
}

/// Who asks: a service, if the capture has the proxy's question to it.
fn gate(route: &RouteView<'_>) -> Gate {
    let asks = route.legs().any(|leg| gates::is_question(route, leg));
    if asks { Gate::Service } else { Gate::Password }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(asked: &[(&str, &str)], forwarded: &[(&str, &str)], status: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(asked));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(forwarded));
        let reply = answer(status, &[("WWW-Authenticate", "Bearer realm=\"api\"")], "");
        script.say(&mut upstream, From::Server, &reply).say(&mut client, From::Server, &reply);
        script
    }

    #[test]
    fn who_asks_is_named_and_who_drops_what_was_sent() {
        let token = ("Authorization", "Bearer abc");
        let query = ("GET", "/ws?token=abc");
        let cases = [
            (vec![], vec![], "the upstream 10.77.2.2:3000 asks for credentials"),
            (vec![token], vec![token], "the upstream 10.77.2.2:3000 does not accept the credentials"),
            (vec![token], vec![], "the proxy 10.77.2.1 drops the client's credentials"),
            (vec![query], vec![], "the proxy 10.77.2.1 drops the query of the target"),
            (vec![query], vec![query], "the upstream 10.77.2.2:3000 asks for credentials"),
        ];
        for (asked, forwarded, expected) in cases {
            let script = through(&asked, &forwarded, "401 Unauthorized");
            assert_eq!(script.leading(), format!("error auth-missing: {expected}"));
            assert_eq!(script.rules(), ["auth-missing"]);
        }
        assert!(through(&[], &[], "403 Forbidden").finding("auth-missing").is_none());
    }

    #[test]
    fn a_proxys_own_401_can_be_turned_off_there() {
        let page = "<html>\r\n<head><title>401 Authorization Required</title></head>\r\n<body>\r\n<center><h1>401 \
                    Authorization Required</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>";
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let fields = [("Server", "nginx/1.22.1"), ("WWW-Authenticate", "Basic realm=\"API\"")];
        script.say(&mut client, From::Server, answer("401 Unauthorized", &fields, page));
        assert_eq!(script.leading(), "error auth-missing: nginx 1.22.1 (10.77.1.1) asks for credentials");
        let finding = script.finding("auth-missing").unwrap();
        assert_eq!(finding.detail[0], "It answers 401 with WWW-Authenticate: Basic realm=\"API\".");
        assert!(finding.fixes[1].text.contains("auth_basic off"));
    }
}
