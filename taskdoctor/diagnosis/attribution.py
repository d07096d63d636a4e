"""Stalled time divided exclusively among the causes that claim it: measured before inferred, the certain layer first.

While the loop is held, an upstream reply may already sit in the socket buffer; a collection inside a slow callback is
the collection's time; a process that is not scheduled makes every other sign lie. So every slice of a stall goes to
the first that covers it, and what nobody covers stays unexplained.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from taskdoctor.diagnosis.intervals import union
from taskdoctor.model import Cause, Claim, Interval, Layer, Stall, StallKind

NEST_SLACK_S = 0.25  # clocks of two lines about one wait differ by this much
LOOP_LAYERS = frozenset({Layer.NOT_RUNNING, Layer.GC, Layer.LOOP_HELD})
HOLDS_RATIO = 1.3
MOST_CLAIMS = 500  # of one cause in one stall; the longest
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
    by_cause: dict[str, list[Claim]] = defaultdict(list)
    for claim in sorted(claims, key=lambda c: (c.interval, c.cause, c.weight)):
        by_cause[claim.cause].append(claim)
    indexes = [(causes[name], _Index(found)) for name, found in sorted(by_cause.items())]
    return tuple(
        _share(stall, [claim for cause, index in indexes for claim in index.near(stall, cause)], causes)
        for stall in stalls
    )


class _Index:
    """The claims of one cause by their start, so that a stall looks only at those around it."""

    def __init__(self, ordered: Sequence[Claim]) -> None:
        self._claims = ordered
        self._starts = [claim.interval.start_s for claim in ordered]
        self._longest_s = max(claim.interval.seconds for claim in ordered)

    def near(self, stall: Stall, cause: Cause) -> list[Claim]:
        first = bisect_left(self._starts, stall.interval.start_s - self._longest_s)
        last = bisect_left(self._starts, stall.interval.end_s)
        found = [claim for claim in self._claims[first:last] if _may_own(claim, stall, cause)]
        if len(found) <= MOST_CLAIMS:
            return found
        return sorted(found, key=lambda c: (-c.interval.seconds, c.interval))[:MOST_CLAIMS]


def _may_own(claim: Claim, stall: Stall, cause: Cause) -> bool:
    """Only what holds the loop owns loop stalls; a wait owns an operation only from inside it."""
    if claim.interval.end_s <= stall.interval.start_s or claim.interval.start_s >= stall.interval.end_s:
        return False
    if claim.task and stall.task and claim.task != stall.task:
        return False  # somebody else waited, at the same time
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
    for length_s, covering in _slices(stall.interval, claims):
        for cause, part in _owners(covering, causes).items():
            got[cause] += part * length_s
    seconds = _within(stall.excess_s, got, causes)
    used = tuple(claim for claim in claims if seconds.get(claim.cause, 0.0) > 0)
    return Share(stall, seconds, used, frozenset(claim.cause for claim in used if claim.direct))


def _slices(whole: Interval, claims: Sequence[Claim]) -> Iterator[tuple[float, list[Claim]]]:
    """The stall cut where the covering changes: the length of each piece and one claim of each reading that covers it.

    Claims of one reading (cause, kind, weight) are joined first: a thousand collections cost no more than their edges.
    """
    readings: dict[tuple[str, bool, float], list[Claim]] = defaultdict(list)
    for claim in claims:
        readings[claim.cause, claim.direct, claim.weight].append(claim)
    edges: list[tuple[float, int, int]] = []
    for number, same in enumerate(readings.values()):
        for interval in union(claim.interval for claim in same):
            edges.append((max(whole.start_s, interval.start_s), 1, number))
            edges.append((min(whole.end_s, interval.end_s), -1, number))
    shown = [same[0] for same in readings.values()]
    active = [0] * len(shown)
    last_s = whole.start_s
    for at_s, step, number in sorted(edges):
        covering = [claim for claim, count in zip(shown, active, strict=True) if count > 0]
        if at_s > last_s and covering:
            yield at_s - last_s, covering
        last_s = max(last_s, at_s)
        active[number] += step


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
