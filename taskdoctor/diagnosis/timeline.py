"""A snapshot put in order for the causes: spans, moments and levels by lane; OPEN and CLOSE lines become spans.

Why pairs are made here and not while scanning: their two lines may stand in different blocks, files or workers, and
the answer must not depend on how the reading was cut.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

from taskdoctor.diagnosis.clocks import stood_still
from taskdoctor.model import Event, Form, Gap, Interval, Lane, Processes, Silence, Snapshot, Tally, Timeline

GUESSED_GC = "measured-gc"  # by the words of a service's own line
OTHERS, LONG_S = 0.25, 1.0  # so many of those that are long enough to tell say it of all
SAME_LINE_S = 0.005  # one event printed by two handlers comes within a few milliseconds
PAIR_LIMIT_S = 3600.0  # an OPEN older than this is not what a CLOSE closes
ENDLESS_PAIRS = frozenset({Lane.SESSIONS, Lane.CHILDREN})  # lifetimes, not waits: no limit


def build(snapshots: Sequence[Snapshot]) -> Timeline | None:
    """The timeline of one incident seen by any number of collectors; None when nothing had a stamp."""
    events = deduplicated(event for snapshot in snapshots for event in snapshot.events if event.aligned)
    gaps = sorted((gap for snapshot in snapshots for gap in snapshot.gaps), key=lambda gap: (gap.start_s, gap.end_s))
    window = _window(snapshots, events)
    if window is None:
        return None
    tallies = _tallies(snapshots)
    paired, opens = _paired(events, {tally.kind for tally in tallies if tally.kept < tally.count})
    spans = [event for event in events if event.form is Form.SPAN] + paired
    spans += stood_still(event for event in events if event.form is Form.LEVEL)
    spans = _without_other_collections(spans, events)
    return Timeline(
        window=window,
        spans=_by_lane(spans),
        marks=_by_lane(event for event in events if event.form is Form.MARK),
        levels=_by_lane(event for event in events if event.form is Form.LEVEL),
        opens=opens,
        gaps=tuple(gaps),
        tallies=tallies,
        processes=processes(snapshots),
    )


def _without_other_collections(spans: Sequence[Event], events: Sequence[Event]) -> list[Event]:
    """Without lengths of what is called after a collector but collects something else (old threads, files): while the
    collector of the interpreter runs, the same process writes nothing."""
    guessed = [span for span in spans if span.kind == GUESSED_GC]
    if not guessed:
        return list(spans)
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        times[event.place.source, event.worker].append(event.at_s)
    refuted = sum(_talks_inside(span, times) for span in guessed)
    if refuted < max(2, OTHERS * sum((span.seconds or 0.0) >= LONG_S for span in guessed)):
        return list(spans)
    return [span for span in spans if span.kind != GUESSED_GC]


def _talks_inside(span: Event, times: Mapping[tuple[str, str], Sequence[float]]) -> bool:
    known = times[span.place.source, span.worker]
    margin_s = max(0.1 * (span.seconds or 0.0), 2 * span.uncertainty_s, SAME_LINE_S)
    return bisect_right(known, span.start_s + margin_s) < bisect_left(known, span.end_s - margin_s)


def processes(snapshots: Sequence[Snapshot]) -> Processes | None:
    """The last look at the process table, where there was one."""
    seen = [snapshot.processes for snapshot in snapshots if snapshot.processes is not None]
    return max(seen, key=lambda one: one.at_s, default=None)


def deduplicated(events: Iterable[Event]) -> list[Event]:
    """Events in time order, each once: a record written by two handlers, or to console and file, counts once."""
    kept: list[Event] = []
    recent: dict[tuple[object, ...], Event] = {}
    for event in sorted(events, key=lambda e: (e.at_s, e.kind, e.place.source, e.place.line or 0)):
        identity = (event.kind, event.key, event.label, event.seconds, event.value, event.worker)
        twin = recent.get(identity)
        if twin is not None and _same_record(twin, event):
            continue
        recent[identity] = event
        kept.append(event)
    return kept


def sample(events: Sequence[Event]) -> Sequence[Event]:
    """What stands for all of its kind: without those that were kept for their length, while there are others."""
    return [event for event in events if not event.is_outlier] or events


def _same_record(first: Event, second: Event) -> bool:
    if first.place.source != second.place.source:
        return second.at_s - first.at_s <= max(SAME_LINE_S, first.uncertainty_s, second.uncertainty_s)
    exact = first.uncertainty_s < 0.5  # with 1 s stamps two equal lines in a second may be two events
    told = bool(first.key or first.seconds)
    return exact and told and second.at_s - first.at_s <= SAME_LINE_S


def _window(snapshots: Sequence[Snapshot], events: Sequence[Event]) -> Interval | None:
    sources = [source for snapshot in snapshots for source in snapshot.sources]
    starts = [source.first_s for source in sources if source.first_s is not None] + [event.at_s for event in events[:1]]
    ends = [source.last_s for source in sources if source.last_s is not None] + [event.at_s for event in events[-1:]]
    if not starts or not ends:  # a process table is one moment; beside a log it does not stretch the window
        seen = processes(snapshots)
        return Interval(seen.at_s, seen.at_s) if seen is not None else None
    return Interval(min(starts), max(ends))


def _by_lane(events: Iterable[Event]) -> dict[Lane, tuple[Event, ...]]:
    lanes: dict[Lane, list[Event]] = defaultdict(list)
    for event in events:
        lanes[event.lane].append(event)
    return {lane: tuple(sorted(found, key=lambda e: (e.start_s, e.end_s))) for lane, found in lanes.items()}


def _paired(events: Sequence[Event], thinned: Set[str]) -> tuple[list[Event], dict[str, tuple[Event, ...]]]:
    """Spans made of OPEN and CLOSE lines, and what was opened and never closed, by pair name.

    Where only some lines of a kind were kept, the other half of a pair may be among the rest: nothing is left open.
    Without a key the oldest open one is closed: right for one at a time, and fair for several of one kind.
    """
    waiting: dict[tuple[str, str, str], deque[Event]] = defaultdict(deque)
    spans: list[Event] = []
    for event in events:
        place = (event.pair, event.key, event.worker)
        if event.form is Form.OPEN:
            waiting[place].append(event)
        elif event.form is Form.CLOSE:
            opened = _opened_by(waiting[place], event)
            if opened is not None:
                spans.append(_span(opened, event))
    left: dict[str, list[Event]] = defaultdict(list)
    partly = {event.pair for event in events if event.kind in thinned}
    for (pair, _, _), queue in waiting.items():
        if pair not in partly:
            left[pair].extend(queue)
    return spans, {pair: tuple(sorted(found, key=lambda e: e.at_s)) for pair, found in left.items() if found}


def _opened_by(queue: deque[Event], close: Event) -> Event | None:
    limit_s = float("inf") if close.lane in ENDLESS_PAIRS else PAIR_LIMIT_S
    while queue:
        opened = queue.popleft()
        if close.at_s - opened.at_s <= limit_s:
            return opened
    return None


def _span(opened: Event, close: Event) -> Event:
    return replace(
        close,
        kind=close.pair,
        form=Form.SPAN,
        seconds=max(0.0, close.at_s - opened.at_s),
        label=close.label or opened.label,
        site=close.site or opened.site,
        uncertainty_s=max(opened.uncertainty_s, close.uncertainty_s),
    )


def _tallies(snapshots: Sequence[Snapshot]) -> tuple[Tally, ...]:
    counts: dict[str, Tally] = {}
    for tally in (tally for snapshot in snapshots for tally in snapshot.tallies):
        known = counts.get(tally.kind)
        counts[tally.kind] = (
            tally if known is None else replace(known, count=known.count + tally.count, kept=known.kept + tally.kept)
        )
    return tuple(counts[kind] for kind in sorted(counts))


def held(gaps: Iterable[Gap]) -> list[Gap]:
    """The silences in which the loop did not turn."""
    return [gap for gap in gaps if gap.reading is Silence.HELD]
