//! Envoy: <https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/upgrades>, tried with 1.40.

use super::fix;
use super::site::Site;
use crate::diagnosis::finding::Fix;

/// Without the list every upgrade is answered with 403.
pub(super) fn forward_upgrade() -> Vec<Fix> {
    let text = "upgrade_configs:\n- upgrade_type: websocket";
    vec![fix("Envoy", "the HTTP connection manager or the route", text)]
}

/// A route of its own for a path.
pub(super) fn send_to_cluster(site: &Site<'_>) -> Vec<Fix> {
    let text = format!("- match: {{ prefix: \"{}\" }}\n  route: {{ cluster: NAME }}", site.path);
    vec![fix("Envoy", "the routes of the virtual host, before broader ones", text)]
}

/// The route's own timeout does not end upgraded streams; this one does.
pub(super) fn raise_idle_timeout() -> Vec<Fix> {
    vec![fix(
        "Envoy",
        "the HTTP connection manager (idle_timeout of the route wins)",
        "stream_idle_timeout: 3600s",
    )]
}

/// HTTP/1.1 is what a cluster speaks unless it is told otherwise.
pub(super) fn speak_http_1_1() -> Vec<Fix> {
    let text = "explicit_http_config:\n  http_protocol_options: {}   # not http2_protocol_options";
    vec![fix("Envoy", "HttpProtocolOptions of the cluster", text)]
}
