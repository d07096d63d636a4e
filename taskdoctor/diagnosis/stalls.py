"""What was late: intervals in which the event loop did not turn, and operations far beyond their own normal.

Normal is measured, not assumed: a service whose LLM always takes four seconds is slow, not stalling.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from taskdoctor.diagnosis.fingerprint import held_by_work
from taskdoctor.diagnosis.intervals import covered_s, union
from taskdoctor.diagnosis.robust import clustered, correlation, late_above, quantile
from taskdoctor.diagnosis.timeline import held, sample
from taskdoctor.model import Event, Interval, Lane, Place, Stall, StallKind, Timeline

RUN_QUEUE = "run queue"  # label of readings that sum waits of all threads since the last one: no stall by themselves
LOOP_STALL_S = 0.2  # shorter blocks are scheduling jitter on a busy machine
EXCESS_S = 1.0  # an operation is late when this much beyond normal ...
SHORT_EXCESS_S = 0.5  # ... or this much, when that is many times the normal
SHORT_RATIO = 5.0
RISING, CLEARLY_RISING = 0.7, 0.9  # rank correlation with time from which lengths are growing: of many, of few
LIVE_DISK = "live-disk"  # files gone through in a thread, as a watch saw it
ENOUGH = 8  # comparable operations that make a normal
CROWD = 0.4  # more than this share "late", mixed evenly, may be a second mode (with tools, without) ...
CROWD_RATIO = 4.0  # ... unless far beyond normal
SECOND_MODE, MODE_COUNT, MODE_RATIO = 0.08, 40, 2.0  # so many that take so alike are a second mode too
INNER_LANES = frozenset({Lane.EXECUTOR, Lane.LOCK, Lane.POOL, Lane.QUEUE, Lane.DNS})
WAIT_RATIO = 3.0  # of what four in five of such waits exceed
CLIENT_RATIO = 10.0  # a person, or a sound that is played, takes its time; a watch knows how much as a rule
WAIT_S = 1.0  # a logged wait that makes a stall by itself when no operation line covers it
REPEATED = 3  # failures of one kind that make stalls; one is an error line
FAILURE_S = 0.9  # what a failure without a length counts for; accept() is tried again each second
CLOCK_SLACK_S = 0.3  # two lines about one wait differ by this much

LOOP_LANES = (
    Lane.SUSPENDED,
    Lane.NOT_SCHEDULED,
    Lane.GC,
    Lane.LOOP_HELD,
    Lane.BLOCKING,
    Lane.COMPUTING,
    Lane.LOGGING,
)
WAIT_LANES = (Lane.EXECUTOR, Lane.LOCK, Lane.POOL, Lane.QUEUE, Lane.DNS, Lane.BACKOFF, Lane.CLIENT)
FAILURE_LANES = (Lane.DESCRIPTORS, Lane.POOL, Lane.DNS, Lane.LOCK, Lane.EXECUTOR, Lane.QUEUE, Lane.BACKOFF)
WORK_LANES = (Lane.OPERATION, Lane.TEARDOWN, Lane.DISK)
MAY_HOLD = (Lane.OPERATION, Lane.UPSTREAM, Lane.DISK, Lane.STATE)  # work that may run on the loop itself
LIVE_CALL = "live-upstream"
MANY_CALLS = 30  # that make a normal of their own
TOLD = 0.2  # calls to upstream of which more lie inside of operations are told of by those
FEW_WAITS = 4  # of fewer, none is usual
TELLING = 2.0  # operations for each refusal of an upstream
SELDOM = 0.5  # waits logged for fewer of the operations than this are logged when they are long


@dataclass(frozen=True, slots=True)
class Work:
    """Comparable operations and their normal; `limit_s` is None where there are too few to compare."""

    name: str
    events: tuple[Event, ...]
    normal_s: float
    limit_s: float | None


def find(timeline: Timeline, *, slow_s: float | None = None) -> tuple[Stall, ...]:
    """All stalls in time order. `slow_s`: what the user calls slow, for operations too few to compare."""
    loop = loop_stalls(timeline)
    busy = union(stall.interval for stall in loop)
    groups = work(timeline, slow_s=slow_s)
    late = [stall for group in groups for stall in late_operations(group) if not _explained_by_loop(stall, busy)]
    late = _without_twins([*late, *_lonely_calls(timeline, groups, busy, slow_s)])
    late += _late_by_a_call(timeline, groups, late, busy)
    told = _would_tell(timeline, groups)
    waits = list(_lonely_waits(timeline, groups, late, told=told))
    failures = list(_failures(timeline, [*loop, *late, *waits], told=told))
    return tuple(sorted([*loop, *late, *waits, *failures], key=lambda s: (s.interval, s.kind, s.name)))


def loop_stalls(timeline: Timeline) -> list[Stall]:
    """Intervals in which the loop did not turn, merged: one incident is one stall however many lines tell of it."""
    found: list[tuple[Interval, Place]] = [
        (Interval(event.start_s, event.end_s), event.place)
        for lane in LOOP_LANES
        for event in timeline.spans.get(lane, ())
        if (event.seconds or 0.0) >= LOOP_STALL_S and event.label != RUN_QUEUE
    ]
    found += [(Interval(gap.start_s, gap.end_s), gap.place) for gap in held(timeline.gaps)]
    found += [
        (Interval(event.start_s, event.end_s), event.place)
        for event in timeline.spans.get(Lane.MEMORY, ())
        if event.kind.startswith("live-") and (event.seconds or 0.0) >= LOOP_STALL_S
    ]
    found += [(Interval(event.start_s, event.end_s), event.place) for event in held_by_work(timeline, MAY_HOLD)]
    found += [(Interval(e.at_s - 1.0, e.at_s), e.place) for e in timeline.marks.get(Lane.LOOP_HELD, ())]
    places = {interval.end_s: place for interval, place in sorted(found, key=lambda pair: pair[0])}
    return [
        Stall(StallKind.LOOP, interval, interval.seconds, "event loop", places[interval.end_s])
        for interval in union((interval for interval, _ in found), join_s=0.05)
    ]


def work(timeline: Timeline, *, slow_s: float | None = None) -> list[Work]:
    """The operations of this service, by name. Where none are logged, its calls to upstream stand in."""
    groups = _groups(timeline, WORK_LANES)
    if not any(len(events) >= ENOUGH for (lane, _), events in groups.items() if lane is Lane.OPERATION):
        groups |= _groups(timeline, (Lane.UPSTREAM,))
    return [_work(name, events, slow_s) for (_, name), events in sorted(groups.items())]


def _groups(timeline: Timeline, lanes: Iterable[Lane]) -> dict[tuple[Lane, str], list[Event]]:
    """Spans by what they name; names too rare to compare share one group per kind."""
    named: dict[tuple[Lane, str, str], list[Event]] = defaultdict(list)
    for lane in lanes:
        for event in timeline.spans.get(lane, ()):
            if event.seconds is not None:
                named[lane, event.kind, event.label or event.kind].append(event)
    groups: dict[tuple[Lane, str], list[Event]] = defaultdict(list)
    for (lane, kind, label), events in _told_once(named).items():
        groups[lane, label if len(events) >= ENOUGH else kind].extend(events)
    return groups


def _told_once(named: dict[tuple[Lane, str, str], list[Event]]) -> dict[tuple[Lane, str, str], list[Event]]:
    """Without pairs of lines (begun, done) about work that tells its own length too: it would count twice."""
    measured = {(lane, label): len(events) for (lane, _, label), events in named.items() if not events[0].pair}
    return {
        (lane, kind, label): events
        for (lane, kind, label), events in named.items()
        if not events[0].pair or measured.get((lane, label), 0) < 0.5 * len(events)
    }


def _work(name: str, events: Sequence[Event], slow_s: float | None, *, stepped: tuple[str, ...] = (LIVE_DISK,)) -> Work:
    """`stepped`: kinds whose lengths are known in steps of their uncertainty only."""
    compared = sample(events)
    seconds = [event.seconds or 0.0 for event in compared]
    resolution_s = min((event.uncertainty_s for event in events if event.kind in stepped), default=0.0)
    normal_s, limit_s = late_above(_before_it_grew(compared), resolution_s=resolution_s)
    if len(compared) < ENOUGH:
        return Work(name, tuple(events), normal_s if slow_s is None else min(seconds), slow_s)
    flags = [_is_late(event.seconds or 0.0, normal_s, limit_s) for event in sorted(compared, key=lambda e: e.at_s)]
    if not clustered(flags):
        limit_s = max(limit_s, _second_mode_s(seconds, normal_s, flags))
    if slow_s is not None:
        limit_s = slow_s
    return Work(name, tuple(events), normal_s, limit_s)


def _second_mode_s(seconds: Sequence[float], normal_s: float, flags: Sequence[bool]) -> float:
    """Where a second mode of the same work ends (a turn with tools, one without), 0 if there is none: many take longer,
    mixed evenly with the others, and all of them about as long. Trouble comes in stretches, and in all lengths."""
    share = sum(flags) / len(flags)
    if share > CROWD:
        return CROWD_RATIO * normal_s
    if share < SECOND_MODE or sum(flags) < MODE_COUNT:
        return 0.0
    longer = sorted(seconds)[-sum(flags) :]
    tight = quantile(longer, 0.95) <= MODE_RATIO * quantile(longer, 0.05)
    return late_above(longer)[1] if tight else 0.0


def _before_it_grew(events: Sequence[Event]) -> list[float]:
    """The lengths that make the normal: those of the first quarter, where they rise all the time."""
    ordered = sorted(events, key=lambda event: event.at_s)
    lengths = [event.seconds or 0.0 for event in ordered]
    if len(lengths) < ENOUGH:
        return lengths
    sure = len(lengths) >= 3 * ENOUGH or all(event.kind == LIVE_DISK for event in ordered)
    needed = RISING if sure else CLEARLY_RISING
    return lengths[: len(lengths) // 4] if correlation(list(enumerate(lengths))) >= needed else lengths


def _is_late(seconds: float, normal_s: float, limit_s: float) -> bool:
    excess_s = seconds - normal_s
    return seconds > limit_s and (
        excess_s >= EXCESS_S or (excess_s >= SHORT_EXCESS_S and seconds >= SHORT_RATIO * normal_s)
    )


def late_operations(group: Work) -> list[Stall]:
    """The operations of one kind that were late against their own normal."""
    limit_s = group.limit_s
    if limit_s is None:
        return []
    return [
        Stall(
            StallKind.OPERATION,
            Interval(event.start_s, event.end_s),
            (event.seconds or 0.0) - group.normal_s,
            group.name,
            event.place,
            task_of(event),
        )
        for event in group.events
        if _is_late(event.seconds or 0.0, group.normal_s, limit_s)
    ]


def _explained_by_loop(stall: Stall, busy: Sequence[Interval]) -> bool:
    """Late only because the loop was held: that incident is counted once, as the loop's."""
    return covered_s(stall.interval, busy) >= 0.5 * stall.excess_s


