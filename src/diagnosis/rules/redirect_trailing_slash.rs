//! The path is redirected to itself with a slash.

use crate::diagnosis::answers::Maker;
use crate::diagnosis::error_pages;
use crate::diagnosis::finding::{Finding, Fix};
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::redirects::{self, Kind};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::RouteView;

/// The path is redirected to itself with a slash.
pub(super) static RULE: Rule = Rule {
    name: "redirect-trailing-slash",
    code: "WS216",
    severity: Severity::Error,
    summary: "the upgrade request is redirected to the same path with a slash at its end",
    page: "\
## What it sees

The answer is 301, 302, 307 or 308, and `Location` is the path of the request with a slash at its end.

## Why it breaks

WebSocket clients do not follow redirects: RFC 6455 section 4.1 lets them, the rules for browsers forbid it. nginx
redirects `/live` by itself if there is a `location /live/` with a `proxy_pass` and none for `/live`. Web frameworks do
it too (`APPEND_SLASH`, `redirect_slashes`, strict routes).

## How to mend it

Either let the client ask for the path with the slash, or serve the path without it. In nginx write the location without
the slash, and `proxy_pass` without a path, so that the path stays as it is:

```
location /live {
    proxy_pass http://UPSTREAM;
    ...
}
```

In an application, turn the redirect off for this route, or declare the route as the client writes it.
",
    see: "https://nginx.org/en/docs/http/ngx_http_core_module.html#location",
    explains: &["path-rewritten", "WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let redirect = redirects::of(route).filter(|redirect| redirect.kind == Kind::TrailingSlash)?;
    let path = recipes::path_of_leg(redirect.answer.leg);
    let (shown, location) =
        (route.quote(path.as_bytes()), route.quote_field("location", redirect.location.as_bytes()));
    let who = redirect.answer.blame(route);
    let finding =
        Finding::new(&RULE, who.clone(), format!("redirects {shown} to the path with a slash at its end"))
            .saying(format!("It answers {} with Location: {location}.", redirect.answer.status))
            .saying("WebSocket clients do not follow redirects.")
            .shown_by(route.packets())
            .mended_by([Fix { target: "client", place: "its URL".to_owned(), text: format!("{shown}/") }]);
    Some(if redirect.answer.by == Maker::Upstream {
        finding.advising(format!("Or let {} serve the path without the slash.", who.spoken()))
    } else {
        let fixes = recipes::serve_without_slash(&Site::at(route.proxy_behind(redirect.answer.leg), path));
        let finding = finding.mended_by(fixes);
        match redirect.answer.look_behind().filter(|_| error_pages::own_page(redirect.answer.leg).is_none()) {
            Some(advice) => finding.advising(advice),
            None => finding,
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_slash_more_is_told() {
        let page = "<html>\r\n<head><title>301 Moved Permanently</title></head>\r\n<body>\r\n<center><h1>301 Moved \
                    Permanently</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
        let cases = [
            ("/ws", "301 Moved Permanently", "http://chat.example.test/ws/", true),
            ("/ws?a=b", "308 Permanent Redirect", "/ws/?a=b", true),
            ("/ws/", "301 Moved Permanently", "/ws", false),
            ("/ws", "301 Moved Permanently", "/other/", false),
            ("/ws", "200 OK", "/ws/", false),
        ];
        for (target, status, location, fires) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("GET", target)]));
            let fields = [("Server", "nginx/1.22.1"), ("Location", location)];
            script.say(&mut client, From::Server, answer(status, &fields, page));
            let finding = script.finding("redirect-trailing-slash");
            assert_eq!(finding.is_some(), fires, "{target} {location}");
            let Some(finding) = finding else { continue };
            assert_eq!(script.rules(), ["redirect-trailing-slash"]);
            let expected = "nginx 1.22.1 (10.77.1.1) redirects /ws to the path with a slash at its end";
            assert_eq!(finding.sentence(), expected);
            assert_eq!(finding.fixes.len(), 2);
            assert!(finding.advice.is_empty(), "{:?}", finding.advice);
        }
    }
}
