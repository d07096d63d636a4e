"""How much of a big log is read: all of its rare lines, and of the frequent ones some stretches and the longest.

Why: reading a line is what costs, not finding it, and a verdict needs a few thousand events, not millions. What is
frequent is told from cells spread evenly over the log. Lines of a frequent literal are read in one stretch of it out of
2, 4, 8 ...; elsewhere they are counted, and those that name the longest times are read too, since lateness is what is
looked for. Those that never name a time are not even searched for elsewhere: how many there are is told from the
stretches that are read. All of this depends on the file alone, so that it does not matter who reads which part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from typing import NamedTuple

from taskdoctor.collectors.logs.partial import level_of
from taskdoctor.collectors.logs.prefilter import LITERAL_BITS, LITERAL_MASK, Prefilter, Search

SAMPLE_CELLS = 64
STRETCHES = 6  # of the file are read at least
STRETCH_CELLS = 2  # read or passed over together, so that what belongs together stays so
BUDGET = 5_000  # lines of frequent literals that are read, about
LEAST, MOST = 20, 2_000  # of one literal
MORE_THAN_ENOUGH = 1.4  # so many times; half of that is still about enough
LONGEST_BUDGET = 2_000  # of those that name the longest times
LONGEST_LEAST, LONGEST_MOST = 8, 400  # of one literal
LOOKED = 200  # lines of one literal, for whether they name times
MASKS = 20_000
LONG_LINE_BYTES = 2048

_MASK = bytes.maketrans(b"0123456789", b"0" * 10)
# A number with a unit of time, before it or behind it: `1.2s`, `950 ms`, `3 秒`, `latency_ms=950`, `"seconds": 1.2`.
_LENGTH = re.compile(
    rb"([0-9]+(?:\.[0-9]+)?) ?(ms|msec|milliseconds?|s|secs?|seconds?|us|\xc2\xb5s|min|minutes?|m|h"
    rb"|\xe6\xaf\xab\xe7\xa7\x92|\xe7\xa7\x92)(?![A-Za-z0-9])"
    rb"|(?<![A-Za-z])(ms|s|secs?|seconds?|duration|elapsed|latency|took)[\"']?[=:] ?([0-9]+(?:\.[0-9]+)?)"
)
_FACTORS = {b"ms": 1e-3, b"mse": 1e-3, b"mil": 1e-3, b"us": 1e-6, b"\xc2\xb5s": 1e-6, b"\xe6\xaf\xab": 1e-3}
_FACTORS |= {b"min": 60.0, b"m": 60.0, b"h": 3600.0}

Place = tuple[int, int, float]  # where a number stands in the line, and its unit in seconds


class Thinning(NamedTuple):
    """What of a file is read. Level n: one stretch of the file in 2**n."""

    levels: tuple[int, ...]  # by literal, the last one for what was learned of the file
    longest: int  # lines of one literal that are read for the length they name
    unsought: frozenset[int] = frozenset()  # literals that are searched only in the stretches that are read


def everything(prefilter: Prefilter) -> Thinning:
    return Thinning((0,) * (len(prefilter.literals) + 1), LONGEST_MOST)


def thinning(prefilter: Prefilter, sample: Sequence[bytes], search: Search, cells: int) -> Thinning:
    """What to read of a file of so many `cells`, of which the `sample` stands for all."""
    hits: Counter[int] = Counter()
    for cell in sample:
        hits.update(which for _, which in prefilter.candidates(cell, search))
    frequent = max(1, len(hits))
    enough = max(LEAST, min(MOST, BUDGET // frequent))
    highest = _highest_level(cells)
    levels = tuple(
        min(highest, _level_for(hits[which] * cells / len(sample), enough))
        for which in range(len(prefilter.literals) + 1)
    )
    longest = max(LONGEST_LEAST, min(LONGEST_MOST, LONGEST_BUDGET // frequent))
    thinned = {which for which, level in enumerate(levels) if level}
    return Thinning(levels, longest, frozenset(thinned - prefilter.timed - _naming_times(sample, search, thinned)))


def _naming_times(sample: Sequence[bytes], search: Search, literals: Set[int]) -> set[int]:
    """Of these literals those in whose lines some time is named, whatever it is of."""
    lengths, looked, naming = Lengths(), Counter[int](), set[int]()
    for cell in sample:
        for hit in search.hits(cell):
            position, which = hit >> LITERAL_BITS, hit & LITERAL_MASK
            if which not in literals or which in naming or looked[which] >= LOOKED:
                continue
            looked[which] += 1
            stop = cell.find(b"\n", position)
            if lengths.longest_s(cell[cell.rfind(b"\n", 0, position) + 1 : None if stop < 0 else stop]):
                naming.add(which)
    return naming


def _level_for(expected: float, enough: int) -> int:
    level = 0
    while expected > MORE_THAN_ENOUGH * enough:
        level, expected = level + 1, expected / 2
    return level


def _highest_level(cells: int) -> int:
    """That a few stretches of the file have."""
    levels = sorted((level_of(stretch) for stretch in range(1, stretch_of(cells - 1) + 1)), reverse=True)
    return levels[min(STRETCHES, len(levels)) - 1]


def stretch_of(cell: int) -> int:
    """Of a file; 1 and up."""
    return cell // STRETCH_CELLS + 1


class Lengths:
    """The longest time that a line names, of any meaning. The places of its numbers are remembered by its text."""

    def __init__(self) -> None:
        self._places: dict[bytes, tuple[Place, ...]] = {}

    def longest_s(self, raw: bytes) -> float:
        """0 for a line without any."""
        mask = raw.translate(_MASK)
        places = self._places.get(mask)
        if places is None:
            places = self._find(raw, mask)
        longest_s = 0.0
        for start, end, unit_s in places:
            length_s = float(raw[start:end]) * unit_s
            if length_s > longest_s:
                longest_s = length_s
        return longest_s

    def _find(self, raw: bytes, mask: bytes) -> tuple[Place, ...]:
        if len(self._places) >= MASKS:
            self._places.clear()
        places = tuple(_place(match) for match in _LENGTH.finditer(raw, 0, LONG_LINE_BYTES))
        if len(raw) <= LONG_LINE_BYTES:
            self._places[mask] = places
        return places


def _place(match: re.Match[bytes]) -> Place:
    number, unit = (1, 2) if match[1] is not None else (4, 3)
    name = match[unit]
    return match.start(number), match.end(number), _FACTORS.get(name, _FACTORS.get(name[:3], 1.0))
