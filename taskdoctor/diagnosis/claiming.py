"""How a cause turns what lies in its lanes into claims: intervals of time which it can show it owned."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from heapq import nsmallest
from statistics import median

from taskdoctor.diagnosis.exposure import co_occurrence
from taskdoctor.diagnosis.fingerprint import EQUAL, held_by_work
from taskdoctor.diagnosis.growth import HELD, growths, lengthening, owed_to
from taskdoctor.diagnosis.intervals import covered_s, seconds, union
from taskdoctor.diagnosis.robust import quantile
from taskdoctor.diagnosis.stalls import task_of
from taskdoctor.diagnosis.timeline import sample
from taskdoctor.model import Claim, Event, Evidence, Grade, Interval, Lane, Silence, Stall, StallKind, Timeline

HOLDING_LANES = frozenset(
    {Lane.SUSPENDED, Lane.NOT_SCHEDULED, Lane.MEMORY, Lane.GC, Lane.LOOP_HELD, Lane.BLOCKING, Lane.COMPUTING}
    | {Lane.LOGGING}
)  # all of such a span is lost time; of any other wait, only what is beyond its own normal
MOST, MOST_PER_STALL = 500, 4  # claims of one kind; the longest own what there is to own
ENOUGH_NORMAL = 5  # spans outside of stalls that make a normal
USUAL_LANES = frozenset({Lane.UPSTREAM, Lane.DISK})  # work that is done all the time
BY_CHANCE = 0.05
ENRICHED = 1.5  # as often inside of stalls as their share of the time would give: not by chance any more
MEANINGFUL_S = 0.001
GUESSED = (
    "measured-",
    "counted-",
    "generic-",
    "step-",
)  # kinds that are told from words and numbers, not from a known program
SIDE_LANES = frozenset({Lane.DISK, Lane.STATE, Lane.TEARDOWN})  # work beside the operations, that may be in their way
ENOUGH_BESIDE, BESIDE_RATIO = 4, 8.0
BESIDE_S = 1.0
STACK_LINES = 40
_LIBRARY = re.compile(r"/(?:lib|lib64)/python|site-packages|dist-packages|/asyncio/|<frozen")
TOGETHER_S = 0.3  # processes that were stopped go on within this
TOGETHER_RATIO = 0.2
TOGETHER_FROM_S = 1.0
UNMEASURED_FROM_S = 20.0
UNMEASURED_AFTER_S = 10.0


def spans(timeline: Timeline, cause: str, *lanes: Lane, weight: float = 1.0, say: str) -> tuple[Claim, ...]:
    """Every event of these lanes that carries its own length claims the part of it that is not its normal.

    `say` is the sentence, with any of the fields {seconds} {label} {site} {key} {kind}. A length whose position in time
    is not known claims nothing: it cannot be laid over a stall.
    """
    busy = union(stall.interval for stall in timeline.stalls)
    lost = [
        pair
        for lane in lanes
        for events in (timeline.spans.get(lane, ()),)
        for pair in _lost(events, busy, whole=lane in HOLDING_LANES or _in_the_way(lane, events, timeline))
    ]
    return tuple(_claim(cause, event, interval, weight, say) for event, interval in _longest(lost, timeline))


def _in_the_way(lane: Lane, events: Sequence[Event], timeline: Timeline) -> bool:
    """Whether operations are late while such work goes on and on time when it does not: then all of it is in their way,
    also where it always takes as long."""
    if lane not in SIDE_LANES or not events:
        return False
    running = union(Interval(event.start_s, event.end_s) for event in events)
    late = {stall.interval for stall in timeline.stalls if stall.kind is StallKind.OPERATION}
    with_it, without = [0, 0], [0, 0]  # on time, late
    for operation in timeline.spans.get(Lane.OPERATION, ()):
        interval = Interval(operation.start_s, operation.end_s)
        beside = covered_s(interval, running) > 0.5 * (interval.seconds or 1.0)
        (with_it if beside else without)[interval in late] += 1
    if with_it[1] < ENOUGH_BESIDE or with_it[1] < without[1]:
        return False
    rate, rate_without = (count[1] / max(1, sum(count)) for count in (with_it, without))
    return rate >= BESIDE_RATIO * max(rate_without, 1.0 / max(1, sum(without)))


def _longest(found: list[tuple[Event, Interval]], timeline: Timeline) -> list[tuple[Event, Interval]]:
    most = max(MOST, MOST_PER_STALL * len(timeline.stalls))
    if len(found) <= most:
        return found
    return nsmallest(most, found, key=lambda pair: (-pair[1].seconds, pair[1].start_s))


def _lost(events: Sequence[Event], busy: Sequence[Interval], *, whole: bool) -> Iterator[tuple[Event, Interval]]:
    """Spans that touch a stall, cut to the time that was lost in them.

    A stamp rounded to a second may be off by that much to either side: the interval is widened, since a miss by
    rounding would read as "was not there".
    """
    aligned = [event for event in events if event.aligned and (event.seconds or 0.0) > MEANINGFUL_S]
    normals = {} if whole else _normals(aligned, busy)
    for event in aligned:
        usual_s = normals.get((event.kind, event.label), 0.0)
        if (event.seconds or 0.0) <= 1.5 * usual_s:
            continue
        slack_s = event.uncertainty_s if whole and event.uncertainty_s >= 0.5 else 0.0
        interval = Interval(event.start_s + usual_s - slack_s, event.end_s + slack_s)
        if covered_s(interval, busy) > 0:
            yield event, interval


def _normals(events: Sequence[Event], busy: Sequence[Interval]) -> dict[tuple[str, str], float]:
    """How long each kind of wait takes when nothing is late: the median outside of stalls, where there are enough. Of a
    back-off none of it is: that nothing was late by some only says that nobody waited for them."""
    calm: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in sample(events):
        if event.lane is Lane.BACKOFF:
            continue
        if covered_s(Interval(event.start_s, event.end_s), busy) < 0.5 * (event.seconds or 0.0):
            calm[event.kind, event.label].append(event.seconds or 0.0)
    normals = {name: median(lengths) for name, lengths in calm.items() if len(lengths) >= ENOUGH_NORMAL}
    return {**_usual_work(events), **normals}


def _usual_work(events: Sequence[Event]) -> dict[tuple[str, str], float]:
    """Where a live watch was late all the time: what the quicker calls to a peer took, or the quicker file scans."""
    lengths: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.lane in USUAL_LANES and event.kind.startswith("live-"):
            lengths[event.kind, event.label].append(event.seconds or 0.0)
    return {name: quantile(sorted(found), 0.25) for name, found in lengths.items() if len(found) >= 2 * ENOUGH_NORMAL}


def marks(timeline: Timeline, cause: str, *lanes: Lane, before_s: float, weight: float, say: str) -> tuple[Claim, ...]:
    """Every moment inside a stall claims up to `before_s` seconds that led to it; outside of stalls it means nothing.

    Inferred, not measured: the line tells that it happened, not how long it took. Where the moments come as often
    outside of stalls as inside (collections: with operations on time as often as with late ones), nothing is claimed.
    """
    found = [
        (event, Interval(max(event.at_s - before_s, stall.interval.start_s), end_s))
        for lane in lanes
        for event, stall in _inside(timeline, lane)
        for end_s in (min(event.at_s + event.uncertainty_s, stall.interval.end_s),)
    ]
    longest = _longest(found, timeline)
    return tuple(_claim(cause, event, interval, weight, say, direct=False) for event, interval in longest)


def _inside(timeline: Timeline, lane: Lane) -> Iterator[tuple[Event, Stall]]:
    """The moments of a lane with the stalls they fall into, where they do so more often than by chance."""
    moments = [event for event in timeline.marks.get(lane, ()) if event.aligned]
    if not moments or not timeline.stalls or _innocent(timeline, lane, moments):
        return
    starts = [stall.interval.start_s for stall in timeline.stalls]
    longest_s = max(stall.interval.seconds for stall in timeline.stalls)
    for event in moments:
        first = bisect_left(starts, event.at_s - longest_s - event.uncertainty_s - 0.1)
        last = bisect_left(starts, event.at_s + event.uncertainty_s)
        for stall in timeline.stalls[first:last]:
            if event.at_s <= stall.interval.end_s + max(event.uncertainty_s, 0.1):
                yield event, stall


def _innocent(timeline: Timeline, lane: Lane, moments: Sequence[Event]) -> bool:
    """Whether the moments come by chance where it is late."""
    if lane is Lane.GC:
        return _follows_load(timeline, moments)
    busy = union(stall.interval for stall in timeline.stalls)
    late_share = seconds(busy) / max(timeline.window.seconds, 1.0)
    inside = sum(covered_s(Interval(e.at_s - 0.5, e.at_s + 0.1), busy) > 0 for e in moments) / len(moments)
    return inside < min(0.9, ENRICHED * late_share)


def _follows_load(timeline: Timeline, moments: Sequence[Event]) -> bool:
    operations = timeline.spans.get(Lane.OPERATION, ())
    late = {stall.interval for stall in timeline.stalls if stall.kind is StallKind.OPERATION}
    slow = [Interval(event.start_s, event.end_s) in late for event in operations]
    p = co_occurrence(operations, slow, [event.at_s for event in moments])
    return p is not None and p > BY_CHANCE and len(moments) > len(late)


def rising(timeline: Timeline, cause: str, *lanes: Lane, say: str) -> tuple[Claim, ...]:
    """What grew owns late time only as far as lateness rises with it: the excess over the level at the start.

    Present is not guilty. `say` has the fields {label} {first} {last}.
    """
    late = union(stall.interval for stall in timeline.stalls)
    claims = []
    for growth in growths(timeline, *lanes)[:3]:
        text = say.format(label=growth.label or growth.kind, first=f"{growth.first:g}", last=f"{growth.last:g}")
        for event, owed_s, strong in owed_to(growth, timeline):
            owed = Interval(event.end_s - owed_s, event.end_s)
            if owed_s > MEANINGFUL_S and covered_s(owed, late) > 0.9 * owed_s:
                evidence = Evidence(text, str(growth.place), Grade.INFERRED)
                guessed = growth.kind.startswith(GUESSED)
                claims.append(Claim(cause, owed, evidence, direct=strong, guessed=guessed))
    return tuple(claims)


def grown_work(timeline: Timeline, cause: str, *lanes: Lane, say: str) -> tuple[Claim, ...]:
    """Code of what has grown, caught holding the loop: it owns what it would not have taken at the level of the start.

    A live watch names what runs and what grows: tasks of a coroutine, or a container in an object of a class. `say` has
    the fields {label} {first} {last}.
    """
    claims = []
    for growth in growths(timeline, *lanes)[:5]:
        names = _grown_names(growth.label)
        text = say.format(label=growth.label, first=f"{growth.first:g}", last=f"{growth.last:g}")
        for event in (event for lane in HELD for event in timeline.spans.get(lane, ())):
            if names.isdisjoint(_running_names(event.key)) and not _names_it(event.key, growth.label):
                continue
            share = 1.0 - growth.first / max(growth.level_at(event.start_s), 1.0)
            owed_s = share * (event.seconds or 0.0)
            if owed_s > MEANINGFUL_S:
                evidence = Evidence(f"{text}; its own code held the loop", str(event.place))
                claims.append(Claim(cause, Interval(event.end_s - owed_s, event.end_s), evidence))
    return tuple(claims)


def longer_each_time(
    timeline: Timeline, cause: str, belongs: Callable[[Event], bool] = lambda _: True, *, say: str
) -> tuple[Claim, ...]:
    """Code that held the loop for longer each time owns what is beyond its first times: what it goes through grows.

    `say` has the fields {label} {first} {last}.
    """
    claims = []
    for event, first_s, last_s, owed_s in lengthening(timeline, belongs):
        if owed_s > MEANINGFUL_S:
            label = event.label or event.site
            text = say.format(label=label, first=duration_text(first_s), last=duration_text(last_s))
            evidence = Evidence(f"{text} ({event.site})", str(event.place))
            claims.append(Claim(cause, Interval(event.end_s - owed_s, event.end_s), evidence, weight=0.9))
    return tuple(claims)


def _grown_names(label: str) -> set[str]:
    """`tasks of Outbox._deliver() ...` is the code of `Outbox._deliver`; `History._messages` is that of `History`."""
    coroutine = label.removeprefix("tasks of ").partition("()")[0]
    return {coroutine} if label.startswith("tasks of ") else {label.partition(".")[0]}


def _names_it(key: str, label: str) -> bool:
    """Whether the line that ran names the container itself: a list of a module has no class whose code it could be."""
    return label.rpartition(".")[2] in key.partition(" | ")[2].split()


def _running_names(key: str) -> set[str]:
    names = key.partition(" | ")[0].split()
    return {*names, *(name.partition(".")[0] for name in names if "." in name)}


def stopped_together(timeline: Timeline, cause: str, *, say: str) -> tuple[Claim, ...]:
    """Silences of two or more processes that end in the same moment: not one loop was held, nothing ran at all.

    `say` has the fields {seconds} {count}.
    """
    claims = []
    gaps = sorted(timeline.gaps, key=lambda gap: gap.end_s)
    for gap in gaps:
        same = [
            other
            for other in gaps
            if abs(other.end_s - gap.end_s) <= TOGETHER_S + gap.uncertainty_s
            and abs(other.seconds - gap.seconds) <= max(TOGETHER_RATIO * gap.seconds, gap.uncertainty_s)
        ]
        writers = {(other.place.source, other.worker if other.worker.isdigit() else "") for other in same}
        numbered = {source for source, worker in writers if worker}
        writers -= {(source, "") for source in numbered}  # lines of one of those, without its number
        if len(writers) >= 2 and gap.seconds >= TOGETHER_FROM_S:
            text = say.format(seconds=duration_text(gap.seconds), count=len(writers))
            evidence = Evidence(text, str(gap.place), Grade.INFERRED)
            claims.append(Claim(cause, Interval(gap.start_s, gap.end_s), evidence, weight=0.9))
    return tuple(claims)


def as_long_as_silence(
    timeline: Timeline, cause: str, *lanes: Lane, weigh: Callable[[Event], float], say: str
) -> tuple[Claim, ...]:
    """Work whose length is that of the silence it ends, again and again: it ran on the loop itself.

    Everything in flight ends late after a held loop; only what held it is exactly as long. `weigh` gives the share of
    this cause by what the work is called; `say` as in `spans`.
    """
    return tuple(
        _claim(cause, event, Interval(event.start_s, event.end_s), weigh(event), say, direct=False)
        for event in held_by_work(timeline, lanes)
        if weigh(event) > 0
    )


def beside(timeline: Timeline, cause: str, lane: Lane, *, say: str) -> tuple[Claim, ...]:
    """Operations that were late while others are known to have waited in this lane: as a rule for the same thing.

    Inferred, and only where several have waited long. `say` has {label} {count}.
    """
    waits = [
        event
        for event in timeline.spans.get(lane, ())
        if (event.seconds or 0.0) >= BESIDE_S and event.aligned and not event.kind.startswith("live-")
    ]  # a watch sees by itself who waits
    if len(waits) < ENOUGH_BESIDE:
        return ()
    waiting = union(Interval(event.start_s, event.end_s) for event in waits)
    text = say.format(label=waits[0].label or waits[0].kind, count=len(waits))
    return tuple(
        Claim(cause, stall.interval, Evidence(text, str(stall.place), Grade.INFERRED), 0.8, direct=False, guessed=True)
        for stall in timeline.stalls
        if stall.kind is StallKind.OPERATION
        and covered_s(stall.interval, waiting) >= 0.5 * max(stall.interval.seconds, MEANINGFUL_S)
    )


def announced(timeline: Timeline, cause: str, lane: Lane, *, say: str) -> tuple[Claim, ...]:
    """Moments after which everything falls silent: a detector writes its line before the call that it has caught."""
    marks = timeline.marks.get(lane, ())
    found = [
        (mark, gap)
        for gap in timeline.gaps
        for mark in marks
        if (gap.reading is Silence.HELD or mark.site)  # code caught on the loop says itself that it was held
        and abs(mark.at_s - (gap.end_s - gap.silent_s)) <= 0.05 + gap.uncertainty_s
    ]
    caught = [(mark, Interval(gap.start_s, gap.end_s)) for mark, gap in found]
    caught += [
        (mark, stall.interval)
        for stall in timeline.stalls
        if stall.kind is StallKind.LOOP
        for mark in marks
        if mark.site and abs(mark.at_s - stall.interval.start_s) <= max(1.0, mark.uncertainty_s)
    ]
    if len(caught) < EQUAL:
        return ()
    frames = [
        event for event in timeline.marks.get(Lane.LOOP_HELD, ()) if event.site and not _LIBRARY.search(event.site)
    ]
    return tuple(_claim(cause, _with_own_frame(mark, frames), interval, 0.9, say) for mark, interval in caught)


def _with_own_frame(mark: Event, frames: Sequence[Event]) -> Event:
    """A call that was caught in a library, with the line of the service that made it, where its stack was written."""
    if not mark.site or not _LIBRARY.search(mark.site) or mark.place.line is None:
        return mark
    first = mark.place.line
    near = (
        frame
        for frame in frames
        if frame.place.source == mark.place.source and first <= (frame.place.line or 0) <= first + STACK_LINES
    )
    own = next(near, None)
    return mark if own is None else replace(mark, site=own.site, label=f"{mark.label} ({mark.site})")


def unmeasured(timeline: Timeline, cause: str, *, say: str) -> tuple[Claim, ...]:
    """Long silences after which the service's own clock has missed nothing: its monotonic clock stood still with it.

    A held loop shows in every length that was taken across it; sleep shows in none.
    """
    spans_ = [event for events in timeline.spans.values() for event in events if event.aligned]
    ends = sorted((event.end_s, event.seconds or 0.0) for event in spans_)
    claims = []
    for gap in timeline.gaps:
        if gap.silent_s < UNMEASURED_FROM_S or gap.reading is not Silence.HELD:
            continue
        first = bisect_left(ends, (gap.end_s - 0.1, 0.0))
        after = [length for end, length in ends[first:] if end <= gap.end_s + UNMEASURED_AFTER_S]
        if after and max(after) < 0.5 * gap.silent_s:
            text = say.format(seconds=duration_text(gap.silent_s))
            evidence = Evidence(text, str(gap.place), Grade.INFERRED)
            claims.append(Claim(cause, Interval(gap.end_s - gap.silent_s, gap.end_s), evidence, weight=0.8))
    return tuple(claims)


def growth_risk(timeline: Timeline, *lanes: Lane, say: str) -> tuple[Evidence, ...]:
    """What grew beyond chance and load, as evidence of a risk. `say` has {label} {first} {last} {per_minute}."""
    return tuple(
        Evidence(
            say.format(
                label=growth.label or growth.kind.replace("-", " "),
                first=f"{growth.first:,.0f}",
                last=f"{growth.last:,.0f}",
                per_minute=f"{growth.per_minute:,.1f}",
            ),
            str(growth.place),
        )
        for growth in growths(timeline, *lanes)[:3]
    )


def _claim(cause: str, event: Event, interval: Interval, weight: float, say: str, *, direct: bool = True) -> Claim:
    text = say.format(
        seconds=duration_text(event.seconds or interval.seconds),
        label=event.label or event.kind,
        site=event.site or "an unnamed place",
        key=event.key or "?",
        kind=event.kind,
    )
    evidence = Evidence(text, str(event.place))
    guessed = event.kind.startswith(GUESSED)
    slack_s = 2 * event.uncertainty_s
    return Claim(cause, interval, evidence, weight, direct, slack_s, guessed, task_of(event))


def duration_text(length_s: float) -> str:
    """`1.84 s`, `43 ms`, `2m05s`: for sentences; tables have the renderer's own."""
    if length_s >= 100:
        return f"{int(length_s // 60)}m{int(length_s % 60):02d}s"
    return f"{length_s:.2f} s" if length_s >= 1.0 else f"{length_s * 1000:.0f} ms"
