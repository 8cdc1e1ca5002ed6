"""TLS where plaintext is expected, plaintext where TLS is expected, and a healthy mixture."""

from proxies import Proxy
from scenario import ON_ANY, Leading, Scenario, Visit
from truth import (
    AT_API, AT_PROXY, GREETING, TO_API, TO_API_TLS, TO_INNER_TLS, TO_PAGE, TO_PROXY, conversation, established,
    refused, unanswered,
)

PAGE, API = "/ws/events", "/api/live"
AT_CLIENT = "client 10.77.1.2"
SILENCE = conversation({"text": 2}, {"text": 2})

SCENARIOS = [
    Scenario(
        name="tls-all-correct",
        point="The client speaks wss:// with nginx, nginx plaintext with the applications: half of it can be read, and "
              "all of it works.",
        configuration="tls.conf", port=443, tls_ports=(443,),
        visits=(Visit("greet", PAGE, "closed: 1000 bye", options=("scheme=wss",)),
                Visit("greet", API, "closed: 1000 bye", options=("scheme=wss",))),
        taps=(ON_ANY,),
        truth=[established(TO_PAGE, PAGE, GREETING), established(TO_API, API, GREETING)],
        leading=None,
        result="Two attempts, of which only the upstream legs can be read; both are established. The client's legs are "
               "TLS. A healthy capture.",
    ),
    Scenario(
        name="tls-idle-cut",
        point="The client speaks wss:// with nginx, whose proxy_read_timeout is 3 s: of a cut session only the upstream "
              "leg can be read.",
        configuration="tls-read-timeout.conf", port=443, services=("api",), tls_ports=(443,),
        visits=(Visit("silence", API, "closed: 1006", options=("scheme=wss",)),) * 2,
        taps=(ON_ANY,),
        truth=[established(TO_API, API, SILENCE)] * 2,
        leading=Leading("idle-timeout", AT_PROXY),
        result="Two attempts, of which only the upstream legs can be read; both are established and end after 3 s of "
               "silence with a FIN from nginx. The client's connections are TLS; nginx ends them at the same moment, "
               "which tells that the client did not leave.",
    ),
    Scenario(
        name="plaintext-on-tls-port",
        point="The client uses ws:// with nginx's TLS port: nginx answers 400 and says so in the page.",
        configuration="tls.conf", port=443, services=(),
        visits=(Visit("greet", API, "failed: Unexpected server response: 400", options=("port=443",)),),
        taps=(ON_ANY,),
        truth=[refused((TO_PROXY[0], "10.77.1.1:443"), API, 400)],
        leading=Leading("plaintext-on-tls-port", AT_CLIENT),
        result="One attempt, refused with 400. The page says `The plain HTTP request was sent to HTTPS port`.",
    ),
    Scenario(
        name="tls-on-plaintext-port",
        point="The client uses wss:// with nginx's plaintext port: nginx answers the ClientHello with a page, and the "
              "client cannot make sense of it.",
        configuration="all-correct.conf", services=(), tls_ports=(80,),
        visits=(Visit("greet", API, "failed: TLS: wrong version number", options=("scheme=wss", "port=80")),),
        taps=(ON_ANY,),
        truth=[],
        leading=Leading("tls-on-plaintext-port", AT_CLIENT),
        result="No attempt: the client sends a TLS ClientHello, and nginx answers `HTTP/1.1 400 Bad Request`.",
    ),
    Scenario(
        name="tls-to-plaintext-upstream",
        point="proxy_pass says https:// and both applications speak plaintext: 502.",
        configuration="tls-to-plaintext.conf", tls_ports=(3000, 8000),
        visits=(Visit("greet", PAGE, "failed: Unexpected server response: 502"),
                Visit("greet", API, "failed: Unexpected server response: 502")),
        taps=(ON_ANY,),
        truth=[refused(TO_PROXY, PAGE, 502), refused(TO_PROXY, API, 502)],
        leading=Leading("tls-to-plaintext-upstream", AT_PROXY),
        result="Two attempts, both refused with 502. Towards the upstream nginx sends a TLS ClientHello each time. The "
               "page application answers it with `HTTP/1.1 400 Bad Request` in plaintext, the API closes the "
               "connection without a word.",
    ),
    Scenario(
        name="plaintext-to-tls-upstream",
        point="proxy_pass says http://, and what listens there is another nginx that speaks TLS: its 400 reaches the "
              "client.",
        configuration="plaintext-to-inner-tls.conf", inner=Proxy("nginx", "inner-tls.conf", 8443), services=(),
        mended_services=("api",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 400"),),
        taps=(ON_ANY,),
        truth=[refused(TO_PROXY, API, 400), refused(TO_INNER_TLS, API, 400)],
        leading=Leading("plaintext-to-tls-upstream", "proxy 127.0.0.1"),
        result="One attempt, two legs, refused with 400. The upgrade request goes to the inner nginx in plaintext, and "
               "its page says `The plain HTTP request was sent to HTTPS port`.",
    ),
    Scenario(
        name="plaintext-to-tls-closed",
        point="The same mistake with an API that speaks TLS: it closes the connection without a word, and nginx makes "
              "up a 502.",
        configuration="plaintext-to-tls.conf", services=("api-tls",),
        visits=(Visit("greet", API, "failed: Unexpected server response: 502"),),
        taps=(ON_ANY,),
        truth=[refused(TO_PROXY, API, 502), unanswered(TO_API_TLS, API)],
        leading=Leading("upstream-aborted", "upstream 10.77.2.2:8443"),
        result="One attempt, two legs. The upstream leg is unanswered: a complete upgrade request in plaintext, then a "
               "FIN. Nothing but the port's number hints at TLS, so nothing more can be said with certainty.",
    ),
    Scenario(
        name="http2-only-port",
        point="nginx listens on port 80 with http2 and without ssl, as versions before 1.25.1 allow: that port takes "
              "HTTP/2 only, and the client's GET is no HTTP/2.",
        configuration="http2-in-the-clear.conf", services=(),
        visits=(Visit("greet", API, "failed: Parse Error: Expected HTTP/, RTSP/ or ICE/"),), taps=(ON_ANY,),
        truth=[unanswered(TO_PROXY, API)],
        leading=Leading("answer-not-http", "server 10.77.1.1:80"),
        result="One attempt without an answer of HTTP: nginx sends an HTTP/2 SETTINGS frame and closes.",
    ),
    Scenario(
        name="http2-only-upstream",
        point="The application that nginx forwards to speaks HTTP/2 in the clear only: nginx takes what it says for an "
              "answer of HTTP/0.9 and hands it on as it is.",
        configuration="all-correct.conf", services=("h2c",), mended_services=("api",),
        visits=(Visit("greet", API, "failed: Parse Error: Expected HTTP/, RTSP/ or ICE/"),), taps=(ON_ANY,),
        truth=[unanswered(TO_PROXY, API), unanswered(TO_API, API)],
        leading=Leading("answer-not-http", AT_API),
        result="One attempt, two legs, without an answer of HTTP on either: the upstream sends an HTTP/2 SETTINGS frame, "
               "and nginx passes it to the client.",
    ),
]
