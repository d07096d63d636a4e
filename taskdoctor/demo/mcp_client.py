"""One client per session: starts the session's tool servers, calls their tools, closes them."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from taskdoctor.demo.levers import ServiceLevers
from taskdoctor.demo.logs import SPAN

log = logging.getLogger(__name__)
SERVER = Path(__file__).with_name("mcp_server.py")
TOOLS = {"weather": "get_forecast", "calendar": "list_events", "search": "web_search", "notes": "read_notes"}
LEAVABLE = "notes"
GRACE_S = 2.0
LOOK_AGAIN_S = 0.5


@dataclass(slots=True)
class Connection:
    """One running tool server."""

    name: str
    process: asyncio.subprocess.Process
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    number: int = 0

    async def request(self, method: str) -> None:
        """Send one request and wait for its reply."""
        async with self.turn:
            self.number += 1
            await self.send({"jsonrpc": "2.0", "id": self.number, "method": method})
            if self.process.stdout:
                await self.process.stdout.readline()

    async def send(self, message: dict[str, object]) -> None:
        if self.process.stdin:
            self.process.stdin.write(f"{json.dumps(message)}\n".encode())
            await self.process.stdin.drain()


class Leftovers:
    """Servers that outlived their session; ended with the service."""

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []

    async def adopt(self, connection: Connection, sync_every_s: float) -> None:
        params = {"sync_every_s": sync_every_s}
        await connection.send({"jsonrpc": "2.0", "method": "notifications/left", "params": params})
        self._processes.append(connection.process)

    async def end(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class McpClient:
    """The tool servers of one session."""

    def __init__(self, database: str, levers: ServiceLevers, leftovers: Leftovers, rng: random.Random) -> None:
        self._database = database
        self._levers = levers
        self._leftovers = leftovers
        self._rng = rng
        self._connections: dict[str, Connection] = {}
        log.info("MCPC: Initialized MCPClient instance.")

    async def open(self) -> None:
        for name in TOOLS:
            log.info("MCPC: Starting and connecting to server '%s'...", name)
            await self._connect(name)
            log.info("MCPC: Successfully connected to server '%s'.", name)

    async def _connect(self, name: str) -> None:
        command = (sys.executable, "-I", "-S", str(SERVER), name, self._database, str(self._rng.randrange(2**31)))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
        self._connections[name] = Connection(name, process)
        await self._connections[name].request("initialize")

    async def call_some_tool(self) -> None:
        name = self._rng.choice(sorted(self._connections))
        log.info("MCPC: Calling tool '%s' on server '%s'...", TOOLS[name], name)
        begun_s = time.monotonic()
        await self._connections[name].request("tools/call")
        log.info("Tool '%s' executed in %.2fs", TOOLS[name], time.monotonic() - begun_s, extra=SPAN)

    async def close(self) -> None:
        """Close every server's stdin and see it go."""
        log.info("Closing MCPClient... and %d active connections", len(self._connections))
        with self._levers.left_servers.applied() as sync_every_s:
            left = self._connections.pop(LEAVABLE, None) if sync_every_s else None
        await asyncio.gather(*(self._end(each) for each in self._connections.values()))
        self._connections.clear()
        if left:
            await self._leftovers.adopt(left, sync_every_s)
            await asyncio.sleep(LOOK_AGAIN_S)
            log.warning("MCP server '%s' (pid %d) still running after close", left.name, left.process.pid)
            return
        log.info("MCPC: Client instance closed.")

    async def _end(self, connection: Connection) -> None:
        if connection.process.stdin:
            connection.process.stdin.close()
        try:
            await asyncio.wait_for(connection.process.wait(), GRACE_S)
        except TimeoutError:
            with suppress(ProcessLookupError):  # it went at the last moment
                connection.process.kill()
            await connection.process.wait()
