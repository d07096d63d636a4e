"""Quantities that rise and do not fall back: tasks, sessions, caches, children, files.

Why troughs: raw counts are autocorrelated, so a trend test on them sees leaks in 17-100 % of healthy services. The
minima of a dozen windows rise only when something stays. A load ramp raises them too, so a rise that the open
sessions or the rate of work explain is not called growth.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median

from taskdoctor.diagnosis.robust import correlation, kendall, theil_sen
from taskdoctor.diagnosis.timeline import held
from taskdoctor.model import Event, Form, Interval, Lane, Place, StallKind, Timeline

WINDOWS = 12
ENOUGH_SAMPLES = 12
MIN_RISE = 5.0
COPIES = "children-of"  # kind of a count of processes of one program below a live service
MIN_COPIES = 3.0  # processes: each weighs more than anything else that is counted
WORTH = {Lane.STATE: 1000.0, Lane.GAUGE: 1000.0, Lane.DISK: 1000.0}  # entries and files that fewer of make nothing late
MIN_RATIO = 1.25
BEYOND_CHANCE_Z = 2.33  # 1 % one-sided
WORK = (Lane.OPERATION, Lane.DISK, Lane.STATE)
SWEEPS = (Lane.TEARDOWN,)  # go through all that there is: a dose and its response, as where the loop is held
HELD = (Lane.LOOP_HELD, Lane.BLOCKING, Lane.COMPUTING)
FEW_WORK, FEW_HELD = 16, 7
FEW_SITED = 4  # seen live at one line of code: not a mixture of things that are called alike
STRONG = 0.75  # a dose and its response
LONGER_EACH_TIME = 6  # times that one place held the loop, ever longer, that are no chance
LONGER_RATIO = 1.6  # from the first third of them to the last
LINKED = 0.4  # rank correlation from which lateness rises with a quantity


@dataclass(frozen=True, slots=True)
class Growth:
    """One quantity that grew over the watch."""

    kind: str
    label: str
    first: float  # trough at the start
    last: float  # trough at the end
    minutes: float
    place: Place  # where its last value was seen
    series: tuple[tuple[float, float], ...]

    @property
    def per_minute(self) -> float:
        return (self.last - self.first) / self.minutes if self.minutes > 0 else 0.0

    def steps(self) -> list[float]:
        """When it rose above all that it had been before."""
        highest, found = self.first, []
        for at_s, value in self.series:
            if value > highest:
                found.append(at_s)
                highest = value
        return found

    def level_at(self, at_s: float) -> float:
        """The level that was seen last before a moment."""
        times = [seen_s for seen_s, _ in self.series]
        return self.series[max(0, bisect_right(times, at_s) - 1)][1]


def series_of(timeline: Timeline, *lanes: Lane) -> dict[tuple[str, str, str], list[Event]]:
    """Levels by what they count: (kind, label, worker), in time order."""
    series: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
    for lane in lanes:
        for event in timeline.levels.get(lane, ()):
            if event.value is not None:
                series[event.kind, event.label or event.key, event.worker].append(event)
    return series


def growths(timeline: Timeline, *lanes: Lane) -> tuple[Growth, ...]:
    """What grew beyond chance and beyond load, steepest first."""
    found = []
    load = load_ratio(timeline)
    for lane, kind, label, place, points in _quantities(timeline, lanes):
        lows = troughs(points, timeline.window)
        least = MIN_COPIES if kind == COPIES else MIN_RISE
        if rises(lows, least) and not _is_load(lows, load, least) and lows[-1] - lows[0] >= WORTH.get(lane, 0.0):
            minutes = (points[-1][0] - points[0][0]) / 60
            found.append(Growth(kind, label, lows[0], lows[-1], minutes, place, points))
    return tuple(sorted(found, key=lambda g: (-(g.last - g.first) / max(g.first, 1.0), g.kind, g.label)))


def _quantities(
    timeline: Timeline, lanes: Sequence[Lane]
) -> Iterator[tuple[Lane, str, str, Place, tuple[tuple[float, float], ...]]]:
    """Every counted quantity of the lanes: what lines say, and how many children were opened and not closed."""
    for (kind, label, _), events in sorted(series_of(timeline, *lanes).items()):
        yield events[-1].lane, kind, label, events[-1].place, tuple(_points(events))
    if Lane.CHILDREN in lanes:
        left_behind = timeline.marks.get(Lane.CHILDREN, ())
        if len(left_behind) >= ENOUGH_SAMPLES:
            counted = tuple((mark.at_s, float(number)) for number, mark in enumerate(left_behind, 1))
            yield Lane.CHILDREN, left_behind[-1].kind, "times left behind", left_behind[-1].place, counted
        for pair, left in sorted(timeline.opens.items()):
            if left[0].lane is Lane.CHILDREN:
                still = tuple(open_over_time(timeline, Lane.CHILDREN, pair))
                yield Lane.CHILDREN, pair, f"open {pair}", left[-1].place, still


def troughs(points: Sequence[tuple[float, float]], window: Interval) -> list[float]:
    """The lowest value of each of a dozen equal windows; empty windows are left out."""
    width_s = window.seconds / WINDOWS or 1.0
    lows: dict[int, float] = {}
    for at_s, value in points:
        index = min(WINDOWS - 1, int((at_s - window.start_s) / width_s))
        lows[index] = min(value, lows.get(index, value))
    return [lows[index] for index in sorted(lows)] if len(points) >= ENOUGH_SAMPLES else []


def rises(lows: Sequence[float], least: float = MIN_RISE) -> bool:
    """Whether troughs rise: by enough, beyond chance, and still at their height at the end."""
    if len(lows) < 6:
        return False
    rise = lows[-1] - lows[0]
    enough = rise >= least and lows[-1] >= MIN_RATIO * max(lows[0], 1.0)
    return enough and kendall(lows) > BEYOND_CHANCE_Z and lows[-1] >= 0.8 * max(lows)


def load_ratio(timeline: Timeline) -> float:
    """By how much the load rose from the first third to the last: open sessions, else finished operations."""
    sessions = [point for events in series_of(timeline, Lane.SESSIONS).values() for point in _points(events)]
    counted = open_over_time(timeline, Lane.SESSIONS)
    for points in (sessions, counted):
        third = len(points) // 3
        if third >= 4:
            ordered = [value for _, value in sorted(points)]
            return sum(ordered[-third:]) / max(1.0 * third, sum(ordered[:third]))
    ends = [event.end_s for event in timeline.spans.get(Lane.OPERATION, ())]
    third_s = timeline.window.seconds / 3
    early = sum(end <= timeline.window.start_s + third_s for end in ends)
    late = sum(end >= timeline.window.end_s - third_s for end in ends)
    return late / early if early >= 8 else 1.0


def open_over_time(timeline: Timeline, lane: Lane, pair: str = "") -> list[tuple[float, float]]:
    """How many of a lane's pairs were open, at each change."""
    changes = [
        change
        for span in timeline.spans.get(lane, ())
        if span.pair and pair in ("", span.pair)
        for change in ((span.start_s, 1), (span.end_s, -1))
    ]
    changes += [
        (event.at_s, 1)
        for name, events in timeline.opens.items()
        for event in events
        if event.lane is lane and pair in ("", name)
    ]
    total, points = 0, []
    for at_s, step in sorted(changes):
        total += step
        points.append((at_s, float(total)))
    return points


