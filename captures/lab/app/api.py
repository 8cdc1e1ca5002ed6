"""The API application: a WebSocket server on /api/live, and nothing else.

It echoes what it receives, and two sentences make it do what an echo cannot show: a fragmented answer with a
ping between the fragments, and a close that comes from the server's side.
"""

import asyncio
import http
import sys

from websockets.asyncio.server import serve

PORT = 8000
PATH = "/api/live"


def only_known_path(connection, request):
    """Answers 404 on every other path, as an application that has no WebSocket there does."""
    if request.path != PATH:
        return connection.respond(http.HTTPStatus.NOT_FOUND, "no such path\n")
    return None


async def story(connection):
    """Yields the fragments of one message; the ping goes out while the message is still incomplete."""
    yield "Once "
    await connection.ping(b"still there?")
    yield "upon "
    yield "a time."


async def converse(connection):
    async for message in connection:
        if message == "tell me a story":
            await connection.send(story(connection))
        elif message == "close the room":
            await connection.close(4000, "room closed")
        else:
            await connection.send(message)


async def main(compression):
    async with serve(converse, None, PORT, process_request=only_known_path, compression=compression):
        await asyncio.get_running_loop().create_future()


asyncio.run(main("deflate" if "--deflate" in sys.argv else None))
