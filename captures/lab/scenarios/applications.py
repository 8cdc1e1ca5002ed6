"""Socket.IO, which begins by polling and goes on over a WebSocket if it can."""

import dataclasses

from scenario import ON_ANY, ON_CLIENT_SIDE, Leading, Scenario, Visit
from truth import AT_PROXY, STRIPPED_1_0, TO_PAGE, TO_PROXY, anywhere, refused

SOCKET_IO = "/socket.io/"
# Which request reaches which process, and so which WebSocket attempts there are, is not the same in every run.
UNCLAIMED = dataclasses.replace(ON_ANY, truth=None)
PACKAGES = ("socket.io", "socket.io-client")

SCENARIOS = [
    Scenario(
        name="socketio-scattered",
        point="Socket.IO behind an nginx that sends each request to the next of two processes: the session that one of "
              "them opened is not known to the other.",
        configuration="socketio-scattered.conf", services=("socketio", "socketio-second"),
        visits=(Visit("insist", SOCKET_IO, "failed 4 times", client="socketio"),), taps=(UNCLAIMED,),
        truth=[],
        leading=Leading("session-not-sticky", AT_PROXY), node_packages=PACKAGES,
        result="The client begins by polling, and the answer names a session. The next requests of the session reach "
               "the other process, which answers 400 `Session ID unknown`. The client begins anew, four times.",
    ),
    Scenario(
        name="socketio-sticky",
        point="The same with ip_hash: all requests of the client reach one process.",
        configuration="socketio-sticky.conf", services=("socketio", "socketio-second"),
        visits=(Visit("ask", SOCKET_IO, "answered over websocket: still there?", client="socketio"),),
        taps=(UNCLAIMED,), truth=[],
        leading=None,
        node_packages=PACKAGES,
        result="Some polling requests, then the WebSocket of the same session, established on both legs: `2probe`, "
               "`3probe`, `5`, and a question with its answer. A healthy capture.",
    ),
    Scenario(
        name="socketio-polling",
        point="Socket.IO behind an nginx that forwards with proxy_pass alone: the WebSocket fails, the session stays on "
              "polling, and everything seems to work.",
        configuration="nothing-configured.conf", services=("socketio",), node_packages=PACKAGES,
        visits=(Visit("stay", SOCKET_IO, "answered 4 times over polling", client="socketio"),),
        taps=(ON_ANY, ON_CLIENT_SIDE),
        truth=[anywhere(refused(TO_PROXY, None, 400)), anywhere(refused(TO_PAGE, None, 400, "1.0", STRIPPED_1_0))],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="One attempt, two legs, both refused with 400 and `{\"code\":3,\"message\":\"Bad request\"}`; around it "
               "polling requests of the same session, for eight seconds.",
    ),
]
