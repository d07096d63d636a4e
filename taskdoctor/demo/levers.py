"""Weak spots, and how far a fault has pulled each of them.

Why levers: the slow code must stand where it would stand in a service, so that a stack caught inside it says what a
real stack would say. A fault only decides when, and how far.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


class Lever:
    """0 is healthy. Pulled once, the next caller pays; held, everyone does for a while."""

    def __init__(self) -> None:
        self._amount = 0.0
        self._once = False
        self._paid = asyncio.Event()
        self._span = (0.0, 0.0)

    @property
    def amount(self) -> float:
        return self._amount

    @contextmanager
    def applied(self) -> Iterator[float]:
        """How far the lever is pulled, for the caller who pays inside the block."""
        amount, once = self._amount, self._once
        if once:
            self._amount, self._once = 0.0, False
        begun_s = time.time()
        try:
            yield amount
        finally:
            if once:
                self._span = (begun_s, time.time())
                self._paid.set()

    async def pull_once(self, amount: float, *, patience_s: float) -> tuple[float, float] | None:
        """Let one caller pay; when they did, or None if nobody came by."""
        self._paid.clear()
        self._amount, self._once = amount, True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._paid.wait(), patience_s)
        if self._once:
            self._amount, self._once = 0.0, False
            return None
        await self._paid.wait()  # taken late: the caller is still paying
        return self._span

    async def hold(self, amount: float, *, seconds: float) -> tuple[float, float]:
        """Let everyone pay for a while; from when to when."""
        begun_s = time.time()
        self._amount = amount
        await asyncio.sleep(seconds)
        self._amount = 0.0
        return begun_s, time.time()


@dataclass(frozen=True, slots=True)
class ServiceLevers:
    """The weak spots inside the service."""

    profile_disk_s: Lever = field(default_factory=Lever)  # the folder of the profiles is slow
    voice_fetch_s: Lever = field(default_factory=Lever)  # the voice index answers late
    rerank_s: Lever = field(default_factory=Lever)  # ranking of memories has much to do
    recorder_flush_s: Lever = field(default_factory=Lever)  # a session's recorder has much to flush
    compact_s: Lever = field(default_factory=Lever)  # compaction of the session store
    export_s: Lever = field(default_factory=Lever)  # usage exports, one connection each
    archive_s: Lever = field(default_factory=Lever)  # uploads of archived sessions, one thread each
    mix_item_s: Lever = field(default_factory=Lever)  # mixing of one audio item
    unacknowledged: Lever = field(default_factory=Lever)  # audio deltas per turn that nobody acknowledges
    imported_messages: Lever = field(default_factory=Lever)  # messages put into the history at once
    cached_files: Lever = field(default_factory=Lever)  # files put into the voice cache at once
    reclaimed: Lever = field(default_factory=Lever)  # 1: the pages of the mapped index are gone
    absorbed: Lever = field(default_factory=Lever)  # the memory graph takes in a long conversation
    kept_handles: Lever = field(default_factory=Lever)  # attachments per turn that stay open
    left_servers: Lever = field(default_factory=Lever)  # survive a close; the longest time between their syncs
    descriptors_left: Lever = field(default_factory=Lever)  # how many more descriptors the process may open


@dataclass(frozen=True, slots=True)
class UpstreamLevers:
    """The weak spots of the peer that answers for LLM, TTS and name resolution."""

    first_token_s: Lever = field(default_factory=Lever)
    refusals: Lever = field(default_factory=Lever)  # 1: answer 429
    lost_queries: Lever = field(default_factory=Lever)  # 1: drop name queries


@dataclass(frozen=True, slots=True)
class ClientLevers:
    """The weak spots of the browser side."""

    playback_s: Lever = field(default_factory=Lever)


@dataclass(frozen=True, slots=True)
class OutsideLevers:
    """What can be done to the service from outside its process."""

    service_pid: int
    everyone: tuple[int, ...]  # service, upstream and clients
    collector_pause: Lever = field(default_factory=Lever)  # 1: the log collector stops reading
