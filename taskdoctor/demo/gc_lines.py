"""Two lines around each collection of an older generation, as services write them through `gc.callbacks`."""

from __future__ import annotations

import gc
import logging

log = logging.getLogger(__name__)
YOUNGEST_LOGGED = 1  # generation 0 runs many times a second


def _tell(phase: str, info: dict[str, int]) -> None:
    if info["generation"] >= YOUNGEST_LOGGED:
        log.info("🗑️  GC %s: %s", phase, info)


def start() -> None:
    gc.callbacks.append(_tell)


def stop() -> None:
    gc.callbacks.remove(_tell)
