"""What a session holds while it lives: its tool servers and the recorder of its audio."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time

from taskdoctor.demo.levers import ServiceLevers
from taskdoctor.demo.mcp_client import Leftovers, McpClient

log = logging.getLogger(__name__)
LONG_CLOSE_S = 1.0


class Recorder:
    """A thread that takes down what was said, and flushes it at the end."""

    def __init__(self, levers: ServiceLevers) -> None:
        self._levers = levers
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._record, name="recorder", daemon=True)
        self._flush_s = 0.0
        self._thread.start()

    def note(self, text: str) -> None:
        self._lines.put(text)

    def stop(self) -> None:
        with self._levers.recorder_flush_s.applied() as flush_s:
            self._flush_s = flush_s
            self._lines.put(None)
            self._thread.join()

    def _record(self) -> None:
        while self._lines.get() is not None:
            pass
        if self._flush_s:
            time.sleep(self._flush_s)


class ServiceContext:
    """Opened with the session, closed with it."""

    def __init__(self, database: str, levers: ServiceLevers, leftovers: Leftovers, rng: random.Random) -> None:
        self.tools = McpClient(database, levers, leftovers, rng)
        self.recorder = Recorder(levers)

    async def close(self) -> None:
        begun_s = time.monotonic()
        log.info("Closing ServiceContext...")
        self.recorder.stop()
        await self.tools.close()
        seconds = time.monotonic() - begun_s
        log.info("ServiceContext 清理耗时: %.3fs", seconds)
        if seconds > LONG_CLOSE_S:
            log.warning("⚠️  清理耗时异常: %.3fs", seconds)
