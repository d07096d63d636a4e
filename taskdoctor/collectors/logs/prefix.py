"""From the bytes of one line to its stamp, level, logger, worker and message.

Why without memory: big files are read in parallel pieces, so the answer for a line depends on the line, the formats and
the reference only. The formats that the head of a file showed are tried first; then all; then a stamp finder for
unknown formats; formats without a stamp come last, so that they never hide one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from taskdoctor.collectors.logs import records, stamps
from taskdoctor.collectors.logs.escapes import plain, plain_bytes
from taskdoctor.collectors.logs.format import Fields, Format, Sample, Syntax, Tail, Wraps
from taskdoctor.collectors.logs.formats import all_formats
from taskdoctor.collectors.logs.generic import GENERIC
from taskdoctor.collectors.logs.levels import BY_BYTES
from taskdoctor.collectors.logs.tails import TRIMS, picked_up

__all__ = ["Fields", "Format", "Line", "LineParser", "Sample", "dateless", "fits", "recognise"]

NESTING_LIMIT = 4  # compose around docker around CRI around the service's own prefix
BARE_BYTES = 26  # in which a date, a time, milliseconds and what follows them have room
REMEMBERED = 4096  # texts kept with what they were read as
ESCAPE, NUL, QUOTE = 0x1B, 0x00, ord('"')
_GROUPS = ("stamp", "fraction", "zone", "level", "logger", "worker")
ZONE_STEP_S = 900  # zones differ by quarters of an hour
ZONE_LIMIT_S = 14 * 3600


class Line(NamedTuple):
    """One line, read. Text is safe to show."""

    at_s: float | None
    message: str
    worker: str
    level: str
    logger: str
    format: str  # whose stamp it is; "generic..." for the stamp finder, "" for none
    resolution_s: float
    continued: bool  # the next line goes on with this one
    zoned: bool = False  # the stamp says its zone
    written_s: float | None = None  # when a wrapper around the line, on the same clock, says that it arrived


class _Plan:
    """A format made ready: its compiled prefix and what its stamps were read as."""

    __slots__ = (
        "clock",
        "fields",
        "format",
        "groups",
        "match",
        "name",
        "plain",
        "seconds",
        "simple",
        "stamped",
        "trim",
    )

    def __init__(self, shape: Format) -> None:
        pattern = _compiled(shape.pattern)
        index = pattern.groupindex
        self.format = shape
        self.match: Callable[[bytes], re.Match[bytes] | None] = pattern.match
        absent = index["absent"]
        stamp, fraction, zone, level, logger, worker = (index.get(name, absent) for name in _GROUPS)
        self.groups = (stamp, fraction, zone, level, logger, worker)
        self.stamped = "(?P<stamp>" in shape.pattern
        self.fields = shape.fields
        self.simple = shape.wraps is Wraps.NOTHING
        self.clock = shape.clock
        self.trim = TRIMS.get(shape.tail)
        self.name = shape.name
        self.plain = self.simple and shape.tail is not Tail.PICK_UP and shape.clock is not stamps.epoch
        self.seconds: dict[bytes, float] = {}


# What fits a line: its plan, prefix, stamp, and the prefix's groups.
_Found = tuple[_Plan, "re.Match[bytes]", "float | None", "tuple[bytes | None, ...]"]


class LineParser:
    """Reads the lines of one source; cheap to make."""

    def __init__(self, formats: Sequence[Format] | None = None, *, reference_s: float) -> None:
        self._reference_s = reference_s
        self._order = _order(tuple(formats or ()))
        self._plan_of: dict[str, _Plan] = {}
        self._by_byte: dict[bytes, tuple[_Plan, ...]] = {}
        self._bare_minutes: dict[bytes, float] = {}
        self._access: tuple[_Plan, ...] | None = None
        self._record_of: tuple[bytes, Syntax, records.Record | None] = (b"", Syntax.JSON, None)
        self._stamp_of: tuple[bytes, Fields | None, stamps.Stamp | None] = (b"", None, None)

    def parse(self, line: bytes) -> Line:
        """Everything that the line's prefix says. Never raises."""
        if ESCAPE in line or NUL in line:
            line = plain_bytes(line)
        plans = self._by_byte.get(line[:1])
        return self._read(line, self._find(line, self._plans(line[:1]) if plans is None else plans), 0)

    def stamp(self, line: bytes) -> float | None:
        """Only the time: always that of `parse`."""
        at_s = self._bare_stamp(line)
        if at_s is not None:
            return at_s
        if ESCAPE in line or NUL in line:
            line = plain_bytes(line)
        plans = self._by_byte.get(line[:1])
        found = self._find(line, self._plans(line[:1]) if plans is None else plans)
        if found is None:
            return None
        if found[0].simple or (found[0].format.wraps is Wraps.ACCESS and QUOTE not in line):
            return found[2]
        return self._read(line, found, 0).at_s

    def stamps_apart(self, data: bytes, step: int) -> list[tuple[int, float]]:
        """Where lines start that lie about so many bytes apart, and their times."""
        found = []
        minutes, at = self._bare_minutes, 0
        for target in range(step, len(data) - 1, step):
            start = data.find(b"\n", target) + 1
            if not at < start < len(data):
                continue
            minute_s, second_s = minutes.get(data[start : start + 17]), _BARE_SECONDS.get(data[start + 17 : start + 19])
            ms = _BARE_MS.get(data[start + 19 : start + 24])
            at_s: float | None
            if (
                minute_s is None
                or second_s is None
                or ms is None
                or data[start + 24 : start + 25] not in _NO_ZONE_SIGNS
            ):
                at_s = self.stamp_at(data, start)  # of any format
                if at_s is None:
                    continue
            else:
                at_s = minute_s + second_s + ms
            found.append((start, at_s))
            at = start
        return found

    def stamp_at(self, data: bytes, start: int) -> float | None:
        """The time of the line that starts there."""
        at_s = self._bare_stamp(data[start : start + BARE_BYTES])
        if at_s is not None:
            return at_s
        stop = data.find(b"\n", start)
        return self.stamp(data[start : None if stop < 0 else stop])

    def _bare_stamp(self, line: bytes) -> float | None:
        """The time of a line that begins with a date, a time and no zone: every format reads that alike."""
        minute_s, second_s = self._bare_minutes.get(line[:17]), _BARE_SECONDS.get(line[17:19])
        if minute_s is None or second_s is None:
            return self._remember_bare(line)
        ms = _BARE_MS.get(line[19:24])
        if ms is not None:
            after = line[24:26]
        elif line[19:20] == b" ":
            ms, after = 0.0, line[20:22]
        else:
            return None
        return minute_s + second_s + ms if after and (after[0] in _NO_ZONE or after == b"- ") else None

    def _remember_bare(self, line: bytes) -> float | None:
        second = line[:19]
        if not _BARE.match(second) or second[17:] not in _BARE_SECONDS:
            return None
        at_s = stamps.iso(second[:17] + b"00", self._reference_s)
        if at_s is None:
            return None
        if len(self._bare_minutes) >= REMEMBERED:
            self._bare_minutes.clear()
        self._bare_minutes[second[:17]] = at_s
        return self._bare_stamp(line)

    def formats_of(self, line: bytes, *, access: bool = False, depth: int = 0) -> tuple[Format, ...]:
        """The formats that a line shows, outermost first."""
        line = plain_bytes(line)
        found = self._find(line, self._access_plans() if access else self._plans(line[:1]))
        if found is None:
            return ()
        plan, match, _, _ = found
        if plan.format.wraps is Wraps.NOTHING or depth >= NESTING_LIMIT:
            return (plan.format,)
        inner = self._inner(line, plan, match)
        return plan.format, *self.formats_of(inner, access=plan.format.wraps is Wraps.ACCESS, depth=depth + 1)

    def _plans(self, first: bytes) -> tuple[_Plan, ...]:
        """What can begin with this byte, in the order in which it is tried."""
        plans = self._by_byte.get(first)
        if plans is None:
            letter = first.decode("latin-1")
            fitting = [shape for shape in self._order if letter and (not shape.opens or letter in shape.opens)]
            plans = self._by_byte[first] = tuple(self._plan(shape) for shape in fitting)
        return plans

    def _access_plans(self) -> tuple[_Plan, ...]:
        if self._access is None:
            self._access = tuple(self._plan(shape) for shape in self._order if shape.access)
        return self._access

    def _plan(self, shape: Format) -> _Plan:
        key = _key(shape)
        plan = self._plan_of.get(key)
        if plan is None:
            plan = self._plan_of[key] = _Plan(shape)
        return plan

    def _find(self, line: bytes, plans: Sequence[_Plan]) -> _Found | None:
        """The first format that fits, with its own stamp."""
        for plan in plans:
            match = plan.match(line)
            if match is None:
                continue
            if plan.stamped:
                groups = match.group(*plan.groups)
                second, fraction, zone, _, _, _ = groups
                if zone is not None:
                    second += zone
                at_s = plan.seconds.get(second)
                if at_s is None:
                    at_s = self._seconds(plan, second)
                    if at_s is None:
                        continue
                if fraction is not None:
                    at_s += _FRACTIONS.get(fraction) or stamps.fraction_s(fraction)
                return plan, match, at_s, groups
            if plan.fields is None:
                return plan, match, None, match.group(*plan.groups)
            if self._is_record(line, plan.fields):
                stamp = self._record_stamp(line, plan.fields)
                return plan, match, None if stamp is None else stamp.at_s, ()
        return None

    def _is_record(self, line: bytes, fields: Fields) -> bool:
        """A record of this format that says something: a time or a message."""
        record = self._record(line, fields)
        if record is None or not records.fits(fields, record):
            return False
        return self._record_stamp(line, fields) is not None or records.text(fields, record) is not None

    def _seconds(self, plan: _Plan, text: bytes) -> float | None:
        if len(plan.seconds) >= REMEMBERED:
            plan.seconds.clear()
        at_s = plan.clock(text, self._reference_s)
        if at_s is not None:
            plan.seconds[text] = at_s
        return at_s

    def _read(self, line: bytes, found: _Found | None, depth: int) -> Line:
        if found is None:
            return Line(None, plain(line.decode("utf-8", "replace")), "", "", "", "", 0.0, False)
        plan, match, at_s, groups = found
        if plan.fields is not None:
            return self._read_record(line, plan, plan.fields, depth)
        _, fraction, zone, level, logger, worker = groups
        message = line[match.end() :].decode("utf-8", "replace")
        if not message.isprintable():
            message = plain(message)
        if plan.trim is not None:
            message = plan.trim(message)
        parts = (
            at_s,
            message,
            "" if worker is None else _NAMES.get(worker) or _named(worker),
            BY_BYTES.get(level, ""),
            "" if logger is None else _NAMES.get(logger) or _named(logger),
            plan.name,
            0.0 if at_s is None else _RESOLUTIONS_S.get(fraction) or stamps.resolution_s(len(fraction or b"")),
            False,
            zone is not None,
            None,
        )
        read = tuple.__new__(Line, parts)  # a third of what Line(...) costs
        return read if plan.plain else self._finished(read, line, plan, match, depth)

    def _finished(self, read: Line, line: bytes, plan: _Plan, match: re.Match[bytes], depth: int) -> Line:
        """What few formats need: epoch numbers, tokens after an unknown format's stamp, a line inside."""
        if plan.format.clock is stamps.epoch:
            digits = match["fraction"] or match["stamp"][10:]  # milliseconds and finer without a point
            read = read._replace(zoned=True, resolution_s=stamps.resolution_s(len(digits)))
        if plan.format.tail is Tail.PICK_UP:
            message, level, worker = picked_up(read.message)
            read = read._replace(message=message, level=read.level or level, worker=read.worker or worker)
        if plan.simple:
            return read
        continued = "partial" in match.re.groupindex and match["partial"] is not None
        return self._unwrap(read._replace(continued=continued), plan, self._inner(line, plan, match), depth)

    def _read_record(self, line: bytes, plan: _Plan, fields: Fields, depth: int) -> Line:
        record = self._record(line, fields) or {}
        stamp = self._record_stamp(line, fields)
        message, level, logger, worker = (plain(part) for part in records.parts(fields, record))
        at_s, resolution_s, zoned = stamp or (None, 0.0, False)
        read = Line(at_s, message, worker, level, logger, plan.format.name, resolution_s, False, zoned)
        if plan.format.wraps is Wraps.NOTHING:
            return read
        inner = records.text(fields, record) or ""
        if fields.unended and not inner.endswith("\n"):
            read = read._replace(continued=True)
        return self._unwrap(read, plan, _line_bytes(inner), depth)

    def _inner(self, line: bytes, plan: _Plan, match: re.Match[bytes]) -> bytes:
        """The line inside a wrapper."""
        if plan.fields is None:
            return line[match.end() :]
        return _line_bytes(records.text(plan.fields, self._record(line, plan.fields) or {}) or "")

    def _unwrap(self, outer: Line, plan: _Plan, inner: bytes, depth: int) -> Line:
        if ESCAPE in inner or NUL in inner:
            inner = plain_bytes(inner)
        if plan.format.wraps is Wraps.LINE:
            plans = self._plans(inner[:1])
        else:
            plans = self._access_plans() if QUOTE in inner else ()
        found = self._find(inner, plans) if depth < NESTING_LIMIT else None
        if found is None:
            return outer if plan.fields is None else outer._replace(message=plain(inner.decode("utf-8", "replace")))
        return _merged(outer, self._read(inner, found, depth + 1))

    def _record(self, line: bytes, fields: Fields) -> records.Record | None:
        """The line's record; kept until the next line, because several formats look at it."""
        last_line, syntax, record = self._record_of
        if last_line is not line or syntax is not fields.syntax:
            record = records.load(line, fields.syntax)
            self._record_of = (line, fields.syntax, record)
        return record

    def _record_stamp(self, line: bytes, fields: Fields) -> stamps.Stamp | None:
        last_line, last_fields, stamp = self._stamp_of
        if last_line is not line or last_fields is not fields:
            stamp = records.stamp(fields, self._record(line, fields) or {}, self._reference_s)
            self._stamp_of = (line, fields, stamp)
        return stamp


