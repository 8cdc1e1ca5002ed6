"""Asks tshark what a capture shows and compares it with the scenario's truth. wsinspect has no part in it."""

import base64
import hashlib
import json

import truth
from network import command
from problem import Problem

FIELDS = (
    "frame.number", "tcp.stream", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "tcp.dstport",
    "http.request.method", "http.request.uri", "http.request.version", "http.request.line", "http.response.code",
    "http.response.line", "websocket.opcode", "websocket.payload.close.status_code",
    "websocket.payload.close.reason",
)
OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def check(scenario, captures):
    """Returns the packets of each file; raises a Problem at the first claim that tshark does not confirm."""
    packets = {}
    for file in scenario.files():
        expected = scenario.truth_of(file)
        midstream = bool(expected) and any(attempt["outcome"] == "midstream" for attempt in expected)
        rows = _rows(captures / file, midstream)
        packets[file] = len(rows)
        if expected is not None:
            _compare(f"{scenario.name}/{file}", expected, _attempts(rows))
    return packets


def _rows(file, midstream):
    """One dictionary a packet; a field holds a list, because one packet may hold several frames or headers."""
    protocol = "websocket" if midstream else "http"
    decode_as = [word for port in (3000, 8000, 80) for word in ("-d", f"tcp.port=={port},{protocol}")]
    fields = [word for field in FIELDS for word in ("-e", field)]
    lines = command("tshark", "-n", "-r", str(file), *decode_as, "-T", "json", *fields)
    return [packet["_source"]["layers"] for packet in json.loads(lines)]


def _one(row, *fields):
    return next((row[field][0] for field in fields if field in row), None)


def _headers(lines):
    """Header fields of one message: lower-case name to value."""
    pairs = (line.strip().partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _ends(row):
    """Sender and receiver, as endpoints."""
    for source, target, form in (("ip.src", "ip.dst", "{}:{}"), ("ipv6.src", "ipv6.dst", "[{}]:{}")):
        if source in row:
            return (form.format(row[source][0], row["tcp.srcport"][0]),
                    form.format(row[target][0], row["tcp.dstport"][0]))
    raise Problem(f"packet {_one(row, 'frame.number')} is TCP without IP")


def _attempts(rows):
    """What tshark sees, in the form of a truth: one attempt for each connection that shows WebSocket intent."""
    streams = {}
    for row in rows:
        if "tcp.stream" in row:
            streams.setdefault(int(_one(row, "tcp.stream")), []).append(row)
    attempts = [_attempt(streams[number]) for number in sorted(streams)]
    return [attempt for attempt in attempts if attempt is not None]


def _attempt(rows):
    """What one connection shows; None if it shows no WebSocket intent."""
    request = next((row for row in rows if "http.request.method" in row), None)
    if request is None:
        client, server = sorted(_ends(rows[0]), key=lambda end: -int(end.rsplit(":", 1)[1]))
        frames = _frames(rows, client)
        return frames and _outcome(client, server, None, None, None, "midstream", [], websocket=frames)
    headers = _headers(request["http.request.line"])
    shows_intent = any(name.startswith("sec-websocket-") for name in headers)
    if not shows_intent and "websocket" not in headers.get("upgrade", ""):
        return None
    client, server = _ends(request)
    version = _one(request, "http.request.version").removeprefix("HTTP/")
    about = (client, server, _one(request, "http.request.uri"), version)
    problems = _request_problems(headers, version)
    answer = next((row for row in rows if "http.response.code" in row), None)
    if answer is None:
        if all(_ends(row)[0] == client for row in rows):
            return _outcome(*about, None, "unknown", problems)
        return _outcome(*about, None, "unanswered", problems, websocket=None)
    status = int(_one(answer, "http.response.code"))
    if status != 101:
        return _outcome(*about, status, "refused", problems, response_problems=[], websocket=None)
    answer_headers = _headers(answer["http.response.line"])
    if answer_headers.get("sec-websocket-accept") != _accept(headers["sec-websocket-key"]):
        return _outcome(*about, 101, "invalid", problems, accept="wrong", response_problems=["accept-wrong"])
    return _outcome(*about, 101, "established", problems, accept="valid", response_problems=_token_problems(
        answer_headers), websocket=_frames(rows, client))


def _accept(key):
    """The accept value that belongs to a key (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + ACCEPT_SUFFIX).encode()).digest()).decode()


def _outcome(client, server, target, version, status, outcome, problems, **more):
    address = client.rsplit(":", 1)[0].strip("[]")
    return {"client": address, "server": server, "target": target, "http_version": version, "status": status,
            "outcome": outcome, "request_problems": problems, **more}


def _token_problems(headers):
    tokens = [token.strip().lower() for token in headers.get("connection", "").split(",")]
    return [problem for problem, found in (
        ("upgrade-missing", headers.get("upgrade", "").lower() == "websocket"),
        ("connection-token-missing", "upgrade" in tokens)) if not found]


def _request_problems(headers, version):
    return _token_problems(headers) + ([] if version == "1.1" else ["http-version-too-low"])


def _frames(rows, client):
    """What each side sends after the handshake, in the form of a truth; None if there is no frame."""
    opcodes = {"client": [], "server": []}
    closes = []
    for row in rows:
        side = "client" if _ends(row)[0] == client else "server"
        opcodes[side] += [OPCODES[int(opcode)] for opcode in row.get("websocket.opcode", [])]
        if "websocket.payload.close.status_code" in row:
            closes.append((side, int(_one(row, "websocket.payload.close.status_code")),
                           _one(row, "websocket.payload.close.reason") or ""))
    if not opcodes["client"] and not opcodes["server"]:
        return None
    counts = [{opcode: sent.count(opcode) for opcode in sent} for sent in opcodes.values()]
    return truth.conversation(*counts, closes[0] if closes else None)


def _compare(file, expected, seen):
    if expected == seen:
        return
    for number, (claim, fact) in enumerate(zip(expected, seen), start=1):
        for key in sorted({*claim, *fact}):
            if claim.get(key) != fact.get(key):
                raise Problem(f"{file}, attempt {number}, {key}: the scenario says {claim.get(key)}, "
                              f"tshark shows {fact.get(key)}")
    raise Problem(f"{file}: the scenario has {len(expected)} attempts, tshark shows {len(seen)}")
