"""Which lines can hold an event at all: one pass of multi-literal search over a block, before any line is parsed.

Why groups: the matcher's SIMD path holds a few dozen literals; with more it falls back to an automaton that is several
times slower. Several quick passes over a block that lies in the cache beat one slow pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from taskdoctor.collectors.logs.event import LogEvent

LITERAL_BITS = 12
LITERAL_MASK = (1 << LITERAL_BITS) - 1
GROUP = 48  # literals per pass; measured: one pass with all of them takes several times as long


def searcher(literals: Sequence[bytes]) -> BytesAhoCorasick:
    """Finds a few dozen literals in one pass; of overlapping ones the first."""
    return BytesAhoCorasick(literals, matchkind=MatchKind.LeftmostFirst)


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
        self.announced = [*(_announced(literal, by_literal) for literal in self.literals), ()]  # last: learned ones
        self._groups = [
            (searcher(self.literals[start : start + GROUP]), start) for start in range(0, len(self.literals), GROUP)
        ]

    def hits(self, data: bytes | memoryview, learned: BytesAhoCorasick | None = None) -> list[int]:
        """The literals in the block by position, learned ones last, each as `position << LITERAL_BITS | literal`.

        Plain integers: there are millions of them, and they are put in order.
        """
        found: list[int] = []
        if learned is not None:
            last = len(self.literals)
            found = [start << LITERAL_BITS | last for _, start, _ in learned.find_matches_as_indexes(data)]
        for automaton, first in self._groups:
            matches = automaton.find_matches_as_indexes(data)
            if matches:
                found += [start << LITERAL_BITS | first + which for which, start, _ in matches]
        found.sort()
        return found

    def candidates(self, data: bytes | memoryview, learned: BytesAhoCorasick | None = None) -> list[tuple[int, int]]:
        """(position, literal index) of the literals in the block, by position; learned ones announce no event."""
        return [(hit >> LITERAL_BITS, hit & LITERAL_MASK) for hit in self.hits(data, learned)]

    def in_line(self, line: bytes) -> Iterable[int]:
        """Events whose literal stands in one line."""
        return {event for _, which in self.candidates(line) for event in self.announced[which]}


def _announced(literal: bytes, by_literal: dict[bytes, list[int]]) -> tuple[int, ...]:
    """Events of this literal, and of every literal inside it: matches do not overlap, so it hides those."""
    return tuple(sorted({index for other, indexes in by_literal.items() if other in literal for index in indexes}))
