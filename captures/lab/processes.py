"""Programs in namespaces, and bounded waiting for what they do."""

import contextlib
import os
import subprocess
import time

import network
from problem import Problem


def wait_until(condition, what, seconds=10.0):
    """Waits for a condition, in short steps and never longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Problem(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


@contextlib.contextmanager
def running(namespace, words, log, environment=None, cwd=None):
    """A program that runs as long as the block lasts; what it prints goes to the file `log`."""
    with open(log, "wb") as output:
        process = subprocess.Popen(network.inside(namespace, *words), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **(environment or {})})
    try:
        yield process
    finally:
        stop(process)


def stop(process, gently=subprocess.Popen.terminate):
    """Ends a program, by force if it does not go by itself."""
    if process.poll() is None:
        gently(process)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(namespace, port, process, log):
    """Waits until a server listens, without sending it anything that a capture would show."""

    def listening():
        if process.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise Problem(f"the server for port {port} ended at once: {lines[-1] if lines else 'no output'}")
        return network.command(*network.inside(namespace, "ss", "-tlnH", f"sport = :{port}")).strip()

    wait_until(listening, f"a server on port {port} in {namespace}")


def wait_for_silence():
    """Waits until no TCP connection through the proxy is open any more, so that a capture holds its end."""

    def closed():
        return not network.command(*network.inside(
            network.PROXY, "ss", "-tnH", "state", "connected", "exclude", "time-wait")).strip()

    wait_until(closed, "the connections to close")
