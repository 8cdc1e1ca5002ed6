"""Faults whose captures would show nothing new and are not shipped: they are played by lab/mend alone, to prove the fix
that wsinspect prints for each proxy."""

from proxies import Proxy
from scenario import ON_ANY, Leading, Scenario, Visit
from truth import AT_PROXY, AT_PROXY_FRONT

API = "/api/live"
SILENCE = (Visit("silence", API, "closed: 1006"),)
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
    fault("haproxy-upgrade-deleted", "haproxy", "upgrade-deleted.cfg", 426, "upgrade-stripped",
          "http-request del-header takes Upgrade and Connection away: 426."),
    fault("haproxy-upstream-host", "haproxy", "upstream-host.cfg", 404, "host-rewritten",
          "http-request set-header makes up a Host that the API does not serve: 404.", service="api-virtual-host"),
    fault("haproxy-path-rewrite", "haproxy", "path-rewrite.cfg", 404, "path-rewritten",
          "http-request replace-path takes the prefix off: /api/live becomes /live, 404."),
    Scenario(
        name="haproxy-page-alone", proxy="haproxy", configuration="page-alone.cfg", services=("page",),
        visits=(Visit("greet", "/ws/events", "closed: 1000 bye"),
                Visit("greet", API, "failed: Unexpected server response: 400")),
        taps=(ON_ANY,), truth=[], result="", leading=Leading("route-missing", AT_PROXY),
        mended_services=("page", "api"),
        point="No use_backend sends /api/live to the API, and the page does not know the path: 400."),
    fault("nginx-forwarded-proto", "haproxy", "says-https.cfg", 301, "forwarded-proto-wrong",
          "TLS ends before HAProxy, and the nginx behind it says $scheme, which is http: the API redirects to https.",
          service="api-https-only", lingers=True, inner=Proxy("nginx", "inner-says-http.conf", 8080)),
    fault("apache-http-1.0", "apache", "http-1.0.conf", 505, "upgrade-stripped",
          "force-proxy-request-1.0 makes Apache forward the request without the upgrade: 505."),
    fault("apache-auth-missing", "apache", "auth-basic.conf", 401, "auth-missing",
          "Apache asks for a password, and a WebSocket client cannot be asked: 401.",
          service=None, hop=AT_PROXY_FRONT, mended_services=("api",)),
    fault("apache-static-page", "apache", "static-page.conf", 200, "html-instead-of-101",
          "No ProxyPass has the path, and FallbackResource answers everything with the page: 200.",
          service=None, hop=AT_PROXY_FRONT, mended_services=("api",)),
    fault("caddy-upgrade-deleted", "caddy", "upgrade-deleted.caddyfile", 426, "upgrade-stripped",
          "header_up takes Upgrade away: 426."),
    fault("caddy-path-rewrite", "caddy", "path-rewrite.caddyfile", 404, "path-rewritten",
          "handle_path takes the prefix off the path: /api/live becomes /live, 404."),
    fault("caddy-plaintext-to-tls", "caddy", "plaintext-to-tls.caddyfile", 400, "plaintext-to-tls-upstream",
          "reverse_proxy says http:// and what listens there is an nginx that speaks TLS: its 400.",
          hop="proxy 127.0.0.1", inner=INNER_TLS),
    Scenario(
        name="caddy-idle", proxy="caddy", configuration="read-timeout.caddyfile", services=("api",), visits=SILENCE,
        taps=(ON_ANY,), truth=[], result="", leading=Leading("idle-timeout", AT_PROXY),
        point="read_timeout of the transport is 3 s, and both sides are silent: Caddy closes both connections."),
]