def _without_twins(stalls: list[Stall]) -> list[Stall]:
    """One late thing told by two lines (the request and the turn inside it) is one stall: the longer one."""
    kept: list[Stall] = []
    for stall in sorted(stalls, key=lambda s: (-s.excess_s, s.interval, s.name)):
        twin = any(
            other.name != stall.name
            and stall.excess_s >= 0.6 * other.excess_s
            and _inside(stall.interval, other.interval, slack_s=0.3)
            for other in kept
        )
        if not twin:
            kept.append(stall)
    return kept


def _inside(inner: Interval, outer: Interval, *, slack_s: float) -> bool:
    return inner.start_s >= outer.start_s - slack_s and inner.end_s <= outer.end_s + slack_s


def _lonely_calls(
    timeline: Timeline, groups: Sequence[Work], busy: Sequence[Interval], slow_s: float | None
) -> Iterable[Stall]:
    """Late calls to upstream that are seldom part of a logged operation: what waited for them is not told of."""
    known = {group.name for group in groups}
    covered = _Covers([Interval(event.start_s, event.end_s) for group in groups for event in group.events])
    for (_, name), events in sorted(_groups(timeline, (Lane.UPSTREAM,)).items()):
        told = sum(covered(Interval(event.start_s, event.end_s)) for event in events)
        if name not in known and told <= TOLD * len(events):
            for stall in late_operations(_work(name, events, slow_s)):
                if not covered(stall.interval) and not _explained_by_loop(stall, busy):
                    yield stall


