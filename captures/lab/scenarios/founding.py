"""The founding case: a page and an API behind nginx, in the four states a configuration passes through."""

from scenario import ON_ANY, ON_CLIENT_SIDE, ON_UPSTREAM_SIDE, Leading, Scenario, Visit
from truth import AT_PROXY, GREETING, STRIPPED, STRIPPED_1_0, TO_API, TO_PAGE, TO_PROXY, established, refused

PAGE, API = "/ws/events", "/api/live"
TAPS = (ON_ANY, ON_CLIENT_SIDE, ON_UPSTREAM_SIDE)


def visits(page_ending, api_ending):
    """The client tries the page's WebSocket first, then the API's."""
    return Visit("greet", PAGE, page_ending), Visit("greet", API, api_ending)


SCENARIOS = [
    Scenario(
        name="nginx-nothing-configured",
        point="nginx forwards with proxy_pass alone, so no upgrade reaches an application: one answers 200 with its "
              "page, the other 505.",
        configuration="nothing-configured.conf",
        visits=visits("failed: Unexpected server response: 200", "failed: Unexpected server response: 505"),
        taps=TAPS,
        truth=[
            refused(TO_PROXY, PAGE, 200),
            refused(TO_PAGE, PAGE, 200, "1.0", STRIPPED_1_0),
            refused(TO_PROXY, API, 505),
            refused(TO_API, API, 505, "1.0", STRIPPED_1_0),
        ],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="Two attempts of the client, two legs each, all refused. On the way through nginx each request "
               "becomes HTTP/1.0, loses `Upgrade`, gets `Connection: close`, and its `Host` becomes the upstream's "
               "address. `Sec-WebSocket-Key` stays the same on both legs. One cause, although the two statuses "
               "differ: 200 is the page application's answer to any page view, 505 is the API's answer to HTTP/1.0.",
    ),
    Scenario(
        name="nginx-headers-only",
        point="Upgrade and Connection are set, proxy_http_version is forgotten: the lenient application works over "
              "HTTP/1.0, the strict one answers 505.",
        configuration="headers-only.conf",
        visits=visits("closed: 1000 bye", "failed: Unexpected server response: 505"),
        taps=TAPS,
        truth=[
            established(TO_PROXY, PAGE, GREETING),
            established(TO_PAGE, PAGE, GREETING, "1.0", ["http-version-too-low"]),
            refused(TO_PROXY, API, 505),
            refused(TO_API, API, 505, "1.0", ["http-version-too-low"]),
        ],
        leading=Leading("http-version-too-low", AT_PROXY),
        result="Two attempts of the client, two legs each. The first is established on both legs although its "
               "upstream request says HTTP/1.0, because the page application does not look at the version; the "
               "second is refused with 505 by the API, which does. The upgrade fields arrive on both; the one "
               "problem of both upstream requests is the version.",
    ),
    Scenario(
        name="nginx-version-only",
        point="proxy_http_version 1.1 is set and the two headers are forgotten: the upgrade is still lost, and the "
              "answers are 200 and 426.",
        configuration="version-only.conf",
        visits=visits("failed: Unexpected server response: 200", "failed: Unexpected server response: 426"),
        taps=TAPS,
        truth=[
            refused(TO_PROXY, PAGE, 200),
            refused(TO_PAGE, PAGE, 200, "1.1", STRIPPED),
            refused(TO_PROXY, API, 426),
            refused(TO_API, API, 426, "1.1", STRIPPED),
        ],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="Two attempts of the client, two legs each, all refused. The upstream requests are HTTP/1.1 with "
               "`Connection: close` and without `Upgrade`. The same cause shows as 200 with a page and as 426.",
    ),
    Scenario(
        name="nginx-all-correct",
        point="The complete configuration: a map, the version, the two headers and Host; both applications are "
              "reached.",
        configuration="all-correct.conf",
        visits=visits("closed: 1000 bye", "closed: 1000 bye"),
        taps=TAPS,
        truth=[
            established(TO_PROXY, PAGE, GREETING),
            established(TO_PAGE, PAGE, GREETING),
            established(TO_PROXY, API, GREETING),
            established(TO_API, API, GREETING),
        ],
        leading=None,
        result="Two attempts of the client, two legs each, all established, with one message each way and a clean "
               "close by the client. A healthy capture: there is nothing to complain about.",
    ),
]
