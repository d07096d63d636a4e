"""Logs of one incident on one clock, where some write their zone and some do not.

A stamp without a zone is taken as written. Beside a log with a zone (`docker logs -t` next to the service's own file in
local time) that may be hours off, and nothing would meet. Such a log is moved by whole quarters of an hour, but only if
as written it lies beside all the others, and moved it lies among them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from taskdoctor.model import Interval

QUARTER_S = 900.0
QUARTERS = 4 * 14  # the furthest zones
MEANT = 0.5  # of the shorter log must lie in the other's time


def shifts(spans: Mapping[int, Interval], zoned: Collection[int]) -> dict[int, float]:
    """Seconds to add to the stamps of each log without a zone that has to be moved. `spans` are from first to last."""
    sure = [span for name, span in spans.items() if name in zoned]
    loose = [name for name in sorted(spans) if name not in zoned]
    found = {}
    for name in loose:
        shift_s = _best(spans[name], sure)
        if shift_s:
            found[name] = shift_s
    return found


def _best(span: Interval, sure: Collection[Interval]) -> float:
    """The smallest shift by which the log meets the others; 0 if it does already, or by none."""
    for quarters in sorted(range(-QUARTERS, QUARTERS + 1), key=lambda each: (abs(each), -each)):
        moved = Interval(span.start_s + quarters * QUARTER_S, span.end_s + quarters * QUARTER_S)
        needed = MEANT if quarters else 0.0
        if any(_meet(moved, other, needed) for other in sure):
            return _centred(span, sure, quarters) if quarters else 0.0
    return 0.0


def _meet(one: Interval, other: Interval, share: float) -> bool:
    common_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return common_s >= 0 if not share else common_s > share * min(one.seconds, other.seconds)


def _centred(span: Interval, sure: Collection[Interval], quarters: int) -> float:
    """Of shifts beside this one, that by which the ends of both lie closest: logs of one incident begin together."""

    def apart_s(each: int) -> float:
        start_s, end_s = span.start_s + each * QUARTER_S, span.end_s + each * QUARTER_S
        return min(abs(start_s - other.start_s) + abs(end_s - other.end_s) for other in sure)

    near = range(quarters - 8, quarters + 9)
    return min(near, key=lambda each: (apart_s(each), abs(each))) * QUARTER_S
