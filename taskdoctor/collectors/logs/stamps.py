"""Stamps: the many ways in which logs write an instant, read as seconds since the epoch.

Why by hand: a log holds millions of stamps of a few shapes, and the shape is already known from the line's format. A
stamp without a zone is taken as written (UTC). A stamp without a year takes the latest year that does not put it more
than a day after the reference (the file's age or now); one without a date falls on the reference's day.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import NamedTuple

Clock = Callable[[bytes, float], "float | None"]  # (whole seconds with zone, reference_s) -> epoch

DAY_S = 86400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_TIME = re.compile(rb"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?(?![0-9])")
_ZONE = re.compile(rb"(?:Z|UTC|GMT|([+-])([0-9]{2}):?([0-9]{2}))\Z")
_RESOLUTIONS_S = (1.0, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6)


class Stamp(NamedTuple):
    """One instant; `aware`: its zone was written."""

    at_s: float
    resolution_s: float
    aware: bool


def iso(text: bytes, reference_s: float) -> float | None:
    """`2026-03-04 10:11:12`, with T, slashes, points or ` - ` between, and a zone after it."""
    return _instant(text[:4], text[5:7], text[8:10], text[10:])


def compact(text: bytes, reference_s: float) -> float | None:
    """`260304 10:11:12`: two digits of the year, as tornado writes."""
    return _instant(b"20" + text[:2], text[2:4], text[4:6], text[6:])


def compact_year(text: bytes, reference_s: float) -> float | None:
    """`20260304 10:11:12`: newer glog."""
    return _instant(text[:4], text[4:6], text[6:8], text[8:])


def named_month(text: bytes, reference_s: float) -> float | None:
    """`04/Mar/2026:10:11:12 +0000`, `04-Mar-2026 10:11:12`, `04 Mar 2026 10:11:12`."""
    return _instant(text[7:11], text[3:6], text[:2], text[11:])


def day_first(text: bytes, reference_s: float) -> float | None:
    """`04/03/2026 10:11:12`, `04.03.2026 10:11:12`; month first where it can only be that."""
    day_month = _instant(text[6:10], text[3:5], text[:2], text[10:])
    return day_month if day_month is not None else _instant(text[6:10], text[:2], text[3:5], text[10:])


def syslog(text: bytes, reference_s: float) -> float | None:
    """`Mar  4 10:11:12`, with a year after the day or at the end where there is one."""
    words = text.split()
    years = [word for word in words[2:] if len(word) == 4 and word.isdigit()]
    if years:
        return _instant(years[0], words[0], words[1], text)
    return _latest(words[0], words[1], text[6:], reference_s)


def month_day(text: bytes, reference_s: float) -> float | None:
    """`03-04 10:11:12`."""
    return _latest(text[:2], text[3:5], text[5:], reference_s)


def glog(text: bytes, reference_s: float) -> float | None:
    """`0304 10:11:12`."""
    return _latest(text[:2], text[2:4], text[4:], reference_s)


def time_only(text: bytes, reference_s: float) -> float | None:
    """`10:11:12` on the reference's day; the caller, who sees the lines in order, unrolls the days."""
    seconds = _seconds(text)
    return None if seconds is None else reference_s // DAY_S * DAY_S + seconds


def epoch(text: bytes, reference_s: float) -> float | None:
    """Seconds, milli-, micro- or nanoseconds since the epoch: their size tells which."""
    try:
        return _from_epoch(int(text))
    except ValueError:
        return None


def any_date(text: bytes, reference_s: float) -> float | None:
    """A date of any of the shapes above, told by its separators."""
    if not text[:2].isdigit():
        return syslog(text, reference_s)
    if text[:6].isdigit():
        return compact_year(text, reference_s) if text[:8].isdigit() else compact(text, reference_s)
    if text[:4].isdigit():
        return iso(text, reference_s)
    if text[3:5].isalpha():
        return named_month(text, reference_s)
    return day_first(text, reference_s) if text[2:3] in b"/." else month_day(text, reference_s)


def fraction_s(digits: bytes) -> float:
    """`345` after the point or comma: 0.345."""
    return int(digits) / 10.0 ** len(digits)


