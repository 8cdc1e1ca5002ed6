//! What a status other than 101 usually means as the answer to an upgrade request.

use super::answers::Maker;
use crate::routes::Software;

/// A sentence on a status; none if nothing general can be said.
pub(super) fn meaning(status: u16, by: Maker, software: Option<Software>) -> Option<&'static str> {
    let by_proxy = by == Maker::Proxy;
    Some(match status {
        200 => "200 means that the request was taken for an ordinary one.",
        204 | 206 => "A success without an upgrade means that the request was taken for an ordinary one.",
        301 | 302 | 303 | 307 | 308 => "WebSocket clients do not follow redirects.",
        400 if by_proxy => "400 from a proxy means that it did not accept the request's head.",
        400 => {
            "400 usually means that the application misses something in the handshake, or does not know the session that \
             the target names."
        }
        403 if by_proxy && software == Some(Software::Envoy) => {
            "Envoy answers 403 to upgrades that its upgrade_configs do not list."
        }
        403 if by_proxy => "403 from a proxy means a rule of its own, or a list of allowed addresses.",
        403 => {
            "403 usually means a list of allowed origins or addresses, or a firewall for web applications."
        }
        404 if by_proxy => "404 from a proxy means that none of its routes has this path.",
        404 => {
            "404 means that whoever was asked serves nothing at this path, or under this name of the host."
        }
        405 => {
            "405 means that the path exists, but not for an upgrade request: a static file, or an endpoint for POST."
        }
        408 => "408 means that the server did not get the whole request in time.",
        413 => "413 means that the request came with a body that is too large.",
        421 => "421 means that the server does not serve the name that the request asks for.",
        426 => "426 means that the server did not recognise the request as an upgrade that it knows.",
        429 => {
            "429 means too many requests: often clients that reconnect without a pause after another failure."
        }
        500 if by_proxy && software == Some(Software::Apache) => {
            "Apache answers 500 itself where it cannot speak what ProxyPass names: https:// and wss:// need SSLProxyEngine \
             On, ws:// needs mod_proxy_http or mod_proxy_wstunnel."
        }
        500 if by_proxy => "500 from a proxy means that something in its own configuration fails.",
        500 => "500 means that the code behind this path failed: its own log knows why.",
        501 => "501 means that the server does not do what the request asks for.",
        502 if by_proxy && software == Some(Software::Apache) => {
            "Apache answers 502 when the upstream's answer is not acceptable, and also when it takes too long."
        }
        502 => "502 means that a proxy got no acceptable answer from its upstream.",
        503 if by_proxy && software == Some(Software::Nginx) => {
            "nginx answers 503 itself where a limit is reached (limit_req, limit_conn) or its configuration says so (return \
             503); an upstream that is down makes it 502."
        }
        503 if by_proxy && matches!(software, Some(Software::Haproxy | Software::Apache)) => {
            "HAProxy and Apache answer 503 when no upstream can be reached."
        }
        503 => "503 means that no server was available, or that a limit of requests was reached.",
        504 => "504 means that a proxy waited for its upstream in vain.",
        505 => "505 means that the server does not take this version of HTTP.",
        _ => return None,
    })
}
