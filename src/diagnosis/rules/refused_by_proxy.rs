//! A proxy makes up a refusal, and nothing more is known.

use crate::diagnosis::answers::{self, Answer, Maker};
use crate::diagnosis::finding::{Blame, Finding, Fix};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::statuses;
use crate::diagnosis::view::RouteView;
use crate::diagnosis::{error_pages, forwarding, gates};
use crate::protocol::Role;
use crate::routes::Software;

/// A proxy makes up a refusal, and nothing more is known.
pub(super) static RULE: Rule = Rule {
    name: "refused-by-proxy",
    code: "WS313",
    severity: Severity::Error,
    summary: "a proxy answers the upgrade request itself, with another status than 101",
    page: "\
## What it sees

The final answer to the upgrade request is not 101, and a proxy made it: the upstream said something else or nothing,
or nobody was asked, or the body is the proxy's own error page. No other rule knows why.

## Why it breaks

Only a 101 opens a WebSocket (RFC 6455 section 4.1). What the proxy answers instead is its own decision: no route for
the path, a filter, a limit, or an upstream that it could not use.

## How to mend it

The error log of the proxy at this time names the reason. In nginx that is `error_log`, with the level `info` for the
details; in HAProxy the termination state in the log line (`SC` could not connect, `SH` the upstream gave up before
its headers, `PH` the answer was rejected, `PR` the proxy refused the request); in Apache `ErrorLog` with
`LogLevel proxy:debug`; in Caddy the `log` directive with the logger `http.log.error`.

502, 503 and 504 are about the upstream: HAProxy and Apache say 503 where nginx, Caddy and Traefik say 502 for a
connection that is refused, and Apache says 502 where others say 504 for an answer that takes too long. Envoy says 403,
without a body, to upgrades that its `upgrade_configs` do not list; so may a filter of it.
",
    see: "https://www.rfc-editor.org/rfc/rfc9110#section-15.6",
    explains: &[],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer =
        answers::refusal(route).filter(|answer| answer.by == Maker::Proxy && !answers::is_too_late(route))?;
    let software = answer.software(route);
    let who = answer.blame(route);
    let behind = answer.behind.map(|behind| {
        let upstream = behind.connection.endpoint(Role::Server);
        match behind.status() {
            Some(status) => format!("The upstream {upstream} answered {status}."),
            None => format!("The upstream {upstream} was asked and did not answer."),
        }
    });
    let nobody = || {
        let nobody =
            answer.behind.is_none() && route.tries.is_empty() && answer.leg.place == 0 && route.is_watched;
        nobody.then(|| "The capture has no request to an upstream for it.".to_owned())
    };
    let gate = answers::gate_says(route);
    let meaning = match (&gate, gates::is_at_a_loss(answer.leg)) {
        (Some(_), true) => Some(AT_A_LOSS),
        (Some(_), false) if answer.status == 403 => None,
        _ => statuses::meaning(answer.status, answer.by, software),
    };
    let own = error_pages::own_page(answer.leg).map(|_| "The answer is its own error page.".to_owned());
    let log = match &who {
        Blame::Proxy(_, Some(software), _) => {
            format!("The error log of {} names the reason.", software.name())
        }
        _ => "The error log of the proxy names the reason.".to_owned(),
    };
    let finding = Finding::new(&RULE, who, format!("answers {} itself", answer.status))
        .saying_also(behind.or(gate).or_else(nobody).or(own))
        .saying_also(answers::points_to(route, answer.leg))
        .saying_also(answers::body_says(route, answer.leg))
        .saying_also(meaning.map(str::to_owned))
        .shown_by(route.packets())
        .mended_by(missing_upgrade(route, &answer))
        .advising(log);
    let is_about_upstream = matches!(answer.status, 502..=504);
    Some(if is_about_upstream && answer.leg.place == 0 && !route.is_watched && route.tries.is_empty() {
        finding.advising(
            "Capture on the proxy, on all interfaces (tcpdump -i any), to see what its upstream does.",
        )
    } else {
        finding
    })
}

