"""Tasks that run all the time beside the sessions: counts, sweeping, compaction, exports, uploads."""

from __future__ import annotations

import asyncio
import logging
import resource
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import psutil

from taskdoctor.demo.backend import Backend
from taskdoctor.demo.exporter import Exporter

log = logging.getLogger(__name__)
ABNORMAL_TASKS = 40  # a threshold somebody once chose
OWN_TASKS = 12  # those of this module and the server itself
EXPORTS_AT_ONCE = 5
UPLOADS_AT_ONCE = 12
ON_REQUEST_S = float("inf")


def jobs(backend: Backend) -> list[Coroutine[None, None, None]]:
    """Every periodic task, ready to be started."""
    return [
        _every(2.0, lambda: _count_tasks(backend)),
        _every(3.0, lambda: _sweep(backend)),
        _every(5.0, Exporter().tell),
        _every(4.0, lambda: _announce(backend)),
        _often(4.0, lambda: backend.levers.imported_messages.amount, lambda: _checkpoint(backend)),
        _often(ON_REQUEST_S, lambda: backend.levers.descriptors_left.amount, lambda: _obey_limit(backend)),
        _often(6.0, lambda: backend.levers.compact_s.amount, backend.store.compact),
        _often(ON_REQUEST_S, lambda: backend.levers.export_s.amount, lambda: _export(backend)),
        _often(ON_REQUEST_S, lambda: backend.levers.archive_s.amount, lambda: _archive(backend)),
        _often(ON_REQUEST_S, lambda: backend.levers.absorbed.amount, backend.memory.absorb),
        _often(ON_REQUEST_S, lambda: backend.levers.cached_files.amount, backend.voices.import_clips),
        backend.mixer.consume(),
        backend.mixer.report(),
    ]


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _attempt(work)


async def _often(seconds: float, due: Callable[[], float], work: Callable[[], Awaitable[None]]) -> None:
    """Work every so often, and at once when it is asked for."""
    last_s = time.monotonic()
    while True:
        await asyncio.sleep(0.25)
        if due() or time.monotonic() - last_s > seconds:
            await _attempt(work)
            last_s = time.monotonic()


async def _attempt(work: Callable[[], Awaitable[None]]) -> None:
    """One round; what the system refuses now may work in the next."""
    try:
        await work()
    except (OSError, sqlite3.Error) as error:
        log.warning("Sweeper loop error: %s", error)


async def _count_tasks(backend: Backend) -> None:
    total = len(asyncio.all_tasks())
    active = max(0, total - OWN_TASKS)
    log.info("📊 任务统计: 总=%d, 活跃=%d", total, active)
    if active > ABNORMAL_TASKS:
        log.warning("⚠️  活跃任务数异常: %d", active)


async def _sweep(backend: Backend) -> None:
    backend.profiles.close_idle()
    log.info("Sweeper: %d sessions open, 0 stale", len(backend.sessions))


async def _announce(backend: Backend) -> None:
    backend.outbox.announce_presence()
    message = {"type": "presence", "sessions": len(backend.sessions)}
    for socket in tuple(backend.presence):
        with suppress(ConnectionError):
            await socket.send_json(message)


async def _checkpoint(backend: Backend) -> None:
    backend.history.import_backlog()
    backend.history.checkpoint()


async def _obey_limit(backend: Backend) -> None:
    """Lower the descriptor limit to what is open plus the given rest; as a container would have it from the start."""
    with backend.levers.descriptors_left.applied() as rest:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + int(rest), hard))


async def _export(backend: Backend) -> None:
    with backend.levers.export_s.applied() as seconds:
        log.info("Usage export started: %d tables", EXPORTS_AT_ONCE)
        await asyncio.gather(*(backend.store.export(seconds) for _ in range(EXPORTS_AT_ONCE)))
        log.info("Usage export finished")


async def _archive(backend: Backend) -> None:
    with backend.levers.archive_s.applied() as seconds:
        log.info("Archive: uploading %d closed sessions", UPLOADS_AT_ONCE)
        await asyncio.gather(*(asyncio.to_thread(_upload, seconds) for _ in range(UPLOADS_AT_ONCE)))
        log.info("Archive: done")


def _upload(seconds: float) -> None:
    """A synchronous client, in a thread as it should be; the archive takes its time."""
    time.sleep(seconds)
