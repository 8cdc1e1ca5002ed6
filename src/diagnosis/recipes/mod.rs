//! What to write into whose configuration: one file a product.
//!
//! Each recipe was applied in the lab to what it mends (`captures/lab/mend`), or says no more than the documentation of
//! the product. `UPSTREAM` stands for an address that the capture does not show.

mod apache;
mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod rarer;
mod routing;
mod site;

pub(super) use apache::ANCHORED_CONDITION;
pub(super) use nginx::INHERITANCE;
pub(super) use routing::{
    Gate, exempt_from_login, keep_path, larger_heads, send_to_upstream, serve_without_slash, tell_scheme,
};
pub(super) use site::{Site, path_of, path_of_leg};

use super::finding::Fix;
use crate::routes::Software;
use crate::units::Endpoint;

/// The upgrade is to reach the upstream.
pub(super) fn forward_upgrade(site: &Site<'_>) -> Vec<Fix> {
    match site.software {
        Some(Software::Nginx) => nginx::forward_upgrade(site),
        Some(Software::Apache) => apache::forward_upgrade(site),
        Some(Software::Haproxy) => haproxy::forward_upgrade(),
        Some(Software::Caddy) => caddy::forward_upgrade(site),
        Some(Software::Envoy) => envoy::forward_upgrade(),
        Some(software) => rarer::forward_upgrade(software, site),
        None => [nginx::forward_upgrade(site), apache::forward_upgrade(site)].concat(),
    }
}

/// The upstream is to be spoken to in HTTP/1.1.
pub(super) fn speak_http_1_1(site: &Site<'_>) -> Vec<Fix> {
    match site.software {
        Some(Software::Nginx) | None => nginx::speak_http_1_1(site),
        Some(Software::Apache) => apache::speak_http_1_1(site),
        Some(_) => Vec::new(),
    }
}

/// The upstream is to be spoken to in HTTP/1.1, not in HTTP/2.
pub(super) fn speak_http_1_1_not_2(software: Option<Software>, upstream: Endpoint) -> Vec<Fix> {
    match software {
        Some(Software::Envoy) => envoy::speak_http_1_1(),
        Some(Software::Haproxy) => {
            vec![fix("HAProxy", "the backend", format!("server NAME {upstream}   # without proto h2"))]
        }
        Some(Software::Caddy) => {
            let text = format!("reverse_proxy http://{upstream}   # not h2c://");
            vec![fix("Caddy", "the site block", text)]
        }
        Some(Software::Nghttpx) => {
            let text = format!("backend={},{}   # without proto=h2", upstream.address, upstream.port);
            vec![fix("nghttpx", "nghttpx.conf", text)]
        }
        _ => Vec::new(),
    }
}

/// The upstream is to be asked for an upgrade if the client asked for one, and only then.
pub(super) fn follow_the_client(software: Option<Software>) -> Vec<Fix> {
    match software {
        Some(Software::Nginx) | None => nginx::follow_the_client(),
        Some(_) => Vec::new(),
    }
}

/// The upstream is to see the name that the client asked for.
pub(super) fn keep_host(site: &Site<'_>) -> Vec<Fix> {
    match site.software {
        Some(Software::Nginx) => nginx::keep_host(site),
        Some(Software::Apache) => apache::keep_host(),
        Some(Software::Caddy) => caddy::keep_host(site),
        Some(Software::Haproxy) => haproxy::keep_host(),
        Some(_) => Vec::new(),
        None => [nginx::keep_host(site), apache::keep_host()].concat(),
    }
}

/// A silent tunnel is to stay open longer.
pub(super) fn raise_idle_timeout(site: &Site<'_>) -> Vec<Fix> {
    match site.software {
        Some(Software::Nginx) => nginx::raise_idle_timeout(site),
        Some(Software::Apache) => apache::raise_idle_timeout(),
        Some(Software::Haproxy) => haproxy::raise_idle_timeout(),
        Some(Software::Caddy) => caddy::raise_idle_timeout(site),
        Some(Software::Envoy) => envoy::raise_idle_timeout(),
        Some(software) => rarer::raise_idle_timeout(software),
        None => {
            [nginx::raise_idle_timeout(site), haproxy::raise_idle_timeout(), apache::raise_idle_timeout()]
                .concat()
        }
    }
}

/// Sessions are to outlive a reload. What is unknown gets nothing: each product has a setting of its own.
pub(super) fn outlive_reloads(site: &Site<'_>) -> Vec<Fix> {
    match site.software {
        Some(Software::Nginx) => nginx::outlive_reloads(),
        Some(Software::Haproxy) => haproxy::outlive_reloads(),
        Some(Software::Caddy) => caddy::outlive_reloads(site),
        _ => Vec::new(),
    }
}

/// The proxy is to speak TLS with the upstream.
pub(super) fn speak_tls(site: &Site<'_>) -> Vec<Fix> {
    match site.software {
        Some(Software::Nginx) => nginx::speak_tls(site),
        Some(Software::Apache) => apache::speak_tls(site),
        Some(Software::Haproxy) => haproxy::speak_tls(site),
        Some(Software::Caddy) => caddy::speak_tls(site),
        Some(_) => Vec::new(),
        None => [nginx::speak_tls(site), apache::speak_tls(site)].concat(),
    }
}

/// The proxy is to speak plaintext with the upstream.
pub(super) fn speak_plaintext(site: &Site<'_>) -> Vec<Fix> {
    match site.software {
        Some(Software::Nginx) => nginx::speak_plaintext(site),
        Some(Software::Apache) => apache::forward_upgrade(site),
        Some(Software::Haproxy) => haproxy::speak_plaintext(site),
        Some(Software::Caddy) => caddy::speak_plaintext(site),
        Some(_) => Vec::new(),
        None => [nginx::speak_plaintext(site), apache::forward_upgrade(site)].concat(),
    }
}

/// One recipe for several sites, each fix once.
pub(super) fn at_each<'a>(
    sites: impl Iterator<Item = Site<'a>>,
    recipe: impl Fn(&Site<'a>) -> Vec<Fix>,
) -> Vec<Fix> {
    let mut fixes: Vec<Fix> = Vec::new();
    for fix in sites.flat_map(|site| recipe(&site)) {
        if fixes.len() < FIXES && !fixes.contains(&fix) {
            fixes.push(fix);
        }
    }
    fixes
}

/// Fixes that one finding tells; for more sites than that it is a setting for all of them.
const FIXES: usize = 6;

/// A fix.
fn fix(target: &'static str, place: impl Into<String>, text: impl Into<String>) -> Fix {
    Fix { target, place: place.into(), text: text.into() }
}
