//! Proxies that are met less often; each setting was tried with the version that stands beside it.

use super::fix;
use super::site::Site;
use crate::diagnosis::finding::Fix;
use crate::routes::Software;

/// The upgrade is to reach the upstream.
pub(super) fn forward_upgrade(software: Software, site: &Site<'_>) -> Vec<Fix> {
    match software {
        Software::Varnish => vec![fix("Varnish", "the VCL", VARNISH_PIPE)],
        Software::Lighttpd => {
            let text = "proxy.header = ( \"upgrade\" => \"enable\" )";
            vec![fix("lighttpd", "beside proxy.server", text)]
        }
        Software::H2o => vec![fix("H2O", "beside proxy.reverse.url", "proxy.websocket: ON")],
        Software::Squid => {
            let text = "http_upgrade_request_protocols websocket allow all";
            vec![fix("Squid", "squid.conf (5.0 and later)", text)]
        }
        Software::TrafficServer => traffic_server_map(site),
        _ => Vec::new(),
    }
}

/// Traffic Server finds a rule for `ws://` of its own, and answers 404 if there is none (tried with 9.2.9).
pub(super) fn traffic_server_map(site: &Site<'_>) -> Vec<Fix> {
    let (path, upstream) = (site.path, site.upstream());
    let text = format!("map ws://HOST{path} ws://{upstream}{path}");
    vec![fix("Traffic Server", "remap.config, beside the rule for http://", text)]
}

/// A silent tunnel is to stay open longer.
pub(super) fn raise_idle_timeout(software: Software) -> Vec<Fix> {
    match software {
        // Version 2.2.5.
        Software::H2o => vec![fix("H2O", "beside proxy.reverse.url", "proxy.websocket.timeout: 3600000")],
        // Version 7.1. Its default is a minute.
        Software::Varnish => vec![fix("Varnish", "the options of varnishd", "-p pipe_timeout=3600")],
        // Version 1.4.69: each of the two cuts, one after a minute unless set, the other after six.
        Software::Lighttpd => {
            let text = "server.max-read-idle = 3600\nserver.max-write-idle = 3600";
            vec![fix("lighttpd", "lighttpd.conf", text)]
        }
        // Version 1.52.
        Software::Nghttpx => {
            let text = "backend-read-timeout=1h\nfrontend-read-timeout=1h";
            vec![fix("nghttpx", "nghttpx.conf", text)]
        }
        _ => Vec::new(),
    }
}

/// Varnish hands an upgrade on only if it takes its hands off the connection (tried with 7.1; lighttpd's with 1.4.69, that of
/// Squid with 5.7, of H2O with 2.2.5).
const VARNISH_PIPE: &str = "sub vcl_recv {
    if (req.http.Upgrade ~ \"(?i)websocket\") {
        return (pipe);
    }
}
sub vcl_pipe {
    if (req.http.Upgrade) {
        set bereq.http.Upgrade = req.http.Upgrade;
        set bereq.http.Connection = req.http.Connection;
    }
}";
