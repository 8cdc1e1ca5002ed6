"""tcpdump, mostly on the proxy: started before the traffic, stopped after its last packet is in the file."""

import contextlib
import re
import signal
import time

import processes
from problem import Problem

QUIET_SECONDS = 0.2


def command_line(tap):
    """What a person would type to get this file.

    The buffer (-B, in KiB) is larger than usual: in immediate mode every packet takes a slot of the whole snapshot
    length, 256 KiB, so the usual 2 MiB hold eight packets and a burst loses some.
    """
    return ["tcpdump", "-i", tap.interface, "--immediate-mode", "-B", "16384", "-U", "-n", *tap.options,
            "-w", tap.file, *tap.filter]


@contextlib.contextmanager
def recording(tap, folder, logs):
    """A capture file that grows as long as the block lasts."""
    log = logs / f"{tap.file}.log"
    # -Z root: tcpdump would otherwise change to a user who may not write into the scratch folder.
    words = [*command_line(tap)[:1], "-Z", "root", *command_line(tap)[1:]]
    with processes.running(tap.namespace, words, log, cwd=folder) as process:
        processes.wait_until(lambda: "listening on" in log.read_text() or process.poll() is not None,
                             f"tcpdump to listen for {tap.file}")
        if process.poll() is not None:
            raise Problem(f"tcpdump for {tap.file} ended at once: {log.read_text().strip().splitlines()[-1]}")
        yield
        _wait_for_last_packet(folder / tap.file)
        processes.stop(process, lambda running: running.send_signal(signal.SIGINT))
    dropped = re.search(r"(\d+) packets? dropped by kernel", log.read_text())
    if dropped is None or int(dropped[1]) != 0:
        raise Problem(f"tcpdump did not keep every packet of {tap.file}")


def _wait_for_last_packet(file):
    """Waits until the file has not grown for a moment."""
    last_size, since = -1, time.monotonic()

    def settled():
        nonlocal last_size, since
        size = file.stat().st_size
        if size != last_size:
            last_size, since = size, time.monotonic()
        return time.monotonic() - since > QUIET_SECONDS

    processes.wait_until(settled, f"{file.name} to stop growing")