def recognise(head: Sequence[bytes], *, reference_s: float) -> list[Format]:
    """Formats found in sample lines, most frequent first, wrappers and what they wrap; the stamp finder only alone."""
    parser = LineParser(reference_s=reference_s)
    votes: Counter[Format] = Counter()
    for line in head:
        votes.update(parser.formats_of(line))
    known = [shape for shape in votes if shape not in GENERIC]
    chosen = known if any(_stamped(shape) for shape in known) else list(votes)
    return sorted(chosen, key=lambda shape: (-votes[shape], _key(shape)))


def fits(shape: Format, line: bytes, *, reference_s: float) -> bool:
    """Whether one format, asked alone, takes the line."""
    parser = LineParser(reference_s=reference_s)
    return parser._find(plain_bytes(line), (_Plan(shape),)) is not None


@cache
def dateless(name: str) -> bool:
    """Whether the stamps of a format are times of day, which the caller has to unroll over midnight."""
    return any(shape.dateless for shape in (*all_formats(), *GENERIC) if shape.name == name)


def _order(first: tuple[Format, ...]) -> tuple[Format, ...]:
    known = all_formats()
    telling = tuple(shape for shape in known if _stamped(shape) or shape.wraps is not Wraps.NOTHING)
    shapes = {_key(shape): shape for shape in (*first, *telling, *GENERIC, *known)}
    return tuple(shapes.values())


