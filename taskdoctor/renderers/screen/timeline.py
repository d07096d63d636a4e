"""The stalls and their owners, drawn over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from taskdoctor.model import Interval, LaneRow, Verdict
from taskdoctor.renderers.screen.charts import covered, levels
from taskdoctor.renderers.screen.sheet import BAD, CODE, DIM, Sheet
from taskdoctor.renderers.words import clock, day, duration, plain_text

STALLS = "stalls"
LABEL_CELLS = 20
MOST_LANES = 22  # every cause, and the stalls


def write_timeline(sheet: Sheet, verdict: Verdict) -> None:
    """One lane for each cause under the stalls; the fuller a column, the more of its time was lost."""
    rows, window = verdict.report.timeline, verdict.window
    if not any(row.intervals for row in rows) or window is None or not _drawable(window):
        return
    sheet.heading("Timeline")
    labels = [sheet.chip(plain_text(row.name, LABEL_CELLS)) for row in _ordered(rows)]
    margin = min(max(label.cell_len for label in labels), sheet.width // 3)
    cells = sheet.width - margin - 4
    lanes = [covered(row.intervals, window, cells) for row in _ordered(rows)]
    top = max(max(lane) for lane in lanes)
    for row, label, lane in zip(_ordered(rows), labels, lanes, strict=True):
        _lane(sheet, label, margin, levels(lane, top, sheet.glyphs), is_stalls=row.name == STALLS)
    _axis(sheet, window, margin, cells)
    scale = f"each column {duration(window.seconds / cells)}, a full one {duration(top)} lost"
    sheet.write(sheet.text(scale, DIM), indent=margin + 3, width=sheet.width)


def _drawable(window: Interval) -> bool:
    return 0 < window.seconds < math.inf


def _ordered(rows: Sequence[LaneRow]) -> list[LaneRow]:
    drawn = [row for row in rows if row.intervals]
    return sorted(drawn, key=lambda row: row.name != STALLS)[:MOST_LANES]


def _lane(sheet: Sheet, label: Text, margin: int, signs: str, *, is_stalls: bool) -> None:
    label.truncate(margin, overflow="crop", pad=True)
    drawn = Text(signs)
    drawn.highlight_regex(f"[^{sheet.glyphs.nothing}]+", BAD if is_stalls else CODE)
    drawn.highlight_regex(f"[{sheet.glyphs.nothing}]+", DIM)
    line = Text(" ").append_text(label).append("  ").append_text(drawn)
    sheet.write(line, width=sheet.width)


def _axis(sheet: Sheet, window: Interval, margin: int, cells: int) -> None:
    start, end = clock(window.start_s), clock(window.end_s)
    if day(window.start_s) != day(window.end_s) and cells >= 42:
        start, end = f"{day(window.start_s)} {start}", f"{day(window.end_s)} {end}"
    between = cells - len(start) - len(end)
    if between < 1:
        sheet.write(sheet.text(f"{start} – {end}", DIM), indent=margin + 3, width=sheet.width)
        return
    sheet.write(sheet.drawing(start + " " * between + end, DIM), indent=margin + 3, width=sheet.width)
