"""Stalled time divided exclusively among the causes that claim it: measured before inferred, the certain layer first.

While the loop is held, an upstream reply may already sit in the socket buffer; a collection inside a slow callback is
the collection's time; a process that is not scheduled makes every other sign lie. So every slice of a stall goes to
the first that covers it, and what nobody covers stays unexplained.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from taskdoctor.model import Cause, Claim, Interval, Layer, Stall, StallKind

NEST_SLACK_S = 0.25  # clocks of two lines about one wait differ by this much
LOOP_LAYERS = frozenset({Layer.NOT_RUNNING, Layer.GC, Layer.LOOP_HELD})
HOLDS_RATIO = 1.3
OWN_WAITS = frozenset({"slow-teardown"})  # layer 3, but it only holds what it is part of


@dataclass(frozen=True, slots=True)
class Share:
    """One stall, divided."""

    stall: Stall
    seconds: Mapping[str, float]  # by cause id, of the excess; what is missing is unexplained
    claims: tuple[Claim, ...]  # those that got time
    direct: frozenset[str]  # causes with evidence measured inside the stall

    @property
    def unexplained_s(self) -> float:
        return max(0.0, self.stall.excess_s - sum(self.seconds.values()))


def divide(stalls: Sequence[Stall], claims: Iterable[Claim], causes: Mapping[str, Cause]) -> tuple[Share, ...]:
    """Each stall with its owners."""
    ordered = sorted(claims, key=lambda c: (c.interval, c.cause, c.weight))
    starts = [claim.interval.start_s for claim in ordered]
    longest_s = max((claim.interval.seconds for claim in ordered), default=0.0)
    shares = []
    for stall in stalls:
        first = bisect_left(starts, stall.interval.start_s - longest_s)
        last = bisect_left(starts, stall.interval.end_s)
        near = [claim for claim in ordered[first:last] if _may_own(claim, stall, causes[claim.cause])]
        shares.append(_share(stall, near, causes))
    return tuple(shares)


def _may_own(claim: Claim, stall: Stall, cause: Cause) -> bool:
    """Only what holds the loop owns loop stalls; a wait owns an operation only from inside it."""
    if claim.interval.end_s <= stall.interval.start_s or claim.interval.start_s >= stall.interval.end_s:
        return False
    holds_loop = cause.layer in LOOP_LAYERS and cause.id not in OWN_WAITS
    if stall.kind is StallKind.LOOP:
        if cause.id in OWN_WAITS and claim.interval.seconds > HOLDS_RATIO * stall.interval.seconds:
            return False  # it only waited for the loop, like everything in flight
        return cause.layer in LOOP_LAYERS or cause.layer is Layer.GROWING
    if holds_loop or not claim.direct or cause.layer is Layer.GROWING:
        return True
    slack_s = max(NEST_SLACK_S, 0.05 * stall.interval.seconds, claim.slack_s)
    return (
        claim.interval.start_s >= stall.interval.start_s - slack_s
        and claim.interval.end_s <= stall.interval.end_s + slack_s
    )


def _share(stall: Stall, claims: Sequence[Claim], causes: Mapping[str, Cause]) -> Share:
    got: dict[str, float] = defaultdict(float)
    for slice_, covering in _slices(stall.interval, claims):
        for cause, part in _owners(covering, causes).items():
            got[cause] += part * slice_.seconds
    seconds = _within(stall.excess_s, got, causes)
    used = tuple(claim for claim in claims if seconds.get(claim.cause, 0.0) > 0)
    return Share(stall, seconds, used, frozenset(claim.cause for claim in used if claim.direct))


def _slices(whole: Interval, claims: Sequence[Claim]) -> Iterable[tuple[Interval, list[Claim]]]:
    """The stall cut at every boundary of a claim, with the claims that cover each piece."""
    cuts = {whole.start_s, whole.end_s}
    for claim in claims:
        cuts |= {max(whole.start_s, min(whole.end_s, edge)) for edge in (claim.interval.start_s, claim.interval.end_s)}
    edges = sorted(cuts)
    for start_s, end_s in pairwise(edges):
        covering = [c for c in claims if c.interval.start_s <= start_s and c.interval.end_s >= end_s]
        if covering:
            yield Interval(start_s, end_s), covering


def _owners(covering: Sequence[Claim], causes: Mapping[str, Cause]) -> dict[str, float]:
    """Who owns one piece: the first rank; readings of one fact share by weight; a head takes from what it leads to."""
    ranks = [_rank(claim, causes[claim.cause]) for claim in covering]
    first = min(ranks)
    weights: dict[str, float] = {}
    for claim, rank in zip(covering, ranks, strict=True):
        if rank == first:
            weights[claim.cause] = max(weights.get(claim.cause, 0.0), claim.weight)
    for claim in covering:  # the head of a chain takes from what it leads to, if it can show it in this very slice
        if claim.direct and _heads(causes[claim.cause], weights, causes):
            weights[claim.cause] = max(weights.get(claim.cause, 0.0), claim.weight)
    effects = {effect for cause in weights for effect in causes[cause].leads_to if effect in weights}
    heads = {cause: weight for cause, weight in weights.items() if cause not in effects} or weights
    total = max(1.0, sum(heads.values()))
    return {cause: weight / total for cause, weight in heads.items()}


def _heads(cause: Cause, owners: Mapping[str, float], causes: Mapping[str, Cause]) -> bool:
    if cause.layer is not Layer.GROWING:
        return False
    return any(owner in cause.leads_to and causes[owner].layer >= Layer.LOOP_HELD for owner in owners)


def _rank(claim: Claim, cause: Cause) -> tuple[bool, int]:
    """Measured first, by layer. Of what is inferred, a dose and its response speak louder than the name of a step."""
    if claim.direct or cause.layer is not Layer.GROWING:
        return not claim.direct, cause.layer
    return True, 0


def _within(excess_s: float, got: Mapping[str, float], causes: Mapping[str, Cause]) -> dict[str, float]:
    """No more than what was late: an operation's own normal work is nobody's fault."""
    left_s = excess_s
    seconds: dict[str, float] = {}
    for cause in sorted(got, key=lambda cause: (causes[cause].layer, cause)):
        taken = min(left_s, got[cause])
        if taken > 1e-9:
            seconds[cause] = taken
            left_s -= taken
    return seconds
