"""`--since` and `--until`: an instant, a time of day of the log's last day, or so long before the log's end."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from taskdoctor.collectors.logs import stamps
from taskdoctor.collectors.logs.event import parse_duration
from taskdoctor.collectors.logs.inputs import find_inputs
from taskdoctor.collectors.logs.prefix import LineParser
from taskdoctor.collectors.logs.reading import CELL_BYTES, blocks, open_input
from taskdoctor.collectors.logs.scanning import Window
from taskdoctor.errors import UsageError

_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")
DAY_S = 86400


def window(since: str | None, until: str | None, paths: Sequence[str]) -> Window:
    """The stretch of time that the user asked for. Raises UsageError for what is no time."""
    if since is None and until is None:
        return Window()
    end_s = end_of(paths)
    chosen = Window(
        _moment(since, "--since", end_s) if since is not None else float("-inf"),
        _moment(until, "--until", end_s) if until is not None else float("inf"),
    )
    if chosen.since_s > chosen.until_s:
        raise UsageError(f"--since {since} is after --until {until}", hint="Swap them.")
    return chosen


def _moment(text: str, option: str, end_s: float) -> float:
    stamp = stamps.read(text.strip(), end_s)
    if stamp is not None:
        return stamp.at_s
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()):
        day = stamps.read(f"{text.strip()} 00:00:00", end_s)
        if day is not None:
            return day.at_s
    of_day = _TIME_OF_DAY.fullmatch(text.strip())
    if of_day is not None and int(of_day[1]) < 24 and int(of_day[2]) < 60:
        return end_s // DAY_S * DAY_S + int(of_day[1]) * 3600 + int(of_day[2]) * 60 + float(of_day[3] or 0)
    ago_s = parse_duration(text)
    if ago_s is not None and not text.strip().isdigit():
        return end_s - ago_s
    raise UsageError(f"{option} {text}: not a time", hint="Write 2026-03-04 10:11, 10:11:12, or 30m before the end.")


def end_of(paths: Sequence[str]) -> float:
    """The last stamp of the last file; its age on disk, or now, where that cannot be had cheaply."""
    latest = float("-inf")
    for one in find_inputs(paths)[0]:
        with open_input(one) as reading:
            if not reading.seekable:
                latest = max(latest, one.mtime_s)
                continue
            parser = LineParser(reference_s=one.mtime_s)
            for block in blocks(reading, max(0, one.size_bytes // CELL_BYTES - 1), None):
                for raw in bytes(memoryview(block.data)[block.start : block.end]).split(b"\n"):
                    latest = max(latest, parser.stamp(raw) or float("-inf"))
    return latest if latest > 0 else time.time()
