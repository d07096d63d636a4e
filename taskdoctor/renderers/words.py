"""How numbers and foreign text read: durations, times, shares, probabilities, and text made harmless."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta

TEXT_LIMIT = 400  # characters; a sentence with its numbers is shorter
CODE_LINES = 60
CODE_WIDTH = 200  # characters of one line of code
MARKS_IN_A_ROW = 3  # combining marks on one letter; no script needs more, stacked ones run over other lines

_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]"  # the short ones, and the head of an unfinished long one
)
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")  # they change how wide an emoji is, differently in each terminal
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def plain_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """One line of text that no terminal obeys, at most `limit` characters: no sequences, controls spelled out."""
    head = text[: limit * 4 + 64]
    clean = " ".join(_visible(_ESCAPE.sub("", head)).split())
    if len(clean) <= limit and len(head) == len(text):
        return clean
    return clean[: max(limit - 1, 0)].rstrip() + "…"


def plain_lines(text: str, lines: int = CODE_LINES, limit: int = CODE_WIDTH) -> list[str]:
    """Code or log lines, made as harmless as `plain_text` but with their indentation; at most `lines` of them."""
    head = text[: lines * limit].replace("\r\n", "\n").strip("\n")
    rows = [_visible(_ESCAPE.sub("", row.expandtabs(4))).rstrip() for row in head.split("\n")]
    kept = [row if len(row) <= limit else row[: limit - 1] + "…" for row in rows[:lines]]
    cut = len(rows) > lines or len(text) > lines * limit
    return [*kept, "…"] if cut else kept


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if char not in _JOINERS and marks <= MARKS_IN_A_ROW:
            shown.append(_visible_char(char))
    return "".join(shown)


def _visible_char(char: str) -> str:
    if char.isprintable():
        return char
    if char.isspace():
        return " "
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def duration(seconds: float) -> str:
    """As a person says it: `43 ms`, `1.84 s`, `2m05s`, `1h02m`."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 0.9995:
        return _short_duration(seconds * 1000)
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    return _long_duration(round(seconds))


def _short_duration(ms: float) -> str:
    if ms == 0:
        return "0 s"
    if ms < 0.01:
        return "<0.01 ms"
    return f"{ms:.2f} ms" if ms < 0.995 else f"{ms:.1f} ms" if ms < 9.95 else f"{ms:.0f} ms"


def _long_duration(seconds: int) -> str:
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600:02}h"


def instant(at_s: float) -> datetime:
    """The aware instant; what no calendar holds becomes its first or last moment."""
    if math.isnan(at_s):
        return _EPOCH
    try:
        at = _EPOCH + timedelta(seconds=at_s)
    except OverflowError:
        return _FIRST if at_s < 0 else _LAST
    return min(at, _LAST)


def clock(at_s: float) -> str:
    """`10:11:12`, as written in the log."""
    return f"{instant(at_s):%H:%M:%S}"


def day(at_s: float) -> str:
    return instant(at_s).date().isoformat()


def moment(at_s: float, *, dated: bool) -> str:
    """A time, with its day only where the window holds more than one."""
    return f"{instant(at_s):%m-%d %H:%M:%S}" if dated else clock(at_s)


def percent(share: float) -> str:
    """A share, 0-1, as `78 %`; never rounds something to nothing, or nearly all to all."""
    if math.isnan(share):
        return "?"
    share = min(max(share, 0.0), 1.0)
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 0.9999:
        return ">99 %"
    return f"{share * 100:.0f} %"


def percent_interval(interval: tuple[float, float]) -> str:
    low, high = (min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0 for share in interval)
    return f"{low * 100:.0f}–{high * 100:.0f} %"


def chance(probability: float) -> str:
    """A probability with its word; never 100 %, because nothing read from outside is certain."""
    return f"{percent(min(probability, 0.99))} {likelihood_word(probability)}"


def likelihood_word(probability: float) -> str:
    """The word that goes with a probability; the README's reliability table is what makes it mean something."""
    if probability > 0.9:
        return "almost certain"
    if probability >= 0.7:
        return "very likely"
    return "likely" if probability >= 0.4 else "possible"


def number(value: int) -> str:
    return f"{value:,}"


def counted(value: int, noun: str, plural: str = "") -> str:
    """`1 stall`, `7 stalls`."""
    return f"{number(value)} {noun if value == 1 else plural or noun + 's'}"


def size(count_bytes: int) -> str:
    """`412 B`, `1.2 MB`."""
    amount = float(count_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"
