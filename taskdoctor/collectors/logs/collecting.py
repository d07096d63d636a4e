"""Paths to one Snapshot: which pieces there are, who scans them, and the merged answer with its lines put right."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from multiprocessing import get_context

from taskdoctor.collectors.logs.brackets import KIND as BRACKETED
from taskdoctor.collectors.logs.brackets import bracketed
from taskdoctor.collectors.logs.clocks import shifts
from taskdoctor.collectors.logs.event import LogEvent, all_events
from taskdoctor.collectors.logs.following import follow
from taskdoctor.collectors.logs.format import Format
from taskdoctor.collectors.logs.heads import Compression
from taskdoctor.collectors.logs.inputs import Input, find_inputs
from taskdoctor.collectors.logs.learning import learned, writers
from taskdoctor.collectors.logs.partial import Edge, Partial, Quiet, Seen
from taskdoctor.collectors.logs.prefilter import Prefilter, literals_of, rare_starts
from taskdoctor.collectors.logs.prefix import LineParser, recognise
from taskdoctor.collectors.logs.reading import CELL_BYTES, Block, Reading, blocks, open_input
from taskdoctor.collectors.logs.scanning import WRITTEN_LATE, Lie, Scanner, Window
from taskdoctor.collectors.logs.steps import ALL as ALL_STEPS
from taskdoctor.collectors.logs.subjects import ALL as ALL_SUBJECTS
from taskdoctor.collectors.logs.subjects import Subject
from taskdoctor.collectors.logs.thinning import SAMPLE_CELLS, thinning
from taskdoctor.errors import UsageError
from taskdoctor.model import Event, Form, Gap, Interval, Lane, Place, Silence, Snapshot, Source, Tally

SMALL_BYTES = 16 * 1024 * 1024  # up to here every line is parsed
PIECES = 16  # of a big file: enough for a few workers to end at the same time; within these bounds
PIECE_BLOCKS_MIN, PIECE_BLOCKS_MAX = 256, 2048  # blocks of 128 KiB that one worker takes at a time
SHARED = frozenset({Compression.GZIP, Compression.ZSTD})  # unpacking these costs less than half of what reading does
PARALLEL_BYTES = 64 * 1024 * 1024  # from here on starting workers pays
HEAD_BLOCKS = 2  # looked at to learn the formats of a file
HEAD_LINES = 400
LEARNED_CELLS = 4  # of a big file, evenly spread
RARE_BYTES = 16 * 1024  # of each, in which bytes are counted
STREAM_HEAD = 8  # of a stream, one cell in so many of its beginning stands for all that follows ...
STREAM_CELLS = 8_192  # ... as if that were a gigabyte: how much comes is not known

Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Options:
    """What to read beside the paths."""

    window: Window = field(default_factory=Window)
    patterns: tuple[LogEvent, ...] = ()  # the user's own lines
    workers: int = 0  # 0: as many as there are cores
    small_bytes: int = SMALL_BYTES
    piece_blocks: int = 0  # 0: by the size of the file


@dataclass(frozen=True, slots=True)
class Piece:
    """One file, or a range of blocks of a big one."""

    file: int
    input: Input
    formats: tuple[Format, ...] = ()  # recognised in its head, tried first
    first_block: int = 0
    last_block: int | None = None  # the last one that belongs to it
    lie: Lie = field(default_factory=Lie)
    parsed_bytes: int = SMALL_BYTES  # up to here in the stream every line is parsed
    share: int = 0  # of a packed file, which each worker unpacks for itself: every so manieth range of blocks
    shares: int = 1


def collect(paths: Sequence[str], options: Options | None = None, *, progress: Progress | None = None) -> Snapshot:
    """Read logs of one incident into one snapshot. Raises UnreadableError when nothing at all can be read."""
    options = options or Options()
    inputs, warnings = find_inputs(paths)
    events = (*all_events(), *options.patterns)
    prefilter = Prefilter(events)
    shares = max(1, (options.workers or _cores()) // len(inputs))
    pieces = [piece for file, one in enumerate(inputs) for piece in _pieces(file, one, options, prefilter, shares)]
    whole = Partial()
    total = sum(one.size_bytes for one in inputs)
    done = 0
    for partial in _scanned(pieces, prefilter, options, total):
        done += sum(edge.bytes for edge in partial.edges)
        whole.merge(partial)
        if progress is not None:
            progress(min(done, total), total)
    _read_noted(whole, inputs, {piece.file: piece for piece in pieces}, prefilter)
    return snapshot(whole, inputs, events, warnings)


def _read_noted(whole: Partial, inputs: Sequence[Input], pieces: Mapping[int, Piece], prefilter: Prefilter) -> None:
    """Read the lines that were only counted but name the longest times."""
    parsers = {
        file: LineParser(pieces[file].formats, reference_s=inputs[file].mtime_s)
        for file in sorted({noted.file for noted in whole.noted()})
    }
    scanners = {
        file: Scanner(prefilter, parser, file=file, piece=0, window=Window()) for file, parser in parsers.items()
    }
    whole.add_longest([seen for noted in whole.noted() for seen in scanners[noted.file].read_noted(noted)])


def _pieces(file: int, one: Input, options: Options, prefilter: Prefilter, shares: int) -> Iterator[Piece]:
    """One piece for a small file or a stream, ranges for a big file that can be read in parallel, shares of a packed
    one."""
    if one.is_stdin or not one.path.is_file():  # a pipe shows its head only once
        yield Piece(file, one, parsed_bytes=options.small_bytes)
        return
    with open_input(one) as reading:
        if not reading.seekable:
            piece = _packed(Piece(file, one, parsed_bytes=options.small_bytes), blocks(reading), options, prefilter)
            shares = shares if piece.parsed_bytes == 0 and reading.compression in SHARED else 1
            yield from (replace(piece, share=share, shares=shares) for share in range(shares))
            return
        formats = _recognised(b"".join(_cells(reading, 0, HEAD_BLOCKS)), one)
        size_bytes = reading.size_bytes
        lie = _lie_of(reading, formats, one, prefilter) if size_bytes > options.small_bytes else Lie()
        lie = _for_window(lie, options.window)
    if any(shape.dateless for shape in formats):  # days are counted from line to line, so in one piece
        yield Piece(file, one, formats, parsed_bytes=size_bytes)
        return
    if size_bytes <= options.small_bytes:
        yield Piece(file, one, formats, parsed_bytes=options.small_bytes)
        return
    count = -(-size_bytes // CELL_BYTES)
    step = options.piece_blocks or max(PIECE_BLOCKS_MIN, min(PIECE_BLOCKS_MAX, -(-count // PIECES)))
    for first in range(0, count, step):
        yield Piece(file, one, formats, first, min(count, first + step) - 1, lie, parsed_bytes=0)


def _packed(piece: Piece, stretch: Iterable[Block], options: Options, prefilter: Prefilter) -> Piece:
    """A packed file: it is not known how long it is, but its beginning can be read twice."""
    head: list[bytes] = []
    for block in stretch:
        if block.offset >= options.small_bytes:
            formats = _recognised(head[0], piece.input)
            lie = _lie(head, STREAM_CELLS, LineParser(formats, reference_s=piece.input.mtime_s), prefilter)
            if any(shape.dateless for shape in formats):
                return piece
            return replace(piece, formats=formats, lie=_for_window(lie, options.window), parsed_bytes=0)
        if block.offset // CELL_BYTES % STREAM_HEAD == 0:
            head.append(bytes(memoryview(block.data)[block.start : block.end]))
    return piece


def _for_window(lie: Lie, window: Window) -> Lie:
    """How much of a window there is cannot be told beforehand: all of it is read."""
    return lie if window == Window() else lie._replace(thinning=None)


def _lie_of(reading: Reading, formats: Sequence[Format], one: Input, prefilter: Prefilter) -> Lie:
    """From cells spread over a big file."""
    count = -(-reading.size_bytes // CELL_BYTES)
    sampled = min(SAMPLE_CELLS, count)
    sample = [b"".join(_cells(reading, place, place)) for place in (count * part // sampled for part in range(sampled))]
    return _lie(sample, count, LineParser(formats, reference_s=one.mtime_s), prefilter)


def _lie(sample: Sequence[bytes], cells: int, parser: LineParser, prefilter: Prefilter) -> Lie:
    few = sample[:: max(1, len(sample) // LEARNED_CELLS)]
    marks = learned(few, parser)
    starts = rare_starts(prefilter.literals, b"".join(cell[:RARE_BYTES] for cell in few))
    search = prefilter.search(marks, starts)
    return Lie(marks, starts, writers(few, parser), thinning(prefilter, sample, search, cells))


def _cells(reading: Reading, first: int, last: int) -> list[bytes]:
    return [bytes(memoryview(block.data)[block.start : block.end]) for block in blocks(reading, first, last)]


def _recognised(head: bytes, one: Input) -> tuple[Format, ...]:
    return tuple(recognise(head.split(b"\n")[:HEAD_LINES], reference_s=one.mtime_s))


def _scanned(pieces: Sequence[Piece], prefilter: Prefilter, options: Options, total: int) -> Iterable[Partial]:
    workers = min(options.workers or _cores(), len(pieces))
    shared = any(piece.shares > 1 for piece in pieces)
    if workers <= 1 or (total < PARALLEL_BYTES and not options.workers and not shared):
        return (scan_piece(piece, prefilter, options.window) for piece in pieces)
    return _in_parallel(pieces, options, workers)


def _cores() -> int:
    """Cores that this process may use: fewer than the machine has, in a container or under taskset."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_worker: dict[str, tuple[Prefilter, Window]] = {}


