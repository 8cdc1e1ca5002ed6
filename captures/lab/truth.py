"""Builds the truth about attempts, in the words of wsinspect's JSON.

A truth is written from what the lab does, never from what wsinspect prints. A key that is left out is not claimed.
"""

# The ways a request travels in this lab: (client's address, server's endpoint).
TO_PROXY = ("10.77.1.2", "10.77.1.1:80")
TO_PAGE = ("10.77.2.1", "10.77.2.2:3000")
TO_API = ("10.77.2.1", "10.77.2.2:8000")
TO_API_TLS = ("10.77.2.1", "10.77.2.2:8443")
TO_API_OTHER = ("10.77.2.1", "10.77.2.2:8001")
TO_CONTAINER = ("10.77.5.1", "10.77.5.2:8000")
TO_OVERLAY = ("10.77.6.1", "10.77.6.2:8000")
TO_GATE = ("10.77.2.1", "10.77.2.2:9000")
TO_INNER = ("127.0.0.1", "127.0.0.1:8080")
TO_INNER_TLS = ("127.0.0.1", "127.0.0.1:8443")
TO_PROXY_6 = ("fd77:1::2", "[fd77:1::1]:80")
TO_API_6 = ("fd77:2::1", "[fd77:2::2]:8000")

# Who is at fault, in the words of a finding.
AT_PROXY, AT_PROXY_FRONT, AT_API = "proxy 10.77.2.1", "proxy 10.77.1.1", "upstream 10.77.2.2:8000"

# What nginx before 1.29.7 does to a request when nothing, or only the version, is configured.
STRIPPED = ["upgrade-missing", "connection-token-missing"]
STRIPPED_1_0 = [*STRIPPED, "http-version-too-low"]


def frames(**counts):
    """How many frames of each opcode one side sends."""
    return {opcode: counts.pop(opcode, 0) for opcode in ("text", "binary", "continuation", "ping", "pong", "close")}


def conversation(client, server, close=None):
    """What flows after the handshake; `close` is (who, code, reason) of the first Close frame.

    The end is clean when both sides have sent a Close frame.
    """
    return {
        "client": frames(**client),
        "server": frames(**server),
        "end": "clean" if client.get("close") and server.get("close") else "abnormal",
        "close": dict(zip(("by", "code", "reason"), close)) if close else None,
    }


GREETING = conversation({"text": 1, "close": 1}, {"text": 1, "close": 1}, ("client", 1000, "bye"))


def _attempt(leg, target, http_version, status, outcome, request_problems, **more):
    client, server = leg
    return {"client": client, "server": server, "target": target, "http_version": http_version, "status": status,
            "outcome": outcome, "request_problems": request_problems, **more}


def established(leg, target, websocket=None, http_version="1.1", request_problems=(), response_problems=()):
    """An upgrade that a client accepts, and what flowed; nothing is claimed of it if `websocket` is None."""
    flow = {} if websocket is None else {"websocket": websocket}
    return _attempt(leg, target, http_version, 101, "established", list(request_problems), accept="valid",
                    response_problems=list(response_problems), **flow)


def anywhere(claim):
    """The same attempt without a claim about its target, in which a session has its name, another one in each run."""
    return {key: value for key, value in claim.items() if key != "target"}


def ended(how):
    """How a conversation ends, without a claim about what was said in it."""
    return {"end": how}


def refused(leg, target, status, http_version="1.1", request_problems=()):
    """An upgrade answered by any other final status."""
    return _attempt(leg, target, http_version, status, "refused", list(request_problems), response_problems=[],
                    websocket=None)


def invalid(leg, target, accept, response_problems, request_problems=()):
    """A 101 that the client must refuse. No frame follows; whether there is a `websocket` then is not claimed."""
    return _attempt(leg, target, "1.1", 101, "invalid", list(request_problems), accept=accept,
                    response_problems=response_problems)


def unanswered(leg, target, http_version="1.1", request_problems=()):
    """A request whose connection ends before any status."""
    return _attempt(leg, target, http_version, None, "unanswered", list(request_problems), websocket=None)


def unknown(leg, target):
    """A request whose answer the capture does not show."""
    return _attempt(leg, target, "1.1", None, "unknown", [])


def midstream(leg, websocket):
    """Frames whose handshake came before the capture."""
    return _attempt(leg, None, None, None, "midstream", [], websocket=websocket)


def unasked(leg, target, request_problems):
    """A 101 to a request without a key. What the outcome is then is not claimed."""
    claim = _attempt(leg, target, "1.1", 101, None, list(request_problems))
    del claim["outcome"]
    return claim
