//! The application is told that the client came without TLS.

use crate::diagnosis::answers;
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::redirects::{self, Kind};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::Role;
use crate::routes::Proxy;

/// The application is told that the client came without TLS.
pub(super) static RULE: Rule = Rule {
    name: "forwarded-proto-wrong",
    code: "WS213",
    severity: Severity::Error,
    summary: "the upstream is told that a client over TLS came without, and redirects it to https",
    page: "\
## What it sees

The upstream redirects the upgrade request to `https` at the same host, and the request that it got does not say that
the client came over TLS: `X-Forwarded-Proto` is `http` or `ws`, or missing. That the client did come over TLS shows in
`Origin`, or in the `X-Forwarded-Proto` of the request before the proxy.

## Why it breaks

The proxy asks the upstream in the clear, so only this field can tell it. The upstream sends every client to https,
also those that are there already, and WebSocket clients do not follow redirects.

## How to mend it

Where TLS ends, set the field; behind that, hand it on. In nginx:

```
proxy_set_header X-Forwarded-Proto $scheme;                     # TLS ends here
proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;     # TLS ends before this nginx
```

HAProxy: `http-request set-header X-Forwarded-Proto https if { ssl_fc }`. Caddy sets it by itself, and hands on that of
a proxy before it only if that one is among `trusted_proxies`. Traefik writes `ws` or `wss` for upgrade requests; an
application that knows only `http` and `https` needs a headers middleware that says `https`.

The application also has to trust the field: `SECURE_PROXY_SSL_HEADER` in Django, `trust proxy` in Express.
",
    see: "https://www.rfc-editor.org/rfc/rfc7239#section-5.4",
    explains: &["redirect-https", "WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let redirect = redirects::of(route).filter(|redirect| redirect.kind == Kind::Https)?;
    let leg = redirect.answer.leg;
    let forwards = leg.comes_over_proxy() || answers::looks_forwarded(leg);
    let told = leg.asked_text("x-forwarded-proto");
    let is_wrong =
        told.is_none_or(|proto| ["http", "ws"].iter().any(|wrong| proto.eq_ignore_ascii_case(wrong)));
    if !forwards || !is_wrong {
        return None;
    }
    // Of several proxies the one that lost what it was told.
    let is_https = |leg: &LegView<'_>| {
        leg.asked_text("x-forwarded-proto").is_some_and(|proto| matches!(proto, "https" | "wss"))
    };
    let losing = route.hops().find(|(before, _, after)| is_https(before) && !is_https(after));
    let was_told = losing.is_some();
    // A page that came over TLS cannot open a WebSocket without it (mixed content).
    let says_origin = leg.asked_text("origin").is_some_and(|origin| origin.starts_with("https://"));
    let evidence = match (was_told, says_origin) {
        (true, _) => "The request before the proxy says X-Forwarded-Proto: https.",
        (false, true) => "The Origin says that the page came over https, so the client did too.",
        (false, false) => return None,
    };
    let (hop, leg) = losing.map_or((leg.hop, leg), |(_, hop, after)| (Some(hop), after));
    let proxy =
        hop.map_or_else(|| Proxy::at(leg.connection.endpoint(Role::Client).address), |hop| hop.proxy.clone());
    let (headline, says) = match told {
        Some(proto) => (
            "tells the upstream that the client came without TLS",
            format!("It forwards X-Forwarded-Proto: {}.", route.quote(proto.as_bytes())),
        ),
        None => ("does not tell the upstream that the client came over TLS", {
            "It forwards no X-Forwarded-Proto.".to_owned()
        }),
    };
    let location = route.quote_field("location", redirect.location.as_bytes());
    let answered = format!("The upstream answers {} with Location: {location}.", redirect.answer.status);
    Some(
        Finding::new(&RULE, Blame::proxy(&proxy), headline)
            .saying(says)
            .saying(evidence)
            .saying(answered)
            .shown_by(route.packets())
            .mended_by(recipes::tell_scheme(&Site::of(Some(&proxy), leg), was_told))
            .advising("The application has to trust the field too."),
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(asked: &[(&str, &str)], forwarded: &[(&str, &str)]) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(asked));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(forwarded));
        let reply = answer("301 Moved Permanently", &[("Location", "https://chat.example.test/ws")], "");
        script.say(&mut upstream, From::Server, &reply).say(&mut client, From::Server, &reply);
        script
    }

    #[test]
    fn the_proxy_that_hides_tls_is_named() {
        let secure = ("Origin", "https://chat.example.test");
        let wrong = "error forwarded-proto-wrong: the proxy 10.77.2.1 tells the upstream that the client came without TLS";
        let missing = "error forwarded-proto-wrong: the proxy 10.77.2.1 does not tell the upstream that the client came \
                       over TLS";
        let client = "error redirect-https: the client 10.77.1.2 uses ws:// where only wss:// is served";
        let cases = [
            (vec![secure], vec![secure, ("X-Forwarded-Proto", "http")], wrong),
            (vec![secure], vec![secure, ("X-Forwarded-Proto", "ws")], wrong),
            (vec![("X-Forwarded-Proto", "https")], vec![("X-Forwarded-Proto", "http")], wrong),
            (vec![secure], vec![secure], missing),
            (vec![], vec![("X-Forwarded-Proto", "http")], client),
        ];
        for (asked, forwarded, expected) in cases {
            assert_eq!(through(&asked, &forwarded).leading(), expected, "{forwarded:?}");
            assert_eq!(through(&asked, &forwarded).rules().len(), 1);
        }
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[]));
        let mut inner = script.connect("127.0.0.1:40000", "127.0.0.1:8080");
        script.say(&mut inner, From::Client, request_with(&[("X-Forwarded-Proto", "https")]));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(&[("X-Forwarded-Proto", "http")]));
        let reply = answer("301 Moved Permanently", &[("Location", "https://chat.example.test/ws")], "");
        for talk in [&mut upstream, &mut inner, &mut client] {
            script.say(talk, From::Server, &reply);
        }
        assert_eq!(script.leading(), wrong, "the second of two proxies");
        let right = through(&[secure], &[secure, ("X-Forwarded-Proto", "https")]);
        assert!(right.finding("forwarded-proto-wrong").is_none());
    }
}
