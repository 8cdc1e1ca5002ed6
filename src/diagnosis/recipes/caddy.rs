//! Caddy: <https://caddyserver.com/docs/caddyfile/directives/reverse_proxy>. Upgrades need nothing.

use super::fix;
use super::site::Site;
use crate::diagnosis::finding::Fix;

/// Upgrades pass by themselves, unless the configuration takes the fields away.
pub(super) fn forward_upgrade(site: &Site<'_>) -> Vec<Fix> {
    let place = format!("{}, instead of other header_up lines for these fields", reverse_proxy(site));
    let text = "header_up Upgrade {http.request.header.Upgrade}\n\
                header_up Connection {http.request.header.Connection}";
    vec![fix("Caddy", place, text)]
}

/// A handler of its own for a path: of several `handle` blocks the one with the longest path counts.
pub(super) fn handle(site: &Site<'_>, place: &str) -> Vec<Fix> {
    let text = format!("handle {}* {{\n    reverse_proxy {}\n}}", site.path, site.upstream());
    vec![fix("Caddy", place, text)]
}

/// Caddy sets the field itself, and hands on that of a proxy before it if it trusts that one.
pub(super) fn tell_scheme() -> Vec<Fix> {
    let text = "servers {\n    trusted_proxies static private_ranges\n}";
    vec![fix("Caddy", "the global options, if TLS ends before Caddy", text)]
}

/// The name stays by itself, unless the configuration sets another.
pub(super) fn keep_host(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("Caddy", reverse_proxy(site), "header_up Host {http.request.host}")]
}

/// TLS towards the upstream. The name in its certificate, and whose signature it has, no capture shows.
pub(super) fn speak_tls(site: &Site<'_>) -> Vec<Fix> {
    let text = format!(
        "reverse_proxy https://{} {{\n    transport http {{\n        tls_server_name NAME\n        \
         tls_trusted_ca_certs FILE\n    }}\n}}",
        site.upstream()
    );
    vec![fix("Caddy", instead(site), text)]
}

/// Plaintext towards the upstream.
pub(super) fn speak_plaintext(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("Caddy", instead(site), format!("reverse_proxy http://{}", site.upstream()))]
}

/// There is no limit unless one is set. `stream_timeout` is none of these: it limits the whole session.
pub(super) fn raise_idle_timeout(site: &Site<'_>) -> Vec<Fix> {
    let text = "transport http {\n    read_timeout 24h\n    write_timeout 24h\n}";
    vec![fix("Caddy", reverse_proxy(site), text)]
}

/// Without a delay every reload closes all sessions; before 2.7 there is none to set.
pub(super) fn outlive_reloads(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("Caddy", format!("{} (2.7 and later)", reverse_proxy(site)), "stream_close_delay 1h")]
}

fn reverse_proxy(site: &Site<'_>) -> String {
    format!("the reverse_proxy block that serves {}", site.path)
}

fn instead(site: &Site<'_>) -> String {
    format!("instead of the reverse_proxy line that serves {}", site.path)
}
