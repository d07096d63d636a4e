"""A progress bar on stderr for long reading; nothing in a pipe, nothing for small files."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONG_BYTES = 32 * 1024 * 1024  # read in a blink below this
EVERY_S = 0.1


@contextmanager
def reading_progress() -> Iterator[Callable[[int, int], None] | None]:
    """A callback (bytes done, bytes in all), or None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    last_s = 0.0
    shown = False

    def show(done: int, total: int) -> None:
        nonlocal last_s, shown
        now_s = time.monotonic()
        if total < LONG_BYTES or (now_s - last_s < EVERY_S and done < total):
            return
        last_s, shown = now_s, True
        filled = int(24 * done / total)
        bar = "#" * filled + "-" * (24 - filled)
        sys.stderr.write(f"\rreading [{bar}] {done / total:4.0%} of {total / 1e6:,.0f} MB")
        sys.stderr.flush()

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
