//! Caddy: <https://caddyserver.com/docs/caddyfile/directives/reverse_proxy>. Upgrades need nothing.

use super::fix;
use super::site::Site;
use crate::diagnosis::finding::Fix;

/// Upgrades pass by themselves, unless the configuration takes the fields away.
pub(super) fn forward_upgrade(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("Caddy", reverse_proxy(site), "# no header_up -Upgrade and no header_up Connection")]
}

/// The name stays by itself, unless the configuration sets another.
pub(super) fn keep_host(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("Caddy", reverse_proxy(site), "header_up Host {http.request.host}")]
}

/// TLS towards the upstream.
pub(super) fn speak_tls(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("Caddy", instead(site), format!("reverse_proxy https://{}", site.upstream()))]
}

/// Plaintext towards the upstream.
pub(super) fn speak_plaintext(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("Caddy", instead(site), format!("reverse_proxy http://{}", site.upstream()))]
}

/// There is no limit unless one is set.
pub(super) fn raise_idle_timeout(site: &Site<'_>) -> Vec<Fix> {
    vec![fix(
        "Caddy",
        reverse_proxy(site),
        "stream_timeout 24h\n# Caddy has no idle timeout of its own: look at read_timeout and write_timeout of the transport",
    )]
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
