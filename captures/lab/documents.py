"""Writes what stands beside the captures: the README of each, the expected truth, and the overview."""

import datetime
import json
import pathlib
import shlex
import textwrap

import capture
import network
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
        leading = {"leading": scenario.leading_of(file)} if scenario.claims_leading(file) else {}
        files[file] = {"packets": count} | leading | ({} if attempts is None else {"attempts": attempts})
    text = json.dumps({"proxy": scenario.proxy, "files": files}, indent=2) + "\n"
    (captures / "expected.json").write_text(text, encoding="utf-8")


def _commands(scenario):
    """The command lines of the recording, in the order in which they run."""
    tapping = [capture.command_line(tap) for tap in scenario.taps]
    visiting = [["node" if words[0].endswith(".js") else "python", *words]
                for words in map(stage.visit_words, scenario.visits)]
    late = any(tap.late for tap in scenario.taps)
    recording = [*visiting, *tapping] if late else [*tapping, *visiting]
    rules = [network.inside(namespace, "iptables", *words) for namespace, *words in scenario.firewall]
    recording = [*rules, *recording]
    return "\n".join(shlex.join(line) for line in [*recording, *(derived.words for derived in scenario.derived)])


API = "the API on port 8000 (Python, `websockets`, WebSocket on /api/live, 404 everywhere else"
FAULTY = "a faulty server on port 8000 (raw sockets, "
SERVICES = {
    "page": "the page application on port 3000 (Node.js, `ws`, WebSocket on /ws/events, its page everywhere else)",
    "api": f"{API})",
    "api-deflate": "the API on port 8000 (Python, `websockets` with compression, WebSocket on /api/live)",
    "api-older": "the API on port 8000 (Python, `websockets`, WebSocket on /api/live)",
    "api-same-origin": f"{API}, 403 unless Origin and Host name the same host)",
    "api-virtual-host": f"{API} and for every other Host than chat.example.test)",
    "api-token": f"{API}, 401 without a token)",
    "api-login": f"{API}, 302 to its login page without a session)",
    "api-canonical": "the API on port 8000 (Python, `websockets`, WebSocket on /live, 404 everywhere else)",
    "api-large-heads": f"{API}, takes lines of 64 KiB)",
    "api-pings": f"{API}, pings every second)",
    "h2c": "a server of HTTP/2 in the clear on port 8000 (Node, `http2.createServer`)",
    "api-tls": "the API with TLS on port 8443 (Python, `websockets`, WebSocket on /api/live, 404 everywhere else)",
    "api-other-release": "another release of the API on port 8001 (WebSocket on /api/v2/live, 404 everywhere else)",
    "socketio": "a Socket.IO server on port 3000 (Node.js, `socket.io`)",
    "socketio-second": "another process of it on port 3001",
    "graphql": "a GraphQL server on port 3000 (Node.js, `graphql-ws`, subscriptions on /graphql)",
    "graphql-older": "a GraphQL server on port 3000 (Node.js, `subscriptions-transport-ws`, subscriptions on /graphql)",
    "hocuspocus": "a Hocuspocus server on port 3000 (Node.js, `@hocuspocus/server`)",
    "signalr": "a SignalR server in small on port 3000 (Node.js, `ws`, the hub /hub, with a handshake timeout of 3 s)",
    "signalr-second": "another process of it on port 3001",
    "sockjs": "a SockJS server on port 3000 (Node.js, `sockjs`, below /echo)",
    "broker": "a message broker on port 3000 (Node.js, `aedes` for MQTT on /mqtt, STOMP by hand on /stomp)",
    "gate": "a login gate on port 9000 (Python, answers nginx's auth_request: 204 with a session, 401 without)",
    "wrong-accept": f"{FAULTY}one fixed answer)",
    "silent": f"{FAULTY}never answers)",
    "reset": f"{FAULTY}resets the connection)",
    "closed": f"{FAULTY}closes the connection)",
    "no-upgrade": f"{FAULTY}101 without Upgrade)",
    "no-connection": f"{FAULTY}101 without Connection)",
    "no-accept": f"{FAULTY}101 without Sec-WebSocket-Accept)",
    "body": f"{FAULTY}101 with a body)",
    "extension-unasked": f"{FAULTY}101 with permessage-deflate, asked or not)",
    "extension-parameter": f"{FAULTY}101 with client_max_window_bits without a value)",
    "subprotocol": f"{FAULTY}101 with the subprotocol graphql-ws, offered or not)",
    "asks-nothing": f"{FAULTY}101 to everything that has Upgrade, with or without a key)",
}


def write_readme(scenario, captures, packets, versions):
    """The page a reader sees first: point, files, what must come out, origin and configuration."""
    files = "\n".join(f"| `{file}` | {count} | {(captures / file).stat().st_size} |"
                      for file, count in packets.items())
    endings = "\n".join(f"- `{visit.target}`: {visit.ending}" for visit in scenario.visits)
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    services = " and ".join(SERVICES[service] for service in scenario.services if service in SERVICES)
    recording = ("The client greets first, then the capture starts, then the client goes on."
                 if any(tap.late for tap in scenario.taps) else "The captures start before the clients.")
    outer, *inner = scenario.proxies()
    behind = f", with {inner[0].name} behind it on 127.0.0.1:{inner[0].port}" if inner else ""
    origin = (f"Real traffic between network namespaces on one machine, recorded on the proxy on "
              f"{datetime.date.today()} with {software}. The client is 10.77.1.2 (fd77:1::2). {outer.name} is "
              f"10.77.1.1 towards the client (fd77:1::1) and 10.77.2.1 towards the upstream (fd77:2::1){behind}. The "
              f"upstream is 10.77.2.2 (fd77:2::2) and runs {services or 'nothing'}. {recording}")
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
{_configurations(scenario)}

To make it anew: `captures/lab/run {scenario.name}`.
""", encoding="utf-8")


def _configurations(scenario):
    """The configuration of each proxy, as a section of its own."""
    sections = []
    for number, proxy in enumerate(scenario.proxies()):
        title = f"{proxy.name} configuration" + (" (the inner proxy)" if number else "")
        text = proxy.path(LAB).read_text(encoding="utf-8").replace("\t", "    ")
        sections.append(f"## {title}\n\n```{proxy.language}\n{text}```")
    return "\n\n".join(sections)


def write_overview(scenarios, captures):
    """The README of the whole folder, from the scenarios whose captures are there."""
    rows = "\n".join(
        f"| [{scenario.name}]({scenario.name}/README.md) | {scenario.point} | "
        f"{', '.join(f'`{file}`' for file in scenario.files())} |"
        for scenario in scenarios if (captures / scenario.name).is_dir())
    template = (LAB / "overview.md").read_text(encoding="utf-8")
    (captures / "README.md").write_text(template.replace("TABLE\n", f"{rows}\n"), encoding="utf-8")
