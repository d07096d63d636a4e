"""Which lines can hold an event at all: one pass of multi-literal search over a block, before any line is parsed.

Why groups: the matcher's SIMD path holds a few dozen literals; with more it falls back to an automaton that is several
times slower. Several quick passes over a block that lies in the cache beat one slow pass.

Why the order in a group and the first bytes matter: that path looks at four bytes, and puts the literals into sixteen
buckets by turns. What costs is places that fit a bucket and then are none of its literals. So literals that begin alike
share a bucket, and in a big log each is searched from those of its bytes on that are rare in there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from taskdoctor.collectors.logs.event import LogEvent

LITERAL_BITS = 12
LITERAL_MASK = (1 << LITERAL_BITS) - 1
GROUP, GROUP_MOST = 48, 62  # literals per pass; from 65 on the search takes several times as long
OVERLAP_BYTES = 2
FIRST_BYTES = 4  # looked at
FAT_GROUP = 32  # a larger group has twice the buckets
BUCKETS = 8
# With fewer literals bytes are looked for one by one, common ones too: these, of no encoding, are never found.
PADDING = tuple(bytes((0xF8, 0xF9, 0xFA, 0x80 + number)) for number in range(8))


_Tail = tuple[bytes, int, bytes]  # of a literal what is searched, its number, and what stands before that


class _Group(NamedTuple):
    """What is searched in one pass."""

    automaton: BytesAhoCorasick
    numbers: tuple[int, ...]  # of its literals
    before: tuple[bytes, ...]  # what must stand before each that is found


class Search:
    """Literals, and marks that were learned of one file, found in a block."""

    def __init__(
        self,
        literals: Sequence[bytes],
        marks: Sequence[bytes] = (),
        starts: Sequence[int] = (),
        without: Set[int] = frozenset(),
    ) -> None:
        starts = starts or (0,) * len(literals)
        tails = sorted(
            (each[at:], which, each[:at]) for which, (each, at) in enumerate(zip(literals, starts, strict=True))
        )
        apart = _overlapping(tuple(searched for searched, _, _ in tails))
        wanted = [(tail, others) for tail, others in zip(tails, apart, strict=True) if tail[1] not in without]
        self._groups = [_group(group) for group in _passes(wanted)]
        if marks:
            self._groups.append(_group([(mark, len(literals), b"") for mark in sorted(marks)]))

    def hits(self, data: bytes | memoryview) -> list[int]:
        """The literals in the block by position, each as `position << LITERAL_BITS | literal`; marks are the last one.

        Plain integers: there are millions of them, and they are put in order.
        """
        found: list[int] = []
        for automaton, numbers, before in self._groups:
            for which, position, _ in automaton.find_matches_as_indexes(data):
                head = before[which]
                if not head:
                    found.append(position << LITERAL_BITS | numbers[which])
                elif data[position - len(head) : position] == head:
                    found.append(position - len(head) << LITERAL_BITS | numbers[which])
        found.sort()
        return found


def _passes(tails: Sequence[tuple[_Tail, Set[bytes]]]) -> list[list[_Tail]]:
    """What is searched together. What can overlap in a text comes apart, since of overlapping ones a pass finds one."""
    count = -(-len(tails) // GROUP)
    groups: list[dict[bytes, _Tail]] = [{} for _ in range(count)]
    for place, (tail, others) in enumerate(tails):
        home = place * count // len(tails)
        for group in (*groups[home:], *groups[:home]):
            if len(group) < GROUP_MOST and others.isdisjoint(group):
                group[tail[0]] = tail
                break
        else:
            groups.append({tail[0]: tail})
    return [sorted(group.values()) for group in groups]


@lru_cache(maxsize=64)  # the same for every level of thinning
def _overlapping(literals: tuple[bytes, ...]) -> list[set[bytes]]:
    """For each literal those that stand in it, or begin with its end, and the other way round."""
    begin: dict[bytes, list[int]] = defaultdict(list)
    for which, literal in enumerate(literals):
        for length in range(OVERLAP_BYTES, len(literal) + 1):
            begin[literal[:length]].append(which)
    apart: list[set[bytes]] = [set() for _ in literals]
    for which, literal in enumerate(literals):
        tails = (literal[at:] for at in range(len(literal) - OVERLAP_BYTES + 1))
        others = {other for tail in tails for other in begin.get(tail, ())}
        others |= {other for other, shorter in enumerate(literals) if shorter in literal}
        for other in others - {which}:
            apart[which].add(literals[other])
            apart[other].add(literal)
    return apart


def _group(tails: Sequence[_Tail]) -> _Group:
    """One pass for what is in order: neighbours, which begin alike, come into the same bucket."""
    padded = [*tails, *((padding, 0, b"") for padding in PADDING[len(tails) :])]
    buckets = 2 * BUCKETS if len(padded) > FAT_GROUP else BUCKETS
    places = [place for bucket in range(buckets) for place in range(bucket, len(padded), buckets)]
    searched, numbers, before = zip(*(each for _, each in sorted(zip(places, padded, strict=True))), strict=True)
    return _Group(BytesAhoCorasick(searched, matchkind=MatchKind.LeftmostFirst), numbers, before)


def rare_starts(literals: Sequence[bytes], sample: bytes) -> tuple[int, ...]:
    """For each literal the byte from which on it is best searched in a log of which this is a sample."""
    common = Counter(sample[at : at + FIRST_BYTES] for at in range(len(sample) - FIRST_BYTES + 1))
    return tuple(
        min((common[literal[at : at + FIRST_BYTES]], at) for at in range(max(0, len(literal) - FIRST_BYTES) + 1))[1]
        for literal in literals
    )


def literals_of(events: Iterable[LogEvent]) -> list[str]:
    """All literals, in the order by which they are numbered."""
    return sorted({literal for event in events for literal in event.literals}, key=str.encode)


class Prefilter:
    """The literals of all events, and which events each one announces."""

    def __init__(self, events: Sequence[LogEvent]) -> None:
        self.events = sorted(events, key=lambda event: (event.priority, event.kind))
        self.every_line = tuple(index for index, event in enumerate(self.events) if not event.literals)
        by_literal: dict[bytes, list[int]] = {}
        for index, event in enumerate(self.events):
            for literal in event.literals:
                by_literal.setdefault(literal.encode(), []).append(index)
        self.literals = [literal.encode() for literal in literals_of(self.events)]
        self.timed = {
            which
            for which, literal in enumerate(self.literals)
            if any(self.events[index].measures_time for index in by_literal[literal])
        }
        self.announced = [*(_announced(literal, by_literal) for literal in self.literals), ()]  # last: learned ones
        self._searches: dict[tuple[object, ...], Search] = {}
        self.anywhere = self.search()

    def search(
        self, marks: tuple[bytes, ...] = (), starts: tuple[int, ...] = (), without: frozenset[int] = frozenset()
    ) -> Search:
        """For a file whose lines are known by these marks, and in which these bytes of the literals are rare."""
        key = marks, starts, without
        search = self._searches.get(key)
        if search is None:
            search = self._searches[key] = Search(self.literals, marks, starts, without)
        return search

    def candidates(self, data: bytes | memoryview, search: Search | None = None) -> list[tuple[int, int]]:
        """(position, literal index) of the literals in the block, by position; learned ones announce no event."""
        return [(hit >> LITERAL_BITS, hit & LITERAL_MASK) for hit in (search or self.anywhere).hits(data)]

    def in_line(self, line: bytes) -> Iterable[int]:
        """Events whose literal stands in one line."""
        return {event for _, which in self.candidates(line) for event in self.announced[which]}


def _announced(literal: bytes, by_literal: dict[bytes, list[int]]) -> tuple[int, ...]:
    """Events of this literal, and of every literal inside it: matches do not overlap, so it hides those."""
    return tuple(sorted({index for other, indexes in by_literal.items() if other in literal for index in indexes}))
