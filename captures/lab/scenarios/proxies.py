"""HAProxy, Apache and Caddy in front of the applications: what they do with an upgrade when nothing is wrong, and what
Apache does when nothing is configured."""

from scenario import ON_ANY, ON_CLIENT_SIDE, Leading, Scenario, Visit
from truth import AT_PROXY, AT_PROXY_FRONT, GREETING, STRIPPED, TO_API, TO_PAGE, TO_PROXY, established, refused

PAGE, API = "/ws/events", "/api/live"
GREETINGS = (Visit("greet", PAGE, "closed: 1000 bye"), Visit("greet", API, "closed: 1000 bye"))
HEALTHY = [
    established(TO_PROXY, PAGE, GREETING),
    established(TO_PAGE, PAGE, GREETING),
    established(TO_PROXY, API, GREETING),
    established(TO_API, API, GREETING),
]
RESULT = ("Two attempts of the client, two legs each, all established, with one message each way and a clean close by "
          "the client. A healthy capture: there is nothing to complain about.")

SCENARIOS = [
    Scenario(
        name="haproxy-all-correct",
        point="HAProxy needs no configuration for WebSocket: both applications are reached.",
        proxy="haproxy", configuration="all-correct.cfg",
        visits=GREETINGS, taps=(ON_ANY, ON_CLIENT_SIDE),
        truth=HEALTHY, leading=None, result=f"{RESULT} HAProxy writes the names of header fields in lower case.",
    ),
    Scenario(
        name="apache-all-correct",
        point="Apache with upgrade=websocket on both ProxyPass lines: both applications are reached.",
        proxy="apache", configuration="all-correct.conf",
        visits=GREETINGS, taps=(ON_ANY, ON_CLIENT_SIDE),
        truth=HEALTHY, leading=None, result=f"{RESULT} Apache puts `Connection` and `Upgrade` at the end of the head.",
    ),
    Scenario(
        name="caddy-all-correct",
        point="Caddy needs no configuration for WebSocket: both applications are reached.",
        proxy="caddy", configuration="all-correct.caddyfile",
        visits=GREETINGS, taps=(ON_ANY, ON_CLIENT_SIDE),
        truth=HEALTHY, leading=None, result=f"{RESULT} Caddy writes `Sec-Websocket-Key` with a small s.",
    ),
    Scenario(
        name="apache-plain-proxypass",
        point="Apache with ProxyPass alone: the upgrade is lost on the way, one application answers 200 with its "
              "page, the other 426.",
        proxy="apache", configuration="plain-proxypass.conf",
        visits=(Visit("greet", PAGE, "failed: Unexpected server response: 200"),
                Visit("greet", API, "failed: Unexpected server response: 426")),
        taps=(ON_ANY,),
        truth=[
            refused(TO_PROXY, PAGE, 200),
            refused(TO_PAGE, PAGE, 200, "1.1", STRIPPED),
            refused(TO_PROXY, API, 426),
            refused(TO_API, API, 426, "1.1", STRIPPED),
        ],
        lingers=True,
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="Two attempts of the client, two legs each, all refused. The upstream requests are HTTP/1.1 without "
               "`Upgrade` and with `Connection: Keep-Alive` at the end of the head. `Sec-WebSocket-Key` stays the "
               "same on both legs.",
    ),
    Scenario(
        name="apache-reused-connection",
        point="The same loss twice, and both times over one connection to the upstream, which Apache keeps open for "
              "the next request.",
        proxy="apache", configuration="plain-proxypass.conf", services=("page",), lingers=True,
        visits=(Visit("greet", PAGE, "failed: Unexpected server response: 200"),) * 2,
        taps=(ON_ANY,),
        truth=[
            refused(TO_PROXY, PAGE, 200),
            refused(TO_PAGE, PAGE, 200, "1.1", STRIPPED),
            refused(TO_PAGE, PAGE, 200, "1.1", STRIPPED),
            refused(TO_PROXY, PAGE, 200),
        ],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="Two attempts of the client on two connections, and their upstream legs one after the other on a single "
               "connection. All are refused with 200; the upstream requests lack `Upgrade`.",
    ),
    Scenario(
        name="apache-origin-rejected",
        point="ProxyPreserveHost is forgotten, and the API compares Origin with Host: 403.",
        proxy="apache", configuration="no-preserve-host.conf", services=("api-same-origin",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 403"),),
        taps=(ON_ANY,),
        truth=[refused(TO_PROXY, API, 403), refused(TO_API, API, 403)],
        leading=Leading("origin-rejected", AT_PROXY),
        result="One attempt, two legs, refused with 403. The upgrade fields are complete on both. `Origin` is "
               "http://chat.example.test on both; `Host` is the same name before Apache and `10.77.2.2:8000` after it.",
    ),
    Scenario(
        name="apache-anchored-condition",
        point="A RewriteCond wants Connection to be exactly Upgrade: a client that says so gets through, one that says "
              "`keep-alive, Upgrade`, as Firefox does, is forwarded without the upgrade, 426.",
        proxy="apache", configuration="anchored-condition.conf", services=("api",),
        visits=(Visit("greet", API, "closed: 1000 bye"), Visit("keep-alive", API, "answered: 426", client="raw")),
        taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, GREETING), established(TO_API, API, GREETING),
               refused(TO_PROXY, API, 426), refused(TO_API, API, 426, "1.1", STRIPPED)],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="Two attempts of the client, two legs each. The first is established. The second differs from it in "
               "`Connection: keep-alive, Upgrade`, which is as good, and loses `Upgrade` on its way through Apache: "
               "426.",
    ),
    Scenario(
        name="caddy-page-html-200",
        point="The WebSocket's path has no reverse_proxy of its own, and the static page that answers everything "
              "answers it too: 200 with HTML.",
        proxy="caddy", configuration="static-page.caddyfile", services=("api",), mended_services=("api-canonical",),
        visits=(Visit("greet", "/live", "failed: Unexpected server response: 200"),),
        taps=(ON_ANY,),
        truth=[refused(TO_PROXY, "/live", 200)],
        leading=Leading("html-instead-of-101", AT_PROXY_FRONT),
        result="One attempt, refused with 200 and `Content-Type: text/html`; the body is the page. There is no "
               "upstream leg: Caddy answers from a file because of `try_files`.",
        notes="`page` is a folder with one file, `index.html`.",
    ),
]
