//! A proxy speaks plaintext to an upstream that expects TLS.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::forwarding;
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::scheme;
use crate::diagnosis::view::RouteView;
use crate::diagnosis::waiting;
use crate::protocol::Role;

/// A proxy speaks plaintext to an upstream that expects TLS.
pub(super) static RULE: Rule = Rule {
    name: "plaintext-to-tls-upstream",
    code: "WS410",
    severity: Severity::Error,
    summary: "the proxy sends plaintext to an upstream that expects TLS",
    page: "\
## What it sees

The proxy's request to the upstream in the clear, and an answer that says that the port expects TLS: a TLS alert, or a
400 whose page says so (`The plain HTTP request was sent to HTTPS port`). The client gets that page, or a 502.

An upstream that only closes the connection shows no reason; that is `upstream-aborted`, unless the same port is seen to
speak TLS on another connection.

## Why it breaks

The proxy's configuration has `http://` (or no `ssl`) for an upstream that speaks TLS only. TLS towards the client is
another matter: each connection has its own.

## How to mend it

- nginx: `proxy_pass https://UPSTREAM;` and, for upstreams that choose by name, `proxy_ssl_server_name on;`.
- HAProxy: `ssl verify required ca-file FILE` on the `server` line.
- Apache: `SSLProxyEngine On`, and `https://` (or `wss://`) in `ProxyPass`.
- Caddy: `reverse_proxy https://UPSTREAM`.

Or use the port on which the upstream speaks plaintext, if both are on one host.
",
    see: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
    explains: &["WS2", "WS3", "plaintext-on-tls-port", "upstream-aborted", "upstream-silent", "no-response"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let passed_on = |leg: &crate::diagnosis::LegView<'_>| {
        leg.place == 0 && leg.connection.endpoint(Role::Server).port == PLAINTEXT_PORT
    };
    let (leg, expects) = route.legs().filter(|leg| !route.is_handed_on(leg)).find_map(|leg| {
        let expects = scheme::expects_tls(leg, &route.servers)?;
        (waiting::comes_from_proxy(leg) || passed_on(leg)).then_some((leg, expects))
    })?;
    let upstream = leg.connection.endpoint(Role::Server);
    let is_seen = waiting::comes_from_proxy(leg);
    let author = forwarding::sender(leg);
    let proxy = match leg.hop {
        Some(hop) => Some(&hop.proxy),
        None if is_seen => author.proxy(),
        None => route.proxy_behind(leg),
    };
    let blame = proxy.map_or_else(|| route.answerer(leg), Blame::proxy);
    let said = expects.words();
    let sentence = if is_seen {
        format!("It sends {} in the clear to {upstream}, which {said}", waiting::request_line(route, leg))
    } else {
        format!("It passes a page on that is about its own request to an upstream, which {said}")
    };
    let packet = expects.packet(leg);
    let site = Site::at(proxy, recipes::path_of(route));
    // Where only the page is seen, the upstream is not.
    let site = if is_seen { site.sent_as(leg) } else { site };
    let finding = Finding::new(&RULE, blame, "speaks plaintext to an upstream that expects TLS")
        .saying(sentence)
        .shown_by(leg.request_packet())
        .shown_by(packet)
        .mended_by(recipes::speak_tls(&site));
    Some(waiting::made_of_it(finding, route, leg))
}

/// RFC 6455 section 3.
const PLAINTEXT_PORT: u16 = 80;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_proxy_with_the_wrong_scheme_is_told() {
        for (reply, status) in [
            (
                answer("400 Bad Request", &[], "The plain HTTP request was sent to HTTPS port").into_bytes(),
                "400 Bad Request",
            ),
            (vec![0x15, 3, 1, 0, 2, 2, 70], "502 Bad Gateway"),
        ] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            let mut upstream = script.connect(PROXY_OUT, "10.77.2.2:8443");
            script.say(&mut upstream, From::Client, request()).say(&mut upstream, From::Server, reply);
            script.close(&mut upstream, From::Server);
            let body = "The plain HTTP request was sent to HTTPS port";
            script.say(&mut client, From::Server, answer(status, &[("Server", "nginx/1.22.1")], body));
            assert_eq!(
                script.leading(),
                "error plaintext-to-tls-upstream: nginx 1.22.1 (10.77.2.1) speaks plaintext to an upstream that \
                 expects TLS"
            );
            assert_eq!(script.rules().len(), 1);
            let finding = script.finding("plaintext-to-tls-upstream").unwrap();
            assert!(finding.fixes[0].text.starts_with("proxy_pass https://"));
        }
    }

    #[test]
    fn a_page_that_a_proxy_passes_on_is_enough() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        let page = answer(
            "400 Bad Request",
            &[("Server", "nginx/1.22.1")],
            "<title>400 The plain HTTP request was sent to HTTPS port</title>",
        );
        script.say(&mut client, From::Client, request()).say(&mut client, From::Server, page);
        assert!(script.leading().starts_with("error plaintext-to-tls-upstream: nginx 1.22.1 (10.77.1.1)"));
    }

    #[test]
    fn an_upstream_that_only_closes_shows_no_reason() {
        assert!(leading_of("plaintext-to-tls-closed").starts_with("error upstream-aborted"));
        assert!(leading_of("plaintext-to-tls-upstream").starts_with("error plaintext-to-tls-upstream"));
    }
}
