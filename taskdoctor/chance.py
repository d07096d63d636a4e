"""How likely something is by chance alone: for collectors and for the diagnosis alike."""

from __future__ import annotations

from math import comb

MOST_TRIALS = 500  # of more, the first so many say as much


def at_least(hits: int, trials: int, share: float) -> float:
    """The probability of as many hits or more, each with the probability `share`: the tail of a binomial."""
    trials = min(trials, MOST_TRIALS)
    return sum(comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(min(hits, trials), trials + 1))
