"""The same traffic captured on two hosts, with somebody between them who loses, delays or changes packets.

Between client and proxy is a bridge in user space here (app/bridge.py). What the hosts see differs, and only both captures
together show it.
"""

from network import BY_BRIDGE, CLIENT, OVER_THE_BRIDGE
from scenario import ON_ANY, SAME_AS_SCENARIO, Derived, Leading, Scenario, Tap, Visit
from truth import GREETING, STRIPPED, TO_API, established, refused
from scenarios.established import CHAT

API = "/api/live"
AT_PROXY = f"proxy {OVER_THE_BRIDGE}"
OVER_BRIDGE = ("10.77.7.2", f"{OVER_THE_BRIDGE}:80")


def notes(behaviour):
    """What else is to be known of the origin."""
    return ("The client takes the way over the bridge here (`lab/app/bridge.py`, which " + behaviour + "): it is 10.77.7.2 "
            "and the proxy 10.77.7.1. `client-host.pcap` is recorded on the client's host, `proxy-any.pcap` on the proxy's.")


def on_client(truth):
    """The client's own host, which sees the first leg."""
    return Tap("client-host.pcap", BY_BRIDGE, namespace=CLIENT, truth=truth)


def chat(name, behaviour, point, result, derived=()):
    """A healthy chat over the bridge."""
    legs = [established(OVER_BRIDGE, API, CHAT), established(TO_API, API, CHAT)]
    return Scenario(
        name=name, point=point, configuration="all-correct.conf", setting=f"bridge-{behaviour}",
        visits=(Visit("chat", API, "closed: 1000 bye", address=OVER_THE_BRIDGE),),
        taps=(ON_ANY, on_client(SAME_AS_SCENARIO)), derived=derived, truth=legs, leading=None, result=result, notes=notes(behaviour),
    )


SCENARIOS = [
    chat(
        "lossy-path", "loses",
        "Every third packet with payload and the first SYN are lost between client and proxy, and sent again: what was lost "
        "shows in the one capture and not in the other.",
        "One attempt, two legs, established on both, the whole chat and a clean close. On the receiver's side of each "
        "loss a hole is filled late; on the sender's side the same bytes come twice. Both files together: one connection, "
        "each packet once, and as many lost on the way as the bridge lost. `client-host-ahead.pcap` is the client's file "
        "by a clock that is 3.2 s ahead.",
        derived=(Derived("client-host-ahead.pcap", ("editcap", "-F", "pcap", "-t", "3.2", "client-host.pcap",
                                                    "client-host-ahead.pcap"), shows=BY_BRIDGE),),
    ),
    chat(
        "reordered-path", "reorders",
        "Every third packet with payload is overtaken on its way between client and proxy.",
        "One attempt, two legs, established on both, the whole chat and a clean close. On the receiver's side packets come "
        "out of order or late; nothing is lost between the two files.",
    ),
    Scenario(
        name="reset-in-transit",
        point="A device between client and proxy resets the connection in the name of both: each side gets a RST that the "
              "other never sent.",
        configuration="all-correct.conf",
        setting="bridge-resets",
        visits=(Visit("chat", API, "closed: 1006", address=OVER_THE_BRIDGE),),
        taps=(ON_ANY, on_client(SAME_AS_SCENARIO)),
        truth=[established(OVER_BRIDGE, API), established(TO_API, API)],
        leading=None,
        leading_elsewhere=(("client-host.pcap", Leading("no-close-frame", AT_PROXY)),),
        result="One attempt, two legs, established on both. In `client-host.pcap` a RST comes in the proxy's name, and "
               "`proxy-any.pcap` shows that the proxy never sent it.",
        notes=notes("resets"),
    ),
    Scenario(
        name="stripped-in-place",
        point="A device between client and proxy writes over the name of the field Upgrade, in the same packet of the same "
              "connection: no proxy, no other address, no other sequence number.",
        configuration="all-correct.conf",
        setting="bridge-strips",
        visits=(Visit("leave", API, "failed: Unexpected server response: 426", address=OVER_THE_BRIDGE),),
        taps=(ON_ANY, on_client([refused(OVER_BRIDGE, API, 426)])),
        truth=[refused(OVER_BRIDGE, API, 426, request_problems=STRIPPED[:1]),
               refused(TO_API, API, 426, request_problems=STRIPPED)],
        leading=Leading("stripped-in-transit", "network"),
        leading_elsewhere=(("client-host.pcap", Leading("refused-by-upstream", AT_PROXY)),),
        result="On the proxy: two legs, refused with 426, and already the first one lacks `Upgrade`. On the client's host "
               "the same request, with the same key and sequence number, is complete. Both files together say that the "
               "network between them did it.",
        notes=notes("strips"),
    ),
    Scenario(
        name="forgotten-in-transit",
        point="A device between client and proxy forgets a connection after a second of silence and drops what comes of "
              "it then without a word, as firewalls and address translation do after minutes.",
        configuration="all-correct.conf",
        setting="bridge-forgets",
        visits=(Visit("give-up", API, "closed: 1006", address=OVER_THE_BRIDGE),
                Visit("greet", API, "closed: 1000 bye", address=OVER_THE_BRIDGE)),
        lingers=True,
        taps=(ON_ANY, on_client(SAME_AS_SCENARIO)),
        truth=[established(OVER_BRIDGE, API), established(TO_API, API), established(OVER_BRIDGE, API, GREETING),
               established(TO_API, API, GREETING)],
        leading=None,
        leading_elsewhere=(("client-host.pcap", Leading("half-open", AT_PROXY)),),
        result="Two attempts, both established. In `client-host.pcap` the client's second message of the first one is sent "
               "again and again and nothing comes back. `proxy-any.pcap` has none of these packets, and those of the second "
               "attempt after them: both files together say that the network between them drops them.",
        notes=notes("forgets"),
    ),
]