def _late_by_a_call(
    timeline: Timeline, groups: Sequence[Work], late: Sequence[Stall], busy: Sequence[Interval]
) -> list[Stall]:
    """Operations that a watch saw, whose call to a peer was late against what such calls take.

    Few operations fit into a watch, and many calls: their normal is known better.
    """
    known = {stall.interval for stall in late}
    found: dict[Interval, Stall] = {}
    for (_, name), events in sorted(_groups(timeline, (Lane.UPSTREAM,)).items()):
        if len(events) < MANY_CALLS or not all(event.kind == LIVE_CALL for event in events):
            continue
        for call in late_operations(_work(name, events, None, stepped=(LIVE_CALL,))):
            whole = _around(call, groups)
            if whole is not None and whole.interval not in known and not _explained_by_loop(whole, busy):
                found[whole.interval] = whole
    return list(found.values())


def _around(call: Stall, groups: Sequence[Work]) -> Stall | None:
    """The operation that a late call belongs to, late by as much."""
    for group in groups:
        for event in group.events:
            interval = Interval(event.start_s, event.end_s)
            if task_of(event) == call.task and _inside(call.interval, interval, slack_s=CLOCK_SLACK_S):
                return Stall(StallKind.OPERATION, interval, call.excess_s, group.name, event.place, call.task)
    return None


