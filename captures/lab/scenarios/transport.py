"""Healthy conversations that travel in an unusual way: compressed otherwise, byte by byte, over a bridge, in a tunnel,
in fragments, after a second SYN."""

import network
from scenario import ON_ANY, ON_CLIENT_SIDE, Scenario, Tap, Visit
from truth import GREETING, TO_API, TO_CONTAINER, TO_OVERLAY, TO_PROXY, conversation, established
from scenarios.established import CHAT, DEFLATE

API = "/api/live"
BYTES = conversation({"text": 1, "close": 1}, {"text": 1, "close": 1}, ("client", 1000, ""))
LONG = conversation({"text": 2, "close": 1}, {"text": 2, "close": 1}, ("client", 1000, "bye"))
# Every second SYN to the API is lost, beginning with the first.
FORGETS_SYNS = (network.UPSTREAM, "-A", "INPUT", "-p", "tcp", "--dport", "8000", "--syn", "-m", "statistic",
                "--mode", "nth", "--every", "2", "--packet", "0", "-j", "DROP")


def forgetful(name, who, point, result):
    """permessage-deflate as in chat-deflate, with an empty window at the start of each message of `who`."""
    return Scenario(
        name=name, point=point, configuration="all-correct.conf", services=("page", "api-deflate"),
        visits=(Visit("deflate", API, "closed: 4000 room closed", options=(f"forgets={who}",)),),
        taps=(ON_ANY, ON_CLIENT_SIDE),
        truth=[established(TO_PROXY, API, DEFLATE), established(TO_API, API, DEFLATE)], leading=None,
        result=f"One attempt, two legs, established on both with permessage-deflate. {result} All messages can be "
               "read. The server closes with 4000 \"room closed\", the client answers.")


SCENARIOS = [
    forgetful(
        "deflate-client-forgets", "client",
        "permessage-deflate with client_no_context_takeover: the client starts each message with an empty window, the "
        "server keeps its own.",
        "A text that the client repeats costs it as much as the first time; the server's echo of it costs less. The "
        "client's short messages are not compressed."),
    forgetful(
        "deflate-server-forgets", "server",
        "permessage-deflate with server_no_context_takeover: the server starts each message with an empty window, the "
        "client keeps its own.",
        "A text that the server repeats costs it as much as the first time; the client's second sending of it costs "
        "less."),
    forgetful(
        "deflate-both-forget", "both",
        "permessage-deflate with client_no_context_takeover and server_no_context_takeover: both sides start each "
        "message with an empty window.",
        "A text that is repeated costs both sides as much as the first time. The client's short messages are not "
        "compressed."),
    Scenario(
        name="byte-by-byte",
        point="A client writes its request and its frames one byte at a time, each in a segment of its own.",
        configuration="all-correct.conf",
        visits=(Visit("bytes", API, "answered: 101, then closed in order", client="raw"),),
        taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, BYTES), established(TO_API, API, BYTES)],
        leading=None,
        result="One attempt, two legs, established on both, one message each way and a clean close. The request is in "
               "one piece on the second leg, because nginx waits for its end; the client's frames are in pieces of one "
               "byte on both, because nginx passes on what comes.",
    ),
    Scenario(
        name="container-bridge",
        point="The API runs in a container on a bridge of the proxy's host, as Docker does it: `tcpdump -i any` shows "
              "every packet of that leg twice, on the bridge and on its port.",
        configuration="container.conf",
        services=("page", "api-container"),
        visits=(Visit("chat", API, "closed: 1000 bye"),),
        taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, CHAT), established(TO_CONTAINER, API, CHAT)],
        leading=None,
        result="One attempt, two legs, established on both, and every frame once. The second sight of each packet on "
               "the container's leg is a copy, not a retransmission.",
        notes="The API (Python, `websockets`) is not on the upstream: it runs in the container 10.77.5.2, a network "
              "namespace whose interface is paired with a port of the bridge bridge0, which is 10.77.5.1.",
    ),
    Scenario(
        name="vxlan",
        point="Proxy and upstream talk through a VXLAN, as on the nodes of a container cluster; `tcpdump -i any` shows each "
              "packet of that leg in the tunnel and once more outside it.",
        configuration="overlay.conf",
        visits=(Visit("chat", API, "closed: 1000 bye"),),
        taps=(ON_ANY, Tap("upstream-eth.pcap", network.TO_UPSTREAM, truth=[established(TO_OVERLAY, API, CHAT)])),
        setting="overlay",
        truth=[established(TO_PROXY, API, CHAT), established(TO_OVERLAY, API, CHAT)],
        leading=None,
        result="One attempt, two legs, established on both, and every frame once. The upstream leg is between the "
               "addresses inside the tunnel, 10.77.6.1 and 10.77.6.2; those of the tunnel itself are nobody's.",
        notes="The VXLAN has the number 42 and goes from 10.77.2.1 to 10.77.2.2, UDP port 4789.",
    ),
    Scenario(
        name="fragments",
        point="A router on the client's way takes no packet above 576 bytes, and the client's stack does not forbid "
              "fragments: its larger packets arrive in pieces.",
        configuration="all-correct.conf",
        visits=(Visit("long", API, "closed: 1000 bye", address=network.BY_THE_MIDDLE, options=("deflate=no",)),),
        taps=(ON_ANY,),
        setting="narrow",
        truth=[established(("10.77.4.2", "10.77.3.1:80"), API, LONG), established(TO_API, API, LONG)],
        leading=None,
        result="One attempt, two legs, established on both, two messages each way and a clean close. The client's second "
               "message comes in IPv4 fragments, which are put together.",
        notes="The client is 10.77.4.2, behind a router; nginx is 10.77.3.1 towards it.",
    ),
    Scenario(
        name="syn-retried",
        point="The upstream loses the first SYN, as when its queue is full, and answers the second one, a second later.",
        configuration="all-correct.conf",
        visits=(Visit("greet", API, "closed: 1000 bye"),),
        taps=(ON_ANY,),
        firewall=(FORGETS_SYNS,),
        truth=[established(TO_PROXY, API, GREETING), established(TO_API, API, GREETING)],
        leading=None,
        result="One attempt, two legs, established on both, one message each way and a clean close. The upstream "
               "connection needs two SYNs and a second to open, and the client waits as long for its answer.",
    ),
]
