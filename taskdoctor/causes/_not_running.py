"""Lines that say "the process did not run", shared by the two causes that may own them: stopped, or starved of CPU.

A watchdog thread that was late itself tells that nothing ran, not why. What separates them is the run queue: a starved
process waits in it, a stopped or sleeping one does not. And a "late" thread whose process used the CPU all the while
was not off it: the interpreter was held, by a collection or by native code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from taskdoctor.diagnosis.stalls import RUN_QUEUE
from taskdoctor.model import Event, Lane, Timeline

WORKED_SHARE = 0.3  # CPU per second from which it did run
READ_AFTER_S = 15.0  # a reading this soon after tells of the stretch before it
QUEUED_SHARE = 0.3  # of the lost time that a starved process spends in the run queue


def starved(timeline: Timeline) -> Timeline:
    """The timeline with only those stretches that may have been starvation."""
    return _only(timeline, lambda event: _ran_not(event) and _queued(timeline, event) is not False)


def stopped(timeline: Timeline) -> Timeline:
    """The timeline with only those stretches in which the run queue shows nobody waiting."""
    return _only(timeline, lambda event: _ran_not(event) and _queued(timeline, event) is False)


def readings(timeline: Timeline) -> Timeline:
    """The timeline with only readings of the run queue."""
    return _only(timeline, lambda event: event.label == RUN_QUEUE)


def without_readings(timeline: Timeline) -> Timeline:
    return _only(timeline, lambda event: event.label != RUN_QUEUE)


def _only(timeline: Timeline, belongs: Callable[[Event], bool]) -> Timeline:
    kept = tuple(event for event in timeline.spans.get(Lane.NOT_SCHEDULED, ()) if belongs(event))
    return replace(timeline, spans={**timeline.spans, Lane.NOT_SCHEDULED: kept})


def _ran_not(event: Event) -> bool:
    return event.cpu_s is None or event.cpu_s < WORKED_SHARE * (event.seconds or 0.0)


def _queued(timeline: Timeline, event: Event) -> bool | None:
    """Whether the run queue had it waiting; None without a reading."""
    if event.label == RUN_QUEUE:
        return True
    readings = [
        other.seconds or 0.0
        for other in timeline.spans.get(Lane.NOT_SCHEDULED, ())
        if other.label == RUN_QUEUE and event.start_s <= other.at_s <= event.end_s + READ_AFTER_S
    ]
    return sum(readings) >= QUEUED_SHARE * (event.seconds or 0.0) if readings else None
