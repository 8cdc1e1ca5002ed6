"""Writes what stands beside the captures: the README of each, the expected truth, and the overview."""

import datetime
import json
import pathlib
import shlex
import textwrap

import capture
import stage

LAB = pathlib.Path(__file__).resolve().parent
WIDTH = 110


def _filled(text):
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def write_expected(scenario, captures, packets):
    """The truth as data. A file without `attempts` claims none."""
    files = {}
    for file, count in packets.items():
        attempts = scenario.truth_of(file)
        files[file] = {"packets": count} | ({} if attempts is None else {"attempts": attempts})
    text = json.dumps({"files": files}, indent=2) + "\n"
    (captures / "expected.json").write_text(text, encoding="utf-8")


def _commands(scenario):
    """The command lines of the recording, in the order in which they run."""
    tapping = [capture.command_line(tap) for tap in scenario.taps]
    visiting = [["node" if visit.client == "node" else "python", *stage.visit_words(visit)]
                for visit in scenario.visits]
    late = any(tap.late for tap in scenario.taps)
    recording = [*visiting, *tapping] if late else [*tapping, *visiting]
    return "\n".join(shlex.join(line) for line in [*recording, *(derived.words for derived in scenario.derived)])


SERVICES = {
    "page": "the page application on port 3000 (Node.js, `ws`, WebSocket on /ws/events, its page everywhere else)",
    "api": "the API on port 8000 (Python, `websockets`, WebSocket on /api/live, 404 everywhere else)",
    "api-deflate": "the API on port 8000 (Python, `websockets` with compression, WebSocket on /api/live)",
    "api-older": "the API on port 8000 (Python, `websockets`, WebSocket on /api/live)",
    "wrong-accept": "a faulty server on port 8000 (raw sockets, one fixed answer)",
    "silent": "a faulty server on port 8000 (raw sockets, never answers)",
    "reset": "a faulty server on port 8000 (raw sockets, resets the connection)",
}


def write_readme(scenario, captures, packets, versions):
    """The page a reader sees first: point, files, what must come out, origin and configuration."""
    configuration = (LAB / "nginx" / scenario.configuration).read_text(encoding="utf-8")
    files = "\n".join(f"| `{file}` | {count} | {(captures / file).stat().st_size} |"
                      for file, count in packets.items())
    endings = "\n".join(f"- `{visit.target}`: {visit.ending}" for visit in scenario.visits)
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    services = " and ".join(SERVICES[service] for service in scenario.services)
    recording = ("The client greets first, then the capture starts, then the client goes on."
                 if any(tap.late for tap in scenario.taps) else "The captures start before the clients.")
    origin = (f"Real traffic between network namespaces on one machine, recorded on the proxy on "
              f"{datetime.date.today()} with {software}. The client is 10.77.1.2 (fd77:1::2). nginx is 10.77.1.1 "
              f"towards the client (fd77:1::1) and 10.77.2.1 towards the upstream (fd77:2::1). The upstream is "
              f"10.77.2.2 (fd77:2::2) and runs {services}. {recording}")
    notes = f"\n{_filled(scenario.notes)}\n" if scenario.notes else ""
    (captures / "README.md").write_text(f"""\
# {scenario.name}

{_filled(scenario.point)}

| file | packets | bytes |
|---|--:|--:|
{files}

## What must come out

{_filled(scenario.result)}

The same as data: `expected.json`. What the client itself reports:

{endings}

## Origin

{_filled(origin)}

```
{_commands(scenario)}
```
{notes}
## nginx configuration

```nginx
{configuration}```

To make it anew: `captures/lab/run {scenario.name}`.
""", encoding="utf-8")


def write_overview(scenarios, captures):
    """The README of the whole folder, from the scenarios whose captures are there."""
    rows = "\n".join(
        f"| [{scenario.name}]({scenario.name}/README.md) | {scenario.point} | "
        f"{', '.join(f'`{file}`' for file in scenario.files())} |"
        for scenario in scenarios if (captures / scenario.name).is_dir())
    template = (LAB / "overview.md").read_text(encoding="utf-8")
    (captures / "README.md").write_text(template.replace("TABLE\n", f"{rows}\n"), encoding="utf-8")
