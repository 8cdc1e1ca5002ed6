"""More than one proxy, more than one upstream, and a router that meddles."""

from network import BY_THE_MIDDLE, CLIENT, MIDDLE
from proxies import Proxy
from scenario import ON_ANY, Derived, Leading, Scenario, Tap, Visit
from truth import (
    AT_PROXY, GREETING, STRIPPED, STRIPPED_1_0, TO_API, TO_API_OTHER, TO_INNER, TO_PAGE, TO_PROXY, established, refused,
)

PAGE, API = "/ws/events", "/api/live"
AT_OUTER = "proxy 127.0.0.1"
BY_MIDDLE = ("10.77.4.2", "10.77.3.1:80")
FROM_MIDDLE = ("10.77.3.2", "10.77.3.1:80")
ROUTER = ("The client takes the way through the router wsi-middle here: it is 10.77.4.2 and the proxy 10.77.3.1. "
          "`client-host.pcap` is recorded on the client's host.")
CUT = {"end": "abnormal", "close": None}
STRIPPED_ON_BOTH = [refused(FROM_MIDDLE, API, 426, request_problems=STRIPPED),
                    refused(TO_API, API, 426, request_problems=STRIPPED)]

SCENARIOS = [
    Scenario(
        name="two-proxies-all-correct",
        point="HAProxy in front of nginx, both right: three legs, and all of it works.",
        proxy="haproxy", configuration="to-inner.cfg", inner=Proxy("nginx", "inner-correct.conf", 8080),
        visits=(Visit("greet", PAGE, "closed: 1000 bye"), Visit("greet", API, "closed: 1000 bye")), taps=(ON_ANY,),
        truth=[established(leg, target, GREETING) for target, last in ((PAGE, TO_PAGE), (API, TO_API))
               for leg in (TO_PROXY, TO_INNER, last)],
        leading=None,
        result="Two attempts of the client, three legs each, all established. A healthy capture.",
    ),
    Scenario(
        name="two-proxies-inner-strips",
        point="nginx in front of nginx: the outer one is right, the inner one is not configured, and the upgrade is "
              "lost on the last leg.",
        configuration="outer-correct.conf", inner=Proxy("nginx", "inner-nothing.conf", 8080), services=("api",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 505"),), taps=(ON_ANY,),
        truth=[refused(TO_PROXY, API, 505), refused(TO_INNER, API, 505),
               refused(TO_API, API, 505, "1.0", STRIPPED_1_0)],
        leading=Leading("upgrade-stripped", AT_PROXY),
        result="One attempt of the client, three legs, refused with 505. The first two requests are complete; the "
               "third is HTTP/1.0 without `Upgrade`. The inner nginx is at fault.",
    ),
    Scenario(
        name="two-proxies-outer-strips",
        point="nginx in front of an application that brings its own Caddy: Caddy is right, the nginx before it knows "
              "nothing of WebSocket.",
        configuration="outer-host-only.conf", inner=Proxy("caddy", "inner.caddyfile", 8080), services=("api",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 426"),), taps=(ON_ANY,),
        truth=[refused(TO_PROXY, API, 426), refused(TO_INNER, API, 426, "1.0", STRIPPED_1_0),
               refused(TO_API, API, 426, "1.1", STRIPPED)],
        leading=Leading("upgrade-stripped", AT_OUTER),
        result="One attempt of the client, three legs, refused with 426. The upgrade is lost on the second leg, "
               "between nginx and Caddy, where the request is HTTP/1.0; Caddy makes it HTTP/1.1 again and cannot "
               "bring back what is lost. The outer nginx is at fault.",
    ),
    Scenario(
        name="mixed-backends",
        point="nginx sends requests to two upstreams in turn, and one of them is another release without this path: "
              "every second attempt fails with 404.",
        configuration="mixed-backends.conf", services=("api", "api-other-release"),
        visits=(Visit("greet", API, "closed: 1000 bye"),
                Visit("greet", API, "failed: Unexpected server response: 404")) * 3,
        taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, GREETING), established(TO_API, API, GREETING),
               refused(TO_PROXY, API, 404), refused(TO_API_OTHER, API, 404)] * 3,
        leading=Leading("mixed-backends", "upstream 10.77.2.2:8001"),
        result="Six attempts of the client, two legs each, all with the same target and complete upgrade fields. Those "
               "that reach port 8000 are established, those that reach port 8001 are refused with 404.",
    ),
    Scenario(
        name="stripped-in-transit",
        point="A router between client and proxy takes over connections to port 80 and forwards them without Upgrade "
              "and Connection: the proxy is right, and what arrives there is no upgrade any more.",
        configuration="all-correct.conf", services=("api", "middlebox"),
        visits=(Visit("greet", API, "failed: Unexpected server response: 426", address=BY_THE_MIDDLE),),
        firewall=((MIDDLE, "-t", "nat", "-A", "PREROUTING", "-i", "to-client", "-p", "tcp", "--dport", "80",
                   "-j", "REDIRECT", "--to-ports", "8888"),),
        taps=(ON_ANY, Tap("client-host.pcap", "by-middle", namespace=CLIENT, truth=[refused(BY_MIDDLE, API, 426)])),
        derived=(Derived("both-hosts.pcapng",
                         ("mergecap", "-F", "pcapng", "-I", "none", "-w", "both-hosts.pcapng", "client-host.pcap",
                          "proxy-any.pcap"), "any"),),
        truth=[refused(BY_MIDDLE, API, 426), *STRIPPED_ON_BOTH],
        hides=("10.77.4.2",),
        leading=Leading("stripped-in-transit", "network"),
        leading_elsewhere=(("both-hosts.pcapng", Leading("stripped-in-transit", "network")),),
        result="On the proxy: two legs, refused with 426, and already the first one lacks `Upgrade` and `Connection` "
               "while it has `Sec-WebSocket-Key`. On the client's host (`client-host.pcap`) the same request, with the "
               "same key, is complete. `both-hosts.pcapng` is the two together.",
        notes=f"{ROUTER} What it forwards (`lab/app/middlebox.py`) comes from its own address towards the proxy, "
              "10.77.3.2.",
    ),
    Scenario(
        name="reset-injected",
        point="A router between client and proxy does not like a word in a message and resets the connection in the "
              "client's name.",
        configuration="all-correct.conf", services=("api",),
        visits=(Visit("secret", API, "closed: 1006", address=BY_THE_MIDDLE),),
        firewall=((MIDDLE, "-A", "FORWARD", "-p", "tcp", "--sport", "80", "-m", "string", "--algo", "bm", "--string",
                   "confidential", "-j", "REJECT", "--reject-with", "tcp-reset"),),
        taps=(ON_ANY, Tap("client-host.pcap", "by-middle", namespace=CLIENT,
                          truth=[established(BY_MIDDLE, API, CUT)])),
        truth=[established(BY_MIDDLE, API, CUT), established(TO_API, API, CUT)],
        leading=Leading("reset-injected", "network"),
        result="One attempt, two legs, established. The API echoes the word, and the router answers that packet with a "
               "RST that seems to come from the client: its TTL is 255, the client's packets have 63. nginx closes the "
               "upstream's connection. The client knows nothing of it, gets no acknowledgement and sends its message "
               "again; the proxy answers that with a RST of its own. On the client's host the echo is missing, and the "
               "only RST is the proxy's.",
        notes=f"{ROUTER} It sends what it makes up with a TTL of 255 (net.ipv4.ip_default_ttl).",
    ),
]
