"""Healthy conversations that travel in an unusual way: compressed otherwise, byte by byte, over a bridge."""

from scenario import ON_ANY, ON_CLIENT_SIDE, Scenario, Visit
from truth import TO_API, TO_CONTAINER, TO_PROXY, conversation, established
from scenarios.established import CHAT, DEFLATE

API = "/api/live"
BYTES = conversation({"text": 1, "close": 1}, {"text": 1, "close": 1}, ("client", 1000, ""))


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
]
