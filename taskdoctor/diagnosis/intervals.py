"""Arithmetic of intervals: union, overlap, what is left."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter

from taskdoctor.model import Interval

_ends = attrgetter("start_s", "end_s")  # as the values compare, without a call per comparison


def union(intervals: Iterable[Interval], *, join_s: float = 0.0) -> tuple[Interval, ...]:
    """The same time as disjoint intervals in order; those closer than `join_s` become one."""
    merged: list[Interval] = []
    for interval in sorted(intervals, key=_ends):
        if merged and interval.start_s <= merged[-1].end_s + join_s:
            merged[-1] = Interval(merged[-1].start_s, max(merged[-1].end_s, interval.end_s))
        else:
            merged.append(interval)
    return tuple(merged)


def overlap_s(one: Interval, other: Interval) -> float:
    return max(0.0, min(one.end_s, other.end_s) - max(one.start_s, other.start_s))


def covered_s(interval: Interval, disjoint: Sequence[Interval]) -> float:
    """How much of `interval` a sorted, disjoint union covers."""
    first = max(0, bisect_left(disjoint, Interval(interval.start_s, interval.start_s)) - 1)
    total = 0.0
    for other in disjoint[first:]:
        if other.start_s >= interval.end_s:
            break
        total += overlap_s(interval, other)
    return total


def seconds(disjoint: Iterable[Interval]) -> float:
    return sum(interval.seconds for interval in disjoint)
