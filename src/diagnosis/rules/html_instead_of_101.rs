//! The answer to the upgrade request is a web page.

use crate::diagnosis::answers::{self, Maker};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::{RequestProblem, Role};

/// The answer to the upgrade request is a web page.
pub(super) static RULE: Rule = Rule {
    name: "html-instead-of-101",
    code: "WS310",
    severity: Severity::Error,
    summary: "the upgrade request is answered with 200 and a web page",
    page: "\
## What it sees

The answer to the upgrade request is 200 with HTML, often the start page of a single-page application.

## Why it breaks

Whoever answered does not serve a WebSocket at this path. Usually a rule that answers every unknown path with the start
page took the request: `try_files $uri /index.html` in nginx, `FallbackResource` in Apache, `try_files` in Caddy, the
history fallback of a development server. Only a 101 opens a WebSocket (RFC 6455 section 4.1).

## How to mend it

Give the WebSocket's path a route of its own to the application that serves it. In nginx:

```
location /live {
    proxy_pass http://UPSTREAM;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $host;
}
```

The longest matching prefix wins, and a regular expression wins over prefixes that lack `^~`. In Caddy a `handle /live*`
with the `reverse_proxy` has to stand beside the `handle` with the files. In Apache the `ProxyPass` line has to stand
before broader ones.

If the route exists, look at the path that the client asks for: a base path that the front end and the application do
not agree on looks the same.
",
    see: "https://nginx.org/en/docs/http/ngx_http_core_module.html#location",
    explains: &["refused-by-upstream", "refused-by-proxy"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer =
        answers::refusal(route).filter(|answer| answer.status == 200 && answers::is_page(answer.leg))?;
    let path = recipes::path_of(route);
    let shown = route.quote(path.as_bytes());
    let finding = Finding::new(&RULE, answer.blame(route), "answers with a web page")
        .saying(format!("The request for {shown} is answered with 200 and HTML instead of 101."))
        .saying_also(answers::body_says(route, answer.leg))
        .shown_by(route.packets());
    if answer.by == Maker::Upstream {
        let is_stripped = answer.leg.asks_with(RequestProblem::UpgradeMissing);
        let why = if is_stripped {
            "The request reached it without Upgrade: it is an ordinary one."
        } else {
            "The upgrade request reached it, so it serves no WebSocket at this path."
        };
        return Some(finding.saying(why).advising(
            "Either the path is not the one that the application serves, or another upstream serves it.",
        ));
    }
    if let Some(behind) = answer.behind {
        return Some(finding.saying(hides(behind)).advising(HIDDEN));
    }
    let site = Site::at(route.proxy_behind(answer.leg), path).known_as(answer.software(route));
    let fixes = recipes::send_to_upstream(&site);
    let finding = finding.mended_by(fixes).advising(
        "A rule that answers every unknown path with the start page takes the request as long as no more specific one does.",
    );
    Some(match answer.look_behind() {
        Some(advice) => finding.advising(advice),
        None => finding,
    })
}

/// What the upstream said before the proxy put a page in the place of it.
fn hides(behind: &LegView<'_>) -> String {
    let upstream = behind.connection.endpoint(Role::Server);
    let said = match behind.status() {
        Some(status) => format!("answers {status}"),
        None => "does not answer".to_owned(),
    };
    format!("The upstream {upstream} {said}, and the page stands in the place of that.")
}

const HIDDEN: &str = "The request does reach the upstream: its own answer is what to look at. A page for errors hides it from \
    clients, as error_page does in nginx together with proxy_intercept_errors.";

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn answered(reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request()).say(&mut client, From::Server, reply);
        script
    }

    #[test]
    fn a_page_leads_over_the_status() {
        let page = "<!doctype html>\n<html><head><title>Chat</title></head><body></body></html>";
        let script =
            answered(&answer("200 OK", &[("Server", "nginx/1.22.1"), ("Content-Type", "text/html")], page));
        assert_eq!(
            script.leading(),
            "error html-instead-of-101: nginx 1.22.1 (10.77.1.1) answers with a web page"
        );
        assert_eq!(script.rules(), ["html-instead-of-101"]);
        let finding = script.finding("html-instead-of-101").unwrap();
        assert_eq!(finding.detail[1], "The page calls itself \"Chat\".");
        assert!(finding.fixes[1].text.starts_with("location /ws {"));
    }

    #[test]
    fn the_upstreams_own_page_is_the_upstreams() {
        let page = answer("200 OK", &[("Content-Type", "text/html; charset=utf-8")], "<p>hello");
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        script.say(&mut upstream, From::Server, &page).say(&mut client, From::Server, &page);
        assert_eq!(
            script.leading(),
            "error html-instead-of-101: the upstream 10.77.2.2:3000 answers with a web page"
        );
    }

    #[test]
    fn a_page_for_errors_is_told_with_what_it_hides() {
        let page = answer("200 OK", &[("Server", "nginx/1.22.1"), ("Content-Type", "text/html")], "<html>");
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request());
        script.say(&mut upstream, From::Server, answer("404 Not Found", &[], "no"));
        script.say(&mut client, From::Server, &page);
        let finding = script.finding("html-instead-of-101").unwrap();
        assert_eq!(
            finding.detail[1],
            "The upstream 10.77.2.2:3000 answers 404, and the page stands in the place of that."
        );
        assert!(finding.fixes.is_empty(), "it has its location");
    }

    #[test]
    fn other_answers_are_no_pages() {
        for (status, kind, body) in [
            ("200 OK", "application/json", "{}"),
            ("404 Not Found", "text/html", "<html>"),
            ("200 OK", "", ""),
        ] {
            let script = answered(&answer(status, &[("Content-Type", kind)], body));
            assert!(script.finding("html-instead-of-101").is_none(), "{status} {kind}");
        }
    }
}
