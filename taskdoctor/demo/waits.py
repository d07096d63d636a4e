"""Places where the service waits inside itself: a lock, a small pool, the threads of the default executor.

Each says so when a wait was long. `to_thread` goes through the executor of this module.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import ParamSpec, TypeVar

from taskdoctor.demo.logs import SPAN

log = logging.getLogger(__name__)
LONG_WAIT_S = 0.3
P = ParamSpec("P")
T = TypeVar("T")


class NamedLock:
    """An asyncio lock with a name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        begun_s = time.monotonic()
        async with self._lock:
            waited_s = time.monotonic() - begun_s
            if waited_s > LONG_WAIT_S:
                log.info("waited %.2fs for lock %s", waited_s, self._name, extra=SPAN)
            yield


class ConnectionPool:
    """A few connections to one SQLite file."""

    def __init__(self, database: str, size: int) -> None:
        self._size = size
        self._all = [self._connect(database) for _ in range(size)]
        self._free: asyncio.LifoQueue[sqlite3.Connection] = asyncio.LifoQueue()
        for connection in self._all:
            self._free.put_nowait(connection)

    @staticmethod
    def _connect(database: str) -> sqlite3.Connection:
        connection = sqlite3.connect(database, timeout=0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[sqlite3.Connection]:
        begun_s, in_use = time.monotonic(), self._size - self._free.qsize()
        connection = await self._free.get()
        waited_s = time.monotonic() - begun_s
        if waited_s > LONG_WAIT_S:
            log.info("waited %.2fs for a connection (pool %d/%d in use)", waited_s, in_use, self._size, extra=SPAN)
        try:
            yield connection
        finally:
            self._free.put_nowait(connection)

    def close(self) -> None:
        for connection in self._all:
            connection.close()


class Threads(ThreadPoolExecutor):
    """The default executor; work that queued for long before a thread took it is told."""

    def __init__(self, size: int) -> None:
        super().__init__(size, thread_name_prefix="asyncio")
        self._size = size
        self._busy = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        queued = (time.monotonic(), self._busy)
        return super().submit(self._timed, queued, fn, *args, **kwargs)  # type: ignore[arg-type]

    def _timed(self, queued: tuple[float, int], fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        queued_s, busy = queued
        waited_s = time.monotonic() - queued_s
        if waited_s > LONG_WAIT_S:
            log.info("to_thread queue wait %.2fs, %d/%d threads busy", waited_s, busy, self._size, extra=SPAN)
        with self._counted():
            return fn(*args, **kwargs)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
