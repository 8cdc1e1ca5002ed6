//! The head of the upgrade request is too large for who reads it.

use crate::diagnosis::answers::{self, Answer, Maker};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::recipes;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};
use crate::text;

/// The head of the upgrade request is too large for who reads it.
pub(super) static RULE: Rule = Rule {
    name: "headers-too-large",
    code: "WS220",
    severity: Severity::Error,
    summary: "the upgrade request is refused because its head is too large",
    page: "\
## What it sees

The answer is 431, 494 or 414, or a 400 that says that the head is too large, or a 400 to a head of more than 8 KiB that
a proxy gave without asking anybody. The finding names the largest field.

## Why it breaks

Servers hold the head of a request in buffers of a fixed size: 8 KiB for a line in nginx, 16 KiB for the whole head in
HAProxy and in Node.js, 8 KiB for a line in Apache. Cookies grow over time, and tokens in `Sec-WebSocket-Protocol` or in
the query can be long.

## How to mend it

Make the head smaller: cookies that nobody needs, tokens that carry too much. If it has to be that large, raise the
limit at every server on the way:

| server | setting |
|---|---|
| nginx | `large_client_header_buffers 4 32k;` in the http block |
| HAProxy | `tune.bufsize 65536` in the global section |
| Apache | `LimitRequestFieldSize 32768`, and `LimitRequestLine` for the target |
| Node.js | `--max-http-header-size=65536` |
",
    see: "https://nginx.org/en/docs/http/ngx_http_core_module.html#large_client_header_buffers",
    explains: &["WS3"],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let answer = answers::refusal(route).filter(says_so)?;
    let head = answer.leg.attempt.request.as_ref().map_or(0, |request| request.bytes.len());
    let size =
        (head > 0).then(|| format!("The head has {head} bytes.")).filter(|_| answer.leg.request.is_some());
    let largest = largest(answer.leg).filter(|(_, length)| *length >= NOTEWORTHY);
    let largest = largest.map(|(name, length)| format!("Its largest field is {name} with {length} bytes."));
    let fixes = match answer.by {
        Maker::Upstream => Vec::new(),
        Maker::Proxy | Maker::Unknown => recipes::larger_heads(answer.software(route)),
    };
    let finding =
        Finding::new(&RULE, answer.blame(route), "refuses the request because its head is too large")
            .saying(format!("It answers {}.", answer.status))
            .saying_also(size)
            .saying_also(largest)
            .saying_also(answers::body_says(route, answer.leg))
            .shown_by(route.packets())
            .mended_by(fixes);
    Some(finding.advising("Better than a higher limit are fewer and shorter cookies and tokens: each server on the way has one."))
}

fn says_so(answer: &Answer<'_, '_>) -> bool {
    let body = text::decode(answer.leg.body()).to_ascii_lowercase();
    let told = SENTENCES.iter().any(|sentence| body.contains(sentence));
    let head = answer.leg.attempt.request.as_ref().map_or(0, |request| request.bytes.len());
    let is_refused_at_once = answer.by == Maker::Proxy && answer.behind.is_none() && head > USUAL_LIMIT;
    match answer.status {
        414 | 431 | 494 => true,
        400 => told || is_refused_at_once,
        _ => false,
    }
}

/// The field with the longest value of the request.
fn largest<'a>(leg: &LegView<'a>) -> Option<(&'a str, usize)> {
    let fields = leg.request.as_ref()?.fields.iter();
    fields.map(|(name, value)| (name, value.len())).max_by_key(|(_, length)| *length)
}

/// What error pages of nginx, Apache and Node.js say.
const SENTENCES: &[&str] =
    &["header or cookie too large", "header fields too large", "size of a request header field exceeds"];

/// What many servers take, in bytes.
const USUAL_LIMIT: usize = 8 * 1024;

/// A field that is worth a word, in bytes.
const NOTEWORTHY: usize = 1024;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    #[test]
    fn a_head_that_is_too_large_is_told() {
        let nginx = "<html>\r\n<head><title>400 Request Header Or Cookie Too Large</title></head>\r\n<body>\r\n<center>";
        let haproxy = "<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.";
        let long = format!("sid={}", "x".repeat(9000));
        let cases = [
            ("431 Request Header Fields Too Large", "", "sid=1", true),
            ("414 URI Too Long", "", "sid=1", true),
            ("400 Bad Request", nginx, long.as_str(), true),
            ("400 Bad request", haproxy, long.as_str(), true),
            ("400 Bad request", haproxy, "sid=1", false),
            ("400 Bad Request", "who are you", long.as_str(), false),
            ("403 Forbidden", "", long.as_str(), false),
        ];
        for (status, body, cookie, fires) in cases {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request_with(&[("Cookie", cookie)]));
            script.say(&mut client, From::Server, answer(status, &[("Server", "nginx/1.22.1")], body));
            let finding = script.finding("headers-too-large");
            assert_eq!(finding.is_some(), fires, "{status} {body}");
            let Some(finding) = finding else { continue };
            let expected = "nginx 1.22.1 (10.77.1.1) refuses the request because its head is too large";
            assert_eq!(finding.sentence(), expected);
            assert_eq!(script.rules(), ["headers-too-large"]);
            let names_it =
                finding.detail.iter().any(|it| it == "Its largest field is Cookie with 9004 bytes.");
            assert_eq!(names_it, cookie.len() > 1024);
        }
    }
}