def _points(events: Sequence[Event]) -> list[tuple[float, float]]:
    return [(event.at_s, event.value or 0.0) for event in events]


def _is_load(lows: Sequence[float], load: float, least: float) -> bool:
    """Whether what is left of the rise, after what the load explains, would be no growth by itself."""
    expected = lows[0] * max(1.0, load)
    return lows[-1] - expected < least or lows[-1] < MIN_RATIO * max(expected, 1.0)


def owed_to(growth: Growth, timeline: Timeline) -> list[tuple[Event, float, bool]]:
    """What was made later by the grown quantity, by how many seconds, and whether that is as good as measured.

    Each kind of work (and each place that held the loop) by itself: a line through log seconds against the level, not
    moved by outliers; owed is what is beyond the level at the start.
    """
    groups: dict[tuple[Lane, str], list[Event]] = defaultdict(list)
    for lane in (*WORK, *HELD, *SWEEPS):
        for event in timeline.spans.get(lane, ()):
            if (event.seconds or 0.0) > 0:
                groups[lane, event.label or event.kind].append(event)
    for gap in held(timeline.gaps):
        silence = Interval(gap.start_s, gap.end_s)
        groups[Lane.LOOP_HELD, "silence"].append(_stretch(silence, Lane.LOOP_HELD, gap.place))
    for stall in timeline.stalls:
        if stall.kind is StallKind.OPERATION:  # those that were late by themselves: the others were not held up
            groups[Lane.OPERATION, f"late {stall.name}"].append(_stretch(stall.interval, Lane.OPERATION, stall.place))
    return [
        (event, seconds, strong and lane not in WORK)
        for (lane, _), events in sorted(groups.items())
        for event, seconds, strong in _owed(growth, events, FEW_HELD if lane in HELD else FEW_WORK)
    ]


