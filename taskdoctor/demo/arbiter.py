"""What a pre-fork server does beside its worker: a worker whose loop stops reporting is aborted and replaced."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from taskdoctor.demo import logs
from taskdoctor.demo.settings import Settings
from taskdoctor.demo.truth import Meter

TIMEOUT_S = 2.0
WORKER_REPORTS_EVERY_S = 0.25


def report(work: str) -> None:
    """The worker's side: its loop still turns."""
    Path(work, "worker.alive").touch()


class Arbiter:
    """Watches the one worker of a run and writes its own lines into the same log."""

    def __init__(self, run: Settings) -> None:
        self._alive = Path(run.work, "worker.alive")
        self._log = logs.open_log(run.log)
        self.meter = Meter()

    def close(self) -> None:
        os.close(self._log)

    def tell(self, level: str, message: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        os.write(self._log, f"[{stamp} +0000] [{os.getpid()}] [{level}] {message}\n".encode())

    def silent_since_s(self) -> float | None:
        """When the worker last reported, if that is too long ago."""
        try:
            last_s = self._alive.stat().st_mtime
        except FileNotFoundError:
            return None  # it is still starting
        return last_s if time.time() - last_s > TIMEOUT_S else None

    def abort(self, pid: int, since_s: float) -> None:
        """Give up on a worker."""
        self.tell("CRITICAL", f"WORKER TIMEOUT (pid:{pid})")
        os.kill(pid, signal.SIGABRT)
        self.meter.loop_stalls.append((since_s, time.time()))
        self._alive.unlink(missing_ok=True)
