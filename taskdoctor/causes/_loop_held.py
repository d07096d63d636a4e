"""Lines that say "the loop did not turn for N seconds" without saying why, shared by the two causes that may own them.

Why shared: such a line is one fact with two readings. What separates them is the CPU used inside: a call that waits
uses none, a computation uses all of it. Where the line does not say, both claim, the commoner one with more weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Claim, Event, Lane, Timeline

# What steps that compute are called; most others that hold a loop wait for something.
WORK = re.compile(
    r"(?i)encod|decod|hash|render|parse|token|compress|resiz|embed|scor|rank|sort|summar|matri|comput|calc|crypt"
    r"|templat|seriali|infer|predict|transform|aggregat|digest|thumbnail|transcod"
)
NOBODY = "live-unknown"  # a watch saw the loop late, and nothing on it
BUSY_SHARE = 0.7  # CPU seconds per held second: at least this much is computation
SUPERVISED_S = 30.0  # the usual patience of a process manager
IDLE_SHARE = 0.3  # at most this much is waiting


@dataclass(frozen=True, slots=True)
class Weights:
    """How much of a held stretch one cause claims, by what is known of it."""

    busy: float  # the CPU worked
    idle: float  # the CPU did nothing
    unknown: float
    working: float  # not known, but the step is called like a computation


def open_cause(timeline: Timeline, cause: str, weights: Weights, *, say: str) -> tuple[Claim, ...]:
    """Claims on held time whose cause is open, by what the CPU did meanwhile, else by what the step is called."""
    readings: tuple[tuple[Callable[[Event], bool], float], ...] = (
        (_busy, weights.busy),
        (_idle, weights.idle),
        (_unnamed_work, weights.unknown),
        (_named_work, weights.working),
    )
    measured = tuple(
        replace(claim, direct=belongs in (_busy, _idle))
        for belongs, weight in readings
        if weight > 0
        for claim in spans(_only(timeline, belongs), cause, Lane.LOOP_HELD, weight=weight, say=say)
    )
    given_up = "a supervisor saw the loop stand still and gave it up ({label})"
    return measured + marks(
        timeline, cause, Lane.LOOP_HELD, before_s=SUPERVISED_S, weight=weights.unknown, say=given_up
    )


def _only(timeline: Timeline, belongs: Callable[[Event], bool]) -> Timeline:
    held = tuple(event for event in timeline.spans.get(Lane.LOOP_HELD, ()) if belongs(event))
    return replace(timeline, spans={Lane.LOOP_HELD: held})


def _busy(event: Event) -> bool:
    share = _cpu_share(event)
    return share is not None and share >= BUSY_SHARE


def _idle(event: Event) -> bool:
    if event.kind == NOBODY:
        return False  # a call that waits leaves the interpreter to others: a watch would have caught it
    share = _cpu_share(event)
    return share is not None and share <= IDLE_SHARE


def _open(event: Event) -> bool:
    """Cause open, but the step is named: a bare "the loop was blocked" says when and how long, never why."""
    return not _busy(event) and not _idle(event) and bool(event.label.replace("event loop", "") or event.site)


def computes(event: Event) -> bool:
    """Whether a step is known to have computed, or is called like a computation."""
    share = _cpu_share(event)
    if share is not None:
        return share >= BUSY_SHARE
    return WORK.search(f"{event.label} {event.site}") is not None


def _named_work(event: Event) -> bool:
    return _open(event) and computes(event)


def _unnamed_work(event: Event) -> bool:
    return _open(event) and not _named_work(event)


def _cpu_share(event: Event) -> float | None:
    return event.cpu_s / event.seconds if event.cpu_s is not None and event.seconds else None
