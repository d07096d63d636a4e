"""Starts servers as MCP clients do, and then does with them what the words say. Works with SDK 1.x and 2.x.

client.py WHAT N -- COMMAND... [-- COMMAND...]   WHAT: hold | close | fork
"""

import asyncio
import contextlib
import multiprocessing
import sys
import time

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

what, count = sys.argv[1], int(sys.argv[2])
words = " ".join(f"\0{word}" if word != "--" else word for word in sys.argv[3:]).split("--")
commands = [[part.rstrip() for part in group.split("\0")[1:]] for group in words[1:]]


async def opened(stack: contextlib.AsyncExitStack, command: list[str]) -> None:
    parameters = StdioServerParameters(command=command[0], args=command[1:])
    read, write = await stack.enter_async_context(stdio_client(parameters))
    session = await stack.enter_async_context(ClientSession(read, write))
    await session.initialize()


async def hold() -> None:
    async with contextlib.AsyncExitStack() as stack:
        for command in commands * count:
            await opened(stack, command)
        if what == "fork":
            multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,)).start()
        print("READY", flush=True)
        if what == "close":
            await asyncio.sleep(0.3)
            return
        await asyncio.sleep(3600)


async def main() -> None:
    try:
        await hold()
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
    print("CLOSED", flush=True)
    await asyncio.sleep(3600)


asyncio.run(main())
