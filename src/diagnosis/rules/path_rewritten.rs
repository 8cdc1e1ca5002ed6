//! A proxy changes the path, and the application does not serve what comes out.

use crate::diagnosis::answers::{self, Maker};
use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::forwarding;
use crate::diagnosis::gates;
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::redirects::{self, Kind};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;
use crate::routes::Software;

/// A proxy changes the path, and the application does not serve what comes out.
pub(super) static RULE: Rule = Rule {
    name: "path-rewritten",
    code: "WS214",
    severity: Severity::Error,
    summary: "a proxy changes the path, and the upstream does not serve what comes out",
    page: "\
## What it sees

The path after the proxy is another one than before it: a prefix is gone, added, there twice, or there are two
slashes. The upstream answers 404, 405, a web page or a redirect, or the `400 Bad Request` of the library ws for
Node.js. A changed path that works gives no finding.

## Why it breaks

The application compares the path with its routes to the letter. In nginx one slash decides:

| location | proxy_pass | /api/live becomes |
|---|---|---|
| `/api/` | `http://UPSTREAM` | `/api/live` |
| `/api/` | `http://UPSTREAM/` | `/live` |
| `/api` | `http://UPSTREAM/` | `//live` |
| `/api/` | `http://UPSTREAM/api/api/` | `/api/api/live` |

With a variable in `proxy_pass` the path is what stands there, and nothing of the request is added.

## How to mend it

If the application serves the path that the client asks for, write no path after the port in `proxy_pass`, not even a
slash. If it serves a shorter one, give location and `proxy_pass` a slash at the end, both or neither. Elsewhere look
for `handle_path` and `uri strip_prefix` (Caddy), `StripPrefix` (Traefik), `http-request set-path` (HAProxy),
`rewrite-target` (ingress-nginx), and `ProxyPass` with two different paths (Apache).

Many applications have a setting for the path below which they are served: it has to agree with what reaches them.
",
    see: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
    explains: &["host-rewritten", "route-missing", "WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer = answers::refusal(route).filter(|answer| answer.by == Maker::Upstream)?;
    let leg = answer.leg;
    let is_elsewhere = redirects::of(route).is_some_and(|redirect| redirect.kind == Kind::Other);
    let may_be_the_path = match answer.status {
        // JSON with a 404 comes from code that was found.
        404 => !answers::looks_like_data(leg),
        405 => true,
        // So says the library ws for Node.js of a path that is not the one of its option `path`.
        400 => leg.body() == b"Bad Request" && forwarding::asks_rightly(leg),
        200 => answers::is_page(leg),
        _ => is_elsewhere,
    };
    // The hop that changed it need not be the last one.
    let (before, hop, after) = route
        .hops()
        .filter(|(before, _, after)| before.request.is_some() && after.request.is_some())
        .filter(|(before, _, after)| before.path() != after.path() && after.place <= leg.place)
        .last()?;
    if !may_be_the_path || gates::is_question(route, after) {
        return None;
    }
    let quoted = |path: &str| route.quote(path.as_bytes());
    let saying = format!(
        "It forwards {} as {}, and the upstream answers {}.",
        quoted(before.path()),
        quoted(after.path()),
        answer.status
    );
    let headline = format!(
        "{}, and the upstream does not serve what comes out",
        quoted(&change(before.path(), after.path()))
    );
    let finding = Finding::new(&RULE, Blame::proxy(&hop.proxy), headline)
        .saying(saying)
        .saying_also(answers::body_says(route, leg))
        .shown_by(route.packets())
        .mended_by(recipes::keep_path(&Site::of(Some(&hop.proxy), before).sent_as(after)));
    Some(match hop.proxy.software {
        Some(Software::Nginx) => finding.advising(
            "A rewrite in the location changes the path too. If the application serves a shorter path, location and \
             proxy_pass both end with a slash, or neither does.",
        ),
        _ => finding,
    })
}

/// What was done to a path, in words that are the same for all paths below it.
fn change(before: &str, after: &str) -> String {
    if after.contains("//") && !before.contains("//") {
        return "doubles a slash of the path".to_owned();
    }
    let (was, is): (Vec<&str>, Vec<&str>) = (before.split('/').collect(), after.split('/').collect());
    let common = was.iter().rev().zip(is.iter().rev()).take_while(|(was, is)| was == is).count();
    let start = |segments: &[&str]| {
        let kept = segments.len().saturating_sub(common);
        segments.get(..kept).unwrap_or_default().join("/")
    };
    match (start(&was).as_str(), start(&is).as_str()) {
        // `/api/live` and `/live` have the empty segment at the front in common too.
        (gone, "") if !gone.is_empty() => format!("takes {} off the path", with_slash(gone)),
        ("", added) if !added.is_empty() => {
            let added = with_slash(added);
            if before.starts_with(&added) {
                format!("writes {added} twice")
            } else {
                format!("puts {added} before the path")
            }
        }
        _ => format!("changes the path {before} to {after}"),
    }
}

fn with_slash(start: &str) -> String {
    if start.starts_with('/') { start.to_owned() } else { format!("/{start}") }
}

#[cfg(test)]
mod tests {
    use super::change;
    use crate::diagnosis::testing::*;

    #[test]
    fn changes_are_named() {
        let cases = [
            ("/api/live", "/live", "takes /api off the path"),
            ("/a/b/live", "/live", "takes /a/b off the path"),
            ("/live", "/api/live", "puts /api before the path"),
            ("/api/live", "/api/api/live", "writes /api twice"),
            ("/api/live", "//live", "doubles a slash of the path"),
            ("/api/live", "/v1/live", "changes the path /api/live to /v1/live"),
            ("/live", "/", "changes the path /live to /"),
            ("/live", "/live/", "changes the path /live to /live/"),
        ];
        for (before, after, expected) in cases {
            assert_eq!(change(before, after), expected, "{before} {after}");
        }
    }

    fn through(target: &str, forwarded: &str, reply: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("GET", target)]));
        let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
        script.say(&mut upstream, From::Client, request_with(&[("GET", forwarded), ("Host", "app")]));
        script.say(&mut upstream, From::Server, reply);
        let passed_on = reply.replacen("\r\n", "\r\nServer: nginx/1.22.1\r\n", 1);
        script.say(&mut client, From::Server, passed_on);
        script
    }

    #[test]
    fn a_path_that_comes_out_wrong_is_told() {
        let lost = answer("404 Not Found", &[], "no such path");
        let page = answer("200 OK", &[("Content-Type", "text/html")], "<html>");
        let other_path = answer("400 Bad Request", &[], "Bad Request");
        for reply in [&lost, &page, &answer("405 Method Not Allowed", &[], ""), &other_path] {
            let script = through("/api/live?a=b", "/live?a=b", reply);
            let expected = "error path-rewritten: nginx 1.22.1 (10.77.2.1) takes /api off the path, and the upstream does \
                            not serve what comes out";
            assert_eq!(script.leading(), expected);
            assert_eq!(script.rules(), ["path-rewritten"]);
        }
        let finding = through("/api/live", "/live", &lost).finding("path-rewritten").unwrap();
        assert_eq!(finding.detail[0], "It forwards /api/live as /live, and the upstream answers 404.");
        assert!(finding.fixes[0].text.starts_with("proxy_pass http://10.77.2.2:3000;"));
        let finding = through("/api/live", "/x//live", &lost).finding("path-rewritten").unwrap();
        assert_eq!(finding.fixes[0].text, "location /api/ {");
    }

    #[test]
    fn a_path_that_works_or_did_not_change_is_left_alone() {
        let lost = answer("404 Not Found", &[], "");
        for (target, forwarded, reply) in [
            ("/api/live", "/live", switching()),
            ("/live", "/live", lost),
            ("/api/live", "/live", answer("404 Not Found", &[], "{\"error\":\"no session\"}")),
            ("/api/live", "/live", answer("500 Oops", &[], "")),
            ("/api/live", "/live", answer("400 Bad Request", &[], "no such session")),
        ] {
            assert!(through(target, forwarded, &reply).finding("path-rewritten").is_none(), "{reply}");
        }
    }
}
