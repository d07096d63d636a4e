"""Logs as blocks of whole lines, at the speed of the page cache and in flat memory.

The stream lies on a fixed grid of 128 KiB cells, and a block is the lines that START in one cell. So what a block holds
depends on the file alone: workers may share the cells in any way, and the same input through a pipe or a .gz gives the
same blocks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

from taskdoctor.collectors.logs.heads import UTF8_BOM, Compression, Encoding
from taskdoctor.collectors.logs.streams import ByteStream, Progress

CELL_BYTES = 128 * 1024  # small enough for the cache, large enough for what each costs in Python
LINE_BYTES_MAX = 1024 * 1024
# Read a little of the next cell at once: there the last line of nearly every cell ends.
LOOK_BYTES = 4 * 1024
# How many bytes at most lie beyond what was asked for; one system call then serves several cells.
AHEAD_BYTES = 3 * CELL_BYTES
_BUFFER_BYTES = CELL_BYTES + AHEAD_BYTES + 2 * LOOK_BYTES
_WIDE_BUFFER_BYTES = LINE_BYTES_MAX + AHEAD_BYTES + 4 * CELL_BYTES
_ENDLESS = sys.maxsize


class Block(NamedTuple):
    """Whole lines, `data[start:end]`, each with its newline (the last line of a stream may lack it, a cut line does).
    Valid until the next block is asked for: the buffer is used again."""

    data: bytearray
    start: int
    end: int
    offset: int  # of data[start] in the stream


@dataclass(slots=True)
class Reading:
    """One opened input. `seekable`: any range of cells can be read, as often as wanted; else once, front to back.

    Plain encodings (UTF-8, cp1252) come as the bytes they are, all others as UTF-8.
    """

    name: str
    encoding: Encoding
    compression: Compression
    seekable: bool
    size_bytes: int  # of the file, packed as it is; 0 for a pipe
    progress: Progress
    decoded_bytes: int = 0
    truncated_lines: int = 0
    _source: Callable[[int], ByteStream] | None = None
    _close: Callable[[], object] = bool

    @property
    def bytes_read(self) -> int:
        """Of the file, packed as it is: what progress is measured in."""
        return self.progress.bytes_read

    @property
    def replaced(self) -> bool:
        """Whether bytes were seen that make no character, or are not UTF-8 where they are given as they are (there only
        the first 64 KiB were looked at)."""
        return self.progress.replaced

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what could not be read, the name of the input left out."""
        return tuple(self.progress.notes)

    def source(self, at: int) -> ByteStream:
        """The stream from byte `at` on; one that cannot be read in ranges is given away once."""
        if self._source is None:
            raise ValueError(f"{self.name} can only be read once")
        opener = self._source
        if not self.seekable:
            self._source = None
        return opener(at)

    def close(self) -> None:
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def blocks(reading: Reading, first_block: int = 0, last_block: int | None = None) -> Iterator[Block]:
    """The lines that start in cells `first_block` to `last_block`, both included, a block for each cell that has any.

    A line beyond 1 MiB is cut there and counted by who owns it; the rest of it is skipped.
    """
    stop = _ENDLESS if last_block is None else (last_block + 1) * CELL_BYTES
    window = _Window(reading, max(0, first_block * CELL_BYTES - 1))
    if first_block:
        window.skip_line(stop)
    elif reading.encoding is Encoding.UTF8_SIG:
        window.fill(len(UTF8_BOM))
        window.at = len(UTF8_BOM)
    while (offset := window.base + window.at) < stop:
        cell_end = offset - offset % CELL_BYTES + CELL_BYTES
        window.fill(cell_end + LOOK_BYTES)
        # A newline in the cell's last byte, or the first one behind: there the last line that starts in it ends.
        end = window.data.find(b"\n", cell_end - 1 - window.base, window.held) + 1 or window.finish_line(cell_end)
        if end == window.at:
            return
        yield Block(window.data, window.at, end, offset)
        window.at = end
        if window.cut:
            window.skip_line(stop)


class _Window:
    """The stretch of the stream that is in memory: `data[at:held]` is read and not yet given away."""

    __slots__ = ("_ended", "_reading", "_source", "_view", "at", "base", "cut", "data", "held")

    def __init__(self, reading: Reading, start: int) -> None:
        self.data = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self.data)
        self._reading = reading
        self._ended = False
        self.base = start  # offset of data[0] in the stream
        self.at = self.held = 0
        self.cut = False  # the last line given away goes on
        self._source = reading.source(start if reading.seekable else 0)
        if not reading.seekable:
            self._pass_over(start)

    def fill(self, until: int) -> None:
        """Hold the stream up to offset `until`, or to its end. Reads ahead only where this needs a read at all."""
        if self._ended or self.base + self.held >= until:
            return
        self._make_room(until - self.base - self.at)
        target = until - self.base + AHEAD_BYTES
        while self.base + self.held < until:
            count = self._source.readinto(self._view[self.held : target])
            if not count:
                self._ended = True
                return
            self.held += count
            self._reading.decoded_bytes += count

    def finish_line(self, cell_end: int) -> int:
        """The end of a line that runs far out of its cell; reads on as needed, cuts it at 1 MiB."""
        known = min(self.held, cell_end - 1 - self.base)
        line = self.base + max(self.at, self.data.rfind(b"\n", self.at, known) + 1)
        limit = line + LINE_BYTES_MAX
        end = 0
        while not end and not self._ended and (seen := self.base + self.held) <= limit:
            self.fill(seen + CELL_BYTES)
            end = self.data.find(b"\n", seen - self.base, self.held) + 1
        end = end or self.held
        content = self.base + end - line - (end > self.at and self.data[end - 1] == 0x0A)
        if content > LINE_BYTES_MAX:
            self.cut = True
            self._reading.truncated_lines += 1
            return limit - self.base
        return end

    def skip_line(self, stop: int) -> None:
        """Go to the start of the next line, or to `stop` if none starts before, without keeping what is between."""
        self.cut = False
        while not (found := self.data.find(b"\n", self.at, self.held) + 1):
            self.at = self.held
            if self._ended or self.base + self.held >= stop:
                return
            self.fill(self.base + self.held + CELL_BYTES)
        self.at = found

    def _make_room(self, count: int) -> None:
        """Move what is held to the front (a few hundred bytes as a rule), so that `count` bytes have their place."""
        kept = self._view[self.at : self.held]
        if count + AHEAD_BYTES > len(self.data):
            self.data = bytearray(_WIDE_BUFFER_BYTES)
            self._view = memoryview(self.data)
        self._view[: len(kept)] = kept
        self.base += self.at
        self.at, self.held = 0, len(kept)

    def _pass_over(self, count: int) -> None:
        while count and (passed := self._source.readinto(self._view[:count])):
            count -= passed
