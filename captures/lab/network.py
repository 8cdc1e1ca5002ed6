"""Three network namespaces in a row: client, proxy, upstream. Nothing in them reaches the world outside.

A fourth, the middle, offers a second way from the client to the proxy: a router, which can be made to meddle. A fifth,
the container, hangs on a bridge of the proxy's host, as Docker does it.
"""

import contextlib
import functools
import os
import pathlib
import signal
import subprocess
import sys
import time

from problem import Problem

CLIENT, PROXY, UPSTREAM, MIDDLE = "wsi-client", "wsi-proxy", "wsi-upstream", "wsi-middle"
CONTAINER = "wsi-container"
NAMESPACES = (CLIENT, PROXY, UPSTREAM, MIDDLE, CONTAINER)

# The proxy's interfaces, each with the namespace at its other end and the number of the network between them.
# In network N the proxy is 10.77.N.1 and fd77:N::1, the other end 10.77.N.2 and fd77:N::2.
TO_CLIENT, TO_UPSTREAM = "to-client", "to-upstream"
LINKS = ((TO_CLIENT, CLIENT, 1), (TO_UPSTREAM, UPSTREAM, 2))

# The way through the middle: client 10.77.4.2, middle 10.77.4.1 and 10.77.3.2, proxy 10.77.3.1. The middle sends
# what it makes up itself with another time to live than the hosts do.
MIDDLE_TO_CLIENT, MIDDLE_TO_PROXY = "to-client", "to-proxy"
BY_THE_MIDDLE = "10.77.3.1"
MIDDLE_TTL = 255

# The way over the bridge: client 10.77.7.2, proxy 10.77.7.1, and between them, without an address of its own, a program
# that loses, delays or changes packets (app/bridge.py).
BRIDGE_TO_CLIENT, BRIDGE_TO_PROXY, BY_BRIDGE, TO_BRIDGE = "bridge-client", "bridge-proxy", "by-bridge", "to-bridge"
OVER_THE_BRIDGE, BEHIND_THE_BRIDGE = "10.77.7.1", "10.77.7.2"

# How long Linux repeats duplicate address detection and multicast reports after an interface comes up.
SETTLING_SECONDS = 4


