"""What a scenario consists of: plain data, filled in by the modules in scenarios/."""

import dataclasses

import network
from network import BY_BRIDGE, TO_CLIENT, TO_UPSTREAM
from proxies import Proxy


SAME_AS_SCENARIO = object()


@dataclasses.dataclass(frozen=True)
class Tap:
    """One capture file made by tcpdump, on the proxy unless `namespace` says otherwise.

    `truth` replaces the scenario's truth where this file shows something else; `None` claims nothing about it.
    """

    file: str
    interface: str
    options: tuple = ()
    filter: tuple = ()
    late: bool = False
    truth: object = SAME_AS_SCENARIO
    namespace: str = network.PROXY


@dataclasses.dataclass(frozen=True)
class Derived:
    """One capture file made from others of the scenario: `words` is the command, run in the capture's folder."""

    file: str
    words: tuple
    shows: str


@dataclasses.dataclass(frozen=True)
class Visit:
    """One client, which opens one connection and holds one conversation. `ending` is what it must report.

    `client` is its program: node (client.js), python (client.py), raw (raw.py, for requests no library makes), or the
    application whose client it is (socketio: socketio-client.js).
    """

    conversation: str
    target: str
    ending: str
    address: str = "10.77.1.1"
    client: str = "node"
    options: tuple = ()


@dataclasses.dataclass(frozen=True)
class Leading:
    """The one finding that an honest diagnosis puts first: a rule of wsinspect, and who is at fault.

    `hop` is `client ADDRESS`, `proxy ADDRESS` (its side towards the upstream, or the one the client connected to where
    nothing goes upstream), `upstream ADDRESS:PORT`, `server ADDRESS:PORT` (where nothing tells a proxy from a server),
    `network` or `capture`.
    """

    rule: str
    hop: str


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A setup, the visits paid to it, the files that come out and what is true about them.

    `leading` is about proxy-any.pcap, and about every file if it is None: nothing is wrong. `inner` is a second proxy,
    behind the first. `firewall` holds iptables rules, each a namespace and words; `setting`
    is one of network.SETTINGS. With `event`, the clients come one
    after another, stay, and the event happens when all are there. With `lingers`, a proxy keeps connections open that
    nobody uses any more, and the capture ends before they do. The proxy does not see the clients in `hides`.
    On `tls_ports`, tshark is not told that there is HTTP. `mended_services` replaces `services` where lab/mend shows that
    the mended configuration works, if nothing here would serve the WebSocket. `node_packages` are the libraries that speak
    an application's protocol.
    """

    name: str
    point: str
    configuration: str
    visits: tuple
    taps: tuple
    truth: list
    result: str
    leading: Leading | None
    leading_elsewhere: tuple = ()
    derived: tuple = ()
    proxy: str = "nginx"
    port: int = 80
    inner: Proxy | None = None
    firewall: tuple = ()
    setting: str | None = None
    event: str | None = None
    lingers: bool = False
    tls_ports: tuple = ()
    hides: tuple = ()
    services: tuple = ("page", "api")
    mended_services: tuple = ()
    node_packages: tuple = ()
    notes: str = ""

    def files(self):
        """Every capture file, the made ones first."""
        return [tap.file for tap in self.taps] + [derived.file for derived in self.derived]

    def proxies(self):
        """The proxies in the path, the client's first."""
        outer = Proxy(self.proxy, self.configuration, self.port)
        return (outer,) if self.inner is None else (outer, self.inner)

    def claims_leading(self, file):
        """Whether the scenario says what a diagnosis from this file alone puts first."""
        return file == "proxy-any.pcap" or self.leading is None or file in dict(self.leading_elsewhere)

    def leading_of(self, file):
        """What it says, as data."""
        leading = dict(self.leading_elsewhere).get(file, self.leading)
        return leading and dataclasses.asdict(leading)

    def truth_of(self, file):
        """The attempts that a file shows, or None where nothing is claimed."""
        for tap in self.taps:
            if tap.file == file:
                passing = [attempt for attempt in self.truth if attempt["client"] not in self.hides]
                return legs_on(tap.interface, passing) if tap.truth is SAME_AS_SCENARIO else tap.truth
        shows = next(derived.shows for derived in self.derived if derived.file == file)
        return legs_on(shows, self.truth)


def legs_on(interface, attempts):
    """The attempts that pass one of the proxy's interfaces."""
    sides = {TO_CLIENT: ("10.77.1.", "fd77:1:"), TO_UPSTREAM: ("10.77.2.", "fd77:2:"), "any": ("",),
             BY_BRIDGE: ("10.77.7.",)}
    return [attempt for attempt in attempts if attempt["client"].startswith(sides[interface])]


ON_ANY = Tap("proxy-any.pcap", "any")
ON_CLIENT_SIDE = Tap("client-eth.pcap", TO_CLIENT)
ON_UPSTREAM_SIDE = Tap("upstream-eth.pcap", TO_UPSTREAM)
