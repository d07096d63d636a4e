"""Starts servers as MCP clients do, and then does with them what the words say. Works with SDK 1.x and 2.x.

client.py WHAT N -- COMMAND... [-- COMMAND...]   WHAT: hold | close | fork | cancel
"""

import asyncio
import contextlib
import multiprocessing
import sys
import time

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

what, count = sys.argv[1], int(sys.argv[2])
commands: list[list[str]] = []
for word in sys.argv[3:]:
    if word == "--":
        commands.append([])
    else:
        commands[-1].append(word)


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
            print("CLOSING", flush=True)
            return
        await asyncio.sleep(3600)


async def main() -> None:
    task = asyncio.create_task(hold())
    if what == "cancel":
        loop = asyncio.get_running_loop()
        loop.add_reader(0, lambda: loop.remove_reader(0) and task.cancel())  # told to by whoever started it
    try:
        await task
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - closing badly is what it is here for
        print(repr(error), file=sys.stderr, flush=True)
    print("CLOSED", flush=True)
    await asyncio.sleep(3600)


asyncio.run(main())
