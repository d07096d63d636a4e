"""What one piece of a log said, as a value that can be merged: the answer does not depend on how the reading was cut.

Why sampling is by stretches of time: memory must stay flat whatever the file size, but a pair of lines must stay whole
and the sample must be the same for any order of pieces. So a kind that has too many events keeps those of every second
(fourth ...) stretch, chosen by a hash, plus its longest. Both are decided by the set alone: merging is union, then
trimming.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

STRETCH_S = 64.0
BUDGET = 30_000  # events kept over all kinds
MOST, LEAST = 4_000, 200  # kept per kind
_HASH = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Seen(NamedTuple):
    """One event as scanned; the line counts from the start of its piece. Ordered by time, then place."""

    at_s: float
    file: int
    piece: int  # first block of the piece in its file
    line: int
    kind: str
    seconds: float | None
    value: float | None
    key: str
    label: str
    site: str
    cpu_s: float | None
    worker: str
    aligned: bool
    resolution_s: float

    @property
    def order(self) -> tuple[float, int, int, int, str]:
        return self[:5]


class Edge(NamedTuple):
    """A piece of one file: where it stands and what lies at its ends."""

    file: int
    piece: int
    lines: int
    bytes: int
    first_s: float | None
    last_s: float | None


@dataclass(slots=True)
class Reservoir:
    """The events of one kind: all of them while they are few."""

    count: int = 0
    level: int = 0
    kept: list[Seen] = field(default_factory=list)
    longest: list[Seen] = field(default_factory=list)
    floor_s: float = float("-inf")  # what is shorter is not among the longest any more

    def counts(self, at_s: float, seconds: float | None) -> bool:
        """Count one event. False if it will not be kept either, so that there is no need to make it."""
        self.count += 1
        return not self.level or (seconds is not None and seconds >= self.floor_s) or _level(at_s) >= self.level

    def keep(self, seen: Seen) -> None:
        """One that was counted."""
        if seen.seconds is not None and seen.seconds >= self.floor_s:
            self.longest.append(seen)
        if not self.level or _level(seen.at_s) >= self.level:
            self.kept.append(seen)

    def trim(self, most: int) -> None:
        """Raise the level until no more than `most` are kept; keep a third as many of the longest."""
        while len(self.kept) > most:
            self.level += 1
            self.kept = [seen for seen in self.kept if _level(seen.at_s) >= self.level]
        if len(self.longest) > most // 3:
            self.longest.sort(key=lambda s: (-(s.seconds or 0.0), s.order))
            del self.longest[most // 3 :]
            self.floor_s = max(self.floor_s, self.longest[-1].seconds or 0.0)

    def merge(self, other: Reservoir) -> None:
        self.count += other.count
        self.level = max(self.level, other.level)
        self.floor_s = max(self.floor_s, other.floor_s)
        self.kept = [seen for seen in [*self.kept, *other.kept] if _level(seen.at_s) >= self.level]
        self.longest += other.longest

    def events(self) -> list[Seen]:
        return sorted({seen.order: seen for seen in [*self.kept, *self.longest]}.values(), key=lambda s: s.order)


@lru_cache(maxsize=256)
def _stretch_level(stretch: int) -> int:
    return 64 - ((stretch * _HASH) & _MASK).bit_length()


def _level(at_s: float) -> int:
    """Leading zeros of a hash of the stretch of time: level n keeps one stretch in 2**n."""
    return _stretch_level(int(at_s // STRETCH_S))


class Quiet(NamedTuple):
    """A gap between two stamps of one source or worker; `line` is the first after it."""

    start_s: float
    end_s: float
    file: int
    piece: int
    line: int
    worker: str
    reading: str
    late_beats: int
    burst_lines: int
    silent_s: float
    resolution_s: float


@dataclass(slots=True)
class Partial:
    """Everything that one piece said."""

    reservoirs: dict[str, Reservoir] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    quiet: list[Quiet] = field(default_factory=list)
    formats: Counter[tuple[int, str]] = field(default_factory=Counter)  # (file, format): lines looked at
    unparsed: Counter[int] = field(default_factory=Counter)  # by file
    looked: Counter[int] = field(default_factory=Counter)
    workers: set[tuple[int, str]] = field(default_factory=set)
    beats: set[tuple[int, str]] = field(default_factory=set)
    resolution: Counter[tuple[int, float]] = field(default_factory=Counter)  # (file, seconds): lines
    backwards: Counter[int] = field(default_factory=Counter)  # stamps that went back by more than a second
    notes: set[tuple[int, str]] = field(default_factory=set)

    def add(self, seen: Seen) -> None:
        reservoir = self.reservoir(seen.kind)
        if reservoir.counts(seen.at_s, seen.seconds):
            self.keep(reservoir, seen)

    def reservoir(self, kind: str) -> Reservoir:
        reservoir = self.reservoirs.get(kind)
        if reservoir is None:
            reservoir = self.reservoirs[kind] = Reservoir()
        return reservoir

    def keep(self, reservoir: Reservoir, seen: Seen) -> None:
        """An event that its reservoir has counted."""
        reservoir.keep(seen)
        held = len(reservoir.kept) + len(reservoir.longest)
        if held > 3 * LEAST and held > 3 * self.most:
            reservoir.trim(self.most)

    def resolution_of(self, file: int) -> float | None:
        """What most stamps of a file are rounded to; None without stamps."""
        known = [(count, resolution_s) for (of, resolution_s), count in self.resolution.items() if of == file]
        return max(known)[1] if known else None

    @property
    def most(self) -> int:
        return max(LEAST, min(MOST, BUDGET // max(1, len(self.reservoirs))))

    def trim(self) -> None:
        for reservoir in self.reservoirs.values():
            reservoir.trim(self.most)

    def merge(self, other: Partial) -> None:
        """Take in another piece; order does not matter once `trim` was called at the end."""
        for kind, reservoir in other.reservoirs.items():
            self.reservoirs.setdefault(kind, Reservoir()).merge(reservoir)
        self.edges += other.edges
        self.quiet += other.quiet
        self.formats += other.formats
        self.unparsed += other.unparsed
        self.looked += other.looked
        self.backwards += other.backwards
        self.resolution += other.resolution
        self.workers |= other.workers
        self.beats |= other.beats
        self.notes |= other.notes
        if sum(len(r.kept) + len(r.longest) for r in self.reservoirs.values()) > 2 * BUDGET:
            self.trim()
