"""The text of .gz, .bz2, .xz and .zst files, up to their end or their first damage."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from taskdoctor.collectors.logs.heads import MAGIC, Compression
from taskdoctor.collectors.logs.streams import ByteStream, Progress, RawStream
from taskdoctor.errors import UnreadableError

PACKED_READ_BYTES = 128 * 1024
# Every ordinary level of zstd needs at most 8 MiB to look back; `--long` and `--ultra` can ask for gigabytes.
ZSTD_WINDOW_BYTES_MAX = 32 * 1024 * 1024
# `xz -9` needs 65 MiB, touched only as far as there is text.
XZ_MEMORY_BYTES_MAX = 72 * 1024 * 1024

_PACKAGES = {Compression.BZIP2: "bz2", Compression.XZ: "lzma", Compression.ZSTD: "zstandard"}
_TOOLS = {
    Compression.GZIP: "gzip",
    Compression.BZIP2: "bzip2",
    Compression.XZ: "xz",
    Compression.ZSTD: "zstd --long=31",
}


class _ForeignTailError(ValueError):
    """After a whole member come bytes that are not another one."""


class _Unpacker(Protocol):
    """The interface that the standard library's decompressors share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Members:
    """The text of a .bz2 or .xz: members one after the other, with zeros between them allowed."""

    def __init__(self, raw: RawStream, kind: Compression, new: Callable[[], _Unpacker]) -> None:
        self._raw, self._new, self._magic = raw, new, MAGIC[kind]
        self._unpacker = new()
        self._waiting = b""

    def readinto(self, target: memoryview, /) -> int:
        while not self._unpacker.eof or self._next_member():
            data = b""
            if self._unpacker.needs_input:
                data, self._waiting = self._waiting or self._raw.read(PACKED_READ_BYTES) or b"", b""
                if not data:
                    raise EOFError
            if piece := self._unpacker.decompress(data, len(target)):
                target[: len(piece)] = piece
                return len(piece)
        return 0

    def _next_member(self) -> bool:
        rest = self._unpacker.unused_data.lstrip(b"\0")
        while len(rest) < len(b"BZh91AY&SY") and (more := self._raw.read(PACKED_READ_BYTES)):
            rest = (rest + more).lstrip(b"\0")
        if rest and not self._magic.match(rest):
            raise _ForeignTailError
        self._waiting, self._unpacker = rest, self._new() if rest else self._unpacker
        return bool(rest)


