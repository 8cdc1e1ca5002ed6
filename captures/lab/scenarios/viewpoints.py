"""The traffic is healthy; the capture sees only part of it."""

from scenario import Scenario, Tap, Visit
from truth import TO_API, TO_PROXY, conversation, midstream, unknown

PAGE, API = "/ws/events", "/api/live"
GREETINGS = (Visit("greet", PAGE, "closed: 1000 bye"), Visit("greet", API, "closed: 1000 bye"))

RESUMED = conversation(
    {"text": 4, "binary": 1, "pong": 1, "close": 1},
    {"text": 4, "binary": 1, "continuation": 3, "ping": 1, "close": 1},
    ("client", 1000, "bye"),
)

SCENARIOS = [
    Scenario(
        name="one-sided",
        point="A capture filter keeps only what the client sends, so no answer can be seen; that says nothing about "
              "whether there was one.",
        configuration="all-correct.conf",
        visits=GREETINGS,
        taps=(Tap("proxy-any.pcap", "any", filter=("src", "host", "10.77.1.2"),
                  truth=[unknown(TO_PROXY, PAGE), unknown(TO_PROXY, API)]),),
        truth=[],
        leading=None,
        result="Two attempts whose outcome is unknown: the requests are complete, the answers are not in the "
               "capture although the client acknowledges them. In truth both are established. Whether the client's "
               "frames are counted is left open.",
    ),
    Scenario(
        name="midstream",
        point="The capture starts when the WebSocket has long been open: frames without a handshake.",
        configuration="all-correct.conf",
        visits=(Visit("resume", API, "closed: 1000 bye"),),
        taps=(Tap("proxy-any.pcap", "any", late=True),),
        truth=[midstream(TO_PROXY, RESUMED), midstream(TO_API, RESUMED)],
        leading=None,
        result="Two connections without SYN and without handshake, with frames from both sides and a clean close by "
               "the client. The frames of the two are the same bytes, which tells that they are two legs of one "
               "route.",
    ),
    Scenario(
        name="snaplen-cut",
        point="tcpdump -s 96 keeps the first 96 bytes of each packet: with link, IP and TCP headers off, 24 bytes of "
              "payload.",
        configuration="all-correct.conf",
        visits=GREETINGS,
        taps=(Tap("proxy-any.pcap", "any", options=("-s", "96"), truth=None),),
        truth=[],
        leading=None,
        result="In truth all attempts are established. What can be seen: the TCP connections, the text of every "
               "request line (`GET /ws/events HTTP/1.1`, already without its line feed), the status code of every "
               "answer, and each frame whole, because all of them are short. What cannot: any HTTP header, so "
               "neither the upgrade fields nor the accept value. The lengths in the IP headers tell how many bytes "
               "are missing. No attempt is claimed for this file.",
    ),
]
