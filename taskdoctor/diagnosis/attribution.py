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
from heapq import nsmallest
from math import frexp

from taskdoctor.model import Cause, Claim, Interval, Layer, Stall, StallKind

NEST_SLACK_S = 0.25  # clocks of two lines about one wait differ by this much
LOOP_LAYERS = frozenset({Layer.NOT_RUNNING, Layer.GC, Layer.LOOP_HELD})
HOLDS_RATIO = 1.3
MOST_CLAIMS = 200  # of one cause in one stall; the longest
OWN_WAITS = frozenset({"slow-teardown"})  # layer 3, but it only holds what it is part of


_Reading = tuple[str, bool, float]  # cause, seen inside the stall, weight: alike claims are one


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
    for claim in sorted(claims, key=lambda c: (c.interval.start_s, c.interval.end_s, c.cause, c.weight)):
        by_cause[claim.cause].append(claim)
    indexes = [(causes[name], _Index(found)) for name, found in sorted(by_cause.items())]
    owners = _Owners(causes)
    return tuple(
        _share(stall, [claim for cause, index in indexes for claim in index.near(stall, cause)], owners)
        for stall in stalls
    )


class _Index:
    """The claims of one cause by their start, so that a stall looks only at those around it.

    Kept by class of length: one claim of an hour must not make every stall look at an hour of short ones.
    """

    def __init__(self, ordered: Sequence[Claim]) -> None:
        classes: dict[int, list[Claim]] = defaultdict(list)
        for claim in ordered:
            classes[frexp(claim.interval.seconds)[1] // 2].append(claim)
        self._classes = [
            (max(claim.interval.seconds for claim in alike), [claim.interval.start_s for claim in alike], alike)
            for _, alike in sorted(classes.items())
        ]

    def near(self, stall: Stall, cause: Cause) -> list[Claim]:
        begin_s, end_s = stall.interval.start_s, stall.interval.end_s
        found = [
            claim
            for longest_s, starts, alike in self._classes
            for claim in alike[bisect_left(starts, begin_s - longest_s) : bisect_left(starts, end_s)]
            if claim.interval.end_s > begin_s and _may_own(claim, stall, cause)
        ]
        if len(found) > MOST_CLAIMS:
            found = nsmallest(MOST_CLAIMS, found, key=lambda c: (-c.interval.seconds, c.interval.start_s))
        return sorted(found, key=lambda c: (c.interval.start_s, c.interval.end_s))


def _may_own(claim: Claim, stall: Stall, cause: Cause) -> bool:
    """Of a claim that overlaps: only what holds the loop owns loop stalls; a wait owns an operation from inside it."""
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


def _share(stall: Stall, claims: Sequence[Claim], owners: _Owners) -> Share:
    got: dict[str, float] = defaultdict(float)
    for length_s, covering in _slices(stall.interval, claims):
        for cause, part in owners.of(covering).items():
            got[cause] += part * length_s
    seconds = _within(stall.excess_s, got, owners.causes)
    used = tuple(claim for claim in claims if seconds.get(claim.cause, 0.0) > 0)
    return Share(stall, seconds, used, frozenset(claim.cause for claim in used if claim.direct))


def _slices(whole: Interval, claims: Sequence[Claim]) -> Iterator[tuple[float, tuple[_Reading, ...]]]:
    """The stall cut where the covering changes: the length of each piece and the readings that cover it.

    Claims of one reading are joined first: a thousand collections cost no more than their edges.
    """
    joined: dict[_Reading, list[tuple[float, float]]] = defaultdict(list)
    for claim in claims:  # by start
        stretches = joined[claim.cause, claim.direct, claim.weight]
        start_s, end_s = max(whole.start_s, claim.interval.start_s), min(whole.end_s, claim.interval.end_s)
        if stretches and start_s <= stretches[-1][1]:
            start_s, last_end_s = stretches.pop()
            end_s = max(end_s, last_end_s)
        stretches.append((start_s, end_s))
    edges = sorted(
        (at_s, step, reading)
        for reading, stretches in joined.items()
        for ends in stretches
        for at_s, step in zip(ends, (1, -1), strict=True)
    )
    active: dict[_Reading, None] = {}
    last_s = whole.start_s
    for at_s, step, reading in edges:
        if at_s > last_s and active:
            yield at_s - last_s, tuple(active)
        last_s = max(last_s, at_s)
        if step > 0:
            active[reading] = None
        else:
            active.pop(reading, None)


class _Owners:
    """Who owns a piece, by the readings that cover it: few sets of them occur, so each is decided once."""

    def __init__(self, causes: Mapping[str, Cause]) -> None:
        self.causes = causes
        self._known: dict[tuple[_Reading, ...], dict[str, float]] = {}

    def of(self, covering: tuple[_Reading, ...]) -> dict[str, float]:
        owners = self._known.get(covering)
        if owners is None:
            owners = self._known[covering] = _owners(covering, self.causes)
        return owners


def _owners(covering: Sequence[_Reading], causes: Mapping[str, Cause]) -> dict[str, float]:
    """The first rank; readings of one fact share by weight; a head takes from what it leads to."""
    ranks = [_rank(causes[cause], direct=direct) for cause, direct, _ in covering]
    first = min(ranks)
    weights: dict[str, float] = {}
    for (cause, _, weight), rank in zip(covering, ranks, strict=True):
        if rank == first:
            weights[cause] = max(weights.get(cause, 0.0), weight)
    for cause, direct, weight in covering:  # a head takes, if it can show itself in this very slice
        if direct and _heads(causes[cause], weights, causes, is_whole=weight >= 1.0):
            weights[cause] = max(weights.get(cause, 0.0), weight)
    effects = {effect for cause in weights for effect in causes[cause].leads_to if effect in weights}
    heads = {cause: weight for cause, weight in weights.items() if cause not in effects} or weights
    total = max(1.0, sum(heads.values()))
    owned = {cause: weight / total for cause, weight in heads.items()}
    fed = {c: w for c, direct, w in covering if direct and w < 1.0 and _feeds(causes[c], owned, causes)}
    left = max(0.0, 1.0 - sum(fed.values()))
    whole = max(1.0, sum(fed.values()))
    return {**{cause: left * part for cause, part in owned.items()}, **{c: w / whole for c, w in fed.items()}}


def _heads(cause: Cause, owners: Mapping[str, float], causes: Mapping[str, Cause], *, is_whole: bool) -> bool:
    """Whether it stands behind what is seen; of a shortage it may say itself that only a part is its own."""
    if cause.layer is not Layer.GROWING:
        return False
    layers = {causes[owner].layer for owner in owners if owner in cause.leads_to}
    return bool(layers - {Layer.GC, *(() if is_whole else (Layer.NOT_RUNNING,))})


def _feeds(cause: Cause, owners: Mapping[str, float], causes: Mapping[str, Cause]) -> bool:
    """Whether it says which part of a shortage is its own: of what the kernel measured it takes that, and no more."""
    if cause.layer is not Layer.GROWING or cause.id in owners:
        return False
    return any(owner in cause.leads_to and causes[owner].layer is Layer.NOT_RUNNING for owner in owners)


def _rank(cause: Cause, *, direct: bool) -> tuple[bool, int]:
    """Measured first, by layer. Of what is inferred, a dose and its response speak louder than the name of a step."""
    if direct or cause.layer is not Layer.GROWING:
        return not direct, cause.layer
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
