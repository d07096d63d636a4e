"""From lines to events: every line of a small log, and of a big one only the lines that can hold an event.

A big log is cut into pieces of whole blocks; each piece gives a `Partial`, and the merged parts equal the whole. There,
lines are parsed only where a literal was found and around silences: a block whose first and last stamp lie closer
together than a silence needs no second look.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import inf
from sys import intern
from typing import NamedTuple

from taskdoctor.collectors.logs import silence
from taskdoctor.collectors.logs.batches import records_of
from taskdoctor.collectors.logs.event import Fields, LogEvent, extract, matching
from taskdoctor.collectors.logs.gaps import has_gap, worker_falls_silent
from taskdoctor.collectors.logs.measuring import HINT, measured
from taskdoctor.collectors.logs.partial import Edge, Glanced, Noted, Partial, Quiet, Seen, level_of, stretch_at
from taskdoctor.collectors.logs.prefilter import LITERAL_BITS, LITERAL_MASK, Prefilter, Search
from taskdoctor.collectors.logs.prefix import Line, LineParser, dateless
from taskdoctor.collectors.logs.stamps import DAY_S
from taskdoctor.collectors.logs.steps import Step, Steps
from taskdoctor.collectors.logs.thinning import Lengths, Thinning, everything, stretch_of
from taskdoctor.model import Form, Lane

PARTIAL_CHARS = 64 * 1024  # of a line that a container runtime cut into pieces
LOOK_BACK = 64  # lines, for the stamp that a line without one belongs to
FRAMES = 80  # lines after a stall line in which the frames of its stack may follow
MOST_LINES = 200_000  # stamped lines kept per worker for the reading of silences
WORKERS = 64  # told apart; more are one
QUIET_FACTOR = 20.0  # a silence in a big log lasts this many times the mean distance of lines around it
QUIET_S = 1.0
COUNTED_CELLS = 8  # one line in so many cells tells the formats of a big log
MIDNIGHT_S = 12 * 3600.0  # a time of day that goes back by more is on the next day
LATE_S = 0.5  # between a line's stamp and that of the wrapper around it; buffers alone cost less

# Told by two stamps of one line, not by its text: no part of the discovered events, so that it has no literals.
WRITTEN_LATE = LogEvent(
    kind="log-written-late",
    lane=Lane.LOGGING,
    form=Form.SPAN,
    literals=(),
    pattern="",
    samples=(),
    label="log handler",
    title="a line written long after its stamp",
)


class Lie(NamedTuple):
    """How a big log lies, told from a few of its cells: what it takes to read it without parsing every line."""

    marks: tuple[bytes, ...] = ()  # stretches of bytes that mark its own timed lines
    starts: tuple[int, ...] = ()  # of each literal the byte from which on it is searched
    writers: tuple[bytes, ...] = ()  # the bytes by which its workers are known, if there are several
    thinning: Thinning | None = None  # how much of its frequent lines is read; None: all


@dataclass(frozen=True, slots=True)
class Window:
    """What the user asked for, in epoch seconds."""

    since_s: float = float("-inf")
    until_s: float = float("inf")

    def holds(self, at_s: float) -> bool:
        return self.since_s <= at_s <= self.until_s


class Scanner:
    """Scans the blocks of one piece of one file into a `Partial`."""

    def __init__(
        self,
        prefilter: Prefilter,
        parser: LineParser,
        *,
        file: int,
        piece: int,
        window: Window,
    ) -> None:
        self.partial = Partial()
        self._prefilter, self._parser = prefilter, parser
        self._file, self._piece, self._window = file, piece, window
        self._lines = self._bytes = 0
        self._first_s: float | None = None
        self._latest_s: float | None = None
        self._last_s: float | None = None  # of the line before
        self._dated_s: float | None = None  # of the last line with a date, where only some have none
        self._days = 0  # midnights passed, in a log whose stamps have no date
        self._time_of_day_s: float | None = None
        self._lengths = Lengths()
        self._stretch: int | None = None  # of the file, while only candidates are scanned; else by the time of the line
        self._counted_to = self._counted = 0  # lines are counted only up to those that are read
        self._marks: tuple[bytes, ...] = ()
        self._starts: tuple[int, ...] = ()
        self._writers: tuple[bytes, ...] = ()
        self._thin(everything(prefilter))
        self._wanted: dict[tuple[int, ...], tuple[int, ...]] = {}  # events that literals announce together
        self._aside: list[Seen] | None = None  # where events go while a line is only glanced at
        self._streams: dict[str, list[silence.Stamped]] = defaultdict(list)
        self._steps: Steps | None = Steps()  # None in a big log, which is not read line by line
        self._pending = ""  # what a container runtime cut off and continues in the next line
        self._context: dict[str, int] = {}  # lane of a recent event -> its line: frames of a stack follow it

    def read_big(self, lie: Lie) -> None:
        """How a big log is to be read."""
        self._marks, self._starts = lie.marks, lie.starts
        self._searches.clear()
        self._writers = lie.writers
        if lie.thinning is not None:
            self._thin(lie.thinning)

    def _thin(self, thinning: Thinning) -> None:
        self._thinning = thinning
        self._passed_over: dict[int, frozenset[int]] = {}  # by level
        self._searches: dict[int, Search] = {}  # by level
        self._level_bytes: Counter[int] = Counter()
        self._unsought: frozenset[int] = frozenset()  # in the stretch that is read
        self._read_lines, self._unread_lines, self._beside = (
            [0] * len(thinning.levels) for _ in range(3)
        )  # by literal
        self._single = [(which,) for which in range(len(thinning.levels))]

    def finish(self) -> Partial:
        """The partial, with its silences read; the scanner is spent."""
        return self._completed(self.partial)

    def peek(self) -> Partial:
        """What `finish` would say now, while reading goes on."""
        return self._completed(deepcopy(self.partial))

    def _completed(self, partial: Partial) -> Partial:
        for which, least in enumerate(self._thinning.levels):
            if least:
                partial.read[self._file, which] += self._read_lines[which]
                partial.unread[self._file, which] += self._unread_lines[which]
            if which in self._thinning.unsought:
                partial.beside[self._file, which] += self._beside[which]
                for level, count in self._level_bytes.items():
                    counts = partial.sought_bytes if level >= least else partial.unsought_bytes
                    counts[self._file, which] += count
        partial.edges.append(Edge(self._file, self._piece, self._lines, self._bytes, self._first_s, self._latest_s))
        for worker, stream in sorted(_by_writer(self._streams).items()):
            self._read_silences(worker, stream, partial)
        for step in self._steps.found() if self._steps is not None else ():
            self._keep_step(step, partial)
        partial.trim()
        return partial

    # --- every line of a small log ----------------------------------------------------------------------------

    def scan_all(self, data: bytes) -> None:
        """Every line of a block: prefixes counted, stamps kept for silences."""
        self._bytes += len(data)
        announced: dict[int, set[int]] = defaultdict(set)
        for position, which in self._prefilter.candidates(data):
            announced[data.rfind(b"\n", 0, position) + 1].update(self._prefilter.announced[which])
        start = 0
        for raw in data.removesuffix(b"\n").split(b"\n"):
            self.scan_line(raw, announced.get(start, ()))
            start += len(raw) + 1

    def scan_line(self, raw: bytes, announced: Iterable[int] | None = None) -> None:
        """One line; without `announced` its literals are looked for here."""
        self._lines += 1
        records = records_of(raw)
        for record in records:
            self._scan_record(record, announced if len(records) == 1 else None)

    def _scan_record(self, raw: bytes, announced: Iterable[int] | None) -> None:
        line = self._dated(self._parser.parse(raw))
        message = line.message
        if self._pending:
            message, self._pending, announced = self._pending + message, "", None
        if line.continued:
            self._pending = message[:PARTIAL_CHARS]
            return
        self._count(line, raw)
        at_s = self._stamp(line)
        if at_s is not None and not self._window.holds(at_s):
            return
        if line.at_s is not None:
            self._keep_for_silence(line, message)
        wanted = self._prefilter.in_line(message.encode("utf-8", "replace")) if announced is None else announced
        told_s = self._emit(line, message, at_s, wanted)
        if line.at_s is not None and self._steps is not None:
            self._steps.add(
                line.at_s, self._lines, message, told_s=told_s, worker=line.worker, resolution_s=line.resolution_s
            )

    def _dated(self, line: Line) -> Line:
        """A time of day on the day that the lines before it have come to: the clock going far back is midnight."""
        if line.at_s is None or not dateless(line.format):
            self._dated_s = line.at_s if line.at_s is not None else self._dated_s
            return line
        if self._dated_s is not None:  # others have a date: it is the nearest such time
            return line._replace(at_s=line.at_s + round((self._dated_s - line.at_s) / DAY_S) * DAY_S)
        if self._time_of_day_s is not None and line.at_s < self._time_of_day_s - MIDNIGHT_S:
            self._days += 1
        self._time_of_day_s = line.at_s
        return line._replace(at_s=line.at_s + self._days * DAY_S) if self._days else line

    def _count(self, line: Line, raw: bytes) -> None:
        partial, file = self.partial, self._file
        partial.looked[file] += 1
        if line.format:
            partial.formats[file, line.format] += 1
        continues = line.at_s is None and self._last_s is not None
        if line.format.startswith("generic") or (not line.format and not continues and raw.strip()):
            partial.unparsed[file] += 1
        if line.at_s is not None:
            partial.resolution[file, line.resolution_s] += 1
            partial.zoned[file] += line.zoned

    def _stamp(self, line: Line) -> float | None:
        """The line's own stamp, or that of the line it continues."""
        if line.at_s is None:
            return self._last_s
        if self._last_s is not None and line.at_s < self._last_s - 1.0:
            self.partial.backwards[self._file] += 1
        self._last_s = line.at_s
        if self._window.holds(line.at_s):
            self._see(line.at_s)
        return line.at_s

    def _see(self, at_s: float) -> None:
        self._first_s = at_s if self._first_s is None else min(self._first_s, at_s)
        self._latest_s = at_s if self._latest_s is None else max(self._latest_s, at_s)

    def _keep_for_silence(self, line: Line, message: str) -> None:
        worker = line.worker if line.worker in self._streams or len(self._streams) < WORKERS else ""
        stream = self._streams[worker]
        if line.at_s is not None and len(stream) < MOST_LINES:
            stream.append(silence.Stamped(line.at_s, intern(silence.template(line.logger, message)), self._lines))
        if line.worker and len(self.partial.workers) < WORKERS:
            self.partial.workers.add((self._file, line.worker))

    # --- candidates of a big log ------------------------------------------------------------------------------

    def scan_candidates(self, data: bytearray, start: int, end: int, cell: int) -> None:
        """Only lines with a literal; silences where the block's stamps leave room for one."""
        block = bytes(memoryview(data)[start:end])
        self._steps = None
        self._bytes += len(block)
        self._context.clear()  # each block for itself, so that it does not matter who scans the one before
        self._stretch = stretch_of(cell)
        self._counted_to, self._counted = 0, self._lines
        first_line = self._lines
        level = level_of(self._stretch)
        self._level_bytes[level] += len(block)
        passed, search = self._passed(level), self._searches.get(level) or self._search_at(level)
        self._unsought = self._thinning.unsought & passed
        single, read, glance = self._single, self._read, self._glance
        line_start, line_end, passing = 0, -1, False
        literals: tuple[int, ...] = ()
        for hit in search.hits(block):
            position, which = hit >> LITERAL_BITS, hit & LITERAL_MASK
            if position >= line_end:
                if literals:
                    (glance if passing else read)(block, line_start, line_end, literals)
                line_start = block.rfind(b"\n", 0, position) + 1
                line_end = block.find(b"\n", position)
                line_end = len(block) if line_end < 0 else line_end
                literals, passing = single[which], which in passed
            elif which not in literals:
                literals, passing = (*literals, which), passing and which in passed
        if literals:
            (glance if passing else read)(block, line_start, line_end, literals)
        self._count_to(block, len(block))
        self._lines = self._counted + (not block.endswith(b"\n"))
        self._look_for_silence(block, first_line, self._lines - first_line, counted=cell % COUNTED_CELLS == 0)
        self._stretch = None

    def _passed(self, level: int) -> frozenset[int]:
        """The literals whose lines are not read in stretches of this level."""
        known = self._passed_over.get(level)
        if known is None:
            levels = enumerate(self._thinning.levels)
            known = self._passed_over[level] = frozenset(which for which, needed in levels if needed > level)
        return known

    def _search_at(self, level: int) -> Search:
        without = self._thinning.unsought & self._passed(level)
        search = self._searches[level] = self._prefilter.search(self._marks, self._starts, without)
        return search

    def _count_to(self, block: bytes, position: int) -> None:
        self._counted += _newlines(block[self._counted_to : position])
        self._counted_to = position

    def _read(self, block: bytes, start: int, end: int, literals: tuple[int, ...]) -> None:
        """One line with its literals, in full."""
        self._count_to(block, start)
        self._lines = self._counted + 1
        for which in literals:
            self._read_lines[which] += 1
        raw = block[start:end]
        for record in records_of(raw):
            line = self._parser.parse(record)
            at_s = line.at_s if line.at_s is not None else self._stamp_before(block, start)
            if at_s is None or self._window.holds(at_s):
                self._emit(line, line.message, at_s, self._announced_by(literals, raw))

    def _announced_by(self, literals: tuple[int, ...], raw: bytes) -> tuple[int, ...]:
        """The events to look for in a line, also by those of its literals that are not searched everywhere."""
        if self._unsought:
            also = {which for _, which in self._prefilter.candidates(raw)} - {*literals}
            literals = (*literals, *sorted(also)) if also else literals
            for which in also & self._unsought:
                self._beside[which] += 1
        wanted = self._wanted.get(literals)
        if wanted is None:
            announced = self._prefilter.announced
            wanted = self._wanted[literals] = tuple(sorted({event for which in literals for event in announced[which]}))
        return wanted

    def _glance(self, block: bytes, start: int, end: int, literals: tuple[int, ...]) -> None:
        """One of very many lines: it is counted, and read only for the time that it names."""
        for which in literals:
            self._unread_lines[which] += 1
        raw = block[start:end]
        longest_s = self._lengths.longest_s(raw)
        if not longest_s:
            return
        glanced = self.partial.glanced.get(literals[0])
        if glanced is None:
            glanced = self.partial.glanced[literals[0]] = Glanced(self._thinning.longest)
        if longest_s >= glanced.floor_s:
            self._count_to(block, start)
            before_s = None if self._parser.stamp(raw) is not None else self._stamp_before(block, start)
            place = self._file, self._piece, self._counted + 1, self._stretch or 0
            glanced.keep(Noted(longest_s, *place, literals, before_s, raw))

    def read_noted(self, noted: Noted) -> list[Seen]:
        """What such a line says of times, each line for itself."""
        self._context, self._aside = {}, []
        self._piece, self._lines, self._stretch = noted.piece, noted.line, noted.stretch
        line = self._parser.parse(noted.raw)
        at_s = line.at_s if line.at_s is not None else noted.before_s
        self._emit(line, line.message, at_s, {*self._prefilter.in_line(noted.raw)})
        return self._aside

    def _stamp_before(self, block: bytes, start: int) -> float | None:
        """The stamp of the line that a line without one continues, looked for within its block."""
        end = start - 1
        for _ in range(LOOK_BACK):
            if end <= 0:
                return None
            begin = block.rfind(b"\n", 0, end) + 1
            at_s = self._parser.stamp(block[begin:end])
            if at_s is not None:
                return at_s
            end = begin - 1
        return None

    def _look_for_silence(self, block: bytes, first_line: int, lines: int, *, counted: bool) -> None:
        """Read the block's silences if its stamps leave room for one; else its two ends are all that is needed."""
        first_s = self._first_stamp(block, counted=counted)
        last_s = self._last_stamp(block)
        if first_s is None or last_s is None:
            return
        for at_s in (first_s, last_s):
            if self._window.holds(at_s):
                self._see(at_s)
        shortest_s = max(QUIET_S, QUIET_FACTOR * (last_s - first_s) / max(lines, 1))
        if abs(last_s - first_s) < shortest_s:
            return
        bounds = first_s, last_s, shortest_s
        if has_gap(self._parser, block, *bounds) or worker_falls_silent(self._parser, block, self._writers, *bounds):
            self._look_closer(block, first_line)

    def _first_stamp(self, block: bytes, *, counted: bool) -> float | None:
        begin = 0
        for count in range(LOOK_BACK):
            stop = block.find(b"\n", begin)
            raw = block[begin : None if stop < 0 else stop]
            line = self._parser.parse(raw) if counted and count == 0 else None
            if line is not None:
                self._count(line, b"x")
            at_s = line.at_s if line is not None else self._parser.stamp(raw)
            if at_s is not None or stop < 0:
                return at_s
            begin = stop + 1
        return None

    def _last_stamp(self, block: bytes) -> float | None:
        stop = len(block) - block.endswith(b"\n")
        begin = block.rfind(b"\n", 0, stop) + 1
        at_s = self._parser.stamp(block[begin:stop])
        return at_s if at_s is not None else self._stamp_before(block, begin)

    def _look_closer(self, block: bytes, first_line: int) -> None:
        """Parse the whole block around a silence, each worker for itself."""
        streams: dict[str, list[silence.Stamped]] = defaultdict(list)
        for number, raw in enumerate(block.split(b"\n"), first_line + 1):
            line = self._parser.parse(raw)
            if line.at_s is not None and self._window.holds(line.at_s):
                worker = line.worker if line.worker in streams or len(streams) < WORKERS else ""
                name = silence.template(line.logger, line.message)
                streams[worker].append(silence.Stamped(line.at_s, name, number))
        for worker, stream in sorted(_by_writer(streams).items()):
            self._read_silences(worker, stream, self.partial)

    # --- both -------------------------------------------------------------------------------------------------

    def _keep_step(self, step: Step, partial: Partial) -> None:
        partial.add(
            Seen(
                at_s=step.end_s,
                file=self._file,
                piece=self._piece,
                line=step.line,
                kind=step.subject.kind,
                seconds=step.seconds,
                value=None,
                key="",
                label=step.label,
                site="",
                cpu_s=None,
                worker=step.worker,
                aligned=True,
                resolution_s=step.resolution_s,
                stretch=stretch_at(step.end_s),
            )
        )

    def _read_silences(self, worker: str, stream: list[silence.Stamped], partial: Partial) -> None:
        file = self._file
        resolution_s = partial.resolution_of(file) or 0.001
        rhythm = silence.beats(stream, resolution_s)
        partial.beats |= {(file, beat.template) for beat in rhythm[:8]}
        pauses = silence.pauses(stream, resolution_s, rhythm)
        around = {step for pause in pauses for step in (pause.before, pause.after)} - {""}
        steps = Counter(step for line in stream if (step := silence.step(line.template)) in around) if around else {}
        for pause in pauses:
            partial.quiet.append(
                Quiet(
                    pause.start_s,
                    pause.end_s,
                    file,
                    self._piece,
                    pause.line,
                    worker,
                    pause.reading.value,
                    pause.late_beats,
                    pause.burst_lines,
                    pause.silent_s,
                    resolution_s,
                    pause.before,
                    steps.get(pause.before, 0),
                    pause.after,
                    steps.get(pause.after, 0),
                    len(stream),
                )
            )

    def _emit(self, line: Line, message: str, at_s: float | None, announced: Iterable[int]) -> float:
        """Keep what the line says: what is known of it, else the numbers of a stranger's line with their subjects.

        The longest time that it tells by itself; no end where it ends what another line began.
        """
        prefilter = self._prefilter
        wanted = self._in_context(sorted({*announced, *prefilter.every_line}))
        found = matching(message, [prefilter.events[index] for index in wanted]) if wanted else []
        told_s = inf if any(event.form is Form.CLOSE for event, _ in found) else 0.0
        for event, match in found:
            self._context[event.lane] = self._lines
            fields = extract(event, match)
            told_s = max(told_s, fields.seconds or 0.0)
            self._keep(event.kind, fields, line.worker, at_s, line.resolution_s)
        if HINT.search(message) is not None and all(event.form is Form.MARK for event, _ in found):
            for subject, fields in measured(message, line.logger):
                told_s = max(told_s, fields.seconds or 0.0)
                self._keep(subject.kind, fields, line.worker, at_s, line.resolution_s)
        if line.written_s is not None and line.at_s is not None:
            self._keep_late(line, line.written_s, line.written_s - line.at_s)
        return told_s

    def _keep_late(self, line: Line, written_s: float, delay_s: float) -> None:
        """A line that reached the wrapper around it long after its stamp: a log handler or its pipe was blocked."""
        if delay_s - line.resolution_s >= LATE_S:
            fields = Fields(delay_s, None, "", WRITTEN_LATE.label, "", None)
            self._keep(WRITTEN_LATE.kind, fields, line.worker, written_s, line.resolution_s)

    def _keep(self, kind: str, fields: Fields, worker: str, at_s: float | None, resolution_s: float) -> None:
        when_s = 0.0 if at_s is None else at_s
        stretch = stretch_at(when_s) if self._stretch is None else self._stretch
        reservoir = None
        if self._aside is None:
            reservoir = self.partial.reservoir(kind)
            if not reservoir.counts(level_of(stretch), fields.seconds):
                return
        elif fields.seconds is None:
            return
        parts = (
            when_s,
            self._file,
            self._piece,
            self._lines,
            kind,
            *fields,
            worker,
            at_s is not None,
            resolution_s,
            stretch,
        )
        seen = tuple.__new__(Seen, parts)
        if reservoir is not None:
            self.partial.keep(reservoir, seen)
        elif self._aside is not None:
            self._aside.append(seen)

    def _in_context(self, wanted: Iterable[int]) -> tuple[int, ...]:
        """Events without those that only count right after another (frames of a stack), where that one is not near."""
        events, earliest = self._prefilter.events, self._lines - FRAMES
        return tuple(
            index
            for index in wanted
            if not events[index].follows or self._context.get(Lane(events[index].follows), -FRAMES - 1) >= earliest
        )


def _newlines(stretch: bytes) -> int:
    """How many there are: leaving them out takes a third of the time of `count`."""
    return len(stretch) - len(stretch.replace(b"\n", b""))


def _by_writer(streams: Mapping[str, list[silence.Stamped]]) -> Mapping[str, list[silence.Stamped]]:
    """Lines by who wrote them; a pid that only some lines carry is what they speak of, not who wrote them."""
    total = sum(map(len, streams.values()))
    if 2 * len(streams.get("", ())) < total:
        return streams
    return {"": sorted(stamped for stream in streams.values() for stamped in stream)}
