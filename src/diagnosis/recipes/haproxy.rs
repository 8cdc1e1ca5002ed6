//! `HAProxy`: <https://docs.haproxy.org/>. Upgrades need nothing.

use super::fix;
use super::site::Site;
use crate::diagnosis::finding::Fix;

/// Upgrades pass by themselves, unless rules take the fields away.
pub(super) fn forward_upgrade() -> Vec<Fix> {
    let text = "mode http\n# and no http-request del-header of Upgrade or Connection";
    vec![fix("HAProxy", "the frontend and the backend", text)]
}

/// The name stays by itself, unless rules set another.
pub(super) fn keep_host() -> Vec<Fix> {
    vec![fix("HAProxy", "the frontend and the backend", "# no http-request set-header Host")]
}

/// TLS towards the upstream.
pub(super) fn speak_tls(site: &Site<'_>) -> Vec<Fix> {
    let text = format!("server NAME {} ssl verify required ca-file FILE", site.upstream());
    vec![fix("HAProxy", "the backend", text)]
}

/// Plaintext towards the upstream.
pub(super) fn speak_plaintext(site: &Site<'_>) -> Vec<Fix> {
    vec![fix("HAProxy", "the backend", format!("server NAME {}   # without ssl", site.upstream()))]
}

/// A tunnel has a timeout of its own; without it those of the two sides count. `client-fin` is the frontend's, so a
/// backend alone is no place for both.
pub(super) fn raise_idle_timeout() -> Vec<Fix> {
    let place = "defaults (a timeout tunnel of the backend's own wins)";
    vec![fix("HAProxy", place, "timeout tunnel 1h\ntimeout client-fin 30s")]
}

/// Old processes stay until their last session has ended, unless there is a limit.
pub(super) fn outlive_reloads() -> Vec<Fix> {
    vec![fix("HAProxy", "global", "hard-stop-after 1h")]
}
