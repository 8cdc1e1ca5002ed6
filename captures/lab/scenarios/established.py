"""Upgrades that succeed, and what flows through them."""

from network import TO_CLIENT
from scenario import ON_ANY, ON_CLIENT_SIDE, ON_UPSTREAM_SIDE, Derived, Leading, Scenario, Tap, Visit
from truth import AT_PROXY, GREETING, TO_API, TO_API_6, TO_PROXY, TO_PROXY_6, conversation, established

API = "/api/live"

CHAT = conversation(
    {"text": 4, "binary": 1, "continuation": 2, "ping": 1, "pong": 1, "close": 1},
    {"text": 4, "binary": 1, "continuation": 3, "ping": 1, "pong": 1, "close": 1},
    ("client", 1000, "bye"),
)
DEFLATE = conversation(
    {"text": 6, "binary": 1, "pong": 1, "close": 1},
    {"text": 5, "binary": 1, "continuation": 3, "ping": 1, "close": 1},
    ("server", 4000, "room closed"),
)
SILENCE = conversation({"text": 2}, {"text": 2})

SCENARIOS = [
    Scenario(
        name="chat",
        point="Every kind of frame once: text, binary, a message in fragments with a ping between them, pongs, and a "
              "close with code and reason; the same traffic in several file formats.",
        configuration="all-correct.conf",
        visits=(Visit("chat", API, "closed: 1000 bye"),),
        taps=(
            ON_ANY, ON_CLIENT_SIDE, ON_UPSTREAM_SIDE,
            Tap("proxy-any-nano.pcap", "any", options=("--time-stamp-precision=nano",)),
            Tap("proxy-any-sll1.pcap", "any", options=("-y", "LINUX_SLL")),
        ),
        derived=(
            Derived("both-sides.pcapng",
                    ("mergecap", "-F", "pcapng", "-I", "none", "-w", "both-sides.pcapng",
                     "client-eth.pcap", "upstream-eth.pcap"),
                    "any"),
            Derived("client-eth.pcap.gz", ("gzip", "-9", "-n", "-k", "client-eth.pcap"), TO_CLIENT),
        ),
        truth=[established(TO_PROXY, API, CHAT), established(TO_API, API, CHAT)],
        leading=None,
        result="One attempt, two legs, established on both. The client offers permessage-deflate and the server "
               "declines, so no extension is in force. Both sides send a fragmented message with a ping between "
               "the fragments, and the ping is answered. The client closes with 1000 \"bye\", the server answers.",
        notes="The pcapng file has one interface for each side of the proxy. Its section header carries no options: "
              "the lab takes out the kernel version that mergecap writes there.",
    ),
    Scenario(
        name="chat-deflate",
        point="permessage-deflate is negotiated: compressed messages, an uncompressed one among them, a compressed "
              "one in fragments, and a close by the server with a code of its own.",
        configuration="all-correct.conf",
        services=("page", "api-deflate"),
        visits=(Visit("deflate", API, "closed: 4000 room closed"),),
        taps=(ON_ANY, ON_CLIENT_SIDE),
        truth=[established(TO_PROXY, API, DEFLATE), established(TO_API, API, DEFLATE)],
        leading=None,
        result="One attempt, two legs, established on both with permessage-deflate. The server compresses all of its "
               "messages, the client all but one; both keep their compression window from message to message, so "
               "that the same text costs less the second time. The server closes with 4000 "
               "\"room closed\", the client answers.",
    ),
    Scenario(
        name="idle-cut",
        point="proxy_read_timeout is 3 s: after a few messages both applications are silent, and nginx closes both "
              "connections without a Close frame.",
        configuration="read-timeout.conf",
        visits=(Visit("silence", API, "closed: 1006"),),
        taps=(ON_ANY, ON_CLIENT_SIDE),
        truth=[established(TO_PROXY, API, SILENCE), established(TO_API, API, SILENCE)],
        leading=Leading("idle-timeout", AT_PROXY),
        result="One attempt, two legs, established on both and ended abnormally: two messages each way, 3 s of "
               "silence, then a FIN from nginx to both sides and no Close frame from anybody. The silence is the "
               "`proxy_read_timeout`.",
    ),
    Scenario(
        name="ipv6",
        point="The complete configuration over IPv6 on both sides of the proxy, with Python's websockets library as "
              "client.",
        configuration="ipv6.conf",
        visits=(Visit("greet", API, "closed: 1000 bye", address="fd77:1::1", client="python"),),
        taps=(ON_ANY, ON_CLIENT_SIDE),
        truth=[established(TO_PROXY_6, API, GREETING), established(TO_API_6, API, GREETING)],
        leading=None,
        result="One attempt, two legs over IPv6, established on both, one message each way and a clean close. "
               "A healthy capture.",
    ),
]
