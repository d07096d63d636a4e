"""Work that is exactly as long as a held stretch of the loop: near-deterministic, where it happens again and again.

Everything that was in flight ends late after a held loop, and its length tells when it began; only what held the loop
began with the silence and ended with it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from taskdoctor.model import Event, Gap, Lane, Silence, Timeline

EQUAL = 3  # equal lengths that are no coincidence
MOST = 0.5  # of the work that is as long must fit
IN_FLIGHT = 0.6  # of the silences: a call to upstream is nearly always in flight, and may end with fewer by chance
BURST_LINES = 5  # at once, after a silence in which no beat was due: it may have been held
END_SLACK_S = 0.1  # between the end of the work and the first line after the silence
WATCHED = (Lane.LOOP_HELD, Lane.BLOCKING)
LAG_FROM_S = 0.5
LAG_SLACK = 1.5  # a beat measures from when it was due; what held the loop began before


def held_by_work(timeline: Timeline, lanes: Iterable[Lane]) -> list[Event]:
    """Spans of these lanes that fit silences, of every kind of work of which most long ones do, and at least three.

    One that was in flight may fit by chance; then others as long as it do not.
    """
    silences = sorted(_silences(timeline), key=lambda gap: gap.end_s)
    if len(silences) < EQUAL:
        return []
    quiet = sum(map(_may_be_held, timeline.gaps))
    ends = [gap.end_s for gap in silences]
    slack_s = END_SLACK_S + max(gap.uncertainty_s for gap in silences)
    kinds: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in (event for lane in lanes for event in timeline.spans.get(lane, ())):
        kinds[event.kind, event.label].append(event)
    found = []
    for events in kinds.values():
        needed = max(EQUAL, IN_FLIGHT * (quiet or len(silences))) if events[0].lane is Lane.UPSTREAM else EQUAL
        fitting = [
            event
            for event in events
            if any(
                _fits(event, gap)
                for gap in silences[
                    bisect_left(ends, event.end_s - slack_s) : bisect_right(ends, event.end_s + slack_s)
                ]
            )
        ]
        if len(fitting) >= needed:
            shortest_s = min(event.seconds or 0.0 for event in fitting)
            as_long = sum((event.seconds or 0.0) >= shortest_s for event in events)
            found += fitting if len(fitting) >= MOST * as_long else []
    return found


def _silences(timeline: Timeline) -> Sequence[Gap]:
    """Held stretches of which nothing names the reason: silences, and lags that a beat tells of itself."""
    lags = [
        Gap(
            event.start_s,
            event.end_s,
            event.place,
            Silence.HELD,
            uncertainty_s=event.uncertainty_s,
            silent_s=LAG_SLACK * (event.seconds or 0.0),
        )
        for event in timeline.spans.get(Lane.LOOP_HELD, ())
        if not event.site and (event.seconds or 0.0) >= LAG_FROM_S
    ]
    watchers = [event for lane in WATCHED for event in timeline.spans.get(lane, ()) if event.seconds]
    silent = filter(_may_be_held, timeline.gaps)
    return [*(_from_before(gap, watchers) for gap in silent), *lags]


def _from_before(gap: Gap, watchers: Sequence[Event]) -> Gap:
    """With the silence before the line of a watcher: it writes from a thread of its own, while the loop is held."""
    fell_silent_s = gap.end_s - gap.silent_s
    before_s = max((e.seconds or 0.0 for e in watchers if abs(e.at_s - fell_silent_s) <= END_SLACK_S), default=0.0)
    return replace(gap, silent_s=gap.silent_s + LAG_SLACK * before_s) if before_s else gap


def _fits(event: Event, gap: Gap) -> bool:
    length_s = event.seconds or 0.0
    near = abs(event.end_s - gap.end_s) <= END_SLACK_S + gap.uncertainty_s
    return near and 0.9 * gap.seconds <= length_s <= 1.05 * max(gap.silent_s, gap.seconds) + 0.1


def _may_be_held(gap: Gap) -> bool:
    return gap.reading is Silence.HELD or gap.burst_lines >= BURST_LINES
