"""What a big log's own timed lines look like, learned from a few cells of it.

Why: in a big log only lines with a known literal are looked at, and a stranger's service has lines of its own
("POST /chat 200 1181ms"). A few fixed cells are read line by line; of the line shapes that carry lengths or counts, a
stretch that marks them in the raw bytes joins the search for this one file. It depends on the file alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from taskdoctor.collectors.logs.measuring import HINT, measured
from taskdoctor.collectors.logs.prefix import LineParser

SHAPES = 12  # learned at most
SEEN = 3  # times that a shape must come in the cells
FIRSTS = 15  # lines of a shape that tell whether its lines are timed
SHORTEST = 5  # bytes of a marking stretch
WRITERS_SHARE = 0.02  # of the lines with a worker: fewer are restarts, or threads of a moment
PRECISION = 0.5  # of the lines that hold it must be of the shape: else half the log would be looked at
_STRETCH = re.compile(rb"[^0-9\x00-\x1f]{5,60}")
_VARYING = re.compile(r"\S*[0-9]\S*")


def learned(cells: Iterable[bytes], parser: LineParser) -> tuple[bytes, ...]:
    """Stretches of bytes that mark the log's own timed lines, at most a dozen."""
    lines = [raw for cell in cells for raw in cell.split(b"\n") if raw]
    shapes: dict[str, list[bytes]] = defaultdict(list)
    firsts: dict[str, list[bool]] = defaultdict(list)
    for raw in lines:
        line = parser.parse(raw)
        if not HINT.search(line.message):
            continue
        shape = _VARYING.sub("#", line.message)[:120]
        first = firsts[shape]
        if len(first) < FIRSTS:
            first.append(bool(measured(line.message, line.logger)))
        if first[-1] if len(first) < FIRSTS else 2 * sum(first) > FIRSTS:
            shapes[shape].append(raw)
    common = sorted((found for found in shapes.values() if len(found) >= SEEN), key=lambda found: (-len(found), found))
    marks = {mark for found in common[:SHAPES] if (mark := _mark(found, lines)) is not None}
    return tuple(sorted(marks))


def writers(cells: Iterable[bytes], parser: LineParser) -> tuple[bytes, ...]:
    """The bytes by which the workers of a log are known, with the signs around them; none where there is only one."""
    found: Counter[bytes] = Counter()
    for raw in (raw for cell in cells for raw in cell.split(b"\n")):
        name = parser.parse(raw).worker.encode()
        at = raw.find(name) if name else 0
        if at > 0:
            found[raw[at - 1 : at + len(name) + 1]] += 1
    needed = max(SEEN, WRITERS_SHARE * found.total())
    common = sorted(marker for marker, count in found.items() if count >= needed)
    return tuple(common) if len(common) > 1 else ()


def _mark(found: Sequence[bytes], lines: Sequence[bytes]) -> bytes | None:
    """The longest stretch that stands in every line of the shape and in few others."""
    stretches: set[bytes] = {stretch.strip() for stretch in _STRETCH.findall(found[0])}
    for stretch in sorted(stretches, key=lambda each: (-len(each), each)):
        if len(stretch) < SHORTEST or not all(stretch in raw for raw in found):
            continue
        if len(found) >= PRECISION * sum(stretch in raw for raw in lines):
            return stretch
    return None
