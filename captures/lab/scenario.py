"""What a scenario consists of: plain data, filled in by the modules in scenarios/."""

import dataclasses

from network import TO_CLIENT, TO_UPSTREAM


SAME_AS_SCENARIO = object()


@dataclasses.dataclass(frozen=True)
class Tap:
    """One capture file made by tcpdump on the proxy.

    `truth` replaces the scenario's truth where this file shows something else; `None` claims nothing about it.
    """

    file: str
    interface: str
    options: tuple = ()
    filter: tuple = ()
    late: bool = False
    truth: object = SAME_AS_SCENARIO


@dataclasses.dataclass(frozen=True)
class Derived:
    """One capture file made from others of the scenario: `words` is the command, run in the capture's folder."""

    file: str
    words: tuple
    shows: str


@dataclasses.dataclass(frozen=True)
class Visit:
    """One client, which opens one WebSocket and holds one conversation. `ending` is what it must report."""

    conversation: str
    target: str
    ending: str
    address: str = "10.77.1.1"
    client: str = "node"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A setup, the visits paid to it, the files that come out and what is true about them."""

    name: str
    point: str
    configuration: str
    visits: tuple
    taps: tuple
    truth: list
    result: str
    derived: tuple = ()
    services: tuple = ("page", "api")
    notes: str = ""

    def files(self):
        """Every capture file, the made ones first."""
        return [tap.file for tap in self.taps] + [derived.file for derived in self.derived]

    def truth_of(self, file):
        """The attempts that a file shows, or None where nothing is claimed."""
        for tap in self.taps:
            if tap.file == file:
                return legs_on(tap.interface, self.truth) if tap.truth is SAME_AS_SCENARIO else tap.truth
        shows = next(derived.shows for derived in self.derived if derived.file == file)
        return legs_on(shows, self.truth)


def legs_on(interface, attempts):
    """The attempts that pass one of the proxy's interfaces."""
    sides = {TO_CLIENT: ("10.77.1.", "fd77:1:"), TO_UPSTREAM: ("10.77.2.", "fd77:2:"), "any": ("",)}
    return [attempt for attempt in attempts if attempt["client"].startswith(sides[interface])]


ON_ANY = Tap("proxy-any.pcap", "any")
ON_CLIENT_SIDE = Tap("client-eth.pcap", TO_CLIENT)
ON_UPSTREAM_SIDE = Tap("upstream-eth.pcap", TO_UPSTREAM)
