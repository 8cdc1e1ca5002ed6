"""Upgrades that succeed and then end: cut for silence, cut by a reload, left without a Close frame; and near misses."""

from scenario import ON_ANY, Leading, Scenario, Visit
from truth import AT_PROXY, TO_API, TO_PAGE, TO_PROXY, conversation, established

PAGE, API = "/ws/events", "/api/live"
SILENCE = conversation({"text": 2}, {"text": 2})
GREETED = conversation({"text": 1}, {"text": 1})
TALK = conversation({"text": 4, "close": 1}, {"text": 4, "close": 1}, ("client", 1000, "bye"))
CLEAN = {"end": "clean", "close": {"by": "client", "code": 1000, "reason": "bye"}}
CUT = {"end": "abnormal", "close": None}
BOTH_SILENT = [established(leg, target, SILENCE) for target, upstream in ((PAGE, TO_PAGE), (API, TO_API))
               for leg in (TO_PROXY, upstream)]


def idle(name, proxy, configuration, point, seen):
    """Two clients, one after the other, say a little and are cut."""
    return Scenario(
        name=name, point=point, proxy=proxy, configuration=configuration,
        visits=(Visit("silence", PAGE, "closed: 1006"), Visit("silence", API, "closed: 1006")), taps=(ON_ANY,),
        truth=BOTH_SILENT, leading=Leading("idle-timeout", AT_PROXY),
        result=f"Two attempts of the client, two legs each, established and ended abnormally: two messages each way, "
               f"then silence of the same length both times. {seen} No Close frame from anybody.",
    )


SCENARIOS = [
    idle("haproxy-idle-tunnel", "haproxy", "tunnel-timeout.cfg",
         "HAProxy's timeout tunnel is 3 s, and the applications are silent for longer.",
         "HAProxy sends a FIN to the client and a RST to the upstream."),
    idle("haproxy-idle-client", "haproxy", "client-timeout.cfg",
         "HAProxy has no timeout tunnel, so its timeout client of 3 s counts for the silent WebSocket too.",
         "HAProxy sends a FIN to both sides."),
    idle("apache-idle", "apache", "timeout.conf",
         "Apache's Timeout is 4 s, and the applications are silent for longer.",
         "Apache sends a FIN to both sides."),
    Scenario(
        name="idle-cut-twice",
        point="proxy_read_timeout is 3 s, and the client comes back after the first cut to be cut again.",
        configuration="read-timeout.conf", services=("api",),
        visits=(Visit("silence", API, "closed: 1006"),) * 2, taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, SILENCE), established(TO_API, API, SILENCE)] * 2,
        leading=Leading("idle-timeout", AT_PROXY),
        result="Two attempts of the client, two legs each, established and ended abnormally after 3 s of silence both "
               "times: a FIN from nginx to both sides, no Close frame from anybody.",
    ),
    Scenario(
        name="idle-pinged",
        point="The same 3 s, and a server that pings every second: nothing is cut, because pings count as traffic.",
        configuration="read-timeout.conf", services=("api-pings",),
        visits=(Visit("listen", API, "closed: 1000 bye"),), taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, CLEAN), established(TO_API, API, CLEAN)],
        leading=None,
        result="One attempt, two legs, established. One message each way, then 6 s of pings and pongs only, then a "
               "clean close by the client. A healthy capture.",
    ),
    Scenario(
        name="haproxy-talk",
        point="HAProxy's timeout tunnel is 3 s, and the client speaks every two seconds: nothing is cut.",
        proxy="haproxy", configuration="tunnel-timeout.cfg", services=("api",),
        visits=(Visit("talk", API, "closed: 1000 bye"),), taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, TALK), established(TO_API, API, TALK)],
        leading=None,
        result="One attempt, two legs, established, four messages each way with 2 s between them, and a clean close by "
               "the client. A healthy capture.",
    ),
    Scenario(
        name="nginx-reload",
        point="nginx reloads its configuration while three clients talk, and worker_shutdown_timeout is 1 s: all of "
              "them are cut at once.",
        configuration="all-correct.conf", services=("api",), event="reload",
        visits=(Visit("chatter", API, "closed: 1006"),) * 3, taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, CUT), established(TO_API, API, CUT)] * 3,
        leading=Leading("proxy-reload", AT_PROXY),
        result="Three attempts of the client, two legs each, established. None of them is idle: a message every 400 "
               "ms. All end within the same few milliseconds, with a FIN from nginx to both sides and without a Close "
               "frame.",
        notes="`worker_shutdown_timeout 1s;` stands outside the part that is shown. The reload is `nginx -s reload`, "
              "one second after the third client has come.",
    ),
    Scenario(
        name="haproxy-reload",
        point="HAProxy reloads its configuration while three clients talk, and hard-stop-after is 1 s: all of them are "
              "cut at once.",
        proxy="haproxy", configuration="reload.cfg", services=("api",), event="reload",
        visits=(Visit("chatter", API, "closed: 1006"),) * 3, taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, CUT), established(TO_API, API, CUT)] * 3,
        leading=Leading("proxy-reload", AT_PROXY),
        result="Three attempts of the client, two legs each, established. None of them is idle: a message every 400 "
               "ms. All end within the same few milliseconds, without a Close frame: a FIN from HAProxy to both "
               "sides, and a RST to the upstream right after it.",
        notes="The reload is SIGUSR2 to HAProxy's master process, one second after the third client has come.",
    ),
    Scenario(
        name="caddy-reload",
        point="Caddy reloads its configuration while three clients talk: it sends each a Close frame, 1001.",
        proxy="caddy", configuration="all-correct.caddyfile", services=("api",), event="reload",
        visits=(Visit("chatter", API, "closed: 1001"),) * 3, taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, {"close": {"by": "server", "code": 1001, "reason": ""}}),
               established(TO_API, API, {"close": {"by": "client", "code": 1001, "reason": ""}})] * 3,
        leading=Leading("proxy-reload", AT_PROXY),
        result="Three attempts of the client, two legs each, established. None of them is idle: a message every 400 "
               "ms. Caddy sends a Close frame with 1001 to both sides of all three within the same few milliseconds.",
        notes="The reload is `caddy reload --force`, one second after the third client has come.",
    ),
    Scenario(
        name="client-vanished",
        point="The client closes the TCP connection without a Close frame, as a killed program does.",
        configuration="all-correct.conf", services=("api",),
        visits=(Visit("vanish", API, "closed: 1006"),), taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, GREETED), established(TO_API, API, GREETED)],
        leading=Leading("no-close-frame", "client 10.77.1.2"),
        result="One attempt, two legs, established, one message each way. Then a FIN from the client, without a Close "
               "frame, and nginx closes the upstream's connection.",
    ),
    Scenario(
        name="client-reset",
        point="The client resets the TCP connection without a Close frame.",
        configuration="all-correct.conf", services=("api",),
        visits=(Visit("reset", API, "closed: 1006"),), taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, GREETED), established(TO_API, API, GREETED)],
        leading=Leading("no-close-frame", "client 10.77.1.2"),
        result="One attempt, two legs, established, one message each way. Then a RST from the client, without a Close "
               "frame, and nginx closes the upstream's connection.",
    ),
]
