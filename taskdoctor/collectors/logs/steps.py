"""How long things take from one of their lines to the next, where no line tells a length: `tts >` to `tts <`.

What a line is about is the id that it shares with others close by: a request's, a session's, an order's. The lines of
one id in a row are its steps. A step that takes about as long each time, and sometimes far longer, is work or a wait
whose length nobody wrote down; one that takes any time (a person thinks) is neither. What the two lines are called says
which lane it belongs to. Where nothing else at all is written while it is late, in a log that is busy before and goes
on during other steps, it holds the loop.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, pairwise
from math import inf
from typing import NamedTuple

from taskdoctor.collectors.logs.subjects import LENGTHS, Subject
from taskdoctor.model import Form, Lane

MOST_LINES = 200_000
MOST_IDS = 4  # of one line
RATE_S = 60.0  # before a late step, for how much is written in such a time
MISSED_LINES, WRITTEN = 12.0, 0.05  # lines that would have come during all late ones, and the part of them that came
GOES_ON, COMPARED = 0.3, 5_000  # the part that comes during other steps, and how many of those are looked at
ENOUGH = 8  # times that a step is taken
FEWEST_LATE = 3
FEWEST_LONG, MOSTLY = 4, 0.6  # times, and the part of all of them, of one that is always long
LONGEST_S = 600.0
STEADY_RATIO = 3.5  # of the length that one in five exceeds to the one that four in five do
MARGIN_S = 0.02
QUICK_S = 0.3  # what is this quick is steady
LATE_S, LATE_RATIO = 1.0, 3.0
TOLD = 0.5  # of a step's length, from which on a client's line tells it by itself ...
SHORTEST_S = 1e-6  # ... and any other line
TOGETHER = 0.25  # of late ones, those next to another one; and more often than by chance
MORE_THAN_CHANCE = 3.0
NAME_CHARS, NAMED_CHARS, ID_CHARS = 40, 120, 240

_ID = re.compile(r"(?<![\w.:/-])(?=[A-Za-z_:#-]*[0-9])[A-Za-z0-9]{1,40}(?:[-_:][A-Za-z0-9]{1,40}){0,6}(?![\w.:/%-])")
_AMOUNT = re.compile(r"[0-9]{1,2}|[0-9]+(?:ms|us|ns|s|m|h|k|K|M|G|B|kB|KB|MB|GB|x|th|st|nd|rd)|v[0-9]+|[0-9]{1,2}:.*")
_WORDS_END = re.compile(r"[:：]\s|[\"“”「『'`{<]|(?<=[^\x00-\x7f])[：:]")
_DIGITS = str.maketrans("123456789", "000000000")
_EVENT = re.compile(r"(?:^|\s)(?:msg|event|message)=(?:\"([^\"]{1,80})\"|(\S{1,80}))")
_PAIR = re.compile(r"[\w.-]{1,40}=\S*")


class Step(NamedTuple):
    """From one line to the next about the same thing."""

    end_s: float
    line: int
    seconds: float
    subject: Subject
    label: str
    worker: str
    resolution_s: float


class _Said(NamedTuple):
    """One line, as far as steps are concerned."""

    at_s: float
    line: int
    name: str
    ids: tuple[str, ...]
    told_s: float  # the length that it tells by itself
    worker: str
    resolution_s: float


_Time = tuple[_Said, float]  # the line that ends a step, and its seconds


def _of(lane: Lane, label: str) -> Subject:
    return Subject(f"step-{lane.value}", lane, Form.SPAN, (), label=label, title="from one line to the next")


_LANES: dict[Lane, str] = {
    subject.lane: subject.label or subject.lane.value
    for subject in LENGTHS
    if subject.lane not in (Lane.OPERATION, Lane.BACKOFF, Lane.LOOP_HELD)
}
_OTHERS = ((Lane.OPERATION, "step"), (Lane.LOOP_HELD, "step"), (Lane.BLOCKING, "synchronous step"))
_HOLDING = (Lane.TEARDOWN, Lane.LOGGING, Lane.GC, Lane.DISK)  # what holds the loop under a name of its own
BY_LANE: dict[Lane, Subject] = {lane: _of(lane, label) for lane, label in (*_LANES.items(), *_OTHERS)}
ALL = {subject.kind: subject for subject in BY_LANE.values()}


class Steps:
    """Collects the lines of one log, and tells the steps that were late at times."""

    def __init__(self) -> None:
        self._said: list[_Said] = []
        self._times: list[float] = []  # of all lines

    def add(self, at_s: float, line: int, message: str, *, told_s: float, worker: str, resolution_s: float) -> None:
        if len(self._times) >= MOST_LINES:
            return
        self._times.append(at_s)
        ids = tuple(dict.fromkeys(_ids(message)))[:MOST_IDS]
        if ids:
            self._said.append(_Said(at_s, line, name_of(message), ids, told_s, worker, resolution_s))

    def found(self) -> Iterator[Step]:
        """Every time that such a step was taken, the late ones among them; of one that holds the loop, those."""
        taken = self._taken()
        traffic = _Traffic(self._times, taken.values())
        for names, times in sorted(taken.items()):
            subject = _subject(*names)
            late = _late(times, subject)
            long = late or [one for one in times if one[1] >= LATE_S]
            if len(long) >= (FEWEST_LATE if late else max(FEWEST_LONG, MOSTLY * len(times))) and traffic.stops(long):
                subject, late, times = _held(subject), long, long
            for after, seconds in times if late else ():
                label = f"“{names[0]}” to “{names[1]}”"
                yield Step(after.at_s, after.line, seconds, subject, label, after.worker, after.resolution_s)

    def _taken(self) -> dict[tuple[str, str], list[_Time]]:
        """Every time of every step, by the names of its two lines, in the order in which they began."""
        taken: dict[tuple[str, str], list[_Time]] = defaultdict(list)
        for lines in self._by_id().values():
            for before, after in pairwise(lines):
                seconds = after.at_s - before.at_s
                if "" != before.name != after.name != "" and 0.0 <= seconds <= LONGEST_S:
                    taken[before.name, after.name].append((after, seconds))
        return {names: sorted(times, key=_began_s) for names, times in taken.items()}

    def _by_id(self) -> dict[str, list[_Said]]:
        """Lines by what they are about: of the ids of a line, the one whose lines stand closest together."""
        seen: dict[str, list[float]] = defaultdict(list)
        for said in self._said:
            for each in said.ids:
                seen[each].append(said.at_s)
        apart_s = {each: (times[-1] - times[0]) / (len(times) - 1) for each, times in seen.items() if len(times) > 1}
        lines: dict[str, list[_Said]] = defaultdict(list)
        for said in self._said:
            known = [each for each in said.ids if each in apart_s]
            if known:
                lines[min(known, key=lambda each: apart_s[each])].append(said)
        return lines


class _Traffic:
    """All lines of the log, for what is written while a step is taken."""

    def __init__(self, times: Iterable[float], steps: Iterable[Sequence[_Time]]) -> None:
        self._times = sorted(times)
        due, written = self._during([one for each in steps for one in each if QUICK_S <= one[1] <= RATE_S][:COMPARED])
        self._goes_on = written >= GOES_ON * due > 0  # while one thing waits others are told of, as a rule

    def stops(self, long: Sequence[_Time]) -> bool:
        """Whether nothing else was written meanwhile, though much was due, and other steps do not stop it."""
        due, written = self._during(long) if self._goes_on else (0.0, 0.0)
        return due >= MISSED_LINES and written <= WRITTEN * due

    def _during(self, taken: Sequence[_Time]) -> tuple[float, float]:
        due = written = 0.0
        for said, seconds in taken:
            began_s, margin_s = said.at_s - seconds, max(said.resolution_s, MARGIN_S)
            first = bisect_right(self._times, began_s + margin_s)
            written += max(0, bisect_left(self._times, said.at_s - margin_s) - first)
            due += (first - bisect_left(self._times, began_s - RATE_S)) / RATE_S * max(0.0, seconds - 2 * margin_s)
        return due, written


def _began_s(taken: _Time) -> float:
    return taken[0].at_s - taken[1]


def _ids(message: str) -> Iterator[str]:
    return (match[0] for match in _ID.finditer(message, 0, ID_CHARS) if not _AMOUNT.fullmatch(match[0]))


def name_of(message: str) -> str:
    """What a line tells of, in its first words, without ids, numbers, and what anybody said."""
    return _name(message[:NAMED_CHARS].translate(_DIGITS))


@lru_cache(maxsize=8192)
def _name(message: str) -> str:
    """With every digit a nought, which a service's few kinds of lines share."""
    event = _EVENT.search(message)
    text = (event[1] or event[2]) if event is not None else message
    text = _PAIR.sub(" ", text)
    end = _WORDS_END.search(text, 1)
    words = (text[: end.start()] if end is not None else text).split()
    kept = (word.strip("[](),;.…") for word in words if not any(map(str.isdigit, word)))
    return " ".join(word for word in kept if word)[:NAME_CHARS].strip()


