"""What is spoken above WebSocket: GraphQL, Hocuspocus, SignalR, SockJS, MQTT and STOMP, with the libraries that people use."""

import dataclasses

from scenario import ON_ANY, Leading, Scenario, Visit
from truth import (AT_PROXY, STRIPPED_1_0, TO_PAGE, TO_PROXY, anywhere, conversation, established, refused)

GRAPHQL, EDITOR, HUB, ECHO = "/graphql", "/collaboration", "/hub", "/echo"
AT_SERVER = "upstream 10.77.2.2:3000"
# Which request reaches which process is not the same in every run.
UNCLAIMED = dataclasses.replace(ON_ANY, truth=None)


def on_both_legs(target, *sessions, **more):
    """Each of these sessions, on the client's leg and on the upstream's."""
    claims = [established(leg, target, websocket, **more) for websocket in sessions for leg in (TO_PROXY, TO_PAGE)]
    return claims if target else [anywhere(claim) for claim in claims]


def closing(code, reason, client, server=()):
    """A session that the server closes; `client` and `server` are their text frames."""
    return conversation({"text": client, "close": 1}, {"text": len(server), "close": 1} if server else {"close": 1},
                        ("server", code, reason))


def graphql(name, visits, service, sessions, leading, point, result, **more):
    """A GraphQL server behind an nginx that is right."""
    return Scenario(
        name=name, point=point, configuration="all-correct.conf", services=(service,),
        node_packages=(("graphql-ws",) if service == "graphql" else ()) + more.pop("libraries", ()),
        visits=tuple(Visit(words, GRAPHQL, ending, client="graphql") for words, ending in visits), taps=(ON_ANY,),
        truth=on_both_legs(GRAPHQL, *sessions, **more), leading=leading, result=result)


BOTH_CLOSED = {"end": "clean"}