def _stretch(interval: Interval, lane: Lane, place: Place) -> Event:
    """A held silence, or an operation that was late, as what it is: something of a certain length."""
    return Event(interval.end_s, "stretch", lane, Form.SPAN, place, seconds=interval.seconds)


def _owed(growth: Growth, events: Sequence[Event], enough: int) -> Iterator[tuple[Event, float, bool]]:
    live = all(event.kind.startswith("live-") and event.site for event in events)
    if len(events) < (FEW_SITED if live else enough):
        return
    times = [at_s for at_s, _ in growth.series]
    levels = [growth.series[max(0, bisect_right(times, event.start_s) - 1)][1] for event in events]
    points = [(level, log(event.seconds or 1e-6)) for level, event in zip(levels, events, strict=True)]
    slope, intercept = theil_sen(points)
    linked = correlation(points)
    if slope <= 0 or linked < (STRONG if live else LINKED):
        return
    for event, level in zip(events, levels, strict=True):
        owed_s = exp(intercept + slope * level) - exp(intercept + slope * growth.first)
        if level > growth.first:
            yield event, min(event.seconds or 0.0, owed_s), linked >= STRONG


def lengthening(timeline: Timeline, belongs: Callable[[Event], bool]) -> Iterator[tuple[Event, float, float, float]]:
    """What one line of code does on the loop, of a kind that `belongs`, longer each time: with how long it took first,
    how long it takes now, and what is owed to that. Nothing counted is needed: what it goes through grows, and once it
    has, all of the time is spent on that; at first only what is beyond the usual.
    """
    places: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for lane in HELD:
        for event in timeline.spans.get(lane, ()):
            if event.kind.startswith("live-") and event.site and event.seconds and belongs(event):
                places[event.site.rpartition(":")[0], event.key.partition(" | ")[0]].append(event)
    for _, events in sorted(places.items()):
        ordered = sorted(events, key=lambda event: event.at_s)
        lengths = [event.seconds or 0.0 for event in ordered]
        third = len(lengths) // 3
        if len(lengths) < LONGER_EACH_TIME or correlation(list(enumerate(lengths))) < STRONG:
            continue
        first_s, last_s = median(lengths[:third]), median(lengths[-third:])
        if last_s >= LONGER_RATIO * first_s:
            for event, length_s in zip(ordered, lengths, strict=True):
                owed_s = length_s if length_s >= MIN_RATIO * first_s else max(0.0, length_s - first_s)
                yield event, first_s, last_s, owed_s
