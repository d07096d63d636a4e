"""How likely each cause is the largest contributor: a mixture over stalls with an unexplained row.

Why not multiply likelihood ratios over stalls: that claims certainty in half of all cases and is right in three of
four. Here every stall is owned by one cause, drawn in proportion to `share x likelihood ratio`; the shares have a
Dirichlet prior and are sampled (Gibbs). A cause must own many stalls to win, and the answer hardly depends on the
exact ratios. Fixed seed: the same log gives the same numbers.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

DRAWS = 600
BURN_IN = 100
CONCENTRATION = 0.4  # of the Dirichlet prior: few causes share a service's stalls
MAX_WEIGHT = 8.0  # one giant outlier is one stall, not a pattern


@dataclass(frozen=True, slots=True)
class Belief:
    """Per column (causes, then unexplained): probability of being the largest, and the 80 % interval of its share."""

    probability: tuple[float, ...]
    share_interval: tuple[tuple[float, float], ...]


def believe(ratios: Sequence[Sequence[float]], seconds: Sequence[float], prior: Sequence[float]) -> Belief:
    """Sample the shares. `ratios[i][k]`: likelihood ratio of column k for stall i; `seconds[i]`: its late time.

    Long stalls weigh more, because the unit is stalled time; the weights sum to the number of stalls.
    """
    rng = random.Random(0)
    columns, last = range(len(prior)), len(prior) - 1
    groups = _grouped(ratios, seconds)
    base = [CONCENTRATION * weight for weight in prior]
    theta = list(prior)
    wins = [0] * len(prior)
    shares: list[list[float]] = [[] for _ in prior]
    for draw in range(DRAWS + BURN_IN):
        counts = list(base)
        for row, weight, times in groups:
            chances = list(accumulate(map(mul, theta, row)))
            total = chances[-1]
            for _ in range(times):
                counts[bisect(chances, rng.random() * total, 0, last)] += weight
        gammas = [rng.gammavariate(count, 1.0) if count > 1e-9 else 0.0 for count in counts]
        total = sum(gammas) or 1.0
        theta = [max(gamma / total, 1e-12) for gamma in gammas]
        if draw >= BURN_IN:
            wins[max(columns, key=theta.__getitem__)] += 1
            for column in columns:
                shares[column].append(theta[column])
    return Belief(tuple(win / DRAWS for win in wins), tuple(_interval(sorted(column)) for column in shares))


def _grouped(ratios: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[tuple[tuple[float, ...], float, int]]:
    """Equal rows of about equal weight drawn together: a thousand stalls cost no more than a few."""
    mean_s = sum(seconds) / len(seconds) if seconds else 1.0
    counted: Counter[tuple[tuple[float, ...], float]] = Counter()
    for row, late_s in zip(ratios, seconds, strict=True):
        weight = min(MAX_WEIGHT, late_s / mean_s if mean_s > 0 else 1.0)
        counted[tuple(row), max(0.125, round(weight * 8) / 8)] += 1
    return [(row, weight, times) for (row, weight), times in sorted(counted.items())]


def _interval(ordered: Sequence[float]) -> tuple[float, float]:
    return ordered[int(0.1 * len(ordered))], ordered[int(0.9 * (len(ordered) - 1))]
