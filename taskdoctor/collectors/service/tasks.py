"""The task list as the monitor prints it, read back: names stand in it unescaped, by display width, on many lines.

Why columns come from the header row and are cut by display width: a name may hold `|`, double spaces, escapes, wide
characters and line ends; what never moves is where the columns begin.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from taskdoctor.collectors.service.wire import ChannelError

MOST_TASKS = 60_000
_COLOUR = re.compile(r"\x1b\[[\d;]+m")  # the only escapes that the table does not count as characters
_BORDER = re.compile(r"^\+-{3,}[-+]*\+\s*$")
_SINCE = re.compile(
    r"^(?:(?P<years>\d+)y)?(?:(?P<months>\d+)m)?(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?P<minutes>\d+):(?P<seconds>\d+(?:\.\d+)?)$"
)
_IN_SECONDS = {"years": 31_536_000, "months": 2_592_000, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
HEADERS = ("Task ID", "State", "Name", "Coroutine", "Created Location", "Since")


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task as the monitor tells of it."""

    id: str
    state: str
    name: str
    coroutine: str
    site: str = ""  # where it was created; only with the task factory of aiomonitor
    since: str = ""
    running_at: str = ""  # file:line, where the monitor tells (0.4)

    @property
    def age_s(self) -> float | None:
        """Its age, where the monitor knows it."""
        found = _SINCE.match(self.since)
        if not found:
            return None
        return sum(float(value) * _IN_SECONDS[unit] for unit, value in found.groupdict().items() if value)


def is_whole(text: str) -> bool:
    """Whether a `ps` has come to its end: its last line is the lower border, or it failed."""
    if "✗" in text:
        return True
    rows = text.rstrip().splitlines()
    return bool(rows) and _BORDER.match(rows[-1].rstrip()) is not None and sum(map(_is_border, rows)) >= 3


def _is_border(row: str) -> bool:
    return _BORDER.match(row) is not None


def parse_ps(text: str) -> list[TaskRecord]:
    """The rows of `ps`. Raises ChannelError when there is no such table in the text."""
    rows = _COLOUR.sub("", text).split("\n")
    at = next((at for at, row in enumerate(rows) if row.startswith("| Task ID")), None)
    if at is None:
        reason = "failed in the service" if "✗" in text else "was not understood"
        raise ChannelError(f"the task list {reason}")
    starts = [start for header in HEADERS if (start := rows[at].find(f" {header} ")) >= 0]
    width = len(rows[at].rstrip())
    records: list[TaskRecord] = []
    for row in rows[at + 1 :]:
        if _is_border(row) and len(row.rstrip()) == width:
            if records:
                break
            continue
        cells = _cells(row, starts, width)
        if cells[0].isdigit():
            records.append(_task(cells))
        elif records:
            records[-1] = _joined(records[-1], cells)
        if len(records) >= MOST_TASKS:
            break
    return records


def _task(cells: list[str]) -> TaskRecord:
    id_, state, name, coroutine, site, since = [*cells, "", "", "", "", "", ""][:6]
    return TaskRecord(id_, state, name, coroutine, "" if site == "-" else site, since)


def _joined(record: TaskRecord, cells: list[str]) -> TaskRecord:
    """A name with a line end goes on in a row whose other cells are empty."""
    name = f"{record.name}\n{cells[2]}" if len(cells) > 2 and cells[2] else record.name
    coroutine = record.coroutine + (cells[3] if len(cells) > 3 else "")
    return TaskRecord(record.id, record.state, name, coroutine, record.site, record.since)


def _cells(row: str, starts: list[int], width: int) -> list[str]:
    """A row cut where the columns of the header begin, in cells of the screen."""
    if row.isascii():
        edges = [*starts, width - 1]
        return [row[start:end].strip() for start, end in pairwise(edges)]
    cells, column, at = [""] * len(starts), 0, -1
    for char in row:
        while at + 1 < len(starts) and column >= starts[at + 1]:
            at += 1
        if at >= 0 and column < width - 1:
            cells[at] += char
        column += cells_of(char)
    return [cell.strip() for cell in cells]


def cells_of(char: str) -> int:
    """How many cells the table counts for a character: it knows wide ones, and no others."""
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
