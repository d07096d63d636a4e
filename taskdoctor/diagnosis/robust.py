"""Small robust statistics, in the standard library: medians, spread, trends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

SHORTEST_S = 0.01  # below this, lengths do not differ: "0ms" and "3ms" are the same
LEAST_SIGMA = 0.15  # of logs: nothing that waits for a network is steadier
LATE_SIGMAS = 3.0
MAD_TO_SIGMA = 1.4826  # makes the median absolute deviation estimate a normal sigma


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, interpolated; 0.0 of nothing."""
    if not ordered:
        return 0.0
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def late_above(seconds: Sequence[float], *, resolution_s: float = 0.0) -> tuple[float, float]:
    """(normal, limit) of durations: the median, and what is beyond three robust sigmas of their logarithms, or beyond
    the longest of so many that one expects by chance.

    Durations are skewed, so the spread is taken of logs; and only below the median, since lateness adds above it: with
    four late in ten, a spread of both sides would call them normal. Nor is it spread that a length measured in steps of
    `resolution_s` is one or two of them.
    """
    logs = sorted(math.log(max(value, SHORTEST_S)) for value in seconds)
    middle = median(logs)
    finest = math.log(max(2 * resolution_s, SHORTEST_S))
    below = [max(middle, finest) - max(value, finest) for value in logs if value <= middle]
    spread = max(LEAST_SIGMA, MAD_TO_SIGMA * median(below))
    sigmas = max(LATE_SIGMAS, math.sqrt(2 * math.log(len(logs))))
    return math.exp(middle), math.exp(middle + sigmas * spread)


def clustered(flags: Sequence[bool]) -> bool:
    """Whether flagged values come in stretches, not evenly mixed with the others (Wald-Wolfowitz runs test, 1 %)."""
    yes, total = sum(flags), len(flags)
    no = total - yes
    if min(yes, no) < 4:
        return False
    runs = 1 + sum(a != b for a, b in pairwise(flags))
    expected = 1 + 2 * yes * no / total
    variance = (expected - 1) * (expected - 2) / (total - 1)
    return variance > 0 and (runs - expected) / math.sqrt(variance) < -2.33


def kendall(values: Sequence[float]) -> float:
    """z of the Mann-Kendall trend test, ties counted; above 2.33 a rise is beyond chance at 1 % one-sided.

    Only for few, independent values (troughs): on raw autocorrelated counts it sees leaks in healthy services.
    """
    n = len(values)
    if n < 4:
        return 0.0
    score = sum((b > a) - (b < a) for i, a in enumerate(values) for b in values[i + 1 :])
    ties = [values.count(value) for value in set(values)]
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    if variance <= 0:
        return 0.0
    return (score - (score > 0) + (score < 0)) / math.sqrt(variance)


def theil_sen(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(slope, intercept) of the line through points that outliers do not move: the median of pairwise slopes.

    At most about 300 points are used, evenly spread.
    """
    step = max(1, len(points) // 300)
    used = points[::step]
    slopes = [
        (y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(used) for x2, y2 in used[i + 1 :] if abs(x2 - x1) > 1e-9
    ]
    if not slopes:
        return 0.0, median(y for _, y in points) if points else 0.0
    slope = median(slopes)
    return slope, median(y - slope * x for x, y in used)


def correlation(points: Sequence[tuple[float, float]]) -> float:
    """Spearman's rank correlation, -1..1; 0.0 of fewer than four points."""
    if len(points) < 4:
        return 0.0
    xs, ys = _ranks([x for x, _ in points]), _ranks([y for _, y in points])
    mean = (len(points) - 1) / 2
    cov = sum((x - mean) * (y - mean) for x, y in zip(xs, ys, strict=True))
    var_x, var_y = sum((x - mean) ** 2 for x in xs), sum((y - mean) ** 2 for y in ys)
    return cov / math.sqrt(var_x * var_y) if var_x > 0 and var_y > 0 else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    i = 0
    while i < len(order):
        j = i
        while j + 1 < len(order) and values[order[j + 1]] == values[order[i]]:
            j += 1
        for k in range(i, j + 1):
            ranks[order[k]] = (i + j) / 2
        i = j + 1
    return ranks
