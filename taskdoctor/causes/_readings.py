"""Quantities read at moments, turned into what a cause can claim with: full readings, and counters of lost time.

Why here: a gauge that says "all threads busy" is written when it is full, so in a stall it means what a moment does;
and the kernel's counters of lost time carry their length in the difference of two readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from taskdoctor.model import Event, Form, Interval, Lane, StallKind, Timeline

FEWEST = 4  # stalls beside a counter's steps that are no coincidence
MOST_STALLS, FEW_OTHERS = 0.6, 0.3


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


def stepping(timeline: Timeline, lane: Lane, *, kind: str, least: float) -> tuple[Event, ...]:
    """Steps of a counter, each as long as it was between the two readings, where the loop's stalls go with them.

    A gauge line every few seconds tells only that it happened since the one before. So nothing is told unless most
    stalls lie in such stretches, and few of such stretches as long have none.
    """
    readings = sorted(
        (event for event in timeline.levels.get(lane, ()) if event.kind == kind and event.value is not None),
        key=lambda event: (event.place.source, event.label, event.at_s),
    )
    steps = [
        replace(later, form=Form.SPAN, value=None, seconds=later.at_s - earlier.at_s)
        for earlier, later in pairwise(readings)
        if (later.place.source, later.label) == (earlier.place.source, earlier.label)
        and (later.value or 0.0) - (earlier.value or 0.0) >= least
    ]
    held = [stall.interval for stall in timeline.stalls if stall.kind is StallKind.LOOP]
    with_stall = [step for step in steps if any(_meet(step, stall) for stall in held)]
    met = sum(any(_meet(step, stall) for step in steps) for stall in held)
    if len(with_stall) < FEWEST or met < MOST_STALLS * len(held):
        return ()
    return tuple(with_stall) if len(with_stall) >= (1 - FEW_OTHERS) * len(steps) else ()


def _meet(step: Event, stall: Interval) -> bool:
    return step.start_s - 0.5 <= stall.end_s and stall.start_s <= step.end_s + 0.5
