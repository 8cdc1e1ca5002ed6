"""Slips in nginx's configuration, beyond those of the founding case."""

from scenario import ON_ANY, ON_CLIENT_SIDE, Leading, Scenario, Visit
from truth import AT_PROXY, AT_PROXY_FRONT, GREETING, STRIPPED, TO_API, TO_PAGE, TO_PROXY, established, refused

PAGE, API = "/ws/events", "/api/live"
BOTH = (ON_ANY, ON_CLIENT_SIDE)

SCENARIOS = [
    Scenario(
        name="header-inheritance",
        point="The upgrade headers stand at server level, and one proxy_set_header in the location /api/ discards "
              "them all for that location.",
        configuration="header-inheritance.conf",
        visits=(Visit("greet", PAGE, "closed: 1000 bye"),
                Visit("greet", API, "failed: Unexpected server response: 426")),
        taps=BOTH,
        truth=[
            established(TO_PROXY, PAGE, GREETING),
            established(TO_PAGE, PAGE, GREETING),
            refused(TO_PROXY, API, 426),
            refused(TO_API, API, 426, "1.1", STRIPPED),
        ],
        leading=Leading("header-inheritance", AT_PROXY),
        result="Two attempts of the client, two legs each. The first is established: `location /` inherits the "
               "headers of the server. The second is refused with 426: its upstream request is HTTP/1.1 with the "
               "right `Host`, `Connection: close` and no `Upgrade`.",
    ),
    Scenario(
        name="connection-keep-alive",
        point="Upgrade is forwarded and Connection is fixed to keep-alive, as in an often copied configuration: "
              "without the token `upgrade` the field does not count, 426.",
        configuration="connection-keep-alive.conf",
        services=("api",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 426"),),
        taps=BOTH,
        truth=[
            refused(TO_PROXY, API, 426),
            refused(TO_API, API, 426, "1.1", ["connection-token-missing"]),
        ],
        leading=Leading("connection-token-missing", AT_PROXY),
        result="One attempt, two legs, refused with 426. The upstream request has `Upgrade: websocket` and "
               "`Connection: keep-alive`.",
    ),
    Scenario(
        name="path-rewrite-404",
        point="A slash after the port in proxy_pass replaces the matched prefix: /api/live becomes /live, which the "
              "API does not have.",
        configuration="path-rewrite.conf",
        services=("api",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 404"),),
        taps=BOTH,
        truth=[refused(TO_PROXY, API, 404), refused(TO_API, "/live", 404)],
        leading=Leading("path-rewritten", AT_PROXY),
        result="One attempt, two legs, refused with 404. The upgrade fields are complete on both; the target is "
               "`/api/live` before nginx and `/live` after it.",
    ),
    Scenario(
        name="trailing-slash-301",
        point="The location is /api/live/ with a slash at its end, the client asks for /api/live without: nginx "
              "redirects, and WebSocket clients do not follow.",
        configuration="trailing-slash.conf",
        services=("api",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 301"),),
        taps=BOTH,
        truth=[refused(TO_PROXY, API, 301)],
        leading=Leading("redirect-trailing-slash", AT_PROXY_FRONT),
        leading_elsewhere=(("client-eth.pcap", Leading("redirect-trailing-slash", AT_PROXY_FRONT)),),
        result="One attempt, refused with 301 and a `Location` that differs from the target by one slash. There is "
               "no upstream leg: nginx answers itself.",
    ),
    Scenario(
        name="redundant-ws-location-404",
        point="A location /ws, copied from a recipe, wins over location / and sends /ws/events to the API, which has "
              "no such path: 404.",
        configuration="redundant-location.conf",
        visits=(Visit("greet", PAGE, "failed: Unexpected server response: 404"),
                Visit("greet", API, "closed: 1000 bye")),
        taps=BOTH,
        truth=[
            refused(TO_PROXY, PAGE, 404),
            refused(TO_API, PAGE, 404),
            established(TO_PROXY, API, GREETING),
            established(TO_API, API, GREETING),
        ],
        leading=Leading("route-missing", AT_PROXY),
        result="Two attempts of the client, two legs each. The first is complete on both legs and still refused "
               "with 404, because it reaches port 8000 (the API) instead of port 3000 (the page application, which "
               "has `/ws/events`). The second, to the path that the API does have, is established.",
    ),
    Scenario(
        name="page-html-200",
        point="The WebSocket's path has no location of its own, and the static page that answers everything answers "
              "it too: 200 with HTML.",
        configuration="static-page.conf",
        services=("api",), mended_services=("api-canonical",),
        visits=(Visit("greet", "/live", "failed: Unexpected server response: 200"),),
        taps=BOTH,
        truth=[refused(TO_PROXY, "/live", 200)],
        leading=Leading("html-instead-of-101", AT_PROXY_FRONT),
        leading_elsewhere=(("client-eth.pcap", Leading("html-instead-of-101", AT_PROXY_FRONT)),),
        result="One attempt, refused with 200 and `Content-Type: text/html`; the body is the page. There is no "
               "upstream leg: nginx answers from a file because of `try_files $uri /index.html`.",
        notes="`root page` is a folder with one file, `index.html`, below nginx's prefix.",
    ),
]
