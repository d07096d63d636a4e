"""Calls to the LLM and TTS peer, with the retry habits of the usual client libraries."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import time

import aiohttp

from taskdoctor.demo.logs import SPAN
from taskdoctor.demo.resolver import NameServer

log = logging.getLogger(__name__)
http_log = logging.getLogger("httpx")
retry_log = logging.getLogger("openai._base_client")
HOST = "llm.internal"
TRIES = 4
CONNECTION_LOST_S = 1.5


class Peer:
    """One HTTP client for the whole service."""

    def __init__(self, port: int, dns_port: int, rng: random.Random) -> None:
        self._base = f"http://{HOST}:{port}"
        self._rng = rng
        connector = aiohttp.TCPConnector(
            resolver=NameServer(dns_port), use_dns_cache=False, force_close=True, family=socket.AF_INET, limit=40
        )
        self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60))

    async def close(self) -> None:
        await self._http.close()

    async def complete(self, text: str) -> str:
        """The LLM's answer; a refusal is waited out."""
        for attempt in range(TRIES):
            try:
                answer, wait_s = await self._stream(text)
            except aiohttp.ClientConnectionError as error:
                log.warning("LLM connection error: %s", error)
                answer, wait_s = None, CONNECTION_LOST_S
            if answer is not None:
                return answer
            retry_log.info("Retrying request to /chat/completions in %.1f seconds", wait_s)
            await asyncio.sleep(wait_s)
            if attempt == TRIES - 2:
                wait_s *= 2
        log.error("Error calling the chat endpoint: no answer after %d tries", TRIES)
        return ""

    async def _stream(self, text: str) -> tuple[str | None, float]:
        """The answer, or None with the wait that was asked for."""
        begun_s = time.monotonic()
        words: list[str] = []
        async with self._http.post(f"{self._base}/v1/chat/completions", json={"user": text}) as reply:
            http_log.info('HTTP Request: POST %s "HTTP/1.1 %d %s"', reply.url, reply.status, reply.reason)
            if reply.status == 429:
                return None, float(reply.headers["retry-after"])
            async for line in reply.content:
                if line.startswith(b"data: ") and not words:
                    log.info("LLM first token after %.2fs", time.monotonic() - begun_s, extra=SPAN)
                    log.debug("🏃 Processing output: '''%s'''...", _word(line))
                words.append(_word(line))
        log.info("LLM stream finished in %.2fs", time.monotonic() - begun_s, extra=SPAN)
        return " ".join(filter(None, words)), 0.0

    async def speak(self, sentences: int) -> None:
        """Speech for each sentence, all at once."""
        begun_s = time.monotonic()
        await asyncio.gather(*(self._speak() for _ in range(sentences)))
        log.info("TTS for %d sentences took %.2fs", sentences, time.monotonic() - begun_s, extra=SPAN)

    async def _speak(self) -> None:
        log.debug("🏃Generating audio for a sentence...")
        async with self._http.post(f"{self._base}/v1/audio/speech", data=b"...") as reply:
            await reply.read()
        log.debug("Audio cache file cleaned.")


def _word(line: bytes) -> str:
    """The text of one line of the stream; none in a blank line or at its end."""
    if not line.startswith(b"data: {"):
        return ""
    return str(json.loads(line.removeprefix(b"data: "))["delta"])
