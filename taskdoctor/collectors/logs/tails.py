"""What some formats leave to do with the text after the prefix."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from taskdoctor.collectors.logs.format import LEVELS, WORKERS, Tail
from taskdoctor.collectors.logs.levels import level_of

_PADDED = re.compile(r" {2,}(?=\[[\w.]{1,80}\]|[\w.]{1,80}=|$)")
_SEPARATOR = re.compile(r"(?:[\])>]?\s*[|:,-]?(?:\s+|(?=[\[(<])))")
_LEVEL = re.compile(rf"[\[(<]\s*(?i:({LEVELS}|CRIT|ERR))\s*[\])>]|({LEVELS})(?=[\s:|,\]\[])")
_WORKER = re.compile(rf"[\[(]({WORKERS})[\])]|({WORKERS})(?= [|-] )")
PICK_UPS = 4  # levels and workers are looked for in so many tokens after the stamp


class Rest(NamedTuple):
    """The message, and what stood between it and the stamp."""

    message: str
    level: str
    worker: str


def without_extra(text: str) -> str:
    """The message without loguru's dictionary after it."""
    cut = text.rfind(" | {") if text.endswith("}") else -1
    return text if cut < 0 else text[:cut]


def without_padding(text: str) -> str:
    """The event and its pairs, one space apart."""
    return _PADDED.sub(" ", text, count=2).rstrip(" ")


TRIMS: dict[Tail, Callable[[str], str]] = {Tail.EXTRA: without_extra, Tail.PADDING: without_padding}


def picked_up(text: str) -> Rest:
    """Level and worker in any order, as long as nothing else stands before them."""
    level = worker = ""
    position = _after(_SEPARATOR, text, 0)
    for _ in range(PICK_UPS):
        if not level and (found := _LEVEL.match(text, position)):
            level = level_of(found[1] or found[2])
        elif not worker and (found := _WORKER.match(text, position)):
            worker = found[1] or found[2]
        else:
            break
        position = _after(_SEPARATOR, text, found.end())
    return Rest(text[position:], level, worker)


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
