"""The client for requests that no WebSocket library makes: sends one, and says in one line what came of it.

    python raw.py REQUEST TARGET ADDRESS
"""

import functools
import socket
import ssl
import sys
import time

HOST = "chat.example.test"
PATIENCE_SECONDS = 10
# A text frame as servers send it: nothing is masked.
UNMASKED_FRAME = b"\x81\x05hello"
# Close 1000, masked with zeros.
CLOSE_FRAME = b"\x88\x82\0\0\0\0\x03\xe8"
# `hello`, masked with zeros.
HELLO_FRAME = b"\x81\x85\0\0\0\0hello"
# Between two bytes that are to travel alone.
BYTE_SECONDS = 0.002
HANDSHAKE = {
    "Host": HOST, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13", "Origin": f"http://{HOST}",
}


def without(*names):
    return {name: value for name, value in HANDSHAKE.items() if name not in names}


# Each request: method, header fields, body.
REQUESTS = {
    "ordinary": ("GET", {"Host": HOST, "User-Agent": "sample-client/1.0", "Accept": "*/*"}, ""),
    "version-8": ("GET", HANDSHAKE | {"Sec-WebSocket-Version": "8"}, ""),
    "key-missing": ("GET", without("Sec-WebSocket-Key"), ""),
    "post": ("POST", HANDSHAKE | {"Content-Type": "application/json", "Content-Length": "2"}, "{}"),
    "plain": ("GET", HANDSHAKE, ""),
    "keep-alive": ("GET", HANDSHAKE | {"Connection": "keep-alive, Upgrade"}, ""),
    "http-1.0": ("GET", HANDSHAKE, ""),
    "unmasked": ("GET", HANDSHAKE, ""),
    "bytes": ("GET", without("Origin"), ""),
}


def send_each(connection, content):
    """Sends every byte in a segment of its own."""
    for byte in content:
        connection.sendall(bytes([byte]))
        time.sleep(BYTE_SECONDS)


def main(name, target, address, port=80):
    method, fields, body = REQUESTS[name]
    version = "1.0" if name == "http-1.0" else "1.1"
    head = [f"{method} {target} HTTP/{version}", *(f"{field}: {value}" for field, value in fields.items())]
    with socket.create_connection((address, int(port)), PATIENCE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        send = functools.partial(send_each, connection) if name == "bytes" else connection.sendall
        send("\r\n".join([*head, "", body]).encode())
        answer = connection.recv(65536)
        status = answer.split(b" ", 2)[1].decode() if answer.startswith(b"HTTP/") else None
        print(f"answered: {status}" if status else "closed without an answer", end="")
        if status == "101":
            if "Upgrade" in fields:
                if name == "bytes":
                    send(HELLO_FRAME)
                    connection.recv(65536)
                send(UNMASKED_FRAME if name == "unmasked" else CLOSE_FRAME)
            rest = connection.recv(65536)
            print(", then closed in order" if rest[:1] == CLOSE_FRAME[:1] else ", then data" if rest
                  else ", then closed", end="")
        print()


main(*sys.argv[1:])
