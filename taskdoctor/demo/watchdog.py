"""A thread that notices when the loop does not turn, and says what ran meanwhile, as modern services have it."""

from __future__ import annotations

import asyncio
import linecache
import logging
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from taskdoctor.demo.logs import ROOT, SPAN

log = logging.getLogger(__name__)
CHECK_S = 0.05
BEAT_S = 0.05
REPORT_S = 0.3  # shorter ones are scheduling jitter
SAMPLE_S = 0.12  # a beat this old: the loop may be held, look at it
IDLE_CPU_SHARE = 0.3  # below it, a late thread was not running rather than kept out by the interpreter
APPLICATION = str(Path(__file__).parent)
NOT_THE_SERVICE = str(Path(__file__).with_name("truth.py"))  # its own meter, which no service has


class Watchdog(threading.Thread):
    """Compares the loop's beat with the clock. Its own lateness tells when it could not have looked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._loop = loop
        self._loop_thread = threading.get_ident()
        self._ended = threading.Event()
        self._beat = (time.monotonic(), time.process_time())
        self._seen: Counter[str] = Counter()
        self._turn()

    def stop(self) -> None:
        self._ended.set()

    def _turn(self) -> None:
        """Runs on the loop."""
        if self._ended.is_set():
            return
        self._beat = (time.monotonic(), time.process_time())
        self._loop.call_later(BEAT_S, self._turn)

    def run(self) -> None:
        last = self._beat
        while not self._ended.is_set():
            begun_s, cpu_s = time.monotonic(), time.process_time()
            self._ended.wait(CHECK_S)
            self._judge_own_lateness(time.monotonic() - begun_s - CHECK_S, time.process_time() - cpu_s)
            beat = self._beat
            if beat is not last:
                self._report_block(last, beat)
                last = beat
            elif time.monotonic() - beat[0] > SAMPLE_S:
                self._sample()

    def _judge_own_lateness(self, late_s: float, cpu_s: float) -> None:
        if late_s < REPORT_S:
            return
        why = "process was not scheduled" if cpu_s < late_s * IDLE_CPU_SHARE else "interpreter was held"
        log.warning("watchdog thread late %.2fs: %s (cpu %.2fs)", late_s, why, cpu_s, extra=SPAN)

    def _sample(self) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        if frame:
            self._seen[site_of(frame)] += 1

    def _report_block(self, before: tuple[float, float], after: tuple[float, float]) -> None:
        """A block is told when it is over; one in which nothing could be looked at has been told as lateness."""
        seconds, cpu_s = after[0] - before[0] - BEAT_S, after[1] - before[1]
        seen, self._seen = self._seen, Counter()
        if seconds > REPORT_S and seen:
            site = seen.most_common(1)[0][0]
            log.warning("event loop blocked for %.2fs (cpu %.2fs) at %s", seconds, cpu_s, site, extra=SPAN)


def site_of(frame: FrameType) -> str:
    """The application's own innermost frame with its source line; the innermost of all when only the loop ran."""
    chosen: FrameType | None = frame
    while chosen and not _is_application(chosen.f_code.co_filename):
        chosen = chosen.f_back
    if chosen is None or chosen.f_code.co_name == "<module>":
        chosen = frame
    path, line = chosen.f_code.co_filename, chosen.f_lineno
    source = linecache.getline(path, line).strip()
    return f"{path.removeprefix(f'{ROOT}/')}:{line} in {chosen.f_code.co_name}: {source}"


def _is_application(path: str) -> bool:
    return path.startswith(APPLICATION) and path != NOT_THE_SERVICE
