"""Lines that differ from one read before in their digits only: what such a line says is known but for its numbers.

Why: a service writes few texts, millions of times; finding which patterns fit is what costs, and it does not depend on
the values of digits, except where a pattern names some ("429"). So a text with its digits masked is looked up together
with the places of the digits that its patterns name. What cannot be told from that is not kept: the answer is always
that of reading the line anew (the tests compare both).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from taskdoctor.collectors.logs.event import Fields, LogEvent, extract, find, parse_duration
from taskdoctor.collectors.logs.measuring import measured
from taskdoctor.collectors.logs.prefix import Line
from taskdoctor.model import Lane

REMEMBERED = 12_000  # texts; about 1 KiB each
VARIANTS = 64  # per text
LINE_BYTES = 2048  # a longer line is not worth keeping
MASKED = b"\x00"
_MASK = bytes.maketrans(b"0123456789", MASKED * 10)
_ZEROS, _ONES = ({ord(digit): same for digit in "0123456789"} for same in "01")
_DIGIT = re.compile(r"[0-9]")
_FACTORS = {"seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "minutes": 60.0}
_BOUND_FORMATS = ("generic", "journal-unix", "syslog-5424")  # told from others by the value of a digit

Found = Sequence[tuple[LogEvent, "re.Match[str]"]]
Place = tuple[int, int]  # in the bytes of the line


class Saying(NamedTuple):
    """One reading of a text. `fields` holds for all its lines but for what the places say."""

    event: LogEvent
    kind: str
    lane: Lane
    fields: Fields
    simple: bool  # nothing but the seconds may differ, and they are a plain number
    anew: bool  # too much differs: match again
    seconds_at: Place | None = None
    factor: float = 1.0  # 0: in the free form of a duration
    value_at: Place | None = None
    key_at: Place | None = None


class Text(NamedTuple):
    """What all lines of one masked text share."""

    sayings: tuple[Saying, ...]
    message_at: Place
    worker: str
    worker_at: Place | None
    logger: str
    logger_at: Place | None
    resolution_s: float
    measures: bool  # its numbers are those of a stranger


class _Variants(NamedTuple):
    """Texts whose patterns name digits: told apart by where those stand."""

    digits: re.Pattern[bytes]
    begin: int
    texts: dict[tuple[object, ...], Text]


class Recall:
    """The texts seen so far, by masked line and announced events."""

    def __init__(self, events: Sequence[LogEvent]) -> None:
        self._events = events
        self._known: dict[tuple[bytes, tuple[int, ...]], Text | _Variants] = {}
        self._digits: dict[tuple[int, ...], re.Pattern[bytes] | None] = {}

    def get(self, raw: bytes, wanted: tuple[int, ...]) -> Text | None:
        """What is known of a line; None if it has to be read."""
        known = self._known.get((raw.translate(_MASK), wanted))
        if known is None or MASKED in raw:
            return None
        if isinstance(known, _Variants):
            return known.texts.get(_digits_at(known.digits, raw, known.begin))
        return known

    def keep(self, raw: bytes, wanted: tuple[int, ...], line: Line, found: Found, *, measures: bool) -> None:
        """Remember a line that was read, if its like can be read from it."""
        if MASKED in raw or len(raw) > LINE_BYTES:
            return
        text = _text(raw, line, found, measures=measures)
        if text is None:
            return
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        key = raw.translate(_MASK), wanted
        digits = self._named_digits(wanted)
        if digits is None:
            self._known[key] = text
            return
        variants = self._known.setdefault(key, _Variants(digits, text.message_at[0], {}))
        if isinstance(variants, _Variants) and len(variants.texts) < VARIANTS:
            variants.texts[_digits_at(digits, raw, variants.begin)] = text

    def _named_digits(self, wanted: tuple[int, ...]) -> re.Pattern[bytes] | None:
        if wanted not in self._digits:
            named = {run for index in wanted for run in named_digits(self._events[index])}
            runs = sorted(named, key=lambda run: (-len(run), run))
            self._digits[wanted] = re.compile("|".join(f"(?={run})" for run in runs).encode()) if runs else None
        return self._digits[wanted]


def _digits_at(digits: re.Pattern[bytes], raw: bytes, begin: int) -> tuple[object, ...]:
    return tuple((match.start(), raw[match.start() : match.start() + 4]) for match in digits.finditer(raw, begin))


# What holds for any digit, or is none: escapes, repeats, names of groups, the class of all digits.
_ANY_DIGIT = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\.|\{[0-9]*,?[0-9]*\}|\(\?P<\w+>|0-9")


@cache
def named_digits(event: LogEvent) -> tuple[str, ...]:
    """The digits whose value an event's pattern or words depend on, in runs where they stand together."""
    named: set[str] = set()
    for text in (_ANY_DIGIT.sub(_blank, event.pattern), *event.words):
        if re.search(r"[0-9]-[0-9]|[0-9][?*]", text):
            return tuple("0123456789")
        for inside in re.findall(r"\[([^\]]*)\]", text):
            named |= set(_DIGIT.findall(inside))
        run = r"[0-9]+" if "(?i" in event.pattern else r"[A-Za-z]?[0-9]+"  # `sqlite3`: a 3 behind an e
        named |= set(re.findall(run, re.sub(r"\[[^\]]*\]", " ", text)))
    return tuple(sorted(named))