def _start_worker(patterns: tuple[LogEvent, ...], window: Window) -> None:
    _worker["own"] = (Prefilter((*all_events(), *patterns)), window)


def _work(piece: Piece) -> Partial:
    prefilter, window = _worker["own"]
    return scan_piece(piece, prefilter, window)


def _in_parallel(pieces: Sequence[Piece], options: Options, workers: int) -> Iterator[Partial]:
    """Processes, since parsing holds the GIL. Forked where that is safe and quick: one thread, nothing started yet."""
    context = get_context("fork" if sys.platform == "linux" else "spawn")
    with context.Pool(workers, _start_worker, (options.patterns, options.window)) as pool:
        yield from pool.imap_unordered(_work, pieces)


def scan_piece(piece: Piece, prefilter: Prefilter, window: Window) -> Partial:
    """Scan one piece; what went wrong on the way becomes a note, not an error."""
    with open_input(piece.input) as reading:
        stretch = blocks(reading, piece.first_block, piece.last_block)
        partial = _scan(piece, stretch, prefilter, window) if piece.shares == 1 else Partial()
        for first, its_own in _ranges(piece, stretch) if piece.shares > 1 else ():
            partial.merge(_scan(replace(piece, first_block=first), its_own, prefilter, window))
            partial.trim()
        partial.notes |= {(piece.file, note) for note in reading.notes}
    return partial


