"""The browsers: some that talk, some that only watch, and a health check."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from contextlib import suppress

import aiohttp

from taskdoctor.demo import lifeline, parts, settings
from taskdoctor.demo.levers import ClientLevers
from taskdoctor.demo.settings import Settings
from taskdoctor.demo.truth import Acted

THINK_S = (0.5, 2.0)
STAY_S = (7.0, 14.0)
AWAY_S = (0.3, 1.0)
PLAYBACK_S = (0.08, 0.2)
NEVER_S = 30.0  # as good as never
HEALTH_EVERY_S = 2.0
GIVE_UP_S = 40.0
QUESTIONS = (
    "What's the weather like tomorrow?",
    "Can you summarise what we said yesterday?",
    "今天晚上吃什么比较好？",
    "Tell me a joke about cats.",
    "Why does my build say connection timeout after 30 seconds?",
    "What does HTTP 429 Too Many Requests mean?",
    "Explain garbage collection to a ten year old.",
    "帮我写一首关于秋天的短诗。",
    "Remind me to call the dentist at nine.",
    "Is `database is locked` a SQLite error?",
    "How long is the Great Wall?",
    "My event loop was blocked for 12 seconds, is that bad?",
    "Read me the headlines.",
    "给我讲讲你自己吧。",
)


class Browsers:
    """Everyone on the other side of the wire."""

    def __init__(self, run: Settings, http: aiohttp.ClientSession) -> None:
        self.levers = ClientLevers()
        self._run = run
        self._http = http
        self._base = f"http://127.0.0.1:{run.service_port}"

    async def talk(self, number: int) -> None:
        """One person: comes, asks a few things, goes, comes back."""
        rng = random.Random(f"{self._run.seed}:browser:{number}")
        await asyncio.sleep(0.3 * number)
        while True:
            uid = f"{rng.randrange(16**8):08x}"
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._http.ws_connect(f"{self._base}/client-ws?uid={uid}") as socket:
                    await self._visit(socket, rng)
            await asyncio.sleep(rng.uniform(*AWAY_S))

    async def _visit(self, socket: aiohttp.ClientWebSocketResponse, rng: random.Random) -> None:
        await self._until(socket, "ready", rng)
        loop = asyncio.get_running_loop()
        leave_s = loop.time() + rng.uniform(*STAY_S)
        while loop.time() < leave_s:
            await asyncio.sleep(rng.uniform(*THINK_S))
            await socket.send_json({"type": "text-input", "text": rng.choice(QUESTIONS)})
            await self._until(socket, "chain-end", rng)

    async def _until(self, socket: aiohttp.ClientWebSocketResponse, wanted: str, rng: random.Random) -> None:
        """Read on, and play what comes, until the wanted message."""
        async with asyncio.timeout(GIVE_UP_S):
            while True:
                message = await socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise ConnectionResetError("the service went away")
                kind = json.loads(message.data)["type"]
                if kind == wanted:
                    return
                if kind == "audio":
                    await self._play(socket, rng)

    async def _play(self, socket: aiohttp.ClientWebSocketResponse, rng: random.Random) -> None:
        """Play what came, and report the end of it; a hidden tab never does."""
        if self.levers.playback_s.amount >= NEVER_S:
            return
        await asyncio.sleep(rng.uniform(*PLAYBACK_S) + self.levers.playback_s.amount)
        await socket.send_json({"type": "frontend-playback-complete"})

    async def watch(self) -> None:
        """A page that stays open and says nothing."""
        while True:
            with suppress(aiohttp.ClientError, OSError):
                async with self._http.ws_connect(f"{self._base}/presence") as socket:
                    async for _ in socket:
                        pass
            await asyncio.sleep(1.0)

    async def check_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_EVERY_S)
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with self._http.get(f"{self._base}/health") as reply:
                    await reply.read()


async def browse(run: Settings) -> None:
    ended = parts.ended_by_signal()
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:
        browsers = Browsers(run, http)
        people = [browsers.talk(number) for number in range(run.sessions)]
        watchers = [browsers.watch() for _ in range(run.idle_sockets)]
        tasks = [parts.background(each) for each in (*people, *watchers, browsers.check_health())]
        acted = Acted()
        tasks.append(
            parts.stages(run, acted, lambda fault, stage: fault.in_clients and fault.in_clients(browsers.levers, stage))
        )
        parts.tell_ready(run, "clients")
        await ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        acted.save(run.work, "clients")


if __name__ == "__main__":
    lifeline.hold()
    asyncio.run(browse(settings.load(sys.argv[1])))
