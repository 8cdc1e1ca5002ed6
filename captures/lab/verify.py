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
    "http.response.line", "tcp.flags.fin", "tcp.flags.reset", "websocket.opcode", "websocket.payload.close.status_code",
    "websocket.payload.close.reason",
)
PORTS = (3000, 3001, 8000, 8001, 8080, 8443, 9000, 80, 443)
ENDING = ("tcp.flags.fin", "tcp.flags.reset")
# Faults of an answer for which RFC 6455 does not make the client fail, although browsers may.
BEARABLE = {"subprotocol-missing", "body-present"}
OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def check(scenario, captures):
    """Returns the packets of each file; raises a Problem at the first claim that tshark does not confirm."""
    packets = {}
    for file in scenario.files():
        expected = scenario.truth_of(file)
        midstream = bool(expected) and any(attempt.get("outcome") == "midstream" for attempt in expected)
        rows = _rows(captures / file, midstream, scenario)
        packets[file] = len(rows)
        if expected is not None:
            _compare(f"{scenario.name}/{file}", expected, _attempts(rows))
    return packets


def _rows(file, midstream, scenario):
    """One dictionary a packet; a field holds a list, because one packet may hold several frames or headers."""
    protocol = "websocket" if midstream else "http"
    decode_as = [word for port in PORTS if port not in scenario.tls_ports
                 for word in ("-d", f"tcp.port=={port},{protocol}")]
    fields = [word for field in FIELDS for word in ("-e", field)]
    # Without the option what comes out of order is left out.
    lines = command("tshark", "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-r", str(file), *decode_as, "-T", "json",
                    *fields)
    return [packet["_source"]["layers"] for packet in json.loads(lines)]


def _one(row, *fields):
    return next((row[field][0] for field in fields if field in row), None)