def _lonely_waits(timeline: Timeline, groups: Sequence[Work], late: Sequence[Stall], *, told: bool) -> Iterable[Stall]:
    """Logged waits that no late operation tells of: the request failed, or its end is not logged, or most are late.

    Waiting a second for a thread, a lock, a slot is never normal work; a back-off, a client or a folder may be.
    """
    told_late = _Covers([stall.interval for stall in late])
    covered = _Covers([Interval(event.start_s, event.end_s) for group in groups for event in group.events])
    most = max((len(group.events) for group in groups), default=0)
    for lane in WAIT_LANES:
        if lane is Lane.BACKOFF and told:
            continue
        events = timeline.spans.get(lane, ())
        usual_s = (
            quantile(sorted(event.seconds or 0.0 for event in events), 0.2)
            if len(events) >= max(FEW_WAITS, SELDOM * most) and not _only_long_ones(lane, events)
            else 0.0
        )
        seen_live = bool(events) and all(event.kind.startswith("live-") for event in events)
        if seen_live and lane is Lane.CLIENT and len(events) < ENOUGH:
            continue
        known = told_late if lane in INNER_LANES or seen_live else covered
        ratio = CLIENT_RATIO if seen_live and lane is Lane.CLIENT else WAIT_RATIO
        for event in events:
            length_s = event.seconds or 0.0
            interval = Interval(event.start_s, event.end_s)
            if length_s >= max(WAIT_S, ratio * usual_s) and not known(interval):
                name = f"waiting ({lane.value})"
                yield Stall(StallKind.OPERATION, interval, length_s - usual_s, name, event.place, task_of(event))


def _would_tell(timeline: Timeline, groups: Sequence[Work]) -> bool:
    """Whether operations tell how long they take, more often than an upstream refuses: who waits is late there too.
    Not where a known client library says that it waits: what it waits for is not always an operation that is logged."""
    known = [group for group in groups if group.limit_s is not None and group.events[0].lane is Lane.OPERATION]
    refusals = [*timeline.spans.get(Lane.BACKOFF, ()), *timeline.marks.get(Lane.BACKOFF, ())]
    by_strangers = all(event.kind.startswith(("generic-", "measured-")) for event in refusals)
    return by_strangers and max((len(group.events) for group in known), default=0) >= TELLING * len(refusals)


def _only_long_ones(lane: Lane, events: Sequence[Event]) -> bool:
    """Whether these waits were seen because they were long: a live watch notes no others of what is no work."""
    never_work = lane in INNER_LANES or lane is Lane.BACKOFF
    return never_work and bool(events) and all(event.kind.startswith("live-") for event in events)


def task_of(event: Event) -> str:
    """Which task an event of a live watch is of; a line of a log tells its worker, in which many tasks run."""
    return event.worker if event.kind.startswith("live-") else ""


class _Covers:
    """Whether one of some intervals spans a wait: it then tells by itself whether it was late."""

    def __init__(self, intervals: Iterable[Interval]) -> None:
        ordered = sorted(intervals)
        self._starts = [interval.start_s for interval in ordered]
        self._ends = list(accumulate((interval.end_s for interval in ordered), max))

    def __call__(self, wait: Interval) -> bool:
        before = bisect_right(self._starts, wait.start_s + CLOCK_SLACK_S) - 1
        return before >= 0 and self._ends[before] >= wait.end_s - CLOCK_SLACK_S


def _failures(timeline: Timeline, known: Sequence[Stall], *, told: bool) -> Iterable[Stall]:
    """Repeated failures that name their cause, where nothing else tells how late the service was. `told`: operations
    do, so that a refusal that made none of them late made nobody wait."""
    late = union(Interval(stall.interval.start_s - 1.0, stall.interval.end_s + 1.0) for stall in known)
    for lane in FAILURE_LANES:
        marks = timeline.marks.get(lane, ())
        if len(marks) < REPEATED or (lane is Lane.BACKOFF and told):
            continue
        clusters = union(Interval(mark.at_s - FAILURE_S, mark.at_s) for mark in marks)
        for interval in clusters:
            if covered_s(interval, late) < 0.5 * interval.seconds:
                place = next(mark.place for mark in marks if mark.at_s == interval.end_s)
                yield Stall(StallKind.OPERATION, interval, interval.seconds, f"failing ({lane.value})", place)
