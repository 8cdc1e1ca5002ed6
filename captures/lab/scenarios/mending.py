"""Faults whose captures would show nothing new and are not shipped: they are played by lab/mend alone, to prove the fix
that wsinspect prints for each proxy."""

from proxies import Proxy
from scenario import ON_ANY, Leading, Scenario, Visit
from truth import AT_PROXY, AT_PROXY_FRONT

API = "/api/live"
INNER_TLS = Proxy("nginx", "inner-tls.conf", 8443)


def fault(name, proxy, configuration, status, rule, point, service="api", hop=AT_PROXY, **more):
    """One client, refused because of its proxy."""
    options = more.pop("options", ())
    return Scenario(
        name=name, point=point, proxy=proxy, configuration=configuration, services=(service,) if service else (),
        visits=(Visit("greet", API, f"failed: Unexpected server response: {status}", options=options),),
        taps=(ON_ANY,), truth=[], result="", leading=Leading(rule, hop), **more)


SCENARIOS = [
    fault("apache-path-rewrite", "apache", "path-rewrite.conf", 404, "path-rewritten",
          "ProxyPass takes the prefix off the path: /api/live becomes /live, 404."),
    fault("apache-headers-too-large", "apache", "all-correct.conf", 400, "headers-too-large",
          "The client's cookie is larger than Apache (LimitRequestFieldSize) takes: 400.",
          service=None, hop=AT_PROXY_FRONT, options=("cookie=12000",), mended_services=("api-large-heads",)),
    fault("apache-tls-to-plaintext", "apache", "tls-to-plaintext.conf", 500, "tls-to-plaintext-upstream",
          "ProxyPass says https:// and the API speaks plaintext: 500.", tls_ports=(8000,)),
    fault("apache-plaintext-to-tls", "apache", "plaintext-to-tls.conf", 400, "plaintext-to-tls-upstream",
          "ProxyPass says http:// and what listens there is an nginx that speaks TLS: its 400.",
          hop="proxy 127.0.0.1", inner=INNER_TLS),
    fault("haproxy-tls-to-plaintext", "haproxy", "tls-to-plaintext.cfg", 503, "tls-to-plaintext-upstream",
          "The server line says ssl and the API speaks plaintext: 503.", tls_ports=(8000,)),
    fault("haproxy-plaintext-to-tls", "haproxy", "plaintext-to-tls.cfg", 400, "plaintext-to-tls-upstream",
          "The server line lacks ssl and what listens there is an nginx that speaks TLS: its 400.",
          hop="proxy 127.0.0.1", inner=INNER_TLS),
    fault("caddy-tls-to-plaintext", "caddy", "tls-to-plaintext.caddyfile", 502, "tls-to-plaintext-upstream",
          "reverse_proxy says https:// and the API speaks plaintext: 502.", tls_ports=(8000,)),
    fault("caddy-origin-rejected", "caddy", "upstream-host.caddyfile", 403, "origin-rejected",
          "header_up sets Host to the upstream's address, and the API compares Origin with Host: 403.",
          service="api-same-origin"),
]
