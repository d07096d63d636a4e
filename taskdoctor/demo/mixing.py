"""One consumer mixes the audio of all sessions, in the order in which it came."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from taskdoctor.demo.levers import ServiceLevers
from taskdoctor.demo.logs import SPAN

log = logging.getLogger(__name__)
ITEM_S = 0.008
REPORT_EVERY_S = 1.0
QUIET_REPORTS = 4  # an empty queue is told less often
NOTABLE_DEPTH = 3


@dataclass(slots=True)
class Item:
    """One sentence to mix."""

    queued_s: float = field(default_factory=time.monotonic)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Mixer:
    """A queue and its one consumer."""

    def __init__(self, levers: ServiceLevers) -> None:
        self._levers = levers
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._oldest: Item | None = None

    async def mix(self, sentences: int) -> None:
        """Put sentences into the queue and wait until the last is mixed."""
        items = [Item() for _ in range(sentences)]
        for item in items:
            self._items.put_nowait(item)
        await items[-1].done.wait()

    async def consume(self) -> None:
        while True:
            self._oldest = await self._items.get()
            await asyncio.sleep(ITEM_S + self._levers.mix_item_s.amount)
            self._oldest.done.set()
            self._oldest = None

    async def report(self) -> None:
        """Say how far behind the consumer is."""
        quiet = 0
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            depth, oldest = self._items.qsize(), self._oldest
            age_s = time.monotonic() - oldest.queued_s if oldest else 0.0
            quiet = 0 if depth else quiet + 1
            if quiet % QUIET_REPORTS == 0:
                level = logging.WARNING if depth > NOTABLE_DEPTH else logging.INFO
                log.log(level, "queue depth=%d oldest=%.1fs", depth, age_s, extra=SPAN)
