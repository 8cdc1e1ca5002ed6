"""An upstream that mistreats every upgrade request, in the way its one argument names.

Raw sockets, because no WebSocket library can be talked into these mistakes.
"""

import asyncio
import base64
import hashlib
import socket
import struct
import sys

PORT = 8000

ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# Printed in RFC 6455 for the RFC's sample key, so it matches no real client's key.
SAMPLE_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CLOSE_FRAME = b"\x88\x02\x03\xe8"


async def answer(reader, writer, *without, **others):
    """Switches protocols with an answer that lacks some fields, or has others."""
    await switch(reader, writer, await reader.readuntil(b"\r\n\r\n"), *without, **others)


async def switch(reader, writer, head, *without, **others):
    """Answers a head with 101, then lets the other side leave."""
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    key = next((value.strip() for name, _, value in lines if name.lower() == b"sec-websocket-key"), b"")
    accept = base64.b64encode(hashlib.sha1(key + ACCEPT_SUFFIX).digest()).decode()
    fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
    body = others.pop("body", "")
    fields |= {name.replace("_", "-"): value for name, value in others.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if name not in without]
    writer.write("\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", body]).encode())
    if await reader.read(1024):
        writer.write(CLOSE_FRAME)
        await reader.read()
    writer.close()


async def wrong_accept(reader, writer):
    """Switches protocols with an accept value copied from the RFC."""
    await answer(reader, writer, Sec_WebSocket_Accept=SAMPLE_ACCEPT)


async def no_upgrade(reader, writer):
    await answer(reader, writer, "Upgrade")


async def no_connection(reader, writer):
    await answer(reader, writer, "Connection")


async def no_accept(reader, writer):
    await answer(reader, writer, "Sec-WebSocket-Accept")


async def body(reader, writer):
    """Treats 101 as an ordinary answer, body and all."""
    text = '{"upgrade":"accepted"}\n'
    await answer(reader, writer, Content_Type="application/json", Content_Length=str(len(text)), body=text)


async def extension_unasked(reader, writer):
    await answer(reader, writer, Sec_WebSocket_Extensions="permessage-deflate")


async def extension_parameter(reader, writer):
    """Copies the offer's parameter, which in an answer needs a value (RFC 7692, section 7.1.2.2)."""
    await answer(reader, writer, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")


async def subprotocol(reader, writer):
    """Speaks an old subprotocol, whatever is offered."""
    await answer(reader, writer, Sec_WebSocket_Protocol="graphql-ws")


async def asks_nothing(reader, writer):
    """Looks at Upgrade alone: no key, no version, and still 101. Everything else is sent away."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"\r\nupgrade:" in head.lower():
        await switch(reader, writer, head)
    else:
        writer.write(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n")
        writer.close()


async def closed(reader, writer):
    """Takes the request and closes the connection in order, without a word."""
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def silent(reader, writer):
    """Takes the request and says nothing until the other side gives up."""
    await reader.read()
    writer.close()


async def reset(reader, writer):
    """Takes the request and drops the connection; lingering for zero seconds turns the close into a RST."""
    await reader.readuntil(b"\r\n\r\n")
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def main(behaviour):
    server = await asyncio.start_server(behaviour, None, PORT)
    await server.serve_forever()


BEHAVIOURS = (wrong_accept, no_upgrade, no_connection, no_accept, body, extension_unasked, extension_parameter,
              subprotocol, asks_nothing, silent, reset, closed)
asyncio.run(main({behaviour.__name__.replace("_", "-"): behaviour for behaviour in BEHAVIOURS}[sys.argv[1]]))
