//! A proxy speaks TLS to an upstream that speaks plaintext.

use std::collections::BTreeSet;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::scheme::{self, RefusesTls};
use crate::diagnosis::view::{CaptureView, RouteView};
use crate::model::Connection;
use crate::protocol::Role;
use crate::routes::Proxy;

/// A proxy speaks TLS to an upstream that speaks plaintext.
pub(super) static RULE: Rule = Rule {
    name: "tls-to-plaintext-upstream",
    code: "WS409",
    severity: Severity::Error,
    summary: "the proxy speaks TLS to an upstream that speaks plaintext",
    page: "\
## What it sees

While the client's request waits, the proxy opens a connection to the upstream and sends a TLS ClientHello. The
upstream answers with HTTP in plaintext, or with other bytes that are not TLS, or closes the connection without a
word. In the last case it may speak TLS after all and refuse this ClientHello. The client gets the proxy's own 502 or
503.

## Why it breaks

The proxy's configuration has `https://` (or `ssl`) for an upstream that speaks plaintext. Whether the client speaks
TLS with the proxy does not matter: each connection has its own.

## How to mend it

- nginx: `proxy_pass http://UPSTREAM;`.
- HAProxy: no `ssl` on the `server` line.
- Apache: `http://` (or `ws://`) in `ProxyPass`.
- Caddy: `reverse_proxy UPSTREAM`, without `https://` and without a `tls` transport.

Or let the upstream speak TLS on that port.
",
    see: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
    explains: &["refused-by-proxy", "html-instead-of-101", "no-response", "client-gave-up"],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let mut tried: BTreeSet<usize> = BTreeSet::new();
    let mut findings: Vec<Finding> = Vec::new();
    for route in &view.routes {
        tried.extend(&route.route.tries);
        let example =
            route.tries.iter().find_map(|connection| Some((connection, scheme::refuses_tls(connection)?)));
        let Some((connection, refuses)) = example else { continue };
        let proxy = route.proxy_behind(route.last()).or(route.route.front.as_ref());
        findings.push(
            judge(connection, &refuses, proxy, Some(route))
                .about(About::Routes(vec![route.index]))
                .shown_by(route.first.packets()),
        );
    }
    // Those of clients that speak TLS themselves, so that no attempt is seen.
    for (at, connection) in view.capture.connections.iter().enumerate() {
        if tried.contains(&at) {
            continue;
        }
        let Some(refuses) = scheme::refuses_tls(connection) else { continue };
        if matches!(refuses, RefusesTls::WithStatus(..)) && view.servers.is_proxys(connection) {
            findings.push(judge(connection, &refuses, None, None).about(About::Connections(vec![at])));
        }
    }
    findings
}

fn judge(
    connection: &Connection,
    refuses: &RefusesTls,
    proxy: Option<&Proxy>,
    route: Option<&RouteView<'_>>,
) -> Finding {
    let (address, upstream) = (connection.endpoint(Role::Client).address, connection.endpoint(Role::Server));
    // The side that faces the upstream, as where a leg is seen.
    let proxy = Proxy { address, ..proxy.cloned().unwrap_or_else(|| Proxy::at(address)) };
    let hello = connection.tls.as_deref().and_then(|tls| tls.client_hello);
    let made =
        route.and_then(|route| route.first.status()).map(|status| format!("It makes {status} of that."));
    let headline = match refuses {
        RefusesTls::ByClosing(_) => "speaks TLS to an upstream that closes",
        RefusesTls::WithStatus(..) | RefusesTls::WithOther(_) => "speaks TLS to an upstream that does not",
    };
    let finding = Finding::new(&RULE, Blame::proxy(&proxy), headline)
        .saying(format!("It sends a ClientHello to {upstream}, which {}.", refuses.words()))
        .saying_also(made)
        .shown_by(hello.map(|hello| hello.packet))
        .shown_by([refuses.origin().packet])
        .mended_by(recipes::speak_plaintext(
            &Site::at(Some(&proxy), route.map_or("/", recipes::path_of)).sent_to(upstream),
        ));
    match refuses {
        RefusesTls::ByClosing(_) => {
            finding.saying("So it does not speak TLS, or does not like what it is offered.")
        }
        RefusesTls::WithStatus(..) | RefusesTls::WithOther(_) => finding,
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn through(end: impl Fn(&mut Script, &mut Talk)) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, client_hello());
        end(&mut script, &mut upstream);
        script.say(
            &mut client,
            From::Server,
            answer("502 Bad Gateway", &[("Server", "nginx/1.22.1")], "<html>"),
        );
        script
    }

    #[test]
    fn a_proxy_with_the_wrong_scheme_is_told() {
        let nginx =
            "tls-to-plaintext-upstream: nginx 1.22.1 (10.77.2.1) speaks TLS to an upstream that does not";
        let answers = through(|script, upstream| {
            script
                .say(upstream, From::Server, answer("400 Bad Request", &[], ""))
                .close(upstream, From::Server);
        });
        assert_eq!(answers.leading(), format!("error {nginx}"));
        assert_eq!(
            answers.finding("tls-to-plaintext-upstream").unwrap().detail,
            [
                "It sends a ClientHello to 10.77.2.2:3000, which answers it with HTTP in plaintext, status 400.",
                "It makes 502 of that."
            ]
        );
        let closes = through(|script, upstream| {
            script.close(upstream, From::Server);
        });
        let closing =
            "tls-to-plaintext-upstream: nginx 1.22.1 (10.77.2.1) speaks TLS to an upstream that closes";
        assert_eq!(closes.leading(), format!("error {closing}"));
        assert_eq!(leading_of("tls-to-plaintext-upstream"), format!("error {nginx}"));
    }

    #[test]
    fn an_upstream_that_speaks_tls_is_left_alone() {
        let script = through(|script, upstream| {
            script.say(upstream, From::Server, [0x16, 3, 3, 0, 4, 2, 0, 0, 0]).close(upstream, From::Server);
        });
        assert!(script.finding("tls-to-plaintext-upstream").is_none());
    }
}
