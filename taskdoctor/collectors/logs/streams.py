"""Streams of bytes on their way to the reader: raw, looked at in advance, turned into UTF-8.

All have one method, `readinto`, which fills a stretch of the caller's buffer and returns 0 at the end, so that a
gigabyte passes through a few hundred KiB. None raises for damaged data: a note says what was lost.
"""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass, field
from io import FileIO
from typing import BinaryIO, Protocol, cast

from taskdoctor.collectors.logs.heads import Encoding

TRANSCODE_BYTES = 64 * 1024


@dataclass(slots=True)
class Progress:
    """What was read so far; shared by the streams of one reading."""

    bytes_read: int = 0  # of the file, packed as it is
    replaced: bool = False
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


class ByteStream(Protocol):
    """Anything that fills a buffer."""

    def readinto(self, target: memoryview, /) -> int: ...


class RawStream(io.RawIOBase):
    """The bytes of a file or pipe, counted, after those that were looked at in advance."""

    def __init__(self, file: BinaryIO | FileIO, progress: Progress, head: bytes = b"") -> None:
        self._file = file
        self._progress = progress
        self._head = memoryview(head)
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview, /) -> int:  # type: ignore[override]
        count = self._from_head(target) if self._head else self._from_file(target)
        self.taken += count
        self._progress.bytes_read = max(self._progress.bytes_read, self.taken)
        return count

    def _from_head(self, target: memoryview) -> int:
        count = min(len(target), len(self._head))
        target[:count] = self._head[:count]
        self._head = self._head[count:]
        return count

    def _from_file(self, target: memoryview) -> int:
        try:
            return cast("FileIO", self._file).readinto(target) or 0
        except OSError as error:
            self._progress.note(f"could not be read to its end: {error.strerror or error}")
            return 0


class HeadFirst:
    """A stream after the piece of it that was looked at in advance."""

    def __init__(self, head: bytes, rest: ByteStream) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readinto(self, target: memoryview, /) -> int:
        if not self._head:
            return self._rest.readinto(target)
        count = min(len(target), len(self._head))
        target[:count] = self._head[:count]
        self._head = self._head[count:]
        return count


class Transcoded:
    """Text of another encoding as UTF-8. Bytes that make no character become U+FFFD."""

    def __init__(self, source: ByteStream, encoding: Encoding, progress: Progress) -> None:
        self._source, self._progress = source, progress
        self._decoder = decoder_for(encoding)
        self._piece = memoryview(bytearray(TRANSCODE_BYTES))
        self._ready = memoryview(b"")
        self._ended = False

    def readinto(self, target: memoryview, /) -> int:
        while not self._ready and not self._ended:
            self._decode_piece()
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _decode_piece(self) -> None:
        count = self._source.readinto(self._piece)
        self._ended = not count
        text = self._decoder.decode(bytes(self._piece[:count]), self._ended)
        self._progress.replaced |= "\ufffd" in text
        self._ready = memoryview(text.encode("utf-8", "replace"))


def decoder_for(encoding: Encoding) -> codecs.IncrementalDecoder:
    # GB 18030 is GBK with the rest of Unicode: the same bytes for the same characters, fewer holes.
    name = "gb18030" if encoding is Encoding.GBK else str(encoding)
    return codecs.getincrementaldecoder(name)(errors="replace")
