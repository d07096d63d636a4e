"""Lines as they are appended: the live end of a log, through rotation, truncation and disappearance."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

from taskdoctor.collectors.logs.blocks import LINE_BYTES_MAX
from taskdoctor.collectors.logs.heads import UTF8_BOM, encoding_of, read_head
from taskdoctor.collectors.logs.inputs import Input
from taskdoctor.collectors.logs.streams import decoder_for
from taskdoctor.errors import UnreadableError

POLL_S = 0.25
READ_BYTES = 64 * 1024


def follow(
    item: Input,
    *,
    from_byte: int | None = None,
    stop: Callable[[], bool] = bool,
    sleep: Callable[[float], object] = time.sleep,
) -> Generator[bytes, None, None]:
    """Complete lines, without their newline, that come after the present end (or after `from_byte`), as UTF-8 or as
    they are (as `reading` does). A line is given when its newline is there.

    `stop` is asked, and `sleep` called, whenever nothing new is there: four times a second.
    """
    if item.compression:
        raise UnreadableError(f"{item.name}: a packed file does not grow line by line", hint="Follow the log itself.")
    if item.is_stdin:
        return _follow_stream(sys.stdin.buffer, stop)
    if item.path.exists() and not item.path.is_file():
        return _follow_stream(FileIO(item.path), stop)
    return _follow_file(item.path, from_byte, stop, sleep)


def _follow_stream(file: BinaryIO | FileIO, stop: Callable[[], bool]) -> Generator[bytes, None, None]:
    """A pipe blocks until something comes, so it needs no clock; its end is the end."""
    lines = _Lines()
    read = getattr(file, "read1", file.read)
    while not stop() and (piece := cast("bytes", read(READ_BYTES))):
        yield from lines.feed(piece)
    yield from lines.finish()


def _follow_file(
    path: Path, from_byte: int | None, stop: Callable[[], bool], sleep: Callable[[float], object]
) -> Generator[bytes, None, None]:
    tail = _Tail(path, from_byte)
    try:
        while True:
            yield from tail.new_lines()
            if stop():
                return
            sleep(POLL_S)
    finally:
        tail.close()


class _Tail:
    """The file behind a path at this moment, and how far it was read."""

    def __init__(self, path: Path, from_byte: int | None) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._lines = _Lines()
        self._open(from_byte)

    def new_lines(self) -> Iterator[bytes]:
        """What came since the last time. The old file is read to its end before the one that took its name."""
        if self._file:
            replaced = self._is_replaced(self._file)  # asked before the last look, so that nothing slips between
            yield from self._drain(self._file)
            if self._is_cut(self._file):
                yield from self._lines.finish()
                self._start(self._file, 0)
                yield from self._drain(self._file)
            if not replaced:
                return
            yield from self._lines.finish()
            self.close()
        self._open(0)
        if self._file:
            yield from self._drain(self._file)

    def close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None

    def _open(self, at: int | None) -> None:
        """None: at the present end. A file that is not there (yet) is tried again at the next poll."""
        try:
            self._file = FileIO(self._path)
            self._start(self._file, _last_line(self._file) if at is None else at)
        except OSError:
            self.close()

    def _start(self, file: FileIO, at: int) -> None:
        self._lines = _Lines(read_head(file))
        file.seek(at)

    def _drain(self, file: FileIO) -> Iterator[bytes]:
        try:
            while piece := file.read(READ_BYTES):
                yield from self._lines.feed(piece)
        except OSError:  # a network drive that is away for a while
            return

    def _is_replaced(self, file: FileIO) -> bool:
        """Another file has the name now. None has: the old one may still be written to."""
        try:
            new, old = self._path.stat(), os.fstat(file.fileno())
        except OSError:
            return False
        return (new.st_dev, new.st_ino) != (old.st_dev, old.st_ino)

    def _is_cut(self, file: FileIO) -> bool:
        try:
            return os.fstat(file.fileno()).st_size < file.tell()
        except OSError:
            return False


def _last_line(file: FileIO) -> int:
    """Where the line begins that is being written: right at the end, as a rule."""
    wide = encoding_of(read_head(file)).wide
    size_bytes = file.seek(0, os.SEEK_END)
    if wide:
        return size_bytes
    start = file.seek(max(0, size_bytes - READ_BYTES))
    newline = (file.read(size_bytes - start) or b"").rfind(b"\n")
    return start + newline + 1 if newline >= 0 else size_bytes


class _Lines:
    """Pieces of bytes in, whole lines out; an unfinished line is held, up to 1 MiB of it."""

    def __init__(self, head: bytes = b"") -> None:
        self._decoder = _decoder(head) if head else None
        self._fresh = True
        self._held = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Lines that `piece` completes."""
        *lines, rest = self._as_utf8(piece).split(b"\n")
        for line in lines:
            yield self._whole(line)
        self._hold(rest)

    def finish(self) -> Iterator[bytes]:
        """The last line, where nobody will write its newline any more."""
        if self._held:
            yield self._whole(b"")

    def _whole(self, line: bytes) -> bytes:
        self._hold(line)
        whole = bytes(self._held)
        self._held.clear()
        return whole

    def _hold(self, piece: bytes) -> None:
        self._held += piece[: LINE_BYTES_MAX - len(self._held)]

    def _as_utf8(self, piece: bytes) -> bytes:
        if self._decoder is None:
            self._decoder = _decoder(piece)
        piece = self._decoder(piece)
        if piece and self._fresh:
            self._fresh = False
            return piece.removeprefix(UTF8_BOM)
        return piece


def _decoder(head: bytes) -> Callable[[bytes], bytes]:
    """What makes UTF-8 of the pieces of a text that begins like this, byte order marks left in."""
    encoding = encoding_of(head)
    if encoding.plain:
        return bytes
    decoder = decoder_for(encoding)
    return lambda piece: decoder.decode(piece).encode("utf-8", "replace")
