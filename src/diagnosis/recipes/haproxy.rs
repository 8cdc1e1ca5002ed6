//! `HAProxy`: <https://docs.haproxy.org/>. Upgrades need nothing.

use super::fix;
use super::site::Site;
use crate::diagnosis::finding::Fix;

/// Upgrades pass by themselves, unless rules take the fields away: these lines undo what others before them did.
pub(super) fn forward_upgrade() -> Vec<Fix> {
    let text = "http-request set-header Upgrade websocket if { req.hdr(Sec-WebSocket-Key) -m found }\n\
                http-request set-header Connection Upgrade if { req.hdr(Sec-WebSocket-Key) -m found }";
    vec![fix("HAProxy", LAST, text)]
}

/// The name stays by itself, unless rules set another.
pub(super) fn keep_host() -> Vec<Fix> {
    vec![
        fix("HAProxy", FIRST, "http-request set-var(txn.host) req.hdr(Host)"),
        fix("HAProxy", LAST, "http-request set-header Host %[var(txn.host)]"),
    ]
}

/// The path stays by itself, unless rules change it.
pub(super) fn keep_path() -> Vec<Fix> {
    vec![
        fix("HAProxy", FIRST, "http-request set-var(txn.path) path"),
        fix("HAProxy", LAST, "http-request set-path %[var(txn.path)]"),
    ]
}

/// A backend of its own for a path.
pub(super) fn send_to_backend(site: &Site<'_>) -> Vec<Fix> {
    let text = format!("use_backend BACKEND if {{ path_beg {} }}", site.path);
    vec![fix("HAProxy", "the frontend, before broader use_backend lines", text)]
}

/// The field, where TLS ends; what a proxy before it wrote passes by itself.
pub(super) fn tell_scheme() -> Vec<Fix> {
    let text = "http-request set-header X-Forwarded-Proto https if { ssl_fc }";
    vec![fix("HAProxy", "the frontend", text)]
}

/// Rules of a frontend come before those of a backend.
const FIRST: &str = "the frontend, before all other http-request lines";
const LAST: &str = "the backend, after all other http-request lines";

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
