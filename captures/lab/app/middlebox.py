"""A meddling router's part: takes over connections to port 80 and forwards them without what it does not know.

It knows HTTP, takes `Upgrade` and `Connection` for its own, and has never heard of WebSocket.
"""

import asyncio
import socket
import struct

PORT = 8888
SO_ORIGINAL_DST = 80


def destination(connection):
    """Where the client wanted to go, before the firewall redirected it."""
    port, address = struct.unpack_from("!2xH4s", connection.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16))
    return socket.inet_ntoa(address), port


async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def forward(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n")
            if line.partition(b":")[0].lower() not in (b"upgrade", b"connection")]
    onward_reader, onward_writer = await asyncio.open_connection(*destination(writer.get_extra_info("socket")))
    onward_writer.write(b"\r\n".join(kept))
    await asyncio.gather(copy(reader, onward_writer), copy(onward_reader, writer))


async def main():
    server = await asyncio.start_server(forward, "0.0.0.0", PORT)
    await server.serve_forever()


asyncio.run(main())
