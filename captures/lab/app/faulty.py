"""An upstream that mistreats every upgrade request, in the way its one argument names.

Raw sockets, because no WebSocket library can be talked into these mistakes.
"""

import asyncio
import socket
import struct
import sys

PORT = 8000

# The accept value is the one printed in RFC 6455 for the RFC's sample key, so it matches no real client's key.
WRONG_ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)


async def wrong_accept(reader, writer):
    """Switches protocols with an accept value copied from the RFC."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(WRONG_ACCEPT)
    await reader.read()
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


asyncio.run(main({"wrong-accept": wrong_accept, "silent": silent, "reset": reset}[sys.argv[1]]))
