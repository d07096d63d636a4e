"""The watchdog of `--deep`: names the frame that holds the interpreter itself, which nothing in Python can see.

The interpreter's own fault handler dumps all stacks from a thread in C, which needs no turn. Each beat winds its clock
up again; a loop that misses its beats lets it strike. It is text that stands below that of `light.py`. There is one
such clock per process: a service that uses it itself loses it meanwhile.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from asyncio import AbstractEventLoop, Handle
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

WIND_S = 0.1  # how often its clock is wound up
STRIKE_S = 0.25  # after the last time
MOST_BYTES = 1_000_000  # of its dumps until the loop turns again; what is above is not written

_THREAD = re.compile(r"^(?:Current thread|Thread) 0x([0-9a-f]+)\b")
_FRAME = re.compile(r'^  File "(.*)", line (\d+|\?\?\?) in (.*)$')


Frames = tuple[tuple[str, int, str, str], ...]


class Probed(Protocol):
    """What it uses of the light probe."""

    loop: AbstractEventLoop
    loop_thread: int
    over: bool
    stacks: deque[tuple[float, Frames]]
    removals: list[Callable[[], None]]


def stacks_in(text: str, thread: int) -> list[Frames]:
    """The frames of one thread in each dump, outermost first."""
    return [_stack_in(dump, thread) for dump in re.split(r"^Timeout \(", text, flags=re.M)[1:]]


def _stack_in(dump: str, thread: int) -> Frames:
    found: list[tuple[str, int, str, str]] = []
    inside = False
    for line in dump.splitlines():
        head = _THREAD.match(line)
        if head:
            inside = int(head[1], 16) == thread
        elif inside and (frame := _FRAME.match(line)):
            found.append((frame[1], int(frame[2]) if frame[2].isdigit() else 0, frame[3], frame[3]))
    found.reverse()
    return tuple(found)


def bounded_file() -> int | None:
    """A descriptor of a file in memory, in no folder, that cannot grow: nothing stays however this ends."""
    if not hasattr(os, "memfd_create"):
        return None
    import fcntl

    number = os.memfd_create("taskdoctor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(number, MOST_BYTES)
    fcntl.fcntl(number, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    return number


class Watchdog:
    """Its stacks come as those that the light probe catches."""

    def __init__(self, probe: Probed) -> None:
        self.probe = probe
        self.was_loaded = "faulthandler" in sys.modules
        self.file = bounded_file()
        self.lock = threading.Lock()
        self.wound_s = 0.0  # epoch seconds
        self.handle: Handle | None = None
        if self.file is not None:
            self.handle = probe.loop.call_soon_threadsafe(self.beat)
            probe.removals.append(self.remove)

    @property
    def is_on(self) -> bool:
        return self.handle is not None

    def beat(self) -> None:
        import faulthandler

        with self.lock:
            if self.probe.over or self.file is None:
                return
            faulthandler.cancel_dump_traceback_later()
            self.take(self.file)
            self.wound_s = time.time()
            faulthandler.dump_traceback_later(STRIKE_S, repeat=True, file=self.file)
            self.handle = self.probe.loop.call_later(WIND_S, self.beat)

    def take(self, file: int) -> None:
        """What was dumped since it was wound up, as stacks that were seen when it struck."""
        length = os.lseek(file, 0, os.SEEK_CUR)
        if not length:
            return
        text = os.pread(file, length, 0).decode("utf-8", "replace")
        os.lseek(file, 0, os.SEEK_SET)
        for strike, stack in enumerate(stacks_in(text, self.probe.loop_thread), 1):
            if stack:
                self.probe.stacks.append((self.wound_s + strike * STRIKE_S, stack))

    def remove(self) -> None:
        """Called in any thread, after the probe is over."""
        import faulthandler

        with self.lock:
            if self.file is None:
                return
            faulthandler.cancel_dump_traceback_later()
            os.close(self.file)
            self.file = None
        if self.handle is not None:
            with suppress(RuntimeError):  # a closed loop, whose timers are gone with it
                self.probe.loop.call_soon_threadsafe(self.handle.cancel)
        if not self.was_loaded:
            sys.modules.pop("faulthandler", None)