def _headers(lines):
    """Header fields of one message: lower-case name to value."""
    pairs = (line.strip().partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _ends(row):
    """Sender and receiver, as endpoints; of a packet in a tunnel, those inside."""
    for source, target, form in (("ip.src", "ip.dst", "{}:{}"), ("ipv6.src", "ipv6.dst", "[{}]:{}")):
        if source in row:
            return (form.format(row[source][-1], row["tcp.srcport"][-1]),
                    form.format(row[target][-1], row["tcp.dstport"][-1]))
    raise Problem(f"packet {_one(row, 'frame.number')} is TCP without IP")


def _attempts(rows):
    """What tshark sees, in the form of a truth: one attempt for each connection that shows WebSocket intent."""
    streams = {}
    for row in rows:
        if "tcp.stream" in row:
            streams.setdefault(int(_one(row, "tcp.stream")), []).append(row)
    attempts = [attempt for number in sorted(streams) for attempt in _stream(streams[number])]
    return [attempt for attempt in attempts if attempt is not None]


def _stream(rows):
    """What one connection shows: an attempt or None for each request, or frames without one."""
    requests = [at for at, row in enumerate(rows) if "http.request.method" in row]
    if not requests:
        client, server = sorted(_ends(rows[0]), key=lambda end: -int(end.rsplit(":", 1)[1]))
        frames = _frames(rows, client)
        return [frames and _outcome(client, server, None, None, None, "midstream", [], websocket=frames)]
    ends = [*requests[1:], len(rows)]
    return [_attempt(rows[start:end], rows) for start, end in zip(requests, ends)]


def _attempt(rows, connection):
    """What one request and the packets until the next one show; None if there is no WebSocket intent."""
    request = rows[0]
    headers = _headers(request["http.request.line"])
    answer = next((row for row in rows if "http.response.code" in row), None)
    shows_intent = any(name.startswith("sec-websocket-") for name in headers) or \
        "websocket" in headers.get("upgrade", "").lower()
    if not shows_intent and not (answer and _one(answer, "http.response.code") == "101"):
        return None
    client, server = _ends(request)
    version = _one(request, "http.request.version").removeprefix("HTTP/")
    about = (client, server, _one(request, "http.request.uri"), version)
    problems = _request_problems(headers, version, _one(request, "http.request.method"))
    if answer is None:
        ended = any("1" in row[flag] or "True" in row[flag] for row in connection for flag in ENDING if flag in row)
        one_sided = all(_ends(row)[0] == client for row in connection)
        if one_sided or not ended:
            return _outcome(*about, None, "unknown", problems)
        return _outcome(*about, None, "unanswered", problems, websocket=None)
    status = int(_one(answer, "http.response.code"))
    if status != 101:
        return _outcome(*about, status, "refused", problems, response_problems=[], websocket=None)
    answer_headers = _headers(answer["http.response.line"])
    accept = _accept_state(headers.get("sec-websocket-key"), answer_headers.get("sec-websocket-accept"))
    faults = _response_problems(accept, headers, answer_headers)
    if set(faults) - BEARABLE:
        return _outcome(*about, 101, "invalid", problems, accept=accept, response_problems=faults)
    return _outcome(*about, 101, "established", problems, accept=accept, response_problems=faults,
                    websocket=_frames(rows, client))


def _accept_state(key, accept):
    """Whether an accept value is the key's, in the words of wsinspect's JSON."""
    if accept is None:
        return "missing"
    if key is None:
        return "unchecked"
    return "valid" if accept == _accept(key) else "wrong"


def _response_problems(accept, request, answer):
    """What makes a client refuse a 101 (RFC 6455, section 4.1)."""
    problems = [f"accept-{accept}"] if accept in ("wrong", "missing") else []
    problems += _token_problems(answer)
    offered = _words(request.get("sec-websocket-protocol"))
    chosen = answer.get("sec-websocket-protocol")
    if chosen is not None and chosen not in offered:
        problems.append("subprotocol-not-offered")
    if offered and chosen is None:
        problems.append("subprotocol-missing")
    extensions = {word.partition(";")[0].strip() for word in _words(answer.get("sec-websocket-extensions"))}
    if extensions - {word.partition(";")[0].strip() for word in _words(request.get("sec-websocket-extensions"))}:
        problems.append("extension-not-offered")
    elif any(part.strip() == "client_max_window_bits" for part in answer.get(
            "sec-websocket-extensions", "").split(";")):
        problems.append("extension-parameter-invalid")
    if answer.get("content-length", "0") != "0":
        problems.append("body-present")
    return problems


def _words(value):
    return [word.strip() for word in (value or "").split(",") if word.strip()]


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


def _request_problems(headers, version, method):
    """What is wrong with an upgrade request (RFC 6455, section 4.1)."""
    key, wanted = headers.get("sec-websocket-key"), headers.get("sec-websocket-version")
    return _token_problems(headers) + [problem for problem, found in (
        ("key-missing", key is None),
        ("version-missing", wanted is None),
        ("version-unsupported", wanted not in (None, "13")),
        ("http-version-too-low", version != "1.1"),
        ("method-not-get", method != "GET"),
        ("body-present", headers.get("content-length", "0") != "0"),
    ) if found]


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
    """Holds what is claimed to what is seen; what is left out of a claim is not compared."""
    for number, (claim, fact) in enumerate(zip(expected, seen), start=1):
        for key, value in claim.items():
            if not _holds(value, fact.get(key)):
                raise Problem(f"{file}, attempt {number}, {key}: the scenario says {value}, "
                              f"tshark shows {fact.get(key)}")
    if len(expected) != len(seen):
        raise Problem(f"{file}: the scenario has {len(expected)} attempts, tshark shows {len(seen)}: {seen}")


def _holds(claim, fact):
    """Lists hold problems, whose order is that of wsinspect's JSON, which tshark does not know."""
    if isinstance(claim, dict) and isinstance(fact, dict):
        return all(_holds(value, fact.get(key)) for key, value in claim.items())
    if isinstance(claim, list):
        return isinstance(fact, list) and sorted(claim) == sorted(fact)
    return claim == fact
