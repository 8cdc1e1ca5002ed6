"""The API application: a WebSocket server on /api/live, and nothing else.

It echoes what it receives, and two sentences make it do what an echo cannot show: a fragmented answer with a
ping between the fragments, and a close that comes from the server's side. Options make it as particular about
requests as real applications are.
"""

import argparse
import asyncio
import http
import ssl
import urllib.parse

from websockets import http11
from websockets.asyncio.server import serve


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--path", default="/api/live")
    parser.add_argument("--deflate", action="store_true", help="accept permessage-deflate")
    parser.add_argument("--certificate", action="store_true", help="speak TLS, with the files in the current folder")
    parser.add_argument("--same-origin", action="store_true", help="refuse another Origin than Host with 403")
    parser.add_argument("--virtual-host", help="answer 404 to every other Host")
    parser.add_argument("--token", action="store_true", help="ask for a token, with 401")
    parser.add_argument("--login", action="store_true", help="redirect to the login page, with 302")
    parser.add_argument("--https-only", action="store_true", help="redirect to https what came otherwise, with 301")
    parser.add_argument("--large-heads", action="store_true", help="take lines of 64 KiB instead of 8")
    parser.add_argument("--pings", action="store_true", help="ping every second")
    parser.add_argument("--impatient", action="store_true", help="ping every second, and wait 3 s for the answer")
    parser.add_argument("--small-messages", action="store_true", help="take messages of 1,000 bytes at most")
    return parser.parse_args()


def check(connection, request):
    """Refuses as applications do: the first thing that is not right decides."""
    host = request.headers.get("Host", "")
    if options.virtual_host and host != options.virtual_host:
        return connection.respond(http.HTTPStatus.NOT_FOUND, "no such site\n")
    if request.path != options.path:
        return connection.respond(http.HTTPStatus.NOT_FOUND, "no such path\n")
    if options.same_origin and urllib.parse.urlsplit(request.headers.get("Origin", "")).netloc != host:
        return connection.respond(http.HTTPStatus.FORBIDDEN, "origin not allowed\n")
    if options.token and "Authorization" not in request.headers:
        response = connection.respond(http.HTTPStatus.UNAUTHORIZED, "a token is needed\n")
        response.headers["WWW-Authenticate"] = 'Bearer realm="api"'
        return response
    if options.https_only and request.headers.get("X-Forwarded-Proto") != "https":
        response = connection.respond(http.HTTPStatus.MOVED_PERMANENTLY, "https only\n")
        response.headers["Location"] = f"https://{host}{request.path}"
        return response
    if options.login:
        response = connection.respond(http.HTTPStatus.FOUND, "log in first\n")
        response.headers["Location"] = "/login?next=" + urllib.parse.quote(request.path, safe="")
        response.headers["Set-Cookie"] = "session=new-sample-no-secret; Path=/; HttpOnly"
        return response
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


async def main():
    if options.large_heads:
        http11.MAX_LINE_LENGTH = 65536
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("certificate.pem", "key.pem")
    async with serve(converse, None, options.port, process_request=check, ssl=context,
                     compression="deflate" if options.deflate else None,
                     ping_interval=1 if options.pings or options.impatient else 20,
                     ping_timeout=3 if options.impatient else 20,
                     max_size=1_000 if options.small_messages else 2 ** 20):
        await asyncio.get_running_loop().create_future()


options = arguments()
asyncio.run(main())