def _stamped(shape: Format) -> bool:
    return shape.fields is not None or "(?P<stamp>" in shape.pattern


def _key(shape: Format) -> str:
    """Tells the several stamp finders apart, which share a name."""
    return f"{shape.name} {shape.pattern}"


def _merged(outer: Line, inner: Line) -> Line:
    """A wrapped line keeps its own stamp; the wrapper's stands in where it has none, or no date."""
    own = inner.at_s is not None and not (outer.at_s is not None and dateless(inner.format))
    stamped = inner if own or outer.at_s is None else outer
    at_s = stamped.at_s
    zoned = stamped.zoned
    if own and at_s is not None and outer.zoned and not inner.zoned:
        at_s, zoned = at_s + _zone_shift_s(at_s, outer.at_s or at_s), True
    same_clock = own and outer.at_s is not None and outer.zoned == zoned
    return inner._replace(
        at_s=at_s,
        written_s=outer.at_s if same_clock and inner.written_s is None else inner.written_s,
        zoned=zoned,
        resolution_s=stamped.resolution_s,
        format=stamped.format or outer.format,
        worker="/".join(dict.fromkeys(filter(None, (outer.worker, inner.worker)))),
        level=inner.level or outer.level,
        logger=inner.logger or outer.logger,
        continued=outer.continued,
    )


