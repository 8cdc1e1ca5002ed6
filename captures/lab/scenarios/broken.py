"""Upgrades that succeed, and sessions that break for what their own ends do: no pong, too much at once, no mask."""

from scenario import ON_ANY, Leading, Scenario, Visit
from truth import AT_API, TO_API, TO_PROXY, established

API = "/api/live"
TOO_BIG = {"close": {"by": "server", "code": 1009, "reason": "frame with 2000 bytes exceeds limit of 1000 bytes"}}

SCENARIOS = [
    Scenario(
        name="ping-unanswered",
        point="The server pings every second and waits 3 s for the answer; the client answers no ping.",
        configuration="all-correct.conf", services=("api-impatient",),
        visits=(Visit("wait", API, "closed: 1011 keepalive ping timeout", options=("pong=no",)),), taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, {"close": {"by": "server", "code": 1011,
                                                    "reason": "keepalive ping timeout"}}),
               established(TO_API, API, {"close": {"by": "server", "code": 1011,
                                                  "reason": "keepalive ping timeout"}})],
        leading=Leading("ping-unanswered", "client 10.77.1.2"),
        result="One attempt, two legs, established, one message each way. No ping of the server is answered, and after "
               "its 3 s it closes with 1011 \"keepalive ping timeout\".",
    ),
    Scenario(
        name="message-too-big",
        point="The server takes messages of 1,000 bytes, and the client sends one of 2,000.",
        configuration="all-correct.conf", services=("api-small-messages",),
        visits=(Visit("large", API, "closed: 1009 frame with 2000 bytes exceeds limit of 1000 bytes"),), taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, TOO_BIG), established(TO_API, API, TOO_BIG)],
        leading=Leading("message-too-big", AT_API),
        result="One attempt, two legs, established, one message each way. The second message of the client is too big: "
               "the server closes with 1009.",
    ),
    Scenario(
        name="client-unmasked",
        point="A client that was written by hand sends its first frame without a mask.",
        configuration="all-correct.conf", services=("api",),
        visits=(Visit("unmasked", API, "answered: 101, then closed in order", client="raw"),), taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, {"close": {"by": "server", "code": 1002, "reason": "incorrect masking"}}),
               established(TO_API, API, {"close": {"by": "server", "code": 1002, "reason": "incorrect masking"}})],
        leading=Leading("client-frame-unmasked", "client 10.77.1.2"),
        result="One attempt, two legs, established. The frame of the client is not masked on either leg, and the server "
               "closes with 1002 \"incorrect masking\".",
    ),
]
