"""Numbers as rows of signs: lanes over time, sparklines, histograms, a bar of probability."""

from __future__ import annotations

import math
from collections.abc import Sequence

from taskdoctor.model import Interval
from taskdoctor.renderers.screen.glyphs import Glyphs


def bar(share: float, cells: int, glyphs: Glyphs) -> tuple[str, str]:
    """The filled and the empty part of a bar; something is never drawn as nothing."""
    share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    filled = min(max(round(share * cells), 1 if share > 0 else 0), cells)
    return glyphs.full * filled, glyphs.rest * (cells - filled)


def levels(values: Sequence[float], top: float, glyphs: Glyphs) -> str:
    """One sign for each value, full at `top`; what is above zero shows at least the lowest level."""
    steps = len(glyphs.ramp)
    signs: list[str] = []
    for value in values:
        if value <= 0 or top <= 0:
            signs.append(glyphs.nothing)
        else:
            signs.append(glyphs.ramp[min(max(math.ceil(value / top * steps), 1), steps) - 1])
    return "".join(signs)


def covered(intervals: Sequence[Interval], window: Interval, cells: int) -> list[float]:
    """Seconds of each cell of the window that the intervals cover; overlaps count once."""
    seconds = [0.0] * cells
    step = window.seconds / cells
    if not step > 0:
        return [float(bool(intervals))] * cells
    for start, end in _united(intervals, window):
        first, last = (min(int((at - window.start_s) / step), cells - 1) for at in (start, end))
        for cell in range(first, last + 1):
            left = window.start_s + cell * step
            seconds[cell] += max(min(end, left + step) - max(start, left), 0.0)
        seconds[first] = max(seconds[first], step * 1e-6)  # a moment without length is still there
    return seconds


def _united(intervals: Sequence[Interval], window: Interval) -> list[tuple[float, float]]:
    united: list[tuple[float, float]] = []
    for interval in sorted(part for part in intervals if math.isfinite(part.start_s) and math.isfinite(part.end_s)):
        start, end = max(interval.start_s, window.start_s), min(interval.end_s, window.end_s)
        if end < start:
            continue
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def sparkline(series: Sequence[tuple[float, int]], cells: int, glyphs: Glyphs) -> str:
    """A count over time, from zero to its highest; each sign is the highest of its stretch, or the last known."""
    series = [(at_s, count) for at_s, count in series if math.isfinite(at_s)]
    if not series or cells < 1:
        return ""
    start, cells = series[0][0], min(cells, len(series))
    step = (series[-1][0] - start) / cells
    peaks: list[float | None] = [None] * cells
    for at_s, count in series:
        far = (at_s - start) / step if 0 < step < math.inf else 0.0
        cell = int(min(max(far, 0.0), cells - 1.0))
        peaks[cell] = max(peaks[cell] or 0.0, float(count))
    return levels(_carried(peaks), max(float(count) for _, count in series), glyphs)


def _carried(peaks: Sequence[float | None]) -> list[float]:
    carried: list[float] = []
    for peak in peaks:
        carried.append(peak if peak is not None else carried[-1] if carried else 0.0)
    return carried


def histogram(bins: Sequence[tuple[float, float, int]], cells: int, glyphs: Glyphs) -> str:
    """Counts of the bins, neighbours joined until they fit."""
    if not bins or cells < 1:
        return ""
    per_cell = math.ceil(len(bins) / cells)
    counts = [float(sum(count for *_, count in bins[at : at + per_cell])) for at in range(0, len(bins), per_cell)]
    wide = max(min(cells // len(counts), 3), 1)
    return "".join(sign * wide for sign in levels(counts, max(counts), glyphs))
