"""Opening an input: its first bytes say how it is read, as ranges of a plain file or as one stream from front to back.

`open_input` gives a `Reading`; `blocks` gives its lines.
"""

from __future__ import annotations

import os
import stat
import sys
from io import FileIO
from typing import BinaryIO

from taskdoctor.collectors.logs.blocks import CELL_BYTES, LINE_BYTES_MAX, Block, Reading, blocks
from taskdoctor.collectors.logs.heads import (
    HEAD_BYTES,
    UTF16_BOMS,
    Compression,
    Encoding,
    compression_of,
    encoding_of,
    is_damaged,
    is_text,
    read_head,
)
from taskdoctor.collectors.logs.inputs import Input, cannot_read, not_a_log
from taskdoctor.collectors.logs.streams import ByteStream, HeadFirst, Progress, RawStream, Transcoded
from taskdoctor.collectors.logs.unpacking import Unpacked, undecodable, unpack
from taskdoctor.collectors.logs.zstd_frames import ends_early
from taskdoctor.errors import UnreadableError

__all__ = ["CELL_BYTES", "LINE_BYTES_MAX", "Block", "Reading", "blocks", "open_input"]


def open_input(item: Input) -> Reading:
    """Look at the first bytes, and set up the way from there to blocks of lines. UnreadableError if there is none."""
    file = _open(item)
    try:
        if isinstance(file, FileIO) and _is_regular(file):
            return _open_regular(item, file)
        head = _read_up_to(RawStream(file, Progress()), HEAD_BYTES)
        return _open_sequential(item, _Origin(file, head), compression_of(head))
    except OSError as error:
        _close(item, file)
        raise cannot_read(item.name, error) from error
    except UnreadableError:
        _close(item, file)
        raise


def _close(item: Input, file: BinaryIO | FileIO) -> None:
    """Standard input belongs to the process."""
    if not item.is_stdin:
        file.close()


def _open(item: Input) -> BinaryIO | FileIO:
    if item.is_stdin:
        return sys.stdin.buffer
    try:
        return FileIO(item.path)
    except OSError as error:
        raise cannot_read(item.name, error) from error


def _is_regular(file: FileIO) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def _open_regular(item: Input, file: FileIO) -> Reading:
    head = read_head(file)
    size_bytes = os.fstat(file.fileno()).st_size
    kind = compression_of(head)
    if kind or not size_bytes or not encoding_of(head).plain:  # /proc says 0 for what is not empty
        return _open_sequential(item, _Origin(file, size_bytes=size_bytes, seekable=True), kind)
    if not is_text(head):
        raise not_a_log(item.name)
    return _open_ranges(item, file, size_bytes, encoding_of(head), Progress(replaced=is_damaged(head)))


def _open_ranges(item: Input, file: FileIO, size_bytes: int, encoding: Encoding, progress: Progress) -> Reading:
    return Reading(
        name=item.name,
        encoding=encoding,
        compression=Compression.NONE,
        seekable=True,
        size_bytes=size_bytes,
        progress=progress,
        _source=lambda at: _FileRange(file, at, size_bytes, progress),
        _close=file.close,
    )


def _open_sequential(item: Input, origin: _Origin, kind: Compression) -> Reading:
    """What can only be read front to back: unpacked where packed, as UTF-8 whatever it is written in."""
    stream: ByteStream = origin.unpacked(item.name, kind) if kind else origin.again()
    head = _read_up_to(stream, HEAD_BYTES)
    if isinstance(stream, Unpacked) and stream.failure and not head:
        raise undecodable(item.name, kind, stream.failure)
    if not is_text(head):
        raise not_a_log(item.name)
    encoding = encoding_of(head)
    stream = _as_utf8(head, stream, encoding, origin.progress)
    return Reading(
        name=item.name,
        encoding=encoding,
        compression=kind,
        seekable=False,
        size_bytes=origin.size_bytes,
        progress=origin.progress,
        _source=lambda _at: stream,
        _close=lambda: _close(item, origin.file),
    )


def _as_utf8(head: bytes, rest: ByteStream, encoding: Encoding, progress: Progress) -> ByteStream:
    if encoding.plain:
        progress.replaced |= is_damaged(head)
        return HeadFirst(head, rest)
    if head.startswith(UTF16_BOMS):
        head = head[len(UTF16_BOMS[0]) :]
    return Transcoded(HeadFirst(head, rest), encoding, progress)


def _read_up_to(stream: ByteStream, count: int) -> bytes:
    target = memoryview(bytearray(count))
    held = 0
    while held < count and (more := stream.readinto(target[held:])):
        held += more
    return bytes(target[:held])


class _Origin:
    """Where bytes come from: from the start again if it is a file, or as long as a pipe has only shown its head."""

    def __init__(
        self, file: BinaryIO | FileIO, head: bytes = b"", *, size_bytes: int = 0, seekable: bool = False
    ) -> None:
        self.file, self.size_bytes = file, size_bytes
        self.progress = Progress()
        self._head, self._seekable = head, seekable
        self._last: RawStream | None = None

    def again(self) -> RawStream:
        """EOFError where the bytes have gone by."""
        if self._seekable:
            self.file.seek(0)
        elif self._last and self._last.taken > len(self._head):
            raise EOFError
        self._last = RawStream(self.file, self.progress, self._head)
        return self._last

    def unpacked(self, name: str, kind: Compression) -> Unpacked:
        return unpack(
            name, kind, self.again, self.progress, cut_off=lambda: kind is Compression.ZSTD and self._cut_off()
        )

    def _cut_off(self) -> bool:
        return isinstance(self.file, FileIO) and self.size_bytes > 0 and ends_early(self.file, self.size_bytes)


class _FileRange:
    """A plain file from one offset on, up to the size it had when it was opened; a position of its own for each."""

    def __init__(self, file: FileIO, at: int, end: int, progress: Progress) -> None:
        self._file, self._descriptor, self._at, self._end, self._progress = file, file.fileno(), at, end, progress

    def readinto(self, target: memoryview, /) -> int:
        room = self._end - self._at
        if room <= 0:
            return 0
        try:
            count = self._read_at(target if len(target) <= room else target[:room])
        except OSError as error:
            self._progress.note(f"could not be read to its end: {error.strerror or error}")
            return 0
        if not count:
            self._progress.note("became shorter while it was read; what was there was read")
        self._at += count
        self._progress.bytes_read += count
        return count

    if hasattr(os, "preadv"):

        def _read_at(self, target: memoryview) -> int:
            return os.preadv(self._descriptor, [target], self._at)

    else:  # Windows: one position per file, so one range at a time

        def _read_at(self, target: memoryview) -> int:
            self._file.seek(self._at)
            return self._file.readinto(target) or 0
