"""Plays one scenario: starts the applications and the proxies, records, lets the clients visit, stops everything."""

import contextlib
import fcntl
import os
import subprocess
import time

import capture
import network
import pcapng
import processes
import proxies
from problem import Problem

# Each service: its port, its program below app/, further words of its command line. Those of `ELSEWHERE` run in another
# namespace than the upstream's.
SERVICES = {
    "page": (3000, "page.js"),
    "api": (8000, "api.py"),
    "api-deflate": (8000, "api.py", "--deflate"),
    "api-older": (8000, "api.py"),
    "api-container": (8000, "api.py"),
    "api-same-origin": (8000, "api.py", "--same-origin"),
    "api-virtual-host": (8000, "api.py", "--virtual-host", "chat.example.test"),
    "api-token": (8000, "api.py", "--token"),
    "api-login": (8000, "api.py", "--login"),
    "api-canonical": (8000, "api.py", "--path", "/live"),
    "api-https-only": (8000, "api.py", "--https-only"),
    "api-large-heads": (8000, "api.py", "--large-heads"),
    "api-pings": (8000, "api.py", "--pings"),
    "api-impatient": (8000, "api.py", "--impatient"),
    "api-small-messages": (8000, "api.py", "--small-messages"),
    "socketio": (3000, "socketio.js", "3000"),
    "socketio-second": (3001, "socketio.js", "3001"),
    "graphql": (3000, "graphql.js", "graphql-ws"),
    "graphql-older": (3000, "graphql.js", "subscriptions-transport-ws"),
    "hocuspocus": (3000, "hocuspocus.js"),
    "signalr": (3000, "signalr.js", "3000"),
    "signalr-second": (3001, "signalr.js", "3001"),
    "sockjs": (3000, "sockjs.js"),
    "broker": (3000, "broker.js"),
    "h2c": (8000, "h2c.js", "--port", "8000"),
    "api-tls": (8443, "api.py", "--port", "8443", "--certificate"),
    "api-other-release": (8001, "api.py", "--port", "8001", "--path", "/api/v2/live"),
    "gate": (9000, "gate.py"),
    "middlebox": (8888, "middlebox.py"),
    **{behaviour: (8000, "faulty.py", behaviour) for behaviour in (
        "wrong-accept", "silent", "reset", "closed", "no-upgrade", "no-connection", "no-accept", "body",
        "extension-unasked", "extension-parameter", "subprotocol", "asks-nothing")},
}
ELSEWHERE = {"middlebox": network.MIDDLE, "api-container": network.CONTAINER}
VISIT_SECONDS = 15
# Longer than Linux delays an acknowledgement, so that a late capture starts with the client's next message.
QUIET_SECONDS = 0.5


def _program(tools, file, *words, older=False):
    interpreter = "node" if file.endswith(".js") else str(tools.older_python if older else tools.python)
    return [interpreter, str(tools.lab / "app" / file), *words]


def _environment(tools):
    return {"NODE_PATH": str(tools.node_modules), "PYTHONUNBUFFERED": "1"}


def _start_service(stack, name, tools, folder):
    port, *words = SERVICES[name]
    log = folder / f"{name}.log"
    program = _program(tools, *words, older=name == "api-older")
    namespace = ELSEWHERE.get(name, network.UPSTREAM)
    process = stack.enter_context(processes.running(namespace, program, log, _environment(tools),
                                                    cwd=folder / "certificate"))
    processes.wait_for_port(namespace, port, process, log)


def _make_certificate(folder):
    """A self-signed certificate, made anew for each run: no key is worth anything after it."""
    folder.mkdir()
    network.command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "30", "-subj", "/CN=chat.example.test", "-addext", "subjectAltName=DNS:chat.example.test",
                    "-keyout", "key.pem", "-out", "certificate.pem",
                    cwd=folder)


def visit_words(visit):
    """The client's command line, as a reader of the README sees it."""
    file = {"node": "client.js", "python": "client.py", "raw": "raw.py"}.get(visit.client, f"{visit.client}-client.js")
    return [file, visit.conversation, visit.target, visit.address, *visit.options]


class _Client:
    """One visitor, held to the ending that the scenario names."""

    def __init__(self, visit, tools):
        self.visit = visit
        self._process = subprocess.Popen(network.inside(network.CLIENT, *_program(tools, *visit_words(visit))),
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         text=True, env={**os.environ, **_environment(tools)})

    def await_greeting(self):
        if self._process.stdout.readline() != "greeted\n":
            raise Problem("a client did not get its greeting answered")

    def await_end(self):
        try:
            ending, _ = self._process.communicate("go on\n", timeout=VISIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Problem(f"a client did not end within {VISIT_SECONDS} s") from None
        if ending.strip() != self.visit.ending:
            raise Problem(f"a client reports `{ending.strip()}` where `{self.visit.ending}` is expected")

    def stop(self):
        processes.stop(self._process)


def _pay(visit, tools, start_late_taps):
    """Lets one client do what it came for."""
    client = _Client(visit, tools)
    try:
        if visit.conversation == "resume":
            client.await_greeting()
            time.sleep(QUIET_SECONDS)
            start_late_taps()
        client.await_end()
    finally:
        client.stop()


def _pay_together(visits, tools, event):
    """Lets the clients come one after another and stay; then the event happens, and all of them see its end."""
    with contextlib.ExitStack() as stack:
        clients = []
        for visit in visits:
            clients.append(_Client(visit, tools))
            stack.callback(clients[-1].stop)
            clients[-1].await_greeting()
        time.sleep(1)
        event()
        for client in clients:
            client.await_end()


@contextlib.contextmanager
def alone():
    """Lets one run of the lab use the namespaces at a time."""
    with open(__file__, encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("another run of the lab is under way") from None
        yield


def play(scenario, tools, folder, captures):
    """Makes the capture files of a scenario in the folder `captures`."""
    with contextlib.ExitStack() as stack:
        _make_certificate(folder / "certificate")
        for name in scenario.services:
            _start_service(stack, name, tools, folder)
        # The innermost first: a proxy may look for its upstream when it starts.
        started = [proxies.start(stack, proxy, tools.lab, folder, number)
                   for number, proxy in reversed(list(enumerate(scenario.proxies())))]
        stack.enter_context(network.firewall(scenario.firewall))
        if scenario.setting is not None:
            stack.enter_context(network.SETTINGS[scenario.setting]())
        network.forget_neighbours()

        def record(late):
            for tap in scenario.taps:
                if tap.late == late:
                    recordings.enter_context(capture.recording(tap, captures, folder))

        with contextlib.ExitStack() as recordings:
            record(late=False)
            try:
                if scenario.event is not None:
                    _pay_together(scenario.visits, tools, {"reload": started[-1].reload}[scenario.event])
                for visit in () if scenario.event else scenario.visits:
                    _pay(visit, tools, lambda: record(late=True))
                    if not scenario.lingers:
                        processes.wait_for_silence()
                if scenario.event is not None:
                    processes.wait_for_silence()
            except Problem as problem:
                raise Problem(f"{scenario.name}: {problem}") from None
    for derived in scenario.derived:
        network.command(*derived.words, cwd=captures)
        if derived.file.endswith(".pcapng"):
            pcapng.forget_origin(captures / derived.file)
