"""Whether moments (collections without a length, 429s) come with slow operations more often than chance allows.

Why equal exposure: a long operation contains more of anything, and allocation-driven collections follow load, so that
overlap and even shifting tests accuse innocent ones in up to nine of ten busy logs. Here every operation gets the
*same* window from its start, and the label "slow" is shuffled among the operations of one stretch of the log.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from taskdoctor.model import Event

SHUFFLES = 400
STRETCH_S = 600.0
ENOUGH_ALIGNED = 4  # below this, the test has no power: say "not enough"


def co_occurrence(operations: Sequence[Event], slow: Sequence[bool], moments_s: Sequence[float]) -> float | None:
    """p that slow operations contain so many of the moments by chance; None where there are too few to tell."""
    if not operations or sum(slow) < ENOUGH_ALIGNED or sum(slow) > len(operations) - ENOUGH_ALIGNED:
        return None
    window_s = median(event.seconds or 0.0 for event in operations)
    ordered = sorted(moments_s)
    hits = [
        bisect_right(ordered, event.start_s + window_s) - bisect_left(ordered, event.start_s) > 0
        for event in operations
    ]
    seen = sum(hit and late for hit, late in zip(hits, slow, strict=True))
    if seen < ENOUGH_ALIGNED:
        return 1.0
    return _shuffled(operations, hits, slow, seen)


def _shuffled(operations: Sequence[Event], hits: Sequence[bool], slow: Sequence[bool], seen: int) -> float:
    rng = random.Random(0)
    stretches: dict[int, list[int]] = defaultdict(list)
    for index, event in enumerate(operations):
        stretches[int(event.start_s // STRETCH_S)].append(index)
    pools = [([hits[i] for i in members], sum(slow[i] for i in members)) for members in stretches.values()]
    as_many = sum(sum(sum(rng.sample(pool, k)) for pool, k in pools) >= seen for _ in range(SHUFFLES))
    return (as_many + 1) / (SHUFFLES + 1)