def _ranges(piece: Piece, stretch: Iterable[Block]) -> Iterator[tuple[int, Iterable[Block]]]:
    """The ranges of blocks that belong to this share, each with its first block."""
    for number, its_own in groupby(stretch, lambda block: block.offset // CELL_BYTES // PIECE_BLOCKS_MIN):
        if number % piece.shares == piece.share:
            yield number * PIECE_BLOCKS_MIN, its_own


def _scan(piece: Piece, stretch: Iterable[Block], prefilter: Prefilter, window: Window) -> Partial:
    scanner: Scanner | None = None
    head: list[bytes] | None = []  # cells of a stream's beginning, which stand for the rest; None: not needed any more
    for block in stretch:
        data = memoryview(block.data)[block.start : block.end]
        cell = block.offset // CELL_BYTES
        if scanner is None:
            formats = piece.formats or _recognised(bytes(data), piece.input)
            parser = LineParser(formats, reference_s=piece.input.mtime_s)
            scanner = Scanner(prefilter, parser, file=piece.file, piece=piece.first_block, window=window)
            scanner.read_big(piece.lie)
        if block.offset < piece.parsed_bytes:
            scanner.scan_all(bytes(data))
            if head is not None and cell % STREAM_HEAD == 0:
                head.append(bytes(data))
            continue
        if head:
            lie = _lie(head, STREAM_CELLS, parser, prefilter)
            scanner.read_big(_for_window(lie, window))
        head = None
        data.release()
        scanner.scan_candidates(block.data, block.start, block.end, cell)
    return scanner.finish() if scanner is not None else Partial()


class Following:
    """One log that goes on growing: what is there is read, then what is appended."""

    def __init__(self, paths: Sequence[str], options: Options) -> None:
        inputs, self._warnings = find_inputs(paths)
        if len(inputs) != 1:
            raise UsageError("--follow takes one file", hint="Follow each log in a terminal of its own.")
        self._inputs = inputs
        self._events = (*all_events(), *options.patterns)
        parser = LineParser(reference_s=time.time())
        self._scanner = Scanner(Prefilter(self._events), parser, file=0, piece=0, window=options.window)

    def lines(self) -> Iterator[None]:
        """Ticks: one per line read."""
        one = self._inputs[0]
        read_bytes = None
        if not one.is_stdin:
            with open_input(one) as reading:
                read_bytes = reading.size_bytes if reading.seekable else None
                for block in blocks(reading):
                    self._scanner.scan_all(bytes(memoryview(block.data)[block.start : block.end]))
                    yield
        for raw in follow(one, from_byte=read_bytes):
            self._scanner.scan_line(raw)
            yield

    def snapshot(self) -> Snapshot:
        """What was seen so far."""
        return snapshot(self._scanner.peek(), self._inputs, self._events, self._warnings)


# --- the merged answer ------------------------------------------------------------------------------------------


def snapshot(whole: Partial, inputs: Sequence[Input], events: Sequence[LogEvent], warnings: Sequence[str]) -> Snapshot:
    """Lines counted through, kinds resolved, everything in order."""
    before = _lines_before(whole.edges)
    kinds: dict[str, LogEvent | Subject] = {
        **ALL_SUBJECTS,
        **ALL_STEPS,
        **{event.kind: event for event in (WRITTEN_LATE, *events)},
    }
    names = [one.name for one in inputs]
    unread = _unread_shares(whole, events)
    tallies = [
        Tally(
            kind,
            kinds[kind].lane,
            kinds[kind].form,
            round(reservoir.count * (1 + unread.get(kind, 0.0))),  # of those unread as many are taken to be events
            len(reservoir.events()),
        )
        for kind, reservoir in whole.reservoirs.items()
    ]
    shift_s = _shifts(whole)
    thinned = {tally.kind for tally in tallies if tally.kept < tally.count}
    found = [
        _event(
            seen._replace(at_s=seen.at_s + shift_s[seen.file]) if seen.file in shift_s else seen,
            kinds[seen.kind],
            names[seen.file],
            before,
            thinned=seen.kind in thinned,
            outlier=seen.order in outliers,
        )
        for reservoir in whole.reservoirs.values()
        for outliers in (reservoir.outliers(),)
        for seen in reservoir.events()
    ]
    found += [
        _step(quiet, lane, told, names, before, shift_s.get(quiet.file, 0.0))
        for quiet, lane, told in bracketed(whole.quiet)
    ]
    return Snapshot(
        collector="logs",
        sources=tuple(_source(file, one, whole, shift_s.get(file, 0.0)) for file, one in enumerate(inputs)),
        events=tuple(sorted(found, key=lambda e: (e.at_s, e.place.source, e.place.line or 0, e.kind))),
        gaps=tuple(
            sorted(
                (_gap(quiet, names, before, shift_s.get(quiet.file, 0.0)) for quiet in whole.quiet),
                key=lambda g: (g.start_s, g.end_s),
            )
        ),
        tallies=tuple(sorted(tallies, key=lambda tally: tally.kind)),
        warnings=tuple(warnings),
    )


def _unread_shares(whole: Partial, events: Sequence[LogEvent]) -> dict[str, float]:
    """Lines that were only counted or passed over, for each that was read, by kind: as many of them would have been
    events."""
    read: Counter[int] = Counter()
    unread: defaultdict[int, float] = defaultdict(float)
    for at, lines in sorted(whole.read.items()):
        elsewhere = lines * whole.unsought_bytes[at] / max(1, whole.sought_bytes[at])
        read[at[1]] += lines + whole.beside[at]
        unread[at[1]] += whole.unread[at] + max(0.0, elsewhere - whole.beside[at])
    where = {literal: which for which, literal in enumerate(literals_of(events))}
    owners = [(event.kind, [where[literal] for literal in event.literals]) for event in events]
    owners += [(kind, [len(where)]) for kind in ALL_SUBJECTS]
    shares = ((kind, sum(unread[which] for which in own), sum(read[which] for which in own)) for kind, own in owners)
    return {kind: not_read / max(1, were_read) for kind, not_read, were_read in shares if not_read}


def _lines_before(edges: Iterable[Edge]) -> dict[tuple[int, int], int]:
    """How many lines of its file come before each piece."""
    before: dict[tuple[int, int], int] = {}
    counted: dict[int, int] = defaultdict(int)
    for edge in sorted(edges, key=lambda e: (e.file, e.piece)):
        before[edge.file, edge.piece] = counted[edge.file]
        counted[edge.file] += edge.lines
    return before


def _event(
    seen: Seen,
    kind: LogEvent | Subject,
    name: str,
    before: dict[tuple[int, int], int],
    *,
    thinned: bool,
    outlier: bool,
) -> Event:
    return Event(
        at_s=seen.at_s,
        kind=kind.kind,
        lane=kind.lane,
        form=kind.form,
        place=Place(name, before[seen.file, seen.piece] + seen.line),
        seconds=seen.seconds,
        value=seen.value,
        key=seen.key or (f"stretch {seen.stretch}" if thinned and kind.pair else ""),  # pairs are whole only in there
        label=seen.label or kind.label,
        site=seen.site,
        worker=seen.worker,
        starts=kind.starts,
        cpu_s=seen.cpu_s,
        pair=kind.pair,
        aligned=seen.aligned,
        uncertainty_s=seen.resolution_s,
        is_outlier=outlier,
    )


def _step(
    quiet: Quiet, lane: Lane, told: str, names: Sequence[str], before: dict[tuple[int, int], int], shift_s: float
) -> Event:
    """What held the loop in a silence, by the lines around it."""
    return Event(
        at_s=quiet.end_s + shift_s,
        kind=BRACKETED,
        lane=lane,
        form=Form.SPAN,
        place=Place(names[quiet.file], before[quiet.file, quiet.piece] + quiet.line),
        seconds=quiet.end_s - quiet.start_s,
        label=told,
        worker=quiet.worker,
        uncertainty_s=quiet.resolution_s,
    )


def _gap(quiet: Quiet, names: Sequence[str], before: dict[tuple[int, int], int], shift_s: float) -> Gap:
    return Gap(
        start_s=quiet.start_s + shift_s,
        end_s=quiet.end_s + shift_s,
        place=Place(names[quiet.file], before[quiet.file, quiet.piece] + quiet.line),
        reading=Silence(quiet.reading),
        worker=quiet.worker,
        late_beats=quiet.late_beats,
        burst_lines=quiet.burst_lines,
        uncertainty_s=quiet.resolution_s,
        silent_s=quiet.silent_s,
    )


def _shifts(whole: Partial) -> dict[int, float]:
    stamps: dict[int, list[float]] = defaultdict(list)
    for edge in whole.edges:
        stamps[edge.file] += [at_s for at_s in (edge.first_s, edge.last_s) if at_s is not None]
    spans = {file: Interval(min(found), max(found)) for file, found in stamps.items() if found}
    return shifts(spans, {file for file, lines in whole.zoned.items() if lines})


def _source(file: int, one: Input, whole: Partial, shift_s: float) -> Source:
    edges = [edge for edge in whole.edges if edge.file == file]
    stamps = [at_s + shift_s for edge in edges for at_s in (edge.first_s, edge.last_s) if at_s is not None]
    formats = sorted(
        ((name, count) for (of, name), count in whole.formats.items() if of == file), key=lambda f: (-f[1], f[0])
    )
    looked = whole.looked[file]
    return Source(
        name=one.name,
        bytes=sum(edge.bytes for edge in edges),
        lines=sum(edge.lines for edge in edges),
        formats=tuple(formats),
        unparsed_share=whole.unparsed[file] / looked if looked else 0.0,
        resolution_s=whole.resolution_of(file),
        first_s=min(stamps, default=None),
        last_s=max(stamps, default=None),
        workers=tuple(sorted(worker for of, worker in whole.workers if of == file)),
        beats=tuple(sorted(beat for of, beat in whole.beats if of == file)),
        notes=(*_notes(file, whole, shift_s), *sorted(note for of, note in whole.notes if of == file)),
    )


def _notes(file: int, whole: Partial, shift_s: float) -> Iterator[str]:
    if shift_s:
        hours = f"{abs(shift_s) / 3600:g}"
        way = "later" if shift_s > 0 else "earlier"
        yield f"its stamps carry no zone: read as {hours} h {way}, to lie with the logs that do"
    back = whole.backwards[file]
    if back:
        yield f"the clock went backwards {back} time{'s' if back != 1 else ''}"
