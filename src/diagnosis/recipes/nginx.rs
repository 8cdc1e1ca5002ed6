//! nginx: <https://nginx.org/en/docs/http/websocket.html> and the pages of `ngx_http_proxy_module`.

use super::fix;
use super::site::Site;
use crate::diagnosis::finding::Fix;

/// The map, the version and the fields.
pub(super) fn forward_upgrade(site: &Site<'_>) -> Vec<Fix> {
    vec![map(), fix("nginx", location(site), forwarding(site))]
}

/// A location of its own for a path, with what the WebSocket needs. `matches` is what stands before the brace, `first`
/// the lines that come before the usual ones.
pub(super) fn own_location(site: &Site<'_>, matches: &str, first: &str) -> Vec<Fix> {
    let body = format!("{first}{}\n{}", proxy_pass(site, "http"), forwarding(site));
    let body = body.replace('\n', "\n    ");
    vec![map(), fix("nginx", "the server block", format!("location {matches} {{\n    {body}\n}}"))]
}

/// The version, which is inherited as long as no inner level sets another.
pub(super) fn speak_http_1_1(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("nginx", location(site), "proxy_http_version 1.1;")]
}

/// What each client asked for, instead of fixed values.
pub(super) fn follow_the_client() -> Vec<Fix> {
    vec![map(), fix("nginx", "wherever Upgrade and Connection are set", FIELDS)]
}

/// The name that the client asked for.
pub(super) fn keep_host(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("nginx", location(site), "proxy_set_header Host $http_host;")]
}

/// The path as the client wrote it.
pub(super) fn keep_path(site: &Site<'_>) -> Vec<Fix> {
    let text = format!("{}   # no path after the port, no slash", proxy_pass(site, "http"));
    vec![fix("nginx", location(site), text)]
}

/// A prefix that is taken off, with the slash that goes with it.
pub(super) fn end_with_slash(site: &Site<'_>, prefix: &str) -> Vec<Fix> {
    vec![fix("nginx", first_line(&location(site)), format!("location {prefix}/ {{"))]
}

/// A location that ends with a slash, without it.
pub(super) fn end_without_slash(site: &Site<'_>) -> Vec<Fix> {
    let path = site.path;
    vec![fix("nginx", first_line(&format!("the location {path}/")), format!("location {path} {{"))]
}

/// TLS towards the upstream.
pub(super) fn speak_tls(site: &Site<'_>) -> Vec<Fix> {
    let text = format!("{}\nproxy_ssl_server_name on;", proxy_pass(site, "https"));
    vec![fix("nginx", location(site), text)]
}

/// Plaintext towards the upstream.
pub(super) fn speak_plaintext(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("nginx", location(site), proxy_pass(site, "http"))]
}

/// How the client came: what a proxy before this one says, or what this one sees itself.
pub(super) fn tell_scheme(site: &Site<'_>, was_told: bool) -> Vec<Fix> {
    const HAND_ON: &str = "proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;";
    if was_told {
        return vec![fix("nginx", location(site), HAND_ON)];
    }
    let place = |ends: &str| format!("{}, if TLS ends {ends} this nginx", location(site));
    vec![
        fix("nginx", place("at"), "proxy_set_header X-Forwarded-Proto $scheme;"),
        fix("nginx", place("before"), HAND_ON),
    ]
}

/// The silence that a tunnel may have in both directions.
pub(super) fn raise_idle_timeout(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("nginx", location(site), "proxy_read_timeout 3600s;\nproxy_send_timeout 3600s;")]
}

/// Old workers stay until their last session has ended, unless there is a limit.
pub(super) fn outlive_reloads() -> Vec<Fix> {
    vec![fix("nginx", "the main block, outside of http", "worker_shutdown_timeout 1h;")]
}

/// In `http` and not in `server`: there the default server of the port decides for all.
pub(super) fn larger_heads() -> Vec<Fix> {
    vec![fix("nginx", "http block", "large_client_header_buffers 4 32k;")]
}

/// What each list of `proxy_set_header` lines needs to be told.
pub(in crate::diagnosis) const INHERITANCE: &str = "A location with any proxy_set_header of its own inherits none from \
    outside: all of them have to be repeated there.";

fn location(site: &Site<'_>) -> String {
    format!("the location that serves {}", site.path)
}

fn first_line(location: &str) -> String {
    format!("{location}, as its first line")
}

fn proxy_pass(site: &Site<'_>, scheme: &str) -> String {
    format!("proxy_pass {scheme}://{};", site.upstream())
}

/// `Connection` as it has to be for each request.
fn map() -> Fix {
    fix("nginx", "http block", "map $http_upgrade $connection_upgrade { default upgrade; '' close; }")
}

/// The version, which is 1.1 by itself since 1.29.7, and the fields. `$host` is what nginx's own documentation has; it
/// lacks the port, which an Origin has too if there is one.
fn forwarding(site: &Site<'_>) -> String {
    let speaks_1_1 = site.version.is_some_and(|version| !version.is_before(SPEAKS_1_1));
    let version = if speaks_1_1 { "" } else { "proxy_http_version 1.1;\n" };
    let host = if site.names_port { "$http_host" } else { "$host" };
    format!("{version}{FIELDS}\nproxy_set_header Host {host};")
}

/// The fields of the upgrade, as the client sent them.
const FIELDS: &str =
    "proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection $connection_upgrade;";

/// From here on nginx speaks HTTP/1.1 to upstreams without being told.
const SPEAKS_1_1: &[u32] = &[1, 29, 7];
