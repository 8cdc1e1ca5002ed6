"""Applications above WebSocket: their own requests, sessions and endings."""

import dataclasses

from scenario import ON_ANY, Leading, Scenario, Visit
from truth import AT_PROXY

SOCKET_IO = "/socket.io/"
# Which request reaches which process, and so which WebSocket attempts there are, is not the same in every run.
UNCLAIMED = dataclasses.replace(ON_ANY, truth=None)

SCENARIOS = [
    Scenario(
        name="socketio-scattered",
        point="Socket.IO behind an nginx that sends each request to the next of two processes: the session that one of "
              "them opened is not known to the other.",
        configuration="socketio-scattered.conf", services=("socketio", "socketio-second"),
        visits=(Visit("insist", SOCKET_IO, "failed 4 times", client="socketio"),), taps=(UNCLAIMED,),
        truth=[],
        leading=Leading("session-not-sticky", AT_PROXY),
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
        result="Some polling requests, then the WebSocket of the same session, established on both legs: `2probe`, "
               "`3probe`, `5`, and a question with its answer. A healthy capture.",
    ),
]