def _late(times: Sequence[_Time], subject: Subject) -> list[_Time]:
    """The times that a step was late which takes about as long most of the time; none where its line says how long."""
    late_s = _late_s([seconds for _, seconds in times], times[0][0].resolution_s)
    by_client = subject.lane is Lane.CLIENT
    told = sum(said.told_s >= (TOLD * seconds if by_client else SHORTEST_S) for said, seconds in times)
    late = [seconds >= late_s for _, seconds in times]
    if 2 * told >= len(times) or sum(late) < FEWEST_LATE or (by_client and not _in_stretches(late)):
        return []
    return list(compress(times, late))


def _late_s(seconds: Sequence[float], resolution_s: float) -> float:
    """From where on a step is late that takes about as long most of the time; infinite for any other."""
    lengths = sorted(seconds)
    if len(lengths) < ENOUGH:
        return inf
    quick_s, slow_s = lengths[len(lengths) // 5], lengths[len(lengths) * 4 // 5]
    if slow_s > max(QUICK_S, 2 * resolution_s, STEADY_RATIO * max(quick_s, resolution_s)):
        return inf
    return max(slow_s + max(LATE_S, 2 * resolution_s), LATE_RATIO * slow_s)


def _in_stretches(late: Sequence[bool]) -> bool:
    """Whether late ones come together: a person who looks away, or a page in the background, comes by itself."""
    together = sum(one and other for one, other in pairwise(late))
    return together >= TOGETHER * sum(late) and together >= MORE_THAN_CHANCE * sum(late) ** 2 / max(1, len(late))


def _held(subject: Subject) -> Subject:
    """What a step is that holds the loop meanwhile: one that waits for others is a synchronous call."""
    if subject.lane in _HOLDING:
        return subject
    return BY_LANE[Lane.LOOP_HELD if subject.lane is Lane.OPERATION else Lane.BLOCKING]


def _subject(before: str, after: str) -> Subject:
    text = f"{before} {after}".lower()
    known = (subject.lane for subject in LENGTHS if subject.named_in(text) and subject.lane in BY_LANE)
    return BY_LANE[next(known, Lane.OPERATION)]