const AT_A_LOSS: &str = "nginx takes 2xx for yes, 401 and 403 for no, and answers 500 itself where the service that \
    auth_request asks says anything else: look at that service, and at the path at which it is asked.";

/// What lets an upgrade through at a proxy that answers each one that it is not told of with 403: Envoy, without a body.
fn missing_upgrade(route: &RouteView<'_>, answer: &Answer<'_, '_>) -> Vec<Fix> {
    let is_envoys = answer.software(route) == Some(Software::Envoy) && answer.status == 403;
    let is_it = is_envoys && answer.leg.body().is_empty() && forwarding::asks_rightly(answer.leg);
    let site = || Site::of(route.proxy_behind(answer.leg), answer.leg).known_as(Some(Software::Envoy));
    if is_it { recipes::forward_upgrade(&site()) } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn an_answer_that_the_upstream_did_not_give_is_the_proxys() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        script.say(&mut upstream, From::Server, switching());
        script.say(&mut client, From::Server, answer("500 Internal Server Error", &[], ""));
        assert_eq!(script.leading(), "error refused-by-proxy: the proxy 10.77.2.1 answers 500 itself");
        let finding = script.finding("refused-by-proxy").unwrap();
        assert_eq!(finding.detail[0], "The upstream 10.77.2.2:3000 answered 101.");
    }

    #[test]
    fn a_gate_that_is_asked_is_told() {
        let page = |status: &str| {
            format!("<html><head><title>{status}</title></head><hr><center>nginx/1.22.1</center></html>")
        };
        for (verdict, status, told) in [
            ("403 Forbidden", "403 Forbidden", "The error log"),
            ("404 Not Found", "500 Internal Server Error", "nginx takes 2xx for yes"),
        ] {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Origin", "")]));
            let mut gate = script.connect(PROXY_OUT, "10.77.2.2:9000");
            let question =
                [("GET", "/auth"), ("HTTP", "1.0"), ("Upgrade", ""), ("Connection", "close"), ("Origin", "")];
            script.say(&mut gate, From::Client, request_with(&question));
            script.say(&mut gate, From::Server, answer(verdict, &[], ""));
            script.say(
                &mut client,
                From::Server,
                answer(status, &[("Server", "nginx/1.22.1")], &page(status)),
            );
            assert_eq!(script.rules(), ["refused-by-proxy"], "{verdict}");
            let finding = script.finding("refused-by-proxy").unwrap();
            let verdict = verdict.split(' ').next().unwrap();
            assert_eq!(
                finding.detail[0],
                format!("It asked a login gate, 10.77.2.2:9000, which answered {verdict}.")
            );
            let rest = [&finding.detail[1..], &finding.advice].concat().concat();
            assert!(rest.starts_with(told), "{rest}");
        }
    }

    #[test]
    fn an_own_error_page_gives_the_proxy_away() {
        let page = "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1>\
                    </center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
        for (server, rule) in [("nginx/1.22.1", "refused-by-proxy"), ("nginx/1.25.0", "refused-by-upstream")]
        {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Origin", "")]));
            script.say(&mut client, From::Server, answer("403 Forbidden", &[("Server", server)], page));
            assert_eq!(script.rules(), [rule], "{server}");
        }
    }

    #[test]
    fn envoy_is_told_which_upgrades_to_let_through() {
        let refusal = "HTTP/1.1 403 Forbidden\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n";
        let passed_on = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nserver: envoy\r\n\r\n";
        for (reply, rule, fixes) in [(refusal, "refused-by-proxy", 1), (passed_on, "refused-by-upstream", 0)]
        {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Origin", "")]));
            script.say(&mut client, From::Server, reply);
            assert_eq!(script.rules(), [rule]);
            let finding = script.finding(rule).unwrap();
            assert_eq!(finding.fixes.len(), fixes);
            assert!(finding.fixes.iter().all(|fix| fix.text.contains("upgrade_type: websocket")));
        }
    }
}
