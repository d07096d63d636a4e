"""The figures that a process exporter shows, in one line."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import psutil

from taskdoctor.demo.logs import SPAN

log = logging.getLogger(__name__)
SCHEDSTAT = Path("/proc/self/schedstat")
STAT = Path("/proc/self/stat")


class Exporter:
    """Memory, descriptors, threads; how long the main thread was runnable without a processor, and how many pages had
    to be read from the disk, since the line before."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._waited_before_s = _waited_s()
        self._faults_before = _major_faults()

    async def tell(self) -> None:
        try:
            line = self._line()
        except OSError as error:
            log.warning("process: cannot be read: %s", error)
            return
        log.info("process: %s", line, extra=SPAN)

    def _line(self) -> str:
        process, waited_s = self._process, _waited_s()
        since_s, self._waited_before_s = waited_s - self._waited_before_s, waited_s
        faults = _major_faults()
        since, self._faults_before = faults - self._faults_before, faults
        memory_mb = process.memory_info().rss / 1e6
        counts = f"fds={process.num_fds()} threads={process.num_threads()}"
        machine = f"load={os.getloadavg()[0]:.2f} runq_wait={since_s:.2f}s majflt={since}"
        return f"rss={memory_mb:.1f}MB {counts} {machine}"


def _waited_s() -> float:
    """Seconds in the run queue since the start; 0 where the system does not tell."""
    if not SCHEDSTAT.exists():
        return 0.0
    return int(SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9


def _major_faults() -> int:
    """Since the start; 0 where the system does not tell."""
    if not STAT.exists():
        return 0
    return int(STAT.read_text(encoding="ascii").rpartition(")")[2].split()[9])
