"""Messages to the browsers: sent without waiting, audio again and again until it is acknowledged."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Coroutine, Mapping

from aiohttp import web

from taskdoctor.demo.levers import ServiceLevers

log = logging.getLogger(__name__)
CHUNK = b"\x10\x20\x30\x40" * 96_000  # a second or two of audio


class Outbox:
    """Tasks that send. What is done is forgotten; what waits for its acknowledgement stays."""

    def __init__(self, levers: ServiceLevers) -> None:
        self._levers = levers
        self._sending: set[asyncio.Task[None]] = set()
        self._presence = asyncio.Event()

    def queue(self, socket: web.WebSocketResponse, message: Mapping[str, object]) -> None:
        """Send a message some time soon."""
        log.info("Queued %s WebSocket message to frontend", message["type"])
        self._start(self._send(socket, message))

    def queue_deltas(self) -> None:
        """Send audio deltas that must be acknowledged."""
        for _ in range(int(self._levers.unacknowledged.amount)):
            log.info("Queued audio-delta WebSocket message to frontend")
            self._start(self._deliver())

    def announce_presence(self) -> None:
        """Who is here has changed: every delivery under way looks whether its browser still is."""
        self._presence.set()
        self._presence = asyncio.Event()

    async def close(self) -> None:
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, socket: web.WebSocketResponse, message: Mapping[str, object]) -> None:
        if not socket.closed:
            await socket.send_str(json.dumps(message))

    async def _deliver(self) -> None:
        """Offer a delta at each change, until it is acknowledged."""
        while True:
            await self._presence.wait()
            json.dumps({"type": "audio-delta", "audio": base64.b64encode(CHUNK).decode()})
