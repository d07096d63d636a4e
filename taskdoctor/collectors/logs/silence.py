"""What silence means: the loop was held, or nothing was due.

A service writes some lines at a steady beat (heartbeats, statistics, health checks). While the loop is held they stop
*together* and come back in a burst; while one request waits for its LLM they keep their beat. So a gap in all lines is
read by what was due inside it, and by what came back at its end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from taskdoctor.model import Silence

SHORTEST_S = 0.4  # a shorter gap is not told from jitter
STEADY_SHARE = 0.6  # of a beat's intervals that keep its period
BEATS = 6
FASTEST_S = 0.2
NEAR_LINES = 8  # around a silence, for the step that is told there
BURST_S = 0.15  # what was held back comes within this
RATE_WINDOW_S = 30.0
MISSED_LINES = 4.0  # lines that would have come in the gap at the rate before it
MISSED_WITHOUT_BEAT = 20.0
RECENT_LINES = 200
UNLIKE_FACTOR = 4.0  # of the third longest recent gap
LONG_GAP_S = 3.0  # a gap of which nothing is known is worth keeping from here on
RESOLUTION_GAPS = 2.5  # a gap in rounded stamps must span this many of their steps


class Stamped(NamedTuple):
    """A line with a stamp, reduced to what it is a repetition of."""

    at_s: float
    template: str
    line: int


@dataclass(frozen=True, slots=True)
class Beat:
    """A line that comes at a steady period."""

    template: str
    period_s: float
    spread_s: float  # typical deviation from the period
    times_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """One gap and its reading; `start_s` is when the earliest line was due, so the length is what was lost at least."""

    start_s: float
    end_s: float
    line: int
    reading: Silence
    late_beats: int
    burst_lines: int
    silent_s: float
    before: str = ""  # the step that the last line before a held one tells of
    after: str = ""  # and the first line behind it that is no beat


CUT = "…"
_DIGITS = str.maketrans("0123456789", "##########")


def template(logger: str, message: str) -> str:
    """What repetitions of a line have in common: its first words, without numbers."""
    words = message[:32].translate(_DIGITS)
    if len(message) > 32:
        words += CUT
    return f"{logger}: {words}" if logger else words


@lru_cache(maxsize=4096)
def step(template: str) -> str:
    """What a line tells of, without the numbers and ids in it, in whole words."""
    words = template.removesuffix(CUT).rpartition(" ")[0].split() if template.endswith(CUT) else template.split()
    return " ".join(word for word in words if "#" not in word)


def beats(lines: Sequence[Stamped], resolution_s: float) -> tuple[Beat, ...]:
    """The lines that keep a period for most of the time."""
    times: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        times[line.template].append(line.at_s)
    found = []
    for name, at in sorted(times.items()):
        beat = _beat(name, at, resolution_s) if len(at) >= BEATS else None
        if beat is not None:
            found.append(beat)
    return tuple(found)


def _beat(name: str, at: Sequence[float], resolution_s: float) -> Beat | None:
    steps = [b - a for a, b in pairwise(at)]
    period_s = median(steps)
    if period_s < max(FASTEST_S, 2 * resolution_s):
        return None
    slack_s = max(0.1 * period_s, 1.01 * resolution_s, 0.03)
    steady = [abs(step - period_s) for step in steps if abs(step - period_s) <= slack_s]
    if len(steady) < STEADY_SHARE * len(steps):
        return None
    return Beat(name, period_s, max(median(steady), resolution_s, 0.01), tuple(at))


def pauses(lines: Sequence[Stamped], resolution_s: float, known: Sequence[Beat] | None = None) -> tuple[Pause, ...]:
    """The gaps of one source or worker that mean something, in order."""
    ordered = sorted(lines, key=lambda line: (line.at_s, line.line))
    if len(ordered) < BEATS:
        return ()
    times = [line.at_s for line in ordered]
    rhythm = beats(ordered, resolution_s) if known is None else known
    shortest_s = max(SHORTEST_S, RESOLUTION_GAPS * resolution_s if resolution_s >= 0.5 else 0.0)
    found = []
    for index in range(1, len(ordered)):
        if times[index] - times[index - 1] >= shortest_s:
            pause = _read(ordered, times, index, rhythm, resolution_s)
            if pause is not None:
                found.append(_with_steps(pause, ordered, index, rhythm) if pause.reading is Silence.HELD else pause)
    return tuple(found)


def _with_steps(pause: Pause, lines: Sequence[Stamped], index: int, rhythm: Sequence[Beat]) -> Pause:
    """With the lines around it. A beat behind it is only what was due; one before it may be what begins the step."""
    beating = {beat.template for beat in rhythm}
    behind = (line for line in lines[index : index + NEAR_LINES] if line.template not in beating)
    first = next(behind, None)
    after = step(first.template) if first is not None and first.at_s - pause.end_s <= BURST_S else ""
    return replace(pause, before=step(lines[index - 1].template), after=after)


def _read(
    lines: Sequence[Stamped], times: Sequence[float], index: int, rhythm: Sequence[Beat], resolution_s: float
) -> Pause | None:
    """The reading of the gap before line `index`; None where it says nothing."""
    start_s, end_s = times[index - 1], times[index]
    due = [due_s for beat in rhythm if (due_s := _late(beat, start_s, end_s, resolution_s)) is not None]
    burst_end = bisect_right(times, end_s + max(BURST_S, resolution_s))
    burst = burst_end - index
    missed = _rate(times, index) * (end_s - start_s)
    if len(due) >= 2 or (len(due) == 1 and (burst >= 3 or missed >= MISSED_LINES)):
        return Pause(max(start_s, min(due)), end_s, lines[index].line, Silence.HELD, len(due), burst, end_s - start_s)
    kinds = len({line.template for line in lines[index:burst_end]})
    sudden = missed >= MISSED_WITHOUT_BEAT and burst >= 5 and kinds >= 3 and _unlike_before(times, index)
    if not rhythm and sudden and end_s - start_s >= 1.0:
        return Pause(start_s, end_s, lines[index].line, Silence.HELD, 0, burst, end_s - start_s)
    if end_s - start_s >= LONG_GAP_S:
        return Pause(start_s, end_s, lines[index].line, Silence.UNKNOWN, len(due), burst, end_s - start_s)
    return None


def _late(beat: Beat, start_s: float, end_s: float, resolution_s: float) -> float | None:
    """When the beat was due, if it was due in the gap and came only right after it."""
    index = bisect_right(beat.times_s, start_s) - 1
    if index < 0 or index + 1 >= len(beat.times_s):
        return None
    due_s, came_s = beat.times_s[index] + beat.period_s, beat.times_s[index + 1]
    late_s = end_s - due_s
    if late_s < max(0.25, 4 * beat.spread_s) or late_s < 0.08 * beat.period_s:
        return None
    if due_s < start_s - max(0.3, resolution_s) or came_s > end_s + max(0.3, 0.05 * beat.period_s, resolution_s):
        return None
    return due_s


def _unlike_before(times: Sequence[float], index: int) -> bool:
    """Whether the gap is far longer than those before it, a couple of former stalls left out."""
    steps = sorted(times[i] - times[i - 1] for i in range(max(1, index - RECENT_LINES), index))
    return len(steps) >= 20 and times[index] - times[index - 1] >= UNLIKE_FACTOR * steps[-3]


def _rate(times: Sequence[float], index: int) -> float:
    """Lines per second before the gap, over a stretch several times as long: a service that is idle between visitors
    has a low rate, however dense its last burst was."""
    before_s = times[index - 1]
    stretch_s = max(RATE_WINDOW_S, 3 * (times[index] - before_s))
    first = bisect_left(times, before_s - stretch_s)
    return (index - first) / max(stretch_s, 1.0)
