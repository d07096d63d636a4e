"""Quantities read at moments, turned into what a cause can claim with: full readings, and counters of lost time.

Why here: a gauge that says "all threads busy" is written when it is full, so in a stall it means what a moment does;
and the kernel's counters of lost time carry their length in the difference of two readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from taskdoctor.model import Form, Lane, Timeline


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
