//! Where requests go, what of them is passed on, and who is asked for credentials: short recipes of all products.

use super::{Site, apache, caddy, envoy, fix, haproxy, nginx, rarer};
use crate::diagnosis::finding::Fix;
use crate::routes::Software;

/// Who asks for credentials at a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::diagnosis) enum Gate {
    /// The proxy itself, for a password.
    Password,
    /// A service that the proxy asks about each request.
    Service,
}

/// A path is to reach the application that serves its WebSocket.
pub(in crate::diagnosis) fn send_to_upstream(site: &Site<'_>) -> Vec<Fix> {
    let path = site.path;
    match site.software {
        Some(Software::Nginx) => nginx::own_location(site, path, ""),
        Some(Software::Apache) => apache::forward_upgrade(site),
        Some(Software::Haproxy) => haproxy::send_to_backend(site),
        Some(Software::Caddy) => caddy::handle(site, "the site block, outside of what serves files"),
        Some(Software::Envoy) => envoy::send_to_cluster(site),
        Some(Software::TrafficServer) => rarer::traffic_server_map(site),
        Some(_) => Vec::new(),
        None => [nginx::own_location(site, path, ""), apache::forward_upgrade(site)].concat(),
    }
}

/// The path is to stay as the client wrote it; or, where a prefix is taken off with one slash too few, to lose that slash.
pub(in crate::diagnosis) fn keep_path(site: &Site<'_>) -> Vec<Fix> {
    let prefix = prefix_without_slash(site);
    let nginx =
        || prefix.map_or_else(|| nginx::keep_path(site), |prefix| nginx::end_with_slash(site, prefix));
    let meant = || site.upstream_path.replacen("//", "/", 1);
    let apache = || apache::keep_path(site, &prefix.map_or_else(|| site.path.to_owned(), |_| meant()));
    match site.software {
        Some(Software::Nginx) => nginx(),
        Some(Software::Apache) => apache(),
        Some(Software::Haproxy) => haproxy::keep_path(),
        Some(Software::Caddy) => caddy::handle(site, "the site block, outside of handle_path"),
        Some(_) => Vec::new(),
        None => [nginx(), apache()].concat(),
    }
}

/// The prefix that is replaced, where the rest keeps its slash and gets another one: of `/api/live` that becomes `//live`
/// it is `/api`.
fn prefix_without_slash<'a>(site: &Site<'a>) -> Option<&'a str> {
    let at = site.upstream_path.find("//")?;
    let rest = site.upstream_path.get(at.saturating_add(1)..)?;
    site.path.strip_suffix(rest).filter(|prefix| !prefix.is_empty())
}

/// The path without the slash is to be served too.
pub(in crate::diagnosis) fn serve_without_slash(site: &Site<'_>) -> Vec<Fix> {
    match site.software {
        Some(Software::Nginx) => nginx::end_without_slash(site),
        _ => Vec::new(),
    }
}

/// The WebSocket's path is not to be asked for a password or a login at the proxy.
pub(in crate::diagnosis) fn exempt_from_login(site: &Site<'_>, gate: Gate) -> Vec<Fix> {
    let path = site.path;
    match site.software {
        Some(Software::Nginx) => {
            let off = match gate {
                Gate::Password => "auth_basic off;\n",
                Gate::Service => "auth_request off;\n",
            };
            nginx::own_location(site, &format!("= {path}"), off)
        }
        Some(Software::Apache) => {
            let text = format!("<Location \"{path}\">\n    Require all granted\n</Location>");
            vec![fix("Apache", "the virtual host", text)]
        }
        _ => Vec::new(),
    }
}

/// Longer heads are to be taken.
pub(in crate::diagnosis) fn larger_heads(software: Option<Software>) -> Vec<Fix> {
    match software {
        Some(Software::Nginx) => nginx::larger_heads(),
        Some(Software::Haproxy) => vec![fix("HAProxy", "global", "tune.bufsize 65536")],
        Some(Software::Apache) => {
            let text = "LimitRequestFieldSize 32768\nLimitRequestLine 32768";
            vec![fix("Apache", "the server or the virtual host", text)]
        }
        _ => Vec::new(),
    }
}

/// The application is to learn that the client came over TLS; `was_told` if a proxy before this one says so already.
pub(in crate::diagnosis) fn tell_scheme(site: &Site<'_>, was_told: bool) -> Vec<Fix> {
    let apache = || fix("Apache", "the virtual host", "RequestHeader set X-Forwarded-Proto \"https\"");
    match site.software {
        Some(Software::Nginx) => nginx::tell_scheme(site, was_told),
        Some(Software::Apache) => vec![apache()],
        Some(Software::Haproxy) => haproxy::tell_scheme(),
        Some(Software::Caddy) => caddy::tell_scheme(),
        Some(_) => Vec::new(),
        None => [nginx::tell_scheme(site, was_told), vec![apache()]].concat(),
    }
}