def command(*words, cwd=None):
    """Runs a command that must succeed, and returns what it prints."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, cwd=cwd)
    except subprocess.TimeoutExpired:
        raise Problem(f"`{' '.join(words)}` did not end within 30 s") from None
    if done.returncode != 0:
        raise Problem(f"`{' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout


def inside(namespace, *words):
    """The words of a command that runs in a namespace."""
    return ("ip", "netns", "exec", namespace, *words)


def _existing():
    return [line.split()[0] for line in command("ip", "netns", "list").splitlines() if line]


def _remove():
    """Takes the namespaces away, with whatever an interrupted run left running in them."""
    for namespace in set(NAMESPACES) & set(_existing()):
        for pid in command("ip", "netns", "pids", namespace).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        command("ip", "netns", "delete", namespace)


def _connect(interface, namespace, number):
    hardware = f"02:00:0a:4d:{number:02x}"
    command("ip", "link", "add", "dev", interface, "netns", PROXY, "address", f"{hardware}:01",
            "type", "veth", "peer", "name", "eth0", "netns", namespace, "address", f"{hardware}:02")
    for where, device, host in ((PROXY, interface, 1), (namespace, "eth0", 2)):
        command("ip", "-n", where, "address", "add", f"10.77.{number}.{host}/24", "dev", device)
        command("ip", "-n", where, "address", "add", f"fd77:{number}::{host}/64", "dev", device, "nodad")
        command("ip", "-n", where, "link", "set", device, "up")
    # Like a real network card seen from the proxy: packets that arrive carry a finished checksum and no more
    # than one segment; packets that leave are captured before the card completes them.
    command(*inside(namespace, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off"))


def _connect_the_middle():
    for device, where, address, peer, namespace, peer_address in (
            (MIDDLE_TO_CLIENT, MIDDLE, "10.77.4.1", "by-middle", CLIENT, "10.77.4.2"),
            (MIDDLE_TO_PROXY, MIDDLE, "10.77.3.2", "to-middle", PROXY, "10.77.3.1")):
        command("ip", "link", "add", "dev", device, "netns", where, "type", "veth",
                "peer", "name", peer, "netns", namespace)
        for each, interface, own in ((where, device, address), (namespace, peer, peer_address)):
            command(*inside(each, "sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1"))
            command("ip", "-n", each, "address", "add", f"{own}/24", "dev", interface)
            command("ip", "-n", each, "link", "set", interface, "up")
            command(*inside(each, "ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off"))
    command(*inside(MIDDLE, "sysctl", "-qw", "net.ipv4.ip_forward=1", f"net.ipv4.ip_default_ttl={MIDDLE_TTL}"))
    command("ip", "-n", CLIENT, "route", "add", "10.77.3.0/24", "via", "10.77.4.1")
    command("ip", "-n", PROXY, "route", "add", "10.77.4.0/24", "via", "10.77.3.2")


def _connect_the_container():
    """A bridge on the proxy's host, 10.77.5.1, and a pair of interfaces to the container, 10.77.5.2."""
    command("ip", "-n", PROXY, "link", "add", "bridge0", "address", "02:00:0a:4d:05:01", "type", "bridge")
    command("ip", "link", "add", "dev", "veth0", "netns", PROXY, "address", "02:00:0a:4d:05:03",
            "type", "veth", "peer", "name", "eth0", "netns", CONTAINER, "address", "02:00:0a:4d:05:02")
    command("ip", "-n", PROXY, "link", "set", "veth0", "master", "bridge0")
    for where, device, host in ((PROXY, "bridge0", 1), (CONTAINER, "eth0", 2)):
        command("ip", "-n", where, "address", "add", f"10.77.5.{host}/24", "dev", device)
    for where, device in ((PROXY, "bridge0"), (PROXY, "veth0"), (CONTAINER, "eth0")):
        command(*inside(where, "sysctl", "-qw", f"net.ipv6.conf.{device}.disable_ipv6=1"))
        command("ip", "-n", where, "link", "set", device, "up")
    command(*inside(CONTAINER, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off"))


@contextlib.contextmanager
def _bridge(behaviour):
    """The two links to the bridge, and the bridge."""
    for device, peer, namespace, address in ((BRIDGE_TO_CLIENT, BY_BRIDGE, CLIENT, BEHIND_THE_BRIDGE),
                                             (BRIDGE_TO_PROXY, TO_BRIDGE, PROXY, OVER_THE_BRIDGE)):
        command("ip", "link", "add", "dev", device, "netns", MIDDLE, "type", "veth",
                "peer", "name", peer, "netns", namespace)
        for where, interface in ((MIDDLE, device), (namespace, peer)):
            command(*inside(where, "sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1"))
            command(*inside(where, "ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off"))
            command("ip", "-n", where, "link", "set", interface, "up")
        command("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", peer)
    program = pathlib.Path(__file__).resolve().parent / "app" / "bridge.py"
    words = inside(MIDDLE, sys.executable, str(program), behaviour, BRIDGE_TO_CLIENT, BRIDGE_TO_PROXY)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout.readline() != "bridging\n":
                raise Problem("the bridge does not start")
            yield
        finally:
            process.terminate()
            for device in (BRIDGE_TO_CLIENT, BRIDGE_TO_PROXY):
                command("ip", "-n", MIDDLE, "link", "delete", device)


@contextlib.contextmanager
def overlay():
    """A VXLAN between the proxy's host, 10.77.6.1, and the upstream's, 10.77.6.2, as container clusters have it."""
    for where, peer, host in ((PROXY, 2, 1), (UPSTREAM, 1, 2)):
        command("ip", "-n", where, "link", "add", "vxlan0", "address", f"02:00:0a:4d:06:{host:02x}", "type", "vxlan",
                "id", "42", "dstport", "4789", "local", f"10.77.2.{host}", "remote", f"10.77.2.{peer}")
        command(*inside(where, "sysctl", "-qw", "net.ipv6.conf.vxlan0.disable_ipv6=1"))
        command("ip", "-n", where, "address", "add", f"10.77.6.{host}/24", "dev", "vxlan0")
        command("ip", "-n", where, "link", "set", "vxlan0", "up")
    try:
        yield
    finally:
        for where in (PROXY, UPSTREAM):
            command("ip", "-n", where, "link", "delete", "vxlan0")


@contextlib.contextmanager
def narrow():
    """The middle's link to the proxy takes 576 bytes at a time, and the client lets its packets be fragmented."""
    route = ("ip", "-n", MIDDLE, "route", "replace", "10.77.3.0/24", "dev", MIDDLE_TO_PROXY, "src", "10.77.3.2",
             "proto", "kernel", "scope", "link")
    command(*route, "mtu", "lock", "576")
    command(*inside(CLIENT, "sysctl", "-qw", "net.ipv4.ip_no_pmtu_disc=1"))
    try:
        yield
    finally:
        command(*inside(CLIENT, "sysctl", "-qw", "net.ipv4.ip_no_pmtu_disc=0"))
        command(*route)


# What a scenario may ask for besides.
SETTINGS = {"overlay": overlay, "narrow": narrow} | {
    f"bridge-{behaviour}": functools.partial(_bridge, behaviour)
    for behaviour in ("loses", "reorders", "resets", "strips", "forgets")}


@contextlib.contextmanager
def firewall(rules):
    """iptables rules, as long as the block lasts; each is a namespace and the words of the rule."""
    undo = []
    try:
        for namespace, *words in rules:
            command(*inside(namespace, "iptables", *words))
            undo.append((namespace, ["-D" if word == "-A" else word for word in words]))
        yield
    finally:
        for namespace, words in undo:
            command(*inside(namespace, "iptables", *words))


def forget_neighbours():
    """Empties the address caches, so that every scenario starts with the same ARP exchange."""
    for namespace in NAMESPACES:
        command("ip", "-n", namespace, "neigh", "flush", "all")


@contextlib.contextmanager
def built():
    """The network, as long as the block lasts."""
    _remove()
    try:
        for namespace in NAMESPACES:
            command("ip", "netns", "add", namespace)
            command("ip", "-n", namespace, "link", "set", "lo", "up")
            command(*inside(namespace, "sysctl", "-qw", "net.ipv6.conf.default.router_solicitations=0"))
        for link in LINKS:
            _connect(*link)
        _connect_the_middle()
        _connect_the_container()
        time.sleep(SETTLING_SECONDS)
        yield
    finally:
        _remove()
