"""The parts that all sessions share."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from taskdoctor.demo.embeddings import Embeddings
from taskdoctor.demo.history import History
from taskdoctor.demo.levers import ServiceLevers
from taskdoctor.demo.llm import Peer
from taskdoctor.demo.mcp_client import Leftovers
from taskdoctor.demo.memory import Memory
from taskdoctor.demo.mixing import Mixer
from taskdoctor.demo.outbox import Outbox
from taskdoctor.demo.profiles import Profiles
from taskdoctor.demo.settings import Settings
from taskdoctor.demo.store import Store
from taskdoctor.demo.truth import Meter
from taskdoctor.demo.voices import Voices


@dataclass(slots=True)
class Backend:
    """Everything that lives as long as the service."""

    database: str
    rng: random.Random
    levers: ServiceLevers
    meter: Meter
    store: Store
    history: History
    memory: Memory
    embeddings: Embeddings
    voices: Voices
    profiles: Profiles
    peer: Peer
    mixer: Mixer
    outbox: Outbox
    leftovers: Leftovers = field(default_factory=Leftovers)
    presence: set[web.WebSocketResponse] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)

    async def close(self) -> None:
        await self.outbox.close()
        await self.leftovers.end()
        await self.peer.close()
        self.store.close()


def build(run: Settings, meter: Meter) -> Backend:
    """All parts, each with the levers that it has."""
    levers = ServiceLevers()
    database = str(Path(run.work, "chat.db"))
    rng = random.Random(run.seed)
    return Backend(
        database=database,
        rng=rng,
        levers=levers,
        meter=meter,
        store=Store(database, levers),
        history=History(levers),
        memory=Memory(levers),
        embeddings=Embeddings(run.work, levers),
        voices=Voices(run.work, f"http://127.0.0.1:{run.upstream_port}", levers),
        profiles=Profiles(run.work, levers),
        peer=Peer(run.upstream_port, run.dns_port, rng),
        mixer=Mixer(levers),
        outbox=Outbox(levers),
    )
