"""What one piece of a log said, as a value that can be merged: the answer does not depend on how the reading was cut.

Why sampling is by stretches of time: memory must stay flat whatever the file size, but a pair of lines must stay whole
and the sample must be the same for any order of pieces. So a kind that has too many events keeps those of every second
(fourth ...) stretch, chosen by a hash, plus its longest. Both are decided by the set alone: merging is union, then
trimming.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

STRETCH_S = 64.0
BUDGET = 12_000  # events kept over all kinds
MOST, LEAST = 3_000, 60  # kept per kind
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
    stretch: int  # of time or of the file: what stands in one is kept or dropped together

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

    def counts(self, level: int, seconds: float | None) -> bool:
        """Count one event. False if it will not be kept either, so that there is no need to make it."""
        self.count += 1
        return level >= self.level or (seconds is not None and seconds >= self.floor_s)

    def keep(self, seen: Seen) -> None:
        """One that was counted."""
        if seen.seconds is not None and seen.seconds >= self.floor_s:
            self.longest.append(seen)
        if level_of(seen.stretch) >= self.level:
            self.kept.append(seen)

    def trim(self, most: int) -> None:
        """Raise the level until no more than `most` are kept; keep a third as many of the longest."""
        while len(self.kept) > most:
            self.level += 1
            self.kept = [seen for seen in self.kept if level_of(seen.stretch) >= self.level]
        if len(self.longest) > most // 3:
            self.longest.sort(key=lambda s: (-(s.seconds or 0.0), s.order))
            del self.longest[most // 3 :]
            self.floor_s = max(self.floor_s, self.longest[-1].seconds or 0.0)

    def merge(self, other: Reservoir) -> None:
        self.count += other.count
        self.level = max(self.level, other.level)
        self.floor_s = max(self.floor_s, other.floor_s)
        self.kept = [seen for seen in [*self.kept, *other.kept] if level_of(seen.stretch) >= self.level]
        self.longest += other.longest

    def events(self) -> list[Seen]:
        return sorted({seen.order: seen for seen in [*self.kept, *self.longest]}.values(), key=lambda s: s.order)

    def outliers(self) -> set[tuple[float, int, int, int, str]]:
        """By their order, the events that are there for their length only: no part of the sample."""
        return {seen.order for seen in self.longest} - {seen.order for seen in self.kept}


@lru_cache(maxsize=512)
def level_of(stretch: int) -> int:
    """Leading zeros of a hash of the stretch: level n keeps one stretch in 2**n."""
    return 64 - ((stretch * _HASH) & _MASK).bit_length()


def stretch_at(at_s: float) -> int:
    return int(at_s // STRETCH_S)


class Noted(NamedTuple):
    """A line that was only counted, kept as it is for the long time that it names."""

    longest_s: float
    file: int
    piece: int
    line: int
    stretch: int
    literals: tuple[int, ...]
    before_s: float | None  # the stamp of the line that it continues, where it has none
    raw: bytes


@dataclass(slots=True)
class Glanced:
    """Of the lines of one literal that were only counted, those that name the longest times."""

    most: int
    found: list[Noted] = field(default_factory=list)
    floor_s: float = 0.0  # a line that names no more is not among them any more

    def keep(self, noted: Noted) -> None:
        self.found.append(noted)
        if len(self.found) >= 2 * self.most:
            self.trim()

    def trim(self) -> None:
        if len(self.found) > self.most:
            self.found.sort(key=lambda noted: (-noted.longest_s, noted[1:4]))
            del self.found[self.most :]
            self.floor_s = max(self.floor_s, self.found[-1].longest_s)

    def merge(self, other: Glanced) -> None:
        self.most = max(self.most, other.most)
        self.floor_s = max(self.floor_s, other.floor_s)
        self.found += other.found


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
    before: str = ""  # the step told right before a held one, and how many of the lines around tell of it
    before_count: int = 0
    after: str = ""
    after_count: int = 0
    lines: int = 0


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
    zoned: Counter[int] = field(default_factory=Counter)  # by file: lines whose stamp says its zone
    backwards: Counter[int] = field(default_factory=Counter)  # stamps that went back by more than a second
    notes: set[tuple[int, str]] = field(default_factory=set)
    # By file and frequent literal:
    read: Counter[tuple[int, int]] = field(default_factory=Counter)  # lines that were read ...
    unread: Counter[tuple[int, int]] = field(default_factory=Counter)  # ... and that were only counted;
    beside: Counter[tuple[int, int]] = field(
        default_factory=Counter
    )  # read for another literal where it is not searched
    sought_bytes: Counter[tuple[int, int]] = field(default_factory=Counter)  # for one that is not searched everywhere
    unsought_bytes: Counter[tuple[int, int]] = field(default_factory=Counter)
    glanced: dict[int, Glanced] = field(default_factory=dict)  # by literal: the longest of those

    def add(self, seen: Seen) -> None:
        reservoir = self.reservoir(seen.kind)
        if reservoir.counts(level_of(seen.stretch), seen.seconds):
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
        for glanced in self.glanced.values():
            glanced.trim()

    def noted(self) -> list[Noted]:
        """All pieces are in: the lines to read for the time that they name, in order."""
        self.trim()
        return sorted({noted[1:]: noted for glanced in self.glanced.values() for noted in glanced.found}.values())

    def add_longest(self, seen: Iterable[Seen]) -> None:
        """What such lines say: not counted again."""
        for each in seen:
            self.reservoir(each.kind).longest.append(each)
        self.glanced.clear()
        self.trim()

    def merge(self, other: Partial) -> None:
        """Take in another piece; order does not matter once `trim` was called at the end."""
        for kind, reservoir in other.reservoirs.items():
            self.reservoirs.setdefault(kind, Reservoir()).merge(reservoir)
        self.edges += other.edges
        self.quiet += other.quiet
        self.formats += other.formats
        self.unparsed += other.unparsed
        self.looked += other.looked
        self.zoned += other.zoned
        self.backwards += other.backwards
        self.resolution += other.resolution
        self.workers |= other.workers
        self.beats |= other.beats
        self.notes |= other.notes
        self.read += other.read
        self.unread += other.unread
        self.beside += other.beside
        self.sought_bytes += other.sought_bytes
        self.unsought_bytes += other.unsought_bytes
        for literal, glanced in other.glanced.items():
            self.glanced.setdefault(literal, Glanced(glanced.most)).merge(glanced)
        if sum(len(r.kept) + len(r.longest) for r in self.reservoirs.values()) > 2 * BUDGET:
            self.trim()
