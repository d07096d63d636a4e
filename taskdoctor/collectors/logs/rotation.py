"""What the names of log files say: which are logs, which are parts of one rotated log, and which part is older.

Known are numbers (`server.log.2`, the higher the older), dates behind (`server.log.2026-03-04`, `server.log-20260304`)
and dates inside (`server-20260304.log`, `debug_2026-03-04.log`, loguru's `server.2026-03-04_10-11-12_123456.log`).
"""

from __future__ import annotations

import re

# Parts in the order of their writing compare as these tuples. The part that is being written has nothing in its name.
Rank = tuple[int, ...]
ACTIVE = 10**18

# Dates get one length, so that a day and an instant of it compare; the largest is below ACTIVE.
_DIGITS = 18

_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst)$", re.IGNORECASE)
_LOG = r"(?:\.(?:log|out|err|txt|jsonl|ndjson|json)|(?:^|[._-])(?:syslog|messages|stdout|stderr|access_log|error_log))"
_LOG_NAME = re.compile(rf"{_LOG}$", re.IGNORECASE)
_LOG_INSIDE = re.compile(rf"{_LOG}(?=$|[._-])", re.IGNORECASE)
# A day, with up to a time of day and microseconds behind it, in any of the ways in which rotation writes it.
_STAMP = r"(?P<stamp>(?:19|20)\d\d-?[01]\d-?[0-3]\d(?:[T_.-]?\d\d(?:[-:_]?\d\d){0,2}(?:[._-]\d{1,6})?|-\d{10})?)"
_NUMBER_BEHIND = re.compile(r"(?P<base>.+)\.(?P<number>\d{1,3})")
_STAMP_BEHIND = re.compile(rf"(?P<base>.+?)[._-]{_STAMP}")
_STAMP_INSIDE = re.compile(rf"(?P<base>.*?)(?:^|[._-]){_STAMP}(?P<extension>\.[A-Za-z]+)")


def packed_by_name(name: str) -> bool:
    return bool(_PACKED.search(name))


def is_log_name(name: str) -> bool:
    """Whether a file found in a folder is taken for a log."""
    return bool(_LOG_NAME.search(rotation(name)[0]))


def rotation(name: str) -> tuple[str, Rank]:
    """The name of the log that this file is a part of, and where the part stands in it."""
    base = _PACKED.sub("", name)
    rank: Rank = (ACTIVE,)
    while (step := _behind(base) or _inside(base)) is not None:
        base, part = step
        rank = (part, *rank)
    return base, rank


def _behind(name: str) -> tuple[str, int] | None:
    number, stamp = _NUMBER_BEHIND.fullmatch(name), _STAMP_BEHIND.fullmatch(name)
    if number and _LOG_INSIDE.search(number["base"]):
        return number["base"], -int(number["number"])
    if stamp and _LOG_INSIDE.search(stamp["base"]):
        return stamp["base"], _instant(stamp["stamp"])
    return None


def _inside(name: str) -> tuple[str, int] | None:
    match = _STAMP_INSIDE.fullmatch(name)
    return match and (f"{match['base'] or '*'}{match['extension']}", _instant(match["stamp"]))


def _instant(stamp: str) -> int:
    return int(re.sub(r"\D", "", stamp)[:_DIGITS].ljust(_DIGITS, "0"))