def _blank(match: re.Match[str]) -> str:
    return "" if match[0].startswith("{") else " "


def _text(raw: bytes, line: Line, found: Found, *, measures: bool) -> Text | None:
    """None where the parts of the line cannot be found again by their places."""
    if line.at_s is None or line.continued or line.written_s is not None or line.format.startswith(_BOUND_FORMATS):
        return None
    message_at = _only_place(raw, line.message)
    worker_at = _only_place(raw, line.worker) if _DIGIT.search(line.worker) else (0, 0)
    logger_at = _only_place(raw, line.logger) if measures and _DIGIT.search(line.logger) else (0, 0)
    if message_at is None or worker_at is None or logger_at is None:
        return None
    sayings = tuple(_saying(raw, message_at[0], line.message, event, match) for event, match in found)
    return Text(
        sayings,
        message_at,
        line.worker,
        worker_at if worker_at[1] else None,
        line.logger,
        logger_at if logger_at[1] else None,
        line.resolution_s,
        measures and _can_measure(line),
    )


def _can_measure(line: Line) -> bool:
    """Whether the numbers of any line of this text can count. Too large is what may be smaller in the next line: so its
    twins of nothing but zeros and ones are asked too."""
    twins = (line.message, line.message.translate(_ZEROS), line.message.translate(_ONES))
    return any(measured(twin, line.logger) for twin in twins)


def _only_place(raw: bytes, part: str) -> Place | None:
    text = part.encode("utf-8", "surrogatepass")
    at = raw.find(text)
    return (at, at + len(text)) if text and at >= 0 and raw.rfind(text) == at else None


def _saying(raw: bytes, begin: int, message: str, event: LogEvent, match: re.Match[str]) -> Saying:
    fields = extract(event, match)
    said = Saying(event, event.kind, event.lane, fields, simple=False, anew=False)
    for name in match.re.groupindex:
        text = match[name]
        if not text or not _DIGIT.search(text):
            continue
        place = _place(begin, message, match.span(name))
        said = _varying(said, name.rstrip("0123456789"), text, place)
    said = said._replace(simple=not (said.anew or said.value_at or said.key_at) and said.factor > 0)
    return said if said.anew or fields_of(said, raw) == fields else said._replace(anew=True, simple=False)


def _place(begin: int, message: str, span: Place) -> Place:
    start, end = (begin + len(message[:at].encode("utf-8", "surrogatepass")) for at in span)
    return start, end


def _varying(said: Saying, meaning: str, text: str, place: Place) -> Saying:
    """The same with one more part that differs from line to line."""
    plain = re.fullmatch(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", text) is not None
    if meaning == "duration" and said.seconds_at is None:
        return said._replace(seconds_at=place, factor=0.0)
    if meaning in _FACTORS and plain and said.seconds_at is None:
        return said._replace(seconds_at=place, factor=_FACTORS[meaning])
    if meaning in ("value", "collected") and plain and said.value_at is None:
        return said._replace(value_at=place)
    if meaning in ("key", "generation") and said.key_at is None:
        return said._replace(key_at=place)
    return said._replace(anew=True)


def fields_of(said: Saying, raw: bytes) -> Fields:
    """The fields of a line, by their places. Not for a saying that has to be matched `anew`."""
    seconds, value, key, label, site, cpu_s = said.fields
    if said.seconds_at is not None:
        start, end = said.seconds_at
        number = raw[start:end]
        seconds = float(number) * said.factor if said.factor else parse_duration(number.decode("utf-8", "replace"))
    if said.value_at is not None:
        start, end = said.value_at
        value = float(raw[start:end])
    if said.key_at is not None:
        start, end = said.key_at
        key = raw[start:end].decode("utf-8", "replace")
    return Fields(seconds, value, key, label, site, cpu_s)


def fields_anew(said: Saying, message: str) -> Fields | None:
    match = find(said.event, message)
    return None if match is None else extract(said.event, match)
