"""Where in a cell of a big log a silence can be, without parsing its lines.

Stamps at even distances tell which stretches are too short in time to hold one; only the others are looked into. Where
several workers write into one log, one of them may fall silent while the others go on: then its name is missing from
a stretch of bytes that is long enough in time.
"""

from __future__ import annotations

from collections.abc import Iterable

from taskdoctor.collectors.logs.prefix import LineParser

MOST_PROBES = 64  # stamps looked at in a cell
HALVED_BYTES = 1024  # a shorter stretch is read line by line


def probes(first_s: float, last_s: float, shortest_s: float) -> int:
    """So many looks at even distances that no gap of this length lies between two of them unseen."""
    return min(MOST_PROBES, int(1.25 * abs(last_s - first_s) / shortest_s) + 1)


def worker_falls_silent(
    parser: LineParser, data: bytes, writers: Iterable[bytes], first_s: float, last_s: float, shortest_s: float
) -> bool:
    """Whether one of the writers, known by the bytes that its lines carry, is missing for `shortest_s`."""
    step = max(1, len(data) // probes(first_s, last_s, shortest_s))
    apart_bytes = step // 2
    for writer in writers:
        for target in range(step, len(data), step):
            before = data.rfind(writer, 0, target)
            after = data.find(writer, target)
            if before < 0 or after < 0:  # it had not begun, or is gone
                continue
            if after - before >= apart_bytes and _apart_s(parser, data, before, after) >= shortest_s:
                return True
    return False


def _apart_s(parser: LineParser, data: bytes, before: int, after: int) -> float:
    begin_s, end_s = (parser.stamp_at(data, data.rfind(b"\n", 0, at) + 1) for at in (before, after))
    return 0.0 if begin_s is None or end_s is None else end_s - begin_s


def has_gap(parser: LineParser, data: bytes, first_s: float, last_s: float, shortest_s: float) -> bool:
    """Whether two neighbouring stamps lie `shortest_s` apart.

    Told from stamps at even distances first: most stretches between them are too short in time. The others are halved.
    """
    step = max(1, len(data) // probes(first_s, last_s, shortest_s))
    at, at_s, open_ends = 0, first_s, []
    for begin, begin_s in parser.stamps_apart(data, step):
        if abs(begin_s - at_s) >= shortest_s:
            open_ends.append((at, begin, at_s, begin_s))
        at, at_s = begin, begin_s
    if abs(last_s - at_s) >= shortest_s:
        open_ends.append((at, len(data), at_s, last_s))
    return any(_has_gap_between(parser, data, *ends, shortest_s) for ends in open_ends)


def _has_gap_between(
    parser: LineParser, data: bytes, start: int, end: int, begin_s: float, end_s: float, shortest_s: float
) -> bool:
    if abs(end_s - begin_s) < shortest_s:
        return False
    middle = data.find(b"\n", (start + end) // 2, end - 1) + 1
    middle_s = parser.stamp_at(data, middle) if start < middle < end else None
    if middle_s is None or end - start < HALVED_BYTES:
        return _neighbours_gap(parser, data, start, end, shortest_s)
    return _has_gap_between(parser, data, start, middle, begin_s, middle_s, shortest_s) or _has_gap_between(
        parser, data, middle, end, middle_s, end_s, shortest_s
    )


def _line_at(data: bytes, start: int) -> bytes:
    stop = data.find(b"\n", start)
    return data[start : None if stop < 0 else stop]


def _neighbours_gap(parser: LineParser, data: bytes, start: int, end: int, shortest_s: float) -> bool:
    """The same, line by line, for what cannot be halved any more; up to and with the first line after it."""
    before: float | None = None
    for raw in [*data[start:end].split(b"\n"), _line_at(data, end)]:
        at_s = parser.stamp(raw)
        if at_s is not None:
            if before is not None and at_s - before >= shortest_s:
                return True
            before = at_s
    return False