class _Copied:
    """A file object that only reads, made to fill a buffer."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def readinto(self, target: memoryview, /) -> int:
        piece = self._read(len(target))
        target[: len(piece)] = piece
        return len(piece)


def _gzip(raw: RawStream) -> ByteStream:
    try:
        from isal.isal_zlib import _GzipReader
    except ImportError:  # not on this platform: four times slower, same text
        import gzip

        return _Copied(gzip.GzipFile(fileobj=raw).read1)
    return _GzipReader(cast("BinaryIO", raw), PACKED_READ_BYTES)


def _bzip2(raw: RawStream) -> ByteStream:
    import bz2

    return _Members(raw, Compression.BZIP2, bz2.BZ2Decompressor)


def _xz(raw: RawStream) -> ByteStream:
    import lzma

    return _Members(raw, Compression.XZ, lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY_BYTES_MAX))


def _zstd(raw: RawStream) -> ByteStream:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
    source = cast("BinaryIO", raw)
    return decompressor.stream_reader(source, read_size=PACKED_READ_BYTES, read_across_frames=True)


_OPENERS: dict[Compression, Callable[[RawStream], ByteStream]] = {
    Compression.GZIP: _gzip,
    Compression.BZIP2: _bzip2,
    Compression.XZ: _xz,
    Compression.ZSTD: _zstd,
}


def _damage() -> tuple[type[Exception], ...]:
    """What decompressors raise for bad data; the optional ones have their own."""
    kinds: list[type[Exception]] = [OSError, EOFError, ValueError, zlib.error]
    try:
        from lzma import LZMAError

        kinds.append(LZMAError)
    except ImportError:  # Python was built without it
        pass
    try:
        from isal.isal_zlib import IsalError

        kinds.append(IsalError)  # type: ignore[arg-type]  # its stub says instance
    except ImportError:
        pass
    try:
        from zstandard import ZstdError

        kinds.append(ZstdError)
    except ImportError:
        pass
    return tuple(kinds)


class Unpacked:
    """The text of a packed file, up to its end or its first damage.

    A decompressor that fails keeps what it unpacked in that same call to itself. So the stream is unpacked once more
    up to there, and then byte by byte up to the damage: `again` gives the packed bytes anew, or EOFError where
    a pipe has gone by. (igzip then still withholds one byte, the last of a member whose checksum or sequel is bad.)
    """

    def __init__(
        self,
        kind: Compression,
        again: Callable[[], RawStream],
        progress: Progress,
        *,
        cut_off: Callable[[], bool] = bool,
    ) -> None:
        self._kind, self._again, self._progress, self._cut_off = kind, again, progress, cut_off
        self._damage = _damage()
        self._delivered = 0
        self._step: int | None = None
        self.failure: Exception | None = None
        self._reader = self._open()

    def readinto(self, target: memoryview, /) -> int:
        while self.failure is None:
            try:
                count = self._reader.readinto(target[: self._step])
            except self._damage as error:
                self._recover(error)
            else:
                self._delivered += count
                return count or self._end()
        return 0

    def _end(self) -> int:
        if self._cut_off():
            self._fail(EOFError())
        return 0

    def _open(self) -> ByteStream:
        return _OPENERS[self._kind](self._again())

    def _recover(self, error: Exception) -> None:
        """Go back to right before the damage the first time, give up the second."""
        if self._step is None:
            self._step = 1
            try:
                self._reader = self._open()
                self._skip(self._delivered)
            except self._damage:  # a pipe cannot be read twice
                self._fail(error)
        else:
            self._fail(error)

    def _skip(self, count: int) -> None:
        waste = memoryview(bytearray(PACKED_READ_BYTES))
        while count and (skipped := self._reader.readinto(waste[:count])):
            count -= skipped

    def _fail(self, error: Exception) -> None:
        self.failure = error
        foreign = isinstance(error, _ForeignTailError) or str(error).startswith("Not a gzipped file")
        if self._delivered and (foreign or "Unknown frame descriptor" in str(error)):
            self._progress.note(f"has bytes after its end that are not {self._kind}; they were left out")
        elif isinstance(error, EOFError):
            self._progress.note("ends early: the packed data is cut off; what was there was read")
        else:
            self._progress.note(f"is damaged after {self._delivered} bytes of text; the rest was left out")


def unpack(
    name: str,
    kind: Compression,
    again: Callable[[], RawStream],
    progress: Progress,
    *,
    cut_off: Callable[[], bool] = bool,
) -> Unpacked:
    """`cut_off` says at the end whether there should have been more, for a decoder that does not."""
    try:
        return Unpacked(kind, again, progress, cut_off=cut_off)
    except ImportError as error:
        package = _PACKAGES.get(kind, error.name)
        raise UnreadableError(
            f"{name}: reading {kind} needs the Python module {package}", hint=_by_pipe(name, kind)
        ) from error


def undecodable(name: str, kind: Compression, failure: Exception) -> UnreadableError:
    """Not a single byte came out: why, and what to do."""
    if "memory" in str(failure).lower():
        return UnreadableError(f"{name}: was packed to need too much memory for unpacking", hint=_by_pipe(name, kind))
    if isinstance(failure, EOFError):
        return UnreadableError(f"{name}: ends before the first byte of text", hint="Copy it again from where it comes.")
    return UnreadableError(
        f"{name}: begins like {kind} but cannot be unpacked", hint="Copy it again from where it comes."
    )


def _by_pipe(name: str, kind: Compression) -> str:
    return f"Unpack it outside: {_TOOLS[kind]} -dc {name} | taskdoctor logs -"
