"""Where turns and sessions are kept: a SQLite file behind a small pool, and the shared session store behind a lock."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time

from taskdoctor.demo.levers import ServiceLevers
from taskdoctor.demo.logs import SPAN
from taskdoctor.demo.waits import LONG_WAIT_S, ConnectionPool, NamedLock

log = logging.getLogger(__name__)
POOL_SIZE = 4
LOCKED_RETRY_S = 0.05
LOCKED_GIVE_UP_S = 10.0
KEPT_TURNS = 20


class Store:
    """Turns on disk, sessions in memory."""

    def __init__(self, database: str, levers: ServiceLevers) -> None:
        self._levers = levers
        self.pool = ConnectionPool(database, POOL_SIZE)
        self._sessions: dict[str, float] = {}
        self._lock = NamedLock("session-store")
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS turns (session TEXT, text TEXT)")

    async def touch(self, session: str) -> None:
        async with self._lock.held():
            self._sessions[session] = time.monotonic()

    async def forget(self, session: str) -> None:
        async with self._lock.held():
            self._sessions.pop(session, None)

    async def recent_turns(self, session: str) -> list[str]:
        query = "SELECT text FROM turns WHERE session = ? ORDER BY rowid DESC LIMIT ?"
        async with self.pool.connection() as connection:
            rows = await asyncio.to_thread(_patiently, connection, query, (session, KEPT_TURNS), "read turns")
        return [str(text) for (text,) in rows]

    async def save_turn(self, session: str, text: str) -> None:
        async with self.pool.connection() as connection:
            await asyncio.to_thread(
                _patiently, connection, "INSERT INTO turns VALUES (?, ?)", (session, text), "save a turn"
            )

    async def compact(self) -> None:
        """Rewrite the shared store; nobody else may touch it meanwhile."""
        with self._levers.compact_s.applied() as extra_s:
            begun_s = time.monotonic()
            async with self._lock.held():
                await asyncio.sleep(0.01 + extra_s)
            seconds = time.monotonic() - begun_s
        log.info("Session store compacted: %d sessions, %.2fs", len(self._sessions), seconds, extra=SPAN)

    async def export(self, seconds: float) -> None:
        """Read usage figures through one connection for as long as the reader takes them."""
        async with self.pool.connection() as connection:
            await asyncio.to_thread(_patiently, connection, "SELECT count(*) FROM turns", (), "count turns")
            await asyncio.sleep(seconds)

    def close(self) -> None:
        self.pool.close()


def _patiently(
    connection: sqlite3.Connection, statement: str, values: tuple[object, ...], what: str
) -> list[tuple[str]]:
    """Run one statement; a database that someone else has locked is waited for, here in a thread."""
    begun_s = time.monotonic()
    while True:
        try:
            rows = connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() - begun_s > LOCKED_GIVE_UP_S:
                raise
            time.sleep(LOCKED_RETRY_S)
            continue
        waited_s = time.monotonic() - begun_s
        if waited_s > LONG_WAIT_S:
            log.warning("database is locked: waited %.2fs to %s", waited_s, what, extra=SPAN)
        return rows
