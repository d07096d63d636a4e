"""The peer outside the service: LLM that streams tokens, TTS, voice index and name server, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from typing import cast

from aiohttp import web

from taskdoctor.demo import lifeline, parts, resolver, settings
from taskdoctor.demo.levers import UpstreamLevers
from taskdoctor.demo.settings import Settings
from taskdoctor.demo.truth import Acted

FIRST_TOKEN_S = (0.18, 0.55)
TOKEN_S = (0.02, 0.05)
TOKENS = (3, 22)
SPEECH_S = (0.1, 0.4)
RETRY_AFTER_S = (1.6, 3.2)
WORDS = ("of course", "here is", "what I found", "the short answer", "is yes", "after lunch")


class Upstream:
    """Answers after a while; how long a while, the levers and chance say."""

    def __init__(self, run: Settings) -> None:
        self.levers = UpstreamLevers()
        self._rng = random.Random(run.seed)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/v1/audio/speech", self._speak)
        app.router.add_get("/v1/voices", self._voices)
        return app

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        if self.levers.refusals.amount:
            wait_s = f"{self._rng.uniform(*RETRY_AFTER_S):.1f}"
            return web.json_response({"error": "rate_limit_exceeded"}, status=429, headers={"retry-after": wait_s})
        await asyncio.sleep(self._rng.uniform(*FIRST_TOKEN_S) + self._slowness_s())
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        for _ in range(self._rng.randint(*TOKENS)):
            await reply.write(f"data: {json.dumps({'delta': self._rng.choice(WORDS)})}\n\n".encode())
            await asyncio.sleep(self._rng.uniform(*TOKEN_S))
        await reply.write(b"data: [DONE]\n\n")
        return reply

    def _slowness_s(self) -> float:
        return self.levers.first_token_s.amount * self._rng.uniform(0.75, 1.25)

    async def _speak(self, request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(self._rng.uniform(*SPEECH_S))
        return web.Response(body=b"\0" * 2048, content_type="audio/wav")

    async def _voices(self, request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query.get("after", "0")))
        return web.json_response({"voices": ["aria", "mika", "sol"]})


class NameQueries(asyncio.DatagramProtocol):
    """Every name is this machine; a lost query is one that nobody answers."""

    def __init__(self, levers: UpstreamLevers) -> None:
        self._levers = levers
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if self._transport and not self._levers.lost_queries.amount:
            self._transport.sendto(resolver.answer(data, "127.0.0.1"), addr)


async def serve(run: Settings) -> None:
    ended = parts.ended_by_signal()
    upstream = Upstream(run)
    runner = web.AppRunner(upstream.app(), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", run.upstream_port).start()
    names, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameQueries(upstream.levers), local_addr=("127.0.0.1", run.dns_port)
    )
    parts.tell_ready(run, "upstream")
    acted = Acted()
    acting = parts.stages(
        run, acted, lambda fault, stage: fault.in_upstream and fault.in_upstream(upstream.levers, stage)
    )
    await ended.wait()
    acting.cancel()
    acted.save(run.work, "upstream")
    names.close()
    await runner.cleanup()


if __name__ == "__main__":
    lifeline.hold()
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # a caller that went away is no news
    asyncio.run(serve(settings.load(sys.argv[1])))
