"""Three network namespaces in a row: client, proxy, upstream. Nothing in them reaches the world outside."""

import contextlib
import os
import signal
import subprocess
import time

from problem import Problem

CLIENT, PROXY, UPSTREAM = "wsi-client", "wsi-proxy", "wsi-upstream"
NAMESPACES = (CLIENT, PROXY, UPSTREAM)

# The proxy's two interfaces, each with the namespace at its other end and the number of the network between them.
# In network N the proxy is 10.77.N.1 and fd77:N::1, the other end 10.77.N.2 and fd77:N::2.
TO_CLIENT, TO_UPSTREAM = "to-client", "to-upstream"
LINKS = ((TO_CLIENT, CLIENT, 1), (TO_UPSTREAM, UPSTREAM, 2))

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
        time.sleep(SETTLING_SECONDS)
        yield
    finally:
        _remove()
