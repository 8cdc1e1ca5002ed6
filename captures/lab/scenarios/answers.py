"""A faulty 101 from the upstream, and what each proxy makes of it; a 101 that the client cannot use."""

from scenario import ON_ANY, Leading, Scenario, Visit
from truth import AT_API, TO_API, TO_PROXY, conversation, established, invalid, refused

API = "/api/live"
LEAVING = conversation({"close": 1}, {"close": 1}, ("client", 1000, "bye"))
ALL_CORRECT = {"nginx": "all-correct.conf", "haproxy": "all-correct.cfg", "apache": "all-correct.conf",
               "caddy": "all-correct.caddyfile"}
NAMES = {"nginx": "nginx", "haproxy": "HAProxy", "apache": "Apache", "caddy": "Caddy"}
FAULTS = {
    "no-upgrade": ("Upgrade", "upgrade-missing", "switching-without-upgrade", "Unexpected server response: 101"),
    "no-connection": ("Connection", "connection-token-missing", "switching-without-connection", ""),
    "no-accept": ("Sec-WebSocket-Accept", "accept-missing", "accept-missing", "Invalid Sec-WebSocket-Accept header"),
}


def faulty(proxy, fault, what, to_client):
    """The upstream forgets one field of its 101. `to_client` is the status the proxy makes of it, or 101."""
    field, problem, rule, error = FAULTS[fault]
    accept = "missing" if fault == "no-accept" else "valid"
    if to_client == "repaired":
        ending, front = "closed: 1000", established(TO_PROXY, API, LEAVING)
    elif to_client == 101:
        ending, front = f"failed: {error}", invalid(TO_PROXY, API, accept, [problem])
    else:
        ending = f"failed: Unexpected server response: {to_client}"
        front = refused(TO_PROXY, API, to_client)
    return Scenario(
        name=f"{proxy}-101-{fault}",
        point=f"The upstream answers 101 without {field}: {NAMES[proxy]} {what}.",
        proxy=proxy, configuration=ALL_CORRECT[proxy], services=(fault,),
        visits=(Visit("leave" if to_client == "repaired" else "greet", API, ending),),
        taps=(ON_ANY,),
        truth=[front, invalid(TO_API, API, accept, [problem])],
        leading=Leading(rule, AT_API),
        result=f"One attempt, two legs. The request is complete on both. The upstream's 101 lacks `{field}`, so that "
               f"leg is invalid; {NAMES[proxy]} {what}.",
    )


def unusable(name, service, point, error, problem, rule, options=(), result=""):
    """A 101 that nginx passes on as it is."""
    return Scenario(
        name=name, point=point, configuration="all-correct.conf", services=(service,),
        visits=(Visit("greet", API, f"failed: {error}", options=options),), taps=(ON_ANY,),
        truth=[invalid(TO_PROXY, API, "valid", [problem]), invalid(TO_API, API, "valid", [problem])],
        leading=Leading(rule, AT_API), result=result,
    )


SCENARIOS = [
    faulty("nginx", "no-upgrade", "passes it on, and the client hangs up", 101),
    faulty("haproxy", "no-upgrade", "passes it on, and the client hangs up", 101),
    faulty("apache", "no-upgrade", "answers 502 itself", 502),
    faulty("caddy", "no-upgrade", "makes it an empty 200", 200),
    faulty("nginx", "no-connection", "writes the field itself, and the client is content", "repaired"),
    faulty("haproxy", "no-connection", "answers 502 itself", 502),
    faulty("apache", "no-connection", "writes the field itself, and the client is content", "repaired"),
    faulty("caddy", "no-connection", "makes it an empty 200", 200),
    faulty("nginx", "no-accept", "passes it on, and the client hangs up", 101),
    faulty("haproxy", "no-accept", "answers 502 itself", 502),
    unusable(
        "extension-unasked", "extension-unasked",
        "The upstream's 101 accepts permessage-deflate, which the client did not offer: the client hangs up.",
        "Server sent a Sec-WebSocket-Extensions header but no extension was requested",
        "extension-not-offered", "extension-unasked", ("deflate=no",),
        "One attempt, two legs, both invalid: the request has no `Sec-WebSocket-Extensions`, the answer has.",
    ),
    unusable(
        "extension-parameter", "extension-parameter",
        "The upstream's 101 repeats client_max_window_bits without a value, which only an offer may do: the client "
        "hangs up.",
        "Invalid Sec-WebSocket-Extensions header", "extension-parameter-invalid", "extension-parameter-invalid", (),
        "One attempt, two legs, both invalid: `client_max_window_bits` in an answer needs a value (RFC 7692, section "
        "7.1.2.2).",
    ),
    Scenario(
        name="subprotocol-missing",
        point="The client offers a subprotocol and the upstream chooses none: RFC 6455 allows it, the client gives up "
              "all the same, as browsers do.",
        configuration="all-correct.conf", services=("api",),
        visits=(Visit("greet", API, "failed: Server sent no subprotocol",
                      options=("subprotocol=graphql-transport-ws",)),),
        taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, response_problems=["subprotocol-missing"]),
               established(TO_API, API, response_problems=["subprotocol-missing"])],
        leading=Leading("subprotocol-mismatch", AT_API),
        result="One attempt, two legs. The 101 is one that RFC 6455 lets a client accept, but it lacks "
               "`Sec-WebSocket-Protocol` although the request offers `graphql-transport-ws`. The client closes the "
               "TCP connection without a frame.",
    ),
    unusable(
        "subprotocol-not-offered", "subprotocol",
        "The client offers graphql-transport-ws, and the upstream answers with graphql-ws, another protocol with a "
        "similar name: the client hangs up.",
        "Server sent an invalid subprotocol", "subprotocol-not-offered", "graphql-subprotocol",
        ("subprotocol=graphql-transport-ws",),
        "One attempt, two legs, both invalid: `Sec-WebSocket-Protocol` is graphql-transport-ws in the request and "
        "graphql-ws in the answer.",
    ),
    Scenario(
        name="switching-with-body",
        point="The upstream treats 101 as an ordinary answer and sends a body: the client reads it as frames and "
              "fails.",
        configuration="all-correct.conf", services=("body",),
        visits=(Visit("greet", API, "failed: Invalid WebSocket frame: RSV2 and RSV3 must be clear"),), taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, response_problems=["body-present"]),
               established(TO_API, API, response_problems=["body-present"])],
        leading=Leading("switching-with-body", AT_API),
        result="One attempt, two legs. The 101 has `Content-Length` and JSON after its head. A 101 has no body, so the "
               "client takes the text for frames: `{` has reserved bits set.",
    ),
]
