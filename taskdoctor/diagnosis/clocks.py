"""Clocks of the service that stood still while the wall clock went on: uptimes and monotonic readings in its lines.

Why that tells: a held loop, a collection, a want of CPU stop the service, but not its monotonic clock; sleep does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from statistics import median

from taskdoctor.model import Event, Form, Lane

STILL = "counted-clock-stood-still"
ENOUGH = 5  # readings that make a clock
UNITS = (1.0, 1000.0)  # per second
NEAR = 0.2  # of a unit, by which the usual rate of a clock may be off
LOST_S, LOST_SHARE = 2.0, 0.2


def stood_still(levels: Iterable[Event]) -> Iterator[Event]:
    """What each clock missed, as a span that ends with the reading that shows it."""
    clocks: dict[tuple[str, str, str, str], list[Event]] = defaultdict(list)
    for event in levels:
        if event.lane is Lane.SUSPENDED and event.value is not None:
            clocks[event.kind, event.label, event.worker, event.place.source].append(event)
    for readings in clocks.values():
        yield from _missed(sorted(readings, key=lambda event: event.at_s))


def _missed(readings: list[Event]) -> Iterator[Event]:
    steps = [(b, b.at_s - a.at_s, (b.value or 0.0) - (a.value or 0.0)) for a, b in pairwise(readings)]
    rates = [risen / passed_s for _, passed_s, risen in steps if passed_s > 0]
    if len(rates) < ENOUGH:
        return
    unit = next((unit for unit in UNITS if abs(median(rates) - unit) <= NEAR * unit), None)
    if unit is None:
        return
    for reading, passed_s, risen in steps:
        lost_s = passed_s - risen / unit
        if risen > 0 and lost_s >= max(LOST_S, LOST_SHARE * passed_s):
            yield replace(
                reading, kind=STILL, form=Form.SPAN, seconds=lost_s, value=None, label="its own clock stood still"
            )