def resolution_s(digits: int) -> float:
    """What one unit of the last digit is worth; below 1 us a float holds no more."""
    return _RESOLUTIONS_S[min(digits, 6)]


def read(value: object, reference_s: float) -> Stamp | None:
    """The instant in a field of a JSON record: text or a number."""
    if isinstance(value, str):
        return _read_text(value.strip().encode("ascii", "replace")[:64], reference_s)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    at_s = _from_epoch(value)
    return None if at_s is None else Stamp(at_s, _number_resolution_s(value), aware=True)


_TEXT = re.compile(
    rb"(?:(?P<iso>[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[Tt ][0-9:]{5,8})"
    rb"|(?P<named>[0-9]{2}[/ -][A-Za-z]{3}[/ -][0-9]{4}[: ][0-9:]{8})"
    rb"|(?P<syslog>[A-Za-z]{3} [ 0-9]?[0-9] [0-9:]{8})|(?P<epoch>[0-9]{10,19}))"
    rb"(?:[.,](?P<fraction>[0-9]{1,9})[0-9]*)?\s?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?(?: UTC)?\Z"
)
_TEXT_CLOCKS: dict[str, Clock] = {"iso": iso, "named": named_month, "syslog": syslog, "epoch": epoch}


def _read_text(text: bytes, reference_s: float) -> Stamp | None:
    match = _TEXT.match(text)
    if match is None:
        return None
    shape = next(name for name in _TEXT_CLOCKS if match[name] is not None)
    zone, digits = match["zone"] or b"", match["fraction"] or b""
    at_s = _TEXT_CLOCKS[shape](match[shape] + zone, reference_s)
    if at_s is None:
        return None
    resolution = resolution_s(len(digits))
    if shape == "epoch" and not digits:
        resolution = _number_resolution_s(int(match["epoch"]))
    return Stamp(at_s + (fraction_s(digits) if digits else 0.0), resolution, aware=bool(zone) or shape == "epoch")


def _from_epoch(value: float) -> float | None:
    """A number between 1990 and 2100, in whichever unit puts it there."""
    for limit, per_second in ((5e9, 1), (5e12, 1_000), (5e15, 1_000_000), (5e18, 1_000_000_000)):
        if value < limit:
            at_s = value / per_second
            return at_s if at_s >= 6e8 else None
    return None


def _number_resolution_s(value: float) -> float:
    if isinstance(value, float) or value >= 5e12:
        return 1e-6
    return 0.001 if value >= 5e9 else 1.0


def _instant(year: bytes, month: bytes, day: bytes, rest: bytes) -> float | None:
    """Date parts and whatever holds time and zone; None where any part is impossible."""
    days = _days(year, month, day)
    seconds = _seconds(rest)
    if days is None or seconds is None:
        return None
    return float(days * DAY_S + seconds - _offset_s(rest))


def _latest(month: bytes, day: bytes, rest: bytes, reference_s: float) -> float | None:
    """The latest year that keeps the stamp from lying in the future; leap days go back to the last leap year."""
    try:
        year = datetime.fromtimestamp(reference_s, UTC).year + 1
    except (OverflowError, ValueError, OSError):
        return None
    for candidate in range(year, year - 10, -1):
        at_s = _instant(b"%04d" % candidate, month, day, rest)
        if at_s is not None and at_s <= reference_s + DAY_S:
            return at_s
    return None


def _days(year: bytes, month: bytes, day: bytes) -> int | None:
    number = _MONTHS.get(month.lower()) if month.isalpha() else None
    try:
        when = date(int(year), number or int(month), int(day))
    except ValueError:
        return None
    return when.toordinal() - _EPOCH_DAY if when.year >= 1970 else None


def _seconds(text: bytes) -> int | None:
    """Seconds of the day; a leap second counts as the next one."""
    match = _TIME.search(text)
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups())
    return hour * 3600 + minute * 60 + second if hour < 24 and minute < 60 and second <= 60 else None


def _offset_s(text: bytes) -> int:
    match = _ZONE.search(text)
    if match is None or match[1] is None:
        return 0
    seconds = int(match[2]) * 3600 + int(match[3]) * 60
    return -seconds if match[1] == b"-" else seconds
