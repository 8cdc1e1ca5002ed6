//! Apache httpd: <https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#wsupgrade>.

use super::fix;
use super::site::Site;
use crate::diagnosis::finding::Fix;

/// Upgrades are passed on since 2.4.47, if they are asked for, and never in HTTP/1.0.
pub(super) fn forward_upgrade(site: &Site<'_>) -> Vec<Fix> {
    let mut fixes = vec![before_others(proxy_pass(site, "http", site.upstream_path))];
    if site.sends_1_0 {
        fixes.extend(speak_http_1_1(site));
    }
    fixes
}

/// The path as the client wrote it; one slash where the configuration makes two of it.
pub(super) fn keep_path(site: &Site<'_>, path: &str) -> Vec<Fix> {
    vec![before_others(proxy_pass(site, "http", path))]
}

/// HTTP/1.1 is the default; only this variable changes it.
pub(super) fn speak_http_1_1(site: &Site<'_>) -> Vec<Fix> {
    let text = format!("<Location \"{}\">\n    UnsetEnv force-proxy-request-1.0\n</Location>", site.path);
    vec![fix("Apache", "the virtual host", text)]
}

/// The name that the client asked for.
pub(super) fn keep_host() -> Vec<Fix> {
    vec![fix("Apache", "the virtual host", "ProxyPreserveHost On")]
}

/// TLS towards the upstream.
pub(super) fn speak_tls(site: &Site<'_>) -> Vec<Fix> {
    let text = format!("SSLProxyEngine On\n{}", proxy_pass(site, "https", site.upstream_path));
    vec![before_others(text)]
}

/// The core `Timeout` is what cuts a silent tunnel (measured with 2.4.71), whatever `ProxyTimeout` says.
pub(super) fn raise_idle_timeout() -> Vec<Fix> {
    vec![fix("Apache", "the server or the virtual host", "Timeout 3600\nProxyTimeout 3600")]
}

/// Rewrite conditions that were copied from old recipes.
pub(in crate::diagnosis) const ANCHORED_CONDITION: &str = "A rewrite condition that compares Connection with ^Upgrade$ \
    misses lists such as keep-alive, Upgrade, which Firefox sends: test %{HTTP:Upgrade} =websocket [NC] alone.";

/// The first line that matches a path counts.
fn before_others(text: String) -> Fix {
    fix("Apache", "the virtual host, before broader ProxyPass lines (2.4.47 and later)", text)
}

fn proxy_pass(site: &Site<'_>, scheme: &str, path: &str) -> String {
    format!("ProxyPass \"{}\" \"{scheme}://{}{path}\" upgrade=websocket", site.path, site.upstream())
}
