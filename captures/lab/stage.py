"""Plays one scenario: starts the applications and nginx, records, lets the clients visit, stops everything."""

import contextlib
import os
import shutil
import subprocess

import capture
import network
import pcapng
import processes
from problem import Problem

# Each service: its port, its program below app/, further words of its command line.
SERVICES = {
    "page": (3000, "page.js"),
    "api": (8000, "api.py"),
    "api-deflate": (8000, "api.py", "--deflate"),
    "api-older": (8000, "api.py"),
    "wrong-accept": (8000, "faulty.py", "wrong-accept"),
    "silent": (8000, "faulty.py", "silent"),
    "reset": (8000, "faulty.py", "reset"),
}
VISIT_SECONDS = 15


def _program(tools, file, *words, older=False):
    interpreter = "node" if file.endswith(".js") else str(tools.older_python if older else tools.python)
    return [interpreter, str(tools.lab / "app" / file), *words]


def _environment(tools):
    return {"NODE_PATH": str(tools.node_modules), "PYTHONUNBUFFERED": "1"}


def _start_service(stack, name, tools, logs):
    port, *words = SERVICES[name]
    log = logs / f"{name}.log"
    program = _program(tools, *words, older=name == "api-older")
    process = stack.enter_context(processes.running(network.UPSTREAM, program, log, _environment(tools)))
    processes.wait_for_port(network.UPSTREAM, port, process, log)


def _start_nginx(stack, configuration, tools, folder):
    prefix = folder / "nginx"
    shutil.copytree(tools.lab / "nginx" / "page", prefix / "page")
    (prefix / "temporary").mkdir()
    shutil.copy(tools.lab / "nginx" / "nginx.conf", prefix / "nginx.conf")
    shutil.copy(tools.lab / "nginx" / configuration, prefix / "site.conf")
    log = folder / "nginx.log"
    process = stack.enter_context(processes.running(
        network.PROXY, ["nginx", "-p", f"{prefix}/", "-c", "nginx.conf"], log))
    processes.wait_for_port(network.PROXY, 80, process, log)


def visit_words(visit):
    """The client's command line, as a reader of the README sees it."""
    file = {"node": "client.js", "python": "client.py"}[visit.client]
    return [file, visit.conversation, visit.target, visit.address]


def _pay(visit, tools, start_late_taps):
    """Lets one client do what it came for, and holds it to the ending that the scenario names."""
    process = subprocess.Popen(network.inside(network.CLIENT, *_program(tools, *visit_words(visit))),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**os.environ, **_environment(tools)})
    try:
        if visit.conversation == "resume":
            if process.stdout.readline() != "greeted\n":
                raise Problem("the client did not get its greeting answered")
            start_late_taps()
        ending, _ = process.communicate("go on\n", timeout=VISIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Problem(f"a client did not end within {VISIT_SECONDS} s") from None
    finally:
        processes.stop(process)
    if ending.strip() != visit.ending:
        raise Problem(f"a client reports `{ending.strip()}` where `{visit.ending}` is expected")


def play(scenario, tools, folder, captures):
    """Makes the capture files of a scenario in the folder `captures`."""
    with contextlib.ExitStack() as stack:
        for name in scenario.services:
            _start_service(stack, name, tools, folder)
        _start_nginx(stack, scenario.configuration, tools, folder)
        network.forget_neighbours()

        def record(late):
            for tap in scenario.taps:
                if tap.late == late:
                    recordings.enter_context(capture.recording(tap, captures, folder))

        with contextlib.ExitStack() as recordings:
            record(late=False)
            for visit in scenario.visits:
                try:
                    _pay(visit, tools, lambda: record(late=True))
                except Problem as problem:
                    raise Problem(f"{scenario.name}: {problem}") from None
                processes.wait_for_silence()
    for derived in scenario.derived:
        network.command(*derived.words, cwd=captures)
        if derived.file.endswith(".pcapng"):
            pcapng.forget_origin(captures / derived.file)
