"""The numbers below the verdict: operations, collections, tasks, sessions, teardown, errors, and the drawn timeline."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from taskdoctor.diagnosis.attribution import Share
from taskdoctor.diagnosis.growth import growths, open_over_time, series_of
from taskdoctor.diagnosis.intervals import covered_s, union
from taskdoctor.diagnosis.robust import kendall, quantile
from taskdoctor.diagnosis.stalls import Work
from taskdoctor.diagnosis.timeline import sample
from taskdoctor.model import (
    Claim,
    Connections,
    ErrorLine,
    Event,
    GcPause,
    GcSummary,
    Interval,
    Lane,
    LaneRow,
    Operation,
    Place,
    Service,
    SlowOperation,
    Snapshot,
    Stall,
    StallKind,
    TaskSummary,
    Teardown,
    Timeline,
)

SHOWN_SLOW = 10
SHOWN_PAUSES = 200
SHOWN_ERRORS = 8
SHOWN_POINTS = 500
BINS = 12
PART_LANES = (Lane.UPSTREAM, Lane.BACKOFF, Lane.LOCK, Lane.POOL, Lane.EXECUTOR, Lane.QUEUE, Lane.DNS)
ERROR_LANES = (
    Lane.ERROR,
    Lane.DESCRIPTORS,
    Lane.POOL,
    Lane.BACKOFF,
    Lane.LOCK,
    Lane.DNS,
    Lane.MEMORY,
    Lane.UPSTREAM,
    Lane.TASKS,
    Lane.CHILDREN,
    Lane.QUEUE,
    Lane.EXECUTOR,
    Lane.CLIENT,
    Lane.DISK,
)


def operations(groups: Sequence[Work], shares: Sequence[Share], timeline: Timeline) -> tuple[Operation, ...]:
    """Each kind of work with its normal, its spread and the slowest with their owners."""
    owners = {(share.stall.interval, str(share.stall.place)): share for share in shares}
    loop_shares = [share for share in shares if share.stall.kind is StallKind.LOOP]
    loop = union(share.stall.interval for share in loop_shares)
    found = [_operation(group, owners, loop, loop_shares, timeline) for group in groups if group.events]
    return tuple(sorted(found, key=lambda o: (-o.count * o.p50_s, o.name)))


def _operation(
    group: Work,
    owners: Mapping[tuple[Interval, str], Share],
    loop: Sequence[Interval],
    loop_shares: Sequence[Share],
    timeline: Timeline,
) -> Operation:
    ordered = sorted(event.seconds or 0.0 for event in sample(group.events))
    slowest = sorted(group.events, key=lambda e: (-(e.seconds or 0.0), e.at_s))[:SHOWN_SLOW]
    late = [event for event in slowest if group.limit_s is not None and (event.seconds or 0.0) > group.limit_s]
    tally = next((t for t in timeline.tallies if t.kind == group.events[0].kind), None)
    return Operation(
        name=group.name,
        count=len(ordered),
        normal_s=group.normal_s,
        p50_s=quantile(ordered, 0.5),
        p95_s=quantile(ordered, 0.95),
        max_s=slowest[0].seconds or 0.0,
        histogram=histogram(ordered),
        slow=tuple(_slow(event, owners, loop, loop_shares, timeline) for event in late or slowest[:3]),
        sampled=tally is not None and tally.kept < tally.count,
    )


def _slow(
    event: Event,
    owners: Mapping[tuple[Interval, str], Share],
    loop: Sequence[Interval],
    loop_shares: Sequence[Share],
    timeline: Timeline,
) -> SlowOperation:
    interval = Interval(event.start_s, event.end_s)
    share = owners.get((interval, str(event.place)))
    owned: dict[str, float] = defaultdict(float, share.seconds if share is not None else {})
    if share is None and covered_s(interval, loop) > 0:
        for other in loop_shares:
            part = min(interval.end_s, other.stall.interval.end_s) - max(interval.start_s, other.stall.interval.start_s)
            if part > 0 and other.stall.excess_s > 0:
                for cause, seconds in other.seconds.items():
                    owned[cause] += part * seconds / other.stall.excess_s
    elif share is not None and share.unexplained_s > 0.05 * share.stall.excess_s:
        owned["unexplained"] = share.unexplained_s
    return SlowOperation(
        at_s=event.at_s,
        seconds=event.seconds or 0.0,
        place=event.place,
        owners=tuple(sorted(owned.items(), key=lambda pair: (-pair[1], pair[0]))),
        label=event.label,
        subparts=_subparts(interval, timeline),
    )


def _subparts(whole: Interval, timeline: Timeline) -> tuple[tuple[str, float], ...]:
    """What the operation consisted of, as far as lines inside it tell; at most the six longest."""
    parts: dict[str, float] = defaultdict(float)
    for lane in PART_LANES:
        for event in timeline.spans.get(lane, ()):
            if event.start_s >= whole.start_s - 0.05 and event.end_s <= whole.end_s + 0.05:
                name = event.label or event.kind
                parts[name] = max(parts[name], event.seconds or 0.0)
    return tuple(sorted(parts.items(), key=lambda pair: (-pair[1], pair[0]))[:6])


def histogram(ordered: Sequence[float]) -> tuple[tuple[float, float, int], ...]:
    """Counts in logarithmic bins from the shortest to the longest, seconds."""
    low, high = max(ordered[0], 1e-4), max(ordered[-1], 2e-4)
    if high <= low * 1.01:
        return ((low, high, len(ordered)),)
    step = math.log(high / low) / BINS
    counts = Counter(min(BINS - 1, max(0, int(math.log(max(value, low) / low) / step))) for value in ordered)
    return tuple((low * math.exp(i * step), low * math.exp((i + 1) * step), counts[i]) for i in range(BINS))


def collections(
    timeline: Timeline, unaligned: Sequence[Event], stalled_s: float, services: Sequence[Service] = ()
) -> GcSummary | None:
    """The cyclic collector: how often, how long, and what share of the stalled time."""
    found = [*timeline.spans.get(Lane.GC, ()), *unaligned]
    counted = next((service for service in services if service.gc_collections or service.gc_thresholds), None)
    if not found and counted is None:
        return None
    lengths = sorted(event.seconds or 0.0 for event in found)
    busy = union(Interval(event.start_s, event.end_s) for event in found if event.aligned)
    late = sum(covered_s(stall.interval, busy) for stall in timeline.stalls)
    longest = sorted(found, key=lambda e: (-(e.seconds or 0.0), e.at_s))[:SHOWN_PAUSES]
    generations = Counter(event.key for event in found)
    return GcSummary(
        collections=_counted(counted) or (generations["0"], generations["1"], generations["2"]),
        pauses=tuple(_pause(event) for event in longest),
        p50_s=quantile(lengths, 0.5),
        p95_s=quantile(lengths, 0.95),
        max_s=max(lengths, default=0.0),
        total_s=sum(lengths),
        stalled_share=min(1.0, late / stalled_s) if stalled_s > 0 else 0.0,
        growing=_gc_growing([event for event in found if event.aligned]),
        thresholds=counted.gc_thresholds if counted is not None else None,
        frozen=counted.gc_frozen if counted is not None else None,
    )


def _counted(service: Service | None) -> tuple[int, int, int] | None:
    """What the collector counted itself: lengths may have been noted of the long ones only."""
    return service.gc_collections if service is not None else None


def _pause(event: Event) -> GcPause:
    return GcPause(
        at_s=event.start_s,
        seconds=event.seconds or 0.0,
        generation=int(event.key) if event.key in {"0", "1", "2"} else None,
        collected=None if event.value is None else int(event.value),
        explicit=True if "explicit" in event.kind else False if "automatic" in event.kind else None,
        place=event.place,
    )


def _gc_growing(found: Sequence[Event]) -> bool | None:
    """Whether the longest pauses of each stretch rise: a heap that grows makes every full collection longer."""
    full = [event for event in sorted(found, key=lambda e: e.at_s) if event.key in {"2", ""}]
    if len(full) < 12:
        return None
    size = len(full) // 6
    tops = [max(event.seconds or 0.0 for event in full[i * size : (i + 1) * size]) for i in range(6)]
    return kendall(tops) > 2.0 and tops[-1] > 1.5 * tops[0]


def tasks(timeline: Timeline, services: Sequence[Service] = ()) -> TaskSummary | None:
    """How many tasks, whether they pile up, and which were lost."""
    series = series_of(timeline, Lane.TASKS)
    marks = timeline.marks.get(Lane.TASKS, ())
    counted = {tally.kind: tally.count for tally in timeline.tallies if tally.lane is Lane.TASKS}
    forgotten = sum(count for kind, count in counted.items() if "queued" in kind or "fire-and-forget" in kind)
    groups = tuple(group for service in services for group in service.groups)
    told = next((service.tasks for service in services if service.tasks is not None), None)
    if not series and not marks and told is None:
        return None
    points = max(series.values(), key=len) if series else []
    grown = growths(timeline, Lane.TASKS)
    return TaskSummary(
        count=int(points[-1].value or 0) if points else told or 0,
        over_time=_thinned([(event.at_s, int(event.value or 0)) for event in points]),
        growing=bool(grown) if len(points) >= 12 else None,
        abnormal=sum(count for kind, count in counted.items() if "abnormal" in kind),
        lost=sum(1 for mark in marks if "destroyed" in mark.kind or "never" in mark.kind),
        fire_and_forget=forgotten,
        groups=groups,
    )


def _thinned(points: Sequence[tuple[float, int]]) -> tuple[tuple[float, int], ...]:
    step = max(1, math.ceil(len(points) / SHOWN_POINTS))
    return tuple(points[::step])


def connections(timeline: Timeline) -> tuple[Connections, ...]:
    """What was opened and closed: sessions, MCP clients and their servers."""
    names: dict[str, tuple[Lane, int]] = {}
    for lane in (Lane.SESSIONS, Lane.CHILDREN):
        for span in timeline.spans.get(lane, ()):
            if span.pair:
                names[span.pair] = (lane, names.get(span.pair, (lane, 0))[1] + 1)
    for pair, events in timeline.opens.items():
        if events[0].lane in (Lane.SESSIONS, Lane.CHILDREN):
            names.setdefault(pair, (events[0].lane, 0))
    return tuple(
        Connections(
            name=pair,
            opened=closed + len(timeline.opens.get(pair, ())),
            closed=closed,
            left=len(timeline.opens.get(pair, ())),
            over_time=_thinned([(at, int(value)) for at, value in open_over_time(timeline, lane, pair)]),
        )
        for pair, (lane, closed) in sorted(names.items())
    )


def teardown(timeline: Timeline) -> Teardown | None:
    found = timeline.spans.get(Lane.TEARDOWN, ())
    open_ones = [e for events in timeline.opens.values() for e in events if e.lane is Lane.TEARDOWN]
    if not found and not open_ones:
        return None
    lengths = sorted(event.seconds or 0.0 for event in found)
    return Teardown(len(found), quantile(lengths, 0.5), lengths[-1] if lengths else 0.0, len(open_ones))


def errors(timeline: Timeline) -> tuple[ErrorLine, ...]:
    """Failures by what they say, most frequent first."""
    counts: Counter[str] = Counter()
    places: dict[str, Place] = {}
    for lane in ERROR_LANES:
        for mark in timeline.marks.get(lane, ()):
            if mark.kind.startswith("queued") or "fire-and-forget" in mark.kind:
                continue
            text = mark.kind.replace("-", " ") + (f": {mark.label}" if mark.label else "")
            counts[text] += 1
            places.setdefault(text, mark.place)
    return tuple(ErrorLine(text, count, places[text]) for text, count in counts.most_common(SHOWN_ERRORS))


def rows(stalls: Sequence[Stall], claims: Iterable[Claim], shown: Sequence[str]) -> tuple[LaneRow, ...]:
    """The drawn timeline: the stalls, then one lane per cause in the order of the verdict."""
    lanes: dict[str, list[Interval]] = defaultdict(list)
    for claim in claims:
        lanes[claim.cause].append(claim.interval)
    stalled = LaneRow("stalls", union(stall.interval for stall in stalls))
    return (stalled, *(LaneRow(cause, union(lanes[cause])) for cause in shown if cause in lanes))


def unaligned(snapshots: Sequence[Snapshot], lane: Lane) -> list[Event]:
    """Lengths without a position in time: good for a table, useless over a stall."""
    return [
        event
        for snapshot in snapshots
        for event in snapshot.events
        if event.lane is lane and not event.aligned and event.seconds is not None
    ]
