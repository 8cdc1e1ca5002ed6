"""Speaks WebSocket with the standard library alone.

talk.py serve PORT            an upstream: /ws is a WebSocket that echoes, everything else is 404
talk.py client PORT PATH...   one connection a path, one after the other: asks, and if it may, talks and closes
"""

import base64
import hashlib
import os
import socket
import sys
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def head(connection):
    read = b""
    while b"\r\n\r\n" not in read:
        piece = connection.recv(4096)
        if not piece:
            return None
        read += piece
    return read


def exactly(connection, length):
    read = b""
    while len(read) < length:
        piece = connection.recv(length - len(read))
        if not piece:
            raise EOFError
        read += piece
    return read


def frame(connection):
    first, second = exactly(connection, 2)
    length = second & 0x7F
    mask = exactly(connection, 4) if second & 0x80 else b"\0\0\0\0"
    payload = exactly(connection, length)
    return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def send(connection, opcode, payload, mask=None):
    start = bytes([0x80 | opcode, len(payload) | (0x80 if mask else 0)])
    if mask:
        payload = mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    connection.sendall(start + payload)


def answer(connection):
    request = head(connection)
    if request is None:
        return
    lines = request.split(b"\r\n")
    fields = dict(line.lower().split(b":", 1) for line in lines[1:] if b":" in line)
    sent = dict((line.split(b":", 1)[0].lower(), line.split(b":", 1)[1].strip()) for line in lines[1:] if b":" in line)
    if b" /ws" not in lines[0] or b"websocket" not in fields.get(b"upgrade", b""):
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    accept = base64.b64encode(hashlib.sha1(sent[b"sec-websocket-key"] + GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    while True:
        opcode, payload = frame(connection)
        send(connection, opcode, payload)
        if opcode == 8:
            return


def serve(port):
    listener = socket.create_server(("127.0.0.1", port))
    print("ready", flush=True)

    def one(connection):
        with connection:
            try:
                answer(connection)
            except (EOFError, OSError):
                pass

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=one, args=(connection,), daemon=True).start()


def client(port, path):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        key = base64.b64encode(os.urandom(16))
        connection.sendall(
            b"GET " + path.encode() + b" HTTP/1.1\r\nHost: chat.example.test\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        status = head(connection).split(b" ")[1].decode()
        if status == "101":
            for text in (b"hello", b"again"):
                send(connection, 1, text, os.urandom(4))
                assert frame(connection) == (1, text)
            send(connection, 8, b"\x03\xe8", os.urandom(4))
            assert frame(connection)[0] == 8
            # The server closes first; of what fails, the client does. Nothing is left to chance.
            assert connection.recv(4096) == b""
        print(path, status)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    for path in sys.argv[3:]:
        client(int(sys.argv[2]), path)