SCENARIOS = [
    graphql(
        "graphql", [("ask", "answered: hello"), ("subscribe", "counted: 3,2,1,0")], "graphql",
        [BOTH_CLOSED, BOTH_CLOSED], None,
        "A GraphQL query and a subscription over graphql-transport-ws, client and server of the library graphql-ws.",
        "Two sessions, established on both legs, with the subprotocol graphql-transport-ws; both end in order with 1000. "
        "A healthy capture."),
    graphql(
        "graphql-older-client", [("older", "closed: 1006")], "graphql",
        [conversation({}, {"close": 1}, ("server", 4406, "Subprotocol not acceptable"))],
        Leading("graphql-subprotocol", AT_SERVER),
        "A client of the older library subscriptions-transport-ws at a server of graphql-ws: the names of their "
        "subprotocols mislead, and they do not meet.",
        "The client offers graphql-ws. The 101 chooses no subprotocol, the server closes with 4406 at once, and the "
        "client, like a browser, gives up on the 101 alone.",
        libraries=("subscriptions-transport-ws",), response_problems=["subprotocol-missing"]),
    graphql(
        "graphql-older-server", [("ask", "closed: 1002")], "graphql-older",
        [closing(1002, "", 1)], Leading("graphql-subprotocol", AT_SERVER),
        "The reverse: a client of graphql-ws at a server of subscriptions-transport-ws.",
        "The client offers graphql-transport-ws, and the 101 chooses it: the WebSocket library below takes whatever is "
        "offered first. The server, which speaks the older protocol only, closes with 1002 at once.",
        libraries=("subscriptions-transport-ws", "graphql-ws")),
    graphql(
        "graphql-refused", [("expired", "closed: 4403 Forbidden")], "graphql",
        [closing(4403, "Forbidden", 1)], Leading("closed-with-error", AT_SERVER),
        "The server of graphql-ws lets everybody connect, and refuses the token in the first message: 4403.",
        "One session, established on both legs. The client sends connection_init with its token; the server closes with "
        "4403, Forbidden."),
    graphql(
        "graphql-closes",
        [("too-early", "closed: 4401 Unauthorized"),
         ("never-says-who", "closed: 4408 Connection initialisation timeout"),
         ("says-it-twice", "closed: 4429 Too many initialisation requests"),
         ("names-twice", "closed: 4409 Subscriber for 1 already exists"),
         ("older-words", "closed: 4400 Invalid message received")], "graphql",
        [closing(4401, "Unauthorized", 1),
         conversation({"close": 1}, {"close": 1}, ("server", 4408, "Connection initialisation timeout")),
         {"end": "clean"}, {"end": "clean"}, {"end": "clean"}],
        Leading("closed-with-error", AT_SERVER),
        "Programs that speak graphql-transport-ws wrongly, one after the other, and the code with which the library "
        "graphql-ws closes each: asked before let in, never said who it is, said it twice, used a name twice, spoke "
        "the older protocol.",
        "Five sessions, established on both legs, closed by the server with 4401, 4408 (after 1 s), 4429, 4409 and 4400."),
    Scenario(
        name="hocuspocus",
        point="An editor and its shared document: Hocuspocus, which authenticates inside the WebSocket.",
        configuration="all-correct.conf", services=("hocuspocus",),
        node_packages=("@hocuspocus/server", "@hocuspocus/provider"),
        visits=(Visit("write", EDITOR, "written: hello", client="hocuspocus"),), taps=(ON_ANY,),
        truth=on_both_legs(EDITOR, {"end": "clean"}), leading=None,
        result="One session, established on both legs: binary frames only, of which the first carries the token. It "
               "ends in order. A healthy capture.",
    ),
    Scenario(
        name="hocuspocus-refused",
        point="The token of an editor is refused: Hocuspocus says so in a message and leaves the WebSocket open.",
        configuration="all-correct.conf", services=("hocuspocus",),
        node_packages=("@hocuspocus/server", "@hocuspocus/provider"),
        visits=(Visit("expired", EDITOR, "not let in: permission-denied", client="hocuspocus"),), taps=(ON_ANY,),
        truth=on_both_legs(EDITOR, {"end": "clean"}), leading=Leading("plane-live-auth", AT_SERVER),
        result="One session, established on both legs. The first message of the client carries the token, the first "
               "of the server says `permission-denied`. No Close frame tells of it: a second later the client leaves "
               "with 1000.",
    ),
    Scenario(
        name="hocuspocus-stripped",
        point="The same editor behind an nginx that forwards with proxy_pass alone: Hocuspocus answers the plain "
              "request with its greeting.",
        configuration="nothing-configured.conf", services=("hocuspocus",),
        node_packages=("@hocuspocus/server", "@hocuspocus/provider"),
        visits=(Visit("try", EDITOR, "failed", client="hocuspocus"),), taps=(ON_ANY,),
        truth=[refused(TO_PROXY, EDITOR, 200), refused(TO_PAGE, EDITOR, 200, "1.0", STRIPPED_1_0)],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="One attempt, two legs, both refused with 200 and `Welcome to Hocuspocus!`.",
    ),
    Scenario(
        name="signalr",
        point="SignalR: negotiation by POST, then the WebSocket with the token that it gave, the handshake, a call.",
        configuration="all-correct.conf", services=("signalr",), node_packages=("@microsoft/signalr",),
        visits=(Visit("ask", HUB, "answered: still there?", client="signalr"),), taps=(ON_ANY,),
        truth=on_both_legs(None, {"end": "clean"}), leading=None,
        result="A POST, then one session, established on both legs. It ends in order. A healthy capture.",
    ),
    Scenario(
        name="signalr-scattered",
        point="SignalR behind an nginx that sends each request to the next of two processes: the one that gets the "
              "WebSocket does not know what the other negotiated.",
        configuration="signalr-scattered.conf", services=("signalr", "signalr-second"),
        node_packages=("@microsoft/signalr",),
        visits=(Visit("ask", HUB, "failed", client="signalr"),), taps=(UNCLAIMED,), truth=[],
        leading=Leading("session-not-sticky", AT_PROXY),
        result="The negotiation reaches one process, the WebSocket the other, which answers 404 and `No Connection "
               "with that ID`.",
    ),
    Scenario(
        name="signalr-mute",
        point="A program negotiates with a SignalR server, opens the WebSocket, and never sends the handshake.",
        configuration="all-correct.conf", services=("signalr",), node_packages=("@microsoft/signalr",),
        visits=(Visit("mute", HUB, "closed: 1000", client="signalr"),), taps=(ON_ANY,),
        truth=on_both_legs(None, conversation({"close": 1}, {"text": 1, "close": 1}, ("server", 1000, ""))),
        leading=Leading("signalr-handshake-missing", AT_SERVER),
        result="One session, established on both legs, in which the client says nothing. After 3 s (15 s unless set "
               "otherwise) the server says `Handshake was canceled.` and closes with 1000.",
    ),
    Scenario(
        name="sockjs",
        point="SockJS: its question for /info, then a WebSocket with a session in its path.",
        configuration="all-correct.conf", services=("sockjs",), node_packages=("sockjs", "sockjs-client"),
        visits=(Visit("ask", ECHO, "answered over websocket: still there?", client="sockjs"),), taps=(ON_ANY,),
        truth=on_both_legs(None, {"end": "clean"}), leading=None,
        result="One session, established on both legs. It ends in order. A healthy capture.",
    ),
    Scenario(
        name="sockjs-fallback",
        point="The same behind an nginx that forwards with proxy_pass alone: the WebSocket fails, the client goes on by "
              "polling, and nobody notices.",
        configuration="nothing-configured.conf", services=("sockjs",), node_packages=("sockjs", "sockjs-client"),
        visits=(Visit("ask", ECHO, "answered over xhr-polling: still there?", client="sockjs"),), taps=(ON_ANY,),
        truth=[anywhere(refused(TO_PROXY, None, 400)), anywhere(refused(TO_PAGE, None, 400, "1.0", STRIPPED_1_0))],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="One attempt, two legs, both refused with 400 and `Can \"Upgrade\" only to \"WebSocket\".` Then requests "
               "of other sessions, of which the last one polls.",
    ),
    Scenario(
        name="brokers",
        point="MQTT and STOMP over WebSocket: a subscriber who sends to himself.",
        configuration="all-correct.conf", services=("broker",), node_packages=("aedes", "mqtt", "@stomp/stompjs"),
        visits=(Visit("mqtt", "/mqtt", "came back: hello", client="broker"),
                Visit("stomp", "/stomp", "came back: hello", client="broker")), taps=(ON_ANY,),
        truth=[*on_both_legs("/mqtt", {}), *on_both_legs("/stomp", {"end": "clean"})], leading=None,
        result="Two sessions, established on both legs, with the subprotocols mqtt and v12.stomp.",
    ),
]
