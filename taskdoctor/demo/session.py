"""One websocket session: its socket, its context, its turns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from taskdoctor.demo.context import ServiceContext

EMOJI = "🐱🐶🦊🐼🐸🐵🦄🐙🐳🐝"


@dataclass(slots=True)
class Session:
    """A browser that talks to the service."""

    uid: str
    socket: web.WebSocketResponse
    context: ServiceContext
    emoji: str
    turns: int = 0
    played: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Task[None] | None = None
