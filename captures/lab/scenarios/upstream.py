"""The upstream is missing, faulty or silent; mostly behind a configuration that is right."""

from scenario import ON_ANY, ON_CLIENT_SIDE, Leading, Scenario, Visit
from truth import AT_API, AT_PROXY, STRIPPED_1_0, TO_API, TO_PROXY, invalid, refused, unanswered

API = "/api/live"
BOTH = (ON_ANY, ON_CLIENT_SIDE)

SCENARIOS = [
    Scenario(
        name="upstream-down-502",
        point="The configuration is right and the API is not running: nginx answers 502 itself.",
        configuration="all-correct.conf",
        services=("page",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 502"),),
        taps=BOTH,
        truth=[refused(TO_PROXY, API, 502)],
        leading=Leading("upstream-refused", AT_API),
        result="One attempt, refused with 502. Towards the upstream there is a SYN and a RST and no request, so the "
               "upstream side shows a refused TCP connection and no attempt. nginx made the answer up.",
    ),
    Scenario(
        name="upstream-reset-502",
        point="The upstream takes the request and resets the connection: 502, as if it were down, but it is not.",
        configuration="all-correct.conf",
        services=("reset",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 502"),),
        taps=BOTH,
        truth=[refused(TO_PROXY, API, 502), unanswered(TO_API, API)],
        leading=Leading("upstream-aborted", AT_API),
        result="One attempt, two legs. The upstream leg is unanswered: a complete upgrade request, then a RST from "
               "the upstream. nginx makes up the 502 that the client gets.",
    ),
    Scenario(
        name="upstream-silent-504",
        point="The upstream takes the request and never answers: after proxy_read_timeout, 3 s here, nginx answers "
              "504.",
        configuration="read-timeout.conf",
        services=("silent",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 504"),),
        taps=BOTH,
        truth=[refused(TO_PROXY, API, 504), unanswered(TO_API, API)],
        leading=Leading("upstream-silent", AT_API),
        result="One attempt, two legs. The upstream leg is unanswered: a complete upgrade request, acknowledged, "
               "then 3 s of silence until nginx closes the connection. nginx makes up the 504 that the client gets.",
    ),
    Scenario(
        name="stripped-502",
        point="As nginx-nothing-configured, with an older release of the API's library, which closes the connection "
              "on HTTP/1.0 without a word: the client's 502 looks like an upstream that is down.",
        configuration="nothing-configured.conf",
        services=("api-older",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 502"),),
        taps=BOTH,
        truth=[refused(TO_PROXY, API, 502), unanswered(TO_API, API, "1.0", STRIPPED_1_0)],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="One attempt, two legs. The client's leg is refused with 502. The upstream leg is unanswered, and its "
               "request tells why: HTTP/1.0, no `Upgrade`, `Connection: close`. The cause is the missing "
               "configuration, not the upstream.",
    ),
    Scenario(
        name="wrong-accept",
        point="The upstream answers 101 with a Sec-WebSocket-Accept that does not belong to the key; nginx passes it "
              "on and the client hangs up.",
        configuration="all-correct.conf",
        services=("wrong-accept",),
        visits=(Visit("greet", API, "failed: Invalid Sec-WebSocket-Accept header"),),
        taps=BOTH,
        truth=[
            invalid(TO_PROXY, API, "wrong", ["accept-wrong"]),
            invalid(TO_API, API, "wrong", ["accept-wrong"]),
        ],
        leading=Leading("accept-wrong", AT_API),
        result="One attempt, two legs, both invalid: the answer is 101 on both, and its `Sec-WebSocket-Accept` is "
               "the one printed in RFC 6455 for the RFC's sample key. No frame is sent; the client closes the TCP "
               "connection.",
    ),
]
