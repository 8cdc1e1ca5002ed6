"""Requests that are wrong from the start, and what stands between a proxy and its upstream without being HTTP."""

from scenario import ON_ANY, Leading, Scenario, Visit
from truth import AT_PROXY, AT_PROXY_FRONT, TO_API, TO_PAGE, TO_PROXY, refused, unanswered

PAGE, API = "/ws/events", "/api/live"
POSTED = ["method-not-get", "body-present"]
AT_CLIENT = "client 10.77.1.2"


def handmade(name, request, status, problems, rule, point, proxy="nginx", version="1.1", reaches=True):
    """A request by hand, refused. `reaches` says whether the proxy lets it through."""
    configuration = {"nginx": "all-correct.conf", "haproxy": "all-correct.cfg"}[proxy]
    refusal = [refused(leg, API, status, version, problems) for leg in ((TO_PROXY, TO_API) if reaches else (TO_PROXY,))]
    legs = "two legs, both" if reaches else "one leg,"
    return Scenario(
        name=name, point=point, proxy=proxy, configuration=configuration, services=("api",),
        visits=(Visit(request, API, f"answered: {status}", client="raw"),), taps=(ON_ANY,),
        truth=refusal, leading=Leading(rule, AT_CLIENT),
        result=f"One attempt, {legs} refused with {status}. The client's own request is wrong: {', '.join(problems)}.",
    )


def large(name, proxy, configuration, size, status, said):
    """Too much cookie for the proxy."""
    return Scenario(
        name=name, proxy=proxy, configuration=configuration, services=(), mended_services=("api-large-heads",),
        point=f"The client's cookie is larger than {said} takes: {status}, before anything goes upstream.",
        visits=(Visit("greet", API, f"failed: Unexpected server response: {status}", options=(f"cookie={size}",)),),
        taps=(ON_ANY,), truth=[refused(TO_PROXY, API, status)],
        leading=Leading("headers-too-large", AT_PROXY_FRONT),
        result=f"One attempt, refused with {status}. The request's head is larger than {size} bytes. There is no "
               "upstream leg.",
    )


SCENARIOS = [
    handmade("version-8", "version-8", 400, ["version-unsupported"], "version-unsupported",
             "An old client asks for version 8 of the protocol: the API answers 400."),
    handmade("key-missing", "key-missing", 400, ["key-missing"], "key-invalid",
             "A hand-written client sends no key: nginx forwards the request, the API answers 400."),
    handmade("haproxy-key-missing", "key-missing", 400, ["key-missing"], "key-invalid",
             "A hand-written client sends no key: HAProxy answers 400 itself.", proxy="haproxy", reaches=False),
    Scenario(
        name="method-post",
        point="A client asks for the upgrade with POST and a body: one application answers 405, the other closes the "
              "connection, which looks like an upstream that is down.",
        configuration="all-correct.conf",
        visits=(Visit("post", PAGE, "answered: 405", client="raw"), Visit("post", API, "answered: 502", client="raw")),
        taps=(ON_ANY,),
        truth=[refused(TO_PROXY, PAGE, 405, request_problems=POSTED),
               refused(TO_PAGE, PAGE, 405, request_problems=POSTED),
               refused(TO_PROXY, API, 502, request_problems=POSTED),
               unanswered(TO_API, API, request_problems=POSTED)],
        leading=Leading("method-not-get", AT_CLIENT),
        result="Two attempts, two legs each. The page application answers 405. The API closes the connection without "
               "an answer, and nginx makes up a 502. The client's own requests are wrong: POST, with a body.",
    ),
    handmade("haproxy-http-1.0", "http-1.0", 505, ["http-version-too-low"], "http-version-too-low",
             "The client speaks HTTP/1.0, HAProxy forwards it as it came, and the API answers 505.", proxy="haproxy",
             version="1.0"),
    large("headers-too-large", "nginx", "all-correct.conf", 9010, 400,
          "nginx (large_client_header_buffers, 8 KiB a line)"),
    large("haproxy-headers-too-large", "haproxy", "all-correct.cfg", 17000, 400, "HAProxy (tune.bufsize, 16 KiB)"),
    Scenario(
        name="proxy-protocol-unexpected",
        point="HAProxy starts each connection with a PROXY line (send-proxy), which the API does not expect.",
        proxy="haproxy", configuration="send-proxy.cfg", services=("api",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 502"),), taps=(ON_ANY,),
        truth=[refused(TO_PROXY, API, 502), unanswered(TO_API, API)],
        leading=Leading("proxy-protocol-mismatch", AT_PROXY),
        result="One attempt, two legs. Towards the upstream the first bytes are `PROXY TCP4 10.77.1.2 10.77.1.1` and "
               "two ports, then the request. The API takes that line for the request line and closes the connection "
               "without an answer; HAProxy makes up a 502.",
    ),
]
