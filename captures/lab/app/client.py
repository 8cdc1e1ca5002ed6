"""The same part as client.js, with Python's websockets library: greets, then closes in order.

    python client.py greet TARGET ADDRESS
"""

import asyncio
import sys

from websockets.asyncio.client import connect


async def greet(target, address):
    async with connect(f"ws://chat.example.test{target}", host=address, port=80) as connection:
        await connection.send("hello")
        await connection.recv()
        await connection.close(1000, "bye")
        print(f"closed: {connection.close_code} {connection.close_reason}")


asyncio.run(greet(*sys.argv[2:]))
