"""The upstream is missing, faulty or silent, behind each proxy: every one has a status of its own for it."""

from network import UPSTREAM
from scenario import ON_ANY, Leading, Scenario, Visit
from truth import AT_API, TO_API, TO_PROXY, refused, unanswered

API = "/api/live"
NAMES = {"nginx": "nginx", "haproxy": "HAProxy", "apache": "Apache", "caddy": "Caddy"}
SHORT = {"nginx": "connect-timeout.conf", "haproxy": "short-timeouts.cfg", "apache": "short-timeouts.conf",
         "caddy": "short-timeouts.caddyfile"}
DROPPED = (UPSTREAM, "-A", "INPUT", "-p", "tcp", "--dport", "8000", "-j", "DROP")

# Each fault: the service that has it, the rule, whether a request reaches the upstream, what is done, what is seen.
FAULTS = {
    "refused": ("page", "upstream-refused", False, "The API is not running",
                "Towards the upstream there are a SYN and a RST, once or several times, and no request."),
    "unreachable": ("page", "upstream-unreachable", False, "A firewall in front of the API drops every packet",
                    "Towards the upstream there are SYNs that nobody answers, and no request."),
    "reset": ("reset", "upstream-aborted", True, "The upstream takes the request and resets the connection",
              "The upstream leg is unanswered: a complete upgrade request, then a RST from the upstream."),
    "closed": ("closed", "upstream-aborted", True, "The upstream takes the request and closes the connection",
               "The upstream leg is unanswered: a complete upgrade request, then a FIN from the upstream."),
    "silent": ("silent", "upstream-silent", True, "The upstream takes the request and never answers",
               "The upstream leg is unanswered: a complete upgrade request, acknowledged, then 3 s of silence until "
               "the proxy closes the connection."),
}


def fault(proxy, name, status):
    """One fault behind one proxy, and the status that the proxy makes up."""
    service, rule, arrives, done, seen = FAULTS[name]
    return Scenario(
        name=f"{proxy}-upstream-{name}",
        point=f"{done}: {NAMES[proxy]} answers {status} itself.",
        proxy=proxy, configuration=SHORT[proxy], services=(service,),
        visits=(Visit("greet", API, f"failed: Unexpected server response: {status}"),),
        taps=(ON_ANY,),
        firewall=(DROPPED,) if name == "unreachable" else (),
        truth=[refused(TO_PROXY, API, status)] + ([unanswered(TO_API, API)] if arrives else []),
        leading=Leading(rule, AT_API),
        result=f"One attempt, refused with {status}. {seen} {NAMES[proxy]} made the answer up.",
    )


SCENARIOS = [
    fault("nginx", "unreachable", 504),
    fault("nginx", "closed", 502),
    fault("haproxy", "refused", 503),
    fault("haproxy", "unreachable", 503),
    fault("haproxy", "reset", 502),
    fault("haproxy", "closed", 502),
    fault("haproxy", "silent", 504),
    fault("apache", "refused", 503),
    fault("apache", "unreachable", 503),
    fault("apache", "reset", 502),
    fault("apache", "closed", 502),
    fault("apache", "silent", 502),
    fault("caddy", "refused", 502),
    fault("caddy", "unreachable", 502),
    fault("caddy", "reset", 502),
    fault("caddy", "closed", 502),
    fault("caddy", "silent", 504),
    Scenario(
        name="no-response",
        point="No server of nginx's has the client's Host, and the default one drops what it does not know: 444, a FIN "
              "and no answer.",
        configuration="no-answer.conf", services=(),
        visits=(Visit("greet", API, "failed: socket hang up"),), taps=(ON_ANY,),
        truth=[unanswered(TO_PROXY, API)],
        leading=Leading("no-response", "server 10.77.1.1:80"),
        result="One attempt, unanswered: the request is acknowledged and the connection closed without a byte. Nothing "
               "goes upstream, and nothing tells which software it was.",
    ),
    Scenario(
        name="client-gave-up",
        point="The upstream is silent, and the client is less patient than nginx: it closes after 2 s.",
        configuration="all-correct.conf", services=("silent",),
        visits=(Visit("greet", API, "failed: Opening handshake has timed out", options=("patience=2000",)),),
        taps=(ON_ANY,),
        truth=[unanswered(TO_PROXY, API), unanswered(TO_API, API)],
        leading=Leading("client-gave-up", AT_API),
        result="One attempt, two legs, both unanswered. The client closes its connection 2 s after its request, and "
               "nginx then the upstream's. Who is slow is the upstream.",
    ),
    Scenario(
        name="caddy-client-gave-up",
        point="The upstream is silent, and Caddy waits for ever unless told otherwise: the client closes after 2 s.",
        proxy="caddy", configuration="all-correct.caddyfile", services=("silent",),
        visits=(Visit("greet", API, "failed: Opening handshake has timed out", options=("patience=2000",)),),
        taps=(ON_ANY,),
        truth=[refused(TO_PROXY, API, 200), unanswered(TO_API, API)],
        leading=Leading("client-gave-up", AT_API),
        result="One attempt, two legs. The client closes its connection 2 s after its request, and Caddy then the "
               "upstream's, whose leg is unanswered. To the client, which is gone, Caddy sends an empty 200 after its "
               "FIN: it is no answer of anybody's. Who is slow is the upstream.",
    ),
]
