"""SDK 1.x: a server that is a client of another server, which it starts; a thread keeps it alive."""

import asyncio
import sys
import threading
import time

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server.fastmcp import FastMCP

server = FastMCP("gateway")


async def behind() -> None:
    parameters = StdioServerParameters(command=sys.executable, args=sys.argv[1:])
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        await asyncio.sleep(3600)


if __name__ == "__main__":
    threading.Thread(target=lambda: asyncio.run(behind())).start()
    server.run()
    time.sleep(3600)
