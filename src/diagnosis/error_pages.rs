//! Whose built-in answer an error is: a proxy that wrote it got nothing from an upstream, or asked none.

use super::view::LegView;
use crate::routes::Software;
use crate::text;

/// Whose built-in error page an answer is: the proxy that answers wrote it itself.
pub(super) fn own_page(leg: &LegView<'_>) -> Option<Software> {
    let body = text::decode(leg.body());
    let server = leg.answered_text("server").unwrap_or_default();
    let after = |mark: &str| body.split_once(mark).map(|(_, rest)| rest);
    // `<hr><center>nginx/1.22.1</center>`: another version is that of another nginx behind this one.
    if let Some(signature) = after("<hr><center>") {
        let signature = signature.split('<').next().unwrap_or_default();
        return (!server.is_empty() && signature == server).then_some(Software::Nginx);
    }
    if let Some(rest) = body.strip_prefix("<html><body><h1>") {
        return is_status(rest, leg).then_some(Software::Haproxy);
    }
    if server.starts_with("Apache") {
        return after("<title>").is_some_and(|title| is_status(title, leg)).then_some(Software::Apache);
    }
    if server == "Caddy" {
        return (body.is_empty() && leg.status() >= Some(500)).then_some(Software::Caddy);
    }
    if leg.status() < Some(400) {
        return None;
    }
    // An answer that Envoy passes on keeps the order of its fields, and gets Envoy's name at the end (1.40).
    let is_envoy = server == "envoy" || server == "istio-envoy";
    if is_envoy && (has_length_after_server(leg) || ENVOY_SAYS.iter().any(|start| body.starts_with(start))) {
        return Some(Software::Envoy);
    }
    let starts = |name: &str| server.starts_with(name);
    let has_title =
        |titles: &[&str]| after("<TITLE>").is_some_and(|rest| titles.iter().any(|it| rest.starts_with(it)));
    // What these two pass on keeps the name of who answered.
    if starts("tinyproxy/") {
        return Some(Software::Tinyproxy);
    }
    if starts("mitmproxy ") {
        return Some(Software::Mitmproxy);
    }
    if starts("ATS") && has_title(TRAFFIC_SERVER_SAYS) {
        return Some(Software::TrafficServer);
    }
    if leg.answered("x-squid-error").is_some() {
        return Some(Software::Squid);
    }
    (starts("nghttpx") && body.contains("<footer>nghttpx")).then_some(Software::Nghttpx)
}

fn is_status(text: &str, leg: &LegView<'_>) -> bool {
    leg.status().is_some_and(|status| text.starts_with(&status.to_string()))
}

/// Whether an answer is empty and says so behind who made it.
fn has_length_after_server(leg: &LegView<'_>) -> bool {
    let Some(head) = &leg.response else { return false };
    let place = |name: &str| head.fields.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
    leg.answered("content-length") == Some(b"0") && place("content-length") > place("server")
}

/// How Envoy's own answers begin (1.40).
const ENVOY_SAYS: &[&str] = &[
    "upstream connect error or disconnect/reset before headers",
    "upstream request timeout",
    "no healthy upstream",
    "no_healthy_upstream",
    "stream timeout",
    "RBAC: access denied",
];

/// Titles of Traffic Server's own pages (9.2).
const TRAFFIC_SERVER_SAYS: &[&str] = &[
    "Not Found on Accelerator",
    "Could Not Connect",
    "Host Header Required",
    "Unknown Host",
    "Access Denied",
];

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// Status line, fields, body, and who is to be named.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

    fn leading(status: &str, fields: &[(&str, &str)], body: &str) -> String {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        script.say(&mut client, From::Server, answer(status, fields, body));
        script.leading()
    }

    #[test]
    fn the_pages_that_proxies_write_tell_them() {
        let squid = [("Server", "squid/5.7"), ("X-Squid-Error", "ERR_CONNECT_FAIL 111")];
        let cases: [Case<'_>; 5] = [
            ("502 Bad Gateway", &[("Server", "mitmproxy 8.1.1")], "<html>", "mitmproxy (10.77.1.1)"),
            (
                "500 Unable to connect",
                &[("Server", "tinyproxy/1.11.1")],
                "<?xml",
                "Tinyproxy 1.11.1 (10.77.1.1)",
            ),
            ("503 Service Unavailable", &squid, "<!DOCTYPE", "Squid 5.7 (10.77.1.1)"),
            ("502 Bad Gateway", &[("Server", "nghttpx")], "<footer>nghttpx</footer>", "nghttpx (10.77.1.1)"),
            (
                "503 Service Unavailable",
                &[("server", "envoy")],
                "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
                "Envoy (10.77.1.1)",
            ),
        ];
        for (status, fields, body, who) in cases {
            let code = status.split(' ').next().unwrap();
            assert_eq!(
                leading(status, fields, body),
                format!("error refused-by-proxy: {who} answers {code} itself")
            );
        }
    }

    #[test]
    fn traffic_server_has_no_map_for_ws() {
        let page = "<HTML>\n<HEAD>\n<TITLE>Not Found on Accelerator</TITLE>\n</HEAD>\n";
        let told = leading("404 Not Found on Accelerator", &[("Server", "ATS/9.2.9")], page);
        let expected =
            "error route-missing: Traffic Server 9.2.9 (10.77.1.1) has no route to an upstream for /ws";
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_passed_on_is_not_the_proxys() {
        for (server, body) in
            [("ATS/9.2.9", "no such path"), ("nghttpx", "<html>"), ("h2o/2.2.5", "not found")]
        {
            let told = leading("404 Not Found", &[("Server", server)], body);
            assert!(told.starts_with("error refused-by-upstream"), "{told}");
        }
    }
}
