"""Quantities read at moments, turned into what a cause can claim with: full readings, and counters of lost time.

Why here: a gauge that says "all threads busy" is written when it is full, so in a stall it means what a moment does;
and the kernel's counters of lost time carry their length in the difference of two readings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from taskdoctor.chance import at_least
from taskdoctor.diagnosis.intervals import covered_s, union
from taskdoctor.model import Event, Form, Interval, Lane, StallKind, Timeline

FEWEST, MOST_STALLS = 3, 0.5  # stalls beside a counter's steps, and their share of all
BY_CHANCE = 1e-3
FULL_THREADS = "counted-threads-full"
FALLING = 0.1
GAUGE_S = 10.0  # such gauges are written every few seconds
SLACK_S = 1.0  # between a stall and the reading that tells of it


def full_as_marks(
    timeline: Timeline, lane: Lane, *, at_least: float, by_kind: Mapping[str, float] | None = None
) -> Timeline:
    """The timeline with readings of at least so much (per kind, where kinds differ) among the moments of the lane."""
    limits = by_kind or {}
    readings = (
        replace(event, form=Form.MARK, label=f"{event.label or event.kind}: {event.value:g}")
        for event in timeline.levels.get(lane, ())
        if event.value is not None and event.value >= limits.get(event.kind, at_least)
    )
    moments = sorted((*timeline.marks.get(lane, ()), *readings), key=lambda event: event.at_s)
    return replace(timeline, marks={**timeline.marks, lane: tuple(moments)})


def counted_as_spans(timeline: Timeline, lane: Lane, *, kind: str, per_second: float) -> Timeline:
    """The timeline with the rise of a counter, of `per_second` units, as time lost before the reading that shows it."""
    readings = [event for event in timeline.levels.get(lane, ()) if event.kind == kind and event.value is not None]
    readings.sort(key=lambda event: (event.place.source, event.at_s))  # each source counts on its own
    lost = (
        replace(later, form=Form.SPAN, value=None, seconds=min(rise / per_second, later.at_s - earlier.at_s))
        for earlier, later in pairwise(readings)
        if later.place.source == earlier.place.source and (rise := (later.value or 0.0) - (earlier.value or 0.0)) > 0
    )
    return replace(timeline, spans={**timeline.spans, lane: (*timeline.spans.get(lane, ()), *lost)})


def queued_for_threads(timeline: Timeline) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """Waits in a queue while all threads were busy, which they waited for, and all others."""
    full = union(
        Interval(mark.at_s - GAUGE_S, mark.at_s + GAUGE_S)
        for mark in timeline.marks.get(Lane.EXECUTOR, ())
        if mark.kind == FULL_THREADS
    )
    for_threads: list[Event] = []
    others: list[Event] = []
    for wait in timeline.spans.get(Lane.QUEUE, ()):
        is_covered = covered_s(Interval(wait.start_s, wait.end_s), full) >= 0.5 * (wait.seconds or 0.0) > 0
        (for_threads if is_covered else others).append(wait)
    return tuple(for_threads), tuple(others)


def stepping(timeline: Timeline, lane: Lane, *, kind: str, least: float) -> tuple[Event, ...]:
    """Steps of a counter, each as long as it was between the two readings, where the loop's stalls go with them.

    A gauge line every few seconds tells only that it happened since the one before. So nothing is told unless most
    stalls lie in such stretches, and far more of them than the share of time that these make up would put there.
    """
    counters: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in sorted(timeline.levels.get(lane, ()), key=lambda event: event.at_s):
        if event.kind == kind and event.value is not None:
            counters[event.place.source, event.label].append(event)
    steps = [
        replace(later, form=Form.SPAN, value=None, seconds=later.at_s - earlier.at_s)
        for readings in counters.values()
        for since in (_counts_anew(readings),)
        for earlier, later in pairwise(readings)
        if (later.value or 0.0) - (0.0 if since else earlier.value or 0.0) >= least
    ]
    held = [stall.interval for stall in timeline.stalls if stall.kind is StallKind.LOOP]
    met = sum(any(_meet(step, stall) for step in steps) for stall in held)
    if met < max(FEWEST, MOST_STALLS * len(held)):
        return ()
    covered = sum((step.seconds or 0.0) + SLACK_S for step in steps) / max(timeline.window.seconds, 1.0)
    if at_least(met, len(held), min(1.0, covered)) >= BY_CHANCE:
        return ()
    return tuple(step for step in steps if any(_meet(step, stall) for stall in held))


def _counts_anew(readings: Sequence[Event]) -> bool:
    """Whether each reading counts since the one before: what counts since the start never falls."""
    falls = sum((later.value or 0.0) < (earlier.value or 0.0) for earlier, later in pairwise(readings))
    return falls > FALLING * len(readings)


def _meet(step: Event, stall: Interval) -> bool:
    return step.start_s - SLACK_S / 2 <= stall.end_s and stall.start_s <= step.end_s + SLACK_S / 2