def _zone_shift_s(inner_s: float, outer_s: float) -> float:
    """The zone that a bare stamp was written in, told by the wrapper's; 0 where it cannot be a zone."""
    shift_s = round((outer_s - inner_s) / ZONE_STEP_S) * ZONE_STEP_S
    return shift_s if abs(shift_s) <= ZONE_LIMIT_S else 0.0


def _line_bytes(text: str) -> bytes:
    return text.rstrip("\r\n").encode("utf-8", "surrogatepass")


@cache
def _compiled(pattern: str) -> re.Pattern[bytes]:
    """The prefix with a group that is never set, for the parts that it does not have: so all are read alike."""
    return re.compile(f"{pattern}(?:|(?P<absent>))".encode(), re.DOTALL)


_BARE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}\Z")
_BARE_SECONDS = {b"%02d" % second: float(second) for second in range(60)}
_BARE_MS = {b"%c%03d " % (mark, ms): ms / 1000 for mark in b".," for ms in range(1000)}
_NO_ZONE = frozenset(range(0x21, 0x7F)) - frozenset(b"+-ZU0123456789")
_NO_ZONE_SIGNS = frozenset(bytes((sign,)) for sign in _NO_ZONE)
_FRACTIONS: dict[bytes, float] = {b"%03d" % ms: ms / 1000 for ms in range(1000)}
_RESOLUTIONS_S: dict[bytes | None, float] = {None: 1.0} | dict.fromkeys(_FRACTIONS, 0.001)
_NAMES: dict[bytes, str] = {}


def _named(raw: bytes) -> str:
    """Loggers and workers are few: each is decoded and cleaned once."""
    if len(_NAMES) >= REMEMBERED:
        _NAMES.clear()
    name = _NAMES[raw] = plain(raw.decode("utf-8", "replace"))
    return name
